//! The audit: what the clients did and saw, held against what the store has.
//!
//! [`audit`] is a pure function. It believes nobody: an acknowledgement is a promise that the store
//! has to keep, an event is a claim that has to agree with every other one, and a screen has to show
//! what a fresh reader is given.

mod attention;
mod book;
mod changes;
mod feed;
mod order;
mod rights;
mod screen;
mod seen;
mod store;

use std::collections::HashMap;
use std::fmt;

use chat_types::id::{ClientId, Epoch, MessageId, RoomId, Seq, UserId};
use serde::Serialize;

use crate::history::{History, Row};
use book::Book;

pub use attention::{CROWD_US, QUIET_US, SILENT_US};
pub use rights::GRACE_US;

/// A room as a fresh reader was given it, after everything had come to rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// By whom, in words: the server and the way.
    pub source: String,
    /// Which room.
    pub room: RoomId,
    /// Its history's name.
    pub epoch: Epoch,
    /// The place of its newest change.
    pub head: Seq,
    /// Its messages by rising number.
    pub rows: Vec<Row>,
    /// Whether these are all of them; otherwise the newest ones.
    pub whole: bool,
}

/// A broken promise, with everything by which to find it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which promise.
    pub kind: Kind,
    /// In which room.
    pub room: Option<RoomId>,
    /// Which client noticed, or whose message it is.
    pub client: Option<u32>,
    /// The author's id of the message.
    pub client_id: Option<ClientId>,
    /// The store's id of the message.
    pub message: Option<MessageId>,
    /// The user whom it concerns, where that is somebody else or there is no message.
    pub user: Option<UserId>,
    /// What exactly.
    pub detail: String,
}

/// Which promise was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Acknowledged, and not in the store.
    Lost,
    /// Acknowledged with an id, number or place that the store does not have, or with two of them.
    AckDisagrees,
    /// Acknowledged and refused for good.
    OkAndFail,
    /// Neither acknowledged nor refused, and not waiting for it either.
    NoOutcome,
    /// Still waiting for an answer at the end.
    Unanswered,
    /// In the store more than once.
    Duplicated,
    /// In the store, although every attempt was refused.
    FailedButStored,
    /// In the store, and written by nobody.
    Phantom,
    /// A number or a place that two messages have, or that none has.
    StoreGap,
    /// In the store, with another text than its author wrote.
    Corrupt,
    /// In another room than it was written to.
    Misrouted,
    /// Under another author than who wrote it.
    Impersonated,
    /// Acknowledged before another one was sent, and numbered after it.
    Reordered,
    /// Two messages of one author in one room, in another order than they were written in.
    SenderReordered,
    /// The last revision that was acknowledged is not what the store or a screen has.
    StaleEdit,
    /// A reaction that was acknowledged and is not counted, or the other way round.
    Reaction,
    /// A connection was given a change and not the one before it.
    Gap,
    /// A connection was given a change that it had been given.
    DeliveredTwice,
    /// A resume or a page was called everything up to a place, and left a row out.
    Incomplete,
    /// A client was given an older state of a room than the one that it had reached.
    WentBack,
    /// A connection was given changes of a room that it does not follow.
    Unsubscribed,
    /// A reader was given a message that nobody wrote.
    DeliveredPhantom,
    /// A reader was given a message before its author sent it.
    DeliveredBeforeSend,
    /// A reader was given another text than the author wrote.
    DeliveredCorrupt,
    /// A reader was given a message at another place than its own, or as new at two places.
    Misplaced,
    /// A reader was given a message that the store does not have.
    Vanished,
    /// Two readers were given different things as the same.
    Divergent,
    /// The history changed under the readers.
    EpochChanged,
    /// Somebody was given a message of a closed room to which they have no right.
    DeliverRevoked,
    /// Something was accepted in a closed room of somebody who has no right to it.
    AcceptedRevoked,
    /// A screen does not show somebody who has been there long enough.
    PresenceMissing,
    /// A screen shows somebody as being there who has been gone long enough.
    PresenceGhost,
    /// A screen counts others than it names, or a crowd wrongly.
    PresenceCount,
    /// A screen did not show in time that somebody types.
    TypingMissed,
    /// A screen shows somebody as typing who does not.
    TypingPhantom,
    /// What was read on one device is not shown so in time on another of the same user.
    ReadMissed,
    /// A read position that was set is not what a server has.
    ReadLost,
    /// A read position moved backwards.
    ReadWentBack,
    /// A screen counts another number of unread messages than there are.
    UnreadWrong,
    /// A screen shows a message twice.
    Doubled,
    /// A reader who followed to the end was not given a message.
    Undelivered,
    /// A client that was not up to date in time, by its own account.
    NotConverged,
    /// A client that was up to date by its own account, and had not been given the newest changes.
    Behind,
}

