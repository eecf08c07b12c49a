//! Following rooms: subscribe, resume, repair gaps, apply events.

use chat_types::event::{Change, Event};
use chat_types::id::{ClientId, Number, RoomId, Seq};
use chat_types::limits::{GREETING_ROOMS, SYNC_PAGE};
use chat_types::room::History;
use chat_types::time::Timestamp;
use chat_types::ws::{Command, Err, Head, Page, Subbed, UnsubReason};

use super::{Client, Request};
use crate::effect::RoomChange;
use crate::room::{Applied, Next, RoomState, RoomStatus, Source};
use crate::row::RowKey;

/// The first pause after the server could not let the user follow; each one after it is twice as long.
const RETRY_BASE_MS: u64 = 500;
/// No pause is longer.
const RETRY_CAP_MS: u64 = 30_000;

impl Client {
    pub(super) fn open_room(
        &mut self,
        now: Timestamp,
        room: RoomId,
        tail: u32,
        page: Option<Box<History>>,
    ) {
        if let Some(state) = self.rooms.get_mut(room) {
            state.tail = tail;
            if matches!(state.status, RoomStatus::Refused(_) | RoomStatus::Ended(_)) {
                self.subscribe(now, room);
            }
            return;
        }
        let mut state = RoomState::new(tail);
        if let Some(page) = page.filter(|page| !page.more_after) {
            state.last_number = page.messages.last().map_or(Number(0), |last| last.number);
            state.timeline.more_before = page.more_before;
            state
                .timeline
                .replace(page.messages, self.user.as_ref().map(|user| user.id));
            state.feed.advance(page.head);
            state.epoch = Some(page.epoch);
        }
        self.rooms.insert(room, state);
        self.take_confirmed(room, Vec::new());
        self.notify_room(room, RoomChange::Reset);
        self.subscribe(now, room);
    }

    pub(super) fn close_room(&mut self, now: Timestamp, room: RoomId) {
        if self.rooms.remove(room).is_none() {
            return;
        }
        for client_id in self.outbox.accepted(room) {
            self.outbox.remove(client_id);
        }
        if self.is_online() {
            self.ask(now, Request::Unsub, |id| Command::Unsub { id, room });
        }
    }

    /// Asks for the first rooms in the same frame as the greeting.
    pub(super) fn subscribe_with_greeting(&mut self, now: Timestamp) {
        for room in self.rooms_to_ask().into_iter().take(GREETING_ROOMS) {
            self.ask_for_room(now, room);
        }
    }

    /// Asks for all rooms but those that were asked for with the greeting.
    pub(super) fn subscribe_all(&mut self, now: Timestamp) {
        for room in self.rooms_to_ask() {
            self.ask_for_room(now, room);
        }
    }

    fn rooms_to_ask(&self) -> Vec<RoomId> {
        let to_ask = |room: &RoomId| {
            let state = self.rooms.get(*room);
            state.is_some_and(|state| {
                state.feed.sub.is_none() && !matches!(state.status, RoomStatus::Ended(_))
            })
        };
        self.rooms.keys().filter(to_ask).collect()
    }

    pub(super) fn subscribe(&mut self, now: Timestamp, room: RoomId) {
        if self.is_online() {
            self.ask_for_room(now, room);
        }
    }

    fn ask_for_room(&mut self, now: Timestamp, room: RoomId) {
        let Some(state) = self.rooms.get_mut(room) else {
            return;
        };
        state.feed.retry_at = None;
        let tail = state.tail;
        let since = state.cursor();
        let epoch = since.and(state.epoch.clone());
        let id = self.ask(now, Request::Sub(room), |id| Command::Sub {
            id,
            room,
            epoch,
            since,
            tail,
        });
        if let Some(state) = self.rooms.get_mut(room) {
            state.feed.sub = Some(id);
        }
        self.set_status(room, RoomStatus::Loading);
    }

