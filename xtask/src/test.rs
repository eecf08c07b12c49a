//! `cargo xtask test`: everything that CI checks, stage by stage, with a summary at the end. A stage
//! that fails does not keep the others from running.

use std::time::{Duration, Instant};

use anyhow::bail;
use clap::{Args, ValueEnum};

use crate::autobahn::Outcome;
use crate::stage::{Stages, clock};
use crate::{autobahn, browser, process, site, size, tidy, tools};

/// Which stages to run.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Only this stage.
    stage: Option<Stage>,
    /// Only tests, or browser test files, whose name contains this.
    filter: Option<String>,
}

/// A part of the checks, in the order in which they run: the quick ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// Every file is formatted.
    Format,
    /// The rules that no compiler knows.
    Tidy,
    /// Clippy for the servers, warnings denied.
    Clippy,
    /// Clippy for the browser's code, both artifacts.
    ClippyWasm,
    /// The documentation builds without a warning.
    Docs,
    /// Unit, integration, conformance, simulation and protocol tests.
    Unit,
    /// The examples in the documentation.
    DocTests,
    /// The web client is built and a first page keeps its budget.
    Size,
    /// Two people in real browsers.
    Browser,
    /// Autobahn's WebSocket conformance suite.
    Autobahn,
}

/// How a stage ended.
enum Verdict {
    Passed,
    NotRun,
    Failed(anyhow::Error),
}

/// Runs all stages, or the one that was named.
pub(crate) fn test(options: &Options) -> anyhow::Result<()> {
    let stages = Stages::begin();
    stages.heading("Tools");
    tools::check_compilers()?;
    tools::fetch_crates()?;
    let chosen = options
        .stage
        .map_or_else(|| Stage::value_variants().to_vec(), |stage| vec![stage]);
    let mut results = Vec::new();
    for stage in chosen {
        stages.heading(stage.title());
        let began = Instant::now();
        let verdict = stage.run(&stages, options.filter.as_deref());
        if let Verdict::Failed(error) = &verdict {
            eprintln!("xtask: {error:#}");
        }
        results.push((stage, verdict, began.elapsed()));
    }
    summarise(&stages, &results)
}

fn summarise(stages: &Stages, results: &[(Stage, Verdict, Duration)]) -> anyhow::Result<()> {
    stages.heading("Summary");
    for (stage, verdict, elapsed) in results {
        let (word, reason) = match verdict {
            Verdict::Passed => ("passed", String::new()),
            Verdict::NotRun => ("NOT RUN", String::new()),
            Verdict::Failed(error) => ("FAILED", format!("  {error:#}")),
        };
        println!("{word:<8}{:>7}  {}{reason}", clock(*elapsed), stage.title());
    }
    let failed = results
        .iter()
        .filter(|(_, verdict, _)| matches!(verdict, Verdict::Failed(_)))
        .count();
    if failed > 0 {
        bail!(
            "{failed} of {} stages failed, after {}",
            results.len(),
            clock(stages.elapsed())
        );
    }
    println!(
        "all {} stages done in {}",
        results.len(),
        clock(stages.elapsed())
    );
    Ok(())
}

impl Stage {
    fn title(self) -> &'static str {
        match self {
            Self::Format => "Format",
            Self::Tidy => "Tidy",
            Self::Clippy => "Clippy",
            Self::ClippyWasm => "Clippy for the browser",
            Self::Docs => "Documentation",
            Self::Unit => "Unit and integration tests",
            Self::DocTests => "Documentation tests",
            Self::Size => "Web client and its size",
            Self::Browser => "Browser tests",
            Self::Autobahn => "WebSocket conformance",
        }
    }

    fn run(self, stages: &Stages, filter: Option<&str>) -> Verdict {
        let outcome = match self {
            Self::Format => process::run(process::cargo().args(["fmt", "--all", "--check"])),
            Self::Tidy => tidy::tidy(),
            Self::Clippy => clippy(),
            Self::ClippyWasm => clippy_wasm(),
            Self::Docs => docs(),
            Self::Unit => unit(filter),
            Self::DocTests => process::run(process::cargo().args(["test", "--workspace", "--doc"])),
            Self::Size => client_and_size(stages),
            Self::Browser => browser_tests(filter),
            Self::Autobahn => match autobahn::autobahn() {
                Ok(Outcome::NotRun) => return Verdict::NotRun,
                outcome => outcome.map(drop),
            },
        };
        outcome.map_or_else(Verdict::Failed, |()| Verdict::Passed)
    }
}

fn clippy() -> anyhow::Result<()> {
    process::run(process::cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))
}

fn clippy_wasm() -> anyhow::Result<()> {
    let shared = ["--package", "chat-types", "--package", "chat-client"];
    let artifact = |feature: &'static str| {
        [
            "--package",
            "chat-frontend",
            "--lib",
            "--no-default-features",
            "--features",
            feature,
        ]
    };
    for selection in [&shared[..], &artifact("app"), &artifact("embed")] {
        let mut clippy = process::cargo();
        clippy
            .args(["clippy", "--target", tools::WASM])
            .args(selection)
            .args(["--", "--deny", "warnings"]);
        process::run(&mut clippy)?;
    }
    Ok(())
}

fn docs() -> anyhow::Result<()> {
    let mut doc = process::cargo();
    doc.args(["doc", "--workspace", "--no-deps"])
        .env("RUSTDOCFLAGS", "--deny warnings");
    process::run(&mut doc)
}

/// Builds everything native at once, servers and tests alike: the features of the dependencies are
/// then the same for all, and nothing is compiled twice.
fn build_everything() -> anyhow::Result<()> {
    process::run(process::cargo().args(["build", "--workspace", "--all-targets"]))
}

fn unit(filter: Option<&str>) -> anyhow::Result<()> {
    build_everything()?;
    let mut tests = process::cargo();
    if tools::find("cargo-nextest").is_some() {
        tests.args(["nextest", "run", "--no-fail-fast"]);
    } else {
        tests.args(["test", "--no-fail-fast"]);
    }
    tests
        .args(["--workspace", "--lib", "--bins", "--tests"])
        .args(filter);
    process::run(&mut tests)
}

fn client_and_size(stages: &Stages) -> anyhow::Result<()> {
    build_everything()?;
    site::build(&site::Options::default())?;
    size::check(stages)
}

fn browser_tests(filter: Option<&str>) -> anyhow::Result<()> {
    build_everything()?;
    site::build(&site::Options::default())?;
    browser::run(filter)
}
