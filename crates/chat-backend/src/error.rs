//! Refusals: the one place that knows status codes and that turns an error into a problem
//! (RFC 9457) or into a socket's `err`.

use std::borrow::Cow;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use chat_store::{Conflict, Missing, StoreError};
use chat_types::id::RequestId;
use chat_types::problem::{ErrorCode, Problem};
use chat_types::text::TextReason;
use chat_types::ws;
use http::StatusCode;

use crate::metrics;

/// Why a request was refused, in the words of the protocol.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// What a client acts on.
    pub code: ErrorCode,
    /// What happened this time, for people; never more than the caller may know.
    pub detail: Option<Cow<'static, str>>,
    /// The field that was refused.
    pub field: Option<&'static str>,
    /// Why it was refused.
    pub reason: Option<TextReason>,
    /// When to try again.
    pub retry_after_ms: Option<u64>,
    /// The cause of a fault: logged once at the boundary, never sent.
    pub cause: Option<Arc<str>>,
}

/// When to try again after a part was not available or load was shed.
const RETRY_MS: u64 = 1_000;

impl ApiError {
    /// A refusal with nothing but its code.
    pub const fn new(code: ErrorCode) -> Self {
        Self {
            code,
            detail: None,
            field: None,
            reason: None,
            retry_after_ms: None,
            cause: None,
        }
    }

    /// A text that was read and is refused.
    pub const fn invalid(field: &'static str, reason: TextReason) -> Self {
        let mut error = Self::new(ErrorCode::Invalid);
        error.field = Some(field);
        error.reason = Some(reason);
        error
    }

    /// A value other than a text that was read and is refused.
    pub fn invalid_value(field: &'static str, detail: &'static str) -> Self {
        let mut error = Self::new(ErrorCode::Invalid);
        error.field = Some(field);
        error.detail = Some(Cow::Borrowed(detail));
        error
    }

    /// A fault of the server.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        let mut error = Self::new(ErrorCode::Internal);
        error.cause = Some(cause.to_string().into());
        error
    }

    /// Too often; says when to try again.
    pub const fn rate_limited(retry_after_ms: u64) -> Self {
        let mut error = Self::new(ErrorCode::RateLimited);
        error.retry_after_ms = Some(retry_after_ms);
        error
    }

    /// Load is shed.
    pub const fn overloaded() -> Self {
        let mut error = Self::new(ErrorCode::Overloaded);
        error.retry_after_ms = Some(RETRY_MS);
        error
    }

    /// Adds what happened.
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds when to try again.
    pub const fn retry_after_ms(mut self, ms: u64) -> Self {
        self.retry_after_ms = Some(ms);
        self
    }

    /// The HTTP status of this refusal.
    pub const fn status(&self) -> StatusCode {
        match self.code {
            ErrorCode::Malformed => StatusCode::BAD_REQUEST,
            ErrorCode::Unauthorized | ErrorCode::TokenExpired | ErrorCode::BadCredentials => {
                StatusCode::UNAUTHORIZED
            }
            ErrorCode::Forbidden | ErrorCode::ReadOnly => StatusCode::FORBIDDEN,
            ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ErrorCode::Timeout => StatusCode::REQUEST_TIMEOUT,
            ErrorCode::Conflict | ErrorCode::NameTaken => StatusCode::CONFLICT,
            ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ErrorCode::Invalid | ErrorCode::LimitReached => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::Unavailable | ErrorCode::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Internal | ErrorCode::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The HTTP body of this refusal.
    pub fn to_problem(&self, request_id: Option<String>) -> Problem {
        let name = self.code.name();
        Problem {
            kind: format!("urn:sarangbang:problem:{name}"),
            title: name.replace('_', " "),
            status: self.status().as_u16(),
            detail: self.words(),
            code: self.code,
            retry: self.code.retry(),
            retry_after_ms: self.retry_after_ms,
            field: self.field.map(str::to_owned),
            reason: self.reason.map(|reason| reason.name().to_owned()),
            request_id,
        }
    }

    /// The socket's form of this refusal.
    pub fn to_ws(&self, id: Option<RequestId>) -> ws::Err {
        ws::Err {
            id,
            code: self.code,
            message: self
                .words()
                .unwrap_or_else(|| self.code.name().replace('_', " ")),
            retry: self.code.retry(),
            retry_after_ms: self.retry_after_ms,
            reason: self.reason,
        }
    }

    fn words(&self) -> Option<String> {
        let reason = || self.reason.map(|reason| reason.to_string());
        self.detail.as_deref().map(str::to_owned).or_else(reason)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        metrics::store_failed(&error);
        match error {
            StoreError::NotFound(Missing::Membership) => {
                Self::new(ErrorCode::Forbidden).detail("not a member of the room")
            }
            StoreError::NotFound(_) => Self::new(ErrorCode::NotFound),
            StoreError::Conflict(conflict) => from_conflict(conflict),
            StoreError::LimitReached(what) => Self::new(ErrorCode::LimitReached).detail(what),
            StoreError::Unavailable(cause) => {
                let mut error = Self::new(ErrorCode::Unavailable).retry_after_ms(RETRY_MS);
                error.cause = Some(cause.into());
                error
            }
            StoreError::Damaged(cause) => Self::internal(cause),
        }
    }
}

fn from_conflict(conflict: Conflict) -> ApiError {
    let mut error = match conflict {
        Conflict::UsernameTaken | Conflict::NameTaken => ApiError::new(ErrorCode::NameTaken),
        Conflict::NotAGuest | Conflict::ClientIdReused | Conflict::MessageDeleted => {
            ApiError::new(ErrorCode::Conflict)
        }
        Conflict::ReadOnly => return ApiError::new(ErrorCode::ReadOnly),
        Conflict::IdExists => return ApiError::internal("a new id existed already"),
    };
    error.field = match conflict {
        Conflict::UsernameTaken => Some("username"),
        Conflict::NameTaken => Some("name"),
        Conflict::ClientIdReused => Some("client_id"),
        Conflict::NotAGuest
        | Conflict::ReadOnly
        | Conflict::MessageDeleted
        | Conflict::IdExists => None,
    };
    error.detail(conflict.to_string())
}

/// Only the status and the error itself: the problem layer writes the body, because it knows the
/// request's id.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
