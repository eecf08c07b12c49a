//! Drives the client's state machine as the browser does, over tokio: one task for each client.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use chat_client::{
    AccessToken, Client, Config, ConnId, ConnectionState, Effect, FailedCommand, FetchId, Input,
    Notice, RoomChange, RoomStatus, RoomView, RowKey, Session,
};
use chat_types::account::Empty;
use chat_types::endpoint::GetHistory;
use chat_types::id::{ClientId, MessageId, Number, RoomId, Seq};
use chat_types::limits::TAIL;
use chat_types::room::HistoryQuery;
use chat_types::ws::ClientInfo;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};

use crate::attention::{Member, Shown};
use crate::history::{History, Row, What};
use crate::measure::{Liveness, Shared};
use crate::rng::Rng;
use crate::server::{Account, Api, RenewError, Server, Socket, address_of};
use crate::tap::Tap;
use crate::text::{self, Label};

/// A socket that was not open by then is given up; the client's own limit is as long.
const OPEN: Duration = Duration::from_secs(10);
/// A frame that was not taken by then: the connection is lost.
const WRITE: Duration = Duration::from_secs(10);
/// How often somebody who cannot wait asks for another attempt.
const IMPATIENCE_MS: u64 = 250;
/// The code that stands for a connection that broke (RFC 6455, section 7.1.5).
pub(crate) const BROKEN: u16 = 1006;
/// What people put under messages.
const EMOJI: [&str; 3] = ["👍", "🎉", "😀"];

/// Who a client is and what it does.
pub(crate) struct Persona {
    pub(crate) client: u32,
    pub(crate) account: Account,
    pub(crate) servers: Arc<[Server]>,
    pub(crate) api: Api,
    pub(crate) source: Option<Ipv4Addr>,
    pub(crate) rooms: Vec<RoomId>,
    /// By how much its clock is wrong.
    pub(crate) skew_ms: i64,
    /// Whether it asks for another attempt all the time while it is not connected, as somebody does
    /// who clicks.
    pub(crate) impatient: bool,
    pub(crate) body_bytes: usize,
    pub(crate) rng: Rng,
}

/// What a client is told to do.
pub(crate) enum Order {
    /// Write a message that was due then.
    Write { room: RoomId, due_us: u64 },
    /// Give one of its own messages another text.
    Edit,
    /// Delete one of its own messages.
    Delete,
    /// Put an emoji under one of its rooms' messages, or take it away.
    React,
    /// Always have messages under way, or stop that. Only senders do it that pipeline.
    Saturate(bool),
    /// The network is back.
    Online,
    /// Whether it shows everything up to these places, and waits for nothing.
    IsSettled {
        heads: Arc<HashMap<RoomId, Seq>>,
        to: oneshot::Sender<bool>,
    },
    /// Write down everything that is shown beside messages from now on, or stop that.
    Watch(bool),
    /// Who is shown as being there.
    Shown(oneshot::Sender<Shown>),
    /// Whether the user is a member of this room, having written there.
    Member {
        room: RoomId,
        to: oneshot::Sender<Option<Member>>,
    },
    /// The end: give the history.
    Finish(oneshot::Sender<History>),
}

/// A client that was started.
pub(crate) struct Handle {
    pub(crate) orders: mpsc::UnboundedSender<Order>,
}

impl Handle {
    pub(crate) fn tell(&self, order: Order) {
        // A client that has ended is noticed where its history is missing.
        let _ = self.orders.send(order);
    }
}

/// What comes back from what the client asked for.
enum Done {
    Opened(ConnId, Box<Socket>),
    NotOpened(ConnId),
    Renewed(Result<Box<Account>, RenewError>),
    History(FetchId, Option<Box<chat_types::room::History>>),
}

struct Driver {
    client: Client,
    persona: Persona,
    shared: Arc<Shared>,
    tap: Tap,
    socket: Option<(ConnId, Box<Socket>)>,
    done: mpsc::UnboundedSender<Done>,
    /// Whether it counts as live.
    live: Liveness,
    /// The rows that each room shows, to notice one that is put beside itself.
    shown: BTreeMap<RoomId, HashSet<RowKey>>,
    /// Whether everything is written down that is shown beside messages.
    watched: bool,
    written: u64,
}

