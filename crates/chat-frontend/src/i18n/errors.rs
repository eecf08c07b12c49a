//! What went wrong, in the reader's words.

use chat_types::problem::ErrorCode;
use chat_types::text::TextReason;

use super::{Key, Lang, fill, text};

/// What an error means for the person who caused it. A refused text says why it was refused.
pub fn trouble(
    lang: Lang,
    code: ErrorCode,
    reason: Option<TextReason>,
    retry_after_ms: Option<u64>,
) -> String {
    if let (ErrorCode::Invalid, Some(reason)) = (code, reason) {
        return refusal(lang, reason).to_owned();
    }
    match (code, retry_after_ms) {
        (ErrorCode::RateLimited, Some(ms)) => fill(
            text(lang, Key::RateLimitedFor),
            &[("seconds", &ms.div_ceil(1000).to_string())],
        ),
        _ => text(lang, key_of(code)).to_owned(),
    }
}

/// Why a text was refused.
pub const fn refusal(lang: Lang, reason: TextReason) -> &'static str {
    let key = match reason {
        TextReason::Empty => Key::ReasonEmpty,
        TextReason::TooShort => Key::ReasonTooShort,
        TextReason::TooLong => Key::ReasonTooLong,
        TextReason::ForbiddenCharacter => Key::ReasonForbiddenCharacter,
        TextReason::TooManyMarks => Key::ReasonTooManyMarks,
        TextReason::Reserved => Key::ReasonReserved,
        TextReason::NotAnEmoji => Key::ReasonNotAnEmoji,
        TextReason::Guessable => Key::ReasonGuessable,
        TextReason::Unknown => Key::ReasonUnknown,
    };
    text(lang, key)
}

const fn key_of(code: ErrorCode) -> Key {
    match code {
        ErrorCode::Unavailable | ErrorCode::Timeout => Key::Offline,
        ErrorCode::BadCredentials => Key::BadCredentials,
        ErrorCode::Unauthorized | ErrorCode::TokenExpired => Key::SessionEnded,
        ErrorCode::Forbidden => Key::Forbidden,
        ErrorCode::NotFound => Key::NotFound,
        ErrorCode::Conflict => Key::Conflict,
        ErrorCode::NameTaken => Key::NameTaken,
        ErrorCode::TooLarge => Key::TooLarge,
        ErrorCode::RateLimited => Key::RateLimited,
        ErrorCode::LimitReached => Key::LimitReached,
        ErrorCode::ReadOnly => Key::ReadOnlyRoom,
        ErrorCode::Invalid => Key::ReasonUnknown,
        ErrorCode::Malformed | ErrorCode::MethodNotAllowed | ErrorCode::UnsupportedMediaType => {
            Key::Refused
        }
        ErrorCode::Overloaded | ErrorCode::Internal | ErrorCode::Unknown => Key::ServerFault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_text_says_why() {
        let said = trouble(
            Lang::En,
            ErrorCode::Invalid,
            Some(TextReason::TooShort),
            None,
        );
        assert_eq!(said, "It is too short.");
    }

    #[test]
    fn a_rate_limit_names_the_seconds_rounded_up() {
        let said = trouble(Lang::Ko, ErrorCode::RateLimited, None, Some(1_200));
        assert_eq!(said, "조금 빨랐어요. 2초 후에 다시 시도해 주세요.");
    }

    #[test]
    fn a_rate_limit_without_a_time_asks_to_wait_a_moment() {
        let said = trouble(Lang::En, ErrorCode::RateLimited, None, None);
        assert_eq!(said, text(Lang::En, Key::RateLimited));
    }
}
