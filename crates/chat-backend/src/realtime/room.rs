//! A room that somebody on this node reads: its ring, its readers and its ephemeral news.
//!
//! Everything here happens under one short lock that is never held across an await. Publishing
//! wakes the readers who were up to date, in a crowd some at a time; what a reader gets is taken by
//! its own task, from its own place.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use chat_types::event::User;
use chat_types::id::{ConnectionId, Epoch, RoomId, Seq, UserId};
use chat_types::ws::{Ephemeral, ServerDoc, UnsubReason};
use indexmap::IndexMap;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

use super::codec::{Doc, Frame, encode};
use super::mailbox::{Mailbox, Order};
use super::message::{NodeId, Share};
use super::presence::Presence;
use super::ring::{Budget, Next, Ring};
use crate::metrics;

/// One user's typing is told once in this time per room.
pub(super) const TYPING_EVERY: Duration = Duration::from_secs(3);
/// Readers forget typing after this time, and so does the room.
const TYPING_LASTS: Duration = Duration::from_secs(5);
/// Users whose typing is told at once.
const TYPING_USERS: usize = 16;
/// Above this number of readers nobody is told who types: each telling is a write per reader.
const TYPING_READERS: usize = 500;
/// Places that a repair fills one by one; a wider gap sends readers to the store.
const FILLED_PLACES: u64 = 500;
/// Readers that are woken at once. Of a crowd, the others are woken by a task of its own, as soon as
/// half of those before have taken what there is: so other rooms never stand in line behind more.
const WOKEN_AT_ONCE: usize = 32;
/// Unless they do not take it: then the next are woken after this time.
const WAKING_PATIENCE: Duration = Duration::from_millis(5);
/// For how long the answers to other nodes that ask who is here are collected.
pub(super) const ANSWER_DEBOUNCE: Duration = Duration::from_millis(50);

struct Reader {
    mailbox: Arc<Mailbox>,
    viewer: Option<UserId>,
    present: bool,
    told: bool,
    /// With which of a crowd's groups the reader was woken last.
    group: u64,
}

struct Typing {
    version: u64,
    user: UserId,
    doc: Doc,
    at: Instant,
}

/// What was told of who is here.
#[derive(Default)]
struct Told {
    /// To the readers, last.
    doc: Option<(u64, Doc)>,
    /// When that was.
    at: Option<Instant>,
    /// To the other nodes, last.
    shared: (u32, Vec<User>),
    /// Readers and nodes are told soon.
    is_due: bool,
    /// Nodes that asked are answered soon.
    is_answer_due: bool,
}

struct State {
    room: RoomId,
    ring: Ring,
    epoch: Option<Epoch>,
    /// The newest `seq` that the store is known to have.
    known: Seq,
    repairing: bool,
    readers: IndexMap<ConnectionId, Reader>,
    /// The last reader has left, and nobody comes any more: the room is made anew.
    closed: bool,
    waking: Waking,
    /// The group of a crowd that was woken last, and how many of it have not taken anything yet.
    group: u64,
    group_left: usize,
    presence: Presence,
    told: Told,
    typing: Vec<Typing>,
    version: u64,
}

/// How far the readers of a crowd are woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waking {
    /// Everybody was told.
    Done,
    /// A task is at it.
    Underway,
    /// It is, and there is news for those who were told before.
    Again,
}

/// A room with readers on this node.
pub(super) struct ActiveRoom {
    pub(super) id: RoomId,
    me: Weak<ActiveRoom>,
    tasks: TaskTracker,
    /// Half of a crowd's group has taken what there is.
    taken: Notify,
    state: Mutex<State>,
}

/// A reader's place in a room.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The next event that the reader gets.
    pub(super) next: Seq,
    /// The newest ephemeral news that the reader has had.
    seen: u64,
    /// The reader fell out and pulls pages: events wait until it has caught up.
    pub(super) paused: bool,
}

