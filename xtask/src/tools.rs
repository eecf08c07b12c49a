//! What has to be on the machine, said in one sentence where it is missing.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::{paths, process};

/// The target of the browser's code.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// Checks the compilers and adds the wasm target where rustup can.
pub(crate) fn check_compilers() -> anyhow::Result<()> {
    let wanted = pinned_channel()?;
    let Some(version) = process::answer("rustc", &["--version"]) else {
        bail!("rustc cannot be started; install Rust {wanted} through rustup");
    };
    if !version.starts_with(&format!("rustc {wanted} ")) {
        bail!(
            "this is {version}, the workspace needs Rust {wanted}; install it with `rustup toolchain install {wanted}`"
        );
    }
    if process::answer("cc", &["--version"]).is_none() {
        bail!(
            "there is no C compiler, which SQLite needs; install one (Debian: `apt-get install build-essential`, macOS: `xcode-select --install`)"
        );
    }
    add_wasm_target()
}

/// Downloads what Cargo.lock names and is not here yet. Apart from the builds, so that a missing
/// network is told from a mistake in the code.
pub(crate) fn fetch_crates() -> anyhow::Result<()> {
    let mut fetch = process::cargo();
    fetch.args(["fetch", "--target", WASM]);
    if let Some(host) = host() {
        fetch.args(["--target", &host]);
    }
    if in_ci() {
        fetch.arg("--locked");
    }
    let (status, heard) = process::run_listening(&mut fetch)?;
    if status.success() {
        return Ok(());
    }
    let offline = [
        "failed to download",
        "failed to get",
        "network",
        "resolve host",
        "Could not connect",
    ];
    if offline.iter().any(|sign| heard.contains(sign)) {
        bail!(
            "the crates in Cargo.lock cannot be downloaded; check the network, the reason is above"
        );
    }
    bail!("cargo cannot resolve the workspace's dependencies; the reason is above")
}

/// Whether this run is an automatic one, which must not change Cargo.lock.
pub(crate) fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value != "false" && value != "0")
}

/// Whether a program can be found.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Installs Debian's packages as root, or says which ones `whom` needs.
pub(crate) fn install(whom: &str, packages: &[&str]) -> anyhow::Result<()> {
    let list = packages.join(" ");
    let is_root = process::answer("id", &["-u"]).is_some_and(|id| id == "0");
    if !is_root || find("apt-get").is_none() {
        bail!("{whom} need {list} (Debian's names); install them and run this again");
    }
    println!("installing {list}");
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null());
        process::run(&mut command)
    };
    apt(&["update", "--quiet"])
        .and_then(|()| {
            apt(&[
                &["install", "--yes", "--quiet", "--no-install-recommends"],
                packages,
            ]
            .concat())
        })
        .with_context(|| format!("{list} cannot be installed; check the network"))
}

fn add_wasm_target() -> anyhow::Result<()> {
    let libraries = process::answer("rustc", &["--print", "target-libdir", "--target", WASM]);
    if libraries.is_some_and(|folder| PathBuf::from(folder).is_dir()) {
        return Ok(());
    }
    if find("rustup").is_none() {
        bail!(
            "the Rust standard library for {WASM} is missing, and there is no rustup to add it; install it the way Rust was installed"
        );
    }
    println!("adding the target {WASM} through rustup");
    let mut add = Command::new("rustup");
    add.args(["target", "add", WASM]).current_dir(paths::root());
    process::run(&mut add)
        .context("the target for the browser's code cannot be added; check the network")
}

/// The platform of this machine, as cargo names it.
pub(crate) fn host() -> Option<String> {
    let verbose = process::answer("rustc", &["-vV"])?;
    verbose
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
}

fn pinned_channel() -> anyhow::Result<String> {
    let file = paths::root().join("rust-toolchain.toml");
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read {}", file.display()))?;
    text.lines()
        .find_map(|line| line.trim().strip_prefix("channel = \"")?.strip_suffix('"'))
        .map(str::to_owned)
        .context("rust-toolchain.toml names no channel")
}
