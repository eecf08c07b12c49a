//! The audit: what the clients of a server did and saw, held against what its store has.

pub mod audit;
pub mod history;