/// Starts a client: it connects and follows its rooms.
pub(crate) fn start(persona: Persona, shared: Arc<Shared>) -> Handle {
    let (orders, told) = mpsc::unbounded_channel();
    let (done, happened) = mpsc::unbounded_channel();
    let history = History::new(persona.client, Some(persona.account.user.id));
    let token = token_of(&persona.account, &shared);
    let config = Config {
        client: ClientInfo {
            name: "load".to_owned(),
            build: env!("CARGO_PKG_VERSION").to_owned(),
        },
        seed: persona.rng.clone().next_u64(),
        session: Session::User {
            user: Some(persona.account.user.clone()),
            token: Some(token),
        },
        outbox: None,
    };
    shared.client_began();
    let driver = Driver {
        client: Client::new(config, shared.clock.device_ms(persona.skew_ms)),
        tap: Tap::new(history, Arc::clone(&shared)),
        persona,
        shared,
        socket: None,
        done,
        live: Liveness::default(),
        shown: BTreeMap::new(),
        watched: false,
        written: 0,
    };
    tokio::spawn(driver.run(told, happened));
    Handle { orders }
}

fn token_of(account: &Account, shared: &Shared) -> AccessToken {
    AccessToken {
        token: account.token.clone(),
        expires_in_ms: account.lasts_ms(shared.clock),
    }
}

impl Driver {
    async fn run(
        mut self,
        mut told: mpsc::UnboundedReceiver<Order>,
        mut happened: mpsc::UnboundedReceiver<Done>,
    ) {
        for room in self.persona.rooms.clone() {
            let (tail, page) = (TAIL, None);
            self.feed(Input::OpenRoom { room, tail, page }).await;
        }
        self.feed(Input::Start).await;
        loop {
            let wake = self.wake();
            tokio::select! {
                frame = next_frame(&mut self.socket) => self.received(frame).await,
                Some(done) = happened.recv() => self.did(done).await,
                order = told.recv() => match order {
                    Some(Order::Finish(to)) => {
                        self.finish();
                        // Nobody waits for the history of a run that was given up.
                        let _ = to.send(self.tap.history);
                        return;
                    }
                    Some(order) => self.obey(order).await,
                    None => return,
                },
                () = tokio::time::sleep(wake) => self.woke().await,
            }
        }
    }

    /// How long nothing has to be done.
    fn wake(&self) -> Duration {
        let now = self.shared.clock.device_ms(self.persona.skew_ms);
        let own = self.client.next_wake().map(|at| at.since_ms(now));
        let impatient = (self.persona.impatient && !self.live.is_live()).then_some(IMPATIENCE_MS);
        let wait = own.into_iter().chain(impatient).min();
        Duration::from_millis(wait.unwrap_or(60_000))
    }

    async fn woke(&mut self) {
        let waits = matches!(
            self.client.connection(),
            ConnectionState::Reconnecting {
                retry_at: Some(_),
                ..
            }
        );
        self.feed(if self.persona.impatient && waits {
            Input::Wake
        } else {
            Input::Timer
        })
        .await;
    }

    async fn feed(&mut self, input: Input) {
        let mut next = Some(input);
        while let Some(input) = next {
            let now = self.shared.clock.device_ms(self.persona.skew_ms);
            self.client.handle(now, input);
            next = self.carry_out().await;
        }
    }

    /// Does what the client asks for. A socket that breaks meanwhile is the next input.
    async fn carry_out(&mut self) -> Option<Input> {
        let mut broken = None;
        while let Some(effect) = self.client.poll_effect() {
            match effect {
                Effect::Connect { conn } => self.connect(conn),
                Effect::SendFrame { conn, text } => {
                    if !self.send(conn, text).await {
                        broken = Some(closed(conn, BROKEN, String::new()));
                    }
                }
                Effect::Disconnect { conn, code } => self.disconnect(conn, code),
                Effect::RefreshToken => self.renew(),
                Effect::FetchHistory { fetch, room, query } => self.fetch(fetch, room, query),
                Effect::PersistOutbox(_) => {}
                Effect::Notify(notice) => self.notice(notice),
            }
        }
        self.count_live();
        broken
    }

    fn connect(&mut self, conn: ConnId) {
        self.socket = None;
        let server = self.pick_server();
        let (source, done) = (self.persona.source, self.done.clone());
        tokio::spawn(async move {
            let opened = tokio::time::timeout(OPEN, server.open(source)).await;
            // The client may have ended.
            let _ = done.send(match opened {
                Ok(Ok(socket)) => Done::Opened(conn, Box::new(socket)),
                _ => Done::NotOpened(conn),
            });
        });
    }

