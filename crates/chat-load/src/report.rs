//! What a run showed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use serde::Serialize;

use crate::audit::{Kind, Violation};
use crate::faults::Felt;
use crate::measure::LatencySummary;
use crate::proxy::Done;

/// Violations that the table names one by one; the JSON has all of them.
const NAMED: usize = 20;

/// What a run showed.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// By which the run is repeated.
    pub seed: u64,
    /// How many clients were the whole state machine.
    pub clients: u64,
    /// How many only counted.
    pub readers: u64,
    /// How many rooms there were.
    pub rooms: u64,
    /// The connecting.
    pub connecting: Connecting,
    /// The load.
    pub load: Loaded,
    /// From when a message was due to its acknowledgement.
    pub to_ack: LatencySummary,
    /// From when a message was due to each reader.
    pub to_reader: LatencySummary,
    /// From each connection that broke while its client waited for an acknowledgement, to the first
    /// one on another connection. A connection that was closed in order does not count.
    pub crash_to_ack: LatencySummary,
    /// From each lost connection until everybody was connected and up to date again.
    pub outages: LatencySummary,
    /// From when a client was connected and up to date no longer until it was again, of each client.
    pub back: LatencySummary,
    /// What was tried in the private rooms.
    pub rights: Rights,
    /// What was looked at in the quiet after the load.
    pub attention: Attention,
    /// What was done to the run, by kind.
    pub faults: BTreeMap<String, Felt>,
    /// What the bad networks did, all together.
    pub network: Done,
    /// How long the clients took to come to rest after the load; `None`: not in time.
    pub converged_ms: Option<u64>,
    /// Whether something still moved where not everybody came to rest in time: then who was late may
    /// only have had a backlog.
    pub moving: bool,
    /// How the connection of each client was that was not up to date in the end.
    pub stragglers: Vec<String>,
    /// Every broken promise, and everything that was late.
    pub violations: Vec<Violation>,
    /// What the run did too little of to prove anything.
    pub below: Vec<String>,
}

/// How something went that was done so many times.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Pace {
    /// How often it was done.
    pub count: u64,
    /// How long all of it took.
    pub ms: u64,
    /// How often it was done a second.
    pub per_second: u64,
    /// The server's CPU time for it.
    pub server_cpu_ms: u64,
    /// How often it was done for a second of the server's CPU time; 0: not measured.
    pub per_cpu_second: u64,
}

/// How the connecting went.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Connecting {
    /// The guests, made before anybody connects: each is a commit.
    pub guests: Pace,
    /// The connections: opened, authenticated, and following their rooms.
    pub connections: Pace,
    /// The server's resident memory before.
    pub resident_before_kib: u64,
    /// The server's resident memory with everybody connected.
    pub resident_after_kib: u64,
    /// Bytes of resident memory for a connection; 0: not measured.
    pub bytes_per_connection: u64,
}

impl Pace {
    fn time(&self) -> String {
        format!("{} ms, {}/s", self.ms, self.per_second)
    }
}

/// How the load went.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Loaded {
    /// For how long.
    pub ms: u64,
    /// Messages that were written.
    pub sent: u64,
    /// Messages that were acknowledged.
    pub acked: u64,
    /// Messages acknowledged a second.
    pub acked_per_second: u64,
    /// Messages that were refused, or not even taken by the client.
    pub refused: u64,
    /// Refusals after which a message was tried again.
    pub retried: u64,
    /// Events that reached readers.
    pub deliveries: u64,
    /// The same a second.
    pub deliveries_per_second: u64,
    /// The server's CPU time.
    pub server_cpu_ms: u64,
    /// Deliveries for a second of the server's CPU time; 0: not measured.
    pub deliveries_per_cpu_second: u64,
    /// The server's resident memory at the end.
    pub resident_kib: u64,
    /// Connections that were lost.
    pub lost_connections: u64,
    /// Rooms that were resumed after that.
    pub resumes: u64,
    /// Rooms that were loaded anew instead, the first time included.
    pub fresh: u64,
    /// Connections that fell behind and said so.
    pub resyncs: u64,
}

/// What happened in the private rooms.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Rights {
    /// Members who left or were signed out.
    pub ended: u64,
    /// Messages that members were given.
    pub let_in: u64,
    /// Refusals of those who were no members, or none any more.
    pub kept_out: u64,
}

/// What was looked at in the quiet after the load: who is there, who types, what was read.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Attention {
    /// In how many rooms somebody entered, typed and went.
    pub rooms: u64,
    /// In how many of them somebody read on a second device.
    pub read: u64,
    /// How many screens were watched.
    pub screens: u64,
    /// Users who had lost their connection before and did not come back.
    pub ghosts: u64,
    /// How long after everything else every screen showed who is there; `None`: not within the time in
    /// which a server that died without a word is forgotten.
    pub present_ms: Option<u64>,
    /// By so many milliseconds the machine held the run up meanwhile: by so much more everything may have
    /// been late.
    pub held_up_ms: u64,
}

