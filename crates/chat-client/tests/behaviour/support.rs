//! A client on a bench: the test plays the server, the clock and the person.

use chat_client::{
    AccessToken, Client, Config, ConnId, Effect, FetchId, Input, Notice, RoomChange, RoomView,
    Session,
};
use chat_types::event::{Change, Content, Event, Message, SeqChange, User, UserKind};
use chat_types::id::{
    ClientId, ConnectionId, Epoch, MessageId, Number, RequestId, RoomId, Seq, UserId,
};
use chat_types::limits::Limits;
use chat_types::problem::ErrorCode;
use chat_types::room::{HistoryQuery, MembersSummary, Room, RoomKind, Sent};
use chat_types::time::Timestamp;
use chat_types::ws::{ClientInfo, Command, Err, Ok, ServerDoc, Subbed, Welcome};
use uuid::Uuid;

pub(crate) const START: u64 = 1_700_000_000_000;

pub(crate) fn room_id() -> RoomId {
    RoomId::from_uuid(Uuid::from_u128(0xB0))
}

pub(crate) fn nth_room(n: u64) -> RoomId {
    RoomId::from_uuid(Uuid::from_u128(0xBB00 + u128::from(n)))
}

pub(crate) fn client_id(n: u64) -> ClientId {
    ClientId::from_uuid(Uuid::from_u128(0xF000 + u128::from(n)))
}

pub(crate) fn message_id(n: u64) -> MessageId {
    MessageId::from_uuid(Uuid::from_u128(0xC000 + u128::from(n)))
}

pub(crate) fn user(n: u64) -> User {
    User {
        id: UserId::from_uuid(Uuid::from_u128(0xA000 + u128::from(n))),
        name: format!("user {n}"),
        kind: UserKind::Guest,
    }
}

/// The user at the bench.
pub(crate) fn me() -> User {
    user(1)
}

/// Somebody else.
pub(crate) fn other() -> User {
    user(2)
}

pub(crate) fn token(text: &str) -> AccessToken {
    AccessToken {
        token: text.to_owned(),
        expires_in_ms: 600_000,
    }
}

pub(crate) fn room() -> Room {
    Room {
        id: room_id(),
        kind: RoomKind::Public,
        name: "room".to_owned(),
        topic: String::new(),
        archived: false,
        read_only: false,
        created_at: Timestamp(1),
    }
}

/// Message `number`, created at the same place.
pub(crate) fn message(number: u64, author: User) -> Message {
    Message {
        id: message_id(number),
        number: Number(number),
        seq: Seq(number),
        author,
        client_id: client_id(number),
        sent_at: Timestamp(number),
        content: Content::Text {
            body: format!("message {number}"),
        },
        edited_at: None,
        reply_to: None,
        pinned: false,
        reactions: Vec::new(),
    }
}

pub(crate) fn written(message: Message) -> Change {
    let message = Box::new(message);
    Change::Message { message }
}

pub(crate) fn seq_change(seq: u64, change: Change) -> SeqChange {
    let seq = Seq(seq);
    SeqChange { seq, change }
}

pub(crate) fn event(seq: u64, change: Change) -> ServerDoc {
    ServerDoc::Ev(Event {
        room: room_id(),
        seq: Seq(seq),
        at: Timestamp(seq),
        change,
    })
}

/// A first load of messages 1 to `last`.
pub(crate) fn fresh(id: RequestId, last: u64) -> Subbed {
    Subbed {
        id,
        room: room(),
        epoch: Epoch("one".to_owned()),
        head: Seq(last),
        recovered: false,
        changes: Vec::new(),
        messages: (1..=last).map(|n| message(n, other())).collect(),
        more_before: false,
        last_number: Number(last),
        read: Number(last),
        me: None,
        members: MembersSummary::default(),
    }
}

pub(crate) fn subbed(subbed: Subbed) -> ServerDoc {
    ServerDoc::Subbed(Box::new(subbed))
}

