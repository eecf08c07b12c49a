//! The quiet after the load: waits until every screen shows who is there, and has it written down what
//! they show while somebody comes, types, reads and goes.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chat_types::id::{RoomId, UserId};
use futures_util::future::join_all;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::attention::{self, Member, Scene, Shown};
use crate::audit::{CROWD_US, SILENT_US};
use crate::clock::millis;
use crate::driver::{Handle, Order};
use crate::history::{History, What};
use crate::measure::Shared;
use crate::raw::Raw;
use crate::report::Attention;
use crate::rights::Origin;
use crate::rng::Rng;
use crate::server::{Api, ApiError, Server};

/// How often screens are looked at.
const ASK: Duration = Duration::from_millis(50);

/// A run that has come to rest.
pub(crate) struct Quiet<'a> {
    /// Whose screens are looked at.
    pub(crate) clients: &'a [Handle],
    /// Who follows each room.
    pub(crate) there: HashMap<RoomId, BTreeSet<UserId>>,
    /// Where somebody comes, types, reads and goes.
    pub(crate) rooms: Vec<RoomId>,
    pub(crate) servers: Vec<Server>,
    pub(crate) api: &'a Api,
    pub(crate) shared: &'a Arc<Shared>,
    /// The number of the first of those who do it.
    pub(crate) number: u32,
}

impl Quiet<'_> {
    /// Plays what is to be looked at. Of those who were beside the crowd, the histories are there, and
    /// those that are made now come to them.
    pub(crate) async fn attend(
        &self,
        beside: &mut Vec<History>,
        rng: &mut Rng,
    ) -> Result<Attention, ApiError> {
        let before = beside.iter().flat_map(|history| &history.records);
        let ghosts = count(before.filter(|record| matches!(record.what, What::Lost { .. })));
        let present_ms = self.await_presence().await;
        let scenes = self.scenes(rng).await?;
        self.watch(true).await;
        let clock = self.shared.clock;
        let played = attention::play(scenes, &self.servers, clock).await;
        self.watch(false).await;
        let attention = Attention {
            rooms: with(&played, |what| matches!(what, What::Gone { .. })),
            read: with(&played, |what| matches!(what, What::ReadTold { .. })),
            screens: count(self.clients.iter()),
            ghosts,
            present_ms,
            held_up_ms: held_up_ms(&played),
        };
        beside.extend(played);
        Ok(attention)
    }

    /// Until every screen shows who is there, or longer than a dead server may be believed to have
    /// somebody. Returns how many milliseconds it took.
    async fn await_presence(&self) -> Option<u64> {
        let began = Instant::now();
        let until = began + Duration::from_micros(SILENT_US + CROWD_US);
        while Instant::now() < until {
            if self.shown().await.iter().all(|shown| self.is_right(shown)) {
                return Some(millis(began.elapsed()));
            }
            tokio::time::sleep(ASK).await;
        }
        None
    }

    fn is_right(&self, shown: &Shown) -> bool {
        shown.iter().all(|(room, (count, users))| {
            let there = self.there.get(room);
            // A crowd is only counted.
            there.is_some_and(|there| *count == there.len() && (users == there || users.is_empty()))
        })
    }

    async fn scenes(&self, rng: &mut Rng) -> Result<Vec<Scene>, ApiError> {
        let mut scenes = Vec::new();
        for ((at, room), number) in self
            .rooms
            .iter()
            .enumerate()
            .zip((self.number..).step_by(2))
        {
            let origin = Origin {
                servers: &self.server(at),
                api: self.api,
                shared: self.shared,
            };
            let passer = origin.somebody(number, rng).await?;
            let reader = self.member_of(*room).await.map(|member| {
                let (api, shared) = (self.api.clone(), Arc::clone(self.shared));
                let servers = self.server(at + 1);
                let raw = Raw::new(member.account, servers, api, None, rng.fork(), shared);
                (raw, member.last)
            });
            scenes.push(Scene {
                room: *room,
                passer,
                reader,
                number,
            });
        }
        Ok(scenes)
    }

    /// One of the servers; the next number is another one.
    fn server(&self, at: usize) -> Arc<[Server]> {
        Arc::new([self.servers[at % self.servers.len()].clone()])
    }

    /// Has every screen written down from now on, or not any more. Returns when it is.
    async fn watch(&self, on: bool) {
        for client in self.clients {
            client.tell(Order::Watch(on));
        }
        // What is answered afterwards was told before.
        self.shown().await;
    }

    /// Who every screen shows as being there.
    async fn shown(&self) -> Vec<Shown> {
        let asked = self.clients.iter().map(|client| {
            let (to, shown) = oneshot::channel();
            client.tell(Order::Shown(to));
            shown
        });
        let shown = join_all(asked.collect::<Vec<_>>()).await;
        shown.into_iter().filter_map(Result::ok).collect()
    }

    /// Somebody who has written in this room.
    async fn member_of(&self, room: RoomId) -> Option<Member> {
        for client in self.clients {
            let (to, member) = oneshot::channel();
            client.tell(Order::Member { room, to });
            if let Ok(Some(member)) = member.await {
                return Some(member);
            }
        }
        None
    }
}

/// How many histories tell of such a thing: what did not come about is not counted.
fn with(histories: &[History], is_it: impl Fn(&What) -> bool) -> u64 {
    let tells = |history: &&History| history.records.iter().any(|record| is_it(&record.what));
    count(histories.iter().filter(tells))
}

fn held_up_ms(histories: &[History]) -> u64 {
    let records = histories.iter().flat_map(|history| &history.records);
    let held_up = records.filter_map(|record| match record.what {
        What::HeldUp { us } => Some(us / 1_000),
        _ => None,
    });
    held_up.max().unwrap_or(0)
}

fn count<T>(of: impl Iterator<Item = T>) -> u64 {
    u64::try_from(of.count()).unwrap_or(u64::MAX)
}
