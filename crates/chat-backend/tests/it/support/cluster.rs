//! Two nodes of one service: one store, one bus. What is true of them is true over each bus.

use std::sync::Arc;

use chat_backend::realtime::Broker;
use chat_backend::realtime::broker::{Nats, Status};
use chat_store_sqlite::SqliteStore;
use tokio::time::timeout;

use super::{Faults, PATIENCE, Switch, TestApp};

/// Nothing is found by a timer: only the bus brings it.
pub const ONLY_THE_BUS: [(&str, &str); 3] = [
    ("--heads-ms", "3600000"),
    ("--poll-heads-ms", "60000"),
    ("--recheck-ms", "86400000"),
];

/// A bus under test.
pub enum Bus {
    Switch(Switch),
    Nats(chat_testbed::Nats),
}

impl Bus {
    pub fn switch() -> Self {
        Self::Switch(Switch::default())
    }

    pub fn nats() -> Self {
        Self::Nats(chat_testbed::Nats::start().unwrap())
    }

    /// A place for one more node.
    pub fn broker(&self) -> Box<dyn Broker> {
        match self {
            Self::Switch(switch) => Box::new(switch.plug()),
            Self::Nats(server) => Box::new(Nats::new(&server.url(), "test").unwrap()),
        }
    }

    /// The bus goes away.
    pub fn cut(&mut self) {
        match self {
            Self::Switch(switch) => switch.cut(),
            Self::Nats(server) => server.kill(),
        }
    }

    /// It comes back.
    pub fn mend(&mut self) {
        match self {
            Self::Switch(switch) => switch.mend(),
            Self::Nats(server) => server.restart().unwrap(),
        }
    }

    /// What goes wrong from now on, where this bus can be told to.
    pub fn set_faults(&self, faults: Faults) {
        if let Self::Switch(switch) = self {
            switch.set_faults(faults);
        }
    }
}

/// Two nodes.
pub struct Cluster {
    pub here: TestApp,
    pub there: TestApp,
    pub bus: Bus,
}

impl Cluster {
    pub async fn start(bus: Bus, own: &[(&str, &str)]) -> Self {
        let store = Arc::new(SqliteStore::open_temporary().await.unwrap());
        let here = TestApp::start_over(store.clone(), bus.broker(), own).await;
        let there = TestApp::start_over(store, bus.broker(), own).await;
        let cluster = Self { here, there, bus };
        cluster.is(Status::Up).await;
        cluster
    }

    pub async fn cut(&mut self) {
        self.bus.cut();
        self.is(Status::Down).await;
    }

    pub async fn mend(&mut self) {
        self.bus.mend();
        self.is(Status::Up).await;
    }

    /// Both nodes know that the bus is so.
    pub async fn is(&self, status: Status) {
        for app in [&self.here, &self.there] {
            let reached = async {
                while app.state.hub.bus() != status {
                    tokio::task::yield_now().await;
                }
            };
            let reached = timeout(PATIENCE, reached).await;
            assert!(reached.is_ok(), "the bus does not become {status:?}");
        }
    }
}
