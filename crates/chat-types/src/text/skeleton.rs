//! What a name looks like.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};
use unicode_security::confusable_detection::skeleton;

text_type!(
    /// What a name looks like: two names with equal skeletons can be taken for each other.
    ///
    /// It is the skeleton of UTS #39, section 4, without case, white space, punctuation and accents,
    /// and with the look-alikes that its table leaves out because it compares letters one size at a
    /// time. It is a key for comparison; nobody is shown it.
    Skeleton
);

/// Small letters that pass for others in a name and are not in Unicode's table: small capitals, and
/// Cyrillic and Greek letters that look like a capital made small. The first of a row is what they become.
const LOOK_ALIKES: [&str; 26] = [
    "aᴀ",
    "bʙв",
    "c",
    "dᴅ",
    "eᴇε",
    "fꜰ",
    "gɢ",
    "hʜн",
    "iɪ",
    "jᴊ",
    "kᴋкκ",
    "lʟ",
    "mᴍм",
    "nɴηп",
    "oᴏ",
    "pᴘ",
    "qǫ",
    "rʀя",
    "sꜱ",
    "tᴛтτ",
    "uᴜμ",
    "vᴠ",
    "wᴡωшщ",
    "xχ",
    "yʏ",
    "zᴢ",
];

impl Skeleton {
    /// The skeleton of any text.
    pub fn of(text: &str) -> Self {
        let letters: String = text.nfkd().map(plain_letter).collect();
        let lower: String = shape(&letters).flat_map(char::to_lowercase).collect();
        let letters: String = lower.chars().map(plain_letter).collect();
        let look: String = shape(&letters).map(without_dot).collect();
        let words: String = look.chars().filter(|c| is_of_a_word(*c)).collect();
        // A name of nothing but symbols looks like itself.
        Self(if words.is_empty() {
            look.split_whitespace().collect()
        } else {
            words
        })
    }
}

/// UTS #39's skeleton, without accents.
fn shape(text: &str) -> impl Iterator<Item = char> {
    skeleton(text).filter(|c| !is_accent(*c))
}

/// An `i` next to an `l`, a `1` or a capital `I`, all of which the table makes an `l`.
fn without_dot(c: char) -> char {
    if c == 'i' { 'l' } else { c }
}

fn plain_letter(c: char) -> char {
    // Most names are of these, and none of them passes for another one.
    if matches!(c, '\0'..='\x7f' | '\u{1100}'..='\u{11ff}') {
        return c;
    }
    let in_shape = match c {
        '\u{1f150}'..='\u{1f169}' => Some(u32::from(c) - 0x1f150), // white on a black disc
        '\u{1f170}'..='\u{1f189}' => Some(u32::from(c) - 0x1f170), // white on a black square
        '\u{1f1e6}'..='\u{1f1ff}' => Some(u32::from(c) - 0x1f1e6), // the letters of flags
        _ => None,
    };
    if let Some(letter) = in_shape {
        return char::from_u32(u32::from('a') + letter).unwrap_or(c);
    }
    LOOK_ALIKES
        .iter()
        .find(|row| row.chars().skip(1).any(|other| other == c))
        .and_then(|row| row.chars().next())
        .unwrap_or(c)
}

fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || c.general_category_group() == GeneralCategoryGroup::Mark
}

/// Marks that go with any letter. The signs of Indic, Thai or Japanese writing are not among them:
/// they make another letter.
fn is_accent(c: char) -> bool {
    matches!(
        c,
        '\u{300}'..='\u{36f}'
            | '\u{1ab0}'..='\u{1aff}'
            | '\u{1dc0}'..='\u{1dff}'
            | '\u{20d0}'..='\u{20ff}'
            | '\u{fe00}'..='\u{fe0f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_can_be_taken_for_each_other_have_equal_skeletons() {
        for (name, other) in [
            ("mina", "MINA"),
            ("mina", "mіnа"),
            ("mina", "Mína"),
            ("mina", "m i n a"),
            ("mina", "-mina-"),
            ("mina", "mlna"),
            ("mina", "rnina"),
            ("mina", "ｍｉｎａ"),
            ("mina", "𝓶𝓲𝓷𝓪"),
            ("mina", "ᴍɪɴᴀ"),
            ("mina", "🅜🅘🅝🅐"),
            ("mina", "ΜΙΝΑ"),
            ("Bill", "BiII"),
            ("paypal", "раураl"),
            ("bob0", "bobo"),
            ("김민지", "김 민지"),
            ("김민지", "\u{1100}\u{1175}\u{11b7}민지"),
            ("カナ", "ｶﾅ"),
        ] {
            assert_eq!(Skeleton::of(name), Skeleton::of(other), "{name} {other}");
        }
    }

    #[test]
    fn names_that_look_different_have_different_skeletons() {
        let names = [
            "mina",
            "mino",
            "nima",
            "김민지",
            "김민자",
            "かき",
            "かぎ",
            "はな",
            "ばな",
            "Анна",
            "Инна",
            "山田",
            "山口",
            "mina2",
            "mina3",
            "^^",
            "★★",
            "🐱🐱",
            "กา",
            "ก่า",
        ];
        for (index, name) in names.iter().enumerate() {
            for other in &names[..index] {
                assert_ne!(Skeleton::of(name), Skeleton::of(other), "{name} {other}");
            }
        }
    }
}
