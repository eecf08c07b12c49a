//! What is counted and measured while a run goes on.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::clock::{Clock, millis};
use crate::faults::{Control, Live, Log};
use crate::proxy::Connections;

/// The longest latency that is told apart, in microseconds.
const LONGEST_US: u64 = 600_000_000;

/// A number that many clients raise.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What happened so far, over all clients.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sent: Counter,
    pub(crate) acked: Counter,
    pub(crate) refused: Counter,
    pub(crate) retried: Counter,
    pub(crate) deliveries: Counter,
    pub(crate) lost: Counter,
    pub(crate) connects: Counter,
    pub(crate) resumes: Counter,
    pub(crate) fresh: Counter,
    pub(crate) resyncs: Counter,
    pub(crate) pages: Counter,
    /// Members of private rooms whose right ended.
    pub(crate) rights_ended: Counter,
    /// What members of private rooms were given.
    pub(crate) let_in: Counter,
    /// Refusals of those who have no right to a private room.
    pub(crate) kept_out: Counter,
    /// Connections that the networks of the run cut, and whose client noticed.
    pub(crate) cuts_felt: Counter,
}

impl Counters {
    /// Rises with everything that brings a client nearer to the head.
    pub(crate) fn moved(&self) -> u64 {
        let of = [
            &self.acked,
            &self.refused,
            &self.retried,
            &self.deliveries,
            &self.connects,
            &self.resumes,
            &self.fresh,
            &self.pages,
        ];
        of.iter().map(|counter| counter.get()).sum()
    }
}

/// Times, by how often each occurs.
#[derive(Debug)]
pub(crate) struct Latency(Mutex<Histogram<u64>>);

impl Default for Latency {
    fn default() -> Self {
        // Three digits; bounds that are constants are right or wrong at the first start.
        let histogram = Histogram::new_with_bounds(1, LONGEST_US, 3).expect("the bounds are sound");
        Self(Mutex::new(histogram))
    }
}

impl Latency {
    pub(crate) fn record(&self, us: u64) {
        self.record_all(&[us]);
    }

    pub(crate) fn record_all(&self, all: &[u64]) {
        let mut histogram = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for us in all {
            histogram.saturating_record((*us).clamp(1, LONGEST_US));
        }
    }

    pub(crate) fn summary(&self) -> LatencySummary {
        let histogram = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = |quantile| histogram.value_at_quantile(quantile);
        LatencySummary {
            count: histogram.len(),
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: histogram.max(),
        }
    }
}

/// How long something took, in microseconds. `count` 0: nothing was measured, and the rest is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LatencySummary {
    /// How many.
    pub count: u64,
    /// Half of them took no longer.
    pub p50_us: u64,
    /// 90 % of them took no longer.
    pub p90_us: u64,
    /// 99 %.
    pub p99_us: u64,
    /// 99.9 %.
    pub p999_us: u64,
    /// The longest.
    pub max_us: u64,
}

/// What all clients of a run share.
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    /// Which run, in every text.
    pub(crate) run: u32,
    pub(crate) counters: Counters,
    /// From when a message was due to its acknowledgement.
    pub(crate) to_ack: Latency,
    /// From when a message was due to each reader.
    pub(crate) to_reader: Latency,
    /// From each connection that broke under a message that waited, to the first acknowledgement of
    /// one of those.
    pub(crate) crash_to_ack: Latency,
    /// From the first lost connection until everybody is live again.
    pub(crate) outages: Latency,
    /// From when a client was live no longer until it was again.
    pub(crate) back: Latency,
    pub(crate) log: Arc<Log>,
    /// The connections through each network that the run put in front of the servers.
    networks: Vec<Arc<Connections>>,
    control: Control,
    live: Mutex<LiveCount>,
    stragglers: Mutex<Vec<String>>,
}

#[derive(Default)]
struct LiveCount {
    now: Live,
    /// Since when somebody who was live is not.
    outage_us: Option<u64>,
}

/// Whether a client follows all its rooms, and since when it does not any more.
#[derive(Default)]
pub(crate) struct Liveness {
    live: bool,
    gone_us: Option<u64>,
}

impl Liveness {
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// It is live now, or is not; `shared` counts it.
    pub(crate) fn turn(&mut self, live: bool, shared: &Shared) {
        if live == self.live {
            return;
        }
        self.live = live;
        let now_us = shared.clock.now_us();
        if !live {
            self.gone_us = Some(now_us);
        } else if let Some(gone_us) = self.gone_us.take() {
            shared.back.record(now_us.saturating_sub(gone_us));
        }
        shared.client_is_live(live);
    }
}

