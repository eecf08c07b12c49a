//! The sockets of this process: who they are, which rooms they read, and how news reach them.
//!
//! Operations call [`Hub::publish`] after their commit and the notices ([`Hub::close_session`] and
//! so on) after a user's rights changed. No call here blocks or waits for a reader.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use chat_store::{ChangesPage, Store, StoreError};
use chat_types::close::CloseCode;
use chat_types::event::{Change, Content, Event, SeqChange, User};
use chat_types::id::{ConnectionId, Epoch, Number, RoomId, Seq, SessionId, UserId};
use chat_types::limits::SYNC_PAGE;
use chat_types::room::RoomSummary;
use chat_types::ws::{Ephemeral, ServerDoc, UnsubReason};
use tokio::sync::watch;
use tokio::time::{Instant, interval, sleep};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::broker::{Broker, Local, Notice};
use super::codec::encode;
use super::mailbox::{Mailbox, Order};
use super::registry::{Registry, TooMany};
use super::ring::Budget;
use super::room::{ActiveRoom, Left, Place, Repair};
use super::settings::Settings;
use crate::auth::Caller;
use crate::clock::Clock;
use crate::error::ApiError;
use crate::rate_limit::AddressKey;
use crate::shutdown::Lifecycle;
use crate::state::AppState;

/// Rooms whose heads are compared with one question to the store.
const HEADS_AT_ONCE: usize = 500;
/// Before the store is asked again after it could not answer.
const REPAIR_RETRY: Duration = Duration::from_millis(500);
/// A ring keeps an event for longer than a write may stall.
const RING_AGE_MARGIN: Duration = Duration::from_secs(5);
/// When clients come back after a drain: soon, but not all at once.
const RETRY_MS: std::ops::Range<u64> = 200..2_000;

/// The sockets of this process.
pub struct Hub {
    me: Weak<Hub>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    tasks: TaskTracker,
    broker: Box<dyn Broker>,
    budget: Budget,
    rooms: Mutex<HashMap<RoomId, Arc<ActiveRoom>>>,
    registry: Mutex<Registry>,
    connections: watch::Sender<usize>,
    draining: AtomicBool,
}

