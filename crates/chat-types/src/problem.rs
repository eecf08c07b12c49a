//! Errors as both sides speak of them: the same codes in socket errors and in HTTP problems
//! (RFC 9457). A client matches on [`ErrorCode`], never on text.

use serde::{Deserialize, Serialize};

/// What went wrong, in the words of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request could not be read: malformed JSON, a missing field, a wrong type.
    Malformed,
    /// A field was read and its value is refused; `field` names it, `reason` says why.
    Invalid,
    /// No token, or one that is not valid.
    Unauthorized,
    /// The access token has ended: refresh it.
    TokenExpired,
    /// Username or password is wrong; which of the two is not told.
    BadCredentials,
    /// Known, but not allowed to do this.
    Forbidden,
    /// It does not exist, or it is not for this caller to know.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// It contradicts what is stored: a reused client id with another body, an edit of a deleted
    /// message.
    Conflict,
    /// The name belongs to somebody else, or looks like one that does.
    NameTaken,
    /// The body or frame is larger than the limit.
    TooLarge,
    /// The body's media type is not `application/json`.
    UnsupportedMediaType,
    /// Too often; `retry_after_ms` says when to try again.
    RateLimited,
    /// More of something than the limit: rooms of a connection, reactions of a message.
    LimitReached,
    /// The room is archived or read-only.
    ReadOnly,
    /// A part that the answer needs cannot be reached now; nothing was changed.
    Unavailable,
    /// The server sheds load; nothing was changed.
    Overloaded,
    /// The request took longer than its time limit.
    Timeout,
    /// A fault of the server; the request id finds it in the log.
    Internal,
    /// A code that this reader does not know: obey `retry`.
    #[serde(other)]
    Unknown,
}

impl ErrorCode {
    /// Every code that this version sends.
    pub const ALL: [Self; 19] = [
        Self::Malformed,
        Self::Invalid,
        Self::Unauthorized,
        Self::TokenExpired,
        Self::BadCredentials,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::NameTaken,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::RateLimited,
        Self::LimitReached,
        Self::ReadOnly,
        Self::Unavailable,
        Self::Overloaded,
        Self::Timeout,
        Self::Internal,
    ];

    /// Whether the same request may succeed later without being changed.
    pub const fn retry(self) -> bool {
        matches!(
            self,
            Self::TokenExpired
                | Self::RateLimited
                | Self::Unavailable
                | Self::Overloaded
                | Self::Timeout
                | Self::Internal
        )
    }

    /// The word on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Invalid => "invalid",
            Self::Unauthorized => "unauthorized",
            Self::TokenExpired => "token_expired",
            Self::BadCredentials => "bad_credentials",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Conflict => "conflict",
            Self::NameTaken => "name_taken",
            Self::TooLarge => "too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::RateLimited => "rate_limited",
            Self::LimitReached => "limit_reached",
            Self::ReadOnly => "read_only",
            Self::Unavailable => "unavailable",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::Internal => "internal",
            Self::Unknown => "unknown",
        }
    }
}

/// An HTTP error body, `application/problem+json` (RFC 9457, section 3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// `urn:sarangbang:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code in words, for people who read logs.
    pub title: String,
    /// The HTTP status, repeated.
    pub status: u16,
    /// What happened this time. Absent where it would tell an outsider too much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What a client acts on.
    pub code: ErrorCode,
    /// Whether the same request may succeed later.
    pub retry: bool,
    /// Milliseconds after which to try again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The field that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Why the field was refused, a word from the text type's reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Finds this request in the server's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}
