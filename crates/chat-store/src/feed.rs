//! The room's one ordered change feed: first load, resume, missed changes.

use async_trait::async_trait;
use chat_types::event::{Message, SeqChange};
use chat_types::id::{Epoch, Number, RoomId, Seq, UserId};
use chat_types::room::{Member, MembersSummary};

use crate::{Result, RoomRecord};

/// What a reader knows: everything of this history up to `since`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Which history.
    pub epoch: Epoch,
    /// Up to where.
    pub since: Seq,
}

/// A room at one instant, read from one snapshot of the database. Live goes on at
/// `record.head + 1`.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The room.
    pub record: RoomRecord,
    /// Where the reader starts.
    pub start: Start,
    /// The reader's own membership.
    pub me: Option<Member>,
    /// Up to which message the reader has read.
    pub read: Number,
    /// Who belongs to the room.
    pub members: MembersSummary,
}

/// Where a reader starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// The cursor was good: everything after it, complete, as current rows by rising `seq`.
    Resumed(Vec<SeqChange>),
    /// No cursor, one of another history, one from the future, or more missed changes or text than
    /// the bounds: the newest messages instead.
    Fresh {
        /// In rising number.
        messages: Vec<Message>,
        /// Whether there are older ones.
        more_before: bool,
    },
}

/// Missed changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangesPage {
    /// Which history.
    pub epoch: Epoch,
    /// Current rows whose newest change is after the cursor, by rising `seq`.
    pub changes: Vec<SeqChange>,
    /// The cursor after this page: the last change's `seq`, or `head` when nothing follows.
    pub upto: Seq,
    /// The `seq` of the room's newest change in this snapshot.
    pub head: Seq,
    /// Whether more changes follow.
    pub more: bool,
}

/// The change feed.
#[async_trait]
pub trait Feed {
    /// First load or resume, for `viewer`, from one snapshot. `tail` bounds the messages of a fresh
    /// start, `replay` the changes of a resume, whose messages have [`REPLAY_BYTES`](chat_types::limits::REPLAY_BYTES) of text at most.
    /// `None` when the room does not exist.
    ///
    /// A fresh start at any head, and a resume from any earlier head applied to what was known
    /// there, give the same room. Of somebody who left, a resume tells the last change as a member
    /// first and then that they left: the first may have renamed the author of messages that stay.
    async fn snapshot(
        &self,
        room: RoomId,
        viewer: Option<UserId>,
        cursor: Option<Cursor>,
        tail: u32,
        replay: u32,
    ) -> Result<Option<Snapshot>>;

    /// Missed changes after `after`, at most `limit` of them. A cursor beyond the head yields an
    /// empty page with `upto` = `head`.
    ///
    /// # Errors
    /// `NotFound(Room)`.
    async fn changes_after(
        &self,
        room: RoomId,
        viewer: Option<UserId>,
        after: Seq,
        limit: u32,
    ) -> Result<ChangesPage>;

    /// The newest `seq` of each of these rooms that exists.
    async fn heads(&self, rooms: &[RoomId]) -> Result<Vec<(RoomId, Seq)>>;
}
