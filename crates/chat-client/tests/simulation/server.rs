//! The model server: `chat.v1` over sockets that are only names. Whatever it says leaves through
//! [`Server::take`], so that the network of the simulation decides what becomes of it.

use std::collections::{BTreeMap, VecDeque};

use chat_types::close::CloseCode;
use chat_types::event::{Change, Event};
use chat_types::id::{ClientId, ConnectionId, MessageId, Number, RequestId, RoomId, Seq, UserId};
use chat_types::limits::Limits;
use chat_types::problem::ErrorCode;
use chat_types::time::Timestamp;
use chat_types::ws::{
    Command, Ephemeral, Err, Head, Ok, Page, ServerDoc, Subbed, UnsubReason, Welcome,
};
use uuid::Uuid;

use crate::dice::Dice;
use crate::store::{Store, Wrote, epoch};

/// A socket as the server sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sock(pub(crate) u64);

/// What leaves the server.
pub(crate) enum Out {
    Frame(String),
    Close(u16, String),
}

/// A fault of the server that the checker has to notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    No,
    /// Sends an event without what it says, under the right place.
    SkipsEvents,
    /// Acknowledges and then loses the message.
    AcksBeforeCommit,
    /// Stores a retry as another message.
    ForgetsClientIds,
    /// Calls a recovery complete that lacks a change.
    RecoversPartly,
    /// Resumes a reader of another history as if it were theirs.
    IgnoresEpochs,
    /// Calls the newest page the whole feed after a resync.
    EndsSyncEarly,
}

/// How generous this server is; small numbers exercise the repairs.
pub(crate) struct Bounds {
    pub(crate) ring: usize,
    pub(crate) page: usize,
    pub(crate) replay: usize,
}

#[derive(Default)]
struct Conn {
    greeted: bool,
    user: Option<UserId>,
    token_ends: Option<u64>,
    told_soon: bool,
    subs: BTreeMap<RoomId, u64>,
    out: Vec<ServerDoc>,
}

pub(crate) struct Server {
    pub(crate) store: Store,
    pub(crate) broken: Broken,
    pub(crate) bounds: Bounds,
    /// How many of a hundred writes are refused for now.
    pub(crate) refusals: u64,
    /// How many of a hundred events are lost before a connection, or sent twice.
    pub(crate) lossy: u64,
    /// How many message ids were written at all, by author; for the checks.
    pub(crate) written: u64,
    conns: BTreeMap<Sock, Conn>,
    rings: BTreeMap<RoomId, VecDeque<Event>>,
    last_sock: u64,
    dice: Dice,
}

impl Server {
    pub(crate) fn new(seed: u64, broken: Broken) -> Self {
        let mut dice = Dice::new(seed ^ 0x5E4E4);
        let bounds = Bounds {
            ring: dice.count(2, 20) as usize,
            page: dice.count(1, 8) as usize,
            replay: dice.count(4, 40) as usize,
        };
        Self {
            store: Store::default(),
            broken,
            bounds,
            refusals: dice.between(0, 20),
            lossy: dice.between(0, 6),
            written: 0,
            conns: BTreeMap::new(),
            rings: BTreeMap::new(),
            last_sock: 0,
            dice,
        }
    }

    pub(crate) fn connect(&mut self) -> Sock {
        self.last_sock += 1;
        let sock = Sock(self.last_sock);
        self.conns.insert(sock, Conn::default());
        sock
    }

    pub(crate) fn forget(&mut self, sock: Sock) {
        self.conns.remove(&sock);
    }

    pub(crate) fn sockets(&self) -> Vec<Sock> {
        self.conns.keys().copied().collect()
    }

    /// Connections and rings are gone, the store is not.
    pub(crate) fn restart(&mut self) -> Vec<Sock> {
        self.rings.clear();
        std::mem::take(&mut self.conns).into_keys().collect()
    }

    /// Takes a frame from a client.
    pub(crate) fn receive(&mut self, now: u64, sock: Sock, text: &str) {
        for document in chat_types::frame::split(text).expect("clients send frames") {
            let command = serde_json::from_str(document).expect("clients send commands");
            self.command(now, sock, command);
        }
    }

