//! Breaks a cluster on a schedule while `chat-load` talks through it, and hands on what its audit says.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::replica::Replica;
use super::schedule::{self, Crowd, Fault, Planned, Profile};
use super::{Cluster, DATABASE, Options};
use crate::stage::{Stages, clock};
use crate::{paths, process};

/// How often due faults, Ctrl-C and the load are looked at.
const LOOK: Duration = Duration::from_millis(10);
/// How long thousands of clients may take to join and to connect.
const CONNECT_PATIENCE: Duration = Duration::from_mins(10);
/// How long a paused replica stands still.
const PAUSE: Duration = Duration::from_secs(20);
/// How long the bus stays away.
const NATS_AWAY: Duration = Duration::from_secs(1);
/// What the load says when everybody is connected and messages are sent.
const LOAD_BEGAN: &str = "load began";
/// Private rooms beside those, with people who are no members, or none any more.
const PRIVATE_ROOMS: &str = "3";

/// Rooms in which it is audited, in the quiet afterwards, who is there, who types and what was read.
const ATTENDED_ROOMS: &str = "3";

/// Runs the load and the schedule, and fails when the audit does.
pub(super) fn run(
    stages: &Stages,
    cluster: &mut Cluster,
    options: &Options,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let length = Duration::from_secs_f64(options.minutes * 60.0);
    let seed = options.seed.unwrap_or_else(new_seed);
    let plan = schedule::plan(options.profile, seed, length, cluster.replicas.len());
    stages.heading(&format!(
        "{} faults in {}; repeat them with --seed {seed}",
        plan.len(),
        clock(length)
    ));
    let mut load = Load::start(cluster, options, seed)?;
    load.await_begin(stop)?;
    let mut breaker = Breaker::new(cluster);
    let begin = Instant::now();
    let mut plan = plan.into_iter().peekable();
    while begin.elapsed() < length || breaker.is_something_broken() {
        if let Some(ended) = load.ended()? {
            bail!("the load ended before the faults did ({ended})");
        }
        if stop.load(Ordering::Relaxed) {
            bail!("stopped before the audit");
        }
        while let Some(due) = plan.next_if(|planned| begin + planned.at <= Instant::now()) {
            breaker.cause(due, &mut load)?;
        }
        breaker.mend()?;
        std::thread::sleep(LOOK);
    }
    for replica in &mut breaker.cluster.replicas {
        replica.await_ready()?;
    }
    breaker.report();
    let ended = load.settle()?;
    match ended.code() {
        Some(0) => Ok(()),
        Some(2) => bail!("the run proves nothing: it stayed below its floors"),
        Some(4) => bail!(
            "not everybody came to rest in time; no promise was seen broken, and none was proved kept"
        ),
        _ => bail!(
            "the audit found a broken promise, or could not be made ({ended}); what it said is above"
        ),
    }
}

/// Something that is broken until it is mended.
#[derive(Clone, Copy)]
struct Broken {
    fault: Fault,
    replica: usize,
    since: Instant,
}

/// Causes faults and mends what they broke.
struct Breaker<'a> {
    cluster: &'a mut Cluster,
    broken: Vec<Broken>,
    caused: [u32; Fault::ALL.len()],
}

impl<'a> Breaker<'a> {
    fn new(cluster: &'a mut Cluster) -> Self {
        Self {
            cluster,
            broken: Vec::new(),
            caused: [0; Fault::ALL.len()],
        }
    }

