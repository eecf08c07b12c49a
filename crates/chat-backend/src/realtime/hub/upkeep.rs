//! What the hub does by itself: comparing heads with the store, closing gaps, looking whether
//! sessions still live, telling the other nodes who is here, evening out connections.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chat_store::{ChangesPage, StoreError};
use chat_types::close::CloseCode;
use chat_types::event::{Change, Content, SeqChange};
use chat_types::id::{RoomId, UserId};
use chat_types::limits::SYNC_PAGE;
use chat_types::ws::ServerDoc;
use rand::seq::IteratorRandom;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::{Hub, RETRY_MS};
use crate::metrics::store_failed;
use crate::realtime::broker::{Status, Topic};
use crate::realtime::codec::encode;
use crate::realtime::mailbox::Order;
use crate::realtime::message::{Beat, Message};
use crate::realtime::room::{ActiveRoom, Repair};
use crate::shutdown::Lifecycle;

/// Rooms whose heads are compared with one question to the store, and sessions that are looked up
/// with one.
const AT_ONCE: usize = 500;
/// Before the store is asked again after it could not answer.
const REPAIR_RETRY: Duration = Duration::from_millis(500);
/// A ring keeps an event for longer than a write may stall.
const RING_AGE_MARGIN: Duration = Duration::from_secs(5);
/// Between two comparisons of all heads at least, however often there is a reason.
const BREATH: Duration = Duration::from_millis(100);
/// Between a node's signs of life.
const BEAT: Duration = Duration::from_secs(1);
/// A node that said nothing for so long has died, or cannot be heard.
const SILENCE: Duration = Duration::from_secs(3);
/// Between the discovery that a session or a membership has ended and the second look, by the
/// connection: word that says more, such as under which id the session goes on, may be on its way.
const SECOND_LOOK: Duration = Duration::from_millis(200);
/// A node with more connections than this many times the mean sends some of them elsewhere.
const UNEVEN: f64 = 1.2;
/// Fewer connections than this are not worth evening out.
const EVEN_ENOUGH: usize = 50;
/// Rooms of which the other nodes are told at once, now and then, who is here.
const SHARES_AT_ONCE: usize = 256;
/// Connections that are sent elsewhere per second at most.
const SHED_PER_BEAT: usize = 10;
/// Between the word that a connection should move and its close: less than a beat, so that who moves
/// is not counted at the next one.
const MOVE_NOTICE: Duration = Duration::from_millis(300);

