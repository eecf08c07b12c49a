//! From bytes to typed values, or to a refusal.

pub mod client_ip;
mod json;
mod path;

pub use client_ip::Client;
pub use json::{body, query};
pub use path::PathParams;

use chat_types::problem::ErrorCode;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::error::ApiError;

/// The access token of the `Authorization` header; `None` when there is no such header. A token in
/// the URL is never looked at.
///
/// # Errors
/// `unauthorized` when the header is there and is not one bearer token.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let refused = || {
        ApiError::new(ErrorCode::Unauthorized)
            .detail("`Authorization: Bearer` and a token is expected")
    };
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let value = value.to_str().map_err(|_| refused())?;
            let (scheme, token) = value.split_once(' ').ok_or_else(refused)?;
            let bearer = scheme.eq_ignore_ascii_case("bearer");
            bearer.then(|| Some(token.trim())).ok_or_else(refused)
        }
        (Some(_), Some(_)) => Err(refused()),
    }
}
