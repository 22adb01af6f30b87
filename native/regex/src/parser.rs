//! Reads a pattern in RE2/J's syntax.
//!
//! Invariants: no recursion; what is open at once is bounded by `MAX_NESTING`. A complaint is what RE2/J says too, but
//! for `unexpected )` and the limits, which it doesn't have.

use crate::ascii_set::{self, AsciiSet};
use crate::unicode_names;
use regex_syntax::hir::{Hir, Look, Repetition};

pub const MAX_PATTERN_BYTES: usize = 64 * 1024;
pub const MAX_NESTING: usize = 100;
const MAX_REPEAT: u32 = 1000;
const MAX_CODE_POINT: u32 = 0x10_ffff;

const BAD_RANGE: &str = "invalid character class range";
const BAD_ESCAPE: &str = "invalid escape sequence";
const BAD_NAME: &str = "invalid named capture";
const BAD_PERL: &str = "invalid or unsupported Perl syntax";
const BAD_REPEAT: &str = "invalid nested repetition operator";
const BAD_REPEAT_SIZE: &str = "invalid repeat count";
const DUPLICATE_NAME: &str = "duplicate capture group name";
const MISSING_BRACKET: &str = "missing closing ]";
const MISSING_PAREN: &str = "missing closing )";
const NOTHING_TO_REPEAT: &str = "missing argument to repetition operator";
const TRAILING_BACKSLASH: &str = "trailing backslash at end of expression";
const UNEXPECTED_PAREN: &str = "unexpected )";

type Parsed<T> = Result<T, &'static str>;

/// What `(?ims)` switches. (`U` changes what is matched first, never whether a whole name matches.)
#[derive(Clone, Copy, Default)]
struct Flags {
    fold: bool,
    lines: bool,
    dot_newline: bool,
}

/// A group that is open, or the whole pattern.
#[derive(Default)]
struct Group {
    branches: Vec<Hir>,
    /// The branch being read.
    items: Vec<Hir>,
    /// To be restored at its end.
    outer: Flags,
}

impl Group {
    fn end_branch(&mut self) {
        self.branches.push(Hir::concat(std::mem::take(&mut self.items)));
    }

    fn end(mut self) -> Hir {
        self.end_branch();
        Hir::alternation(self.branches)
    }
}

struct Parser<'a> {
    rest: &'a str,
    flags: Flags,
    names: Vec<&'a str>,
    group: Group,
    outer: Vec<Group>,
}

/// What the pattern matches of ASCII.
pub fn parse(pattern: &str) -> Result<Hir, String> {
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(format!("it has more than {MAX_PATTERN_BYTES} bytes"));
    }
    let parser = Parser {
        rest: pattern,
        flags: Flags::default(),
        names: Vec::new(),
        group: Group::default(),
        outer: Vec::new(),
    };
    parser.run().map_err(str::to_owned)
}

