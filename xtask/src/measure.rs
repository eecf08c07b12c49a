//! `cargo xtask measure`: one server with an empty database, the load of one figure of
//! docs/performance.md, and the yardstick of docs/load.md in the same run.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use chat_testbed::{Durability, Postgres, Process, Signal};
use clap::{Args, ValueEnum};

use crate::stage::Stages;
use crate::{paths, process, run, servers, tools};

/// How long the server may take to become ready.
const READY_PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
/// The name of the database on PostgreSQL.
const DATABASE: &str = "measured";

/// What is measured, and on what.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Which figure
    #[arg(value_enum)]
    figure: Figure,
    /// On which database.
    #[arg(long, value_enum, default_value_t)]
    on: Database,
    /// Measure the yardstick just before, where the figure has one.
    #[arg(long)]
    reference: bool,
    /// Build and run unoptimised code: to see that it works, not to measure.
    #[arg(long)]
    debug: bool,
    /// Start what was built before.
    #[arg(long)]
    no_build: bool,
    /// Further options of `chat-load run`, after `--`.
    #[arg(last = true)]
    load: Vec<String>,
}

/// Where messages are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Database {
    /// SQLite.
    #[default]
    Sqlite,
    /// PostgreSQL, with `fsync` on.
    Postgres,
}

/// A figure of docs/performance.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Figure {
    /// Deliveries per second of server CPU in one room with 1,000 readers, saturated.
    FanOut,
    /// The same in 1,000 rooms of ten.
    SmallRooms,
    /// 1,000 rooms of ten at 80 % of what they take when saturated, which is found out first.
    Fairness,
    /// 500 messages a second over 200 rooms with 5,000 connections.
    Latency,
    /// Connections that are opened, authenticated and follow a room, per second of server CPU.
    Connecting,
}

/// The crowd of 1,000 rooms of ten: nine readers and a sender, who reads as well.
const SMALL_ROOMS: &[&str] = &[
    "--clients=1000",
    "--readers=9000",
    "--rooms=1000",
    "--senders=1000",
    "--window=4",
    "--bytes=128",
    "--seconds=10",
    "--connecting=256",
    "--connect-seconds=300",
    "--sources=20",
];
/// The same crowd, as the yardstick is told.
const SMALL_ROOMS_REFERENCE: &[&str] = &[
    "--rooms=1000",
    "--readers=9000",
    "--senders=1000",
    "--window=4",
];
/// How much of what it takes when saturated a server is given.
const SHARE: &str = "--of-saturation=80";

impl Figure {
    fn load(self) -> Vec<&'static str> {
        match self {
            // As many under way as readers can take: of more, some fall out of the ring and page.
            Self::FanOut => vec![
                "--clients=4",
                "--readers=1000",
                "--senders=32",
                "--window=4",
                "--bytes=128",
                "--seconds=10",
            ],
            Self::SmallRooms => SMALL_ROOMS.to_vec(),
            Self::Fairness => [SMALL_ROOMS, &[SHARE]].concat(),
            Self::Latency => vec![
                "--clients=200",
                "--readers=4800",
                "--rooms=200",
                "--senders=200",
                "--rate=500",
                "--bytes=128",
                "--seconds=15",
                "--sources=20",
                "--connecting=256",
            ],
            Self::Connecting => vec![
                "--clients=8",
                "--readers=4792",
                "--rooms=200",
                "--senders=0",
                "--seconds=1",
                "--sources=20",
                "--connecting=256",
            ],
        }
    }

    /// The options of the yardstick; empty: there is none.
    fn reference(self) -> Vec<&'static str> {
        match self {
            Self::FanOut => vec!["--readers=1000", "--senders=32", "--window=4"],
            Self::SmallRooms => SMALL_ROOMS_REFERENCE.to_vec(),
            Self::Fairness => [SMALL_ROOMS_REFERENCE, &[SHARE]].concat(),
            Self::Connecting => vec![
                "--rooms=200",
                "--readers=4800",
                "--senders=1",
                "--seconds=1",
            ],
            Self::Latency => Vec::new(),
        }
    }
}

/// Builds, starts a server, measures.
pub(crate) fn measure(options: &Options) -> anyhow::Result<()> {
    let stages = Stages::begin();
    if !options.no_build {
        build(&stages, options)?;
    }
    if options.reference {
        let figures = options.figure.reference();
        if figures.is_empty() {
            bail!("this figure has no yardstick");
        }
        stages.heading("Yardstick");
        let reference = paths::binary_of("examples/reference", !options.debug);
        process::run(Command::new(reference).args(figures))?;
    }
    stages.heading("Server");
    let server = Server::start(options)?;
    let load = paths::binary_of("chat-load", !options.debug);
    let mut command = Command::new(load);
    command
        .args(["run", &format!("--server={}", server.url)])
        .arg(format!("--server-pid={}", server.process.id()))
        .args(options.figure.load())
        .args(&options.load);
    process::run(&mut command)
}

fn build(stages: &Stages, options: &Options) -> anyhow::Result<()> {
    stages.heading("Building");
    tools::check_compilers()?;
    tools::fetch_crates()?;
    let mut build = process::cargo();
    build
        .arg("build")
        .args((!options.debug).then_some("--release"))
        .args(["--package=chat-backend", "--package=chat-load"])
        .args(["--bins", "--example=reference"]);
    process::run(&mut build)
}

/// A server with an empty database. Dropped, both are gone.
struct Server {
    url: String,
    process: Process,
    _postgres: Option<Postgres>,
}

impl Server {
    fn start(options: &Options) -> anyhow::Result<Self> {
        let data = fresh_folder()?;
        let (api, admin) = (run::free_address()?, run::free_address()?);
        let load = paths::binary_of("chat-load", !options.debug);
        let flags = process::answer(&load.to_string_lossy(), &["server-flags"]);
        let flags = flags.context("`chat-load server-flags` failed")?;
        let mut command = Command::new(paths::binary_of("chat-backend", !options.debug));
        command
            .args(flags.split(' '))
            .arg("serve")
            .env("SECRET_KEY", "a key of a server that lives for minutes")
            .env("CHAT_DATA_DIR", &data)
            .env("CHAT_ADDR", api.to_string())
            .env("CHAT_ADMIN_ADDR", admin.to_string())
            .env_remove(servers::DATABASE_URL);
        let postgres = (options.on == Database::Postgres).then(|| start_postgres(&mut command));
        let postgres = postgres.transpose()?;
        let mut process = Process::start("chat-backend", &mut command, &data, Signal::KILL)?;
        process.await_ready(READY_PATIENCE, || run::is_ready(admin))?;
        Ok(Self {
            url: format!("http://{api}"),
            process,
            _postgres: postgres,
        })
    }
}

fn start_postgres(server: &mut Command) -> anyhow::Result<Postgres> {
    let postgres = servers::private_postgres(Durability::Durable)?;
    let database = postgres.create_database(DATABASE)?;
    server.env(servers::DATABASE_URL, database);
    Ok(postgres)
}

/// Where the server keeps its database and its log; what was there is gone.
fn fresh_folder() -> anyhow::Result<PathBuf> {
    let folder: &Path = &paths::target().join("measure");
    // It may not be there.
    drop(std::fs::remove_dir_all(folder));
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder.to_owned())
}