impl Shared {
    pub(crate) fn new(control: &Control, run: u32, networks: Vec<Arc<Connections>>) -> Self {
        Self {
            clock: control.clock(),
            run,
            counters: Counters::default(),
            to_ack: Latency::default(),
            to_reader: Latency::default(),
            crash_to_ack: Latency::default(),
            outages: Latency::default(),
            back: Latency::default(),
            log: control.log(),
            networks,
            control: control.clone(),
            live: Mutex::default(),
            stragglers: Mutex::default(),
        }
    }

    /// A client ends without being up to date.
    pub(crate) fn straggled(&self, how: String) {
        let stragglers = self.stragglers.lock();
        stragglers.unwrap_or_else(PoisonError::into_inner).push(how);
    }

    /// How each client was that ended without being up to date.
    pub(crate) fn stragglers(&self) -> Vec<String> {
        let stragglers = self.stragglers.lock();
        stragglers.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Another client begins.
    pub(crate) fn client_began(&self) {
        self.change_live(|live| live.clients += 1);
    }

    /// A client has lost the connection that it had from this address.
    pub(crate) fn lost(&self, from: Option<SocketAddr>) {
        self.counters.lost.add(1);
        self.log.felt(self.clock.now_us());
        let mut networks = self.networks.iter();
        if from.is_some_and(|from| networks.any(|network| network.was_cut(from))) {
            self.counters.cuts_felt.add(1);
        }
    }

    /// A client follows all its rooms, or does not any more.
    fn client_is_live(&self, is_live: bool) {
        self.change_live(|live| {
            live.live = if is_live {
                live.live + 1
            } else {
                live.live.saturating_sub(1)
            };
        });
    }

    fn change_live(&self, change: impl FnOnce(&mut Live)) {
        let mut count = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let before = count.now;
        change(&mut count.now);
        let (now, now_us) = (count.now, self.clock.now_us());
        if now.live < before.live {
            count.outage_us = count.outage_us.or(Some(now_us));
        } else if now.live == now.clients
            && let Some(since_us) = count.outage_us.take()
        {
            self.outages.record(now_us.saturating_sub(since_us));
            self.log.everybody_is_back(now_us);
        }
        self.control.tell_live(now);
    }

    pub(crate) fn live(&self) -> Live {
        *self.control.live().borrow()
    }

    /// Waits until everybody is live, at most for so long. Returns whether they are.
    pub(crate) async fn all_live(&self, clients: u64, within: Duration) -> bool {
        let mut seen = self.control.live();
        let all = seen.wait_for(|live| live.live == clients);
        tokio::time::timeout(within, all).await.is_ok()
    }
}

/// What processes have used, as the kernel tells it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// CPU time in user and kernel mode, in milliseconds.
    pub cpu_ms: u64,
    /// Resident memory, in KiB.
    pub resident_kib: u64,
}

/// The kernel's unit of CPU time. Linux fixes it for programs at 100 a second on every platform that
/// is built for.
const TICKS_PER_SECOND: u64 = 100;

/// What the processes have used together. Those that are gone count as nothing.
pub fn usage(pids: &[u32]) -> Usage {
    pids.iter().fold(Usage::default(), |sum, pid| Usage {
        cpu_ms: sum.cpu_ms + cpu_ms(*pid).unwrap_or(0),
        resident_kib: sum.resident_kib + resident_kib(*pid).unwrap_or(0),
    })
}

fn cpu_ms(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything; fields are counted behind it. utime and stime are the
    // 14th and 15th of all (proc(5)).
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let kernel: u64 = fields.next()?.parse().ok()?;
    Some((user + kernel) * 1_000 / TICKS_PER_SECOND)
}

fn resident_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// So many in a time, as events a second.
pub(crate) fn per_second(count: u64, time: Duration) -> u64 {
    count.saturating_mul(1_000) / millis(time).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let latency = Latency::default();
        latency.record_all(&(1..=1_000).collect::<Vec<_>>());
        let summary = latency.summary();
        assert_eq!(summary.count, 1_000);
        assert_eq!(summary.p50_us, 500);
        assert_eq!(summary.p99_us, 990);
        assert_eq!(summary.max_us, 1_000);
        assert_eq!(Latency::default().summary(), LatencySummary::default());
    }

    #[test]
    fn this_process_has_memory_and_used_time() {
        let pid = std::process::id();
        assert!(usage(&[pid]).resident_kib > 100);
        assert!(cpu_ms(pid).is_some());
        assert_eq!(usage(&[u32::MAX]), Usage::default());
    }
}