/// What a run amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything that was promised was kept.
    Sound,
    /// Something was not.
    Violated,
    /// Nothing was seen broken, and not everybody came to rest in time.
    Late,
    /// Too little happened to say.
    ProvesNothing,
}

impl Verdict {
    /// The exit code of the program.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Sound => 0,
            Self::Violated => 1,
            Self::ProvesNothing => 2,
            Self::Late => 4,
        }
    }
}

impl Report {
    /// What the run amounts to.
    pub fn verdict(&self) -> Verdict {
        if self.broken().next().is_some() {
            Verdict::Violated
        } else if self.converged_ms.is_none() || !self.violations.is_empty() {
            Verdict::Late
        } else if !self.below.is_empty() {
            Verdict::ProvesNothing
        } else {
            Verdict::Sound
        }
    }

    /// The promises that were broken: everything that was found but what was only late.
    pub fn broken(&self) -> impl Iterator<Item = &Violation> {
        let violations = self.violations.iter();
        violations.filter(|violation| !self.is_late(violation.kind))
    }

    /// Whether this may be a backlog that was not worked off in time.
    fn is_late(&self, kind: Kind) -> bool {
        self.moving && kind.is_late()
    }

    /// How many faults a client felt, of all kinds.
    pub fn faults_felt(&self) -> u64 {
        self.faults.values().map(|felt| felt.felt).sum()
    }

    /// How many violations there are of each kind.
    pub fn counts(&self) -> BTreeMap<Kind, usize> {
        let mut counts = BTreeMap::new();
        for violation in &self.violations {
            *counts.entry(violation.kind).or_default() += 1;
        }
        counts
    }

    fn table(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        let out = &mut text;
        let Connecting {
            guests,
            connections,
            ..
        } = self.connecting;
        writeln!(
            out,
            "{} clients and {} readers in {} rooms, seed {}",
            self.clients, self.readers, self.rooms, self.seed
        )?;
        writeln!(out, "made {} guests in {}", guests.count, guests.time())?;
        writeln!(
            out,
            "connected {} in {}",
            connections.count,
            connections.time()
        )?;
        self.server_table(out)?;
        let load = &self.load;
        writeln!(
            out,
            "sent {}, acknowledged {} ({}/s), refused {}, tried again {}, in {} ms",
            load.sent, load.acked, load.acked_per_second, load.refused, load.retried, load.ms
        )?;
        writeln!(
            out,
            "delivered {} ({}/s); connections lost {}, rooms resumed {}, loaded anew {}, fallen behind {}",
            load.deliveries,
            load.deliveries_per_second,
            load.lost_connections,
            load.resumes,
            load.fresh,
            load.resyncs
        )?;
        let Rights {
            ended,
            let_in,
            kept_out,
        } = self.rights;
        if let_in + kept_out > 0 {
            writeln!(
                out,
                "private rooms: {ended} rights ended, {let_in} messages given to members, \
                 {kept_out} attempts of others refused"
            )?;
        }
        let Attention {
            rooms,
            read,
            screens,
            ghosts,
            present_ms,
            held_up_ms,
        } = self.attention;
        if rooms > 0 {
            let present =
                present_ms.map_or("not in time".to_owned(), |ms| format!("after {ms} ms"));
            writeln!(
                out,
                "in quiet: {screens} screens and {rooms} rooms, {read} read on a second device; \
                 {ghosts} had gone without a word, presence right {present}; held up for {held_up_ms} ms"
            )?;
        }
        self.latency_table(out)?;
        self.verdict_table(out)?;
        Ok(text)
    }

    fn latency_table(&self, out: &mut String) -> fmt::Result {
        writeln!(
            out,
            "\n{:<24} {:>9} {:>10} {:>10} {:>10} {:>10} {:>10}",
            "from when it was due", "count", "p50", "p90", "p99", "p99.9", "max"
        )?;
        for (name, latency) in [
            ("to acknowledgement", self.to_ack),
            ("to each reader", self.to_reader),
            ("crash to first ack", self.crash_to_ack),
            ("outage to all live", self.outages),
            ("lost to live again", self.back),
        ] {
            write!(out, "{name:<24} {:>9}", latency.count)?;
            for us in [
                latency.p50_us,
                latency.p90_us,
                latency.p99_us,
                latency.p999_us,
                latency.max_us,
            ] {
                write!(out, " {:>7}.{:02}", us / 1_000, us % 1_000 / 10)?;
            }
            writeln!(out, "  ms")?;
        }
        writeln!(out)
    }

    /// What was late, in one line.
    fn backlog(&self) -> String {
        let late = self.violations.iter();
        let late: Vec<_> = late.filter(|late| self.is_late(late.kind)).collect();
        let clients: BTreeSet<_> = late.iter().filter_map(|late| late.client).collect();
        let count = |kind| late.iter().filter(|late| late.kind == kind).count();
        format!(
            "{} clients; {} messages without an answer, {} rooms not up to date, {} behind",
            clients.len(),
            count(Kind::Unanswered),
            count(Kind::NotConverged),
            count(Kind::Behind)
        )
    }

