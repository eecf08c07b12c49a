//! A PostgreSQL server of one's own: its data in a temporary folder, its port free, gone with its
//! owner.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::{Error, Process, Result, config};

/// How long a server may take from its start, or its recovery after a crash, to its first answer.
const READY_PATIENCE: Duration = Duration::from_mins(1);
/// How often another port is tried, when somebody took the free one in between.
const PORTS: usize = 3;
/// Where Debian keeps the programs of each version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// The oldest version that the product supports.
const OLDEST: u32 = 15;
/// Users that the server runs as when we are root, which it refuses to be.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// What is on the disk when a transaction is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// As in production: everything (`fsync = on`).
    Durable,
    /// What survives the death of every process, though not of the machine (`fsync = off`).
    Quick,
}

/// A private server. Dropping it stops it and removes its data.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    programs: Programs,
    durability: Durability,
    settings: Vec<String>,
    port: u16,
    user: Option<User>,
    // After the process, which uses it until it has ended.
    folder: TempDir,
}

impl Postgres {
    /// Makes a cluster and starts its server on a free port of 127.0.0.1; the socket is in its folder.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start.
    pub fn start(durability: Durability) -> Result<Self> {
        Self::start_with(durability, &[])
    }

    /// The same with settings of its own, such as `max_connections=20`.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with(durability: Durability, settings: &[&str]) -> Result<Self> {
        let programs = Programs::find()?;
        let user = User::for_server()?;
        let folder = tempfile::Builder::new()
            .prefix("chat-postgres-")
            .tempdir()
            .map_err(Error::system("a temporary folder cannot be made"))?;
        if let Some(user) = &user {
            user.give(folder.path())?;
        }
        init(&programs, user.as_ref(), folder.path())?;
        let settings: Vec<_> = settings.iter().map(|setting| (*setting).into()).collect();
        let mut attempts = 0;
        let (process, port) = loop {
            attempts += 1;
            let port = free_port()?;
            let mut command = serve(&programs, folder.path(), port, durability, &settings);
            match run(&mut command, user.as_ref(), folder.path(), &programs, port) {
                Ok(process) => break (process, port),
                Err(error) if attempts == PORTS => return Err(error),
                Err(_) => {}
            }
        };
        Ok(Self {
            process,
            programs,
            durability,
            settings,
            port,
            user,
            folder,
        })
    }

    /// How a client connects to a database of this server.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes an empty database of that name and returns its URL.
    ///
    /// # Errors
    /// When there is one already.
    pub fn create_database(&self, name: &str) -> Result<String> {
        self.programs.create_database(&self.url("postgres"), name)?;
        Ok(self.url(name))
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What the server logged.
    pub fn log(&self) -> &Path {
        self.process.log()
    }

    /// Ends the server at once (SIGQUIT): every transaction that is not committed is lost, and the
    /// next start recovers.
    pub fn crash(&mut self) {
        self.process.stop(Signal::QUIT);
    }

    /// Ends the server in order (SIGINT): connections are closed, what is committed is written.
    pub fn stop(&mut self) {
        self.process.stop(Signal::INT);
    }

    /// Starts the server again, on the same port and data.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> Result<()> {
        self.stop();
        let mut command = serve(
            &self.programs,
            self.folder.path(),
            self.port,
            self.durability,
            &self.settings,
        );
        let folder = self.folder.path();
        let user = self.user.as_ref();
        self.process = run(&mut command, user, folder, &self.programs, self.port)?;
        Ok(())
    }

    /// Stops the server as it is, without its taking notice (SIGSTOP): connections stay open and
    /// nothing answers.
    pub fn freeze(&mut self) {
        self.process.signal_family(Signal::STOP);
    }

    /// Lets a frozen server go on.
    pub fn thaw(&mut self) {
        self.process.signal_family(Signal::CONT);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // In order, for a killed server leaves its children behind for a moment, and they their files.
        self.thaw();
        self.process.stop(Signal::QUIT);
    }
}

/// Makes a cluster in `<folder>/data`.
fn init(programs: &Programs, user: Option<&User>, folder: &Path) -> Result<()> {
    let mut init = programs.command("initdb");
    init.arg("--pgdata").arg(folder.join("data")).args([
        "--username=postgres",
        "--auth=trust",
        "--encoding=UTF8",
        "--no-locale",
        "--no-sync",
        "--no-instructions",
    ]);
    if let Some(user) = user {
        user.run(&mut init);
    }
    complete(&mut init)
}

