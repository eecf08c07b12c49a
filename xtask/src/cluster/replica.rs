//! One replica of the back end: started, killed, paused, drained, and started again on the same ports.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use chat_testbed::{Process, Signal};

use super::Options;
use crate::{paths, process, run};

/// How long a replica may take to become ready.
pub(super) const READY_PATIENCE: Duration = Duration::from_secs(30);
/// How long a drained replica may take to end.
const DRAIN_PATIENCE: Duration = Duration::from_secs(30);

/// What is drained is drained quickly: the balancer looks four times a second.
const DRAIN: [(&str, &str); 2] = [("CHAT_DRAIN_DELAY_MS", "600"), ("CHAT_DRAIN_MS", "1000")];

/// A replica that is there, or will be again.
pub(super) struct Replica {
    number: usize,
    binary: PathBuf,
    logs: PathBuf,
    api: SocketAddr,
    admin: SocketAddr,
    variables: Vec<(&'static str, String)>,
    flags: Vec<String>,
    process: Option<Process>,
    /// By when a drain has to be over.
    drained_by: Option<Instant>,
}

impl Replica {
    pub(super) fn new(
        number: usize,
        binary: &Path,
        logs: &Path,
        database: &str,
        nats: &str,
        options: &Options,
    ) -> anyhow::Result<Self> {
        let (api, admin) = (run::free_address()?, run::free_address()?);
        let mut variables = vec![
            (
                "SECRET_KEY",
                "a key of a cluster that lives for minutes".to_owned(),
            ),
            ("DATABASE_URL", database.to_owned()),
            ("NATS_URL", nats.to_owned()),
            ("CHAT_ADDR", api.to_string()),
            ("CHAT_ADMIN_ADDR", admin.to_string()),
            (
                "ALLOWED_ORIGINS",
                format!(
                    "http://{},http://localhost:{}",
                    options.web,
                    options.web.port()
                ),
            ),
        ];
        variables.extend(DRAIN.map(|(name, value)| (name, value.to_owned())));
        let logs = logs.join(format!("replica-{number}"));
        std::fs::create_dir_all(&logs)?;
        Ok(Self {
            number,
            binary: binary.to_owned(),
            logs,
            api,
            admin,
            variables,
            flags: flags(options)?,
            process: None,
            drained_by: None,
        })
    }

    pub(super) fn api(&self) -> SocketAddr {
        self.api
    }

    pub(super) fn describe(&self) -> String {
        format!(
            "replica {}:  http://{} (admin http://{})",
            self.number, self.api, self.admin
        )
    }

    pub(super) fn tell_balancer(&self, balancer: &mut Command) {
        let name = format!("CHAT_REPLICA_{}", self.number);
        balancer
            .env(&name, self.api.to_string())
            .env(format!("{name}_ADMIN"), self.admin.port().to_string());
    }

    /// Starts it; it is ready some time later.
    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        let mut command = Command::new(&self.binary);
        command
            .args(&self.flags)
            .arg("serve")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        let started = Process::start("chat-backend", &mut command, &self.logs, Signal::KILL);
        self.process = Some(started.with_context(|| format!("replica {}", self.number))?);
        Ok(())
    }

    pub(super) fn await_ready(&mut self) -> anyhow::Result<()> {
        let admin = self.admin;
        let process = self
            .process
            .as_mut()
            .context("the replica is not started")?;
        process.await_ready(READY_PATIENCE, || run::is_ready(admin))?;
        Ok(())
    }

    /// Ends it at once, in the middle of whatever it does.
    pub(super) fn kill(&mut self) {
        self.process = None;
        self.drained_by = None;
    }

    /// Asks it to end as a deployment does.
    pub(super) fn drain(&mut self) {
        if let Some(process) = &mut self.process {
            process.signal(Signal::TERM);
            self.drained_by = Some(Instant::now() + DRAIN_PATIENCE);
        }
    }

    /// Whether it has ended after [`drain`](Self::drain); fails when it ended badly or takes too long.
    pub(super) fn is_drained(&mut self) -> anyhow::Result<bool> {
        let Some((process, deadline)) = self.process.as_mut().zip(self.drained_by) else {
            return Ok(true);
        };
        match process.ended() {
            Some(status) if status.success() => {
                self.drained_by = None;
                Ok(true)
            }
            Some(status) => bail!(
                "replica {} was drained and ended with {status}",
                self.number
            ),
            None if Instant::now() > deadline => {
                bail!(
                    "replica {} still drains after {DRAIN_PATIENCE:?}",
                    self.number
                )
            }
            None => Ok(false),
        }
    }

    /// Stops it as it is: its sockets stay open and nothing answers.
    pub(super) fn pause(&mut self) {
        if let Some(process) = &mut self.process {
            process.signal(Signal::STOP);
        }
    }

    /// Lets it go on.
    pub(super) fn go_on(&mut self) {
        if let Some(process) = &mut self.process {
            process.signal(Signal::CONT);
        }
    }

    /// Fails when it ended by itself.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        match process.ended() {
            None => Ok(()),
            Some(status) => bail!(
                "replica {} ended by itself ({status}); see {}",
                self.number,
                process.log().display()
            ),
        }
    }
}

/// A server under load needs other limits than one in use.
fn flags(options: &Options) -> anyhow::Result<Vec<String>> {
    if !options.faults {
        return Ok(vec!["--sites=demo=*".to_owned()]);
    }
    let load = paths::binary_of("chat-load", options.release);
    let flags = process::answer(&load.to_string_lossy(), &["server-flags"]);
    let flags = flags.context("`chat-load server-flags` failed")?;
    Ok(flags.split(' ').map(str::to_owned).collect())
}
