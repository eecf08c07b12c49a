//! What readers of a room begin with, as far as it is the same for all of them: read from the store
//! once and encoded once for everybody who comes within a second.
//!
//! A start is of one instant of the room's feed: its epoch and head. Who asks has just looked up the
//! room and their place in it, and gets a start of exactly that head or none, so it can be neither
//! older nor newer than their rights and their own part, which no start holds. Names of authors who
//! left the room are the one thing in it that changes without the head; hence the second.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chat_store::{Cursor, OwnPlace, Snapshot, Start as Begin, Store};
use chat_types::event::{Change, Message, SeqChange};
use chat_types::id::{Epoch, MessageId, Number, RequestId, RoomId, Seq, UserId};
use chat_types::limits::REPLAY;
use chat_types::problem::ErrorCode;
use chat_types::room::{Member, MembersSummary, Room};
use chat_types::ws::Subbed;
use serde::Serialize;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::codec::Doc;
use crate::error::ApiError;
use crate::rooms::Place;

/// How long a start is given to those who come.
const FRESH: Duration = Duration::from_secs(1);
/// Bytes that starts take at most; beyond that the oldest go first.
const KEPT_BYTES: usize = 16 * 1024 * 1024;
/// Starts that are kept at most.
const KEPT_STARTS: usize = 4096;
/// Users with reactions of their own in a start at most; where more reacted, each reader has their own
/// read from the store.
const REACTORS: u32 = 1_000;

/// Which start: of which instant of which room, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    room: RoomId,
    epoch: Epoch,
    head: Seq,
    from: Origin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Origin {
    /// Everything after this.
    Since(Seq),
    /// At most so many of the newest messages.
    Newest(u32),
}

impl Origin {
    /// Where a reader with this cursor starts who finds the room so.
    fn of(place: &Place, cursor: Option<&Cursor>, tail: u32) -> Self {
        let record = &place.record;
        match cursor {
            Some(cursor) if cursor.epoch == record.epoch && cursor.since <= record.head => {
                Self::Since(cursor.since)
            }
            _ => Self::Newest(tail),
        }
    }

    fn cursor(self, epoch: &Epoch) -> (Option<Cursor>, u32) {
        match self {
            Self::Since(since) => {
                let epoch = epoch.clone();
                (Some(Cursor { epoch, since }), 0)
            }
            Self::Newest(tail) => (None, tail),
        }
    }
}

/// What the readers of a room at one instant get, without what is each reader's own.
#[derive(Debug)]
pub(super) struct Start {
    /// The fields that all share, as a JSON object.
    common: String,
    /// Whose own reactions are in it: they get another.
    reactors: HashSet<UserId>,
    /// Whether it goes on from where the reader was.
    recovered: bool,
}

impl Start {
    /// Whether it is the same for this reader as for everybody.
    pub(super) fn is_for(&self, reader: Option<UserId>) -> bool {
        reader.is_none_or(|reader| !self.reactors.contains(&reader))
    }

    /// Whether it goes on from where the reader was, other than from the newest messages.
    pub(super) fn recovered(&self) -> bool {
        self.recovered
    }

    /// The `subbed` for one reader.
    pub(super) fn for_reader(&self, id: RequestId, own: Option<&OwnPlace>) -> Doc {
        let own = Own {
            t: "subbed",
            id,
            read: own.map_or(Number(0), |own| own.read),
            me: own.map(|own| &own.member),
        };
        join(&object(&own), &self.common).into()
    }
}

/// The fields of [`Subbed`] that are a reader's own, and the document's tag.
#[derive(Serialize)]
struct Own<'a> {
    t: &'static str,
    id: RequestId,
    read: Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    me: Option<&'a Member>,
}

/// The others.
#[derive(Serialize)]
struct Common<'a> {
    room: &'a Room,
    epoch: &'a Epoch,
    head: Seq,
    recovered: bool,
    #[serde(skip_serializing_if = "<[SeqChange]>::is_empty")]
    changes: &'a [SeqChange],
    #[serde(skip_serializing_if = "<[Message]>::is_empty")]
    messages: &'a [Message],
    more_before: bool,
    last_number: Number,
    members: &'a MembersSummary,
}

