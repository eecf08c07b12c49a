//! The sockets of this process: who they are, which rooms they read, and how news reach them.
//!
//! Operations call [`Hub::publish`] after their commit and the notices ([`Hub::close_session`] and
//! so on) after a user's rights changed. No call here blocks or waits for a reader.

mod nodes;
mod rooms;
mod upkeep;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use chat_store::Store;
use chat_types::close::CloseCode;
use chat_types::event::{Change, Event, User};
use chat_types::id::{ConnectionId, Epoch, Number, RoomId, Seq, SessionId, UserId};
use chat_types::room::RoomSummary;
use chat_types::ws::{Ephemeral, ServerDoc, UnsubReason};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use self::nodes::Nodes;
use self::rooms::Rooms;
use super::broker::{Broker, Status, Topic};
use super::codec::{Doc, encode};
use super::mailbox::{Mailbox, Order};
use super::message::{Message, NodeId, Notice};
use super::registry::{Registry, TooMany};
use super::ring::Budget;
use super::room::{ActiveRoom, Left, Place};
use super::settings::Settings;
use super::starts::Starts;
use crate::auth::Caller;
use crate::auth::token::Proof;
use crate::clock::Clock;
use crate::error::ApiError;
use crate::state::AppState;
use chat_listener::AddressKey;

/// When clients come back after a drain or a move: soon, but not all at once. What is written meanwhile
/// waits as long, and no message is to take 2 s.
pub(super) const RETRY_MS: std::ops::Range<u64> = 200..1_500;

/// The sockets of this process.
pub struct Hub {
    me: Weak<Hub>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    tasks: TaskTracker,
    node: NodeId,
    broker: Box<dyn Broker>,
    nodes: Mutex<Nodes>,
    /// Counts what this node says of its readers, so that others know the newest word.
    versions: AtomicU64,
    /// A reason to compare with the store at once.
    nudge: Notify,
    budget: Budget,
    rooms: Rooms,
    starts: Starts,
    registry: Mutex<Registry>,
    connections: watch::Sender<usize>,
    draining: AtomicBool,
}

