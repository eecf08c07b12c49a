//! What is done to a run from outside, and whether anybody felt it.
//!
//! A fault that no client noticed proves nothing: a stray server once took all the traffic while
//! another process was killed hundreds of times, and the history was clean.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::Serialize;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::proxy::{self, Connections};
use crate::rng::Rng;

/// An acknowledgement that takes so long was held up.
pub(crate) const HELD_UP_US: u64 = 100_000;

/// How often something was done to a run, and how often a client felt it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Felt {
    /// Times that it was done.
    pub injected: u64,
    /// Times that a client lost its connection, waited, or was told `unavailable` because of it.
    pub felt: u64,
    /// The longest, in milliseconds, from when it was done until every client was connected and up to
    /// date again; 0: nobody lost a connection.
    pub all_live_ms: u64,
}

#[derive(Debug)]
struct Fault {
    kind: String,
    at_us: u64,
    felt: bool,
    /// How long it took until everybody was live again.
    all_live_us: Option<u64>,
}

/// Everything that was done, in order.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<Vec<Fault>>);

impl Log {
    fn begin(&self, kind: &str, at_us: u64) {
        let fault = Fault {
            kind: kind.to_owned(),
            at_us,
            felt: false,
            all_live_us: None,
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(fault);
    }

    /// A connection was lost, an acknowledgement held up, or a message refused as `unavailable`. The
    /// last fault did it.
    pub(crate) fn felt(&self, now_us: u64) {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fault) = faults.iter_mut().rfind(|fault| fault.at_us <= now_us) {
            fault.felt = true;
        }
    }

    /// Everybody is live again after an outage: the end of what was felt until now.
    pub(crate) fn everybody_is_back(&self, now_us: u64) {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for fault in faults.iter_mut().filter(|fault| fault.felt) {
            let taken_us = now_us.saturating_sub(fault.at_us);
            fault.all_live_us = fault.all_live_us.or(Some(taken_us));
        }
    }

    pub(crate) fn counts(&self) -> BTreeMap<String, Felt> {
        let mut counts: BTreeMap<String, Felt> = BTreeMap::new();
        let faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for fault in faults.iter() {
            let felt = counts.entry(fault.kind.clone()).or_default();
            felt.injected += 1;
            felt.felt += u64::from(fault.felt);
            let all_live_ms = fault.all_live_us.unwrap_or(0) / 1_000;
            felt.all_live_ms = felt.all_live_ms.max(all_live_ms);
        }
        counts
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Guests and rooms are made, clients connect.
    Connecting,
    /// Everybody is connected and messages are sent.
    Loading,
    /// Nothing more is sent; the clients come to rest.
    Settling,
    /// The histories are audited.
    Auditing,
}

/// Follows a run from outside, and holds it: see [`Control::with_faults`].
#[derive(Clone)]
pub struct Control {
    clock: Clock,
    log: Arc<Log>,
    phase: Arc<watch::Sender<Phase>>,
    calm: watch::Receiver<bool>,
    live: Arc<watch::Sender<Live>>,
    networks: Arc<OnceLock<Vec<Arc<Connections>>>>,
}

/// How many clients there are and how many of them are connected and up to date.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Live {
    /// All.
    pub clients: u64,
    /// Those that follow all their rooms.
    pub live: u64,
}

impl Default for Control {
    fn default() -> Self {
        let (control, _) = Self::with_faults();
        control
    }
}

impl Control {
    /// A run, and the hand of whoever does something to it. The load goes on for as long as that
    /// hand is held, at least for the time that the scenario says.
    pub fn with_faults() -> (Self, Faults) {
        let (calm, calm_seen) = watch::channel(false);
        let control = Self {
            clock: Clock::start(),
            log: Arc::default(),
            phase: Arc::new(watch::channel(Phase::Connecting).0),
            calm: calm_seen,
            live: Arc::new(watch::channel(Live::default()).0),
            networks: Arc::default(),
        };
        let faults = Faults {
            clock: control.clock,
            log: Arc::clone(&control.log),
            phase: control.phase.subscribe(),
            live: control.live.subscribe(),
            networks: Arc::clone(&control.networks),
            _calm: calm,
        };
        (control, faults)
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    pub(crate) fn log(&self) -> Arc<Log> {
        Arc::clone(&self.log)
    }

    /// The networks that the run put in front of the servers.
    pub(crate) fn tell_networks(&self, networks: Vec<Arc<Connections>>) {
        // A control is of one run.
        let _ = self.networks.set(networks);
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    pub(crate) fn tell_live(&self, live: Live) {
        self.live.send_if_modified(|known| {
            let changed = *known != live;
            *known = live;
            changed
        });
    }

    pub(crate) fn live(&self) -> watch::Receiver<Live> {
        self.live.subscribe()
    }

    /// Until nothing is done to the run any more.
    pub(crate) async fn calm(&self) {
        let mut calm = self.calm.clone();
        // The hand that holds the other end says nothing; it goes.
        while calm.changed().await.is_ok() {}
    }
}

/// The hand of whoever kills, cuts and pauses. Dropping it ends the faults, and with them the load.
pub struct Faults {
    clock: Clock,
    log: Arc<Log>,
    phase: watch::Receiver<Phase>,
    live: watch::Receiver<Live>,
    networks: Arc<OnceLock<Vec<Arc<Connections>>>>,
    _calm: watch::Sender<bool>,
}

impl Faults {
    /// Waits until everybody is connected and messages are sent. False: the run ended before.
    pub async fn load_began(&mut self) -> bool {
        let began = |phase: &Phase| *phase >= Phase::Loading;
        self.phase.wait_for(began).await.is_ok()
    }

    /// Notes that something is being done now; call it just before. Its kind is a word of yours, such
    /// as `kill`.
    pub fn begin(&self, kind: &str) {
        self.log.begin(kind, self.clock.now_us());
    }

    /// Cuts so many of the clients' connections at the same moment, each at a random byte, and notes it
    /// under this kind. Returns how many there were to cut: none where the scenario has no network.
    pub fn cut_at_once(&self, kind: &str, connections: usize) -> usize {
        self.begin(kind);
        let mut rng = Rng::new(self.clock.now_us());
        let networks = self.networks.get().map_or(&[][..], Vec::as_slice);
        proxy::cut_at_once(networks, connections, &mut rng)
    }

    /// Waits until a client is without its connection. False: the run ended before.
    pub async fn somebody_is_cut(&mut self) -> bool {
        self.until(|live| live.live < live.clients).await
    }

    /// Waits until every client is connected and up to date. False: the run ended before.
    pub async fn everybody_is_back(&mut self) -> bool {
        self.until(|live| live.live == live.clients).await
    }

    async fn until(&mut self, state: impl Fn(&Live) -> bool) -> bool {
        self.live.wait_for(|live| state(live)).await.is_ok()
    }
}