impl Hub {
    /// Begins what the hub does by itself, until the process ends.
    pub fn start(self: &Arc<Self>, lifecycle: &Lifecycle) {
        let inbox: Arc<dyn crate::realtime::Inbox> = self.clone();
        self.broker.start(Arc::downgrade(&inbox), lifecycle);
        let (hub, ends) = (self.clone(), lifecycle.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                () = ends.ended() => {}
                () = hub.compare() => {}
            }
        });
        if self.broker.status() != Status::Alone {
            let (hub, ends) = (self.clone(), lifecycle.clone());
            self.tasks.spawn(async move {
                tokio::select! {
                    () = ends.ended() => {}
                    () = hub.beat() => {}
                }
            });
            let (hub, ends) = (self.clone(), lifecycle.clone());
            self.tasks.spawn(async move {
                tokio::select! {
                    () = ends.ended() => {}
                    () = hub.tell_presence_again() => {}
                }
            });
        }
    }

    /// Compares with the store now and then: often while other nodes cannot be heard, and at once
    /// when something may have been lost.
    async fn compare(self: &Arc<Self>) {
        loop {
            let pause = if self.hears_everybody() {
                self.settings.compare_heads
            } else {
                metrics::counter!("chat_bus_head_polls_total").increment(1);
                self.settings.poll_heads
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = self.nudge.notified() => {}
            }
            self.maintain_apart().await;
            sleep(BREATH).await;
        }
    }

    fn hears_everybody(&self) -> bool {
        match self.broker.status() {
            Status::Alone => true,
            Status::Down => false,
            Status::Up => !self.nodes().is_any_silent(SILENCE, Instant::now()),
        }
    }

    /// Maintains in a task of its own: what panics there must not end all maintenance for ever.
    async fn maintain_apart(self: &Arc<Self>) {
        let hub = self.clone();
        let task = self.tasks.spawn(async move { hub.maintain().await });
        if let Err(error) = task.await {
            tracing::error!(%error, "the maintenance of rooms failed; it goes on with the next");
        }
    }

    async fn maintain(&self) {
        let rooms = self.rooms.all();
        let ids: Vec<_> = rooms.iter().map(|room| room.id).collect();
        self.compare_heads(&ids).await;
        if self.broker.status() != Status::Alone {
            self.look_up_sessions().await;
        }
        self.starts.trim();
        let age = self.settings.write_stall + RING_AGE_MARGIN;
        for room in rooms {
            room.trim(age, Instant::now());
        }
    }

    /// Asks the store for the heads of rooms and begins to repair those that are behind.
    pub(super) async fn compare_heads(&self, rooms: &[RoomId]) {
        for some in rooms.chunks(AT_ONCE) {
            let heads = match self.store.heads(some).await {
                Ok(heads) => heads,
                Err(error) => {
                    store_failed(&error);
                    tracing::warn!(%error, "the heads of active rooms were not compared");
                    return;
                }
            };
            for (id, head) in heads {
                if let Some(room) = self.rooms.get(id) {
                    let repair = room.note_head(head);
                    self.repair(room, repair);
                }
            }
        }
    }

    /// Lets connections look again whose session the store says has ended: the notice was lost.
    async fn look_up_sessions(&self) {
        let of_users = self.registry().sessions();
        for some in of_users.chunks(AT_ONCE) {
            let ids: Vec<_> = some.iter().map(|(_, session)| *session).collect();
            let live = match self.store.live_sessions(&ids, self.clock.now()).await {
                Ok(live) => live,
                Err(error) => {
                    store_failed(&error);
                    tracing::warn!(%error, "the sessions of connections were not looked up");
                    return;
                }
            };
            for (user, session) in some.iter().filter(|(_, id)| !live.contains(id)) {
                let Some(hub) = self.me.upgrade() else { return };
                let (user, session) = (*user, *session);
                self.tasks.spawn(async move {
                    sleep(SECOND_LOOK).await;
                    let registry = hub.registry();
                    let still = registry.of_user(user).filter(|(it, _)| *it == session);
                    still.for_each(|(_, mailbox)| mailbox.order(Order::Recheck));
                });
            }
        }
    }

    /// Lets the connections of somebody who left a room look again, in case the notice is lost: that
    /// one says why their reading ends, so it comes first if it comes.
    pub(super) fn recheck_soon(&self, user: UserId) {
        let is_here = self.registry().of_user(user).next().is_some();
        if let Some(hub) = self.me.upgrade().filter(|_| is_here) {
            self.tasks.spawn(async move {
                sleep(SECOND_LOOK).await;
                let registry = hub.registry();
                let sockets = registry.of_user(user);
                sockets.for_each(|(_, mailbox)| mailbox.order(Order::Recheck));
            });
        }
    }

    pub(super) fn repair(&self, room: Arc<ActiveRoom>, repair: Repair) {
        if repair == Repair::Needed
            && let Some(hub) = self.me.upgrade()
        {
            metrics::counter!("chat_gaps_total").increment(1);
            self.tasks.spawn(async move { hub.close_gap(&room).await });
        }
    }

    /// Waits for late events and reads those that do not come from the store, until the room is
    /// whole or nobody reads it. There is one such task per room at most.
    async fn close_gap(&self, room: &ActiveRoom) {
        let mut repairing = Repairing {
            room,
            is_over: false,
        };
        sleep(self.settings.gap_wait).await;
        while let Some(after) = room.repair_after() {
            metrics::counter!("chat_gap_repairs_total").increment(1);
            match self
                .store
                .changes_after(room.id, None, after, SYNC_PAGE)
                .await
            {
                Ok(page) => {
                    let closer = page.upto > after;
                    self.fill(room, page);
                    if !closer {
                        sleep(REPAIR_RETRY).await;
                    }
                }
                Err(StoreError::NotFound(_)) => return,
                Err(error) => {
                    store_failed(&error);
                    tracing::warn!(room = %room.id, %error, "the gap in a room's feed stays for now");
                    sleep(REPAIR_RETRY).await;
                }
            }
        }
        repairing.is_over = true;
    }

    fn fill(&self, room: &ActiveRoom, page: ChangesPage) {
        for change in &page.changes {
            // The notice to their sockets may be lost as well.
            if let Change::MemberLeft { user_id } = change.change {
                self.recheck_soon(user_id);
            }
        }
        let at = self.clock.now();
        let event = |change: SeqChange| encode(&ServerDoc::Ev(change.into_event(room.id, at)));
        let exact = page.changes.into_iter().filter(is_the_event_itself);
        let found: BTreeMap<_, _> = exact.map(|it| (it.seq, event(it))).collect();
        room.fill(&page.epoch, page.upto, found);
    }

    /// Gives a sign of life every second, and evens out connections.
    async fn beat(&self) {
        let mut tick = interval(BEAT);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.tell_beat();
            let age = self.settings.presence_age();
            self.nodes().forget_silent(age, Instant::now());
            if !self.hears_everybody() {
                self.nudge.notify_one();
            }
            self.shed();
        }
    }

    pub(super) fn tell_beat(&self) {
        let beat = Beat {
            connections: u32::try_from(self.connections()).unwrap_or(u32::MAX),
            draining: self.is_draining(),
        };
        self.tell_nodes(Topic::Control, &Message::Beat(beat));
    }

    /// Sends some connections elsewhere when this node has far more than the others. A node that is
    /// silent may be dead: nobody is sent there.
    fn shed(&self) {
        if self.is_draining() || self.broker.status() != Status::Up {
            return;
        }
        let own = self.connections();
        let others: Vec<u32> = self.nodes().connections(SILENCE, Instant::now()).collect();
        let surplus = surplus(own, &others).min(SHED_PER_BEAT);
        if surplus == 0 {
            return;
        }
        let registry = self.registry();
        let some = registry.all().sample(&mut rand::rng(), surplus);
        tracing::info!(
            connections = own,
            moved = surplus,
            "evening out connections"
        );
        metrics::counter!("chat_connections_shed_total").increment(surplus as u64);
        for mailbox in some {
            mailbox.order(Order::GoAway {
                code: CloseCode::Rebalance,
                after: MOVE_NOTICE,
                retry_ms: rand::random_range(RETRY_MS),
            });
        }
    }

    /// Tells the other nodes now and then who is here, so that what was lost is made good, and
    /// forgets those who do not. Of many rooms some at a time, all within the interval: who tells
    /// all at once has their news dropped.
    async fn tell_presence_again(&self) {
        let mut tick = interval(self.settings.presence);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let rooms = self.rooms.all();
            let pauses = rooms.len().div_ceil(SHARES_AT_ONCE);
            let pause = self.settings.presence / u32::try_from(pauses + 1).unwrap_or(u32::MAX);
            for some in rooms.chunks(SHARES_AT_ONCE) {
                for room in some {
                    self.tell_presence_of(room);
                }
                sleep(pause).await;
            }
        }
    }

    fn tell_presence_of(&self, room: &ActiveRoom) {
        if room.forget_silent(self.settings.presence_age()) {
            self.tell_presence_soon(room.id);
        }
        if room.is_present() {
            self.share_presence(room.id, true, false);
        }
    }
}

