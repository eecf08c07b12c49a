//! What was released stays as it was: the script of CI, against each release that runs.

use std::process::Command;

use anyhow::Context as _;

use super::released::Released;
use crate::{paths, process};

pub(super) fn check(released: &Released) -> anyhow::Result<()> {
    for commit in released.commits() {
        let mut script = Command::new(paths::root().join(".ci/frozen"));
        process::run(script.arg(commit)).context(
            "released clients and servers send these documents still, and nobody would test any more that they are read: restore them and add new ones",
        )?;
    }
    Ok(())
}