    /// What leaves now on this connection: replies, then news of its rooms.
    pub(crate) fn take(&mut self, now: u64, sock: Sock) -> Vec<Out> {
        self.pump(sock);
        let Some(conn) = self.conns.get_mut(&sock) else {
            return Vec::new();
        };
        let mut out = Vec::new();
        let documents: Vec<String> = conn
            .out
            .drain(..)
            .map(|document| serde_json::to_string(&document).expect("documents are JSON"))
            .collect();
        for some in documents.chunks(64) {
            out.push(Out::Frame(some.join("\n")));
        }
        if conn.token_ends.is_some_and(|ends| ends <= now) {
            let code = CloseCode::TokenExpired;
            out.push(Out::Close(code.code(), code.reason(None)));
            self.conns.remove(&sock);
        }
        out
    }

    /// The heartbeat, and the warning that a token ends.
    pub(crate) fn beat(&mut self, now: u64) {
        let store = &self.store;
        for conn in self.conns.values_mut().filter(|conn| conn.greeted) {
            let heads = conn.subs.keys().filter_map(|room| {
                let head = store.rooms.get(room)?.head;
                Some(Head {
                    room: *room,
                    seq: Seq(head),
                })
            });
            let heads = heads.collect();
            conn.out.push(ServerDoc::Ping { heads });
            let left = conn.token_ends.map(|ends| ends.saturating_sub(now));
            if let Some(expires_in_ms) = left.filter(|ms| *ms < 20_000 && !conn.told_soon) {
                conn.told_soon = true;
                conn.out.push(ServerDoc::AuthSoon { expires_in_ms });
            }
        }
    }

    pub(crate) fn going_away(&mut self, retry_ms: u64) {
        for conn in self.conns.values_mut() {
            conn.out.push(ServerDoc::GoingAway { retry_ms });
        }
    }

    /// Restores a backup of a room under its readers. Returns which messages are lost.
    pub(crate) fn restore(&mut self, room: RoomId, lost: usize) -> Vec<ClientId> {
        let gone = self.store.restore(room, lost);
        self.rings.remove(&room);
        for conn in self.conns.values_mut() {
            if conn.subs.remove(&room).is_some() {
                let reason = UnsubReason::EpochReset;
                conn.out.push(ServerDoc::Unsubbed { room, reason });
            }
        }
        gone
    }

