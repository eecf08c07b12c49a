//! Each side with the other's release, as processes: people in browsers do what people do in a chat.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::before::{self, Before};
use super::released::Released;
use crate::browser::{self, Programs};
use crate::{paths, run, site};

/// The browser tests that both pairs run, each those of its front end: the script follows the pages.
const SCRIPT: &str = "neighbours";

pub(super) fn check(released: &Released) -> anyhow::Result<()> {
    run::build_servers()?;
    site::build(&site::Options::default())?;
    let today = Programs::built();
    let evidence = before::folder().join("e2e");

    let before = Before::at(&released.frontend)?;
    let (frontend, site) = before.front_end()?;
    println!("today's back end with the released front end");
    let pair = Programs {
        frontend,
        site,
        ..today.clone()
    };
    let scripts = scripts_of(before.root());
    browser::run_with_neighbour(&scripts, SCRIPT, &pair, &evidence.join("new-back-end")).context(
        "today's back end breaks pages of the released front end, which are open in browsers and stay so for days",
    )?;

    let backend = Before::at(&released.backend)?.back_end()?;
    println!("today's front end with the released back end");
    let pair = Programs { backend, ..today };
    let scripts = browser::folder(paths::root());
    browser::run_with_neighbour(&scripts, SCRIPT, &pair, &evidence.join("new-front-end")).context(
        "today's front end does not work with the released back end, which runs until its team releases",
    )
}

/// The script of a release; today's, where it was released before there was one.
fn scripts_of(release: &Path) -> PathBuf {
    let scripts = browser::folder(release);
    if scripts.join(format!("tests/{SCRIPT}.test.mjs")).is_file() {
        return scripts;
    }
    browser::folder(paths::root())
}
