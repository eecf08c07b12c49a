//! The client: one state machine over connection, rooms and outbox.

use std::collections::{BTreeMap, VecDeque};

use chat_types::event::User;
use chat_types::id::RoomId;
use chat_types::time::Timestamp;
use chat_types::ws::ClientInfo;

use crate::effect::{ConnectionState, Effect, Notice, RoomChange, StopReason};
use crate::input::Input;
use crate::room::{RoomState, RoomView};
use crate::row::Pending;

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
    user: Option<User>,
    connection: ConnectionState,
    rooms: BTreeMap<RoomId, RoomState>,
    outbox: Vec<Pending>,
    effects: VecDeque<Effect>,
}

impl Client {
    /// A client that does nothing until [`Input::Start`].
    ///
    /// `now` here and in [`Client::handle`] is this device's clock, in milliseconds since 1970. It
    /// may jump: backwards counts as no time at all, forwards as time gone by.
    pub fn new(config: Config, _now: Timestamp) -> Self {
        let user = match config.session {
            Session::Visitor => None,
            Session::User { user, .. } => user,
        };
        Self {
            user,
            connection: ConnectionState::Stopped(StopReason::NotStarted),
            rooms: BTreeMap::new(),
            outbox: Vec::new(),
            effects: VecDeque::new(),
        }
    }

    /// Takes in what happened. Drain [`Client::poll_effect`] afterwards.
    pub fn handle(&mut self, _now: Timestamp, input: Input) {
        match input {
            Input::OpenRoom { room, tail, .. } => {
                self.rooms.insert(room, RoomState::new(tail));
                self.effects.push_back(Effect::Notify(Notice::Room {
                    room,
                    change: RoomChange::Reset,
                }));
            }
            Input::CloseRoom { room } => {
                self.rooms.remove(&room);
            }
            _ => {}
        }
    }

    /// The next thing to do, oldest first; `None` when all is done.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When to feed [`Input::Timer`], by the clock that `handle` was given; `None`: only after
    /// another input. Ask anew after each `handle`.
    pub fn next_wake(&self) -> Option<Timestamp> {
        None
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
            state: self.rooms.get(&room)?,
            outbox: &self.outbox,
            user: self.user.as_ref(),
            id: room,
        })
    }

    /// Everything that waits to be sent or failed, over all rooms, in the order of sending.
    pub fn outbox(&self) -> &[Pending] {
        &self.outbox
    }
}
