//! The parts of a path.

use std::str::FromStr;

use axum::extract::RawPathParams;
use chat_types::problem::ErrorCode;

use crate::error::ApiError;

/// The `{name}` parts of an endpoint's path.
#[derive(Debug, Clone, Default)]
pub struct PathParams(Vec<(String, String)>);

impl From<RawPathParams> for PathParams {
    fn from(raw: RawPathParams) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self(raw.iter().map(owned).collect())
    }
}

impl PathParams {
    /// The id in the part `{name}`.
    ///
    /// # Errors
    /// `not_found`: what cannot be an id names nothing.
    pub fn id<T: FromStr>(&self, name: &str) -> Result<T, ApiError> {
        let part = self.0.iter().find(|(part, _)| part == name);
        let id = part.and_then(|(_, value)| value.parse().ok());
        id.ok_or_else(|| ApiError::new(ErrorCode::NotFound))
    }
}
