//! Text that people type, parsed once at the server's edge into types that carry their promise.
//!
//! On the wire these are plain strings, so a reader never fails on text that a newer version allows;
//! requests are parsed here and refused with a [`TextReason`]. The tables of Unicode stay out of the
//! browser: everything but the reasons is behind the feature `text`.

use serde::{Deserialize, Serialize};

/// Why a text was refused. The word on the wire is the `reason` of a problem or socket error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TextReason {
    /// Nothing but white space.
    #[error("it is empty")]
    Empty,
    /// Fewer characters than the least.
    #[error("it is too short")]
    TooShort,
    /// More characters than the most.
    #[error("it is too long")]
    TooLong,
    /// A control, format, private-use or unassigned character, or a bidi override.
    #[error("it contains a character that is not allowed")]
    ForbiddenCharacter,
    /// More combining marks on one letter than any language needs.
    #[error("it stacks too many marks on one letter")]
    TooManyMarks,
    /// A name that only staff may have, or that looks like one.
    #[error("the name is reserved")]
    Reserved,
    /// Not a single emoji.
    #[error("it is not one emoji")]
    NotAnEmoji,
    /// Among the passwords that attackers try first, or made from the user's own name.
    #[error("the password is too easy to guess")]
    Guessable,
    /// A reason that this reader does not know.
    #[serde(other)]
    #[error("it is not allowed")]
    Unknown,
}

impl TextReason {
    /// The word on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::ForbiddenCharacter => "forbidden_character",
            Self::TooManyMarks => "too_many_marks",
            Self::Reserved => "reserved",
            Self::NotAnEmoji => "not_an_emoji",
            Self::Guessable => "guessable",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(feature = "text")]
pub use parsed::{Emoji, MessageBody, Nickname, Password, RoomName, Skeleton, Topic, Username};

#[cfg(feature = "text")]
mod parsed {
    use std::fmt;

    use unicode_normalization::UnicodeNormalization;
    use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

    use super::TextReason;
    use crate::limits;

    macro_rules! text_type {
        ($(#[$doc:meta])* $name:ident) => {
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Hash)]
            pub struct $name(String);

            impl $name {
                /// The text.
                pub fn as_str(&self) -> &str {
                    &self.0
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&self.0)
                }
            }

