//! Each side with the other's release, as processes: people in browsers do what people do in a chat.

use anyhow::Context as _;

use super::before::{self, Before};
use super::released::Released;
use crate::browser::{self, Programs};
use crate::{run, site};

/// The browser tests that both pairs run.
const SCRIPT: &str = "neighbours";

pub(super) fn check(released: &Released) -> anyhow::Result<()> {
    run::build_servers()?;
    site::build(&site::Options::default())?;
    let today = Programs::built();
    let evidence = before::folder().join("e2e");

    let (frontend, site) = Before::at(&released.frontend)?.front_end()?;
    println!("today's back end with the released front end");
    let pair = Programs {
        frontend,
        site,
        ..today.clone()
    };
    browser::run(Some(SCRIPT), &pair, &evidence.join("new-back-end")).context(
        "today's back end breaks pages of the released front end, which are open in browsers and stay so for days",
    )?;

    let backend = Before::at(&released.backend)?.back_end()?;
    println!("today's front end with the released back end");
    let pair = Programs { backend, ..today };
    browser::run(Some(SCRIPT), &pair, &evidence.join("new-front-end")).context(
        "today's front end does not work with the released back end, which runs until its team releases",
    )
}