impl<'a> Common<'a> {
    fn of(subbed: &'a Subbed) -> Self {
        // All fields by name: a new one is either common or a reader's own.
        let Subbed {
            id: _,
            read: _,
            me: _,
            room,
            epoch,
            head,
            recovered,
            changes,
            messages,
            more_before,
            last_number,
            members,
        } = subbed;
        Self {
            room,
            epoch,
            head: *head,
            recovered: *recovered,
            changes,
            messages,
            more_before: *more_before,
            last_number: *last_number,
            members,
        }
    }
}

fn object(fields: &impl Serialize) -> String {
    serde_json::to_string(fields).expect("wire types always serialize")
}

/// One JSON object with the fields of two, neither of which is empty.
fn join(first: &str, second: &str) -> String {
    let (first, second) = (&first[..first.len() - 1], &second[1..]);
    [first, ",", second].concat()
}

/// The `subbed` that a snapshot makes.
pub(super) fn subbed(id: RequestId, snapshot: Snapshot) -> Subbed {
    let (recovered, changes, messages, more_before) = match snapshot.start {
        Begin::Resumed(changes) => (true, changes, Vec::new(), false),
        Begin::Fresh {
            messages,
            more_before,
        } => (false, Vec::new(), messages, more_before),
    };
    Subbed {
        id,
        room: snapshot.record.room,
        epoch: snapshot.record.epoch,
        head: snapshot.record.head,
        recovered,
        changes,
        messages,
        more_before,
        last_number: snapshot.record.last_number,
        read: snapshot.read,
        me: snapshot.me,
        members: snapshot.members,
    }
}

/// What reading a start came to.
type Found = Result<Read, ApiError>;

#[derive(Clone)]
enum Read {
    Start(Arc<Start>),
    /// The room has moved on since the reader looked.
    Moved,
    /// More was missed than is replayed: the newest messages are what to start from.
    TooMuchMissed,
    /// It is another one for too many.
    NotShared,
}

struct Kept {
    cell: Arc<OnceCell<Found>>,
    at: Instant,
    bytes: usize,
}

#[derive(Default)]
struct State {
    kept: HashMap<Key, Kept>,
    /// In the order in which they were begun.
    order: VecDeque<(Key, Instant)>,
    bytes: usize,
}

/// What came of asking for a start.
pub(super) enum Answer {
    /// This is what everybody gets who finds the room so.
    Start(Arc<Start>),
    /// Look at the room again: it has moved on.
    Moved,
    /// Read the store: the reader's start is their own.
    Own,
}

/// The starts that are given now.
pub(super) struct Starts {
    store: Arc<dyn Store>,
    state: Mutex<State>,
}

