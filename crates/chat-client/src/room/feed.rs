//! The reader's place in a room's feed: an event is applied exactly when it is the next one.

use chat_types::event::Change;
use chat_types::id::{RequestId, Seq};
use chat_types::time::Timestamp;

use crate::list_map::ListMap;

/// Early events that are kept while a gap is repaired. What does not fit is fetched again.
const EARLY: usize = 256;

/// The cursor and what is needed to move it.
#[derive(Default)]
pub(crate) struct Feed {
    /// Everything up to here was applied; `None` before the first snapshot.
    pub(crate) cursor: Option<Seq>,
    /// The `sub` under way.
    pub(crate) sub: Option<RequestId>,
    /// The `sync` under way.
    pub(crate) sync: Option<RequestId>,
    /// Some pages of a compacted list are applied and some are not. A row that was created before
    /// the cursor may come only in a later page, under its newest change, so events that follow the
    /// cursor would find it missing: they wait for the last page. Survives a reconnect.
    pub(crate) partial: bool,
    /// Something was lost while a `sync` was under way: one more is needed.
    pub(crate) again: bool,
    /// When to try again what the server refused for now.
    pub(crate) retry_at: Option<Timestamp>,
    /// How often in a row that happened.
    pub(crate) refusals: u32,
    early: ListMap<Seq, Change>,
}

/// What to do with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is the next one.
    Apply,
    /// It was applied before, or the room has no snapshot yet.
    Ignore,
    /// It waits for the `sync` that is under way.
    Wait,
    /// Events before it are missing.
    Repair,
}

impl Feed {
    /// Judges an event's place.
    pub(crate) fn next(&self, seq: Seq) -> Next {
        match self.cursor {
            None => Next::Ignore,
            Some(cursor) if seq <= cursor => Next::Ignore,
            Some(_) if self.sync.is_some() => Next::Wait,
            Some(_) if self.partial => Next::Repair,
            Some(cursor) if seq == cursor.next() => Next::Apply,
            Some(_) => Next::Repair,
        }
    }

    /// Keeps an early event.
    pub(crate) fn keep(&mut self, seq: Seq, change: Change) {
        if self.early.len() < EARLY {
            self.early.insert(seq, change);
        } else {
            self.again = true;
        }
    }

    /// The early event that is next now. Those that are not needed any more are dropped.
    pub(crate) fn take_next(&mut self) -> Option<(Seq, Change)> {
        let cursor = self.cursor?;
        let next = cursor.next();
        self.early.drop_before(next);
        Some((next, self.early.remove(next)?))
    }

    /// Whether events are kept that cannot be applied yet.
    pub(crate) fn has_early(&self) -> bool {
        self.early.len() > 0
    }

    /// Moves the cursor, never back.
    pub(crate) fn advance(&mut self, to: Seq) {
        self.cursor = self.cursor.max(Some(to));
    }

    /// A snapshot or a complete list was applied.
    pub(crate) fn complete(&mut self) {
        self.partial = false;
        self.again = false;
        self.refusals = 0;
        self.retry_at = None;
    }

    /// The connection is gone, and with it all that was asked on it.
    pub(crate) fn disconnected(&mut self) {
        self.sub = None;
        self.sync = None;
        self.again = false;
        self.retry_at = None;
        self.early.clear();
    }

    /// Forgets the history that was read.
    pub(crate) fn forget(&mut self) {
        self.cursor = None;
        self.partial = false;
        self.early.clear();
    }
}
