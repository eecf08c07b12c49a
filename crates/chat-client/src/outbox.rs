//! Messages that wait to be sent: bounded, in order, kept over reloads.
//!
//! Of a room, one is under way at a time: were the next one under way too, it could land although the
//! one before it was refused for now, and overtake it. Little time is lost by that, since a room's
//! rate limit lets a few a second through at most.

use chat_types::decode::{self, Decode, Fields};
use chat_types::id::{ClientId, RoomId, Seq, UserId};
use chat_types::limits::Limits;
use chat_types::time::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::list_map::ListMap;
use crate::row::{Pending, PendingState};

/// The most messages that wait at once, over all rooms.
pub(crate) const CAPACITY: usize = 100;

/// Messages of a room at once, until the server has told its limit.
const BURST: u64 = 5;
/// In how many milliseconds so many may be sent again, until the server has told it.
const WINDOW_MS: u64 = 5_000;

/// How messages go to a room.
#[derive(Debug, Clone, Copy, Default)]
struct Pace {
    /// The one message that waits for its answer.
    under_way: Option<ClientId>,
    /// The server asked to wait until then.
    until: Timestamp,
    /// How often in a row it did.
    refusals: u32,
    /// When the server's bucket is full again, in microseconds, reckoned as the server does.
    full_at_us: u64,
}

/// The server's limit of one user's messages in a room: a bucket that fills over time.
#[derive(Debug, Clone, Copy)]
struct Rate {
    burst: u64,
    interval_us: u64,
}

impl Rate {
    /// A tenth slower than told, for clocks that disagree.
    fn of(burst: u64, window_ms: u64) -> Self {
        let burst = burst.max(1);
        Self {
            burst,
            interval_us: (window_ms.saturating_mul(1_100) / burst).max(1),
        }
    }

    /// When the next message finds something in the bucket.
    fn ready_at(self, pace: Pace) -> Timestamp {
        let before_full_us = self.interval_us.saturating_mul(self.burst - 1);
        let ready_us = pace.full_at_us.saturating_sub(before_full_us);
        pace.until.max(Timestamp(ready_us.div_ceil(1_000)))
    }

    fn take(self, pace: &mut Pace, now: Timestamp) {
        let now_us = now.0.saturating_mul(1_000);
        pace.full_at_us = pace.full_at_us.max(now_us).saturating_add(self.interval_us);
    }
}

impl Default for Rate {
    fn default() -> Self {
        Self::of(BURST, WINDOW_MS)
    }
}

/// The queue. It belongs to one user: nobody sends what another one wrote.
#[derive(Default)]
pub(crate) struct Outbox {
    author: Option<UserId>,
    items: Vec<Pending>,
    paces: ListMap<RoomId, Pace>,
    rate: Rate,
    changed: bool,
}

#[derive(Serialize)]
struct Stored<'a> {
    author: Option<UserId>,
    items: Vec<&'a Pending>,
}

struct Restored {
    author: Option<UserId>,
    items: Vec<Pending>,
}

impl Decode for Restored {
    fn decode(tree: Value) -> Option<Self> {
        let mut fields = Fields::of(tree)?;
        Some(Self {
            author: fields.may("author")?,
            items: fields.need("items")?,
        })
    }
}

impl Outbox {
    /// What an earlier run kept. A text that cannot be read counts as empty: it is this device's
    /// own, and nothing better can be done with it.
    pub(crate) fn restore(text: Option<&str>) -> Self {
        let restored = text.and_then(decode::from_text::<Restored>);
        let Some(Restored { author, mut items }) = restored else {
            return Self::default();
        };
        items.retain(|item| !matches!(item.state, PendingState::Accepted { .. }));
        items.truncate(CAPACITY);
        Self {
            author,
            items,
            ..Self::default()
        }
    }