    /// Lets something go wrong, unless what it would hit is broken already.
    fn cause(
        &mut self,
        Planned { fault, replica, .. }: Planned,
        load: &mut Load,
    ) -> anyhow::Result<()> {
        if self.is_broken(fault, replica) {
            return Ok(());
        }
        load.tell(fault)?;
        self.caused[fault as usize] += 1;
        match fault {
            Fault::KillReplica => {
                self.cluster.replicas[replica].kill();
                self.cluster.replicas[replica].start()?;
            }
            Fault::KillEveryReplica => {
                let replicas = &mut self.cluster.replicas;
                replicas.iter_mut().for_each(Replica::kill);
                replicas.iter_mut().try_for_each(Replica::start)?;
            }
            Fault::DrainReplica => {
                self.cluster.replicas[replica].drain();
                self.leave(fault, replica);
            }
            Fault::PauseReplica => {
                self.cluster.replicas[replica].pause();
                self.leave(fault, replica);
            }
            Fault::KillNats => {
                self.cluster.nats.kill();
                self.leave(fault, replica);
            }
            Fault::CrashPostgres => {
                self.cluster.postgres.crash();
                self.cluster.postgres.restart()?;
            }
            Fault::KillBackend => {
                let ask = "select pid from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database() order by random() limit 1";
                if let Some(pid) = self.query(ask)? {
                    process::run(Command::new("kill").args(["-KILL", &pid]))?;
                }
            }
            Fault::EndConnections => {
                self.query("select count(pg_terminate_backend(pid)) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()")?;
            }
            // The load does it, since they are its own.
            Fault::CutConnections => {}
        }
        Ok(())
    }

    /// Mends what was broken for long enough.
    fn mend(&mut self) -> anyhow::Result<()> {
        for broken in std::mem::take(&mut self.broken) {
            let replica = &mut self.cluster.replicas[broken.replica];
            let lasted = broken.since.elapsed();
            match broken.fault {
                Fault::PauseReplica if lasted >= PAUSE => replica.go_on(),
                Fault::DrainReplica if replica.is_drained()? => replica.start()?,
                Fault::KillNats if lasted >= NATS_AWAY => self.cluster.nats.restart()?,
                _ => self.broken.push(broken),
            }
        }
        Ok(())
    }

    fn leave(&mut self, fault: Fault, replica: usize) {
        self.broken.push(Broken {
            fault,
            replica,
            since: Instant::now(),
        });
    }

    fn is_something_broken(&self) -> bool {
        !self.broken.is_empty()
    }

    /// What is broken is left alone until it is mended.
    fn is_broken(&self, fault: Fault, replica: usize) -> bool {
        self.broken.iter().any(|broken| match fault {
            Fault::KillReplica | Fault::DrainReplica | Fault::PauseReplica => {
                broken.fault != Fault::KillNats && broken.replica == replica
            }
            Fault::KillEveryReplica => broken.fault != Fault::KillNats,
            Fault::KillNats => broken.fault == Fault::KillNats,
            _ => false,
        })
    }

    /// The first column of the first row; `None` when the database is not there now.
    fn query(&self, statement: &str) -> anyhow::Result<Option<String>> {
        let url = self.cluster.postgres.url(DATABASE);
        let output = Command::new("psql")
            .args([&url, "--tuples-only", "--no-align", "--command", statement])
            .stdin(Stdio::null())
            .output()
            .context("psql cannot be started")?;
        let answer = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok((output.status.success() && !answer.is_empty()).then_some(answer))
    }

    fn report(&self) {
        for fault in Fault::ALL {
            let count = self.caused[fault as usize];
            if count > 0 {
                println!("  {count:>5} × {}", fault.word());
            }
        }
    }
}

/// `chat-load`, running. Dropped, it is gone.
struct Load {
    child: Child,
    /// Where it hears what is done to the servers; the load ends when this does.
    faults: Option<ChildStdin>,
    /// What it says.
    said: Receiver<String>,
    /// How many of its connections it cuts when it is told to.
    cut: u32,
}