    fn pick_server(&mut self) -> Server {
        let servers = &self.persona.servers;
        servers[self.persona.rng.index(servers.len())].clone()
    }

    async fn send(&mut self, conn: ConnId, text: String) -> bool {
        let Some((open, socket)) = &mut self.socket else {
            return true;
        };
        if *open != conn {
            return true;
        }
        self.tap.sends(&text);
        let sent = tokio::time::timeout(WRITE, socket.send(Message::text(text))).await;
        if matches!(sent, Ok(Ok(()))) {
            return true;
        }
        self.socket = None;
        self.tap.lost(BROKEN);
        false
    }

    /// The client gives the socket up.
    fn disconnect(&mut self, conn: ConnId, code: u16) {
        let Some((_, mut socket)) = self.socket.take_if(|(open, _)| *open == conn) else {
            return;
        };
        self.tap.lost(code);
        tokio::spawn(async move {
            let frame = CloseFrame {
                code: code.into(),
                reason: "".into(),
            };
            // Whoever is given up may not be there to hear it.
            let _ = tokio::time::timeout(WRITE, Socket::close(&mut socket, Some(frame))).await;
        });
    }

    fn renew(&mut self) {
        let server = self.pick_server();
        let (api, account) = (self.persona.api.clone(), self.persona.account.clone());
        let (clock, done) = (self.shared.clock, self.done.clone());
        tokio::spawn(async move {
            let renewed = account.renewed(&api, &server, clock).await;
            // The client may have ended.
            let _ = done.send(Done::Renewed(renewed.map(Box::new)));
        });
    }

    fn fetch(&mut self, fetch: FetchId, room: RoomId, query: HistoryQuery) {
        let server = self.pick_server();
        let (api, token) = (self.persona.api.clone(), self.persona.account.token.clone());
        let done = self.done.clone();
        tokio::spawn(async move {
            let path = [("room", room.to_string())];
            let page = api
                .call::<GetHistory>(&server, &path, &query, &Empty {}, Some(&token))
                .await;
            // The client may have ended.
            let _ = done.send(Done::History(fetch, page.ok().map(Box::new)));
        });
    }

    async fn did(&mut self, done: Done) {
        let input = match done {
            Done::Opened(conn, socket) => {
                self.tap.connected(address_of(&socket));
                self.socket = Some((conn, socket));
                Input::Opened { conn }
            }
            Done::NotOpened(conn) => closed(conn, BROKEN, String::new()),
            Done::Renewed(Ok(account)) => {
                let token = token_of(&account, &self.shared);
                self.persona.account = *account;
                Input::TokenRefreshed { token }
            }
            Done::Renewed(Err(RenewError::Refused)) => Input::TokenRefused,
            Done::Renewed(Err(RenewError::Later { retry_after_ms })) => {
                Input::RefreshFailed { retry_after_ms }
            }
            Done::History(fetch, Some(page)) => Input::HistoryLoaded { fetch, page },
            Done::History(fetch, None) => Input::HistoryFailed { fetch },
        };
        self.feed(input).await;
    }

