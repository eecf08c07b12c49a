//! What a connection has under way: one command, or messages that were sent one behind another.

use std::collections::VecDeque;

use chat_types::id::RoomId;
use chat_types::time::Timestamp;
use futures_util::future::join_all;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::error::ApiError;
use crate::realtime::dispatch::{BegunSend, Outcome};
use crate::state::AppState;

/// Messages of one connection that are under way together at most.
pub(super) const SENDS_UNDER_WAY: usize = 16;
/// Rooms that are held at most; of more, the one that was held first is forgotten.
const HELD_ROOMS: usize = 64;

/// A task of a connection, which ends even if the socket is cut meanwhile.
struct Running {
    task: JoinHandle<Outcome>,
    /// How many messages it sends.
    sends: usize,
    /// Whether further messages may be under way behind it.
    leads: bool,
}

/// The tasks of a connection, in the order of what they answer.
#[derive(Default)]
pub(super) struct UnderWay(VecDeque<Running>);

impl UnderWay {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A place for one more message behind `begun` ones that are not started yet; `None` while it has
    /// to wait.
    pub(super) fn place(&self, state: &AppState, begun: usize) -> Option<Place> {
        if self.0.back().is_some_and(|last| !last.leads) {
            return None;
        }
        match self.0.iter().map(|running| running.sends).sum::<usize>() + begun {
            0 => Some(Place { permit: None }),
            SENDS_UNDER_WAY.. => None,
            _ => {
                let permit = state.pipelined_sends.clone().try_acquire_owned().ok()?;
                Some(Place {
                    permit: Some(permit),
                })
            }
        }
    }

    pub(super) fn start(&mut self, task: JoinHandle<Outcome>) {
        self.0.push_back(Running {
            task,
            sends: 0,
            leads: false,
        });
    }

    /// Waits in one task for messages that are in the store's queue.
    pub(super) fn start_sends(&mut self, tasks: &TaskTracker, begun: Vec<(BegunSend, Place)>) {
        self.0.push_back(Running {
            sends: begun.len(),
            leads: begun.iter().all(|(send, _)| send.leads()),
            task: tasks.spawn(finish(begun)),
        });
    }

    /// What the oldest task came to; `None` when it panicked. Lost by nobody when dropped.
    pub(super) async fn next(&mut self) -> Option<Outcome> {
        let Some(oldest) = self.0.front_mut() else {
            return std::future::pending().await;
        };
        let outcome = (&mut oldest.task).await.ok();
        self.0.pop_front();
        if self.0.is_empty() {
            // An idle connection keeps no queue.
            self.0.shrink_to(0);
        }
        outcome
    }
}

/// Each is published as soon as it is committed, whatever the one before it waits for.
async fn finish(begun: Vec<(BegunSend, Place)>) -> Outcome {
    let sends = begun.into_iter().map(|(send, place)| async move {
        let answer = send.finish().await;
        drop(place);
        answer
    });
    Outcome::Sent(join_all(sends).await)
}

/// The place of a message among those under way; it ends with this.
pub(super) struct Place {
    /// One of the node's, for a message behind another one of its connection.
    #[expect(dead_code, reason = "it is held, not read")]
    permit: Option<OwnedSemaphorePermit>,
}

/// A room in which a message was refused for now.
struct Hold {
    room: RoomId,
    since: Timestamp,
    until: Timestamp,
    refused: ApiError,
}

/// Rooms in which a message was refused for now: what was written behind it must not overtake it.
#[derive(Default)]
pub(super) struct Holds(VecDeque<Hold>);

impl Holds {
    /// Holds the room as long as the refusal says. One that is held stays so for its own time: what is
    /// refused meanwhile says nothing new.
    pub(super) fn put(&mut self, room: RoomId, now: Timestamp, refused: ApiError) {
        let Some(wait_ms) = refused.retry_after_ms else {
            return;
        };
        self.0.retain(|hold| hold.lasts(now));
        if self.0.iter().any(|hold| hold.room == room) {
            return;
        }
        if self.0.len() == HELD_ROOMS {
            self.0.pop_front();
        }
        self.0.push_back(Hold {
            room,
            since: now,
            until: now.plus_ms(wait_ms),
            refused,
        });
    }

    /// What a message to the room is refused with now.
    pub(super) fn refusal(&self, room: RoomId, now: Timestamp) -> Option<ApiError> {
        let lasts = |hold: &&Hold| hold.room == room && hold.lasts(now);
        let hold = self.0.iter().find(lasts)?;
        let wait_ms = hold.until.since_ms(now);
        Some(hold.refused.clone().retry_after_ms(wait_ms))
    }
}

impl Hold {
    /// A clock that steps back ends it: nobody waits longer than they were told.
    fn lasts(&self, now: Timestamp) -> bool {
        self.since <= now && now < self.until
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn room(n: usize) -> RoomId {
        RoomId::from_uuid(Uuid::from_u128(n as u128))
    }

    #[test]
    fn a_room_is_held_as_long_as_the_refusal_says_and_no_other_room() {
        let mut holds = Holds::default();
        holds.put(room(1), NOW, ApiError::rate_limited(1_000));
        let wait_ms = |room, now| holds.refusal(room, now)?.retry_after_ms;
        assert_eq!(wait_ms(room(1), NOW), Some(1_000));
        assert_eq!(wait_ms(room(1), NOW.plus_ms(999)), Some(1));
        assert_eq!(wait_ms(room(1), NOW.plus_ms(1_000)), None);
        assert_eq!(
            wait_ms(room(1), Timestamp(NOW.0 - 1)),
            None,
            "the clock stepped back"
        );
        assert_eq!(wait_ms(room(2), NOW), None);
    }

    #[test]
    fn a_room_that_is_held_is_not_held_longer_for_what_is_refused_meanwhile() {
        let mut holds = Holds::default();
        holds.put(room(1), NOW, ApiError::rate_limited(1_000));
        holds.put(room(1), NOW.plus_ms(500), ApiError::rate_limited(60_000));
        assert!(holds.refusal(room(1), NOW.plus_ms(999)).is_some());
        assert!(holds.refusal(room(1), NOW.plus_ms(1_000)).is_none());
        holds.put(room(1), NOW.plus_ms(1_000), ApiError::rate_limited(10));
        assert!(holds.refusal(room(1), NOW.plus_ms(1_009)).is_some());
    }

    #[test]
    fn one_more_held_room_than_the_limit_takes_the_place_of_the_first() {
        let mut holds = Holds::default();
        for n in 0..=HELD_ROOMS {
            holds.put(room(n), NOW, ApiError::rate_limited(1_000));
        }
        assert!(holds.refusal(room(0), NOW).is_none());
        assert!((1..=HELD_ROOMS).all(|n| holds.refusal(room(n), NOW).is_some()));
    }
}
