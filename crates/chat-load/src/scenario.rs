//! What a run does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::faults::Felt;
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
    /// Private rooms beside those, each with an owner, members who come and go, and a stranger, all of
    /// whom try what they may not do.
    pub private_rooms: usize,
    /// In how many of the rooms it is audited who is there, who types and what was read: in the quiet
    /// after the load, for some seconds. Readers who lose their connection and do not come back look
    /// at these from the beginning.
    pub attended_rooms: usize,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Floors {
    /// Messages that were acknowledged.
    pub acked: u64,
    /// Events that reached readers.
    pub deliveries: u64,
    /// Faults that a client felt.
    pub faults: u64,
    /// Of each hundred faults so many that a client felt: of all together, and of each kind that was
    /// done [`JUDGED_ALONE`] times or more often.
    pub felt_percent: u64,
    /// The kinds of faults that this is asked of, since clients can feel them; none: of all kinds.
    pub felt_kinds: Vec<String>,
    /// Rooms that were resumed.
    pub resumes: u64,
}

/// A kind of fault that was done so often has to be felt by itself; fewer are chance.
pub const JUDGED_ALONE: u64 = 4;

impl Floors {
    /// Which faults were felt too seldom.
    pub(crate) fn hardly_felt(&self, faults: &BTreeMap<String, Felt>) -> Vec<String> {
        let asked = |kind| self.felt_kinds.is_empty() || self.felt_kinds.contains(kind);
        let judged = faults.iter().filter(|(kind, _)| asked(*kind));
        let judged: Vec<_> = judged.collect();
        let all = judged.iter().fold(Felt::default(), |sum, (_, felt)| Felt {
            injected: sum.injected + felt.injected,
            felt: sum.felt + felt.felt,
            ..sum
        });
        let alone = judged
            .into_iter()
            .filter(|(_, felt)| felt.injected >= JUDGED_ALONE);
        let alone = alone.map(|(kind, felt)| (format!("\"{kind}\""), *felt));
        let parts = std::iter::once(("faults".to_owned(), all)).chain(alone);
        let hardly = parts.filter(|(_, Felt { injected, felt, .. })| {
            felt.saturating_mul(100) < injected.saturating_mul(self.felt_percent)
        });
        hardly
            .map(|(what, Felt { injected, felt, .. })| {
                format!(
                    "{felt} of {injected} {what} felt, of at least {} %",
                    self.felt_percent
                )
            })
            .collect()
    }
}

impl Default for Floors {
    fn default() -> Self {
        Self {
            acked: 1,
            deliveries: 1,
            faults: 0,
            felt_percent: 0,
            felt_kinds: Vec::new(),
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
            private_rooms: 0,
            attended_rooms: 0,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(counts: &[(&str, u64, u64)]) -> BTreeMap<String, Felt> {
        let counts = counts.iter();
        let counts = counts.map(|(kind, injected, felt)| {
            let felt = Felt {
                injected: *injected,
                felt: *felt,
                ..Felt::default()
            };
            ((*kind).to_owned(), felt)
        });
        counts.collect()
    }

    fn half_of(kinds: &[&str]) -> Floors {
        Floors {
            felt_percent: 50,
            felt_kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            ..Floors::default()
        }
    }

    #[test]
    fn half_of_the_faults_is_enough_and_one_less_is_not() {
        let floors = half_of(&[]);
        assert!(floors.hardly_felt(&faults(&[("kill", 80, 40)])).is_empty());
        let hardly = floors.hardly_felt(&faults(&[("kill", 80, 39)]));
        assert_eq!(
            hardly,
            [
                "39 of 80 faults felt, of at least 50 %",
                "39 of 80 \"kill\" felt, of at least 50 %"
            ]
        );
    }

    #[test]
    fn a_kind_that_was_done_often_has_to_be_felt_by_itself() {
        let floors = half_of(&[]);
        let often = faults(&[("kill", 80, 80), ("pause", JUDGED_ALONE, 1)]);
        assert_eq!(
            floors.hardly_felt(&often),
            ["1 of 4 \"pause\" felt, of at least 50 %"]
        );
        let seldom = faults(&[("kill", 80, 80), ("pause", JUDGED_ALONE - 1, 0)]);
        assert!(floors.hardly_felt(&seldom).is_empty());
    }

    #[test]
    fn kinds_that_clients_cannot_feel_are_not_asked_of() {
        let done = faults(&[("kill", 4, 4), ("bus", 80, 0)]);
        assert!(half_of(&["kill"]).hardly_felt(&done).is_empty());
        assert!(!half_of(&["kill", "bus"]).hardly_felt(&done).is_empty());
        assert!(Floors::default().hardly_felt(&done).is_empty());
    }
}
