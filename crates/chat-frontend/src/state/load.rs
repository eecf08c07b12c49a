//! Something that comes from the server.

use crate::api::http::ApiError;

/// On its way, here, or not to be had.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Load<T> {
    /// On its way.
    #[default]
    Waiting,
    /// Here.
    Ready(T),
    /// Not to be had.
    Failed(ApiError),
}

impl<T> Load<T> {
    /// What is here.
    pub const fn ready(&self) -> Option<&T> {
        match self {
            Self::Ready(value) => Some(value),
            Self::Waiting | Self::Failed(_) => None,
        }
    }
}

impl<T> From<Result<T, ApiError>> for Load<T> {
    fn from(result: Result<T, ApiError>) -> Self {
        match result {
            Ok(value) => Self::Ready(value),
            Err(error) => Self::Failed(error),
        }
    }
}