    pub(super) fn subbed(&mut self, now: Timestamp, subbed: Subbed) {
        let Some(Request::Sub(room)) = self.answered(subbed.id) else {
            return;
        };
        let user = self.user.as_ref().map(|user| user.id);
        let Some(state) = self.rooms.get_mut(room) else {
            // It was closed while the greeting was under way, when nothing could take the `sub` back.
            self.ask(now, Request::Unsub, |id| Command::Unsub { id, room });
            return;
        };
        if state.feed.sub != Some(subbed.id) {
            return;
        }
        state.feed.sub = None;
        let resumed = subbed.recovered
            && state.cursor().is_some()
            && state.epoch.as_ref() == Some(&subbed.epoch);
        let restored = state.epoch.as_ref().is_some_and(|e| *e != subbed.epoch);
        let mut applied = Applied::default();
        if resumed {
            for change in subbed.changes {
                state.note(change.seq, &change.change);
                state.apply(
                    user,
                    change.seq,
                    change.change,
                    Source::Compacted,
                    &mut applied,
                );
            }
        } else {
            let own = subbed.messages.iter();
            let own = own.filter(|message| user == Some(message.author.id));
            applied.own.extend(own.map(|message| message.client_id));
            state.loading = None;
            state.history = crate::room::HistoryState::Idle;
            state.feed.forget();
            state.timeline.more_before = subbed.more_before
                || (subbed.messages.is_empty() && subbed.last_number > Number(0));
            state.timeline.more_after = false;
            state.timeline.replace(subbed.messages, user);
            state.last_number = subbed.last_number;
            if restored {
                state.read = Number(0);
            }
        }
        state.epoch = Some(subbed.epoch);
        state.feed.advance(subbed.head);
        state.feed.complete();
        state.last_number = state.last_number.max(subbed.last_number);
        state.room = Some(subbed.room);
        state.members = subbed.members;
        state.me = subbed.me;
        if state.read > subbed.read {
            state.read_mark.unsent = true;
        }
        state.read = state.read.max(subbed.read);
        applied
            .changes
            .extend([RoomChange::Meta, RoomChange::Members, RoomChange::Read]);
        if !resumed {
            applied.changes = vec![RoomChange::Reset];
        }
        self.applied(room, applied);
        if restored {
            for client_id in self.outbox.accepted(room) {
                self.outbox.remove(client_id);
            }
        }
        self.settle(room);
        self.set_status(room, RoomStatus::Live);
        if self.apply_early(room) {
            self.sync(now, room);
        }
    }

    pub(super) fn sub_refused(&mut self, now: Timestamp, room: RoomId, error: &Err) {
        let pause = self.pause(error.retry_after_ms, room);
        let Some(state) = self.rooms.get_mut(room) else {
            return;
        };
        state.feed.sub = None;
        if error.retry {
            state.feed.retry_at = Some(now.plus_ms(pause));
        } else {
            self.set_status(room, RoomStatus::Refused(error.code));
        }
    }

    pub(super) fn event(&mut self, now: Timestamp, event: Event) {
        let Event {
            room, seq, change, ..
        } = event;
        let Some(state) = self.rooms.get_mut(room) else {
            return;
        };
        match state.feed.next(seq) {
            Next::Ignore => {}
            Next::Apply => self.apply_next(room, seq, change),
            Next::Wait => state.feed.keep(seq, change),
            Next::Repair => {
                state.feed.keep(seq, change);
                self.sync(now, room);
            }
        }
    }

    /// The newest places of rooms: a lost tail shows here.
    pub(super) fn heads(&mut self, now: Timestamp, heads: &[Head]) {
        for head in heads {
            let behind = self
                .rooms
                .get(head.room)
                .and_then(RoomState::cursor)
                .is_some_and(|cursor| head.seq > cursor);
            if behind {
                self.sync(now, head.room);
            }
        }
    }

    pub(super) fn resync(&mut self, now: Timestamp, room: RoomId) {
        let Some(state) = self.rooms.get_mut(room) else {
            return;
        };
        if state.feed.sync.is_some() {
            state.feed.again = true;
        } else {
            self.sync(now, room);
        }
    }

    /// Fetches what is missing after the cursor, unless a snapshot or a page is under way already.
    fn sync(&mut self, now: Timestamp, room: RoomId) {
        let Some(state) = self.rooms.get(room) else {
            return;
        };
        let waits = state.feed.retry_at.is_some();
        let (None, None, Some(after), false) =
            (state.feed.sync, state.feed.sub, state.cursor(), waits)
        else {
            return;
        };
        let id = self.ask(now, Request::Sync(room), |id| Command::Sync {
            id,
            room,
            after,
            limit: SYNC_PAGE,
        });
        if let Some(state) = self.rooms.get_mut(room) {
            state.feed.sync = Some(id);
        }
        self.set_status(room, RoomStatus::CatchingUp);
    }

