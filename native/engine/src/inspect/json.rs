//! One JSON object on a line, built in order. Integers beyond 2^53 are written as strings, which no reader rounds.

pub struct Line(String);

const SAFE: i64 = 1 << 53;

impl Line {
    /// `{"type":…`
    pub fn new(kind: &str) -> Line {
        Line("{".to_string()).text("type", kind)
    }

    fn key(&mut self, key: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        quote(&mut self.0, key);
        self.0.push(':');
    }

    pub fn text(mut self, key: &str, value: &str) -> Line {
        self.key(key);
        quote(&mut self.0, value);
        self
    }

    pub fn number(mut self, key: &str, value: i64) -> Line {
        self.key(key);
        if (-SAFE..=SAFE).contains(&value) {
            self.0.push_str(&value.to_string());
        } else {
            quote(&mut self.0, &value.to_string());
        }
        self
    }

    pub fn flag(mut self, key: &str, value: bool) -> Line {
        self.key(key);
        self.0.push_str(if value { "true" } else { "false" });
        self
    }

    /// Bytes as base64, or null.
    pub fn bytes(mut self, key: &str, value: Option<&[u8]>) -> Line {
        self.key(key);
        match value {
            Some(value) => base64(&mut self.0, value),
            None => self.0.push_str("null"),
        }
        self
    }

    /// `[name, value]` pairs, both base64 (a header's name may be no UTF-8).
    pub fn pairs(mut self, key: &str, pairs: &[(Vec<u8>, Option<Vec<u8>>)]) -> Line {
        self.key(key);
        self.0.push('[');
        for (at, (name, value)) in pairs.iter().enumerate() {
            self.0.push_str(if at > 0 { ",[" } else { "[" });
            base64(&mut self.0, name);
            self.0.push(',');
            match value {
                Some(value) => base64(&mut self.0, value),
                None => self.0.push_str("null"),
            }
            self.0.push(']');
        }
        self.0.push(']');
        self
    }

    pub fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

fn quote(to: &mut String, text: &str) {
    to.push('"');
    for character in text.chars() {
        match character {
            '"' => to.push_str("\\\""),
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            control if (control as u32) < 0x20 || (0x7f..0xa0).contains(&(control as u32)) => {
                to.push_str(&format!("\\u{:04x}", control as u32));
            }
            plain => to.push(plain),
        }
    }
    to.push('"');
}

fn base64(to: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    to.push('"');
    for chunk in bytes.chunks(3) {
        let group = (chunk[0] as u32) << 16
            | (chunk.get(1).copied().unwrap_or(0) as u32) << 8
            | chunk.get(2).copied().unwrap_or(0) as u32;
        for place in 0..4 {
            let digit = DIGITS[(group >> (18 - 6 * place)) as usize & 63] as char;
            to.push(if place <= chunk.len() { digit } else { '=' });
        }
    }
    to.push('"');
}

/// Whether the text is one JSON value and nothing more; for files of ours that are JSON.
pub fn is_json(text: &str) -> bool {
    let bytes = text.trim_end().as_bytes();
    value(bytes, 0, 0) == Some(bytes.len())
}

const DEEPEST: usize = 32;

fn space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// Where the value that begins at or behind `at` ends.
fn value(bytes: &[u8], at: usize, depth: usize) -> Option<usize> {
    let at = space(bytes, at);
    match bytes.get(at)? {
        b'"' => string(bytes, at),
        b'{' | b'[' if depth == DEEPEST => None,
        b'{' => members(bytes, at + 1, b'}', |at| {
            let colon = space(bytes, string(bytes, space(bytes, at))?);
            if bytes.get(colon) == Some(&b':') { value(bytes, colon + 1, depth + 1) } else { None }
        }),
        b'[' => members(bytes, at + 1, b']', |at| value(bytes, at, depth + 1)),
        _ => {
            let end =
                (at..bytes.len()).find(|i| matches!(bytes[*i], b',' | b'}' | b']') || bytes[*i].is_ascii_whitespace());
            let end = end.unwrap_or(bytes.len());
            let word = std::str::from_utf8(&bytes[at..end]).ok()?;
            let number =
                word.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) && word.parse::<f64>().is_ok();
            (number || matches!(word, "true" | "false" | "null")).then_some(end)
        }
    }
}

fn members(bytes: &[u8], at: usize, close: u8, member: impl Fn(usize) -> Option<usize>) -> Option<usize> {
    let mut at = space(bytes, at);
    if bytes.get(at) == Some(&close) {
        return Some(at + 1);
    }
    loop {
        at = space(bytes, member(at)?);
        match bytes.get(at)? {
            b',' => at += 1,
            other if *other == close => return Some(at + 1),
            _ => return None,
        }
    }
}

fn string(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let mut at = at + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            control if *control < 0x20 => return None,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_a_json_reader_reads_back() {
        let line = Line::new("x")
            .text("t", "a\"b\\c\n\u{1}\u{85}é")
            .number("n", -5)
            .number("far", i64::MIN)
            .flag("f", true)
            .bytes("b", Some(b"\x00\xff1"))
            .bytes("none", None)
            .pairs("p", &[(b"k".to_vec(), Some(b"vv".to_vec())), (b"".to_vec(), None)])
            .end();
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["t"], "a\"b\\c\n\u{1}\u{85}é");
        assert_eq!(read["n"], -5);
        assert_eq!(read["far"], "-9223372036854775808");
        assert_eq!(read["b"], "AP8x");
        assert_eq!(read["none"], serde_json::Value::Null);
        assert_eq!(read["p"].to_string(), r#"[["aw==","dnY="],["",null]]"#);
        assert!(is_json(&line));
    }

    #[test]
    fn what_is_no_json_is_told_from_what_is() {
        for good in ["{}", "[1, -2.5e3]", "{\"a\": [true, null, {\"b\":\"\\\"\"}]}\n"] {
            assert!(is_json(good), "{good}");
        }
        for bad in ["", "{", "{\"a\"}", "[1,]", "{\"a\":1}x", "nul", "\"\n\"", "{\"a\":\"\\"] {
            assert!(!is_json(bad), "{bad}");
        }
        assert!(!is_json(&"[".repeat(100_000)));
    }
}
