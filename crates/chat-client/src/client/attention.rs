//! Who is here, who types, what was read: what may be lost and is told sparingly.

use chat_types::id::{Number, RoomId, UserId};
use chat_types::time::Timestamp;
use chat_types::ws::{Command, Ephemeral};

use super::Client;
use crate::effect::RoomChange;
use crate::room::{Presence, RoomState, Typist};

/// A `typing` is forgotten after this.
const TYPING_SHOWN_MS: u64 = 5_000;
/// At most one `typing` is sent in this time.
const TYPING_SENT_MS: u64 = 3_000;
/// At most one read position is sent in this time.
const READ_SENT_MS: u64 = 1_000;
/// A `typing` that comes so soon after its author's message was sent before it.
const OVERTAKEN_MS: u64 = 1_000;

impl Client {
    pub(super) fn ephemeral(&mut self, now: Timestamp, room: RoomId, data: Ephemeral) {
        let own = self.user.as_ref().map(|user| user.id);
        let Some(state) = self.rooms.get_mut(room) else {
            return;
        };
        match data {
            Ephemeral::Typing { user }
                if own == Some(user.id) || state.has_just_written(user.id, now) => {}
            Ephemeral::Typing { user } => {
                let until = now.plus_ms(TYPING_SHOWN_MS);
                state.typing.retain(|typist| typist.user.id != user.id);
                state.typing.push(Typist { user, until });
                self.notify_room(room, RoomChange::Typing);
            }
            Ephemeral::Presence { count, users } => {
                state.presence = Presence { count, users };
                self.notify_room(room, RoomChange::Presence);
            }
            Ephemeral::Read { number } if number > state.read => {
                state.read = number;
                self.notify_room(room, RoomChange::Read);
            }
            Ephemeral::Read { .. } | Ephemeral::Unknown => {}
        }
    }

    pub(super) fn mark_read(&mut self, room: RoomId, number: Number) {
        let Some(state) = self.rooms.get_mut(room) else {
            return;
        };
        let number = number.min(state.last_number);
        if number > state.read {
            state.read = number;
            state.read_mark.unsent = true;
            self.notify_room(room, RoomChange::Read);
        }
    }

    pub(super) fn typing(&mut self, now: Timestamp, room: RoomId) {
        if !self.can_write() || self.is_idle() {
            return;
        }
        let Some(state) = self.rooms.get_mut(room) else {
            return;
        };
        let due = state
            .typed_at
            .is_none_or(|at| now.since_ms(at) >= TYPING_SENT_MS);
        if due {
            state.typed_at = Some(now);
            self.tell(&Command::Typing { room });
        }
    }

    pub(super) fn check_rooms(&mut self, now: Timestamp) {
        let writes = self.can_write();
        let rooms: Vec<RoomId> = self.rooms.keys().collect();
        for room in rooms {
            let Some(state) = self.rooms.get_mut(room) else {
                continue;
            };
            let typists = state.typing.len();
            state.typing.retain(|typist| typist.until > now);
            let typing_changed = state.typing.len() != typists;
            let read =
                (writes && state.read_due().is_some_and(|at| at <= now)).then_some(state.read);
            if read.is_some() {
                state.read_mark.unsent = false;
                state.read_mark.sent_at = Some(now);
            }
            let retry = state.feed.retry_at.is_some_and(|at| at <= now);
            if typing_changed {
                self.notify_room(room, RoomChange::Typing);
            }
            if let Some(number) = read {
                self.tell(&Command::Read { room, number });
            }
            if retry {
                // The snapshot repairs whatever the page would have.
                self.subscribe(now, room);
            }
        }
    }

    pub(super) fn room_wake(state: &RoomState) -> Option<Timestamp> {
        let typing = state.typing.iter().map(|typist| typist.until);
        typing.chain(state.feed.retry_at).min()
    }
}

impl RoomState {
    /// Notes who wrote now, and forgets who wrote long ago: each author is noted once.
    pub(super) fn note_writing(&mut self, user: UserId, now: Timestamp) {
        self.wrote
            .retain(|(author, at)| *author != user && now.since_ms(*at) < OVERTAKEN_MS);
        self.wrote.push((user, now));
    }

    fn has_just_written(&self, user: UserId, now: Timestamp) -> bool {
        let just = |at: Timestamp| now.since_ms(at) < OVERTAKEN_MS;
        self.wrote
            .iter()
            .any(|(author, at)| *author == user && just(*at))
    }

    pub(super) fn read_due(&self) -> Option<Timestamp> {
        if !self.read_mark.unsent {
            return None;
        }
        let sent_at = self.read_mark.sent_at;
        Some(sent_at.map_or(Timestamp(0), |at| at.plus_ms(READ_SENT_MS)))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn user(n: u128) -> UserId {
        UserId::from_uuid(Uuid::from_u128(n))
    }

    #[test]
    fn who_wrote_is_remembered_for_a_moment_and_once() {
        let mut room = RoomState::new(1);
        for n in 0..1_000 {
            room.note_writing(user(n % 3), Timestamp(5));
        }
        assert_eq!(room.wrote.len(), 3, "each author once");
        room.note_writing(user(7), Timestamp(4 + OVERTAKEN_MS));
        assert_eq!(room.wrote.len(), 4, "within the moment");
        room.note_writing(user(8), Timestamp(5 + OVERTAKEN_MS));
        assert_eq!(room.wrote.len(), 2, "the first ones are forgotten");
    }
}
