//! The rooms that somebody reads here, in shards: a lock here is held for a look-up, never while a
//! room is at work, so that a busy room does not delay another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat_types::id::RoomId;

use crate::realtime::room::ActiveRoom;

/// Parts of the map, each with a lock of its own.
const SHARDS: usize = 64;

type Shard = HashMap<RoomId, Arc<ActiveRoom>>;

/// The rooms that somebody reads here.
pub(super) struct Rooms(Box<[Mutex<Shard>]>);

impl Default for Rooms {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| Mutex::default()).collect())
    }
}

impl Rooms {
    pub(super) fn get(&self, id: RoomId) -> Option<Arc<ActiveRoom>> {
        self.shard(id).get(&id).cloned()
    }

    /// The room, made by `make` if there is none.
    pub(super) fn get_or_insert(
        &self,
        id: RoomId,
        make: impl FnOnce() -> Arc<ActiveRoom>,
    ) -> Arc<ActiveRoom> {
        self.shard(id).entry(id).or_insert_with(make).clone()
    }

    /// Takes this very room off, not another that was made in its place, and lets `then` know while
    /// nobody can make another.
    pub(super) fn remove(&self, room: &Arc<ActiveRoom>, then: impl FnOnce()) {
        let mut shard = self.shard(room.id);
        if shard.get(&room.id).is_some_and(|it| Arc::ptr_eq(it, room)) {
            shard.remove(&room.id);
            then();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|shard| lock(shard).len()).sum()
    }

    pub(super) fn all(&self) -> Vec<Arc<ActiveRoom>> {
        let mut all = Vec::new();
        for shard in &self.0 {
            all.extend(lock(shard).values().cloned());
        }
        all
    }

    fn shard(&self, id: RoomId) -> MutexGuard<'_, Shard> {
        // The ids are random in their last bytes.
        let [.., last] = *id.as_uuid().as_bytes();
        lock(&self.0[usize::from(last) % SHARDS])
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
