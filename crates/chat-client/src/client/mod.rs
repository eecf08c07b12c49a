//! The client: one state machine over connection, rooms and outbox.
//!
//! [`Client::handle`] is the way in: the input is dispatched, then whatever is due by the clock is
//! done, then what was queued leaves as effects.

mod attention;
mod commands;
mod connection;
mod documents;
mod history;
mod rooms;
mod sending;
mod session;

use std::collections::VecDeque;

use chat_types::event::User;
use chat_types::id::{RequestId, RoomId};
use chat_types::time::Timestamp;
use chat_types::ws::{ClientInfo, Command};

use crate::clock::Clock;
use crate::effect::{ConnectionState, Effect, Notice, RoomChange, StopReason};
use crate::frames::Frames;
use crate::input::Input;
use crate::list_map::ListMap;
use crate::outbox::Outbox;
use crate::rng::Rng;
use crate::room::{RoomState, RoomView};
use crate::row::{Pending, RowKey};

pub(crate) use commands::Commands;
use connection::{Link, Reconnect};
use session::Auth;

/// An access token, as an answer of the API brings it.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// The token. It is never shown and never logged.
    pub token: String,
    /// Milliseconds until it ends, counted from when it is handed to the client.
    pub expires_in_ms: u64,
}

/// Who uses this device when the client starts.
#[derive(Clone, PartialEq, Eq)]
pub enum Session {
    /// Nobody who is known: reads public and page rooms.
    Visitor,
    /// Somebody with a refresh token in the driver's keeping.
    User {
        /// Who, where it is known. Rows that wait in the outbox then have an author at once.
        user: Option<User>,
        /// A token that is still valid. Without one the client asks for it first.
        token: Option<AccessToken>,
    },
}

/// What a client needs to start.
#[derive(Clone)]
pub struct Config {
    /// Which program this is.
    pub client: ClientInfo,
    /// 64 bits that differ from start to start; they spread the reconnects of a crowd.
    pub seed: u64,
    /// Who uses it.
    pub session: Session,
    /// The text of the last [`Effect::PersistOutbox`]. One that cannot be read counts as empty.
    pub outbox: Option<String>,
}

/// The state machine. See the [crate's documentation](crate) for how it is driven.
pub struct Client {
    info: ClientInfo,
    clock: Clock,
    rng: Rng,
    auth: Auth,
    user: Option<User>,
    link: Link,
    reconnect: Reconnect,
    /// What is shown of the connection.
    connection: ConnectionState,
    hidden_since: Option<Timestamp>,
    frames: Frames,
    asked: ListMap<RequestId, Asked>,
    next_request: u64,
    next_fetch: u64,
    rooms: ListMap<RoomId, RoomState>,
    outbox: Outbox,
    commands: Commands,
    effects: VecDeque<Effect>,
}

/// A request that waits for its answer.
struct Asked {
    at: Timestamp,
    what: Request,
}

enum Request {
    Hello,
    Auth,
    Sub(RoomId),
    Unsub,
    Sync(RoomId),
    Send(RoomId, chat_types::id::ClientId),
    Command,
}

impl Client {
    /// A client that does nothing until [`Input::Start`].
    ///
    /// `now` here and in [`Client::handle`] is this device's clock, in milliseconds since 1970. It
    /// may jump: backwards counts as no time at all, forwards as time gone by.
    pub fn new(config: Config, now: Timestamp) -> Self {
        let mut outbox = Outbox::restore(config.outbox.as_deref());
        let (auth, user) = Auth::new(config.session, now);
        if let Some(user) = &user {
            outbox.adopt(user.id);
        }
        Self {
            info: config.client,
            clock: Clock::new(now),
            rng: Rng::new(config.seed),
            auth,
            user,
            link: Link::Stopped(StopReason::NotStarted),
            reconnect: Reconnect::default(),
            connection: ConnectionState::Stopped(StopReason::NotStarted),
            hidden_since: None,
            frames: Frames::new(now),
            asked: ListMap::default(),
            next_request: 0,
            next_fetch: 0,
            rooms: ListMap::default(),
            outbox,
            commands: Commands::default(),
            effects: VecDeque::new(),
        }
    }