/// A repair under way. However its task ends, the next reason for one begins another.
struct Repairing<'a> {
    room: &'a ActiveRoom,
    /// The room knows already, and another repair may be under way.
    is_over: bool,
}

impl Drop for Repairing<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.room.give_up_repair();
        }
    }
}

/// How many connections of `own` are above 1.2 times the mean of this node and the `others`.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "connections are far fewer than 2^52"
)]
fn surplus(own: usize, others: &[u32]) -> usize {
    if own <= EVEN_ENOUGH || others.is_empty() {
        return 0;
    }
    let all = own as f64 + others.iter().map(|n| f64::from(*n)).sum::<f64>();
    let bound = UNEVEN * all / (others.len() + 1) as f64;
    (own as f64 - bound).max(0.0).ceil() as usize
}

/// Whether a row of the compacted feed says the same to every reader as the event did that was lost.
/// A message with a past does not: its reactions are some reader's own, and an earlier event about
/// it would be applied to what nobody has.
fn is_the_event_itself(row: &SeqChange) -> bool {
    match &row.change {
        Change::Member { .. } | Change::MemberLeft { .. } | Change::Room { .. } => true,
        Change::Message { message } => {
            matches!(message.content, Content::Text { .. })
                && message.edited_at.is_none()
                && message.reactions.is_empty()
                && !message.pinned
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use chat_types::id::{ConnectionId, Epoch, Seq};
    use tokio_util::task::TaskTracker;
    use uuid::Uuid;

    use super::*;
    use crate::realtime::mailbox::Mailbox;
    use crate::realtime::ring::Budget;

    #[tokio::test]
    async fn a_repair_that_ends_without_a_word_keeps_no_other_from_beginning() {
        let id = RoomId::from_uuid(Uuid::from_u128(1));
        let room = ActiveRoom::new(id, Budget::new(1 << 20), TaskTracker::new());
        let reader = ConnectionId::from_uuid(Uuid::from_u128(2));
        assert!(room.attach(Arc::new(Mailbox::new(reader)), None));
        room.start(reader, None, Seq(1), &Epoch("e".to_owned()));
        assert_eq!(room.note_head(Seq(3)), Repair::Needed);
        assert_eq!(room.note_head(Seq(4)), Repair::NotNeeded, "one at a time");
        let panics = tokio::spawn({
            let room = room.clone();
            async move {
                let _repairing = Repairing {
                    room: &room,
                    is_over: false,
                };
                panic!("as a store might");
            }
        });
        assert!(panics.await.unwrap_err().is_panic());
        assert_eq!(room.note_head(Seq(4)), Repair::Needed);
    }

    #[test]
    fn only_what_is_above_the_mean_and_a_fifth_moves() {
        assert_eq!(surplus(1_000, &[]), 0, "there is nowhere to go");
        assert_eq!(surplus(120, &[80]), 0);
        assert_eq!(surplus(121, &[80]), 1);
        assert_eq!(surplus(300, &[0]), 120);
        assert_eq!(surplus(EVEN_ENOUGH, &[0]), 0);
        assert_eq!(surplus(EVEN_ENOUGH + 1, &[0]), 21);
    }
}