impl Place {
    pub(super) const fn after(head: Seq) -> Self {
        Self {
            next: head.next(),
            seen: 0,
            paused: false,
        }
    }
}

/// How far a reader came with one frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// There is nothing more for now.
    All,
    /// The frame is full.
    More,
    /// The reader's place is gone: it has to pull pages.
    FellOut,
}

/// What a reader leaves behind.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Nobody.
    Empty,
    /// Others, who saw the reader.
    Fewer,
    /// Others, who did not: the reader was never let in.
    Same,
}

/// What the caller of a change has to start.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Repair {
    Needed,
    NotNeeded,
}

impl ActiveRoom {
    pub(super) fn new(id: RoomId, budget: Budget, tasks: TaskTracker) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            id,
            me: me.clone(),
            tasks,
            taken: Notify::new(),
            state: Mutex::new(State {
                room: id,
                ring: Ring::new(budget),
                epoch: None,
                known: Seq::ZERO,
                repairing: false,
                readers: IndexMap::new(),
                closed: false,
                waking: Waking::Done,
                group: 0,
                group_left: 0,
                presence: Presence::default(),
                told: Told::default(),
                typing: Vec::new(),
                version: 0,
            }),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the readers: a few at once, a crowd by a task.
    fn tell_readers(&self, state: &mut State) {
        let began = Instant::now();
        let is_underway = state.waking != Waking::Done;
        if let Some(room) = state.tell_readers().then(|| self.me.upgrade()).flatten() {
            self.tasks.spawn(async move { room.wake_crowd().await });
        } else if !is_underway {
            metrics::fanned_out(began.elapsed());
        }
    }

    /// Wakes every reader, some at a time.
    async fn wake_crowd(&self) {
        loop {
            let began = Instant::now();
            let mut left = self.lock().begin_waking();
            while left > 0 {
                let woken;
                (left, woken) = self.lock().wake_some(left);
                if woken > WOKEN_AT_ONCE / 2 {
                    let _ = timeout(WAKING_PATIENCE, self.taken.notified()).await;
                } else {
                    yield_now().await;
                }
            }
            metrics::fanned_out(began.elapsed());
            if self.lock().end_waking() {
                return;
            }
        }
    }

    /// Adds a reader, before the snapshot is read from which it will start, so that nothing between
    /// the two is lost; false when the room has been closed since it was looked up.
    pub(super) fn attach(&self, mailbox: Arc<Mailbox>, viewer: Option<UserId>) -> bool {
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        let reader = Reader {
            viewer,
            present: false,
            told: false,
            group: 0,
            mailbox,
        };
        state.readers.insert(reader.mailbox.id, reader);
        true
    }

    /// Removes a reader. The last one closes the room.
    pub(super) fn detach(&self, id: ConnectionId) -> Left {
        let mut state = self.lock();
        let reader = state.readers.swap_remove(&id);
        let reader = reader.filter(|reader| reader.present);
        if let Some(reader) = &reader {
            state.presence.leave(reader.viewer);
        }
        state.closed = state.readers.is_empty();
        match (state.closed, reader) {
            (true, _) => Left::Empty,
            (false, Some(_)) => Left::Fewer,
            (false, None) => Left::Same,
        }
    }

    /// Starts a reader after the snapshot: at `head` of the history `epoch`.
    pub(super) fn start(
        &self,
        id: ConnectionId,
        viewer: Option<&User>,
        head: Seq,
        epoch: &Epoch,
    ) -> (Place, Repair) {
        let mut state = self.lock();
        if state.epoch.as_ref() != Some(epoch) {
            state.change_epoch(Some(id), epoch, head);
        }
        if state.ring.anchor(head) {
            self.tell_readers(&mut state);
        }
        state.known = state.known.max(head);
        state.show(id, viewer);
        (Place::after(head), state.begin_repair())
    }

    /// The reader is somebody else now: a visitor who joined, or a user with another name.
    pub(super) fn identify(&self, id: ConnectionId, viewer: &User) {
        let mut state = self.lock();
        let shown = state.readers.get(&id).filter(|reader| reader.present);
        if let Some(before) = shown.map(|reader| reader.viewer) {
            state.presence.leave(before);
            state.show(id, Some(viewer));
        }
    }

