//! What nobody can see or use any more, taken away piece by piece.

use async_trait::async_trait;
use chat_types::id::RoomId;
use chat_types::time::Timestamp;

use crate::Result;

/// What is old enough to go, and how much of it at once.
#[derive(Debug, Clone)]
pub struct Purge {
    /// Sessions that ended before, with their tokens.
    pub sessions_ended_before: Timestamp,
    /// Invites that ended before.
    pub invites_ended_before: Timestamp,
    /// Page rooms in which nothing ever happened and that were last opened before.
    pub pages_opened_before: Timestamp,
    /// Now.
    pub now: Timestamp,
    /// Rooms that somebody has open: an empty page among them stays and counts as opened now, at
    /// least once it has been kept for half of its time. So who has it open on another node need not
    /// be known here, as long as every node purges more often than that.
    pub open_rooms: Vec<RoomId>,
    /// Rows of each kind at most, so that what waits for the store waits for no more than that.
    pub limit: u32,
}

/// How many rows of each kind went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// Sessions.
    pub sessions: u64,
    /// Refresh tokens.
    pub tokens: u64,
    /// Guests whose last session went and of whom nobody can see anything.
    pub guests: u64,
    /// Invites.
    pub invites: u64,
    /// Page rooms.
    pub pages: u64,
    /// Whether there may be more to take away.
    pub more: bool,
}

/// Purging.
#[async_trait]
pub trait Purging {
    /// Takes a bounded part of what is old enough away. What anybody can still see stays: a guest
    /// who ever wrote, reacted or was a member of a room, a page room in which anything ever
    /// happened, a session that can still be used.
    async fn purge(&self, purge: Purge) -> Result<Purged>;
}
