//! The promise of the wire: frozen fixtures, unknown things at every level, round trips.

mod support;

#[path = "wire/decoding.rs"]
mod decoding;
#[path = "wire/files.rs"]
mod files;
#[path = "wire/fixtures.rs"]
mod fixtures;
#[path = "wire/mutations.rs"]
mod mutations;
#[path = "wire/neighbours.rs"]
mod neighbours;
#[path = "wire/strategies.rs"]
mod strategies;
#[path = "wire/today.rs"]
mod today;
#[path = "wire/walk.rs"]
mod walk;
