//! Names of people: the one they show and the one they sign in with.

use unicode_normalization::UnicodeNormalization;

use super::characters::{check_length, check_name, is_visible, one_line};
use super::reserved::is_reserved;
use super::{Skeleton, TextReason};
use crate::limits;

text_type!(
    /// The name a user shows: 2 to 15 characters, inner white space collapsed, NFKC except that
    /// single Hangul letters stay as typed: NFKC would make "ㅇㅇ" conjoining letters, which no
    /// keyboard types and few fonts draw well.
    Nickname
);
text_type!(
    /// The name an account signs in with: 3 to 30 of `a-z`, `0-9`, `_`, `.` and `-`, made lower
    /// case, beginning with a letter or digit.
    Username
);

impl Nickname {
    /// Parses what a visitor typed.
    ///
    /// # Errors
    /// The [`TextReason`] for which the name is refused.
    pub fn parse(text: &str) -> Result<Self, TextReason> {
        let name = one_line(&compatible(text));
        if name.is_empty() {
            return Err(TextReason::Empty);
        }
        check_name(&name)?;
        if !name.chars().any(is_visible) {
            return Err(TextReason::Empty);
        }
        check_length(
            &name,
            limits::NICKNAME_MIN_CHARS,
            limits::NICKNAME_MAX_CHARS,
        )?;
        if is_reserved(&name) {
            return Err(TextReason::Reserved);
        }
        Ok(Self(name))
    }

    /// What this name looks like, to find names that can be taken for it.
    pub fn skeleton(&self) -> Skeleton {
        Skeleton::of(&self.0)
    }
}

/// NFKC that leaves single Hangul letters (U+3131 to U+3163) alone. They neither compose nor
/// decompose canonically, so the result is stable under a second pass.
fn compatible(text: &str) -> String {
    let mut name = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(is_hangul_letter) {
        let (before, after) = rest.split_at(at);
        name.extend(before.nfkc());
        let letters = after.len() - after.trim_start_matches(is_hangul_letter).len();
        name.push_str(&after[..letters]);
        rest = &after[letters..];
    }
    name.extend(rest.nfkc());
    name
}

fn is_hangul_letter(c: char) -> bool {
    ('\u{3131}'..='\u{3163}').contains(&c)
}

