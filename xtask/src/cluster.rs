//! `cargo xtask cluster`: PostgreSQL, NATS, three replicas behind a load balancer, and the front end,
//! all on loopback and all gone with the command. With `--faults` it breaks them on a schedule while
//! `chat-load` talks and audits.

mod faults;
mod replica;
mod schedule;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use chat_testbed::{Durability, Nats, Postgres, Process, Signal};
use clap::Args;

use crate::process::Service;
use crate::stage::Stages;
use crate::{paths, process, run, servers, site, tools};
use replica::Replica;

/// Clients that the load balancer has room for, beside those of the private rooms; see its `maxconn`.
const BALANCED: i64 = 9_400;
/// Replicas of the back end, as many as the balancer's configuration names.
const REPLICAS: usize = 3;
/// How often Ctrl-C and the parts are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// Who needs what is installed.
const FOR: &str = "the replicas of the cluster";
/// The name of the database.
const DATABASE: &str = "chat";

/// How the cluster is started, and whether it is broken.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Break it on a schedule, under load, and audit what the clients saw.
    #[arg(long)]
    faults: bool,
    /// How long to break it, in minutes.
    #[arg(long, default_value_t = 2.0, requires = "faults")]
    minutes: f64,
    /// Repeats a schedule; without it a new one is made and printed.
    #[arg(long, requires = "faults")]
    seed: Option<u64>,
    /// Which faults, and how often.
    #[arg(long, value_enum, default_value_t, requires = "faults")]
    profile: schedule::Profile,
    /// Clients that talk meanwhile, at most as many as the load balancer has room for; above 200 they
    /// only count what they are given. Without it, as many as the profile says.
    #[arg(long, requires = "faults", value_parser = clap::value_parser!(u32).range(1..=BALANCED))]
    clients: Option<u32>,
    /// How many of them send.
    #[arg(long, requires = "faults", value_parser = clap::value_parser!(u32).range(1..=200))]
    senders: Option<u32>,
    /// How many connections of clients are cut at the same moment, where the profile cuts any.
    #[arg(long, default_value_t = 200, requires = "faults")]
    cut: u32,
    /// Further options of `chat-load run`, after `--`.
    #[arg(last = true, requires = "faults")]
    load: Vec<String>,
    /// Build and run optimised code, as for measurements.
    #[arg(long)]
    release: bool,
    /// Where browsers reach the page.
    #[arg(long, default_value = "127.0.0.1:3000")]
    web: SocketAddr,
    /// Where browsers and clients reach the load balancer.
    #[arg(long, default_value = "127.0.0.1:8080")]
    api: SocketAddr,
    /// Start what was built before.
    #[arg(long)]
    no_build: bool,
}

/// Starts the cluster and waits for Ctrl-C, or breaks it and says what the audit found.
pub(crate) fn cluster(options: &Options) -> anyhow::Result<()> {
    let stages = Stages::begin();
    stages.heading("Tools");
    check_programs()?;
    if !options.no_build {
        build(&stages, options)?;
    }
    let stop = run::stop_flag()?;
    stages.heading("Starting");
    let mut cluster = Cluster::start(options)?;
    if options.faults {
        return faults::run(&stages, &mut cluster, options, &stop);
    }
    let _web = cluster.start_web(options)?;
    stages.heading(&format!(
        "Ready: http://{}, the API of {REPLICAS} replicas at http://{}. Ctrl-C stops all.",
        options.web, options.api
    ));
    println!("{}", cluster.describe());
    while !stop.load(Ordering::Relaxed) {
        cluster.check()?;
        std::thread::sleep(LOOK);
    }
    println!("\nstopping");
    Ok(())
}

/// What is started here and not built here.
fn check_programs() -> anyhow::Result<()> {
    tools::check_compilers()?;
    servers::install_program("nats-server", FOR)?;
    servers::install_program("haproxy", FOR)
}

fn build(stages: &Stages, options: &Options) -> anyhow::Result<()> {
    tools::fetch_crates()?;
    stages.heading("Servers");
    let mut build = process::cargo();
    build
        .arg("build")
        .args(options.release.then_some("--release"))
        .args(process::PRODUCT)
        .args(["--bins", "--example", run::ECHO]);
    process::run(&mut build)?;
    if options.faults {
        return Ok(());
    }
    stages.heading("Web client");
    site::build(&site::Options::default())
}

/// Everything that runs. Dropped, it is gone, clients first.
struct Cluster {
    balancer: Process,
    replicas: Vec<Replica>,
    nats: Nats,
    postgres: Postgres,
    api: SocketAddr,
    logs: PathBuf,
}

impl Cluster {
    fn start(options: &Options) -> anyhow::Result<Self> {
        let logs = paths::root().join("target/cluster");
        drop(std::fs::remove_dir_all(&logs));
        std::fs::create_dir_all(&logs)
            .with_context(|| format!("cannot make {}", logs.display()))?;
        let postgres = servers::private_postgres(Durability::Durable)?;
        let database = postgres.create_database(DATABASE)?;
        let nats = Nats::start()?;
        let binary = paths::binary_of("chat-backend", options.release);
        let mut replicas = Vec::new();
        for number in 1..=REPLICAS {
            let mut replica =
                Replica::new(number, &binary, &logs, &database, &nats.url(), options)?;
            replica.start()?;
            replicas.push(replica);
        }
        for replica in &mut replicas {
            replica.await_ready()?;
        }
        let mut balancer = start_balancer(options.api, &replicas, &logs)?;
        balancer.await_ready(replica::READY_PATIENCE, || {
            run::answers(options.api, "/v1/meta")
        })?;
        Ok(Self {
            balancer,
            replicas,
            nats,
            postgres,
            api: options.api,
            logs,
        })
    }

    fn start_web(&self, options: &Options) -> anyhow::Result<Service> {
        let mut command = Command::new(paths::binary_of("chat-frontend", options.release));
        command
            .current_dir(paths::root())
            .env("API_BASE_URL", format!("http://{}", self.api))
            .env("CHAT_FRONTEND_ADDR", options.web.to_string())
            .env("CHAT_FRONTEND_ADMIN_ADDR", run::free_address()?.to_string())
            .env("CHAT_FRONTEND_ASSETS", paths::site());
        Service::start("front end", &mut command)
    }

    fn describe(&self) -> String {
        use std::fmt::Write as _;
        let mut text = String::new();
        for replica in &self.replicas {
            let _ = writeln!(text, "  {}", replica.describe());
        }
        let _ = writeln!(text, "  PostgreSQL: {}", self.postgres.url(DATABASE));
        let _ = writeln!(text, "  NATS:       {}", self.nats.url());
        let _ = write!(text, "  logs:       {}", self.logs.display());
        text
    }

    /// Fails when a part ended by itself.
    fn check(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.balancer.ended() {
            anyhow::bail!(
                "the load balancer ended ({status}); see {}",
                self.balancer.log().display()
            );
        }
        for replica in &mut self.replicas {
            replica.check()?;
        }
        Ok(())
    }
}

fn start_balancer(api: SocketAddr, replicas: &[Replica], logs: &Path) -> anyhow::Result<Process> {
    let haproxy =
        servers::find("haproxy").context("haproxy was installed and still cannot be found")?;
    let mut command = Command::new(haproxy);
    command
        .arg("-db")
        .arg("-f")
        .arg(paths::root().join("xtask/cluster/haproxy.cfg"))
        .env("CHAT_BALANCER", api.to_string());
    for replica in replicas {
        replica.tell_balancer(&mut command);
    }
    Ok(Process::start("haproxy", &mut command, logs, Signal::TERM)?)
}
