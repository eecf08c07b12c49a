//! The audit on histories made by hand and by chance.

#![expect(clippy::unwrap_used, reason = "the helpers are parts of the tests")]

mod audit;
mod correct;
mod model;
