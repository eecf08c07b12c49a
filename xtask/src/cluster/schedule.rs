//! Which fault happens when: made from a seed, so that a schedule can be repeated.

use std::time::Duration;

use clap::ValueEnum;

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// A replica dies (SIGKILL) and is started again.
    KillReplica,
    /// All replicas die at once (SIGKILL) and are started again.
    KillEveryReplica,
    /// A replica is asked to end (SIGTERM), drains, and is started again.
    DrainReplica,
    /// A replica is stopped as it is (SIGSTOP) and goes on later: its sockets stay open meanwhile.
    PauseReplica,
    /// The bus dies and is started again.
    KillNats,
    /// The database dies with all of its processes (SIGQUIT) and recovers.
    CrashPostgres,
    /// One of the database's processes dies (SIGKILL), for which the database restarts all of them.
    KillBackend,
    /// The database ends every connection.
    EndConnections,
    /// Connections of clients are cut at the same moment, each at a random byte.
    CutConnections,
}

impl Fault {
    pub(super) const ALL: [Self; 9] = [
        Self::KillReplica,
        Self::KillEveryReplica,
        Self::DrainReplica,
        Self::PauseReplica,
        Self::KillNats,
        Self::CrashPostgres,
        Self::KillBackend,
        Self::EndConnections,
        Self::CutConnections,
    ];

    /// As it is called in reports.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::KillReplica => "replica killed",
            Self::KillEveryReplica => "all replicas killed",
            Self::DrainReplica => "replica drained",
            Self::PauseReplica => "replica paused",
            Self::KillNats => "bus killed",
            Self::CrashPostgres => "database crashed",
            Self::KillBackend => "database process killed",
            Self::EndConnections => "database connections ended",
            // As `chat-load` calls it, which does it.
            Self::CutConnections => "connections cut at once",
        }
    }
}

/// Of each hundred faults that have to be felt so many, or the run proves nothing.
pub(super) const FELT_PERCENT: u32 = 50;

/// Which faults, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Profile {
    /// Replicas die, all the time.
    Kill,
    /// A replica dies each minute, under many messages, to measure how long who waits for an
    /// acknowledgement waits.
    Crash,
    /// A replica dies, then all of them, under thousands of clients, to measure how long these are away.
    Reconnect,
    /// Replicas are drained one after the other, as a deployment does it.
    Rolling,
    /// Replicas stand still and go on.
    Pause,
    /// The database crashes, and loses connections and processes.
    Database,
    /// The bus dies.
    Broker,
    /// Every client's connection is cut at the same moment, again and again.
    Cut,
    /// A slow and lossy way to the replicas, clocks that are wrong by an hour, and now and then cuts.
    Network,
    /// All of it.
    #[default]
    Everything,
}