impl Starts {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            state: Mutex::default(),
        }
    }

    /// The start of a reader who has just found the room so. However many ask at once, the store is
    /// read once.
    pub(super) async fn of(
        &self,
        place: &Place,
        reader: Option<UserId>,
        cursor: Option<&Cursor>,
        tail: u32,
    ) -> Result<Answer, ApiError> {
        let mut found = self.find(place, Origin::of(place, cursor, tail)).await?;
        if let Read::TooMuchMissed = found {
            found = self.find(place, Origin::Newest(tail)).await?;
        }
        Ok(match found {
            Read::Start(start) if start.is_for(reader) => Answer::Start(start),
            Read::Start(_) | Read::TooMuchMissed | Read::NotShared => Answer::Own,
            Read::Moved => Answer::Moved,
        })
    }

    async fn find(&self, place: &Place, from: Origin) -> Found {
        let record = &place.record;
        let key = Key {
            room: record.room.id,
            epoch: record.epoch.clone(),
            head: record.head,
            from,
        };
        let cell = self.lock().cell(&key, Instant::now());
        cell.get_or_init(|| self.read(&key, &cell)).await.clone()
    }

    /// Forgets what is not given any more.
    pub(super) fn trim(&self) {
        self.lock().trim(Instant::now());
    }

    async fn read(&self, key: &Key, cell: &Arc<OnceCell<Found>>) -> Found {
        let found = self.read_store(key).await;
        let bytes = match &found {
            Ok(Read::Start(start)) => start.common.len(),
            // What failed may succeed for the next one.
            Err(_) | Ok(Read::Moved) => {
                self.lock().forget(key, cell);
                return found;
            }
            Ok(Read::TooMuchMissed | Read::NotShared) => 0,
        };
        self.lock().weigh(key, cell, bytes);
        found
    }

    async fn read_store(&self, key: &Key) -> Found {
        let (cursor, tail) = key.from.cursor(&key.epoch);
        let store = &self.store;
        let snapshot = store
            .snapshot(key.room, None, cursor, tail, REPLAY)
            .await?
            .ok_or(ApiError::new(ErrorCode::NotFound))?;
        if (&snapshot.record.epoch, snapshot.record.head) != (&key.epoch, key.head) {
            return Ok(Read::Moved);
        }
        if let (Origin::Since(_), Begin::Fresh { .. }) = (key.from, &snapshot.start) {
            return Ok(Read::TooMuchMissed);
        }
        let subbed = subbed(RequestId(0), snapshot);
        let reacted = reacted_to(&subbed);
        let reactors = match reacted.as_slice() {
            [] => Vec::new(),
            // A reaction that comes or goes meanwhile is an event behind this start.
            some => store.reactors(some, REACTORS + 1).await?,
        };
        if reactors.len() > REACTORS as usize {
            return Ok(Read::NotShared);
        }
        Ok(Read::Start(Arc::new(Start {
            common: object(&Common::of(&subbed)),
            recovered: subbed.recovered,
            reactors: reactors.into_iter().collect(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The messages under which somebody has a reaction.
fn reacted_to(subbed: &Subbed) -> Vec<MessageId> {
    let changed = subbed.changes.iter().filter_map(|it| match &it.change {
        Change::Message { message } => Some(&**message),
        _ => None,
    });
    let messages = subbed.messages.iter().chain(changed);
    let reacted = messages.filter(|message| !message.reactions.is_empty());
    reacted.map(|message| message.id).collect()
}

impl State {
    fn cell(&mut self, key: &Key, now: Instant) -> Arc<OnceCell<Found>> {
        self.trim(now);
        if let Some(kept) = self.kept.get(key) {
            return kept.cell.clone();
        }
        let cell = Arc::<OnceCell<Found>>::default();
        let kept = Kept {
            cell: cell.clone(),
            at: now,
            bytes: 0,
        };
        self.kept.insert(key.clone(), kept);
        self.order.push_back((key.clone(), now));
        cell
    }

    fn trim(&mut self, now: Instant) {
        while let Some((key, at)) = self.order.front() {
            let is_too_much = self.bytes > KEPT_BYTES || self.order.len() > KEPT_STARTS;
            if now - *at < FRESH && !is_too_much {
                return;
            }
            if self.kept.get(key).is_some_and(|kept| kept.at == *at)
                && let Some(kept) = self.kept.remove(key)
            {
                self.bytes -= kept.bytes;
            }
            self.order.pop_front();
        }
    }

    fn weigh(&mut self, key: &Key, cell: &Arc<OnceCell<Found>>, bytes: usize) {
        let kept = self.kept.get_mut(key);
        if let Some(kept) = kept.filter(|kept| Arc::ptr_eq(&kept.cell, cell)) {
            kept.bytes = bytes;
            self.bytes += bytes;
        }
    }

    fn forget(&mut self, key: &Key, cell: &Arc<OnceCell<Found>>) {
        if self
            .kept
            .get(key)
            .is_some_and(|it| Arc::ptr_eq(&it.cell, cell))
        {
            self.kept.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