pub(crate) fn ok(id: RequestId, sent: Option<Sent>) -> ServerDoc {
    let seq = sent.as_ref().map(|sent| sent.seq);
    ServerDoc::Ok(Ok { id, seq, sent })
}

pub(crate) fn sent(number: u64) -> Sent {
    Sent {
        id: message_id(number),
        seq: Seq(number),
        number: Number(number),
        at: Timestamp(number),
        duplicate: false,
    }
}

pub(crate) fn err(id: RequestId, code: ErrorCode, retry_after_ms: Option<u64>) -> ServerDoc {
    ServerDoc::Err(Err {
        id: Some(id),
        code,
        message: String::new(),
        retry: code.retry(),
        retry_after_ms,
        reason: None,
    })
}

pub(crate) struct Bench {
    pub(crate) client: Client,
    pub(crate) now: u64,
    pub(crate) conn: Option<ConnId>,
    pub(crate) connects: Vec<u64>,
    pub(crate) closed: Vec<u16>,
    pub(crate) frames: Vec<String>,
    /// Commands of the last greeting that were not looked at yet.
    with_hello: Vec<Command>,
    pub(crate) refreshes: usize,
    pub(crate) fetches: Vec<(FetchId, HistoryQuery)>,
    pub(crate) outbox: Option<String>,
    pub(crate) notices: Vec<Notice>,
}

pub(crate) fn config(session: Session, outbox: Option<String>) -> Config {
    Config {
        client: ClientInfo {
            name: "bench".to_owned(),
            build: "0.1.0".to_owned(),
        },
        seed: 7,
        session,
        outbox,
    }
}

pub(crate) fn signed_in() -> Session {
    Session::User {
        user: Some(me()),
        token: Some(token("first")),
    }
}

impl Bench {
    pub(crate) fn new(session: Session) -> Self {
        Self::with(config(session, None))
    }

    pub(crate) fn with(config: Config) -> Self {
        Self {
            client: Client::new(config, Timestamp(START)),
            now: START,
            conn: None,
            connects: Vec::new(),
            closed: Vec::new(),
            frames: Vec::new(),
            with_hello: Vec::new(),
            refreshes: 0,
            fetches: Vec::new(),
            outbox: None,
            notices: Vec::new(),
        }
    }

    /// Signed in, greeted, nothing open.
    pub(crate) fn online() -> Self {
        let mut bench = Self::new(signed_in());
        bench.feed(Input::Start);
        bench.greet(Some(me()));
        bench
    }

    /// Online in a room whose messages 1 to `last` are shown.
    pub(crate) fn in_room(last: u64) -> Self {
        let mut bench = Self::online();
        bench.open();
        let id = bench.only_id();
        bench.say(subbed(fresh(id, last)));
        bench.notices.clear();
        bench
    }

    pub(crate) fn open(&mut self) {
        let room = room_id();
        self.feed(Input::OpenRoom {
            room,
            tail: 50,
            page: None,
        });
    }

    pub(crate) fn feed(&mut self, input: Input) {
        self.client.handle(Timestamp(self.now), input);
        while let Some(effect) = self.client.poll_effect() {
            match effect {
                Effect::Connect { conn } => {
                    self.conn = Some(conn);
                    self.connects.push(self.now);
                }
                Effect::SendFrame { conn, text } => {
                    assert_eq!(Some(conn), self.conn, "a frame on an old socket");
                    self.frames.push(text);
                }
                Effect::Disconnect { code, .. } => self.closed.push(code),
                Effect::RefreshToken => self.refreshes += 1,
                Effect::FetchHistory { fetch, query, .. } => self.fetches.push((fetch, query)),
                Effect::PersistOutbox(text) => self.outbox = Some(text),
                Effect::Notify(notice) => self.notices.push(notice),
            }
        }
    }

