//! The one connection of this page, as views see it.

use std::rc::Rc;

use chat_client::{
    Client, Config, ConnectionState, Failure, Input, Notice, RoomChange, RoomView, Session as Who,
    StopReason,
};
use chat_types::event::User;
use chat_types::id::{RoomId, UserId};
use chat_types::room::RoomSummary;
use chat_types::ws::ClientInfo;
use leptos::prelude::*;
use leptos::task::spawn_local;
use send_wrapper::SendWrapper;
use uuid::Uuid;

use super::session::{Session, SessionEvent};
use crate::api::driver::{Driver, access_token};
use crate::api::storage::{self, SESSION};
use crate::api::{document, time};
use crate::config::BUILD;
use crate::test_ids;

/// What the connection is when the server has ended its session.
const SESSION_ENDED: ConnectionState = ConnectionState::Stopped(StopReason::SignedOut);

type RoomListener = Rc<dyn Fn(&[RoomChange])>;

/// The connection. Empty on the server and until [`Connection::start`].
#[derive(Clone, Copy)]
pub struct Connection {
    driver: StoredValue<Option<SendWrapper<Rc<Driver>>>>,
    listeners: StoredValue<Vec<SendWrapper<(RoomId, RoomListener)>>>,
    started: RwSignal<bool>,
    state: RwSignal<ConnectionState>,
    failures: RwSignal<Vec<Failure>>,
    returned: RwSignal<Vec<Failure>>,
    added: RwSignal<Option<RoomSummary>>,
    notice: RwSignal<Option<String>>,
    upgrade: RwSignal<bool>,
    /// Whether a newer login was looked for since the last connection.
    sought: StoredValue<bool>,
    /// Whose failures these are.
    whose: StoredValue<Option<UserId>>,
}

/// Puts a connection into the context that is not started yet.
pub fn provide_connection() -> Connection {
    let connection = Connection {
        driver: StoredValue::new(None),
        listeners: StoredValue::new(Vec::new()),
        started: RwSignal::new(false),
        state: RwSignal::new(ConnectionState::Stopped(StopReason::NotStarted)),
        failures: RwSignal::new(Vec::new()),
        returned: RwSignal::new(Vec::new()),
        added: RwSignal::new(None),
        notice: RwSignal::new(None),
        upgrade: RwSignal::new(false),
        sought: StoredValue::new(false),
        whose: StoredValue::new(None),
    };
    provide_context(connection);
    connection
}

/// The connection of this page.
pub fn use_connection() -> Connection {
    expect_context()
}

impl Connection {
    /// Connects as whoever the session says. `program` is `web` or `embed`.
    pub fn start(self, session: Session, program: &str) {
        let user = session.user().get_untracked();
        let who = match user {
            Some(user) => Who::User {
                user: Some(user),
                token: session
                    .fresh_token()
                    .map(|token| access_token(&token, time::now())),
            },
            None => Who::Visitor,
        };
        let config = Config {
            client: ClientInfo {
                name: program.to_owned(),
                build: BUILD.to_owned(),
            },
            seed: seed(),
            session: who,
            outbox: Driver::stored_outbox(),
        };
        let driver = Driver::start(config, session, move |notices| self.show(session, notices));
        session.listen({
            let driver = Rc::downgrade(&driver);
            move |event| {
                if let Some(driver) = driver.upgrade() {
                    driver.feed(input_of(event));
                }
            }
        });
        self.driver.set_value(Some(SendWrapper::new(driver)));
        self.started.set(true);
        storage::on_news(SESSION, move |login| {
            if !login {
                session.ended_elsewhere();
            } else if self.state.get_untracked() == SESSION_ENDED {
                self.take_newest_login(session);
            } else if session.ended().get_untracked() {
                session.restore_late();
            }
        });
    }

    /// The session has ended. Where another tab has begun a new one, this one goes on with that; it may
    /// also come later, or never.
    fn session_ended(self, session: Session) {
        if !self.sought.get_value() {
            self.sought.set_value(true);
            self.take_newest_login(session);
        }
    }

    fn take_newest_login(self, session: Session) {
        spawn_local(async move {
            if session.refresh().await.is_ok() {
                self.feed(Input::Start);
            }
        });
    }

    /// Whether it was started; before, nothing can be fed.
    pub fn started(self) -> Signal<bool> {
        self.started.into()
    }

    /// As a person should see it.
    pub fn state(self) -> Signal<ConnectionState> {
        self.state.into()
    }

    /// The commands that failed and that nobody was told of yet, oldest first.
    pub fn failures(self) -> RwSignal<Vec<Failure>> {
        self.failures
    }

    /// Those of them whose text its author does not have back yet, oldest first.
    pub fn returned(self) -> RwSignal<Vec<Failure>> {
        self.returned
    }

