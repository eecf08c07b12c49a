//! Texts on one line: a room's name and its topic.

use unicode_normalization::UnicodeNormalization;

use super::TextReason;
use super::characters::{check_length, check_line, is_visible, one_line};
use crate::limits;

text_type!(
    /// A room's name: NFC, 1 to 60 characters on one line. It may hold emoji, and nothing else that
    /// is invisible or turns the direction of text.
    RoomName
);
text_type!(
    /// A room's topic: NFC, up to 200 characters on one line, otherwise as a room's name. Empty is
    /// allowed.
    Topic
);

impl RoomName {
    /// Parses a room's name.
    ///
    /// # Errors
    /// The [`TextReason`] for which the name is refused.
    pub fn parse(text: &str) -> Result<Self, TextReason> {
        let name = one_line(&text.nfc().collect::<String>());
        if name.is_empty() {
            return Err(TextReason::Empty);
        }
        check_line(&name)?;
        if !name.chars().any(is_visible) {
            return Err(TextReason::Empty);
        }
        check_length(&name, 1, limits::ROOM_NAME_CHARS)?;
        Ok(Self(name))
    }
}

impl Topic {
    /// Parses a room's topic.
    ///
    /// # Errors
    /// The [`TextReason`] for which the topic is refused.
    pub fn parse(text: &str) -> Result<Self, TextReason> {
        let topic = one_line(&text.nfc().collect::<String>());
        check_line(&topic)?;
        check_length(&topic, 0, limits::TOPIC_CHARS)?;
        Ok(Self(topic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Result<String, TextReason> {
        RoomName::parse(text).map(String::from)
    }

    #[test]
    fn a_room_name_has_1_to_60_characters() {
        assert_eq!(name(""), Err(TextReason::Empty));
        assert_eq!(name(" \u{3000}\n"), Err(TextReason::Empty));
        assert_eq!(name("방"), Ok("방".to_owned()));
        let longest = "가".repeat(60);
        assert_eq!(name(&longest), Ok(longest.clone()));
        assert_eq!(name(&(longest + "가")), Err(TextReason::TooLong));
    }

    #[test]
    fn a_topic_has_0_to_200_characters() {
        assert_eq!(Topic::parse("").unwrap().as_str(), "");
        assert_eq!(Topic::parse("  ").unwrap().as_str(), "");
        let longest = "é".repeat(200);
        assert_eq!(Topic::parse(&longest).unwrap().as_str(), longest);
        assert_eq!(Topic::parse(&(longest + "e")), Err(TextReason::TooLong));
    }

    #[test]
    fn white_space_and_line_breaks_become_single_spaces() {
        assert_eq!(name("  우리\n\t가족  "), Ok("우리 가족".to_owned()));
        assert_eq!(Topic::parse("a\r\nb").unwrap().as_str(), "a b");
    }

    #[test]
    fn emoji_sequences_stay_whole_in_names_and_topics() {
        for text in [
            "👨\u{200d}👩\u{200d}👧 가족",
            "❤\u{fe0f} 팬클럽",
            "🇰🇷 👍🏽",
            "🏳\u{fe0f}\u{200d}🌈",
        ] {
            assert_eq!(name(text), Ok(text.to_owned()), "{text:?}");
            assert_eq!(Topic::parse(text).unwrap().as_str(), text, "{text:?}");
        }
    }

    #[test]
    fn what_is_invisible_or_turns_text_around_is_refused() {
        for bad in [
            "a\u{202e}b",
            "a\u{2066}b",
            "a\u{200b}b",
            "a\u{200d}b",
            "a\0b",
            "a\u{7f}b",
            "\u{3164}",
            "1\u{fe0f}",
            "\u{e000}",
            "\u{2028}a\u{85}\u{feff}",
            "가\u{1160}",
            "\u{301}a",
        ] {
            assert_eq!(name(bad), Err(TextReason::ForbiddenCharacter), "{bad:?}");
            assert_eq!(
                Topic::parse(bad),
                Err(TextReason::ForbiddenCharacter),
                "{bad:?}"
            );
        }
    }
}
