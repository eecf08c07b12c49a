//! What the screen shows, computed without a browser.

pub mod connection;
pub mod look;
pub mod session;