impl Load {
    fn start(cluster: &Cluster, options: &Options, seed: u64) -> anyhow::Result<Self> {
        let mut command = Command::new(paths::binary_of("chat-load", options.release));
        command
            .args(["run", "--faults", "--server"])
            .arg(format!("http://{}", cluster.api))
            .args(["--seed", &seed.to_string()])
            .args(crowd(options))
            .args(["--private-rooms", PRIVATE_ROOMS])
            .args(["--attended-rooms", ATTENDED_ROOMS])
            .args(["--edits", "5", "--deletes", "2", "--reactions", "5"])
            .args(["--floor-acked", "500"])
            .args(options.profile.network())
            .args(floors(options.profile))
            .args(&options.load)
            .arg("--json")
            .arg(cluster.logs.join("load.json"));
        for replica in &cluster.replicas {
            command
                .arg("--read-from")
                .arg(format!("http://{}", replica.api()));
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("chat-load cannot be started")?;
        let output = BufReader::new(child.stdout.take().expect("it was asked for"));
        let (lines, said) = channel();
        std::thread::spawn(move || {
            // Nobody listens any more when the run is given up.
            output
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| lines.send(line))
        });
        Ok(Self {
            faults: child.stdin.take(),
            child,
            said,
            cut: options.cut,
        })
    }

    /// Returns when everybody is connected and messages are sent.
    fn await_begin(&mut self, stop: &AtomicBool) -> anyhow::Result<()> {
        let deadline = Instant::now() + CONNECT_PATIENCE;
        while self.said.recv_timeout(LOOK).as_deref() != Ok(LOAD_BEGAN) {
            if let Some(ended) = self.ended()? {
                bail!("the load ended before it began ({ended})");
            }
            if stop.load(Ordering::Relaxed) || Instant::now() > deadline {
                bail!("the load did not begin");
            }
        }
        Ok(())
    }

    /// Says what is about to be done, or has it done.
    fn tell(&mut self, fault: Fault) -> anyhow::Result<()> {
        let faults = self.faults.as_mut().context("the load has been ended")?;
        let told = match fault {
            Fault::CutConnections => writeln!(faults, "cut {}", self.cut),
            _ => writeln!(faults, "{}", fault.word()),
        };
        told.context("the load hears nothing")
    }

    /// Ends the load and waits until the audit has been made.
    fn settle(&mut self) -> anyhow::Result<ExitStatus> {
        drop(self.faults.take());
        for line in &self.said {
            println!("{line}");
        }
        Ok(self.child.wait()?)
    }

    fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What has to be felt of the faults, or the run proves nothing.
fn floors(profile: Profile) -> Vec<String> {
    let mut floors = vec!["--floor-faults=1".to_owned()];
    let felt = Fault::ALL.into_iter();
    let felt: Vec<_> = felt.filter(|fault| profile.is_to_be_felt(*fault)).collect();
    if !felt.is_empty() {
        floors.push(format!("--floor-felt-percent={}", schedule::FELT_PERCENT));
    }
    if felt.iter().any(|fault| *fault != Fault::CrashPostgres) {
        // Sockets end with their replica, and outlive the database.
        floors.push("--floor-resumes=1".to_owned());
    }
    let kinds = felt
        .iter()
        .map(|fault| format!("--felt-kind={}", fault.word()));
    floors.extend(kinds);
    if profile.has(Fault::CutConnections) {
        floors.push("--felt-kind=connection cut".to_owned());
    }
    floors
}

/// Who talks, as options of `chat-load run`.
fn crowd(options: &Options) -> Vec<String> {
    let of_profile = options.profile.crowd();
    let clients = options.clients.unwrap_or(of_profile.clients);
    let whole = clients.min(Crowd::WHOLE);
    let senders = options.senders.unwrap_or(of_profile.senders).min(whole);
    let mut crowd = vec![
        format!("--clients={whole}"),
        format!("--readers={}", clients - whole),
        format!("--senders={senders}"),
        format!("--rate={}", of_profile.rate),
        format!("--rooms={}", of_profile.rooms),
        format!("--rooms-per-client={}", of_profile.rooms_per_client),
    ];
    if !of_profile.is_patient {
        crowd.push("--impatient".to_owned());
    }
    if clients > whole {
        crowd.extend(
            ["--sources=8", "--connecting=256", "--connect-seconds=600"].map(str::to_owned),
        );
    }
    crowd
}

/// Another one for each run.
fn new_seed() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    // Short enough to be typed.
    RandomState::new().hash_one(std::process::id()) % 1_000_000
}
