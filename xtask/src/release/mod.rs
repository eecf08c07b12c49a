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
    /// What to compare with as long as there is no branch `release` and no tag.
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

/// How a part ended.
enum Verdict {
    Passed,
    /// A tool that it needs is not here; this says which, and how to get it.
    NotRun(&'static str),
    Failed(anyhow::Error),
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
        let verdict = part.run(&released);
        if let Verdict::Failed(error) = &verdict {
            eprintln!("xtask: {error:#}");
        }
        results.push((part, verdict, began.elapsed()));
    }
    stages.heading("Summary");
    summarise(&results, options.part.is_some() || tools::in_ci())
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

/// Says how each part ended. What did not run fails the command where it has to run: in CI, and when it
/// was asked for by name.
fn summarise(results: &[(Part, Verdict, Duration)], has_to_run: bool) -> anyhow::Result<()> {
    let mut faults = 0;
    for (part, verdict, elapsed) in results {
        let (word, reason) = match verdict {
            Verdict::Passed => ("passed", String::new()),
            Verdict::NotRun(needs) => ("NOT RUN", format!(": {needs}")),
            Verdict::Failed(error) => ("FAILED", format!(": {error:#}")),
        };
        println!("{word:<8}{:>7}  {}{reason}", clock(*elapsed), part.title());
        faults += usize::from(match verdict {
            Verdict::Passed => false,
            Verdict::NotRun(_) => has_to_run,
            Verdict::Failed(_) => true,
        });
    }
    if faults > 0 {
        bail!("this must not be released: {faults} parts failed or did not run");
    }
    println!("in what was checked, either side can be released");
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

    fn run(self, released: &Released) -> Verdict {
        let outcome = match self {
            Self::Frozen => frozen::check(released),
            Self::Wire => wire::check(released),
            Self::Api => {
                if !api::is_installed() {
                    return Verdict::NotRun(api::HOW_TO_GET);
                }
                api::check(released)
            }
            Self::Schema => schema::check(released),
            Self::Sides => sides::check(released),
        };
        outcome.map_or_else(Verdict::Failed, |()| Verdict::Passed)
    }
}
