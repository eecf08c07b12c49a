//! The browser and the network, each behind a small function that cannot panic.

pub mod document;
pub mod driver;
pub mod events;
pub mod history;
pub mod host;
pub mod http;
pub mod panic;
pub mod socket;
pub mod storage;
pub mod time;
pub mod words;
