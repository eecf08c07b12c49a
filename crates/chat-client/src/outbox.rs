//! Messages that wait to be sent: bounded, in order, kept over reloads.

use std::collections::BTreeMap;

use chat_types::id::{ClientId, RequestId, RoomId, Seq, UserId};
use chat_types::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::row::{Pending, PendingState};

/// The most messages that wait at once, over all rooms.
pub(crate) const CAPACITY: usize = 100;

/// A room in which the server asked to wait.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Hold {
    pub(crate) until: Timestamp,
    pub(crate) refusals: u32,
}

/// The queue. It belongs to one user: nobody sends what another one wrote.
#[derive(Default)]
pub(crate) struct Outbox {
    author: Option<UserId>,
    items: Vec<Pending>,
    under_way: BTreeMap<ClientId, RequestId>,
    holds: BTreeMap<RoomId, Hold>,
    changed: bool,
}

#[derive(Serialize)]
struct Stored<'a> {
    author: Option<UserId>,
    items: Vec<&'a Pending>,
}

#[derive(Deserialize)]
struct Restored {
    author: Option<UserId>,
    items: Vec<Pending>,
}

impl Outbox {
    /// What an earlier run kept. A text that cannot be read counts as empty: it is this device's
    /// own, and nothing better can be done with it.
    pub(crate) fn restore(text: Option<&str>) -> Self {
        let restored = text.and_then(|text| serde_json::from_str::<Restored>(text).ok());
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
        self.under_way.clear();
        self.holds.clear();
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
        self.under_way.remove(&client_id);
        self.changed = true;
        Some(self.items.remove(at))
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
        self.under_way.clear();
    }

    pub(crate) fn started(&mut self, client_id: ClientId, id: RequestId) {
        self.under_way.insert(client_id, id);
    }

    pub(crate) fn ended(&mut self, client_id: ClientId) {
        self.under_way.remove(&client_id);
    }

    /// The next message to send: rooms do not wait for each other, messages of a room do. At most
    /// `window` of a room are under way, what its rate limit lets through at once.
    pub(crate) fn next(&self, now: Timestamp, window: usize) -> Option<&Pending> {
        let mut under_way: BTreeMap<RoomId, usize> = BTreeMap::new();
        for item in &self.items {
            if self.under_way.contains_key(&item.client_id) {
                *under_way.entry(item.room).or_default() += 1;
            }
        }
        self.items.iter().find(|item| {
            item.state == PendingState::Sending
                && !self.under_way.contains_key(&item.client_id)
                && under_way.get(&item.room).copied().unwrap_or(0) < window
                && self.holds.get(&item.room).is_none_or(|h| h.until <= now)
        })
    }

    /// Waits in a room before the next attempt.
    pub(crate) fn hold(&mut self, room: RoomId, until: Timestamp) {
        let hold = self.holds.entry(room).or_default();
        hold.until = hold.until.max(until);
        hold.refusals = hold.refusals.saturating_add(1);
    }

    /// How often in a row the server asked to wait in a room.
    pub(crate) fn refusals(&self, room: RoomId) -> u32 {
        self.holds.get(&room).map_or(0, |hold| hold.refusals)
    }

    /// A message went through.
    pub(crate) fn unhold(&mut self, room: RoomId) {
        if let Some(hold) = self.holds.get_mut(&room) {
            hold.refusals = 0;
        }
    }

    /// When a room that waits may go on.
    pub(crate) fn ready_at(&self, now: Timestamp) -> Option<Timestamp> {
        let waiting = self
            .items
            .iter()
            .filter(|item| item.state == PendingState::Sending);
        waiting
            .filter_map(|item| self.holds.get(&item.room))
            .map(|hold| hold.until)
            .filter(|until| *until > now)
            .min()
    }
}
