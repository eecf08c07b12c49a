//! One person with a client on a device of their own.

use std::collections::BTreeMap;

use chat_client::{AccessToken, Client, Config, ConnId, Session};
use chat_types::event::User;
use chat_types::id::{ClientId, Epoch, RoomId, Seq, UserId};
use chat_types::time::Timestamp;
use chat_types::ws::ClientInfo;

use crate::server::{Sock, token};

/// When the simulation begins by the devices' clocks.
const EPOCH_MS: u64 = 1_700_000_000_000;

/// What a message was given to the client with.
pub(crate) struct Given {
    pub(crate) room: RoomId,
    /// Whether the server refuses it for good.
    pub(crate) hopeless: bool,
    pub(crate) discarded: bool,
}

pub(crate) struct Actor {
    pub(crate) client: Client,
    pub(crate) user: User,
    pub(crate) signed_in: bool,
    pub(crate) hidden: bool,
    /// What the device keeps over a reload.
    pub(crate) snapshot: Option<String>,
    /// How far the device's clock is ahead of the simulation's.
    pub(crate) ahead_ms: u64,
    /// The socket that the client uses.
    pub(crate) socket: Option<(ConnId, Sock)>,
    /// Which alarm is the newest.
    pub(crate) alarm: u64,
    pub(crate) given: BTreeMap<ClientId, Given>,
    /// Own messages that were shown as sent, with their numbers.
    pub(crate) shown: BTreeMap<(RoomId, ClientId), u64>,
    /// Where each room's cursor was.
    pub(crate) cursors: BTreeMap<RoomId, (Option<Epoch>, Option<Seq>)>,
    /// When the client connected or refreshed, to notice a loop.
    pub(crate) attempts: Vec<u64>,
}

impl Actor {
    pub(crate) fn new(seed: u64, user: User, signed_in: bool, now: u64, token_ends: u64) -> Self {
        let client = client(seed, &user, signed_in, None, now, token_ends);
        Self {
            client,
            user,
            signed_in,
            hidden: false,
            snapshot: None,
            ahead_ms: 0,
            socket: None,
            alarm: 0,
            given: BTreeMap::new(),
            shown: BTreeMap::new(),
            cursors: BTreeMap::new(),
            attempts: Vec::new(),
        }
    }

    /// The page is loaded anew: only what the device keeps is left.
    pub(crate) fn reload(&mut self, seed: u64, now: u64, token_ends: u64) {
        let snapshot = self.snapshot.clone();
        let device = now + self.ahead_ms;
        let ends = token_ends + self.ahead_ms;
        self.client = client(seed, &self.user, self.signed_in, snapshot, device, ends);
        self.socket = None;
        self.hidden = false;
        self.shown.clear();
        self.cursors.clear();
    }

    pub(crate) fn id(&self) -> UserId {
        self.user.id
    }

    pub(crate) fn device_time(&self, now: u64) -> Timestamp {
        Timestamp(EPOCH_MS + now + self.ahead_ms)
    }
}

fn client(
    seed: u64,
    user: &User,
    signed_in: bool,
    outbox: Option<String>,
    now: u64,
    ends: u64,
) -> Client {
    let token = (ends > now).then(|| access_token(user.id, now, ends));
    let session = if signed_in {
        let user = Some(user.clone());
        Session::User { user, token }
    } else {
        Session::Visitor
    };
    let config = Config {
        client: ClientInfo {
            name: "simulation".to_owned(),
            build: "0.1.0".to_owned(),
        },
        seed,
        session,
        outbox,
    };
    Client::new(config, Timestamp(EPOCH_MS + now))
}

pub(crate) fn access_token(user: UserId, now: u64, ends: u64) -> AccessToken {
    AccessToken {
        token: token(user, ends),
        expires_in_ms: ends.saturating_sub(now),
    }
}
