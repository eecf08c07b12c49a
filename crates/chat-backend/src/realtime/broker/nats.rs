//! NATS: core subjects, nothing that is kept.
//!
//! One task, the [`Steward`], keeps the subscriptions as the node wishes them and asks the server
//! once a second whether it answers. That round trip is also what makes a subscription certain: the
//! server works on a connection in order, so when it answers, the subscriptions before the question
//! stand. Each subscription has a task of its own that reads, so a busy room delays no other, and
//! one task writes.

use std::collections::{HashMap, VecDeque};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{
    Client, ConnectOptions, Event, Request, RequestErrorKind, ServerAddr, Subscriber,
};
use bytes::Bytes;
use chat_types::id::RoomId;
use futures_util::StreamExt;
use percent_encoding::percent_decode_str;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Broker, Inbox, Status, Topic};
use crate::shutdown::Lifecycle;

/// Messages that wait to be written at most; further ones are dropped, and the other nodes are told
/// to compare heads.
const OUTBOX: usize = 4096;
/// The part of them that may be presence, typing and the like: what may be lost takes no place from
/// what may not.
const OUTBOX_EPHEMERAL: usize = OUTBOX / 2;
/// Messages of one subject that wait for this node at most; the client drops further ones and says
/// so, and heads are compared at once.
const BACKLOG: usize = 8192;
/// Orders to the client library that wait at most.
const CLIENT_ORDERS: usize = 256;
/// How often the server is asked whether it answers.
const BEAT: Duration = Duration::from_secs(1);
/// For how long it may say nothing.
const PATIENCE: Duration = Duration::from_secs(2);
/// For how long a subject stays subscribed after its last reader: a page that is loaded again.
const LINGER: Duration = Duration::from_secs(5);
/// Between attempts to connect, doubled up to the second.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// For what waits to be written when the process ends.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The servers of `NATS_URL`, comma separated.
///
/// # Errors
/// When one of them is not a URL of a NATS server, or names another user than the others, in words that do
/// not repeat it: it may hold a password.
pub fn check_servers(urls: &str) -> Result<(), String> {
    credentials(&servers(urls)?).map(drop)
}

fn servers(urls: &str) -> Result<Vec<ServerAddr>, String> {
    let parsed = urls.split(',').enumerate().map(|(index, url)| {
        let server = ServerAddr::from_str(url.trim()).ok();
        let server =
            server.filter(|it| matches!(it.scheme(), "nats" | "tls") && !it.host().is_empty());
        server.ok_or_else(|| format!("its address {} is not one of a NATS server", index + 1))
    });
    parsed.collect()
}

/// Who this node is for the servers.
#[derive(PartialEq, Eq)]
enum Credentials {
    Password { user: String, password: String },
    Token(String),
}

/// What the addresses say of who this node is. The client library takes it from its options only. What a URL
/// cannot hold is spelled with `%` (RFC 3986, section 2.1); a user without a password is a token.
///
/// # Errors
/// When they do not agree: servers of one bus ask for the same.
fn credentials(servers: &[ServerAddr]) -> Result<Option<Credentials>, String> {
    let spelled = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let of_server = |server: &ServerAddr| {
        let user = server.username()?;
        Some(match server.password() {
            Some(password) => Credentials::Password {
                user: spelled(user),
                password: spelled(password),
            },
            None => Credentials::Token(spelled(user)),
        })
    };
    let mut said = servers.iter().map(of_server);
    let first = said.next().flatten();
    if said.any(|other| other != first) {
        return Err("its addresses have different users or passwords".to_owned());
    }
    Ok(first)
}

/// The broker of one of several nodes.
pub struct Nats {
    wishes: Arc<Wishes>,
    outbox: mpsc::Sender<(Topic, Bytes)>,
    start: Mutex<Option<Start>>,
}

/// What [`Nats::start`] needs once.
struct Start {
    servers: Vec<ServerAddr>,
    credentials: Option<Credentials>,
    subjects: Subjects,
    outbox: mpsc::Receiver<(Topic, Bytes)>,
}

/// What the node wants, shared with the steward.
#[derive(Default)]
struct Wishes {
    up: AtomicBool,
    /// What was published did not fit into the outbox; the other nodes are told so.
    overflowed: AtomicBool,
    /// Rooms to follow or to leave, the newest word on each.
    rooms: Mutex<HashMap<RoomId, bool>>,
    /// There is something for the steward to do.
    changed: Notify,
}

