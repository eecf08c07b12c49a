//! Which fault happens when: made from a seed, so that a schedule can be repeated.

use std::time::Duration;

use clap::ValueEnum;

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// A replica dies (SIGKILL) and is started again.
    KillReplica,
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
}

impl Fault {
    pub(super) const ALL: [Self; 7] = [
        Self::KillReplica,
        Self::DrainReplica,
        Self::PauseReplica,
        Self::KillNats,
        Self::CrashPostgres,
        Self::KillBackend,
        Self::EndConnections,
    ];

    /// As it is called in reports.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::KillReplica => "replica killed",
            Self::DrainReplica => "replica drained",
            Self::PauseReplica => "replica paused",
            Self::KillNats => "bus killed",
            Self::CrashPostgres => "database crashed",
            Self::KillBackend => "database process killed",
            Self::EndConnections => "database connections ended",
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
    /// Replicas are drained one after the other, as a deployment does it.
    Rolling,
    /// Replicas stand still and go on.
    Pause,
    /// The database crashes, and loses connections and processes.
    Database,
    /// The bus dies.
    Broker,
    /// All of it.
    #[default]
    Everything,
}

impl Profile {
    /// How often a fault happens, in times a minute.
    fn per_minute(self, fault: Fault) -> f64 {
        match (self, fault) {
            (Self::Kill, Fault::KillReplica) => 60.0,
            (Self::Rolling, Fault::DrainReplica)
            | (Self::Broker, Fault::KillNats)
            | (Self::Database, Fault::EndConnections | Fault::KillBackend) => 6.0,
            (Self::Pause, Fault::PauseReplica) => 3.0,
            (Self::Database, Fault::CrashPostgres) => 4.0,
            (Self::Everything, Fault::KillReplica) => 40.0,
            (Self::Everything, Fault::DrainReplica | Fault::KillNats | Fault::EndConnections) => {
                2.0
            }
            (Self::Everything, Fault::PauseReplica) => 0.5,
            (Self::Everything, Fault::CrashPostgres | Fault::KillBackend) => 1.0,
            _ => 0.0,
        }
    }

    /// Which faults clients have to feel. The bus, and one connection of the database, are not theirs:
    /// that nobody feels those is what replicas are for. A pause is felt when its sockets are given
    /// up, long after it began; where other faults come meanwhile, theirs is the credit.
    pub(super) fn is_to_be_felt(self, fault: Fault) -> bool {
        match fault {
            Fault::KillReplica | Fault::DrainReplica | Fault::CrashPostgres => {
                self.per_minute(fault) > 0.0
            }
            Fault::PauseReplica => self == Self::Pause,
            Fault::KillNats | Fault::KillBackend | Fault::EndConnections => false,
        }
    }
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
    let mut random = SplitMix(seed);
    let mut planned = Vec::new();
    for fault in Fault::ALL {
        let per_minute = profile.per_minute(fault);
        if per_minute == 0.0 {
            continue;
        }
        let mut at = Duration::ZERO;
        loop {
            // Independent of each other: the times between are exponentially distributed.
            at += Duration::from_secs_f64(-random.fraction().ln() * 60.0 / per_minute);
            if at >= length {
                break;
            }
            let replica = random.below(replicas);
            planned.push(Planned { at, fault, replica });
        }
    }
    planned.sort_by_key(|planned| (planned.at, planned.fault));
    planned
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
            let count = planned.iter().filter(|it| it.fault == fault).count();
            assert!(count > 0, "{fault:?} never happens");
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
        assert_eq!(
            asked(Profile::Everything),
            [
                Fault::KillReplica,
                Fault::DrainReplica,
                Fault::CrashPostgres
            ]
        );
    }

    #[test]
    fn a_profile_has_only_its_own_faults() {
        let planned = plan(Profile::Kill, 1, LENGTH, 3);
        assert!(planned.iter().all(|it| it.fault == Fault::KillReplica));
    }
}
