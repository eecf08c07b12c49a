//! What the Rust interface of `chat-types` lost, by `cargo-semver-checks`.

use std::process::Command;

use anyhow::Context as _;

use super::before;
use super::released::Released;
use crate::{paths, process, tools};

pub(super) const HOW_TO_GET: &str =
    "it needs cargo-semver-checks: `cargo install --locked cargo-semver-checks@0.51.0`";

pub(super) fn is_installed() -> bool {
    tools::find("cargo-semver-checks").is_some()
}

pub(super) fn check(released: &Released) -> anyhow::Result<()> {
    for commit in released.commits() {
        let mut checks = Command::new("cargo-semver-checks");
        checks
            .current_dir(paths::root())
            .args(["semver-checks", "--package", "chat-types"])
            .args(["--baseline-rev", commit])
            // The version says when it is released, not what of it is compatible: nothing may be lost.
            .args(["--release-type", "minor"])
            .env("CARGO_TARGET_DIR", before::target());
        process::run(&mut checks).context(
            "code of either side that names this does not compile any more: keep it, deprecated, until the release after next",
        )?;
    }
    Ok(())
}
