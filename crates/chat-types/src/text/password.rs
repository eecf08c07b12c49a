//! Passwords.

use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;

use super::TextReason;
use super::characters::check_length;
use crate::limits;

/// A password as typed, after NFC, so that it does not depend on the keyboard. It has no `Debug`
/// and no `Display`.
#[derive(Clone)]
pub struct Password(String);

/// Words and beginnings that attackers try first, one a line.
static COMMON: LazyLock<Vec<Vec<char>>> = LazyLock::new(|| {
    let words = include_str!("common_passwords.txt").lines();
    words.map(|word| word.chars().collect()).collect()
});

/// Ways over a keyboard or an alphabet. A piece of one, in either direction, is one guess.
static SEQUENCES: LazyLock<Vec<Vec<char>>> = LazyLock::new(|| {
    let ways = [
        "abcdefghijklmnopqrstuvwxyz",
        "01234567890",
        "0011223344556677889900",
        "qwertyuiop[]",
        "asdfghjkl;'",
        "zxcvbnm,./",
        "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p",
        "qazwsxedcrfvtgbyhnujmikolp",
        "1q2w3e4r5t6y7u8i9o0p",
        "q1w2e3r4t5y6u7i8o9p0",
        "!@#$%^&*()_+",
        "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔㅁㄴㅇㄹㅎㅗㅓㅏㅣㅋㅌㅊㅍㅠㅜㅡ",
        "가나다라마바사아자차카타파하",
    ];
    ways.iter()
        .flat_map(|way| [way.chars().collect(), way.chars().rev().collect()])
        .collect()
});

/// A password of fewer parts is guessable. A part is a common word, a year, a piece of a sequence,
/// a repetition, or else one character.
const LEAST_PARTS: usize = 6;
const LEAST_RUN: usize = 3;

impl Password {
    /// Parses a new password (NIST SP 800-63B-4, section 3.1.1: length and a block list, no rules
    /// of composition).
    ///
    /// # Errors
    /// The [`TextReason`] for which the password is refused.
    pub fn parse(text: &str) -> Result<Self, TextReason> {
        Self::parse_for(text, "")
    }

    /// Parses a new password of the account with this name, which it must not be made from.
    ///
    /// # Errors
    /// The [`TextReason`] for which the password is refused.
    pub fn parse_for(text: &str, username: &str) -> Result<Self, TextReason> {
        let password = Self::parse_attempt(text)?;
        check_length(
            &password.0,
            limits::PASSWORD_MIN_CHARS,
            limits::PASSWORD_MAX_CHARS,
        )?;
        if parts(&password.0, username) < LEAST_PARTS {
            return Err(TextReason::Guessable);
        }
        Ok(password)
    }

    /// Parses a password that somebody signs in with. Rules for new passwords may have become
    /// stricter since it was set, so only what cannot be one at all is refused.
    ///
    /// # Errors
    /// [`TextReason::TooLong`], so that nobody makes the server hash a book.
    pub fn parse_attempt(text: &str) -> Result<Self, TextReason> {
        let password: String = text.nfc().collect();
        check_length(&password, 0, limits::PASSWORD_MAX_CHARS)?;
        Ok(Self(password))
    }

