//! The names of Unicode categories and scripts that RE2/J knows and that hold no ASCII character. A name beyond these
//! and those of `ascii_set::unicode_class` makes a pattern invalid.

/// Sorted.
#[rustfmt::skip]
const NAMES: [&str; 111] = [
    "Arabic", "Armenian", "Avestan", "Balinese", "Bamum", "Batak", "Bengali", "Bopomofo", "Brahmi", "Braille",
    "Buginese", "Buhid", "Canadian_Aboriginal", "Carian", "Cf", "Cham", "Cherokee", "Co", "Coptic", "Cs", "Cuneiform",
    "Cypriot", "Cyrillic", "Deseret", "Devanagari", "Egyptian_Hieroglyphs", "Ethiopic", "Georgian", "Glagolitic",
    "Gothic", "Greek", "Gujarati", "Gurmukhi", "Han", "Hangul", "Hanunoo", "Hebrew", "Hiragana", "Imperial_Aramaic",
    "Inherited", "Inscriptional_Pahlavi", "Inscriptional_Parthian", "Javanese", "Kaithi", "Kannada", "Katakana",
    "Kayah_Li", "Kharoshthi", "Khmer", "Lao", "Lepcha", "Limbu", "Linear_B", "Lisu", "Lm", "Lo", "Lt", "Lycian",
    "Lydian", "M", "Malayalam", "Mandaic", "Mc", "Me", "Meetei_Mayek", "Mn", "Mongolian", "Myanmar", "New_Tai_Lue",
    "Nko", "Nl", "No", "Ogham", "Ol_Chiki", "Old_Italic", "Old_Persian", "Old_South_Arabian", "Old_Turkic", "Oriya",
    "Osmanya", "Pf", "Phags_Pa", "Phoenician", "Pi", "Rejang", "Runic", "Samaritan", "Saurashtra", "Shavian",
    "Sinhala", "So", "Sundanese", "Syloti_Nagri", "Syriac", "Tagalog", "Tagbanwa", "Tai_Le", "Tai_Tham", "Tai_Viet",
    "Tamil", "Telugu", "Thaana", "Thai", "Tibetan", "Tifinagh", "Ugaritic", "Unknown", "Vai", "Yi", "Zl", "Zp",
];

pub fn is_known(name: &str) -> bool {
    NAMES.binary_search(&name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_sorted() {
        assert!(NAMES.is_sorted());
        assert!(is_known("Greek") && !is_known("Klingon"));
    }
}
