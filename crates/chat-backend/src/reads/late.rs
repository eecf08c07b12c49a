//! Read positions that came too soon: the furthest of each room is kept and stored once the user's
//! rate allows it, so that who gets no answer loses nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chat_types::id::{RoomId, UserId};
use chat_types::limits::ROOMS_PER_CONNECTION;

use super::Position;

/// What waits, per user. A user is in here as long as there is a task that stores what waits.
#[derive(Default)]
pub struct LatePositions(Mutex<HashMap<UserId, BTreeMap<RoomId, Position>>>);

impl LatePositions {
    /// Keeps a position, at most those of [`ROOMS_PER_CONNECTION`] rooms; whether it is the first
    /// of its user, and so somebody has to begin storing them.
    pub(super) fn keep(&self, user: UserId, late: Position) -> bool {
        let mut users = self.users();
        let is_first = !users.contains_key(&user);
        let rooms = users.entry(user).or_default();
        if let Some(kept) = rooms.get_mut(&late.room) {
            if late.number > kept.number {
                *kept = late;
            }
        } else if rooms.len() < ROOMS_PER_CONNECTION {
            rooms.insert(late.room, late);
        }
        is_first
    }

    /// Takes one that waits; at the last, the user is out.
    pub(super) fn next(&self, user: UserId) -> Option<Position> {
        let mut users = self.users();
        let next = users.get_mut(&user)?.pop_first();
        if next.is_none() {
            users.remove(&user);
        }
        next.map(|(_, position)| position)
    }

    fn users(&self) -> MutexGuard<'_, HashMap<UserId, BTreeMap<RoomId, Position>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