    /// Whether so many messages wait already that no other is taken.
    pub fn outbox_is_full(self) -> bool {
        let driver = self.driver.get_value();
        driver.is_some_and(|driver| driver.with(Client::outbox_is_full))
    }

    /// The room that was added last.
    pub fn added(self) -> Signal<Option<RoomSummary>> {
        self.added.into()
    }

    /// The operator's last words.
    pub fn notice(self) -> RwSignal<Option<String>> {
        self.notice
    }

    /// Whether this build is too old for the server.
    pub fn upgrade_needed(self) -> Signal<bool> {
        self.upgrade.into()
    }

    /// Tells the client what happened.
    pub fn feed(self, input: Input) {
        if let Some(driver) = self.driver.get_value() {
            driver.feed(input);
        }
    }

    /// Looks at a followed room.
    pub fn with_room<R>(self, room: RoomId, look: impl FnOnce(RoomView<'_>) -> R) -> Option<R> {
        self.driver
            .get_value()?
            .with(|client| client.room(room).map(look))
    }

    /// Who the client says the user is.
    pub fn user(self) -> Option<User> {
        self.driver
            .get_value()?
            .with(|client| client.user().cloned())
    }

    /// Tells `listener` about changes of a room, in place of the one before.
    pub fn listen(self, room: RoomId, listener: impl Fn(&[RoomChange]) + 'static) {
        let listener: RoomListener = Rc::new(listener);
        self.unlisten(room);
        self.listeners
            .update_value(|listeners| listeners.push(SendWrapper::new((room, listener))));
    }

    /// Tells nobody about changes of this room any more.
    pub fn unlisten(self, room: RoomId) {
        self.listeners
            .update_value(|listeners| listeners.retain(|listener| listener.0 != room));
    }

    fn show(self, session: Session, notices: Vec<Notice>) {
        let mut changes: Vec<(RoomId, RoomChange)> = Vec::new();
        for notice in notices {
            match notice {
                Notice::Room { room, change } => changes.push((room, change)),
                Notice::Connection(state) => {
                    document::set_attribute(test_ids::CONNECTION_ATTRIBUTE, Some(word(&state)));
                    self.state.try_set(state.clone());
                    match state {
                        SESSION_ENDED => self.session_ended(session),
                        ConnectionState::Online => self.sought.set_value(false),
                        _ => {}
                    }
                }
                // Where it ended in another tab, what is stored now is another login.
                Notice::SessionEnded if session.id().is_none() => {}
                Notice::SessionEnded => session.forget(),
                Notice::RoomAdded(summary) => drop(self.added.try_set(Some(*summary))),
                Notice::CommandFailed(failure) => self.failed(failure),
                Notice::ServerNotice(text) => drop(self.notice.try_set(Some(text))),
                Notice::UpgradeNeeded => drop(self.upgrade.try_set(true)),
                Notice::Identity(Some(user)) => self.is_now(user.id),
                // Whose session ended may come back to what they wrote.
                Notice::Identity(None) => {}
            }
        }
        let Some(listeners) = self.listeners.try_get_value() else {
            return;
        };
        for listener in listeners {
            let (room, listener) = &*listener;
            let own: Vec<RoomChange> = changes
                .iter()
                .filter(|(changed, _)| changed == room)
                .map(|(_, change)| change.clone())
                .collect();
            if !own.is_empty() {
                listener(&own);
            }
        }
    }

    /// What one person wrote is not for the next.
    fn is_now(self, user: UserId) {
        let before = self.whose.try_get_value().flatten();
        if before == Some(user) {
            return;
        }
        self.whose.set_value(Some(user));
        if before.is_some() {
            self.returned.try_update(Vec::clear);
            self.failures.try_update(Vec::clear);
        }
    }

    fn failed(self, failure: Failure) {
        if failure.body.is_some() {
            self.returned
                .try_update(|returned| returned.push(failure.clone()));
        }
        self.failures.try_update(|failures| failures.push(failure));
    }
}

/// The state as the document's element carries it.
const fn word(state: &ConnectionState) -> &'static str {
    match state {
        ConnectionState::Connecting => "connecting",
        ConnectionState::Online => "online",
        ConnectionState::Reconnecting { .. } => "reconnecting",
        ConnectionState::Paused => "paused",
        ConnectionState::Stopped(_) => "stopped",
    }
}

fn input_of(event: SessionEvent) -> Input {
    match event {
        SessionEvent::SignedIn(user, token) => Input::SignedIn {
            user,
            token: access_token(&token, time::now()),
        },
        SessionEvent::Refreshed(token) => Input::TokenRefreshed {
            token: access_token(&token, time::now()),
        },
        SessionEvent::SignedOut => Input::SignedOut,
        SessionEvent::Ended => Input::TokenRefused,
    }
}

/// Random bits from the browser; a plain-http page has them too.
fn seed() -> u64 {
    let (high, low) = Uuid::new_v4().as_u64_pair();
    high ^ low
}