impl<'a> Parser<'a> {
    fn run(mut self) -> Parsed<Hir> {
        let mut after_repetition = false;
        while let Some(next) = self.peek() {
            let mut is_repetition = false;
            match next {
                '(' if self.rest.starts_with("(?") => self.perl_group()?,
                '(' => {
                    self.skip(1);
                    self.open_group(self.flags)?;
                }
                '|' => {
                    self.skip(1);
                    self.group.end_branch();
                }
                ')' => {
                    self.skip(1);
                    self.close_group()?;
                }
                '^' => self.look(1, if self.flags.lines { Look::StartLF } else { Look::Start }),
                '$' => self.look(1, if self.flags.lines { Look::EndLF } else { Look::End }),
                '.' => {
                    self.skip(1);
                    let newline = AsciiSet::of("\n");
                    let set = if self.flags.dot_newline { AsciiSet::ALL } else { newline.complement() };
                    self.push(set);
                }
                '[' => {
                    let set = self.class()?;
                    self.push(set);
                }
                '*' | '+' | '?' => {
                    self.skip(1);
                    let (min, max) = match next {
                        '*' => (0, None),
                        '+' => (1, None),
                        _ => (0, Some(1)),
                    };
                    self.repeat(min, max, after_repetition)?;
                    is_repetition = true;
                }
                '{' => {
                    match self.counts()? {
                        Some((min, max)) => self.repeat(min, max, after_repetition)?,
                        None => {
                            self.skip(1);
                            self.literal('{');
                        }
                    }
                    // Also of a brace that stands for itself RE2/J says that it can't be repeated.
                    is_repetition = true;
                }
                '\\' => self.escape()?,
                other => {
                    self.skip(other.len_utf8());
                    self.literal(other);
                }
            }
            after_repetition = is_repetition;
        }
        if self.outer.is_empty() { Ok(self.group.end()) } else { Err(MISSING_PAREN) }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.skip(next.len_utf8());
        Some(next)
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    fn skip_prefix(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn push(&mut self, set: AsciiSet) {
        self.group.items.push(set.to_hir());
    }

    fn literal(&mut self, character: char) {
        let code_point = u32::from(character);
        self.push(AsciiSet::of_code_points(code_point, code_point, self.flags.fold));
    }

    fn look(&mut self, bytes: usize, look: Look) {
        self.skip(bytes);
        self.group.items.push(Hir::look(look));
    }

    fn open_group(&mut self, flags: Flags) -> Parsed<()> {
        if self.outer.len() == MAX_NESTING {
            return Err("its groups are nested too deeply");
        }
        let group = Group { outer: self.flags, ..Group::default() };
        self.outer.push(std::mem::replace(&mut self.group, group));
        self.flags = flags;
        Ok(())
    }

    fn close_group(&mut self) -> Parsed<()> {
        let outer = self.outer.pop().ok_or(UNEXPECTED_PAREN)?;
        let group = std::mem::replace(&mut self.group, outer);
        self.flags = group.outer;
        self.group.items.push(group.end());
        Ok(())
    }

    /// A repetition applies to the last item of the branch, whatever flags were set since.
    fn repeat(&mut self, min: u32, max: Option<u32>, after_repetition: bool) -> Parsed<()> {
        let greedy = !self.skip_prefix("?");
        if after_repetition {
            return Err(BAD_REPEAT);
        }
        let item = self.group.items.pop().ok_or(NOTHING_TO_REPEAT)?;
        let repetition = Repetition { min, max, greedy, sub: Box::new(item) };
        self.group.items.push(Hir::repetition(repetition));
        Ok(())
    }

    /// `{n}`, `{n,}` or `{n,m}`; None, and nothing is read: it is none of them, the brace stands for itself.
    fn counts(&mut self) -> Parsed<Option<(u32, Option<u32>)>> {
        let Some((inside, after)) = self.rest[1..].split_once('}') else { return Ok(None) };
        let (min, max) = match inside.split_once(',') {
            None => (count(inside), Some(count(inside))),
            Some((min, "")) => (count(min), None),
            Some((min, max)) => (count(min), Some(count(max))),
        };
        let (Some(min), max) = (min, max) else { return Ok(None) };
        let max = match max {
            Some(None) => return Ok(None),
            Some(max) => max,
            None => None,
        };
        self.rest = after;
        if min > MAX_REPEAT || max.is_some_and(|max| max > MAX_REPEAT || max < min) {
            return Err(BAD_REPEAT_SIZE);
        }
        Ok(Some((min, max)))
    }

    /// What begins with `(?`: a named group, a group that captures nothing, flags.
    fn perl_group(&mut self) -> Parsed<()> {
        if self.skip_prefix("(?P<") || self.skip_prefix("(?<") {
            let (name, after) = self.rest.split_once('>').ok_or(BAD_NAME)?;
            if name.is_empty() || !name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()) {
                return Err(BAD_NAME);
            }
            self.rest = after;
            self.open_group(self.flags)?;
            if self.names.contains(&name) {
                return Err(DUPLICATE_NAME);
            }
            self.names.push(name);
            return Ok(());
        }
        self.skip(2);
        let mut flags = self.flags;
        let (mut on, mut switched) = (true, false);
        while let Some(next) = self.next() {
            match next {
                'i' => flags.fold = on,
                'm' => flags.lines = on,
                's' => flags.dot_newline = on,
                'U' => {}
                '-' if on => on = false,
                ':' | ')' if on || switched => {
                    if next == ':' {
                        return self.open_group(flags);
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => break,
            }
            switched = next != '-';
        }
        Err(BAD_PERL)
    }

    /// A backslash outside a class.
    fn escape(&mut self) -> Parsed<()> {
        let mut following = self.rest.chars();
        following.next();
        match following.next() {
            Some('A') => self.look(2, Look::Start),
            Some('z') => self.look(2, Look::End),
            Some('b') => self.look(2, Look::WordAscii),
            Some('B') => self.look(2, Look::WordAsciiNegate),
            Some('Q') => {
                self.skip(2);
                let (quoted, after) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
                self.rest = after;
                quoted.chars().for_each(|character| self.literal(character));
            }
            _ => {
                let set = match self.escaped_class()? {
                    Some(set) => set,
                    None => {
                        let code_point = self.escaped_character()?;
                        AsciiSet::of_code_points(code_point, code_point, self.flags.fold)
                    }
                };
                self.push(set);
            }
        }
        Ok(())
    }

    /// `\pN`, `\p{Greek}`, `\d` and their like, if that is what comes.
    fn escaped_class(&mut self) -> Parsed<Option<AsciiSet>> {
        let mut following = self.rest.chars();
        let (Some('\\'), Some(letter)) = (following.next(), following.next()) else { return Ok(None) };
        if letter == 'p' || letter == 'P' {
            self.skip(2);
            return self.unicode_class(letter == 'P').map(Some);
        }
        let set = ascii_set::perl_class(letter);
        if set.is_some() {
            self.skip(2);
        }
        Ok(set)
    }

    /// What follows `\p` or `\P`.
    fn unicode_class(&mut self, mut negated: bool) -> Parsed<AsciiSet> {
        let mut name = self.rest;
        if self.skip_prefix("{") {
            (name, self.rest) = self.rest.split_once('}').ok_or(BAD_RANGE)?;
        } else {
            let letter = self.next().ok_or(BAD_RANGE)?;
            name = &name[..letter.len_utf8()];
        }
        if let Some(positive) = name.strip_prefix('^') {
            name = positive;
            negated = !negated;
        }
        let set = match ascii_set::unicode_class(name) {
            Some(set) => set,
            None if unicode_names::is_known(name) => AsciiSet::EMPTY,
            None => return Err(BAD_RANGE),
        };
        // RE2/J folds categories by tables of its own. Of their ASCII part two have any, and that
        // of Ll is as odd as this.
        let set = match name {
            "Lu" if self.flags.fold => set.folded(),
            "Ll" if self.flags.fold => set.or(AsciiSet::of("KS")),
            _ => set,
        };
        Ok(if negated { set.complement() } else { set })
    }

    /// The code point of an escape that stands for one.
    fn escaped_character(&mut self) -> Parsed<u32> {
        self.skip(1);
        let next = self.next().ok_or(TRAILING_BACKSLASH)?;
        let octal = |character: Option<char>| character.and_then(|character| character.to_digit(8));
        Ok(match next {
            '0'..='7' => {
                let mut value = u32::from(next) - u32::from('0');
                if value > 0 && octal(self.peek()).is_none() {
                    return Err(BAD_ESCAPE);
                }
                for _ in 0..2 {
                    let Some(digit) = octal(self.peek()) else { break };
                    value = value * 8 + digit;
                    self.skip(1);
                }
                value
            }
            'x' => self.hexadecimal()?,
            'a' => 0x07,
            'f' => 0x0c,
            'n' => 0x0a,
            'r' => 0x0d,
            't' => 0x09,
            'v' => 0x0b,
            other if other.is_ascii_alphanumeric() => return Err(BAD_ESCAPE),
            other => u32::from(other),
        })
    }

    /// What follows `\x`.
    fn hexadecimal(&mut self) -> Parsed<u32> {
        let digit = |character: Option<char>| character.and_then(|character| character.to_digit(16)).ok_or(BAD_ESCAPE);
        if !self.skip_prefix("{") {
            let high = digit(self.next())?;
            return Ok(high * 16 + digit(self.next())?);
        }
        let mut value = digit(self.next())?;
        while !self.skip_prefix("}") {
            value = value * 16 + digit(self.next())?;
            if value > MAX_CODE_POINT {
                return Err(BAD_ESCAPE);
            }
        }
        Ok(value)
    }

    /// A class in brackets.
    fn class(&mut self) -> Parsed<AsciiSet> {
        self.skip(1);
        let negated = self.skip_prefix("^");
        let mut set = AsciiSet::EMPTY;
        let mut first = true;
        while first || !self.rest.starts_with(']') {
            first = false;
            let part = match self.named_class()? {
                Some(part) => part,
                None => match self.escaped_class()? {
                    Some(part) => part,
                    None => self.class_range()?,
                },
            };
            set = set.or(part);
        }
        self.skip(1);
        Ok(if negated { set.complement() } else { set })
    }

    /// `[:name:]`, if that is what comes.
    fn named_class(&mut self) -> Parsed<Option<AsciiSet>> {
        let Some((name, after)) = self.rest.strip_prefix("[:").and_then(|inside| inside.split_once(":]")) else {
            return Ok(None);
        };
        let positive = name.strip_prefix('^');
        let set = ascii_set::posix_class(positive.unwrap_or(name)).ok_or(BAD_RANGE)?;
        self.rest = after;
        let set = if self.flags.fold { set.folded() } else { set };
        Ok(Some(if positive.is_some() { set.complement() } else { set }))
    }

    /// One character of a class, or a range of them.
    fn class_range(&mut self) -> Parsed<AsciiSet> {
        let low = self.class_character()?;
        let mut high = low;
        if self.rest.starts_with('-') && !self.rest.starts_with("-]") {
            self.skip(1);
            high = self.class_character()?;
            if high < low {
                return Err(BAD_RANGE);
            }
        }
        Ok(AsciiSet::of_code_points(low, high, self.flags.fold))
    }

    fn class_character(&mut self) -> Parsed<u32> {
        match self.peek() {
            None => Err(MISSING_BRACKET),
            Some('\\') => self.escaped_character(),
            Some(other) => {
                self.skip(other.len_utf8());
                Ok(u32::from(other))
            }
        }
    }
}

/// A number of repetitions, too large ones saturated; None: none, or one with leading zeros.
fn count(digits: &str) -> Option<u32> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    Some(digits.parse().unwrap_or(u32::MAX))
}
