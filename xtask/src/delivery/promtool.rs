//! promtool, the checker of Prometheus' own. It comes from Debian's package, which is unpacked and not
//! installed: no server starts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::{paths, process, tools};

const PACKAGE: &str = "prometheus";

fn folder() -> PathBuf {
    paths::target().join("delivery").join(PACKAGE)
}

/// Where it is: in the folder of its own, or on the machine.
fn program() -> Option<PathBuf> {
    let own = folder().join("usr/bin/promtool");
    let own = Some(own).filter(|file| file.is_file());
    own.or_else(|| tools::find("promtool"))
}

/// Unpacks it, unless it is there.
pub(crate) fn install() -> anyhow::Result<()> {
    if program().is_some() {
        return Ok(());
    }
    if tools::find("apt-get").is_none() {
        bail!(
            "the checks of alerts need promtool, a part of Prometheus; install it and run this again"
        );
    }
    println!("unpacking promtool");
    let folder = folder();
    fs::create_dir_all(&folder)?;
    let fetch = || {
        let mut apt = Command::new("apt-get");
        apt.args(["--quiet", "download", PACKAGE]);
        process::run(apt.current_dir(&folder).stdin(Stdio::null()))
    };
    fetch()
        .or_else(|_| {
            process::run(Command::new("apt-get").args(["--quiet", "update"]))?;
            fetch()
        })
        .context("the package prometheus cannot be downloaded; check the network")?;
    for entry in fs::read_dir(&folder)? {
        let package = entry?.path();
        if package.extension().is_some_and(|it| it == "deb") {
            let mut unpack = Command::new("dpkg-deb");
            process::run(unpack.arg("--extract").arg(&package).arg(&folder))?;
            fs::remove_file(package)?;
        }
    }
    Ok(())
}

/// Checks rules in the form of a Prometheus server, by a file in `folder`.
pub(crate) fn check_rules(groups: &Value, folder: &Path) -> anyhow::Result<()> {
    let file = write(&json!({ "groups": groups }), folder, "rules.yaml")?;
    ask(&["check", "rules"], &file)
}

/// Runs a test file against the rules that were checked in the same folder.
pub(crate) fn test_rules(tests: &Value, folder: &Path) -> anyhow::Result<()> {
    let file = write(tests, folder, "rules.test.yaml")?;
    ask(&["test", "rules"], &file)
}

/// Checks queries, each as the rule that it could be.
pub(crate) fn check_queries<'a>(
    queries: impl Iterator<Item = &'a str>,
    folder: &Path,
) -> anyhow::Result<()> {
    let rule = |(number, query): (usize, &str)| json!({ "record": format!("query:{number}"), "expr": query });
    let rules: Vec<_> = queries.enumerate().map(rule).collect();
    let groups = json!([{ "name": "queries", "rules": rules }]);
    let file = write(&json!({ "groups": groups }), folder, "queries.yaml")?;
    ask(&["check", "rules"], &file)
}

/// Checks names, units and helps of what a server exports.
pub(crate) fn check_metrics(exported: &Path) -> anyhow::Result<()> {
    let mut check = command()?;
    check.args(["check", "metrics"]);
    run(check.stdin(fs::File::open(exported)?), exported)
}

fn ask(words: &[&str], file: &Path) -> anyhow::Result<()> {
    run(command()?.args(words).arg(file), file)
}

fn command() -> anyhow::Result<Command> {
    let program = program().context("promtool is not there")?;
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    Ok(command)
}

fn run(command: &mut Command, about: &Path) -> anyhow::Result<()> {
    let output = command.output().context("promtool cannot be started")?;
    if output.status.success() {
        return Ok(());
    }
    bail!(
        "promtool says of {}:\n{}{}",
        about.display(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// JSON is YAML.
fn write(content: &Value, folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let file = folder.join(name);
    fs::write(&file, format!("{content:#}"))?;
    Ok(file)
}