    /// Takes an event in and wakes readers.
    pub(super) fn insert(&self, seq: Seq, doc: Doc) -> Repair {
        let mut state = self.lock();
        state.known = state.known.max(seq);
        if state.ring.insert(seq, doc) {
            self.tell_readers(&mut state);
        }
        state.begin_repair()
    }

    /// Learns that the store is at `head`.
    pub(super) fn note_head(&self, head: Seq) -> Repair {
        let mut state = self.lock();
        state.known = state.known.max(head);
        state.begin_repair()
    }

    /// After which place a repair has to read; `None` ends the repair.
    pub(super) fn repair_after(&self) -> Option<Seq> {
        let mut state = self.lock();
        if !state.is_behind() || state.readers.is_empty() {
            state.repairing = false;
            return None;
        }
        state.ring.head()
    }

    /// The repair ends although the room may still be behind.
    pub(super) fn give_up_repair(&self) {
        self.lock().repairing = false;
    }

    /// Closes a gap with the changes `found` in the store, which has been read up to `upto`. Where
    /// they do not tell the whole gap, readers are sent to the store, each for their own view.
    pub(super) fn fill(&self, epoch: &Epoch, upto: Seq, found: BTreeMap<Seq, Doc>) {
        let mut state = self.lock();
        if state.epoch.as_ref() != Some(epoch) {
            state.change_epoch(None, epoch, upto);
            return;
        }
        // What is newer than the newest known change is on its way.
        let upto = upto.min(state.known);
        let head = state.ring.head().unwrap_or(upto);
        let is_narrow = upto.0.saturating_sub(head.0) <= FILLED_PLACES;
        if !is_narrow || !state.ring.fill(upto, found) {
            let known = state.known;
            state.ring.reset(known);
        }
        self.tell_readers(&mut state);
    }

    /// Puts what a reader has not had into a frame.
    pub(super) fn take(
        &self,
        id: ConnectionId,
        place: &mut Place,
        idle: bool,
        frame: &mut Frame,
    ) -> Taken {
        let mut state = self.lock();
        if state.reader_takes(id) {
            self.taken.notify_one();
        }
        let first = place.next;
        let taken = state.take_events(place, frame);
        if place.next > first {
            metrics::delivered(place.next.0 - first.0, || state.ring.came_at(first));
        }
        if taken == Taken::All && !idle {
            state.take_ephemerals(id, place, frame);
            place.seen = state.version;
        }
        taken
    }

    /// A user is typing. Told at most once in 3 seconds, and in no crowd; whether it was told.
    pub(super) fn typing(&self, user: &User, now: Instant) -> bool {
        let mut state = self.lock();
        state.typing.retain(|typing| now - typing.at < TYPING_LASTS);
        let recent = |typing: &Typing| typing.user == user.id && now - typing.at < TYPING_EVERY;
        if state.readers.len() > TYPING_READERS
            || state.typing.len() >= TYPING_USERS
            || state.typing.iter().any(recent)
        {
            return false;
        }
        state.typing.retain(|typing| typing.user != user.id);
        state.version += 1;
        let typing = Typing {
            version: state.version,
            user: user.id,
            doc: encode(&ServerDoc::Eph {
                room: self.id,
                data: Ephemeral::Typing { user: user.clone() },
            }),
            at: now,
        };
        state.typing.push(typing);
        self.tell_readers(&mut state);
        true
    }

    /// For how long to collect changes of presence before telling them; `None` when somebody
    /// collects already. `alone`: there are no other nodes.
    pub(super) fn collect_presence(&self, alone: bool) -> Option<Duration> {
        let mut state = self.lock();
        if std::mem::replace(&mut state.told.is_due, true) {
            return None;
        }
        let (presence, told) = (&state.presence, state.told.at);
        Some(presence.debounce(told, alone, Instant::now()))
    }

