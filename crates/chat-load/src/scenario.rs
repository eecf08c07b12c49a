//! What a run does.

use std::path::PathBuf;
use std::time::Duration;

use crate::proxy::Network;
use crate::server::Server;

/// The site whose pages are the rooms of a run; the server has to know it ([`SERVER_FLAGS`]).
pub const SITE: &str = "load";

/// What a server has to be started with: rates that a crowd behind one address does not reach, and
/// the site of the rooms. Whoever measures with the default limits measures the limits.
pub const SERVER_FLAGS: [&str; 28] = [
    "--sites=load=*",
    "--first-room=",
    "--limit-guests=1000000/1s",
    "--limit-refreshes=1000000/1s",
    "--limit-sends=1000000/1s",
    "--limit-user-sends=1000000/1s",
    "--limit-room-sends=1000000/1s",
    "--limit-guest-sends=1000000/1s",
    "--limit-repeats=1000000/1s",
    "--limit-read-positions=1000000/1s",
    "--limit-changes=1000000/1s",
    "--limit-room-changes=1000000/1s",
    "--limit-guest-changes=1000000/1s",
    "--limit-guest-rooms=1000000/1s",
    "--limit-creations=1000000/1s",
    "--limit-pages=1000000/1s",
    "--limit-reads=1000000/1s",
    "--limit-connections-per-address=1000000",
    "--limit-sockets-per-user=1000",
    "--limit-sockets-per-address=1000000",
    "--limit-visitors-per-address=1000000",
    "--limit-greeting-per-address=1000000",
    "--limit-frames=10000",
    "--limit-frames-burst=100000",
    "--limit-documents=10000",
    "--limit-documents-burst=100000",
    "--log=warn",
    "--purge-ms=86400000",
];

/// What a run does. [`Scenario::default`] is a small load on nobody; name the servers.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The servers; each connect picks one of them at random.
    pub servers: Vec<Server>,
    /// The servers that are asked for the truth afterwards; empty: the same. Name the replicas here
    /// when the clients go through a load balancer.
    pub read_from: Vec<Server>,
    /// A network that is put in front of each server; sound again when the load ends.
    pub network: Option<Network>,
    /// Rooms that are made for the run.
    pub rooms: usize,
    /// Rooms that each client follows.
    pub rooms_per_client: usize,
    /// Clients that are as the browser: the whole state machine, with a full history.
    pub clients: usize,
    /// Readers that only count.
    pub readers: usize,
    /// What is sent.
    pub load: Load,
    /// At least for how long. It goes on for as long as the faults do.
    pub time: Duration,
    /// Bytes of a message, at least its label.
    pub body_bytes: usize,
    /// What else is done, in percent of the messages.
    pub mix: Mix,
    /// Every second client's clock is wrong by so much, half of them early and half of them late.
    pub skew: Duration,
    /// How many addresses of this machine the clients come from (127.1.0.1 and up), for more
    /// connections than one address has ports; 0: the system's choice.
    pub sources: u16,
    /// How many clients may be connecting at once.
    pub connecting_at_once: usize,
    /// Everybody has to be connected within this.
    pub connect_within: Duration,
    /// Whether clients that are not connected ask for another attempt all the time, as people do who
    /// click, and do not only wait out their back-off.
    pub impatient: bool,
    /// Everybody has to be up to date within so long after the last fault.
    pub converge_within: Duration,
    /// Below these a run proves nothing.
    pub floors: Floors,
    /// The servers' processes, to tell what they use.
    pub pids: Vec<u32>,
    /// Where the histories are written, one JSON document a line.
    pub histories: Option<PathBuf>,
    /// Repeats the choices of a run.
    pub seed: u64,
    /// Whether to say every now and then how far it is.
    pub progress: bool,
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Load {
    /// Nothing: connections that idle.
    Idle,
    /// So many messages a second by so many of the clients, each at its time, whether or not those
    /// before are answered.
    Rate {
        /// How many clients send.
        senders: usize,
        /// Messages a second of all of them.
        per_second: u32,
    },
    /// As fast as they are acknowledged, by senders of their own.
    Saturated {
        /// How many there are.
        senders: usize,
        /// How many messages each has under way.
        window: usize,
    },
}

/// What is done besides messages, in percent of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mix {
    /// Edits of own messages.
    pub edits: u32,
    /// Deletions of own messages.
    pub deletes: u32,
    /// Reactions.
    pub reactions: u32,
}

/// A run that did less than this proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Floors {
    /// Messages that were acknowledged.
    pub acked: u64,
    /// Events that reached readers.
    pub deliveries: u64,
    /// Faults that a client felt.
    pub faults: u64,
    /// Rooms that were resumed.
    pub resumes: u64,
}

impl Default for Floors {
    fn default() -> Self {
        Self {
            acked: 1,
            deliveries: 1,
            faults: 0,
            resumes: 0,
        }
    }
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            read_from: Vec::new(),
            network: None,
            rooms: 1,
            rooms_per_client: 1,
            clients: 8,
            readers: 0,
            load: Load::Rate {
                senders: 4,
                per_second: 20,
            },
            time: Duration::from_secs(10),
            body_bytes: 100,
            mix: Mix::default(),
            skew: Duration::ZERO,
            sources: 0,
            connecting_at_once: 64,
            connect_within: Duration::from_mins(1),
            impatient: false,
            converge_within: Duration::from_secs(10),
            floors: Floors::default(),
            pids: Vec::new(),
            histories: None,
            seed: 1,
            progress: false,
        }
    }
}