impl Wishes {
    fn rooms(&self) -> MutexGuard<'_, HashMap<RoomId, bool>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wish(&self, room: RoomId, follow: bool) {
        self.rooms().insert(room, follow);
        self.changed.notify_one();
    }
}

/// The names of the subjects.
#[derive(Clone)]
struct Subjects(Arc<str>);

impl Subjects {
    fn of(&self, topic: Topic) -> String {
        match topic {
            Topic::Room(room) => format!("{}.room.{room}", self.0),
            Topic::Control => format!("{}.control", self.0),
        }
    }

    /// Nobody ever subscribes to this one, so the server itself answers that nobody does.
    fn nobody(&self) -> String {
        format!("{}.nobody", self.0)
    }
}

impl Nats {
    /// The broker of the servers `urls`, comma separated, whose subjects begin with `prefix`.
    ///
    /// # Errors
    /// As [`check_servers`].
    pub fn new(urls: &str, prefix: &str) -> Result<Self, String> {
        let (outbox, receiver) = mpsc::channel(OUTBOX);
        let servers = servers(urls)?;
        Ok(Self {
            wishes: Arc::default(),
            outbox,
            start: Mutex::new(Some(Start {
                credentials: credentials(&servers)?,
                servers,
                subjects: Subjects(prefix.into()),
                outbox: receiver,
            })),
        })
    }
}

impl Broker for Nats {
    fn start(&self, inbox: Weak<dyn Inbox>, lifecycle: &Lifecycle) {
        let mut start = self.start.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(start) = start.take() {
            let (wishes, lifecycle) = (self.wishes.clone(), lifecycle.clone());
            let tasks = lifecycle.tasks().clone();
            tasks.spawn(async move { run(start, wishes, inbox, lifecycle).await });
        }
    }

    fn publish(&self, topic: Topic, message: Bytes) {
        if self.status() == Status::Down {
            // It would come late and in a crowd; who comes back compares heads instead.
            metrics::counter!("chat_bus_dropped_total", "why" => "down").increment(1);
        } else if self.outbox.try_send((topic, message)).is_err() {
            metrics::counter!("chat_bus_dropped_total", "why" => "full").increment(1);
            self.wishes.overflowed.store(true, Ordering::SeqCst);
        }
    }

    fn publish_ephemeral(&self, topic: Topic, message: Bytes) {
        let waiting = OUTBOX - self.outbox.capacity();
        if waiting < OUTBOX_EPHEMERAL {
            self.publish(topic, message);
        } else {
            metrics::counter!("chat_bus_dropped_total", "why" => "ephemeral").increment(1);
        }
    }

    fn follow(&self, room: RoomId) {
        self.wishes.wish(room, true);
    }

    fn unfollow(&self, room: RoomId) {
        self.wishes.wish(room, false);
    }

    fn status(&self) -> Status {
        if self.wishes.up.load(Ordering::SeqCst) {
            Status::Up
        } else {
            Status::Down
        }
    }
}

async fn run(start: Start, wishes: Arc<Wishes>, inbox: Weak<dyn Inbox>, lifecycle: Lifecycle) {
    let Start {
        servers,
        credentials,
        subjects,
        outbox,
    } = start;
    let nobody = options(&wishes, &inbox);
    let options = match credentials {
        Some(Credentials::Password { user, password }) => nobody.user_and_password(user, password),
        Some(Credentials::Token(token)) => nobody.token(token),
        None => nobody,
    };
    let connected = options.connect(servers).await;
    let client = match connected {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(%error, "there is no bus: its addresses cannot be used");
            return;
        }
    };
    let writing = write(client.clone(), subjects.clone(), outbox, lifecycle.clone());
    lifecycle.tasks().spawn(writing);
    let connects = 0;
    let steward = Steward {
        client,
        subjects,
        wishes,
        inbox,
        lifecycle: lifecycle.clone(),
        control: None,
        rooms: HashMap::new(),
        fresh: Vec::new(),
        waiting: VecDeque::new(),
        connects,
    };
    tokio::select! {
        () = lifecycle.ended() => {}
        () = steward.run() => {}
    }
}