    /// Tells presence, if it is not what was told last.
    pub(super) fn tell_presence(&self) {
        let mut state = self.lock();
        state.told.is_due = false;
        let doc = encode(&ServerDoc::Eph {
            room: self.id,
            data: state.presence.tell(),
        });
        // Who came again, or on a second device, changes nothing for the others.
        if matches!(&state.told.doc, Some((_, told)) if *told == doc) {
            return;
        }
        state.version += 1;
        let version = state.version;
        state.told.doc = Some((version, doc));
        state.told.at = Some(Instant::now());
        self.tell_readers(&mut state);
    }

    /// What the other nodes are to be told of who is here, as word number `version`: what is new, or
    /// all of it if `anyway`.
    pub(super) fn share(&self, version: impl FnOnce() -> u64, anyway: bool) -> Option<Share> {
        let mut state = self.lock();
        let (count, users) = state.presence.local();
        let is_new = state.told.shared != (count, users.clone());
        if !is_new && !anyway {
            return None;
        }
        state.told.shared = (count, users.clone());
        Some(Share {
            version: version(),
            epoch: state.epoch.clone(),
            head: state.ring.head().unwrap_or(Seq::ZERO),
            count,
            users,
            ask: false,
        })
    }

    /// Whether others are to be told now and then that somebody is still here.
    pub(super) fn is_present(&self) -> bool {
        self.lock().presence.local_count() > 0
    }

    /// Hears who looks at the room through another node, and how far that node is; whether the first
    /// is news.
    pub(super) fn hear(&self, node: NodeId, share: Share) -> (bool, Repair) {
        let mut state = self.lock();
        if state.epoch.is_some() && state.epoch == share.epoch {
            state.known = state.known.max(share.head);
        }
        let is_new = state.presence.hear(node, share, Instant::now());
        (is_new, state.begin_repair())
    }

    /// Forgets the readers of nodes that have said nothing for `age`; whether there were any.
    pub(super) fn forget_silent(&self, age: Duration) -> bool {
        self.lock().presence.forget_silent(age, Instant::now())
    }

    /// Whether the caller is the one who answers other nodes that ask, after collecting them.
    pub(super) fn collect_answer(&self) -> bool {
        !std::mem::replace(&mut self.lock().told.is_answer_due, true)
    }

    /// The answer is given now.
    pub(super) fn answering(&self) {
        self.lock().told.is_answer_due = false;
    }

    /// Drops events that every reader within the write time limit has had.
    pub(super) fn trim(&self, age: Duration, now: Instant) {
        self.lock().ring.drop_older_than(age, now);
    }

    /// The newest place in order, for the heads in a ping.
    pub(super) fn head(&self) -> Option<Seq> {
        self.lock().ring.head()
    }
}

impl State {
    /// Wakes the readers if they are few; true when a task has to wake them.
    fn tell_readers(&mut self) -> bool {
        if self.waking != Waking::Done {
            self.waking = Waking::Again;
            return false;
        }
        if self.readers.len() > WOKEN_AT_ONCE {
            self.waking = Waking::Underway;
            return true;
        }
        for reader in self.readers.values_mut() {
            reader.tell(self.room);
        }
        false
    }

    /// How many readers there are to be woken.
    fn begin_waking(&mut self) -> usize {
        self.waking = Waking::Underway;
        self.readers.len()
    }

    /// Wakes a group of the first `left` readers, from behind; returns how many are left then, and
    /// how many were asleep. Who leaves meanwhile gives their place to the last, who was woken before:
    /// nobody is left out. Who comes meanwhile takes a last place, and looks at the news by themselves.
    fn wake_some(&mut self, left: usize) -> (usize, usize) {
        let end = left.min(self.readers.len());
        let begin = end.saturating_sub(WOKEN_AT_ONCE);
        self.group += 1;
        self.group_left = 0;
        for index in begin..end {
            if let Some((_, reader)) = self.readers.get_index_mut(index)
                && reader.tell(self.room)
            {
                reader.group = self.group;
                self.group_left += 1;
            }
        }
        (begin, self.group_left)
    }

