//! What the screen shows, computed without a browser.

pub mod look;