    pub(super) fn page(&mut self, now: Timestamp, page: Page) {
        let Some(Request::Sync(room)) = self.answered(page.id) else {
            return;
        };
        let user = self.user.as_ref().map(|user| user.id);
        let Some(state) = self.rooms.get_mut(room) else {
            return;
        };
        if state.feed.sync != Some(page.id) {
            return;
        }
        state.feed.sync = None;
        if state.epoch.as_ref() != Some(&page.epoch) {
            state.feed.forget();
            self.subscribe(now, room);
            return;
        }
        let before = state.cursor();
        let mut applied = Applied::default();
        for change in page.changes {
            state.note(change.seq, &change.change);
            state.apply(
                user,
                change.seq,
                change.change,
                Source::Compacted,
                &mut applied,
            );
        }
        state.feed.advance(page.upto);
        state.feed.partial = page.more;
        let moved = state.cursor() != before;
        self.applied(room, applied);
        self.settle(room);
        if page.more && moved {
            self.sync(now, room);
        } else {
            self.caught_up(now, room, moved);
        }
    }

    fn caught_up(&mut self, now: Timestamp, room: RoomId, moved: bool) {
        let Some(state) = self.rooms.get_mut(room) else {
            return;
        };
        if state.feed.partial {
            // A page that promises more and brings nothing: start over rather than ask for ever.
            state.feed.partial = false;
            state.feed.forget();
            self.subscribe(now, room);
            return;
        }
        let again = std::mem::take(&mut state.feed.again);
        if moved {
            state.feed.complete();
        }
        self.set_status(room, RoomStatus::Live);
        let gap = self.apply_early(room);
        if (gap || again) && moved {
            self.sync(now, room);
        } else if gap || again {
            // Events are ahead of what the server reads: give its copy of the store a moment.
            let pause = self.pause(None, room);
            if let Some(state) = self.rooms.get_mut(room) {
                state.feed.retry_at = Some(now.plus_ms(pause));
            }
        }
    }

    /// A new subscription repairs what a page would have, or says why it may not.
    pub(super) fn sync_refused(&mut self, now: Timestamp, room: RoomId, error: &Err) {
        let pause = self.pause(error.retry_after_ms, room);
        if let Some(state) = self.rooms.get_mut(room) {
            state.feed.sync = None;
            state.feed.retry_at = Some(now.plus_ms(pause));
        }
    }

    pub(super) fn unsubbed(&mut self, now: Timestamp, room: RoomId, reason: UnsubReason) {
        let Some(state) = self.rooms.get_mut(room) else {
            return;
        };
        state.feed.disconnected();
        if reason == UnsubReason::EpochReset {
            state.feed.forget();
            let pause = self.pause(None, room);
            if let Some(state) = self.rooms.get_mut(room) {
                state.feed.retry_at = Some(now.plus_ms(pause));
            }
            self.set_status(room, RoomStatus::Loading);
        } else {
            self.set_status(room, RoomStatus::Ended(reason));
        }
    }

    pub(super) fn rooms_disconnected(&mut self) {
        let rooms: Vec<RoomId> = self.rooms.keys().collect();
        for room in rooms {
            let Some(state) = self.rooms.get_mut(room) else {
                continue;
            };
            state.feed.disconnected();
            if matches!(state.status, RoomStatus::Live | RoomStatus::CatchingUp) {
                self.set_status(room, RoomStatus::Loading);
            }
        }
    }

    /// What was read belongs to another user: it is neither shown nor resumed.
    pub(super) fn forget_rooms(&mut self) {
        let rooms: Vec<RoomId> = self.rooms.keys().collect();
        for room in rooms {
            if let Some(state) = self.rooms.get_mut(room) {
                *state = RoomState::new(state.tail);
            }
            self.notify_room(room, RoomChange::Reset);
        }
    }

