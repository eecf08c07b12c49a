//! The chat client without I/O: connection, back-off, resume, timeline and outbox as one state machine.
//!
//! A driver owns the socket, the timer, HTTP and the storage. It feeds [`Client::handle`] with the
//! time and an [`Input`], then carries out every [`Effect`] of [`Client::poll_effect`] and asks
//! [`Client::next_wake`] when to come back with [`Input::Timer`]. What there is to show is read from
//! [`Client::connection`] and [`Client::room`]; [`Notice`]s say which part of it changed. The browser,
//! the load tool and the tests drive the same machine.
//!
//! No clock, no randomness and no environment is read here; the same inputs give the same effects.
#![deny(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod client;
mod clock;
mod effect;
mod frames;
mod input;
mod list_map;
mod outbox;
mod rng;
mod room;
mod row;

pub use client::{AccessToken, Client, Config, Session};
pub use effect::{
    ConnectionState, Effect, FailedCommand, Failure, Notice, Place, RoomChange, StopReason,
};
pub use input::{ConnId, FetchId, Input, Span};
pub use room::{HistoryState, Presence, RoomStatus, RoomView};
pub use row::{Pending, PendingState, Row, RowKey, RowState};
