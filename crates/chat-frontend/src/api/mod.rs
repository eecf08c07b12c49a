//! The browser and the network, each behind a small function that cannot panic.

pub mod document;
pub mod panic;