impl Username {
    /// Parses a sign-in name.
    ///
    /// # Errors
    /// The [`TextReason`] for which the name is refused.
    pub fn parse(text: &str) -> Result<Self, TextReason> {
        let name = text.trim().to_ascii_lowercase();
        if name.is_empty() {
            return Err(TextReason::Empty);
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
        if !name.chars().all(allowed) || name.starts_with(['_', '.', '-']) {
            return Err(TextReason::ForbiddenCharacter);
        }
        check_length(
            &name,
            limits::USERNAME_MIN_CHARS,
            limits::USERNAME_MAX_CHARS,
        )?;
        if is_reserved(&name) {
            return Err(TextReason::Reserved);
        }
        Ok(Self(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nickname(text: &str) -> Result<String, TextReason> {
        Nickname::parse(text).map(String::from)
    }

    #[test]
    fn a_nickname_has_2_to_15_characters_after_normalisation() {
        assert_eq!(nickname(""), Err(TextReason::Empty));
        assert_eq!(nickname("   "), Err(TextReason::Empty));
        assert_eq!(nickname("a"), Err(TextReason::TooShort));
        assert_eq!(nickname(" 김 "), Err(TextReason::TooShort));
        assert_eq!(nickname("김지"), Ok("김지".to_owned()));
        let longest = "가나다라마바사아자차카타파하고";
        assert_eq!(nickname(longest), Ok(longest.to_owned()));
        assert_eq!(nickname(&format!("{longest}도")), Err(TextReason::TooLong));
        // The ligature is one character as typed and two as kept.
        assert_eq!(nickname("ﬁ"), Ok("fi".to_owned()));
        assert_eq!(nickname(&"ﬁ".repeat(8)), Err(TextReason::TooLong));
    }

    #[test]
    fn ordinary_names_of_many_languages_are_kept_as_typed() {
        for name in [
            "민지",
            "김 민지",
            "지나가던 나그네",
            "ㅇㅇ",
            "ㅋㅋㅋ",
            "ㅎㅏㅎㅏ",
            "별님이12",
            "관우",
            "리자몽",
            "공지영",
            "책방장수",
            "멤버십",
            "게스트하우스",
            "공식이",
            "꽃님",
            "하늘다람쥐",
            "もも",
            "さくら",
            "山田太郎",
            "カナリア",
            "がぎぐ",
            "王小明",
            "Mina",
            "Zoë",
            "José",
            "Łukasz",
            "O'Brien",
            "Jean-Luc",
            "Анна",
            "Ελένη",
            "Nguyễn",
            "สมชาย",
            "अनिता",
            "محمد",
            "משה",
            "Padmini",
            "badminton",
            "modest",
            "Staffan",
            "rooted",
            "Systemic",
            "mina_77",
            "ghost.42",
            "^^",
            "!!?",
            "007",
            "미나🐱",
            "Mina❤\u{fe0f}",
        ] {
            assert_eq!(nickname(name), Ok(name.to_owned()), "{name}");
        }
    }

    #[test]
    fn white_space_of_every_kind_collapses_to_single_spaces() {
        assert_eq!(
            nickname(" 김\t \u{a0}\u{3000}민지\n"),
            Ok("김 민지".to_owned())
        );
    }

    #[test]
    fn decomposed_hangul_and_wide_letters_are_normalised() {
        let decomposed = "\u{1100}\u{1175}\u{11b7}\u{1106}\u{1175}\u{11ab}\u{110c}\u{1175}";
        assert_eq!(nickname(decomposed), Ok("김민지".to_owned()));
        assert_eq!(nickname("Ｍｉｎａ①"), Ok("Mina1".to_owned()));
        assert_eq!(nickname("ｶﾅﾘｱ"), Ok("カナリア".to_owned()));
        assert_eq!(nickname("e\u{301}va"), Ok("\u{e9}va".to_owned()));
    }

    #[test]
    fn invisible_and_direction_changing_characters_are_refused() {
        for bad in [
            "mi\u{202e}na",
            "mi\u{2066}na",
            "\u{200e}mina",
            "mi\u{200b}na",
            "mi\u{200d}na",
            "mi\u{ad}na",
            "mina\u{feff}",
            "mi\0na",
            "mi\u{1b}na",
            "mi\u{9f}na",
            "mi\u{e000}na",
            "mi\u{378}na",
            "mi\u{ffff}na",
            "mi\u{e0041}na",
            "\u{115f}\u{1160}",
            "\u{3164}\u{3164}",
            "민\u{3164}지",
            "\u{ffa0}\u{ffa0}",
            "\u{2800}\u{2800}",
            "mi\u{34f}na",
            "mi\u{fe0f}na",
            "mi\u{180e}na",
            "mi\u{e0100}na",
            "👩\u{200d}💻 개발자",
            "\u{301}mina",
            "mi \u{301}na",
        ] {
            assert_eq!(
                nickname(bad),
                Err(TextReason::ForbiddenCharacter),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_letter_carries_at_most_two_marks() {
        assert_eq!(
            nickname("mi\u{301}\u{323}na"),
            Ok("m\u{1ecb}\u{301}na".to_owned())
        );
        assert_eq!(
            nickname("mi\u{301}\u{323}\u{330}na"),
            Err(TextReason::TooManyMarks)
        );
        assert_eq!(
            nickname("Z\u{351}\u{36b}\u{343}\u{36a}algo"),
            Err(TextReason::TooManyMarks)
        );
    }

    #[test]
    fn a_username_has_3_to_30_plain_characters_in_lower_case() {
        let username = |text: &str| Username::parse(text).map(String::from);
        assert_eq!(username(""), Err(TextReason::Empty));
        assert_eq!(username("ab"), Err(TextReason::TooShort));
        assert_eq!(username(" Mina.K-2_ "), Ok("mina.k-2_".to_owned()));
        let longest = "a".repeat(30);
        assert_eq!(username(&longest), Ok(longest.clone()));
        assert_eq!(username(&(longest + "a")), Err(TextReason::TooLong));
        for bad in [
            "_mina",
            ".mina",
            "-mina",
            "mi na",
            "mina@home",
            "민지민",
            "mına",
            "mina\0",
            "mi\u{200b}na",
        ] {
            assert_eq!(
                username(bad),
                Err(TextReason::ForbiddenCharacter),
                "{bad:?}"
            );
        }
        for reserved in [
            "admin",
            "ADMIN",
            "adm1n",
            "a.d.m.i.n",
            "root",
            "sarangbang_team",
            "admin77",
        ] {
            assert_eq!(username(reserved), Err(TextReason::Reserved), "{reserved}");
        }
    }
}
