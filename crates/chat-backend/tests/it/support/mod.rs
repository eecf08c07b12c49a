//! A real service on ports of its own, and people who use it. `TestApp::start` begins a test;
//! `app.guest("mina")` and `app.account("mina")` are people; `mina.call::<Endpoint>` is any request.

mod cluster;
mod follower;
mod person;
#[cfg(target_os = "linux")]
mod program;
mod socket;
mod switch;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use chat_backend::App;
use chat_backend::clock::ShiftedClock;
use chat_backend::config::Cli;
use chat_backend::realtime::Broker;
use chat_backend::state::AppState;
use chat_store::Store;
use chat_store_sqlite::SqliteStore;
use chat_types::account::{CreateGuest, Register};
use chat_types::endpoint::{JoinAsGuest, RegisterAccount};
use clap::Parser;
use tokio::net::TcpListener;

pub use cluster::{Bus, Cluster, ONLY_THE_BUS};
pub use follower::{Follower, shown};
pub use person::{Person, Refused, new_client_id};
#[cfg(target_os = "linux")]
pub use program::Program;
pub use socket::{PATIENCE, Socket, body_of, handshake, hello};
pub use switch::{Faults, Switch};

/// A password that is accepted.
pub const PASSWORD: &str = "correct horse battery";
/// The front end's origin.
pub const ORIGIN: &str = "http://127.0.0.1:3000";

/// Rates that no test reaches by accident; a test about a rate sets its own.
const ARGUMENTS: [(&str, &str); 24] = [
    ("--secret-key", "0123456789abcdefghijklmnopqrstuvwxyz"),
    ("--sites", "blog=https://blog.example.com;wiki=*"),
    ("--allowed-origins", ORIGIN),
    ("--addr", "127.0.0.1:0"),
    ("--limit-guests", "100000/1s"),
    ("--limit-registrations", "100000/1s"),
    ("--limit-sign-ins", "100000/1s"),
    ("--limit-sign-ins-of-address", "100000/1s"),
    ("--limit-refreshes", "100000/1s"),
    ("--limit-sends", "100000/1s"),
    ("--first-room", ""),
    ("--limit-user-sends", "100000/1s"),
    ("--limit-room-sends", "100000/1s"),
    ("--limit-guest-sends", "100000/1s"),
    ("--limit-repeats", "100000/1s"),
    ("--limit-read-positions", "100000/1s"),
    ("--limit-changes", "100000/1s"),
    ("--limit-room-changes", "100000/1s"),
    ("--limit-guest-changes", "100000/1s"),
    ("--limit-creations", "100000/1s"),
    ("--limit-guest-rooms", "100000/1s"),
    ("--limit-invites", "100000/1s"),
    ("--limit-pages", "100000/1s"),
    ("--limit-reads", "100000/1s"),
];

/// The service under test.
pub struct TestApp {
    pub state: AppState,
    pub store: Arc<dyn Store>,
    pub clock: Arc<ShiftedClock>,
    pub address: SocketAddr,
    pub admin_address: SocketAddr,
    pub http: reqwest::Client,
}

/// The configuration of a test, with some arguments of its own.
pub fn config(own: &[(&str, &str)]) -> chat_backend::config::Config {
    let mut arguments = BTreeMap::from(ARGUMENTS);
    arguments.extend(own.iter().copied());
    let words = arguments
        .into_iter()
        .flat_map(|(flag, value)| [flag, value]);
    Cli::try_parse_from(std::iter::once("chat-backend").chain(words))
        .unwrap()
        .config
}

impl TestApp {
    /// A service with the test's configuration.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A service with some arguments of its own.
    pub async fn start_with(own: &[(&str, &str)]) -> Self {
        let store = Arc::new(SqliteStore::open_temporary().await.unwrap());
        Self::start_on(store, own).await
    }

    /// A service on a store that is there already.
    pub async fn start_on(store: Arc<dyn Store>, own: &[(&str, &str)]) -> Self {
        Self::start_over(store, config(own).broker().unwrap(), own).await
    }

    /// One of the nodes on a store.
    pub async fn start_over(
        store: Arc<dyn Store>,
        broker: Box<dyn Broker>,
        own: &[(&str, &str)],
    ) -> Self {
        let clock = Arc::new(ShiftedClock::default());
        let app = App::build_on(config(own), store.clone(), clock.clone(), broker);
        let app = app.await.unwrap();
        let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, admin_address) = (public.local_addr().unwrap(), admin.local_addr().unwrap());
        let state = app.start(public, admin).unwrap();
        Self {
            state,
            store,
            clock,
            address,
            admin_address,
            http: reqwest::Client::new(),
        }
    }

    /// The address of a path of the API.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Somebody who has not signed in.
    pub fn visitor(&self) -> Person {
        Person::visitor(self)
    }

    /// Somebody who joined with a nickname.
    pub async fn guest(&self, name: &str) -> Person {
        let name = name.to_owned();
        let guest = self
            .visitor()
            .call::<JoinAsGuest>(&[], CreateGuest { name })
            .await;
        self.visitor().signed_in(guest.unwrap())
    }

    /// Somebody with an account, whose password is [`PASSWORD`].
    pub async fn account(&self, username: &str) -> Person {
        let register = Register {
            username: username.to_owned(),
            password: PASSWORD.to_owned(),
            name: None,
        };
        let account = self.visitor().call::<RegisterAccount>(&[], register).await;
        self.visitor().signed_in(account.unwrap())
    }
}