    /// Lets time go by, waking the client whenever it asked for it.
    pub(crate) fn pass(&mut self, ms: u64) {
        let until = self.now + ms;
        let mut wakes = 0;
        while let Some(wake) = self.client.next_wake().filter(|wake| wake.0 <= until) {
            self.now = wake.0.max(self.now);
            self.feed(Input::Timer);
            wakes += 1;
            assert!(wakes < 10_000, "it wakes without doing anything");
        }
        self.now = until;
        self.feed(Input::Timer);
    }

    /// Passes time until the client connects.
    pub(crate) fn pass_until_connect(&mut self) {
        let before = self.connects.len();
        for _ in 0..100 {
            let wake = self.client.next_wake().expect("it means to connect");
            self.now = wake.0.max(self.now);
            self.feed(Input::Timer);
            if self.connects.len() > before {
                return;
            }
        }
        panic!("it never connects");
    }

    /// The socket opens and the server greets.
    pub(crate) fn greet(&mut self, user: Option<User>) {
        let conn = self.conn.expect("a socket was asked for");
        self.with_hello.clear();
        self.feed(Input::Opened { conn });
        let mut commands = self.commands().into_iter();
        let Some(Command::Hello { id, .. }) = commands.next() else {
            panic!("it greets");
        };
        // What came with the greeting is looked at with what comes after the welcome.
        self.with_hello = commands.collect();
        self.say(welcome(id, user));
    }

    pub(crate) fn say(&mut self, document: ServerDoc) {
        let conn = self.conn.expect("a socket is open");
        let text = serde_json::to_string(&document).expect("documents are JSON");
        self.feed(Input::Frame { conn, text });
    }

    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        let conn = self.conn.expect("a socket is open");
        let reason = reason.to_owned();
        self.feed(Input::Closed { conn, code, reason });
    }

    /// The connection breaks, and the next one is greeted.
    pub(crate) fn reconnect(&mut self) {
        self.close(1006, "");
        self.frames.clear();
        self.pass_until_connect();
        self.greet(Some(me()));
    }

    /// The commands sent since the last look.
    pub(crate) fn commands(&mut self) -> Vec<Command> {
        let frames = std::mem::take(&mut self.frames);
        let documents = frames.iter().flat_map(|frame| frame.lines());
        let commands = documents
            .map(|document| serde_json::from_str(document).expect("clients send commands"));
        let mut all = std::mem::take(&mut self.with_hello);
        all.extend(commands);
        all
    }

    /// The id of the one request sent since the last look.
    pub(crate) fn only_id(&mut self) -> RequestId {
        let commands = self.commands();
        let mut ids = commands.iter().filter_map(Command::request_id);
        let id = ids.next().expect("a request was sent");
        assert_eq!(ids.next(), None, "one request was sent");
        id
    }

    pub(crate) fn send(&mut self, n: u64, body: &str) {
        self.feed(Input::Send {
            room: room_id(),
            client_id: client_id(n),
            body: body.to_owned(),
            reply_to: None,
        });
    }

    pub(crate) fn room(&self) -> RoomView<'_> {
        self.client.room(room_id()).expect("the room is open")
    }

    /// The texts on the screen from top to bottom; a tombstone is `-`.
    pub(crate) fn bodies(&self) -> Vec<String> {
        let rows = self.room().rows();
        rows.map(|row| row.body().unwrap_or("-").to_owned())
            .collect()
    }

    pub(crate) fn changes(&mut self) -> Vec<RoomChange> {
        let notices = std::mem::take(&mut self.notices).into_iter();
        notices
            .filter_map(|notice| match notice {
                Notice::Room { change, .. } => Some(change),
                _ => None,
            })
            .collect()
    }
}

pub(crate) fn welcome(id: RequestId, user: Option<User>) -> ServerDoc {
    ServerDoc::Welcome(Box::new(Welcome {
        id,
        connection: ConnectionId::from_uuid(Uuid::from_u128(1)),
        user,
        caps: Vec::new(),
        server: "0.1.0".to_owned(),
        oldest_client: "0.1.0".to_owned(),
        now: Timestamp(START),
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
    }))
}