    /// A reader takes what there is; true when that was half of the group that was woken last.
    fn reader_takes(&mut self, id: ConnectionId) -> bool {
        let Some(reader) = self.readers.get_mut(&id) else {
            return false;
        };
        let was_told = std::mem::replace(&mut reader.told, false);
        if !was_told || reader.group != self.group || self.group_left == 0 {
            return false;
        }
        self.group_left -= 1;
        self.group_left == WOKEN_AT_ONCE / 2
    }

    /// Whether nothing happened since the waking began.
    fn end_waking(&mut self) -> bool {
        let is_done = self.waking == Waking::Underway;
        if is_done {
            self.waking = Waking::Done;
        }
        is_done
    }

    fn show(&mut self, id: ConnectionId, viewer: Option<&User>) {
        let Some(reader) = self.readers.get_mut(&id) else {
            return;
        };
        reader.viewer = viewer.map(|user| user.id);
        reader.present = true;
        self.presence.enter(viewer);
    }

    fn is_behind(&self) -> bool {
        self.ring.has_gap() || self.ring.head().is_some_and(|head| head < self.known)
    }

    fn begin_repair(&mut self) -> Repair {
        if self.repairing || !self.is_behind() {
            return Repair::NotNeeded;
        }
        self.repairing = true;
        Repair::Needed
    }

    /// The room has another history: whoever reads the old one starts afresh.
    fn change_epoch(&mut self, starting: Option<ConnectionId>, epoch: &Epoch, head: Seq) {
        if self.epoch.is_some() {
            let others = |reader: &&Reader| Some(reader.mailbox.id) != starting;
            for reader in self.readers.values().filter(others) {
                let reset = Order::Unsubscribe(self.room, UnsubReason::EpochReset);
                reader.mailbox.order(reset);
            }
            self.ring.reset(head);
            self.known = head;
        }
        self.epoch = Some(epoch.clone());
    }

    fn take_events(&mut self, place: &mut Place, frame: &mut Frame) -> Taken {
        if frame.is_empty()
            && !place.paused
            && let Some(run) = self.ring.run_at(place.next)
        {
            place.next = Seq(place.next.0 + run.documents() as u64);
            frame.begin(run);
        }
        while !place.paused {
            match self.ring.at(place.next) {
                Next::Doc(doc) if frame.has_room_for(&doc) => {
                    frame.push(doc);
                    place.next = place.next.next();
                }
                Next::Doc(_) => return Taken::More,
                Next::UpToDate => break,
                Next::FellOut => {
                    place.paused = true;
                    return Taken::FellOut;
                }
            }
        }
        Taken::All
    }

    fn take_ephemerals(&self, id: ConnectionId, place: &Place, frame: &mut Frame) {
        let viewer = self.readers.get(&id).and_then(|reader| reader.viewer);
        let presence = self.told.doc.as_ref().map(|(v, doc)| (*v, doc));
        // Who comes is told of those who type, not of those who did.
        let types = |typing: &&Typing| typing.at.elapsed() < TYPING_LASTS;
        let others = self.typing.iter().filter(|t| Some(t.user) != viewer);
        let typing = others
            .filter(types)
            .map(|typing| (typing.version, &typing.doc));
        for (version, doc) in presence.into_iter().chain(typing) {
            // Ephemeral news are the first to be dropped: what does not fit is not sent.
            if version > place.seen && frame.has_room_for(doc) {
                frame.push(doc.clone());
            }
        }
    }
}

impl Reader {
    /// Tells the reader of news; false when they know of some already.
    fn tell(&mut self, room: RoomId) -> bool {
        let is_asleep = !std::mem::replace(&mut self.told, true);
        if is_asleep {
            self.mailbox.tell(room);
        }
        is_asleep
    }
}

#[cfg(test)]
mod tests;