impl Kind {
    /// Whether this may be a backlog that was not worked off in time. It is a broken promise where
    /// nothing moves any more.
    pub const fn is_late(self) -> bool {
        matches!(self, Self::Unanswered | Self::NotConverged | Self::Behind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = serde_json::to_value(self).ok();
        f.write_str(name.as_ref().and_then(|name| name.as_str()).unwrap_or("?"))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(client) = self.client {
            write!(f, " client={client}")?;
        }
        if let Some(room) = self.room {
            write!(f, " room={room}")?;
        }
        if let Some(client_id) = self.client_id {
            write!(f, " client_id={client_id}")?;
        }
        if let Some(message) = self.message {
            write!(f, " message={message}")?;
        }
        if let Some(user) = self.user {
            write!(f, " user={user}")?;
        }
        write!(f, ": {}", self.detail)
    }
}

/// Everything that breaks a promise. An empty list says that nothing was found, not that anything
/// was tried: see `Floors`.
pub fn audit(histories: &[History], readings: &[Reading]) -> Vec<Violation> {
    let mut found = Found::default();
    let truth = Truth::new(readings);
    let book = Book::open(histories, &mut found);
    store::readings_agree(&truth, readings, &mut found);
    store::promises_are_kept(&book, &truth, &mut found);
    store::nothing_else_is_there(&book, &truth, &mut found);
    order::in_real_time(&book, &truth, &mut found);
    order::of_each_sender(&book, &truth, &mut found);
    changes::last_revision_everywhere(histories, &book, &truth, &mut found);
    changes::reactions_are_counted(histories, &truth, &mut found);
    feed::without_gap_or_repeat(histories, &truth, &mut found);
    seen::what_readers_were_given(histories, &book, &truth, &mut found);
    screen::shows_a_fresh_load(histories, &book, &truth, &mut found);
    rights::are_kept_everywhere(histories, &mut found);
    attention::is_paid(histories, &truth, &mut found);
    found.0
}

/// The violations that were found.
#[derive(Default)]
struct Found(Vec<Violation>);

impl Found {
    fn add(&mut self, kind: Kind, detail: impl Into<String>) -> &mut Violation {
        self.0.push(Violation {
            kind,
            room: None,
            client: None,
            client_id: None,
            message: None,
            user: None,
            detail: detail.into(),
        });
        let last = self.0.len() - 1;
        &mut self.0[last]
    }
}

impl Violation {
    fn room(&mut self, room: RoomId) -> &mut Self {
        self.room = Some(room);
        self
    }

    fn client(&mut self, client: u32) -> &mut Self {
        self.client = Some(client);
        self
    }

    fn client_id(&mut self, client_id: ClientId) -> &mut Self {
        self.client_id = Some(client_id);
        self
    }

    fn message(&mut self, message: MessageId) -> &mut Self {
        self.message = Some(message);
        self
    }

    fn user(&mut self, user: UserId) -> &mut Self {
        self.user = Some(user);
        self
    }

    fn row(&mut self, row: &Row) -> &mut Self {
        self.client_id(row.client_id).message(row.id)
    }
}

/// What the store has: the first whole reading of each room.
struct Truth<'a> {
    rooms: HashMap<RoomId, &'a Reading>,
    by_client_id: HashMap<ClientId, Vec<(RoomId, &'a Row)>>,
    by_id: HashMap<MessageId, (RoomId, &'a Row)>,
    /// The rows of each room by the place of their newest change.
    by_seq: HashMap<RoomId, Vec<&'a Row>>,
}

impl<'a> Truth<'a> {
    fn new(readings: &'a [Reading]) -> Self {
        let mut rooms = HashMap::new();
        for reading in readings.iter().filter(|reading| reading.whole) {
            rooms.entry(reading.room).or_insert(reading);
        }
        let mut by_client_id: HashMap<_, Vec<_>> = HashMap::new();
        let mut by_id = HashMap::new();
        let mut by_seq = HashMap::new();
        for reading in rooms.values() {
            let mut places: Vec<_> = reading.rows.iter().collect();
            places.sort_by_key(|row| row.seq);
            by_seq.insert(reading.room, places);
            for row in &reading.rows {
                let place = (reading.room, row);
                by_client_id.entry(row.client_id).or_default().push(place);
                by_id.insert(row.id, place);
            }
        }
        Self {
            rooms,
            by_client_id,
            by_id,
            by_seq,
        }
    }

    /// The rows whose newest change is after the one place and not after the other.
    fn between(&self, room: RoomId, after: Seq, upto: Seq) -> &[&'a Row] {
        let rows = self.by_seq.get(&room).map_or(&[][..], Vec::as_slice);
        let first = rows.partition_point(|row| row.seq <= after);
        let end = rows.partition_point(|row| row.seq <= upto);
        rows.get(first..end).unwrap_or(&[])
    }

    fn stored(&self, client_id: ClientId) -> &[(RoomId, &'a Row)] {
        self.by_client_id.get(&client_id).map_or(&[], Vec::as_slice)
    }
}
