//! Query strings and JSON bodies.

use std::any::TypeId;

use axum::body::Body;
use chat_types::account::Empty;
use chat_types::endpoint::Method;
use chat_types::limits::BODY_BYTES;
use chat_types::object;
use chat_types::problem::ErrorCode;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use crate::error::ApiError;
use chat_listener::BodyTimeout;

/// Reads a query string.
///
/// # Errors
/// `malformed`.
pub fn query<T: DeserializeOwned>(query: Option<&str>) -> Result<T, ApiError> {
    serde_urlencoded::from_str(query.unwrap_or_default())
        .map_err(|error| ApiError::new(ErrorCode::Malformed).detail(format!("query: {error}")))
}

/// Reads the body of an endpoint: JSON within the size limit. Where the endpoint takes none, nothing
/// is read.
///
/// # Errors
/// `unsupported_media_type`, `too_large`, `timeout`, `malformed`.
pub async fn body<T: DeserializeOwned + 'static>(
    method: Method,
    headers: &HeaderMap,
    body: Body,
) -> Result<T, ApiError> {
    if method == Method::Get || TypeId::of::<T>() == TypeId::of::<Empty>() {
        return from_json(b"{}");
    }
    if !is_json(headers) {
        return Err(ApiError::new(ErrorCode::UnsupportedMediaType)
            .detail("the body's media type must be application/json"));
    }
    let collected = Limited::new(body, BODY_BYTES).collect().await;
    from_json(&collected.map_err(unreadable)?.to_bytes())
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

fn unreadable(error: Box<dyn std::error::Error + Send + Sync>) -> ApiError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error.as_ref());
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return ApiError::new(ErrorCode::TooLarge)
                .detail(format!("a body has at most {BODY_BYTES} bytes"));
        }
        if error.is::<BodyTimeout>() {
            return ApiError::new(ErrorCode::Timeout).detail("the body took too long");
        }
        cause = error.source();
    }
    ApiError::new(ErrorCode::Malformed).detail("the body could not be read")
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    object::from_slice(bytes)
        .map_err(|error| ApiError::new(ErrorCode::Malformed).detail(format!("body: {error}")))
}
