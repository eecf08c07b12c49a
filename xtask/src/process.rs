//! Starting other programs: to completion, or as services that end when xtask ends.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// How long a service may take to stop after it was asked to.
const STOP_PATIENCE: Duration = Duration::from_secs(15);

/// The packages of the product. xtask is left out: it is built already, by the command that runs it,
/// and together with it some of their dependencies would have other features.
pub(crate) const PRODUCT: [&str; 3] = ["--workspace", "--exclude", "xtask"];

/// Cargo, the one that runs xtask.
pub(crate) fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(crate::paths::root())
        .stdin(Stdio::null());
    command
}

/// Runs to completion with its output visible.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    if status.success() {
        return Ok(());
    }
    bail!("`{}` failed ({status})", shown(command))
}

/// Runs to completion, its error output both visible and returned.
pub(crate) fn run_listening(command: &mut Command) -> anyhow::Result<(ExitStatus, String)> {
    let mut child = command
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    let stderr = child.stderr.take().expect("it was asked for");
    let mut heard = String::new();
    for line in BufReader::new(stderr).lines() {
        let line = line.context("cannot read the program's output")?;
        eprintln!("{line}");
        heard.push_str(&line);
        heard.push('\n');
    }
    Ok((child.wait()?, heard))
}

/// Runs silently and returns what it printed; `None` when it is missing or fails.
pub(crate) fn answer(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(crate::paths::root())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// A program that runs until it is stopped, and never longer than xtask.
///
/// A small shell holds the other end of a pipe: when the pipe closes, because the service is stopped
/// or because xtask died in whatever way, it asks the service to end. The service is in a process
/// group of its own, so that Ctrl-C reaches it only through xtask.
pub(crate) struct Service {
    name: &'static str,
    child: Child,
    guard: Child,
    pipe: Option<ChildStdin>,
}

impl Service {
    /// Starts a service; its output is visible.
    pub(crate) fn start(name: &'static str, command: &mut Command) -> anyhow::Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start the {name}, {}", shown(command)))?;
        let mut guard = Command::new("sh")
            .args(["-c", "read _; kill -TERM \"$0\"", &child.id().to_string()])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start sh")?;
        let pipe = guard.stdin.take();
        Ok(Self {
            name,
            child,
            guard,
            pipe,
        })
    }

    /// What it is called in messages.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it still runs; how it ended otherwise.
    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    fn stop(&mut self) {
        drop(self.pipe.take());
        let deadline = Instant::now() + STOP_PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                eprintln!(
                    "xtask: the {} did not stop in {} s and is killed",
                    self.name,
                    STOP_PATIENCE.as_secs()
                );
                drop(self.child.kill());
                drop(self.child.wait());
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(self.guard.wait());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // A service that ended by itself must not have its number, perhaps reused, signalled.
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            drop(self.guard.kill());
        }
        self.stop();
    }
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program());
    let arguments = command
        .get_args()
        .map(|argument| argument.to_string_lossy());
    std::iter::once(name.to_string_lossy())
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ")
}
