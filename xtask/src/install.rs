//! Programs of the system that tests and the cluster need: found, or installed where that is possible
//! (root on Debian), or named for a person to install.

use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::{process, tools};

/// Installs Debian's packages; `purpose` says what for, where they cannot be.
pub(crate) fn install(purpose: &str, packages: &[&str]) -> anyhow::Result<()> {
    let list = packages.join(" ");
    let is_root = process::answer("id", &["-u"]).is_some_and(|id| id == "0");
    if !is_root || tools::find("apt-get").is_none() {
        bail!("{purpose} need {list} (Debian's names); install them and run this again");
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
    let install = ["install", "--yes", "--quiet", "--no-install-recommends"];
    apt(&["update", "--quiet"])
        .and_then(|()| apt(&[&install, packages].concat()))
        .with_context(|| format!("{list} cannot be installed; check the network"))
}