fn options(wishes: &Arc<Wishes>, inbox: &Weak<dyn Inbox>) -> ConnectOptions {
    let (wishes, inbox) = (wishes.clone(), inbox.clone());
    ConnectOptions::new()
        .name(concat!("chat-backend ", env!("CARGO_PKG_VERSION")))
        .no_echo()
        .retry_on_initial_connect()
        .connection_timeout(PATIENCE)
        .reconnect_delay_callback(|attempts| {
            let doublings = u32::try_from(attempts.min(8)).unwrap_or(8);
            (RECONNECT.0 * 2_u32.pow(doublings)).min(RECONNECT.1)
        })
        .subscription_capacity(BACKLOG)
        .client_capacity(CLIENT_ORDERS)
        .event_callback(move |event| {
            note(&event, &wishes, &inbox);
            std::future::ready(())
        })
}

/// What the client library says of itself. It may drop such words when there are many, so nothing
/// but speed depends on them.
fn note(event: &Event, wishes: &Wishes, inbox: &Weak<dyn Inbox>) {
    match event {
        Event::SlowConsumer(_) => {
            metrics::counter!("chat_bus_lost_total").increment(1);
            if let Some(inbox) = inbox.upgrade() {
                inbox.doubt();
            }
        }
        Event::Connected | Event::Disconnected | Event::Closed => wishes.changed.notify_one(),
        other => tracing::warn!(event = %other, "the bus says"),
    }
}

/// Writes until the process ends, and then what is left.
async fn write(
    client: Client,
    subjects: Subjects,
    mut outbox: mpsc::Receiver<(Topic, Bytes)>,
    lifecycle: Lifecycle,
) {
    let publish = async |(topic, message)| {
        if let Err(error) = client.publish(subjects.of(topic), message).await {
            metrics::counter!("chat_bus_dropped_total", "why" => "refused").increment(1);
            tracing::warn!(%error, "the bus does not take a message");
        }
    };
    let writing = async {
        while let Some(message) = outbox.recv().await {
            publish(message).await;
        }
    };
    tokio::select! {
        () = writing => return,
        () = lifecycle.ended() => {}
    }
    let rest = async {
        while let Ok(message) = outbox.try_recv() {
            publish(message).await;
        }
        client.flush().await
    };
    let _ = timeout(LAST_WORDS, rest).await;
}

/// A subject that is subscribed; dropping it ends the subscription.
struct Followed {
    _stop: DropGuard,
    /// When it is left, unless somebody reads it again until then.
    until: Option<Instant>,
}

/// Keeps the subscriptions.
struct Steward {
    client: Client,
    subjects: Subjects,
    wishes: Arc<Wishes>,
    inbox: Weak<dyn Inbox>,
    lifecycle: Lifecycle,
    control: Option<DropGuard>,
    rooms: HashMap<RoomId, Followed>,
    /// Rooms whose subscription is not certain yet.
    fresh: Vec<RoomId>,
    /// Wishes that are being worked on.
    waiting: VecDeque<(RoomId, bool)>,
    /// How often the client had connected when the bus was up last.
    connects: u64,
}