    pub(crate) fn publish(&mut self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            let ring = self.rings.entry(event.room).or_default();
            ring.push_back(event);
            while ring.len() > self.bounds.ring {
                ring.pop_front();
            }
        }
    }

    /// Brings a connection the news of its rooms, or tells it that it fell behind.
    fn pump(&mut self, sock: Sock) {
        let Some(conn) = self.conns.get_mut(&sock) else {
            return;
        };
        for (room, next) in &mut conn.subs {
            let head = self.store.rooms.get(room).map_or(0, |room| room.head);
            let ring = self.rings.entry(*room).or_default();
            let oldest = ring.front().map_or(head + 1, |event| event.seq.0);
            if *next < oldest && *next <= head {
                *next = head + 1;
                conn.out.push(ServerDoc::Resync { room: *room });
            }
            for event in ring.iter().filter(|event| event.seq.0 >= *next) {
                let mut event = event.clone();
                if self.broken == Broken::SkipsEvents && self.dice.chance(5) {
                    event.change = Change::Unknown;
                }
                // Sometimes twice, sometimes not at all.
                let twice = self.dice.chance(self.lossy);
                let lost = self.dice.chance(self.lossy);
                let copies = if lost { 0 } else { 1 + usize::from(twice) };
                let copies = std::iter::repeat_n(event, copies);
                conn.out.extend(copies.map(ServerDoc::Ev));
            }
            *next = (*next).max(head + 1);
        }
    }

    fn reply(&mut self, sock: Sock, document: ServerDoc) {
        if let Some(conn) = self.conns.get_mut(&sock) {
            conn.out.push(document);
        }
    }

    fn refuse(&mut self, sock: Sock, id: RequestId, code: ErrorCode, retry_after_ms: Option<u64>) {
        self.reply(
            sock,
            ServerDoc::Err(Err {
                id: Some(id),
                code,
                message: String::new(),
                retry: code.retry(),
                retry_after_ms,
                reason: None,
            }),
        );
    }

    fn command(&mut self, now: u64, sock: Sock, command: Command) {
        let Some(conn) = self.conns.get_mut(&sock) else {
            return;
        };
        match command {
            Command::Hello { id, token, .. } => self.hello(now, sock, id, token.as_deref()),
            Command::Auth { id, token } => match read_token(now, &token) {
                Some((user, ends)) => {
                    assert!(
                        conn.user.is_none_or(|known| known == user),
                        "another user's token on an open socket"
                    );
                    conn.user = Some(user);
                    conn.token_ends = Some(ends);
                    conn.told_soon = false;
                    let seq = None;
                    let sent = None;
                    self.reply(sock, ServerDoc::Ok(Ok { id, seq, sent }));
                }
                None => self.refuse(sock, id, ErrorCode::TokenExpired, None),
            },
            Command::Sub {
                id,
                room,
                epoch,
                since,
                tail,
            } => {
                let cursor = epoch.zip(since);
                let subbed = self.subbed(sock, id, room, cursor, u64::from(tail));
                match subbed {
                    _ if self.dice.chance(self.refusals / 4) => {
                        self.refuse(sock, id, ErrorCode::Unavailable, None);
                    }
                    Some(subbed) => self.reply(sock, ServerDoc::Subbed(Box::new(subbed))),
                    None => self.refuse(sock, id, ErrorCode::NotFound, None),
                }
            }
            Command::Unsub { id, room } => {
                conn.subs.remove(&room);
                let (seq, sent) = (None, None);
                self.reply(sock, ServerDoc::Ok(Ok { id, seq, sent }));
            }
            Command::Sync {
                id,
                room,
                after,
                limit,
            } => self.sync(sock, id, room, after, limit as usize),
            Command::Read { room, number } => {
                if let Some((user, model)) = conn.user.zip(self.store.rooms.get_mut(&room)) {
                    let last = model.rows.len() as u64;
                    let read = model.read.entry(user).or_default();
                    *read = (*read).max(number.0.min(last));
                }
            }
            Command::Typing { room } => self.typing(sock, room),
            Command::Probe {} => conn.out.push(ServerDoc::Ping { heads: Vec::new() }),
            Command::Mode { .. } | Command::Pong {} => {}
            Command::Unknown => panic!("a command that the model does not know"),
            write => self.write(now, sock, write),
        }
    }

    fn hello(&mut self, now: u64, sock: Sock, id: RequestId, token: Option<&str>) {
        let known = token.map(|token| read_token(now, token));
        let Some(conn) = self.conns.get_mut(&sock) else {
            return;
        };
        if let Some(None) = known {
            self.refuse(sock, id, ErrorCode::TokenExpired, None);
            return;
        }
        conn.greeted = true;
        if let Some((user, ends)) = known.flatten() {
            conn.user = Some(user);
            conn.token_ends = Some(ends);
        }
        let user = conn.user;
        let user = user.and_then(|user| self.store.users.get(&user)).cloned();
        let welcome = welcome(id, user, now);
        self.reply(sock, ServerDoc::Welcome(Box::new(welcome)));
    }

    fn subbed(
        &mut self,
        sock: Sock,
        id: RequestId,
        room: RoomId,
        cursor: Option<(chat_types::id::Epoch, Seq)>,
        tail: u64,
    ) -> Option<Subbed> {
        let viewer = self.conns.get(&sock)?.user;
        let model = self.store.rooms.get(&room)?;
        let here = epoch(model.epoch);
        let last = model.rows.len() as u64;
        let theirs = cursor.clone().map(|(epoch, _)| epoch);
        let known = cursor
            .filter(|(epoch, _)| *epoch == here || self.broken == Broken::IgnoresEpochs)
            .map(|(_, since)| since.0);
        let mut changes = known
            .filter(|since| *since <= model.head || self.broken == Broken::IgnoresEpochs)
            .map(|since| self.store.changes_after(room, since, viewer))
            .filter(|changes| changes.len() <= self.bounds.replay);
        if self.broken == Broken::RecoversPartly
            && let Some(changes) = changes.as_mut().filter(|changes| changes.len() > 1)
        {
            changes.remove(0);
        }
        let first = (last + 1).saturating_sub(tail).max(1);
        let recovered = changes.is_some();
        let messages = if recovered {
            Vec::new()
        } else {
            self.store.messages(room, first, last, viewer)
        };
        let subbed = Subbed {
            id,
            room: model.room.clone(),
            epoch: match theirs {
                Some(theirs) if self.broken == Broken::IgnoresEpochs => theirs,
                _ => here,
            },
            head: Seq(model.head),
            recovered,
            more_before: !recovered && first > 1,
            changes: changes.unwrap_or_default(),
            messages,
            last_number: Number(last),
            read: Number(
                viewer
                    .and_then(|user| model.read.get(&user))
                    .map_or(0, |n| *n),
            ),
            me: viewer.and_then(|user| self.store.member(room, user)),
            members: self.store.members(room),
        };
        let next = model.head + 1;
        self.conns.get_mut(&sock)?.subs.insert(room, next);
        Some(subbed)
    }

    fn sync(&mut self, sock: Sock, id: RequestId, room: RoomId, after: Seq, limit: usize) {
        if self.dice.chance(self.refusals / 4) {
            return self.refuse(sock, id, ErrorCode::Overloaded, Some(300));
        }
        let Some(model) = self.store.rooms.get(&room) else {
            return self.refuse(sock, id, ErrorCode::NotFound, None);
        };
        let viewer = self.conns.get(&sock).and_then(|conn| conn.user);
        let mut changes = self.store.changes_after(room, after.0, viewer);
        let limit = limit.min(self.bounds.page);
        let mut more = changes.len() > limit;
        changes.truncate(limit);
        let head = Seq(model.head);
        let mut upto = match changes.last() {
            Some(last) if more => last.seq,
            _ => head,
        };
        if self.broken == Broken::EndsSyncEarly {
            (more, upto) = (false, head);
        }
        let page = Page {
            id,
            room,
            epoch: epoch(model.epoch),
            changes,
            upto,
            head,
            more,
        };
        self.reply(sock, ServerDoc::Page(page));
    }

    fn typing(&mut self, sock: Sock, room: RoomId) {
        let user = self.conns.get(&sock).and_then(|conn| conn.user);
        let Some(user) = user.and_then(|user| self.store.users.get(&user)).cloned() else {
            return;
        };
        for conn in self.conns.values_mut() {
            if conn.subs.contains_key(&room) {
                let data = Ephemeral::Typing { user: user.clone() };
                conn.out.push(ServerDoc::Eph { room, data });
            }
        }
    }

    fn write(&mut self, now: u64, sock: Sock, command: Command) {
        let Some(id) = command.request_id() else {
            return;
        };
        let Some(user) = self.conns.get(&sock).and_then(|conn| conn.user) else {
            return self.refuse(sock, id, ErrorCode::Unauthorized, None);
        };
        if self.dice.chance(self.refusals) {
            let code = match self.dice.between(0, 2) {
                0 => ErrorCode::Unavailable,
                1 => ErrorCode::Internal,
                _ => ErrorCode::RateLimited,
            };
            let wait = self.dice.chance(60).then(|| self.dice.between(10, 4_000));
            return self.refuse(sock, id, code, wait);
        }
        if let Command::Send {
            room,
            client_id,
            body,
            reply_to,
            ..
        } = command
        {
            return self.send(now, sock, id, (room, user, client_id), &body, reply_to);
        }
        let at = Timestamp(now);
        let store = &mut self.store;
        let event = match command {
            Command::Edit {
                room,
                message_id,
                body,
                ..
            } => store.change(at, room, message_id, |row, at| row.edit(body, at)),
            Command::Delete {
                room, message_id, ..
            } => store.change(at, room, message_id, |row, at| row.delete(at, false)),
            Command::React {
                room,
                message_id,
                emoji,
                on,
                ..
            } => store.change(at, room, message_id, |row, _| row.react(user, emoji, on)),
            Command::Pin {
                room,
                message_id,
                on,
                ..
            } => store.change(at, room, message_id, |row, _| row.pin(on)),
            _ => None,
        };
        match event {
            Some(event) => {
                let seq = Some(event.seq);
                self.publish([event]);
                self.reply(
                    sock,
                    ServerDoc::Ok(Ok {
                        id,
                        seq,
                        sent: None,
                    }),
                );
            }
            None => self.refuse(sock, id, ErrorCode::Conflict, None),
        }
    }

    fn send(
        &mut self,
        now: u64,
        sock: Sock,
        id: RequestId,
        (room, user, client_id): (RoomId, UserId, ClientId),
        body: &str,
        reply_to: Option<MessageId>,
    ) {
        if body == crate::world::HOPELESS {
            return self.refuse(sock, id, ErrorCode::Invalid, None);
        }
        if self.broken == Broken::AcksBeforeCommit && self.dice.chance(10) {
            let model = self.store.rooms.get(&room);
            let sent = chat_types::room::Sent {
                id: MessageId::from_uuid(Uuid::from_u128(1)),
                seq: Seq(model.map_or(0, |model| model.head)),
                number: Number(model.map_or(0, |model| model.rows.len() as u64)),
                at: Timestamp(now),
                duplicate: false,
            };
            let (seq, sent) = (Some(sent.seq), Some(sent));
            return self.reply(sock, ServerDoc::Ok(Ok { id, seq, sent }));
        }
        if self.broken == Broken::ForgetsClientIds {
            self.store.forget_client_id(room, client_id);
        }
        let at = Timestamp(now);
        let wrote = self.store.write(at, room, user, client_id, body, reply_to);
        let Some((wrote, joined)) = wrote else {
            return self.refuse(sock, id, ErrorCode::NotFound, None);
        };
        self.publish(joined);
        let sent = match wrote {
            Wrote::New(sent, event) => {
                self.written += 1;
                self.publish([event]);
                sent
            }
            Wrote::Duplicate(sent) => sent,
            Wrote::Conflict => return self.refuse(sock, id, ErrorCode::Conflict, None),
        };
        if self.dice.chance(30) {
            // The event may overtake the acknowledgement.
            self.pump(sock);
        }
        let (seq, sent) = (Some(sent.seq), Some(sent));
        self.reply(sock, ServerDoc::Ok(Ok { id, seq, sent }));
    }
}

fn welcome(id: RequestId, user: Option<chat_types::event::User>, now: u64) -> Welcome {
    Welcome {
        id,
        connection: ConnectionId::from_uuid(Uuid::from_u128(1)),
        user,
        caps: Vec::new(),
        server: "0.1.0".to_owned(),
        oldest_client: "0.1.0".to_owned(),
        now: Timestamp(now),
        limits: Limits {
            message_chars: 4_000,
            frame_bytes: 16_384,
            rooms_per_connection: 128,
            frames_per_second: 20,
            frames_burst: 40,
            sends_per_window: 5,
            send_window_ms: 5_000,
        },
        ping_interval_ms: 25_000,
    }
}

/// A token that says whose it is and when it ends.
pub(crate) fn token(user: UserId, ends: u64) -> String {
    format!("{user}/{ends}")
}

fn read_token(now: u64, token: &str) -> Option<(UserId, u64)> {
    let (user, ends) = token.split_once('/')?;
    let ends: u64 = ends.parse().ok()?;
    (ends > now).then_some((user.parse().ok()?, ends))
}