impl Hub {
    /// A hub without connections. Its tasks are spawned on `tasks`.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        settings: Settings,
        tasks: TaskTracker,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            store,
            clock,
            budget: Budget::new(settings.ring_bytes),
            settings,
            tasks,
            broker: Box::new(Local),
            rooms: Mutex::default(),
            registry: Mutex::default(),
            connections: watch::Sender::new(0),
            draining: AtomicBool::new(false),
        })
    }

    /// The times and limits of sockets.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Sockets and streams that are open.
    pub fn connections(&self) -> usize {
        self.registry().len()
    }

    /// Users who are connected.
    pub fn users_online(&self) -> usize {
        self.registry().users()
    }

    /// Rooms that somebody reads here.
    pub fn active_rooms(&self) -> usize {
        self.rooms().len()
    }

    /// The rooms that somebody reads here.
    pub fn open_rooms(&self) -> Vec<RoomId> {
        self.rooms().keys().copied().collect()
    }

    /// Bytes that the rings hold.
    pub fn ring_bytes(&self) -> usize {
        self.budget.used()
    }

    /// Tells the readers of its room of a committed change. Calls for one room may come in any
    /// order and at once; readers get the changes in the order of the feed.
    pub fn publish(&self, event: &Event) {
        self.receive_event(event);
        self.broker.event(event);
    }

    /// Closes the sockets of a session.
    pub fn close_session(&self, user: UserId, session: SessionId, code: CloseCode) {
        self.spread(&Notice::CloseSession(user, session, code));
    }

    /// Closes the sockets of a user, but for those of one session.
    pub fn close_user(&self, user: UserId, keep: Option<SessionId>, code: CloseCode) {
        self.spread(&Notice::CloseUser(user, keep, code));
    }

    /// Lets the sockets of a session go on under another, and look their user up again.
    pub fn replace_session(&self, user: UserId, old: SessionId, new: SessionId) {
        self.spread(&Notice::ReplaceSession(user, old, new));
    }

    /// Ends what a user's sockets read of a room.
    pub fn unsubscribe(&self, room: RoomId, user: UserId, reason: UnsubReason) {
        self.spread(&Notice::Unsubscribe(user, room, reason));
    }

    /// Tells a user's sockets of a room that is new in their list.
    pub fn room_added(&self, user: UserId, summary: &RoomSummary) {
        let doc = encode(&ServerDoc::RoomAdded {
            summary: Box::new(summary.clone()),
        });
        self.spread(&Notice::Send(user, doc));
    }

    /// Tells a user's other sockets how far the user has read.
    pub fn read_moved(
        &self,
        user: UserId,
        room: RoomId,
        number: Number,
        from: Option<ConnectionId>,
    ) {
        let doc = encode(&ServerDoc::Eph {
            room,
            data: Ephemeral::Read { number },
        });
        let registry = self.registry();
        for (_, mailbox) in registry.of_user(user) {
            if Some(mailbox.id) != from {
                mailbox.order(Order::SendUnlessIdle(doc.clone()));
            }
        }
    }

    /// Compares heads with the store and trims rings until the process ends.
    pub fn start(self: &Arc<Self>, lifecycle: &Lifecycle) {
        let (hub, lifecycle) = (self.clone(), lifecycle.clone());
        self.tasks.spawn(async move {
            let mut tick = interval(hub.settings.compare_heads);
            tick.tick().await;
            loop {
                tokio::select! {
                    () = lifecycle.ended() => return,
                    _ = tick.tick() => hub.maintain_apart().await,
                }
            }
        });
    }

    /// Tells every connection to come back and closes each at its own moment within `window`.
    pub(crate) fn drain(&self, window: Duration) {
        self.draining.store(true, Ordering::SeqCst);
        for mailbox in self.registry().all() {
            mailbox.order(Order::GoAway {
                after: window.mul_f64(rand::random()),
                retry_ms: rand::random_range(RETRY_MS),
            });
        }
    }

    /// Returns when no connection is left.
    pub(crate) async fn all_closed(&self) {
        let mut connections = self.connections.subscribe();
        // The sender lives as long as `self`.
        let _ = connections.wait_for(|count| *count == 0).await;
    }

    /// Takes a connection in, before anybody knows whose it is.
    pub(super) fn admit(self: &Arc<Self>, address: AddressKey) -> Result<Registration, TooMany> {
        let id = ConnectionId::from_uuid(Uuid::now_v7());
        let mailbox = Arc::new(Mailbox::new(id));
        self.registry()
            .admit(mailbox.clone(), address, &self.settings.caps)?;
        self.connections.send_modify(|count| *count += 1);
        if self.draining.load(Ordering::SeqCst) {
            mailbox.order(Order::GoAway {
                after: Duration::ZERO,
                retry_ms: rand::random_range(RETRY_MS),
            });
        }
        Ok(Registration {
            hub: self.clone(),
            mailbox,
            address,
        })
    }

    /// Adds a reader to a room. Read the snapshot after this, then [`Subscription::start`].
    pub(super) fn attach(
        self: &Arc<Self>,
        room: RoomId,
        mailbox: &Arc<Mailbox>,
        viewer: Option<UserId>,
    ) -> Subscription {
        let mut rooms = self.rooms();
        let active = rooms
            .entry(room)
            .or_insert_with(|| Arc::new(ActiveRoom::new(room, self.budget.clone())));
        active.attach(mailbox.clone(), viewer);
        Subscription {
            hub: self.clone(),
            room: active.clone(),
            reader: mailbox.id,
            place: None,
            pinged: Seq::ZERO,
            typing_at: None,
        }
    }

    fn detach(&self, room: &ActiveRoom, reader: ConnectionId) {
        let mut rooms = self.rooms();
        match room.detach(reader) {
            Left::Empty => drop(rooms.remove(&room.id)),
            Left::Same => {}
            Left::Fewer => {
                drop(rooms);
                self.tell_presence_soon(room.id);
            }
        }
    }

    fn receive_event(&self, event: &Event) {
        let Some(room) = self.room(event.room) else {
            return;
        };
        let doc = encode(&ServerDoc::Ev(event.clone()));
        let repair = room.insert(event.seq, doc);
        self.repair(room, repair);
    }

    fn spread(&self, notice: &Notice) {
        self.receive(notice);
        self.broker.notice(notice);
    }

    /// Acts on a notice, from this node or from another.
    fn receive(&self, notice: &Notice) {
        let mut registry = self.registry();
        match notice {
            Notice::CloseSession(user, session, code) => {
                let of_session = registry.of_user(*user).filter(|(s, _)| s == session);
                of_session.for_each(|(_, mailbox)| mailbox.order(Order::Close(*code)));
            }
            Notice::CloseUser(user, keep, code) => {
                let others = registry.of_user(*user).filter(|(s, _)| Some(*s) != *keep);
                others.for_each(|(_, mailbox)| mailbox.order(Order::Close(*code)));
            }
            Notice::ReplaceSession(user, old, new) => {
                for (_, mailbox) in registry.of_user(*user).filter(|(s, _)| s == old) {
                    mailbox.order(Order::ReplaceSession(*new));
                }
                registry.replace_session(*user, *old, *new);
            }
            Notice::Unsubscribe(user, room, reason) => {
                for (_, mailbox) in registry.of_user(*user) {
                    mailbox.order(Order::Unsubscribe(*room, *reason));
                }
            }
            Notice::Send(user, doc) => {
                for (_, mailbox) in registry.of_user(*user) {
                    mailbox.order(Order::Send(doc.clone()));
                }
            }
        }
    }

    fn repair(&self, room: Arc<ActiveRoom>, repair: Repair) {
        if repair == Repair::Needed
            && let Some(hub) = self.me.upgrade()
        {
            self.tasks.spawn(async move { hub.close_gap(&room).await });
        }
    }

    /// Waits for late events and reads those that do not come from the store, until the room is
    /// whole or nobody reads it. There is one such task per room at most.
    async fn close_gap(&self, room: &ActiveRoom) {
        sleep(self.settings.gap_wait).await;
        while let Some(after) = room.repair_after() {
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
                    tracing::warn!(room = %room.id, %error, "the gap in a room's feed stays for now");
                    sleep(REPAIR_RETRY).await;
                }
            }
        }
    }

    fn fill(&self, room: &ActiveRoom, page: ChangesPage) {
        let at = self.clock.now();
        let event = |change: SeqChange| encode(&ServerDoc::Ev(change.into_event(room.id, at)));
        let exact = page.changes.into_iter().filter(is_the_event_itself);
        let found: BTreeMap<_, _> = exact.map(|it| (it.seq, event(it))).collect();
        room.fill(&page.epoch, page.upto, found);
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
        let rooms: Vec<_> = self.rooms().values().cloned().collect();
        let age = self.settings.write_stall + RING_AGE_MARGIN;
        for some in rooms.chunks(HEADS_AT_ONCE) {
            let ids: Vec<_> = some.iter().map(|room| room.id).collect();
            let heads = match self.store.heads(&ids).await {
                Ok(heads) => heads,
                Err(error) => {
                    tracing::warn!(%error, "the heads of active rooms were not compared");
                    return;
                }
            };
            for (id, head) in heads {
                if let Some(room) = self.room(id) {
                    let repair = room.note_head(head);
                    self.repair(room, repair);
                }
            }
        }
        for room in rooms {
            room.trim(age, Instant::now());
        }
    }

    fn tell_presence_soon(&self, room: RoomId) {
        let Some(active) = self.room(room) else {
            return;
        };
        if let Some(debounce) = active.collect_presence() {
            self.tasks.spawn(async move {
                sleep(debounce).await;
                active.tell_presence();
            });
        }
    }

    fn room(&self, room: RoomId) -> Option<Arc<ActiveRoom>> {
        self.rooms().get(&room).cloned()
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<RoomId, Arc<ActiveRoom>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

/// A connection's place among the node's connections; dropping it gives the place up.
pub(super) struct Registration {
    hub: Arc<Hub>,
    pub(super) mailbox: Arc<Mailbox>,
    /// Where it comes from.
    pub(super) address: AddressKey,
}

impl Registration {
    /// Takes one from what the connection's address may read, as a request over HTTP would.
    pub(super) fn limit_reads(&self, state: &AppState) -> Result<(), ApiError> {
        state.rates.reads.take(self.address, state.now())
    }

    /// The connection is `caller`'s now.
    pub(super) fn identify(&self, caller: &Caller) -> Result<(), TooMany> {
        let caps = &self.hub.settings.caps;
        self.hub.registry().identify(self.mailbox.id, caller, caps)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.hub.registry().remove(self.mailbox.id);
        self.hub.connections.send_modify(|count| *count -= 1);
    }
}

/// A reader of a room; dropping it ends the reading.
pub(super) struct Subscription {
    hub: Arc<Hub>,
    pub(super) room: Arc<ActiveRoom>,
    reader: ConnectionId,
    /// Where the reader is; none until it is started.
    pub(super) place: Option<Place>,
    /// The newest head that a ping told.
    pub(super) pinged: Seq,
    /// When the reader last wanted to be told as typing.
    pub(super) typing_at: Option<Instant>,
}

impl Subscription {
    /// Starts the reader after `head` of the history `epoch`.
    pub(super) fn start(&mut self, viewer: Option<&User>, head: Seq, epoch: &Epoch) {
        let (place, repair) = self.room.start(self.reader, viewer, head, epoch);
        self.place = Some(place);
        self.pinged = head;
        self.hub.repair(self.room.clone(), repair);
        self.hub.tell_presence_soon(self.room.id);
    }

    /// The reader is `viewer` now.
    pub(super) fn identify(&self, viewer: &User) {
        self.room.identify(self.reader, viewer);
        self.hub.tell_presence_soon(self.room.id);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.detach(&self.room, self.reader);
    }
}
