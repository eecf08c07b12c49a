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
    /// A control, format, private-use or unassigned character, a bidi override, or one that shows
    /// as nothing.
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
    /// Every reason that this version gives.
    pub const ALL: [Self; 8] = [
        Self::Empty,
        Self::TooShort,
        Self::TooLong,
        Self::ForbiddenCharacter,
        Self::TooManyMarks,
        Self::Reserved,
        Self::NotAnEmoji,
        Self::Guessable,
    ];

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

/// A text type: a private string that only `parse` makes.
#[cfg(feature = "text")]
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

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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

#[cfg(feature = "text")]
mod body;
#[cfg(feature = "text")]
mod characters;
#[cfg(feature = "text")]
mod emoji;
#[cfg(feature = "text")]
mod line;
#[cfg(feature = "text")]
mod name;
#[cfg(feature = "text")]
mod password;
#[cfg(feature = "text")]
mod reserved;
#[cfg(feature = "text")]
mod skeleton;

#[cfg(feature = "text")]
pub use self::{
    body::MessageBody,
    emoji::Emoji,
    line::{RoomName, Topic},
    name::{Nickname, Username},
    password::Password,
    skeleton::Skeleton,
};