    async fn received(&mut self, frame: Frame) {
        let Frame { conn, what } = frame;
        match what {
            Arrived::Text(text) => {
                self.tap.receives(&text);
                self.feed(Input::Frame { conn, text }).await;
            }
            Arrived::Closed { code, reason } => {
                self.socket = None;
                self.tap.lost(code);
                self.feed(closed(conn, code, reason)).await;
            }
        }
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Write { room, due_us } => self.write(room, due_us).await,
            Order::Edit => {
                if let Some((room, message_id)) = self.pick_own() {
                    let now_us = self.shared.clock.now_us();
                    let body = self.next_text(now_us);
                    self.feed(Input::Edit {
                        room,
                        message_id,
                        body,
                    })
                    .await;
                }
            }
            Order::Delete => {
                if let Some((room, message_id)) = self.pick_own() {
                    self.tap.own.retain(|(_, own)| *own != message_id);
                    self.feed(Input::Delete { room, message_id }).await;
                }
            }
            Order::React => self.react().await,
            Order::Online => self.feed(Input::Online).await,
            Order::IsSettled { heads, to } => {
                // Who asks may have stopped waiting.
                let _ = to.send(self.is_settled(&heads));
            }
            Order::Watch(on) => {
                self.watched = on;
                for room in self.persona.rooms.clone() {
                    self.note_present(room);
                    self.note_read(room);
                }
            }
            // Who asks may have stopped waiting.
            Order::Shown(to) => drop(to.send(self.shown_present())),
            Order::Member { room, to } => drop(to.send(self.member_of(room))),
            Order::Finish(_) | Order::Saturate(_) => {}
        }
    }

    fn shown_present(&self) -> Shown {
        let rooms = self.persona.rooms.iter();
        let views = rooms.filter_map(|room| Some((*room, self.client.room(*room)?.presence())));
        views
            .map(|(room, presence)| {
                let users = presence.users.iter().map(|user| user.id).collect();
                (room, (presence.count as usize, users))
            })
            .collect()
    }

    fn member_of(&self, room: RoomId) -> Option<Member> {
        let has_written = self.tap.own.iter().any(|(of, _)| *of == room);
        let last = self.client.room(room)?.last_number();
        has_written.then(|| Member {
            account: self.persona.account.clone(),
            last,
        })
    }

    fn note_present(&mut self, room: RoomId) {
        let Some(view) = self.client.room(room) else {
            return;
        };
        let presence = view.presence();
        let present = What::Present {
            room,
            count: presence.count,
            users: presence.users.iter().map(|user| user.id).collect(),
        };
        self.note(present);
    }

    fn note_typing(&mut self, room: RoomId) {
        let view = self.client.room(room).into_iter();
        let users = view.flat_map(RoomView::typing).map(|user| user.id);
        let users = users.collect();
        self.note(What::Typing { room, users });
    }

    fn note_read(&mut self, room: RoomId) {
        let Some(view) = self.client.room(room) else {
            return;
        };
        let read = What::Read {
            room,
            read: view.read(),
            unread: view.unread_count(),
        };
        self.note(read);
    }

    fn note(&mut self, what: What) {
        let now_us = self.shared.clock.now_us();
        self.tap.history.push(now_us, what);
    }

    async fn write(&mut self, room: RoomId, due_us: u64) {
        let now = self.shared.clock.device_ms(self.persona.skew_ms);
        let client_id = text::client_id(now.0, &mut self.persona.rng);
        let body = self.next_text(due_us);
        self.tap.invoked(room, client_id, &body, due_us);
        self.feed(Input::Send {
            room,
            client_id,
            body,
            reply_to: None,
        })
        .await;
    }

    fn next_text(&mut self, due_us: u64) -> String {
        self.written += 1;
        let label = Label {
            run: self.shared.run,
            client: self.persona.client,
            n: self.written,
            due_us,
        };
        text::write(label, self.persona.body_bytes)
    }

    fn pick_own(&mut self) -> Option<(RoomId, MessageId)> {
        let own = &self.tap.own;
        own.get(self.persona.rng.index(own.len())).copied()
    }

    async fn react(&mut self) {
        let rng = &mut self.persona.rng;
        let Some(room) = self.persona.rooms.get(rng.index(self.persona.rooms.len())) else {
            return;
        };
        let Some(view) = self.client.room(*room) else {
            return;
        };
        let newest: Vec<_> = view.accepted(Number(0)).rev().take(20).collect();
        let newest = newest.iter().filter(|row| !row.is_deleted());
        let newest: Vec<_> = newest.filter_map(chat_client::Row::message_id).collect();
        let Some(message_id) = newest.get(rng.index(newest.len())).copied() else {
            return;
        };
        let emoji = EMOJI[rng.index(EMOJI.len())].to_owned();
        let on = rng.below(3) > 0;
        let room = *room;
        self.feed(Input::React {
            room,
            message_id,
            emoji,
            on,
        })
        .await;
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::CommandFailed(failure) => {
                if let FailedCommand::Send(client_id) = failure.command {
                    self.tap.not_taken(client_id);
                }
            }
            Notice::Room { room, change } => self.watch(room, change),
            _ => {}
        }
    }

    /// Writes down what is shown beside messages; and no row may be put beside itself.
    fn watch(&mut self, room: RoomId, change: RoomChange) {
        match change {
            RoomChange::Presence if self.watched => return self.note_present(room),
            RoomChange::Typing if self.watched => return self.note_typing(room),
            RoomChange::Read if self.watched => return self.note_read(room),
            _ => {}
        }
        let shown = self.shown.entry(room).or_default();
        match change {
            RoomChange::Reset => {
                let rows = self.client.room(room).into_iter();
                *shown = rows
                    .flat_map(|view| view.rows().map(|row| row.key()))
                    .collect();
            }
            RoomChange::Inserted { keys, .. } => {
                for key in keys {
                    if !shown.insert(key)
                        && let Some(client_id) = client_id_of(&self.client, room, key)
                        && is_twice(&self.client, room, key)
                    {
                        let now_us = self.shared.clock.now_us();
                        let doubled = What::Doubled { room, client_id };
                        self.tap.history.push(now_us, doubled);
                    }
                }
            }
            RoomChange::Removed(key) => {
                shown.remove(&key);
            }
            _ => {}
        }
    }

    fn count_live(&mut self) {
        let live = self.is_live();
        self.live.turn(live, &self.shared);
    }

    fn is_live(&self) -> bool {
        let mut rooms = self.persona.rooms.iter();
        self.client.connection() == &ConnectionState::Online
            && rooms.all(|room| {
                let view = self.client.room(*room);
                view.is_some_and(|view| view.status() == RoomStatus::Live)
            })
    }

    fn is_settled(&self, heads: &HashMap<RoomId, Seq>) -> bool {
        let mut rooms = self.persona.rooms.iter();
        self.is_live()
            && self.client.outbox().is_empty()
            && self.tap.waiting().next().is_none()
            && rooms.all(|room| {
                let view = self.client.room(*room);
                view.is_some_and(|view| {
                    let mut ids = view.rows().filter_map(|row| row.message_id());
                    view.cursor() >= heads.get(room).copied() && ids.all(|id| !view.is_changing(id))
                })
            })
    }

    /// Writes down what is shown at the end.
    fn finish(&mut self) {
        self.tap.end();
        if !self.is_live() {
            let (client, state) = (self.persona.client, self.client.connection());
            self.shared.straggled(format!("client {client}: {state:?}"));
        }
        for room in self.persona.rooms.clone() {
            self.note_read(room);
        }
        let now_us = self.shared.clock.now_us();
        for room in &self.persona.rooms {
            let view = self.client.room(*room);
            let rows = view.map(|view| {
                let ids = view.accepted(Number(0)).filter_map(|row| row.message_id());
                let messages = ids.filter_map(|id| view.message(id));
                messages.map(Row::of).collect()
            });
            let last = What::Final {
                room: *room,
                live: view.is_some_and(|view| view.status() == RoomStatus::Live),
                cursor: view.and_then(RoomView::cursor).unwrap_or(Seq::ZERO),
                more_before: view.is_some_and(RoomView::more_before),
                rows,
            };
            self.tap.history.push(now_us, last);
        }
    }
}