    pub(super) fn set_status(&mut self, room: RoomId, status: RoomStatus) {
        let Some(state) = self.rooms.get_mut(room) else {
            return;
        };
        if state.status != status {
            state.status = status;
            self.notify_room(room, RoomChange::Status);
        }
    }

    fn apply_next(&mut self, room: RoomId, seq: Seq, change: Change) {
        let user = self.user.as_ref().map(|user| user.id);
        let Some(state) = self.rooms.get_mut(room) else {
            return;
        };
        let mut applied = Applied::default();
        state.note(seq, &change);
        let author = match &change {
            Change::Message { message } => Some(message.author.id),
            _ => None,
        };
        let own = author.is_some() && author == user;
        if let Some(author) = author {
            state.note_writing(author, self.clock.now());
        }
        state.apply(user, seq, change, Source::Live, &mut applied);
        state.feed.advance(seq);
        if own && state.read < state.last_number {
            // Who writes below the others' messages has seen them.
            state.read = state.last_number;
            state.read_mark.unsent = true;
            applied.changes.push(RoomChange::Read);
        }
        self.applied(room, applied);
        self.settle(room);
    }

    /// Applies early events that are next now. Returns whether others remain behind a gap.
    fn apply_early(&mut self, room: RoomId) -> bool {
        while let Some((seq, change)) = self
            .rooms
            .get_mut(room)
            .and_then(|state| state.feed.take_next())
        {
            self.apply_next(room, seq, change);
        }
        let state = self.rooms.get(room);
        state.is_some_and(|state| state.feed.has_early())
    }

    /// Tells the view, and takes own messages that the feed has brought out of the outbox.
    pub(super) fn applied(&mut self, room: RoomId, applied: Applied) {
        let confirmed = self.take_confirmed(room, applied.own);
        for change in applied.changes {
            let replaces = match &change {
                RoomChange::Inserted { keys, .. } => keys.iter().all(|key| confirmed.contains(key)),
                _ => false,
            };
            if !replaces {
                self.notify_room(room, change);
            }
        }
        for key in confirmed {
            self.notify_room(room, RoomChange::Confirmed(key));
        }
        if applied.renamed.is_some() {
            self.user = applied.renamed;
        }
    }

    /// Takes messages out of the outbox that the feed, or a page of history, has brought.
    pub(super) fn take_confirmed(&mut self, room: RoomId, own: Vec<ClientId>) -> Vec<RowKey> {
        let Some(state) = self.rooms.get(room) else {
            return Vec::new();
        };
        let waiting = self.outbox.items().iter().filter(|item| item.room == room);
        let arrived = waiting
            .map(|item| item.client_id)
            .filter(|id| own.contains(id) || state.timeline.own.contains_key(id));
        let arrived: Vec<ClientId> = arrived.collect();
        for client_id in &arrived {
            self.outbox.remove(*client_id);
        }
        arrived.into_iter().map(RowKey::Own).collect()
    }

    /// Accepted messages up to the cursor are in the timeline, or outside of what it holds. Between
    /// two pages that is not so: a row that was changed since may come with a later one.
    pub(super) fn settle(&mut self, room: RoomId) {
        let state = self.rooms.get(room).filter(|state| !state.feed.partial);
        let Some(cursor) = state.and_then(RoomState::cursor) else {
            return;
        };
        for client_id in self.outbox.settled(room, cursor) {
            self.outbox.remove(client_id);
            self.notify_room(room, RoomChange::Confirmed(RowKey::Own(client_id)));
        }
    }

    fn pause(&mut self, retry_after_ms: Option<u64>, room: RoomId) -> u64 {
        let refusals = self.rooms.get_mut(room).map_or(0, |state| {
            let refusals = state.feed.refusals;
            state.feed.refusals = refusals.saturating_add(1);
            refusals
        });
        let longest = RETRY_BASE_MS
            .saturating_mul(1 << refusals.min(16))
            .min(RETRY_CAP_MS);
        let jittered = longest / 2 + self.rng.up_to(longest / 2);
        jittered.max(retry_after_ms.unwrap_or(0))
    }
}

impl RoomState {
    /// Remembers a change for a page of history that is on its way.
    fn note(&mut self, seq: Seq, change: &Change) {
        if let Some(loading) = &mut self.loading {
            loading.note(seq, change);
        }
    }
}
