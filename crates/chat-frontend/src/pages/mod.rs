//! One module per page.

#[cfg(any(feature = "ssr", feature = "app"))]
pub mod not_found;