impl Steward {
    async fn run(mut self) {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.wishes.changed.notified() => {}
                _ = beat.tick() => {}
            }
            self.leave_unread();
            let connects = self.client.statistics().connects.load(Ordering::Relaxed);
            let is_connected = self.client.connection_state() == State::Connected;
            if is_connected && timeout(PATIENCE, self.tend()).await.unwrap_or(false) {
                self.is_up(connects);
            } else {
                self.is_down();
            }
        }
    }

    /// Fulfils the wishes; whether the server has answered since.
    async fn tend(&mut self) -> bool {
        if self.control.is_none() {
            self.control = self.subscribe(Topic::Control).await;
        }
        self.waiting.extend(self.wishes.rooms().drain());
        while let Some((room, follow)) = self.waiting.front().copied() {
            if !self.fulfil(room, follow).await {
                return false;
            }
            self.waiting.pop_front();
        }
        let question = Request::new().payload(Bytes::new()).timeout(Some(PATIENCE));
        let asked = Instant::now();
        let answer = self.client.send_request(self.subjects.nobody(), question);
        let refusal = answer.await.err().map(|error| error.kind());
        let has_answered = refusal == Some(RequestErrorKind::NoResponders);
        if has_answered {
            metrics::histogram!("chat_bus_round_trip_seconds").record(asked.elapsed());
        }
        self.control.is_some() && has_answered
    }

    async fn fulfil(&mut self, room: RoomId, follow: bool) -> bool {
        match (self.rooms.get_mut(&room), follow) {
            (Some(followed), false) => followed.until = Some(Instant::now() + LINGER),
            (Some(followed), true) => {
                followed.until = None;
                self.fresh.push(room);
            }
            (None, false) => {}
            (None, true) => {
                let Some(stop) = self.subscribe(Topic::Room(room)).await else {
                    return false;
                };
                let until = None;
                self.rooms.insert(room, Followed { _stop: stop, until });
                self.fresh.push(room);
            }
        }
        true
    }

    async fn subscribe(&self, topic: Topic) -> Option<DropGuard> {
        match self.client.subscribe(self.subjects.of(topic)).await {
            Ok(subscriber) => {
                let stop = CancellationToken::new();
                let reading = read(subscriber, topic, self.inbox.clone(), stop.clone());
                self.lifecycle.tasks().spawn(reading);
                Some(stop.drop_guard())
            }
            Err(error) => {
                tracing::warn!(%error, "the bus does not take a subscription");
                None
            }
        }
    }

    fn leave_unread(&mut self) {
        let now = Instant::now();
        self.rooms
            .retain(|_, followed| followed.until.is_none_or(|until| now < until));
    }

    fn is_up(&mut self, connects: u64) {
        let Some(inbox) = self.inbox.upgrade() else {
            return;
        };
        let was_up = self.wishes.up.swap(true, Ordering::SeqCst);
        let fresh = std::mem::take(&mut self.fresh);
        let has_lost = self.wishes.overflowed.swap(false, Ordering::SeqCst);
        if was_up && self.connects == connects {
            if has_lost {
                inbox.turned(Status::Up);
            }
            if !fresh.is_empty() {
                inbox.followed(&fresh);
            }
            return;
        }
        self.connects = connects;
        tracing::info!("the bus is up");
        let all: Vec<_> = self.rooms.keys().copied().collect();
        inbox.turned(Status::Up);
        inbox.followed(&all);
    }

    fn is_down(&mut self) {
        if self.wishes.up.swap(false, Ordering::SeqCst) {
            tracing::warn!("the bus is down; heads are polled instead");
            if let Some(inbox) = self.inbox.upgrade() {
                inbox.turned(Status::Down);
            }
        }
    }
}

/// Hands the messages of one subject to the node, which takes them at once.
async fn read(
    mut subscriber: Subscriber,
    topic: Topic,
    inbox: Weak<dyn Inbox>,
    stop: CancellationToken,
) {
    loop {
        let message = tokio::select! {
            () = stop.cancelled() => return,
            message = subscriber.next() => message,
        };
        let (Some(message), Some(inbox)) = (message, inbox.upgrade()) else {
            return;
        };
        inbox.receive(topic, message.payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_lost_takes_at_most_half_of_the_outbox() {
        // Nobody writes, so what is published waits.
        let bus = Nats::new("nats://127.0.0.1:4222", "test").unwrap();
        bus.wishes.up.store(true, Ordering::SeqCst);
        let waiting = || OUTBOX - bus.outbox.capacity();
        for _ in 0..OUTBOX {
            bus.publish_ephemeral(Topic::Control, Bytes::new());
        }
        assert_eq!(waiting(), OUTBOX_EPHEMERAL);
        for _ in OUTBOX_EPHEMERAL..OUTBOX {
            bus.publish(Topic::Control, Bytes::new());
        }
        assert_eq!(waiting(), OUTBOX);
        assert!(!bus.wishes.overflowed.load(Ordering::SeqCst));
        bus.publish(Topic::Control, Bytes::new());
        assert!(bus.wishes.overflowed.load(Ordering::SeqCst));
    }

    #[test]
    fn addresses_of_nats_are_told_from_mistakes_without_repeating_a_password() {
        for good in [
            "nats://127.0.0.1:4222",
            "nats.example.com",
            "tls://user:secret@nats.example.com:4222, nats://user:secret@other",
            "nats://token@nats.example.com",
        ] {
            assert_eq!(check_servers(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "http://example.com",
            "nats://",
            "nats://user:secret@:x",
            "nats://a,,",
            "nats://user:secret@a,nats://user:another@b",
            "nats://user:secret@a,nats://b",
        ] {
            let problem = check_servers(bad).unwrap_err();
            assert!(!problem.contains("secret"), "{problem}");
        }
    }
}
