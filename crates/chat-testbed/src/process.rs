//! A child process that never outlives its owner, however that ends.
//!
//! A small shell holds the other end of a pipe. When the pipe closes, because the owner died in
//! whatever way, it ends the child and removes the child's folder. The signal that Linux can send at
//! a parent's death would not do: it follows the thread that started the child, and in a test that is
//! the thread of one test.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Error, Result};

/// How long a process may take to end after it was asked to.
const STOP_PATIENCE: Duration = Duration::from_secs(20);
/// How often a condition outside of this process is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// Lines of a log in an error.
const TAIL_LINES: usize = 20;

/// Waits for the owner's end, then ends the process `$0` with the signal `$1` and removes the folder
/// `$2`.
const GUARD: &str = r#"
read -r _
kill -s "$1" "$0" 2>/dev/null
looks=0
while kill -0 "$0" 2>/dev/null && [ "$looks" -lt 100 ]; do
    sleep 0.1
    looks=$((looks + 1))
done
rm -rf -- "$2"
"#;

/// A server as a child process. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    /// The shell that ends the child after its owner; the owner holds its standard input.
    guard: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a server whose output is appended to `<folder>/<name>.log`. If this process dies, the
    /// server gets `last_signal` and the folder is removed.
    ///
    /// # Errors
    /// When it cannot be started; not when it ends by itself (see [`ended`](Self::ended)).
    pub fn start(
        name: &'static str,
        command: &mut Command,
        folder: &Path,
        last_signal: Signal,
    ) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let (out, err) = open_log(&log).map_err(Error::system(log.display().to_string()))?;
        let mut child = own_group(command.stdin(Stdio::null()).stdout(out).stderr(err))
            .spawn()
            .map_err(Error::system(format!("{name} cannot be started")))?;
        let guard = own_group(
            Command::new("sh")
                .args(["-c", GUARD, &child.id().to_string()])
                .arg(signal_name(last_signal))
                .arg(folder)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        )
        .spawn();
        match guard {
            Ok(guard) => Ok(Self {
                name,
                child,
                guard,
                log,
            }),
            Err(source) => {
                drop(child.kill());
                drop(child.wait());
                Err(Error::system("sh cannot be started")(source))
            }
        }
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it logged.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends a signal, unless it has ended.
    pub fn signal(&mut self, signal: Signal) {
        // A process that was not waited for keeps its number, so nobody else gets the signal.
        if self.ended().is_none() {
            send(self.child.id(), signal);
        }
    }

    /// Sends a signal to the process and then to those that it started (on Linux).
    pub fn signal_family(&mut self, signal: Signal) {
        self.signal(signal);
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        for child in children.unwrap_or_default().split_whitespace() {
            if let Ok(child) = child.parse() {
                send(child, signal);
            }
        }
    }

    /// Asks it to end with a signal, and waits for the end; kills it when that takes too long.
    pub fn stop(&mut self, signal: Signal) {
        self.signal(signal);
        let deadline = Instant::now() + STOP_PATIENCE;
        while self.ended().is_none() && Instant::now() < deadline {
            std::thread::sleep(LOOK);
        }
        self.kill();
    }

    /// Ends it at once (SIGKILL), and waits for the end.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Waits until `is_ready`.
    ///
    /// # Errors
    /// When the process ends before, or it takes longer than `patience`.
    pub fn await_ready(
        &mut self,
        patience: Duration,
        mut is_ready: impl FnMut() -> bool,
    ) -> Result<()> {
        let deadline = Instant::now() + patience;
        while !is_ready() {
            if self.ended().is_some() {
                return Err(self.error("ended before it was ready"));
            }
            if Instant::now() > deadline {
                return Err(self.error("did not become ready in time"));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    fn error(&self, what: &'static str) -> Error {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        Error::Server {
            name: self.name,
            what,
            log: self.log.clone(),
            tail: lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        // After the child, which it would signal by a number that is free then.
        drop(self.guard.kill());
        drop(self.guard.wait());
    }
}

/// Sends a signal. The process may have ended this moment, and then nobody minds.
fn send(id: u32, signal: Signal) {
    if let Ok(id) = i32::try_from(id)
        && let Some(pid) = Pid::from_raw(id)
    {
        let _ = kill_process(pid, signal);
    }
}

/// A group of its own, so that Ctrl-C and a test runner's kill reach it only through its owner.
fn own_group(command: &mut Command) -> &mut Command {
    std::os::unix::process::CommandExt::process_group(command, 0)
}

/// The log for standard output and for standard error.
fn open_log(path: &Path) -> std::io::Result<(File, File)> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    Ok((file.try_clone()?, file))
}

/// As the shell's `kill` names it.
fn signal_name(signal: Signal) -> &'static str {
    match signal {
        Signal::QUIT => "QUIT",
        Signal::INT => "INT",
        Signal::KILL => "KILL",
        _ => "TERM",
    }
}