/// When the faults of a profile come.
enum Pattern {
    /// By chance, so many times a minute.
    ByChance(&'static [(Fault, f64)]),
    /// One after the other, with so much time before and after each.
    InTurn(&'static [Fault], Duration),
}

impl Profile {
    fn pattern(self) -> Pattern {
        use Fault::{
            CrashPostgres, CutConnections, DrainReplica, EndConnections, KillBackend,
            KillEveryReplica, KillNats, KillReplica, PauseReplica,
        };
        use Pattern::{ByChance, InTurn};
        match self {
            Self::Kill => ByChance(&[(KillReplica, 60.0)]),
            // Who lost a connection that had not lived for a minute comes back slowly, on purpose.
            Self::Crash => InTurn(&[KillReplica], Duration::from_secs(65)),
            Self::Reconnect => InTurn(&[KillReplica, KillEveryReplica], Duration::from_secs(20)),
            Self::Rolling => ByChance(&[(DrainReplica, 6.0)]),
            Self::Pause => ByChance(&[(PauseReplica, 3.0)]),
            Self::Database => ByChance(&[
                (CrashPostgres, 4.0),
                (KillBackend, 6.0),
                (EndConnections, 6.0),
            ]),
            Self::Broker => ByChance(&[(KillNats, 6.0)]),
            Self::Cut => InTurn(&[CutConnections], Duration::from_secs(5)),
            Self::Network => ByChance(&[(CutConnections, 2.0)]),
            Self::Everything => ByChance(&[
                (KillReplica, 40.0),
                (DrainReplica, 2.0),
                (KillNats, 2.0),
                (EndConnections, 2.0),
                (CutConnections, 2.0),
                (CrashPostgres, 1.0),
                (KillBackend, 1.0),
                (PauseReplica, 0.5),
            ]),
        }
    }

    /// Whether such a fault belongs to it.
    pub(super) fn has(self, fault: Fault) -> bool {
        match self.pattern() {
            Pattern::ByChance(faults) => faults.iter().any(|(of, _)| *of == fault),
            Pattern::InTurn(faults, _) => faults.contains(&fault),
        }
    }

    /// The network that clients go through, as options of `chat-load run`.
    pub(super) fn network(self) -> &'static [&'static str] {
        match self {
            Self::Network => &[
                "--bad-network",
                "--delay-ms=200",
                "--loss-ppm=20000",
                "--skew-seconds=3600",
            ],
            _ if self.has(Fault::CutConnections) => &["--bad-network"],
            _ => &[],
        }
    }

    /// Who talks meanwhile, and how much.
    pub(super) fn crowd(self) -> Crowd {
        match self {
            // Enough messages that somebody waits whenever a replica dies.
            Self::Crash => Crowd {
                senders: 200,
                rate: 400,
                rooms: 100,
                rooms_per_client: 1,
                ..Crowd::OF_MOST
            },
            Self::Reconnect => Crowd {
                clients: 9_000,
                rooms: 200,
                rooms_per_client: 1,
                is_patient: true,
                ..Crowd::OF_MOST
            },
            _ => Crowd::OF_MOST,
        }
    }

    /// Which faults clients have to feel. The bus, and one connection of the database, are not theirs:
    /// that nobody feels those is what replicas are for. A pause is felt when its sockets are given
    /// up, long after it began; where other faults come meanwhile, theirs is the credit.
    pub(super) fn is_to_be_felt(self, fault: Fault) -> bool {
        match fault {
            Fault::KillReplica
            | Fault::KillEveryReplica
            | Fault::DrainReplica
            | Fault::CrashPostgres
            | Fault::CutConnections => self.has(fault),
            Fault::PauseReplica => self == Self::Pause,
            Fault::KillNats | Fault::KillBackend | Fault::EndConnections => false,
        }
    }
}

/// Who talks while things go wrong.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crowd {
    /// Everybody. Those above [`Crowd::WHOLE`] only count what they are given.
    pub(super) clients: u32,
    /// How many of them send.
    pub(super) senders: u32,
    /// Messages a second of all senders.
    pub(super) rate: u32,
    /// Rooms.
    pub(super) rooms: u32,
    /// In how many of them each client is.
    pub(super) rooms_per_client: u32,
    /// Whether they wait out their back-off; otherwise they ask for the next attempt all the time.
    pub(super) is_patient: bool,
}

impl Crowd {
    /// Clients that are the whole state machine, each with a full history.
    pub(super) const WHOLE: u32 = 200;

    const OF_MOST: Self = Self {
        clients: 200,
        senders: 50,
        rate: 100,
        rooms: 20,
        rooms_per_client: 3,
        is_patient: false,
    };
}

/// A fault at a moment, to one of the replicas if it is theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) at: Duration,
    pub(super) fault: Fault,
    pub(super) replica: usize,
}

/// Everything that goes wrong within `length`, by time. The same seed plans the same.
pub(super) fn plan(profile: Profile, seed: u64, length: Duration, replicas: usize) -> Vec<Planned> {
    match profile.pattern() {
        Pattern::ByChance(faults) => by_chance(faults, seed, length, replicas),
        Pattern::InTurn(faults, every) => in_turn(faults, every, length, replicas),
    }
}

