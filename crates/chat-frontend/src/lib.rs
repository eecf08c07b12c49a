//! The web client of Sarangbang: the shell that the server renders and the code that takes it over.
//!
//! Start at [`app`] (every route) or [`embed`] (one room inside another site's page); both show
//! [`pages::room`]. What the screen shows is computed by plain Rust in [`state`]; [`api`] talks to
//! the browser and the network; [`ui`] only shows. The server is in `server`.

// The type of a view is the nesting of its elements.
#![recursion_limit = "512"]

pub mod api;
#[cfg(any(feature = "ssr", feature = "app"))]
pub mod app;
pub mod config;
pub mod embed;
pub mod i18n;
pub mod pages;
pub mod routes;
#[cfg(feature = "ssr")]
pub mod server;
pub mod state;
pub mod test_ids;
pub mod ui;

#[cfg(feature = "hydrate")]
mod start;
