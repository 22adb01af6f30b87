//! Sets of ASCII characters: the part of a character class that can match in a topic name.

use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Hir};

/// Bit n: the character n is in the set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AsciiSet(u128);

/// The two characters beyond ASCII that are a letter of ASCII in another case.
const KELVIN_SIGN: u32 = 0x212a;
const LONG_S: u32 = 0x17f;

impl AsciiSet {
    pub const EMPTY: AsciiSet = AsciiSet(0);
    pub const ALL: AsciiSet = AsciiSet(!0);

    pub const fn of(characters: &str) -> AsciiSet {
        let (bytes, mut bits, mut at) = (characters.as_bytes(), 0, 0);
        while at < bytes.len() {
            bits |= 1 << bytes[at];
            at += 1;
        }
        AsciiSet(bits)
    }

    pub const fn range(low: u8, high: u8) -> AsciiSet {
        let (mut bits, mut at) = (0, low);
        while at <= high {
            bits |= 1 << at;
            at += 1;
        }
        AsciiSet(bits)
    }

    pub const fn or(self, other: AsciiSet) -> AsciiSet {
        AsciiSet(self.0 | other.0)
    }

    pub const fn complement(self) -> AsciiSet {
        AsciiSet(!self.0)
    }

    /// What a range of code points has in ASCII; `fold`: in either case.
    pub fn of_code_points(low: u32, high: u32, fold: bool) -> AsciiSet {
        let mut set = AsciiSet::EMPTY;
        if low < 128 {
            set = AsciiSet::range(low as u8, high.min(127) as u8);
        }
        if fold {
            let holds = |code_point| low <= code_point && code_point <= high;
            if holds(KELVIN_SIGN) {
                set = set.or(AsciiSet::of("k"));
            }
            if holds(LONG_S) {
                set = set.or(AsciiSet::of("s"));
            }
            set = set.folded();
        }
        set
    }

    /// With the other case of every letter.
    pub fn folded(self) -> AsciiSet {
        let upper = self.0 & UPPER.0;
        let lower = self.0 & LOWER.0;
        AsciiSet(self.0 | upper << 32 | lower >> 32)
    }

    pub fn to_hir(self) -> Hir {
        if self.0.count_ones() == 1 {
            return Hir::literal([self.0.trailing_zeros() as u8]);
        }
        let mut ranges = Vec::new();
        let mut rest = self.0;
        while rest != 0 {
            let low = rest.trailing_zeros();
            let length = (rest >> low).trailing_ones();
            ranges.push(ClassBytesRange::new(low as u8, (low + length - 1) as u8));
            rest &= u128::MAX.checked_shl(low + length).unwrap_or(0);
        }
        Hir::class(Class::Bytes(ClassBytes::new(ranges)))
    }
}

const UPPER: AsciiSet = AsciiSet::range(b'A', b'Z');
const LOWER: AsciiSet = AsciiSet::range(b'a', b'z');
const DIGIT: AsciiSet = AsciiSet::range(b'0', b'9');
const ALPHA: AsciiSet = UPPER.or(LOWER);
const ALNUM: AsciiSet = ALPHA.or(DIGIT);
const WORD: AsciiSet = ALNUM.or(AsciiSet::of("_"));
const CONTROL: AsciiSet = AsciiSet::range(0, 0x1f).or(AsciiSet::of("\x7f"));
const PUNCTUATION: AsciiSet = AsciiSet::of("!\"#%&'()*,-./:;?@[\\]_{}");
const SYMBOL: AsciiSet = AsciiSet::of("$+<=>^`|~");

/// The class of a Perl escape, by its letter.
pub fn perl_class(letter: char) -> Option<AsciiSet> {
    let set = match letter.to_ascii_lowercase() {
        'd' => DIGIT,
        's' => AsciiSet::of("\t\n\x0c\r "),
        'w' => WORD,
        _ => return None,
    };
    Some(if letter.is_ascii_uppercase() { set.complement() } else { set })
}

/// The class of a POSIX name, what stands between `[:` and `:]`, without a leading `^`.
pub fn posix_class(name: &str) -> Option<AsciiSet> {
    Some(match name {
        "alnum" => ALNUM,
        "alpha" => ALPHA,
        "ascii" => AsciiSet::ALL,
        "blank" => AsciiSet::of("\t "),
        "cntrl" => CONTROL,
        "digit" => DIGIT,
        "graph" => AsciiSet::range(b'!', b'~'),
        "lower" => LOWER,
        "print" => AsciiSet::range(b' ', b'~'),
        "punct" => PUNCTUATION.or(SYMBOL),
        "space" => AsciiSet::range(b'\t', b'\r').or(AsciiSet::of(" ")),
        "upper" => UPPER,
        "word" => WORD,
        "xdigit" => DIGIT.or(AsciiSet::of("abcdefABCDEF")),
        _ => return None,
    })
}

/// The ASCII part of a Unicode category or script; None: it has none.
pub fn unicode_class(name: &str) -> Option<AsciiSet> {
    Some(match name {
        "Any" => AsciiSet::ALL,
        "C" | "Cc" => CONTROL,
        "L" | "Latin" => ALPHA,
        "Ll" => LOWER,
        "Lu" => UPPER,
        "N" | "Nd" => DIGIT,
        "P" => PUNCTUATION,
        "Pc" => AsciiSet::of("_"),
        "Pd" => AsciiSet::of("-"),
        "Pe" => AsciiSet::of(")]}"),
        "Po" => AsciiSet::of("!\"#%&'*,./:;?@\\"),
        "Ps" => AsciiSet::of("([{"),
        "S" => SYMBOL,
        "Sc" => AsciiSet::of("$"),
        "Sk" => AsciiSet::of("^`"),
        "Sm" => AsciiSet::of("+<=>|~"),
        "Z" | "Zs" => AsciiSet::of(" "),
        "Common" => ALPHA.complement(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_category_make_up_the_whole() {
        let parts =
            |names: &[&str]| names.iter().fold(AsciiSet::EMPTY, |set, name| set.or(unicode_class(name).unwrap()));
        assert_eq!(parts(&["Lu", "Ll"]), unicode_class("L").unwrap());
        assert_eq!(parts(&["Pc", "Pd", "Pe", "Po", "Ps"]), unicode_class("P").unwrap());
        assert_eq!(parts(&["Sc", "Sk", "Sm"]), unicode_class("S").unwrap());
        assert_eq!(parts(&["C", "L", "N", "P", "S", "Z"]), AsciiSet::ALL);
        assert_eq!(parts(&["Latin", "Common"]), AsciiSet::ALL);
    }

    #[test]
    fn a_range_that_reaches_the_kelvin_sign_folds_to_k() {
        assert_eq!(AsciiSet::of_code_points(KELVIN_SIGN, KELVIN_SIGN, true), AsciiSet::of("kK"));
        assert_eq!(AsciiSet::of_code_points(KELVIN_SIGN, KELVIN_SIGN, false), AsciiSet::EMPTY);
        assert_eq!(AsciiSet::of_code_points(0x100, 0x10_ffff, true), AsciiSet::of("kKsS"));
        assert_eq!(AsciiSet::of_code_points(0x61, 0x7a, true), ALPHA);
    }
}