fn by_chance(
    faults: &[(Fault, f64)],
    seed: u64,
    length: Duration,
    replicas: usize,
) -> Vec<Planned> {
    let mut random = SplitMix(seed);
    let mut planned = Vec::new();
    for (fault, per_minute) in faults {
        let mut at = Duration::ZERO;
        loop {
            // Independent of each other: the times between are exponentially distributed.
            at += Duration::from_secs_f64(-random.fraction().ln() * 60.0 / per_minute);
            if at >= length {
                break;
            }
            planned.push(Planned {
                at,
                fault: *fault,
                replica: random.below(replicas),
            });
        }
    }
    planned.sort_by_key(|planned| (planned.at, planned.fault));
    planned
}

fn in_turn(faults: &[Fault], every: Duration, length: Duration, replicas: usize) -> Vec<Planned> {
    let times = (1..).map(|nth| every * nth);
    let times = times.take_while(|at| *at + every <= length);
    let planned = times.zip(faults.iter().cycle()).enumerate();
    let planned = planned.map(|(nth, (at, fault))| Planned {
        at,
        fault: *fault,
        replica: nth % replicas,
    });
    planned.collect()
}

/// A small generator whose sequence never changes: Steele, Lea and Flood, "Fast splittable
/// pseudorandom number generators", 2014.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Above 0 and at most 1.
    #[expect(
        clippy::cast_precision_loss,
        reason = "53 bits are a fraction's precision"
    )]
    fn fraction(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("it is below a usize")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_mins(10);

    #[test]
    fn a_seed_plans_the_same_again_and_another_seed_something_else() {
        let planned = |seed| plan(Profile::Everything, seed, LENGTH, 3);
        assert_eq!(planned(1), planned(1));
        assert_ne!(planned(1), planned(2));
    }

    #[test]
    fn everything_goes_wrong_about_as_often_as_the_profile_says() {
        let planned = plan(Profile::Everything, 7, LENGTH, 3);
        assert!(planned.is_sorted_by_key(|planned| planned.at));
        assert!(planned.iter().all(|it| it.at < LENGTH && it.replica < 3));
        for fault in Fault::ALL {
            let happens = planned.iter().any(|it| it.fault == fault);
            assert_eq!(happens, Profile::Everything.has(fault), "{fault:?}");
        }
        let kills = planned
            .iter()
            .filter(|it| it.fault == Fault::KillReplica)
            .count();
        assert!((300..500).contains(&kills), "{kills} of about 400");
    }

    #[test]
    fn who_breaks_replicas_or_the_database_has_to_be_felt() {
        let asked = |profile: Profile| {
            let asked = Fault::ALL.into_iter();
            let asked = asked.filter(|fault| profile.is_to_be_felt(*fault));
            asked.collect::<Vec<_>>()
        };
        assert_eq!(asked(Profile::Kill), [Fault::KillReplica]);
        assert_eq!(asked(Profile::Pause), [Fault::PauseReplica]);
        assert_eq!(asked(Profile::Database), [Fault::CrashPostgres]);
        assert_eq!(asked(Profile::Broker), []);
        assert_eq!(asked(Profile::Cut), [Fault::CutConnections]);
        assert_eq!(
            asked(Profile::Everything),
            [
                Fault::KillReplica,
                Fault::DrainReplica,
                Fault::CrashPostgres,
                Fault::CutConnections
            ]
        );
    }

    #[test]
    fn what_comes_in_turn_has_its_time_before_and_after_it() {
        let planned = plan(Profile::Reconnect, 1, Duration::from_secs(80), 3);
        let planned: Vec<_> = planned
            .iter()
            .map(|it| (it.at.as_secs(), it.fault))
            .collect();
        let (one, all) = (Fault::KillReplica, Fault::KillEveryReplica);
        assert_eq!(planned, [(20, one), (40, all), (60, one)]);
        assert_eq!(plan(Profile::Reconnect, 1, Duration::from_secs(39), 3), []);
    }

    #[test]
    fn a_profile_has_only_its_own_faults() {
        let planned = plan(Profile::Kill, 1, LENGTH, 3);
        assert!(planned.iter().all(|it| it.fault == Fault::KillReplica));
    }
}