            impl From<$name> for String {
                fn from(text: $name) -> Self {
                    text.0
                }
            }
        };
    }

    text_type!(
        /// The name a user shows: NFKC, 2 to 15 characters, inner white space collapsed.
        Nickname
    );
    text_type!(
        /// What a message says: NFC, 1 to 4,000 characters, line breaks as `\n`, no other control
        /// characters. Stored raw; markup is a matter of display.
        MessageBody
    );
    text_type!(
        /// A room's name: NFC, 1 to 60 characters on one line.
        RoomName
    );
    text_type!(
        /// A room's topic: NFC, up to 200 characters on one line; empty is allowed.
        Topic
    );
    text_type!(
        /// The name an account signs in with: 3 to 30 of `a-z`, `0-9`, `_`, `.` and `-`, made lower
        /// case, beginning with a letter or digit.
        Username
    );
    text_type!(
        /// One emoji under a message.
        Emoji
    );
    text_type!(
        /// What a name looks like (UTS #39 skeleton, case folded): two names with equal skeletons
        /// can be taken for each other.
        Skeleton
    );

    /// A password as typed, after NFC. It has no `Debug` and no `Display`.
    #[derive(Clone)]
    pub struct Password(String);

    /// Names that would pass for staff or for the service itself.
    const RESERVED: [&str; 14] = [
        "admin",
        "administrator",
        "moderator",
        "mod",
        "owner",
        "staff",
        "support",
        "system",
        "root",
        "sarangbang",
        "official",
        "관리자",
        "운영자",
        "사랑방",
    ];

    impl Nickname {
        /// Parses what a visitor typed.
        ///
        /// # Errors
        /// The [`TextReason`] for which the name is refused.
        pub fn parse(text: &str) -> Result<Self, TextReason> {
            let name = one_line(&text.nfkc().collect::<String>());
            check_visible(&name)?;
            check_marks(&name)?;
            check_length(
                &name,
                limits::NICKNAME_MIN_CHARS,
                limits::NICKNAME_MAX_CHARS,
            )?;
            let name = Self(name);
            let skeleton = name.skeleton();
            if RESERVED
                .iter()
                .any(|reserved| Skeleton::of(reserved) == skeleton)
            {
                return Err(TextReason::Reserved);
            }
            Ok(name)
        }

        /// What this name looks like, to find names that can be taken for it.
        pub fn skeleton(&self) -> Skeleton {
            Skeleton::of(&self.0)
        }
    }

    impl Skeleton {
        /// The skeleton of any text.
        pub fn of(text: &str) -> Self {
            let folded: String = text.nfkc().flat_map(char::to_lowercase).collect();
            let skeleton: String = unicode_security::confusable_detection::skeleton(&folded)
                .flat_map(char::to_lowercase)
                .filter(|c| c.is_alphanumeric())
                .collect();
            Self(unicode_security::confusable_detection::skeleton(&skeleton).collect())
        }
    }

    impl MessageBody {
        /// Parses what a user wrote.
        ///
        /// # Errors
        /// The [`TextReason`] for which the body is refused; nothing is cut off.
        pub fn parse(text: &str) -> Result<Self, TextReason> {
            let body: String = text
                .replace("\r\n", "\n")
                .replace('\r', "\n")
                .nfc()
                .collect();
            let body = body.trim_end().trim_start_matches('\n').to_owned();
            if !body.chars().any(is_visible) {
                return Err(TextReason::Empty);
            }
            if body
                .chars()
                .any(|c| c.is_control() && c != '\n' && c != '\t')
            {
                return Err(TextReason::ForbiddenCharacter);
            }
            check_length(&body, 1, limits::MESSAGE_CHARS)?;
            Ok(Self(body))
        }
    }

    impl RoomName {
        /// Parses a room's name.
        ///
        /// # Errors
        /// The [`TextReason`] for which the name is refused.
        pub fn parse(text: &str) -> Result<Self, TextReason> {
            let name = one_line(&text.nfc().collect::<String>());
            check_visible(&name)?;
            check_marks(&name)?;
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
            if topic.chars().any(is_forbidden) {
                return Err(TextReason::ForbiddenCharacter);
            }
            check_length(&topic, 0, limits::TOPIC_CHARS)?;
            Ok(Self(topic))
        }
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
            let allowed =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
            if !name.chars().all(allowed) || !name.starts_with(|c: char| c.is_ascii_alphanumeric())
            {
                return Err(TextReason::ForbiddenCharacter);
            }
            check_length(
                &name,
                limits::USERNAME_MIN_CHARS,
                limits::USERNAME_MAX_CHARS,
            )?;
            if RESERVED
                .iter()
                .any(|reserved| Skeleton::of(reserved) == Skeleton::of(&name))
            {
                return Err(TextReason::Reserved);
            }
            Ok(Self(name))
        }
    }

    impl Password {
        /// Parses a new password (NIST SP 800-63B-4, section 3.1.1: length and a block list, no
        /// rules of composition).
        ///
        /// # Errors
        /// The [`TextReason`] for which the password is refused.
        pub fn parse(text: &str) -> Result<Self, TextReason> {
            let password: String = text.nfc().collect();
            check_length(
                &password,
                limits::PASSWORD_MIN_CHARS,
                limits::PASSWORD_MAX_CHARS,
            )?;
            if is_guessable(&password) {
                return Err(TextReason::Guessable);
            }
            Ok(Self(password))
        }

        /// The password, for the hash function only.
        pub fn reveal(&self) -> &str {
            &self.0
        }
    }

    impl Emoji {
        /// Parses a reaction: one emoji, possibly a sequence, in at most 32 bytes.
        ///
        /// # Errors
        /// [`TextReason::NotAnEmoji`].
        pub fn parse(text: &str) -> Result<Self, TextReason> {
            use unicode_properties::UnicodeEmoji;
            let joins = |c: char| matches!(c, '\u{200d}' | '\u{fe0f}' | '\u{20e3}');
            let is_part =
                |c: char| c.is_emoji_char() || joins(c) || ('\u{e0020}'..='\u{e007f}').contains(&c);
            let starts = text.chars().next().is_some_and(UnicodeEmoji::is_emoji_char);
            let plain = text.is_ascii();
            if !starts || plain || text.len() > limits::EMOJI_BYTES || !text.chars().all(is_part) {
                return Err(TextReason::NotAnEmoji);
            }
            Ok(Self(text.to_owned()))
        }
    }

    fn one_line(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn check_length(text: &str, min: usize, max: usize) -> Result<(), TextReason> {
        match text.chars().count() {
            n if n < min => Err(TextReason::TooShort),
            n if n > max => Err(TextReason::TooLong),
            _ => Ok(()),
        }
    }

    fn check_visible(text: &str) -> Result<(), TextReason> {
        if text.is_empty() {
            return Err(TextReason::Empty);
        }
        if text.chars().any(is_forbidden) {
            return Err(TextReason::ForbiddenCharacter);
        }
        Ok(())
    }

    /// At most two combining marks a base: enough for every orthography, too few for "zalgo".
    fn check_marks(text: &str) -> Result<(), TextReason> {
        let mut run = 0;
        for c in text.nfd() {
            run = if is_mark(c) { run + 1 } else { 0 };
            if run > 2 {
                return Err(TextReason::TooManyMarks);
            }
        }
        Ok(())
    }

    fn is_mark(c: char) -> bool {
        matches!(
            c.general_category(),
            GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark
        )
    }

    fn is_visible(c: char) -> bool {
        !c.is_whitespace() && !is_forbidden(c)
    }

    /// Control, format (bidi controls and zero-width characters are among them), private-use,
    /// surrogate and unassigned characters, and the fillers that show as nothing.
    fn is_forbidden(c: char) -> bool {
        matches!(
            c.general_category(),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::PrivateUse
                | GeneralCategory::Surrogate
                | GeneralCategory::Unassigned
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
        ) || matches!(
            c,
            '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{2800}'
        )
    }

    /// One or two characters repeated, or a plain run such as `123456789012345`.
    fn is_guessable(password: &str) -> bool {
        let chars: Vec<char> = password.to_lowercase().chars().collect();
        let mut distinct = chars.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let run = chars.windows(2).all(|pair| {
            let step = u32::from(pair[1]).wrapping_sub(u32::from(pair[0]));
            step == 1 || step == u32::MAX || (pair[0] == '9' && pair[1] == '0')
        });
        distinct.len() < 4 || run
    }
}
