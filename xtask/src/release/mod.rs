//! `cargo xtask release-check`: whether what would be released now gets on with what runs. Two teams
//! release on different days, so each side meets the other's last release, and a roll-back meets
//! today's database. docs/releasing.md is the promise that this keeps.

mod api;
mod before;
mod frozen;
mod migrations;
mod released;
mod schema;
mod sides;
mod talk;
mod wire;

use std::time::{Duration, Instant};

use anyhow::bail;
use clap::{Args, ValueEnum};

use self::released::Released;
use crate::stage::{Stages, clock};
use crate::tools;

/// What to compare with, and in which respect.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Only this part.
    part: Option<Part>,
    /// The release to compare with, as a commit or a tag. Without it: what the branch `release` says
    /// of each side.
    #[arg(long, value_name = "REV")]
    against: Option<String>,
    /// What to compare with as long as there is no branch `release` and no tag: the newest commit that
    /// this one and HEAD share.
    #[arg(long, value_name = "REV", conflicts_with = "against")]
    while_unreleased: Option<String>,
}

/// A respect in which neighbouring releases have to get on, the quick ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Fixtures and schemas of released versions are as they were.
    Frozen,
    /// Today's protocol and the released one read each other.
    Wire,
    /// The Rust interface of the protocol's crate lost nothing.
    Api,
    /// The released back end works on today's schema.
    Schema,
    /// Each side works with the other's release, as processes and in a browser.
    Sides,
}

/// Runs all parts, or the one that was named.
pub(crate) fn check(options: &Options) -> anyhow::Result<()> {
    let stages = Stages::begin();
    let released = Released::find(
        options.against.as_deref(),
        options.while_unreleased.as_deref(),
    )?;
    if let Some(later) = released.overtaking()? {
        return overtaken(later, options);
    }
    stages.heading(&format!("Compared with {}", released.describe()));
    tools::check_compilers()?;
    tools::fetch_crates()?;
    let chosen = options
        .part
        .map_or_else(|| Part::value_variants().to_vec(), |part| vec![part]);
    let mut results = Vec::new();
    for part in chosen {
        stages.heading(part.title());
        let began = Instant::now();
        let outcome = part.run(&released);
        if let Err(error) = &outcome {
            eprintln!("xtask: {error:#}");
        }
        results.push((part, outcome, began.elapsed()));
    }
    stages.heading("Summary");
    summarise(&results)
}

/// What was overtaken while it was tested is not released any more. Who names a later commit means
/// something else, and is told how to get it.
fn overtaken(later: &str, options: &Options) -> anyhow::Result<()> {
    if options.against.is_some() {
        bail!("{later} is later than this commit: check that one out, and name this one");
    }
    println!("{later} runs and is later than this commit: nothing of this one will be released");
    Ok(())
}

/// Says how each part ended.
fn summarise(results: &[(Part, anyhow::Result<()>, Duration)]) -> anyhow::Result<()> {
    for (part, outcome, elapsed) in results {
        let (word, reason) = match outcome {
            Ok(()) => ("passed", String::new()),
            Err(error) => ("FAILED", format!(": {error:#}")),
        };
        println!("{word:<8}{:>7}  {}{reason}", clock(*elapsed), part.title());
    }
    let faults = results.iter().filter(|(_, outcome, _)| outcome.is_err());
    match faults.count() {
        0 => println!("in what was checked, either side can be released"),
        faults => bail!("this must not be released; parts that failed: {faults}"),
    }
    Ok(())
}

impl Part {
    fn title(self) -> &'static str {
        match self {
            Self::Frozen => "What was released is as it was",
            Self::Wire => "Both protocols read each other",
            Self::Api => "The interface of chat-types lost nothing",
            Self::Schema => "The released back end works on today's schema",
            Self::Sides => "Each side works with the other's release",
        }
    }

    fn run(self, released: &Released) -> anyhow::Result<()> {
        match self {
            Self::Frozen => frozen::check(released),
            Self::Wire => wire::check(released),
            Self::Api => api::check(released),
            Self::Schema => schema::check(released),
            Self::Sides => sides::check(released),
        }
    }
}
