//! What every request and socket shares.

use std::ops::Deref;
use std::sync::Arc;

use chat_store::{Store, StoreError};
use chat_types::event::Event;
use chat_types::id::{MessageId, RoomId, SessionId, UserId};
use chat_types::time::Timestamp;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::auth::password::Passwords;
use crate::auth::token::Tokens;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::ApiError;
use crate::grouped::{Grouped, LiveUsers, Places};
use crate::rate_limit::Rates;
use crate::reads::LatePositions;
use crate::realtime::Hub;
use crate::shutdown::Lifecycle;

/// The service's parts, cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Services>);

/// The parts.
pub struct Services {
    /// How the service is configured.
    pub config: Config,
    /// What it keeps.
    pub store: Arc<dyn Store>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Signs and reads tokens.
    pub tokens: Tokens,
    /// Hashes and verifies passwords.
    pub passwords: Passwords,
    /// How often things may be done.
    pub rates: Rates,
    /// Room for messages under way behind another one of their connection.
    pub pipelined_sends: Arc<Semaphore>,
    /// Read positions that wait for their user's rate.
    pub late_positions: LatePositions,
    /// Whose session it is, as long as it is live.
    pub live_users: Grouped<LiveUsers>,
    /// Rooms as users and visitors find them.
    pub places: Grouped<Places>,
    /// The sockets of this process.
    pub hub: Arc<Hub>,
    /// Tasks under way and the way to their end.
    pub lifecycle: Lifecycle,
}

impl Deref for AppState {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.0
    }
}

impl AppState {
    /// Puts the parts together.
    pub fn new(services: Services) -> Self {
        Self(Arc::new(services))
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Makes a change and publishes its events. Only within work that a client who hangs up does not
    /// cut ([`Lifecycle::run`]), so that what is committed is published: every endpoint but a GET
    /// and every command of a socket is such work.
    pub async fn commit<T>(
        &self,
        change: impl Future<Output = Result<(T, Vec<Event>), StoreError>>,
    ) -> Result<T, ApiError> {
        let (value, events) = change.await?;
        self.publish(&events);
        Ok(value)
    }

    /// Publishes what is committed; see [`AppState::commit`].
    pub fn publish(&self, events: &[Event]) {
        for event in events {
            self.hub.publish(event);
        }
    }

    /// A new user's id.
    pub fn new_user_id(&self) -> UserId {
        UserId::from_uuid(Uuid::new_v4())
    }

    /// A new room's id: random, so a private room cannot be guessed.
    pub fn new_room_id(&self) -> RoomId {
        RoomId::from_uuid(Uuid::new_v4())
    }

    /// A new session's id.
    pub fn new_session_id(&self) -> SessionId {
        SessionId::from_uuid(Uuid::new_v4())
    }

    /// A new message's id, which sorts by time.
    pub fn new_message_id(&self) -> MessageId {
        let random = rand::random();
        let id = uuid::Builder::from_unix_timestamp_millis(self.now().0, &random);
        MessageId::from_uuid(id.into_uuid())
    }
}