    /// Takes in what happened. Drain [`Client::poll_effect`] afterwards.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        let now = self.clock.read(now);
        self.dispatch(now, input);
        self.do_what_is_due(now);
        self.send_pending(now);
        self.flush(now);
        self.persist();
        self.show_connection();
    }

    /// The next thing to do, oldest first; `None` when all is done.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When to feed [`Input::Timer`], by the clock that `handle` was given; `None`: only after
    /// another input. Ask anew after each `handle`.
    pub fn next_wake(&self) -> Option<Timestamp> {
        let link = self.link_wake();
        let room = self.rooms.values().filter_map(Self::room_wake).min();
        let now = self.clock.now();
        let writing = self.can_write().then(|| self.write_wake(now)).flatten();
        let frames = self.link.conn().and_then(|_| self.frames.ready_at());
        let wakes = [link, self.auth.wake(), room, writing, frames];
        let first = wakes.into_iter().flatten().min()?;
        Some(self.clock.to_device(first))
    }

    fn write_wake(&self, now: Timestamp) -> Option<Timestamp> {
        let messages = self.outbox.ready_at(now);
        let reads = self.rooms.values().filter_map(RoomState::read_due);
        reads.chain(messages).chain(self.commands.ready_at()).min()
    }

    /// The connection.
    pub fn connection(&self) -> &ConnectionState {
        &self.connection
    }

    /// Who the user is, where it is known; `None` for a visitor.
    pub fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// A followed room.
    pub fn room(&self, room: RoomId) -> Option<RoomView<'_>> {
        Some(RoomView {
            state: self.rooms.get(room)?,
            outbox: self.outbox.items(),
            held: self
                .outbox
                .held(room)
                .map(|(client_id, until)| (RowKey::Own(client_id), self.clock.to_device(until))),
            commands: &self.commands,
            user: self.user.as_ref(),
            id: room,
        })
    }

    /// Everything that waits to be sent or failed, over all rooms, in the order of sending.
    pub fn outbox(&self) -> &[Pending] {
        self.outbox.items()
    }

    /// Whether the outbox takes no further message now.
    pub fn outbox_is_full(&self) -> bool {
        self.outbox.is_full()
    }

    fn dispatch(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Start => self.start(now),
            Input::Opened { conn } => self.opened(now, conn),
            Input::Frame { conn, text } => self.frame(now, conn, &text),
            Input::Closed { conn, code, reason } => self.closed(now, conn, code, &reason),
            Input::Timer => {}
            Input::Online | Input::Offline | Input::Wake => self.nudge(now),
            Input::Visible => self.visible(now),
            Input::Hidden => self.hidden_since = self.hidden_since.or(Some(now)),

            Input::SignedIn { user, token } => self.signed_in(now, user, token),
            Input::TokenRefreshed { token } => self.token_refreshed(now, token),
            Input::TokenRefused => self.token_refused(now),
            Input::RefreshFailed { retry_after_ms } => self.refresh_failed(now, retry_after_ms),
            Input::SignedOut => self.signed_out(now),

            Input::OpenRoom { room, tail, page } => self.open_room(now, room, tail, page),
            Input::CloseRoom { room } => self.close_room(now, room),
            Input::Read { room, number } => self.mark_read(room, number),
            Input::Typing { room } => self.typing(now, room),
            Input::LoadHistory { room, span } => self.load_history(room, span),
            Input::HistoryLoaded { fetch, page } => self.history_loaded(now, fetch, *page),
            Input::HistoryFailed { fetch } => self.history_failed(fetch),

            Input::Send {
                room,
                client_id,
                body,
                reply_to,
            } => self.send(room, client_id, body, reply_to),
            Input::Retry { client_id } => self.retry(client_id),
            Input::Discard { client_id } => self.discard(client_id),
            Input::Edit {
                room,
                message_id,
                body,
            } => self.command(room, message_id, commands::Act::Edit(body)),
            Input::Delete { room, message_id } => {
                self.command(room, message_id, commands::Act::Delete);
            }
            Input::React {
                room,
                message_id,
                emoji,
                on,
            } => self.command(room, message_id, commands::Act::React(emoji, on)),
            Input::Pin {
                room,
                message_id,
                on,
            } => self.command(room, message_id, commands::Act::Pin(on)),
        }
    }

    fn do_what_is_due(&mut self, now: Timestamp) {
        self.check_refresh(now);
        self.check_link(now);
        self.check_rooms(now);
    }

    /// Sends a request and remembers what it was for.
    fn ask(
        &mut self,
        now: Timestamp,
        what: Request,
        command: impl FnOnce(RequestId) -> Command,
    ) -> RequestId {
        self.next_request += 1;
        let id = RequestId(self.next_request);
        self.asked.insert(id, Asked { at: now, what });
        self.tell(&command(id));
        id
    }

    /// Sends a command that is not answered.
    fn tell(&mut self, command: &Command) {
        // Every command is a struct of strings and numbers, which JSON can always hold.
        if let Ok(document) = serde_json::to_string(command) {
            self.frames.push(document);
        }
    }

    fn flush(&mut self, now: Timestamp) {
        let Some(conn) = self.link.conn() else {
            return;
        };
        while let Some(text) = self.frames.pop(now) {
            self.effects.push_back(Effect::SendFrame { conn, text });
        }
    }

    fn persist(&mut self) {
        if let Some(snapshot) = self.outbox.take_snapshot() {
            self.effects.push_back(Effect::PersistOutbox(snapshot));
        }
    }

    fn notify(&mut self, notice: Notice) {
        self.effects.push_back(Effect::Notify(notice));
    }

    fn notify_room(&mut self, room: RoomId, change: RoomChange) {
        let effect = Effect::Notify(Notice::Room { room, change });
        if self.effects.back() != Some(&effect) {
            self.effects.push_back(effect);
        }
    }
}