impl Hub {
    /// A hub without connections, which hears of other nodes through `broker`. Its tasks are spawned
    /// on `tasks`.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        broker: Box<dyn Broker>,
        settings: Settings,
        tasks: TaskTracker,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            starts: Starts::new(Arc::clone(&store)),
            store,
            clock,
            budget: Budget::new(settings.ring_bytes),
            settings,
            tasks,
            node: NodeId::random(),
            broker,
            nodes: Mutex::default(),
            versions: AtomicU64::default(),
            nudge: Notify::new(),
            rooms: Rooms::default(),
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
        self.rooms.len()
    }

    /// The rooms that somebody reads here.
    pub fn open_rooms(&self) -> Vec<RoomId> {
        self.rooms.all().iter().map(|room| room.id).collect()
    }

    /// Whether the other nodes hear this one.
    pub fn bus(&self) -> Status {
        self.broker.status()
    }

    /// Other nodes that gave a sign of life lately.
    pub fn other_nodes(&self) -> usize {
        self.nodes().len()
    }

    /// Bytes that the rings hold.
    pub fn ring_bytes(&self) -> usize {
        self.budget.used()
    }

    /// Tells the readers of its room of a committed change. Calls for one room may come in any
    /// order and at once; readers get the changes in the order of the feed.
    pub fn publish(&self, event: &Event) {
        let is_read_here = self.rooms.get(event.room).is_some();
        if !is_read_here && self.broker.status() == Status::Alone {
            return;
        }
        let (room, seq) = (event.room, event.seq);
        let doc = encode(&ServerDoc::Ev(event.clone()));
        let left = match event.change {
            Change::MemberLeft { user_id } => Some(user_id),
            _ => None,
        };
        self.take_in(room, seq, doc.clone());
        self.tell_nodes(Topic::Room(room), &Message::Event { seq, left, doc });
    }

    /// Closes the sockets of a session.
    pub fn close_session(&self, user: UserId, session: SessionId, code: CloseCode) {
        self.spread(Notice::CloseSession {
            user,
            session,
            code,
        });
    }

    /// Closes the sockets of a user, but for those of one session.
    pub fn close_user(&self, user: UserId, keep: Option<SessionId>, code: CloseCode) {
        self.spread(Notice::CloseUser { user, keep, code });
    }

    /// Lets the sockets of a session go on under another, and look their user up again.
    pub fn replace_session(&self, user: UserId, old: SessionId, new: SessionId) {
        self.spread(Notice::ReplaceSession { user, old, new });
    }

    /// Ends what a user's sockets read of a room.
    pub fn unsubscribe(&self, room: RoomId, user: UserId, reason: UnsubReason) {
        self.spread(Notice::Unsubscribe { user, room, reason });
    }

    /// Tells a user's sockets of a room that is new in their list.
    pub fn room_added(&self, user: UserId, summary: &RoomSummary) {
        let doc = encode(&ServerDoc::RoomAdded {
            summary: Box::new(summary.clone()),
        });
        self.spread(Notice::Send { user, doc });
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
        self.spread(Notice::SendUnlessIdle { user, doc, from });
    }

    /// Tells every connection to come back and closes each at its own moment within `window`.
    pub(crate) fn drain(&self, window: Duration) {
        self.draining.store(true, Ordering::SeqCst);
        self.tell_beat();
        for mailbox in self.registry().all() {
            mailbox.order(Order::GoAway {
                code: CloseCode::ServiceRestart,
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

    /// What readers begin with.
    pub(super) fn starts(&self) -> &Starts {
        &self.starts
    }

    /// Takes a connection in, before anybody knows whose it is.
    pub(super) fn admit(self: &Arc<Self>, address: AddressKey) -> Registration {
        let id = ConnectionId::from_uuid(Uuid::now_v7());
        let mailbox = Arc::new(Mailbox::new(id));
        self.registry()
            .admit(mailbox.clone(), address, &self.settings.caps);
        self.connections.send_modify(|count| *count += 1);
        if self.is_draining() {
            mailbox.order(Order::GoAway {
                code: CloseCode::ServiceRestart,
                after: Duration::ZERO,
                retry_ms: rand::random_range(RETRY_MS),
            });
        }
        Registration {
            hub: self.clone(),
            mailbox,
            address,
        }
    }

    /// Adds a reader to a room. Read the snapshot after this, then [`Subscription::start`].
    pub(super) fn attach(
        self: &Arc<Self>,
        room: RoomId,
        mailbox: &Arc<Mailbox>,
        viewer: Option<UserId>,
    ) -> Subscription {
        let active = loop {
            let active = self.rooms.get_or_insert(room, || {
                self.broker.follow(room);
                ActiveRoom::new(room, self.budget.clone(), self.tasks.clone())
            });
            if active.attach(mailbox.clone(), viewer) {
                break active;
            }
            // Its last reader has just left.
            self.forget(&active);
        };
        Subscription {
            hub: self.clone(),
            room: active,
            reader: mailbox.id,
            place: None,
            pinged: Seq::ZERO,
            typing_at: None,
        }
    }

    fn detach(&self, room: &Arc<ActiveRoom>, reader: ConnectionId) {
        match room.detach(reader) {
            Left::Empty => self.forget(room),
            Left::Same => {}
            Left::Fewer => self.tell_presence_soon(room.id),
        }
    }

    /// Takes a room off that nobody reads any more.
    fn forget(&self, room: &Arc<ActiveRoom>) {
        self.rooms.remove(room, || {
            self.say_goodbye(room.id);
            self.broker.unfollow(room.id);
        });
    }

    /// Takes in a change, from this node or from another.
    fn take_in(&self, room: RoomId, seq: Seq, doc: Doc) {
        if let Some(room) = self.rooms.get(room) {
            let repair = room.insert(seq, doc);
            self.repair(room, repair);
        }
    }

    fn spread(&self, notice: Notice) {
        self.heed(&notice);
        self.tell_nodes(Topic::Control, &Message::Notice(notice));
    }

    /// Tells readers and other nodes who is here, after changes have been collected for a while.
    fn tell_presence_soon(&self, room: RoomId) {
        let (Some(active), Some(hub)) = (self.rooms.get(room), self.me.upgrade()) else {
            return;
        };
        let alone = self.broker.status() == Status::Alone;
        if let Some(debounce) = active.collect_presence(alone) {
            self.tasks.spawn(async move {
                sleep(debounce).await;
                active.tell_presence();
                hub.share_presence(room, false, false);
            });
        }
    }

    fn next_version(&self) -> u64 {
        self.versions.fetch_add(1, Ordering::SeqCst)
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    fn nodes(&self) -> MutexGuard<'_, Nodes> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// The connection is a visitor's now.
    pub(super) fn visit(&self) -> Result<(), TooMany> {
        let caps = &self.hub.settings.caps;
        self.hub.registry().visit(self.mailbox.id, caps)
    }

    /// The connection may be this user's: it has shown a token, and its session is about to be looked up.
    pub(super) fn claim(&self, proof: &Proof) {
        let (id, user, session) = (self.mailbox.id, proof.user, proof.session);
        self.hub.registry().claim(id, user, session);
    }

    /// The session has ended, or could not be looked up.
    pub(super) fn disclaim(&self) {
        self.hub.registry().disclaim(self.mailbox.id);
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

    /// A user types in the room.
    pub(super) fn typing(&self, user: &User, now: Instant) {
        if self.room.typing(user, now) {
            let message = Message::Typing(user.clone());
            self.hub.tell_nodes(Topic::Room(self.room.id), &message);
        }
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
