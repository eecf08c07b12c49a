//! Private servers on loopback, for tests and for the local cluster. No part of the product depends
//! on this crate.
//!
//! [`Process`] is a child that never outlives its owner; [`Postgres`] is a database server of one's
//! own, [`Nats`] a bus, [`Collector`] what takes traces, [`Authority`] certificates, [`outline`] what a server measures,
//! and [`database`] a database of one's own on the server that a run of tests shares.

#![warn(missing_docs)]

mod authority;
mod collector;
mod config;
mod database;
mod error;
mod nats;
mod open_files;
pub mod outline;
mod postgres;
mod process;

pub use authority::{Authority, Pair, Valid, accept};
pub use collector::{Collector, Export};
pub use database::{Database, database};
pub use error::Error;
pub use nats::Nats;
pub use open_files::leave_files;
pub use postgres::{Durability, Postgres};
pub use process::Process;
pub use rustix::process::Signal;

/// Shorthand of this crate.
pub type Result<T> = std::result::Result<T, Error>;
