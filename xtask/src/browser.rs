//! The browser tests: what they need on the machine, and running them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::{paths, process, tools};

/// Who needs what is installed here.
const FOR: &str = "the browser tests";
/// The least Node.js whose test runner the tests use.
const NODE: u32 = 20;
/// Names under which Chromium is installed.
const CHROMIUM: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// Debian's packages: a browser, and fonts without which Korean and emoji are boxes.
const PACKAGES: [&str; 3] = ["chromium", "fonts-noto-cjk", "fonts-noto-color-emoji"];

/// What browsers are pointed at.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    /// The back end.
    pub(crate) backend: PathBuf,
    /// The front end's server.
    pub(crate) frontend: PathBuf,
    /// The folder of what it gives to browsers.
    pub(crate) site: PathBuf,
}

impl Programs {
    /// Those of this workspace.
    pub(crate) fn built() -> Self {
        Self {
            backend: paths::binary("chat-backend"),
            frontend: paths::binary("chat-frontend"),
            site: paths::site(),
        }
    }
}

/// Runs every browser test, or the files whose name contains `filter`, and leaves in the folder
/// `evidence` what tells why one failed.
pub(crate) fn run(
    filter: Option<&str>,
    programs: &Programs,
    evidence: &Path,
) -> anyhow::Result<()> {
    let mut tests = tests_of(&folder(paths::root()), filter, programs, evidence)?;
    process::run(&mut tests).context("a browser test failed; the summary is above")
}

/// The folder of the tests in a workspace.
pub(crate) fn folder(workspace: &Path) -> PathBuf {
    workspace.join("e2e")
}

/// Runs those tests of a folder whose file's name contains `filter`, of a workspace of one side's release,
/// with the other side of another release.
pub(crate) fn run_with_neighbour(
    folder: &Path,
    filter: &str,
    programs: &Programs,
    evidence: &Path,
) -> anyhow::Result<()> {
    let mut tests = tests_of(folder, Some(filter), programs, evidence)?;
    tests.env("E2E_NEIGHBOUR", "yes");
    process::run(&mut tests).context("a browser test failed; the summary is above")
}

fn tests_of(
    folder: &Path,
    filter: Option<&str>,
    programs: &Programs,
    evidence: &Path,
) -> anyhow::Result<Command> {
    check_node()?;
    let chromium = chromium_with_fonts()?;
    install_packages(folder)?;
    let mut tests = Command::new("node");
    tests
        .current_dir(folder)
        .stdin(Stdio::null())
        .args(["--test", "--test-reporter=spec", "--test-concurrency=2"])
        .args(test_files(folder, filter)?)
        .env("E2E_BACKEND", &programs.backend)
        .env("E2E_FRONTEND", &programs.frontend)
        .env("E2E_SITE", &programs.site)
        .env("E2E_EVIDENCE", evidence)
        .env("E2E_SCREENS", paths::root().join("target/screens"))
        .env("E2E_CHROMIUM", chromium);
    Ok(tests)
}

fn test_files(folder: &Path, filter: Option<&str>) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder.join("tests"))? {
        let file = entry?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".test.mjs") && filter.is_none_or(|part| name.contains(part)) {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        bail!(
            "no browser test file's name contains {:?}",
            filter.unwrap_or("")
        );
    }
    Ok(files)
}

fn check_node() -> anyhow::Result<()> {
    if tools::find("node").is_none() || tools::find("npm").is_none() {
        tools::install(FOR, &["nodejs", "npm"])?;
    }
    let version = process::answer("node", &["--version"]).context("node cannot be started")?;
    let major = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < NODE) {
        bail!("the browser tests need Node.js {NODE} or newer, this is {version}");
    }
    Ok(())
}

fn chromium_with_fonts() -> anyhow::Result<PathBuf> {
    let found = || CHROMIUM.iter().find_map(|name| tools::find(name));
    if found().is_none() || !has_fonts() {
        tools::install(FOR, &PACKAGES)?;
    }
    found().context("Chromium was installed and still cannot be found")
}

/// Whether Korean and emoji can be drawn.
fn has_fonts() -> bool {
    let fonts =
        |query: &str| process::answer("fc-list", &[query]).is_some_and(|fonts| !fonts.is_empty());
    fonts(":lang=ko") && fonts("Noto Color Emoji")
}

/// Installs what the lock file names, unless that is there already.
fn install_packages(folder: &Path) -> anyhow::Result<()> {
    let installed = folder.join("node_modules/.package-lock.json");
    let written = |file: &Path| {
        file.metadata()
            .and_then(|metadata| metadata.modified())
            .ok()
    };
    if written(&installed) >= written(&folder.join("package-lock.json")) && installed.is_file() {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.current_dir(folder)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .stdin(Stdio::null());
    process::run(&mut npm)
        .context("the browser tests' packages cannot be installed; check the network")
}
