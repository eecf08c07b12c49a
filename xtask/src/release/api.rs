//! What the Rust interface of `chat-types` lost, by `cargo-semver-checks`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

use super::before;
use super::released::Released;
use crate::{paths, process};

/// The tool with its version: another one could find other things, or read no documentation of this compiler.
const TOOL: &str = "cargo-semver-checks@0.51.0";

pub(super) fn check(released: &Released) -> anyhow::Result<()> {
    let tool = installed()?;
    for commit in released.commits() {
        process::run(&mut comparison(&tool, commit)).with_context(|| {
            format!("what code of {} may name is gone: keep it, deprecated, until the release after next", &commit[..12])
        })?;
    }
    Ok(())
}

/// The tool, in a folder of its own, so that it takes the place of no other version. Cargo does nothing
/// where it is there already.
fn installed() -> anyhow::Result<PathBuf> {
    let folder = before::folder().join("tools");
    let mut install = process::cargo();
    install
        .args(["install", "--locked", "--quiet", "--root"])
        .arg(&folder)
        .arg(TOOL)
        .env("CARGO_TARGET_DIR", before::target());
    process::run(&mut install)
        .context("cargo-semver-checks cannot be installed; check the network")?;
    Ok(folder.join("bin/cargo-semver-checks"))
}

fn comparison(tool: &Path, commit: &str) -> Command {
    let mut checks = Command::new(tool);
    checks
        .current_dir(paths::root())
        .args(["semver-checks", "--package", "chat-types"])
        .args(["--baseline-rev", commit])
        // The version says when it is released, not what of it is compatible: nothing may be lost.
        .args(["--release-type", "minor"])
        .env("CARGO_TARGET_DIR", before::target())
        .stdin(Stdio::null());
    checks
}
