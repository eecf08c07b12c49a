//! Three replicas on PostgreSQL and NATS through the faults of half a minute, always the same ones in the
//! same order: what `cargo xtask cluster --faults` does at length and by chance.

use std::time::{Duration, Instant};

use chat_load::{Control, Faults, Floors, Load, Mix, Scenario, Verdict, run};
use chat_testbed::{Durability, Nats, Postgres, Signal};
use tokio::task::block_in_place;

use crate::server::Process;

/// Replicas of the service.
const REPLICAS: usize = 3;
/// In each round the next one of them is killed, unless it stands still.
const ROUNDS: usize = 54;
/// So many of those kills have to be felt.
const FELT: u64 = 40;
/// Kills follow each other at this pace, or slower where a replica takes longer to start: each of them
/// lives long enough to have clients.
const PACE: Duration = Duration::from_millis(600);
/// In which round something else goes wrong.
const BUS_DIES: usize = 10;
const BUS_COMES_BACK: usize = 13;
const DATABASE_CRASHES: usize = 20;
const DRAINED: usize = 28;
const PAUSED: usize = 34;
/// How long the paused replica stands still: longer than a client with something unanswered stays.
const PAUSE: Duration = Duration::from_secs(8);
/// All of it takes less than a minute on a machine of two cores; then something hangs.
const PATIENCE: Duration = Duration::from_mins(4);

struct Cluster {
    replicas: Vec<Process>,
    nats: Nats,
    postgres: Postgres,
    /// Which replica stands still, and since when.
    paused: Option<(usize, Instant)>,
}

impl Cluster {
    async fn start() -> Self {
        let (postgres, nats) = block_in_place(|| {
            let postgres = Postgres::start(Durability::Quick).unwrap();
            (postgres, Nats::start().unwrap())
        });
        let database = postgres.create_database("chat").unwrap();
        let mut replicas = Vec::new();
        for _ in 0..REPLICAS {
            let own = [
                format!("--database-url={database}"),
                format!("--nats-url={}", nats.url()),
                "--drain-ms=500".to_owned(),
            ];
            replicas.push(Process::start_with(own).await);
        }
        Self {
            replicas,
            nats,
            postgres,
            paused: None,
        }
    }

    /// The whole schedule.
    async fn break_down(&mut self, faults: &Faults) {
        let mut paces = tokio::time::interval(PACE);
        let mut round = 0;
        while round < ROUNDS || self.paused.is_some() {
            paces.tick().await;
            let next = round % REPLICAS;
            // Who is killed in the next round has lived for a while, and has clients.
            let other = (next + 1) % REPLICAS;
            self.break_something_else(round, other, faults).await;
            round += 1;
            if self.paused.is_some_and(|(paused, _)| paused == next) {
                continue;
            }
            faults.begin("kill");
            self.replicas[next].kill().await;
            self.replicas[next].restart().await;
        }
    }

    async fn break_something_else(&mut self, round: usize, replica: usize, faults: &Faults) {
        match round {
            BUS_DIES => {
                faults.begin("bus");
                block_in_place(|| self.nats.kill());
            }
            BUS_COMES_BACK => block_in_place(|| self.nats.restart().unwrap()),
            DATABASE_CRASHES => {
                faults.begin("database");
                block_in_place(|| {
                    self.postgres.crash();
                    self.postgres.restart().unwrap();
                });
            }
            DRAINED => {
                faults.begin("drain");
                self.replicas[replica].drain().await;
                self.replicas[replica].restart().await;
            }
            PAUSED => {
                faults.begin("pause");
                self.replicas[replica].signal(Signal::STOP);
                self.paused = Some((replica, Instant::now()));
            }
            _ => {}
        }
        if let Some((replica, _)) = self.paused.take_if(|(_, since)| since.elapsed() >= PAUSE) {
            self.replicas[replica].signal(Signal::CONT);
        }
    }
}

fn scenario(cluster: &Cluster) -> Scenario {
    Scenario {
        servers: cluster.replicas.iter().map(Process::server).collect(),
        rooms: 8,
        rooms_per_client: 2,
        private_rooms: 1,
        attended_rooms: 2,
        clients: 16,
        load: Load::Rate {
            senders: 16,
            per_second: 80,
        },
        mix: Mix {
            edits: 5,
            deletes: 2,
            reactions: 5,
        },
        impatient: true,
        converge_within: Duration::from_secs(30),
        floors: Floors {
            acked: 2_000,
            deliveries: 6_000,
            faults: FELT,
            felt_percent: 60,
            felt_kinds: vec!["kill".to_owned()],
            resumes: 300,
        },
        seed: 11,
        ..Scenario::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_a_bus_and_a_database_that_fail_in_turn_break_no_promise() {
    let mut cluster = Cluster::start().await;
    let (control, mut faults) = Control::with_faults();
    let running = tokio::spawn(run(scenario(&cluster), control));
    assert!(faults.load_began().await);
    let broken = tokio::time::timeout(PATIENCE, cluster.break_down(&faults)).await;
    assert!(broken.is_ok(), "the schedule does not end");
    drop(faults);
    let report = running.await.unwrap().unwrap();
    assert_eq!(report.verdict(), Verdict::Sound, "{report}");
    assert!(report.faults["kill"].felt >= FELT, "{report}");
    assert!(report.crash_to_ack.count > 0, "{report}");
    let attention = report.attention;
    assert_eq!((attention.rooms, attention.read), (2, 2), "{report}");
    assert!(attention.ghosts > 0, "{report}");
}
