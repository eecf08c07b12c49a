//! `cargo xtask autobahn`: Autobahn's conformance suite against the production socket stack, through
//! the back end's echo example.
//!
//! The suite is written for Python 2.7. Where that is missing the stage does not run and says so.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::process::{self, Service};
use crate::{paths, run};

/// The suite's release on `PyPI`.
const SUITE: &str = "autobahntestsuite==25.10.1";
/// Tells pyenv, where it is installed, which Python is meant. Any 2.7 will do.
const PYENV_VERSION: &str = "2.7.18";
/// Compression is not negotiated, so there is nothing to test about it.
const NOT_OFFERED: [&str; 2] = ["12.*", "13.*"];
/// How long the echo server may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether the suite ran.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Every case passed.
    Passed,
    /// It needs something that is not here; this says what.
    NotRun(String),
}

/// The suite, when it was asked for by name: then it has to run.
pub(crate) fn asked_for() -> anyhow::Result<()> {
    match autobahn()? {
        Outcome::Passed => Ok(()),
        Outcome::NotRun(needs) => bail!("the suite did not run: {needs}"),
    }
}

/// Builds the echo server and runs the suite against it.
pub(crate) fn autobahn() -> anyhow::Result<Outcome> {
    let work = paths::target().join("autobahn");
    if !is_python_here() {
        return Ok(Outcome::NotRun(format!(
            "Autobahn's suite needs Python 2.7; install it, for example with `pyenv install {PYENV_VERSION}`"
        )));
    }
    install_suite(&work)?;
    run::build_servers()?;
    let addr = run::free_address()?;
    let mut echo = Service::start(
        "echo server",
        Command::new(paths::binary("examples").join(run::ECHO)).args(["--addr", &addr.to_string()]),
    )?;
    await_listening(&mut echo, addr)?;
    run_suite(&work, addr)?;
    judge(&work.join("reports/index.json"))?;
    Ok(Outcome::Passed)
}

fn python(work: &Path) -> Command {
    let mut command = Command::new("python2");
    command
        .current_dir(paths::root())
        .env("PYENV_VERSION", PYENV_VERSION)
        .env("PYTHONPATH", modules(work))
        .stdin(Stdio::null());
    command
}

fn is_python_here() -> bool {
    let version = Command::new("python2")
        .arg("--version")
        .env("PYENV_VERSION", PYENV_VERSION)
        .output();
    // Python 2 prints its version on standard error.
    version.is_ok_and(|output| output.status.success() && output.stderr.starts_with(b"Python 2.7"))
}

fn modules(work: &Path) -> PathBuf {
    work.join("python")
}

fn install_suite(work: &Path) -> anyhow::Result<()> {
    let modules = modules(work);
    if modules.join("bin/wstest").is_file() {
        return Ok(());
    }
    fs::create_dir_all(&modules)?;
    let mut pip = python(work);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--target",
    ])
    .arg(&modules)
    .arg(SUITE);
    process::run(&mut pip).context("Autobahn's suite cannot be installed; check the network")?;
    // `pip --target` leaves out the file that makes `zope` a package.
    fs::write(modules.join("zope/__init__.py"), "")?;
    Ok(())
}

fn await_listening(echo: &mut Service, addr: SocketAddr) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(addr).is_err() {
        if let Some(status) = echo.ended()? {
            bail!("the echo server ended ({status}); what it said is above");
        }
        if Instant::now() > deadline {
            bail!(
                "the echo server did not listen within {} s",
                PATIENCE.as_secs()
            );
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn run_suite(work: &Path, addr: SocketAddr) -> anyhow::Result<()> {
    let spec = work.join("spec.json");
    let reports = work.join("reports");
    let server = json!({ "agent": "chat-backend", "url": format!("ws://{addr}"), "options": { "version": 18 } });
    let text = json!({
        "outdir": reports,
        "servers": [server],
        "cases": ["*"],
        "exclude-cases": NOT_OFFERED,
        "exclude-agent-cases": {},
    });
    fs::write(&spec, serde_json::to_vec_pretty(&text)?)?;
    let mut suite = python(work);
    suite
        .arg(modules(work).join("bin/wstest"))
        .args(["-m", "fuzzingclient", "-s"])
        .arg(&spec);
    suite.stdout(fs::File::create(work.join("wstest.log"))?);
    process::run(&mut suite)
}

/// Counts the verdicts. A case passes when it is OK, or as informational or lenient as the suite
/// itself calls harmless.
fn judge(index: &Path) -> anyhow::Result<()> {
    let text =
        fs::read(index).with_context(|| format!("the suite wrote no {}", index.display()))?;
    let index: Value = serde_json::from_slice(&text)?;
    let cases = index["chat-backend"]
        .as_object()
        .context("the suite reports nothing about the back end")?;
    let failed: Vec<_> = cases
        .iter()
        .filter(|(_, case)| !is_passed(case))
        .map(|(name, _)| name.as_str())
        .collect();
    println!(
        "{} cases passed, {} failed",
        cases.len() - failed.len(),
        failed.len()
    );
    if cases.is_empty() || !failed.is_empty() {
        bail!(
            "Autobahn's cases {} failed; the reports are in target/autobahn/reports",
            failed.join(", ")
        );
    }
    Ok(())
}

fn is_passed(case: &Value) -> bool {
    ["behavior", "behaviorClose"].iter().all(|field| {
        matches!(
            case[field].as_str(),
            Some("OK" | "NON-STRICT" | "INFORMATIONAL")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_passes_when_both_verdicts_are_harmless() {
        assert!(is_passed(
            &json!({ "behavior": "OK", "behaviorClose": "INFORMATIONAL" })
        ));
        assert!(!is_passed(
            &json!({ "behavior": "OK", "behaviorClose": "FAILED" })
        ));
        assert!(!is_passed(
            &json!({ "behavior": "UNIMPLEMENTED", "behaviorClose": "OK" })
        ));
        assert!(!is_passed(&json!({})));
    }
}