/// The command that serves a cluster.
fn serve(
    programs: &Programs,
    folder: &Path,
    port: u16,
    durability: Durability,
    settings: &[String],
) -> Command {
    let mut serve = programs.command("postgres");
    serve
        .arg("-D")
        .arg(folder.join("data"))
        .args(["-c", "listen_addresses=127.0.0.1"])
        .args(["-c", &format!("port={port}")])
        .arg("-c")
        .arg(format!("unix_socket_directories={}", folder.display()))
        // Tests of one process may run many stores at once.
        .args(["-c", "max_connections=400"]);
    if durability == Durability::Quick {
        serve.args(["-c", "fsync=off", "-c", "full_page_writes=off"]);
    }
    for setting in settings {
        serve.args(["-c", setting]);
    }
    serve
}

/// Runs a server until it is ready.
fn run(
    command: &mut Command,
    user: Option<&User>,
    folder: &Path,
    programs: &Programs,
    port: u16,
) -> Result<Process> {
    if let Some(user) = user {
        user.run(command);
    }
    let mut process = Process::start("postgres", command, folder, Signal::QUIT)?;
    process.await_ready(READY_PATIENCE, || {
        let mut ask = programs.command("pg_isready");
        ask.args(["--quiet", "--host=127.0.0.1", &format!("--port={port}")]);
        ask.status().is_ok_and(|status| status.success())
    })?;
    Ok(process)
}

/// A port of 127.0.0.1 that nobody uses now.
pub(crate) fn free_port() -> Result<u16> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(Error::system("no port is free"))
}

/// Runs a program to its end.
fn complete(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(Error::system(format!("{shown} cannot be started")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Refused {
        command: shown,
        said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// Where PostgreSQL's programs are.
#[derive(Debug, Clone)]
pub(crate) struct Programs(PathBuf);

impl Programs {
    /// The newest version that Debian installed, or that of the path.
    pub(crate) fn find() -> Result<Self> {
        let versions = std::fs::read_dir(DEBIAN).into_iter().flatten().flatten();
        let newest = versions
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .filter(|version| *version >= OLDEST)
            .max()
            .map(|version| Path::new(DEBIAN).join(version.to_string()).join("bin"));
        let on_path = config::path()
            .into_iter()
            .flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
        newest
            .into_iter()
            .chain(on_path)
            .find(|folder| folder.join("postgres").is_file() && folder.join("initdb").is_file())
            .map(Self)
            .ok_or(Error::Missing {
                program: "PostgreSQL 15 or newer",
                install: "install it (Debian: `apt-get install postgresql`), or name a server in DATABASE_URL",
            })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.0.join(program));
        // The server's user may not enter where we are.
        command.current_dir("/");
        command
    }

    /// Makes a database on the server that `url` leads to.
    pub(crate) fn create_database(&self, url: &str, name: &str) -> Result<()> {
        complete(
            self.command("createdb")
                .arg(format!("--maintenance-db={url}"))
                .arg(name),
        )
    }

    /// Drops a database and the connections to it.
    pub(crate) fn drop_database(&self, url: &str, name: &str) -> Result<()> {
        complete(
            self.command("dropdb")
                .args(["--force", "--if-exists"])
                .arg(format!("--maintenance-db={url}"))
                .arg(name),
        )
    }
}

/// Somebody else than root.
#[derive(Debug, Clone, Copy)]
struct User {
    id: u32,
    group: u32,
}

impl User {
    /// Who runs the server; `None` for ourselves.
    fn for_server() -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let found = UNPRIVILEGED.iter().find_map(|name| {
            Some(Self {
                id: id(&["-u", name])?,
                group: id(&["-g", name])?,
            })
        });
        found.map(Some).ok_or(Error::Missing {
            program: "a user for PostgreSQL, which refuses to run as root,",
            install: "make one named `postgres`",
        })
    }

    /// Makes a folder theirs.
    fn give(self, folder: &Path) -> Result<()> {
        std::os::unix::fs::chown(folder, Some(self.id), Some(self.group))
            .map_err(Error::system(folder.display().to_string()))
    }

    /// Lets a program run as them.
    fn run(self, command: &mut Command) {
        std::os::unix::process::CommandExt::uid(command, self.id);
        std::os::unix::process::CommandExt::gid(command, self.group);
    }
}

/// What `id` answers.
fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.trim().parse().ok()
}
