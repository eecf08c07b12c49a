//! One module per page.

#[cfg(any(feature = "ssr", feature = "app"))]
pub mod invite;
#[cfg(any(feature = "ssr", feature = "app"))]
pub mod lobby;
#[cfg(any(feature = "ssr", feature = "app"))]
pub mod not_found;
#[cfg(any(feature = "ssr", feature = "app"))]
pub mod room;
#[cfg(any(feature = "ssr", feature = "app"))]
pub mod settings;
#[cfg(any(feature = "ssr", feature = "app"))]
pub mod sign_in;
