//! The protocol of Sarangbang, `chat.v1`: everything that crosses the wire between the two sides.
//!
//! Start at [`ws`] for what travels over the WebSocket and at [`endpoint`] for HTTP. [`event`] holds
//! what both carry: messages, members and the sequenced changes of a room. This crate does no I/O,
//! reads no clock and draws no random numbers, and it compiles for servers and for wasm32.
//!
//! Compatibility: fields and variants are added, never renamed, retyped or removed; readers ignore
//! unknown fields and keep unknown variants as `Unknown`. `docs/protocol.md` is the written promise.

#![warn(missing_docs)]

pub mod account;
pub mod close;
pub mod decode;
pub mod endpoint;
pub mod event;
pub mod frame;
pub mod id;
pub mod limits;
pub mod number;
pub mod object;
pub mod problem;
pub mod room;
#[cfg(feature = "schema")]
pub mod schema;
#[cfg(feature = "schema")]
pub mod schema_diff;
pub mod text;
pub mod time;
pub mod ws;