    /// The text to keep, when it differs from the last one.
    pub(crate) fn take_snapshot(&mut self) -> Option<String> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let accepted = |item: &&Pending| !matches!(item.state, PendingState::Accepted { .. });
        let stored = Stored {
            author: self.author,
            items: self.items.iter().filter(accepted).collect(),
        };
        serde_json::to_string(&stored).ok()
    }

    /// From now on the queue is this user's. What another one wrote is dropped and returned.
    pub(crate) fn adopt(&mut self, user: UserId) -> Vec<Pending> {
        let foreign = self.author.is_some_and(|author| author != user);
        let dropped = if foreign { self.clear() } else { Vec::new() };
        if self.author != Some(user) {
            self.author = Some(user);
            self.changed = !self.items.is_empty() || foreign;
        }
        dropped
    }

    /// Forgets everything, for a sign-out.
    pub(crate) fn clear(&mut self) -> Vec<Pending> {
        self.author = None;
        self.changed = true;
        self.paces.clear();
        std::mem::take(&mut self.items)
    }

    pub(crate) fn items(&self) -> &[Pending] {
        &self.items
    }

    pub(crate) fn get(&self, client_id: ClientId) -> Option<&Pending> {
        self.items.iter().find(|item| item.client_id == client_id)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.items.len() >= CAPACITY
    }

    pub(crate) fn push(&mut self, pending: Pending) {
        self.items.push(pending);
        self.changed = true;
    }

    pub(crate) fn remove(&mut self, client_id: ClientId) -> Option<Pending> {
        let at = self
            .items
            .iter()
            .position(|item| item.client_id == client_id)?;
        self.changed = true;
        let removed = self.items.remove(at);
        self.ended(removed.room, client_id);
        Some(removed)
    }

    pub(crate) fn set_state(&mut self, client_id: ClientId, state: PendingState) -> bool {
        let found = self
            .items
            .iter_mut()
            .find(|item| item.client_id == client_id);
        let Some(item) = found.filter(|item| item.state != state) else {
            return false;
        };
        item.state = state;
        self.changed = true;
        true
    }

    /// The accepted messages of a room whose place is at or before `cursor`: the timeline has them.
    pub(crate) fn settled(&self, room: RoomId, cursor: Seq) -> Vec<ClientId> {
        self.accepted_of(room, |seq| seq <= cursor)
    }

    /// The accepted messages of a room.
    pub(crate) fn accepted(&self, room: RoomId) -> Vec<ClientId> {
        self.accepted_of(room, |_| true)
    }

    fn accepted_of(&self, room: RoomId, wanted: impl Fn(Seq) -> bool) -> Vec<ClientId> {
        let accepted = self.items.iter().filter(|item| {
            item.room == room
                && matches!(item.state, PendingState::Accepted { seq, .. } if wanted(seq))
        });
        accepted.map(|item| item.client_id).collect()
    }

    /// Whether anything still waits for an answer.
    pub(crate) fn is_waiting(&self) -> bool {
        let mut items = self.items.iter();
        items.any(|item| item.state == PendingState::Sending)
    }

    /// The connection is gone: nothing is under way any more, everything is sent again in order.
    pub(crate) fn reset_under_way(&mut self) {
        for pace in self.paces.values_mut() {
            pace.under_way = None;
        }
    }

    /// The message is under way.
    pub(crate) fn started(&mut self, room: RoomId, client_id: ClientId, now: Timestamp) {
        self.paces.change(room, |pace| {
            pace.under_way = Some(client_id);
            self.rate.take(pace, now);
        });
    }

    /// The message is answered, or given up: the next one of its room may go.
    pub(crate) fn ended(&mut self, room: RoomId, client_id: ClientId) {
        if let Some(pace) = self.paces.get_mut(room) {
            pace.under_way.take_if(|id| *id == client_id);
        }
    }

    /// The server's own limit.
    pub(crate) fn obey(&mut self, limits: &Limits) {
        self.rate = Rate::of(limits.sends_per_window.into(), limits.send_window_ms);
    }

    /// The next message to send: rooms do not wait for each other, messages of a room do.
    pub(crate) fn next(&self, now: Timestamp) -> Option<&Pending> {
        self.waiting().find(|item| self.pace(item.room) <= now)
    }

    /// What waits in rooms in which nothing is under way.
    fn waiting(&self) -> impl Iterator<Item = &Pending> {
        self.items.iter().filter(|item| {
            let pace = self.paces.get(item.room);
            item.state == PendingState::Sending && pace.is_none_or(|pace| pace.under_way.is_none())
        })
    }

    /// When the next message to a room may go.
    fn pace(&self, room: RoomId) -> Timestamp {
        let pace = self.paces.get(room).copied().unwrap_or_default();
        self.rate.ready_at(pace)
    }

    /// The next message to a room in which nothing is under way, and when it may go.
    pub(crate) fn held(&self, room: RoomId) -> Option<(ClientId, Timestamp)> {
        let next = self.waiting().find(|item| item.room == room)?;
        Some((next.client_id, self.pace(room)))
    }

    /// Waits in a room before the next attempt.
    pub(crate) fn hold(&mut self, room: RoomId, until: Timestamp) {
        self.paces.change(room, |pace| {
            pace.until = pace.until.max(until);
            pace.refusals = pace.refusals.saturating_add(1);
        });
    }

    /// How often in a row the server asked to wait in a room.
    pub(crate) fn refusals(&self, room: RoomId) -> u32 {
        self.paces.get(room).map_or(0, |pace| pace.refusals)
    }

    /// A message went through.
    pub(crate) fn unhold(&mut self, room: RoomId) {
        if let Some(pace) = self.paces.get_mut(room) {
            pace.refusals = 0;
        }
    }

    /// When a room that waits may go on.
    pub(crate) fn ready_at(&self, now: Timestamp) -> Option<Timestamp> {
        let ready = self.waiting().map(|item| self.pace(item.room));
        ready.filter(|at| *at > now).min()
    }
}