fn closed(conn: ConnId, code: u16, reason: String) -> Input {
    Input::Closed { conn, code, reason }
}

fn client_id_of(client: &Client, room: RoomId, key: RowKey) -> Option<ClientId> {
    match key {
        RowKey::Own(client_id) => Some(client_id),
        RowKey::Other(id) => Some(client.room(room)?.message(id)?.client_id),
    }
}

fn is_twice(client: &Client, room: RoomId, key: RowKey) -> bool {
    let rows = client.room(room).into_iter().flat_map(RoomView::rows);
    rows.filter(|row| row.key() == key).count() > 1
}

/// What came on a socket.
struct Frame {
    conn: ConnId,
    what: Arrived,
}

enum Arrived {
    Text(String),
    Closed { code: u16, reason: String },
}

/// The next frame; for ever nothing where there is no socket.
async fn next_frame(socket: &mut Option<(ConnId, Box<Socket>)>) -> Frame {
    let Some((conn, socket)) = socket else {
        return std::future::pending().await;
    };
    let conn = *conn;
    loop {
        let what = match socket.next().await {
            Some(Ok(Message::Text(text))) => Arrived::Text(text.as_str().to_owned()),
            Some(Ok(Message::Close(frame))) => {
                let frame = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                let (code, reason) = frame.unwrap_or((1005, String::new()));
                Arrived::Closed { code, reason }
            }
            Some(Ok(_)) => continue,
            Some(Err(_)) | None => Arrived::Closed {
                code: BROKEN,
                reason: String::new(),
            },
        };
        return Frame { conn, what };
    }
}