    fn server_table(&self, out: &mut String) -> fmt::Result {
        let Connecting {
            guests,
            connections,
            resident_before_kib,
            resident_after_kib,
            bytes_per_connection,
        } = self.connecting;
        let load = &self.load;
        if load.resident_kib == 0 && resident_after_kib == 0 {
            return Ok(());
        }
        for (pace, what) in [(guests, "guests"), (connections, "connections")] {
            writeln!(
                out,
                "server: {what} took {} ms of CPU, {} per CPU second",
                pace.server_cpu_ms, pace.per_cpu_second
            )?;
        }
        writeln!(
            out,
            "server: {resident_before_kib} KiB resident before, {resident_after_kib} KiB connected, \
             {bytes_per_connection} bytes per connection, {} KiB after the load",
            load.resident_kib
        )?;
        writeln!(
            out,
            "server: the load took {} ms of CPU, {} deliveries per CPU second",
            load.server_cpu_ms, load.deliveries_per_cpu_second
        )
    }

    fn verdict_table(&self, out: &mut String) -> fmt::Result {
        for (kind, felt) in &self.faults {
            write!(
                out,
                "fault {kind}: {} done, {} felt",
                felt.injected, felt.felt
            )?;
            match felt.all_live_ms {
                0 => writeln!(out)?,
                ms => writeln!(out, "; everybody live again within {ms} ms")?,
            }
        }
        if self.network.accepted > 0 {
            writeln!(out, "network: {:?}", self.network)?;
        }
        match self.converged_ms {
            Some(ms) => writeln!(out, "everybody came to rest within {ms} ms")?,
            None if self.moving => {
                writeln!(
                    out,
                    "NOT everybody came to rest in time: {}",
                    self.backlog()
                )?;
            }
            None => writeln!(
                out,
                "NOT everybody came to rest in time, and nothing moved any more"
            )?,
        }
        for straggler in self.stragglers.iter().take(NAMED) {
            writeln!(out, "  {straggler}")?;
        }
        for below in &self.below {
            writeln!(out, "below the floor: {below}")?;
        }
        for (kind, count) in self.counts() {
            if !self.is_late(kind) {
                writeln!(out, "{count} x {kind}")?;
            }
        }
        for violation in self.broken().take(NAMED) {
            writeln!(out, "  {violation}")?;
        }
        let left_out = self.broken().count().saturating_sub(NAMED);
        if left_out > 0 {
            writeln!(out, "  and {left_out} more")?;
        }
        writeln!(
            out,
            "{}",
            match self.verdict() {
                Verdict::Sound => "sound: no promise was broken",
                Verdict::Violated => "VIOLATED: a promise was broken",
                Verdict::Late =>
                    "LATE: no promise was seen broken, but not everybody came to rest in time",
                Verdict::ProvesNothing => "this run proves nothing",
            }
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(kinds: &[Kind], moving: bool) -> Report {
        let found = |kind: &Kind| Violation {
            kind: *kind,
            room: None,
            client: Some(7),
            client_id: None,
            message: None,
            user: None,
            detail: "in detail".to_owned(),
        };
        Report {
            seed: 1,
            clients: 1,
            readers: 0,
            rooms: 1,
            connecting: Connecting::default(),
            load: Loaded::default(),
            to_ack: LatencySummary::default(),
            to_reader: LatencySummary::default(),
            crash_to_ack: LatencySummary::default(),
            outages: LatencySummary::default(),
            back: LatencySummary::default(),
            rights: Rights::default(),
            attention: Attention::default(),
            faults: BTreeMap::new(),
            network: Done::default(),
            converged_ms: None,
            moving,
            stragglers: Vec::new(),
            violations: kinds.iter().map(found).collect(),
            below: Vec::new(),
        }
    }

    const LATE: [Kind; 3] = [Kind::Unanswered, Kind::NotConverged, Kind::Behind];

    #[test]
    fn a_backlog_that_still_moves_is_late_and_told_in_one_line() {
        let report = report(&LATE, true);
        assert_eq!(report.verdict(), Verdict::Late);
        assert_eq!(report.verdict().exit_code(), 4);
        let said = report.to_string();
        let line = "1 clients; 1 messages without an answer, 1 rooms not up to date, 1 behind";
        assert!(said.contains(line), "{said}");
        assert!(!said.contains("in detail"), "{said}");
    }

    #[test]
    fn who_is_late_where_nothing_moves_broke_a_promise() {
        let report = report(&LATE, false);
        assert_eq!(report.verdict(), Verdict::Violated);
        assert!(report.to_string().contains("in detail"), "{report}");
    }

    #[test]
    fn a_broken_promise_beside_a_backlog_is_told_by_itself() {
        let report = report(&[Kind::Lost, Kind::Behind], true);
        assert_eq!(report.verdict(), Verdict::Violated);
        assert_eq!(report.broken().count(), 1);
        assert!(!report.to_string().contains("1 x behind"), "{report}");
    }
}
