//! A NATS server of one's own: on a free port of 127.0.0.1, gone with its owner.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::postgres::free_port;
use crate::{Error, Process, Result, config};

/// How long a server may take from its start to its greeting.
const READY_PATIENCE: Duration = Duration::from_secs(20);
/// How long one look for the greeting takes at most.
const GREETING: Duration = Duration::from_millis(500);
/// How often another port is tried, when somebody took the free one in between.
const PORTS: usize = 3;
/// Where Debian installs it, which is not on everybody's path.
const DEBIAN: &str = "/usr/sbin/nats-server";

/// The user that the server asks for, as installations do, with a password that an address has to spell
/// otherwise.
const USER: &str = "chat";
const PASSWORD: &str = "p@ss:w/rd %41";
const PASSWORD_IN_URL: &str = "p%40ss%3Aw%2Frd%20%2541";

/// A private server, for who knows its password. Dropping it ends it.
#[derive(Debug)]
pub struct Nats {
    process: Process,
    program: PathBuf,
    port: u16,
    // After the process, which uses it until it has ended.
    folder: TempDir,
}

impl Nats {
    /// Starts a server that keeps nothing.
    ///
    /// # Errors
    /// When NATS is not installed or does not start.
    pub fn start() -> Result<Self> {
        let program = find()?;
        let folder = tempfile::Builder::new()
            .prefix("chat-nats-")
            .tempdir()
            .map_err(Error::system("a temporary folder cannot be made"))?;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let port = free_port()?;
            match run(&program, &folder, port) {
                Ok(process) => {
                    return Ok(Self {
                        process,
                        program,
                        port,
                        folder,
                    });
                }
                Err(error) if attempts == PORTS => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// How a client connects.
    pub fn url(&self) -> String {
        format!("nats://{USER}:{PASSWORD_IN_URL}@127.0.0.1:{}", self.port)
    }

    /// Ends the server at once (SIGKILL).
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts the server again, on the same port.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> Result<()> {
        self.kill();
        self.process = run(&self.program, &self.folder, self.port)?;
        Ok(())
    }

    /// Stops the server as it is, without its taking notice (SIGSTOP): connections stay open and
    /// nothing answers.
    pub fn freeze(&mut self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets a frozen server go on.
    pub fn thaw(&mut self) {
        self.process.signal(Signal::CONT);
    }
}

fn run(program: &PathBuf, folder: &TempDir, port: u16) -> Result<Process> {
    let mut command = Command::new(program);
    command
        .args(["--addr", "127.0.0.1", "--port", &port.to_string()])
        .args(["--user", USER, "--pass", PASSWORD]);
    let mut process = Process::start("nats", &mut command, folder.path(), Signal::TERM)?;
    process.await_ready(READY_PATIENCE, || greets(port))?;
    Ok(process)
}

/// Whether the server says who it is, as it does to everybody who connects.
fn greets(port: u16) -> bool {
    let greeting = || -> std::io::Result<String> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(GREETING))?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        Ok(line)
    };
    greeting().is_ok_and(|line| line.starts_with("INFO "))
}

fn find() -> Result<PathBuf> {
    let on_path = config::path()
        .into_iter()
        .flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>())
        .map(|folder| folder.join("nats-server"));
    on_path
        .chain([PathBuf::from(DEBIAN)])
        .find(|file| file.is_file())
        .ok_or(Error::Missing {
            program: "NATS",
            install: "install it (Debian: `apt-get install nats-server`)",
        })
}