    /// The password, for the hash function only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// In how many parts a guesser who knows the usual ways would say the password.
fn parts(password: &str, username: &str) -> usize {
    let typed: Vec<char> = password.chars().flat_map(char::to_lowercase).collect();
    let read: Vec<char> = typed.iter().map(|c| as_letter(*c)).collect();
    let own: Vec<char> = username.chars().flat_map(char::to_lowercase).collect();
    let mut count = 0;
    let mut at = 0;
    while at < typed.len() {
        let word = word_at(&typed[at..], &own).max(word_at(&read[at..], &own));
        let run = sequence_at(&typed[at..]).max(repetition_at(&typed, at));
        at += word.max(run).max(year_at(&typed[at..])).max(1);
        count += 1;
    }
    count
}

/// How long a common word, or the user's own name, is at the beginning of the text.
fn word_at(text: &[char], own: &[char]) -> usize {
    let words = COMMON.iter().map(Vec::as_slice).chain([own]);
    let begins = |word: &&[char]| word.len() >= LEAST_RUN && text.starts_with(word);
    words.filter(begins).map(<[char]>::len).max().unwrap_or(0)
}

/// How long a piece of a sequence is at the beginning of the text.
fn sequence_at(text: &[char]) -> usize {
    let pieces = SEQUENCES
        .iter()
        .flat_map(|way| (0..way.len()).map(move |from| &way[from..]));
    run(pieces.map(|piece| common_length(text, piece)))
}

/// How much of the text at `at` is a repetition of what came before.
fn repetition_at(text: &[char], at: usize) -> usize {
    run((0..at).map(|from| common_length(&text[at..], &text[from..])))
}

/// The greatest length, if it is long enough to be no accident.
fn run(lengths: impl Iterator<Item = usize>) -> usize {
    lengths
        .filter(|length| *length >= LEAST_RUN)
        .max()
        .unwrap_or(0)
}

/// Four digits of a year between 1900 and 2099.
fn year_at(text: &[char]) -> usize {
    match text {
        ['1', '9', c, d, ..] | ['2', '0', c, d, ..] if c.is_ascii_digit() && d.is_ascii_digit() => {
            4
        }
        _ => 0,
    }
}

fn common_length(text: &[char], other: &[char]) -> usize {
    text.iter().zip(other).take_while(|(a, b)| a == b).count()
}

fn as_letter(c: char) -> char {
    match c {
        '@' | '4' => 'a',
        '3' => 'e',
        '1' | '!' => 'i',
        '0' => 'o',
        '$' | '5' => 's',
        '7' => 't',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Option<TextReason> {
        Password::parse(text).err()
    }

    #[test]
    fn a_password_has_15_to_256_characters() {
        let text: String = "열네 글자 + kwzbrtma vdqs"
            .repeat(20)
            .chars()
            .take(257)
            .collect();
        let first = |count| text.chars().take(count).collect::<String>();
        assert_eq!(refusal(""), Some(TextReason::TooShort));
        assert_eq!(refusal(&first(14)), Some(TextReason::TooShort));
        assert_eq!(refusal(&first(15)), None);
        assert_eq!(refusal(&first(256)), None);
        assert_eq!(refusal(&text), Some(TextReason::TooLong));
    }

    #[test]
    fn the_same_password_from_any_keyboard_is_the_same_text() {
        let composed =
            Password::parse("비밀 번호는 긴 것이 좋다 é").unwrap_or_else(|e| panic!("{e}"));
        let decomposed: String = "비밀 번호는 긴 것이 좋다 é".nfd().collect();
        let decomposed = Password::parse(&decomposed).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(composed.reveal(), decomposed.reveal());
    }

    #[test]
    fn white_space_and_case_of_a_password_stay() {
        let text = " Kj3 vWq-zPx7 Lmn ";
        assert_eq!(
            Password::parse(text)
                .unwrap_or_else(|e| panic!("{e}"))
                .reveal(),
            text
        );
    }

    #[test]
    fn passwords_that_attackers_try_first_are_refused() {
        for common in [
            "passwordpassword",
            "Password12345678",
            "P@ssw0rd12345678",
            "passwordpassword1",
            "123456789012345",
            "1234567890123456789",
            "987654321098765",
            "aaaaaaaaaaaaaaa",
            "abababababababab",
            "abcabcabcabcabc",
            "qwertyuiopasdfghjkl",
            "qwertyuiop12345",
            "1q2w3e4r5t6y7u8i",
            "1qaz2wsx3edc4rfv",
            "zxcvbnmasdfghjkl",
            "iloveyouiloveyou",
            "iloveyou12345678",
            "letmeinletmein1",
            "correcthorsebatterystaple",
            "administrator123",
            "sarangbang123456",
            "welcome2sarangbang",
            "summer2024winter",
            "abcdefghijklmnop",
            "monkeydragonmaster",
            "qwertyqwertyqwerty",
            "111111111122222222",
            "사랑해사랑해사랑해사랑해사랑해",
            "비밀번호비밀번호1234567",
            "dkssudgktpdy12345",
            "xk9xk9xk9xk9xk9",
            "               ",
            "poiuytrewqlkjhgfdsa",
            "!@#$%^&*()12345",
            "11223344556677889900",
            "princess123456789",
            "football20242025",
            "changemechangeme",
        ] {
            assert_eq!(refusal(common), Some(TextReason::Guessable), "{common}");
        }
    }

    #[test]
    fn long_sentences_and_random_passwords_are_accepted() {
        for good in [
            "four purple tractors sing",
            "오늘 점심은 김치찌개 두 그릇",
            "kJ8-vQ2-xR5-mT9",
            "tJ4vQk2LxR9mWz7",
            "my cat Nabi hates Mondays",
            "사월에 심은 감자를 칠월에 캔다",
            "東京タワーから見た夜景は綺麗だ",
            "password is not my password, dear",
        ] {
            assert_eq!(refusal(good), None, "{good}");
        }
    }

    #[test]
    fn a_password_made_from_the_own_name_is_refused() {
        let text = "sonnenblumchen99";
        assert_eq!(refusal(text), None);
        for (text, name) in [
            (text, "sonnenblumchen"),
            ("Sonnenblumchen-99", "sonnenblumchen"),
            ("xyloquartz1xyloquartz", "xyloquartz"),
        ] {
            assert_eq!(
                Password::parse_for(text, name).err(),
                Some(TextReason::Guessable),
                "{text}"
            );
        }
        assert!(Password::parse_for("kJ8-vQ2-xR5-mT9", "mina").is_ok());
    }

    #[test]
    fn an_attempt_to_sign_in_is_only_refused_for_its_length() {
        assert!(Password::parse_attempt("").is_ok());
        assert!(Password::parse_attempt("password").is_ok());
        assert!(Password::parse_attempt(&"a".repeat(256)).is_ok());
        assert_eq!(
            Password::parse_attempt(&"a".repeat(257)).err(),
            Some(TextReason::TooLong)
        );
    }
}
