//! Drives the client's state machine in a browser: feeds it what happens, one thing at a time, and
//! does what it asks for.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use chat_client::{AccessToken, Client, Config, Effect, FetchId, Input, Notice};
use chat_types::account::Empty;
use chat_types::endpoint::GetHistory;
use chat_types::id::RoomId;
use chat_types::problem::ErrorCode;
use chat_types::room::HistoryQuery;
use chat_types::time::Timestamp;
use gloo_timers::callback::Timeout;
use leptos::task::spawn_local;

use super::events::{self, Subscriptions};
use super::socket::Socket;
use super::storage::{self, Reach};
use super::time;
use crate::state::session::{Session, Token};

/// Kept per tab: two tabs must not send each other's messages.
const OUTBOX: &str = "outbox";

/// The client and what it drives.
pub struct Driver {
    client: RefCell<Client>,
    session: Session,
    waiting: RefCell<VecDeque<Input>>,
    busy: Cell<bool>,
    socket: RefCell<Option<Socket>>,
    timer: RefCell<Option<Timeout>>,
    _subscriptions: Subscriptions,
    show: Box<dyn Fn(Vec<Notice>)>,
    this: Weak<Driver>,
}

impl Driver {
    /// A client that connects at once. `show` gets the notices of each step together.
    pub fn start(
        config: Config,
        session: Session,
        show: impl Fn(Vec<Notice>) + 'static,
    ) -> Rc<Self> {
        let driver = Rc::new_cyclic(|this: &Weak<Self>| Self {
            client: RefCell::new(Client::new(config, time::now())),
            session,
            waiting: RefCell::default(),
            busy: Cell::new(false),
            socket: RefCell::default(),
            timer: RefCell::default(),
            _subscriptions: events::subscribe(teller(this)),
            show: Box::new(show),
            this: this.clone(),
        });
        driver.feed(Input::Start);
        driver
    }

    /// The outbox of this tab's last page.
    pub fn stored_outbox() -> Option<String> {
        storage::get(Reach::Tab, OUTBOX)
    }

    /// Tells the client what happened. May be called while it is being shown something.
    pub fn feed(&self, input: Input) {
        self.waiting.borrow_mut().push_back(input);
        if self.busy.replace(true) {
            return;
        }
        loop {
            let next = self.waiting.borrow_mut().pop_front();
            let Some(input) = next else { break };
            self.client.borrow_mut().handle(time::now(), input);
            self.carry_out();
        }
        self.busy.set(false);
        self.set_timer();
    }

    /// Looks at the client.
    pub fn with<R>(&self, look: impl FnOnce(&Client) -> R) -> R {
        look(&self.client.borrow())
    }

    fn carry_out(&self) {
        let mut notices = Vec::new();
        loop {
            let effect = self.client.borrow_mut().poll_effect();
            let Some(effect) = effect else { break };
            match effect {
                Effect::Notify(notice) => notices.push(notice),
                effect => self.perform(effect),
            }
        }
        if !notices.is_empty() {
            (self.show)(notices);
        }
    }

    fn perform(&self, effect: Effect) {
        match effect {
            Effect::Connect { conn } => match Socket::open(conn, teller(&self.this)) {
                Ok(socket) => drop(self.socket.replace(Some(socket))),
                Err(refused) => self.waiting.borrow_mut().push_back(refused),
            },
            Effect::SendFrame { conn, text } => {
                if let Some(socket) = &*self.socket.borrow()
                    && socket.conn() == conn
                {
                    socket.send(&text);
                }
            }
            Effect::Disconnect { conn, code } => {
                let named = self
                    .socket
                    .borrow()
                    .as_ref()
                    .is_some_and(|socket| socket.conn() == conn);
                if named && let Some(socket) = self.socket.take() {
                    socket.close(code);
                }
            }
            Effect::RefreshToken => self.refresh_token(),
            Effect::FetchHistory { fetch, room, query } => self.fetch_history(fetch, room, query),
            Effect::PersistOutbox(text) => storage::set(Reach::Tab, OUTBOX, &text),
            Effect::Notify(_) => {}
        }
    }

    fn refresh_token(&self) {
        let (session, tell) = (self.session, teller(&self.this));
        spawn_local(async move {
            tell(match session.refresh().await {
                Ok(token) => Input::TokenRefreshed {
                    token: access_token(&token, time::now()),
                },
                Err(error) if error.code == ErrorCode::Unauthorized => Input::TokenRefused,
                Err(error) => Input::RefreshFailed {
                    retry_after_ms: error.retry_after_ms,
                },
            });
        });
    }

    fn fetch_history(&self, fetch: FetchId, room: RoomId, query: HistoryQuery) {
        let (session, tell) = (self.session, teller(&self.this));
        spawn_local(async move {
            let path = [("room", room.to_string())];
            tell(
                match session.call::<GetHistory>(&path, &query, &Empty {}).await {
                    Ok(page) => Input::HistoryLoaded {
                        fetch,
                        page: Box::new(page),
                    },
                    Err(_) => Input::HistoryFailed { fetch },
                },
            );
        });
    }

    fn set_timer(&self) {
        let wake = self.client.borrow().next_wake();
        let timer = wake.map(|at| {
            let tell = teller(&self.this);
            let wait = u32::try_from(at.since_ms(time::now()))
                .unwrap_or(u32::MAX)
                .min(i32::MAX.unsigned_abs());
            Timeout::new(wait, move || tell(Input::Timer))
        });
        self.timer.replace(timer);
    }
}

/// A token as the client takes it.
pub fn access_token(token: &Token, now: Timestamp) -> AccessToken {
    AccessToken {
        token: token.token.clone(),
        expires_in_ms: token.ends_at.since_ms(now),
    }
}

/// A way to feed the driver for as long as it lives.
fn teller(driver: &Weak<Driver>) -> impl Fn(Input) + Clone + 'static {
    let driver = driver.clone();
    move |input| {
        if let Some(driver) = driver.upgrade() {
            driver.feed(input);
        }
    }
}
