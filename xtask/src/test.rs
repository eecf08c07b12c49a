//! `cargo xtask test`: everything that CI checks, stage by stage, with a summary at the end. A stage
//! that fails does not keep the others from running.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::{Args, ValueEnum};

use crate::autobahn::Outcome;
use crate::browser::Programs;
use crate::stage::{Stages, clock};
use crate::{autobahn, browser, delivery, paths, process, run, servers, site, size, tidy, tools};

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
    /// Manifests, workflows, Dockerfiles and scripts.
    Delivery,
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
    /// Something that it needs is not here, and cannot be installed by a command; this says what.
    NotRun(String),
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
        match &verdict {
            Verdict::Passed => {}
            Verdict::NotRun(needs) => eprintln!("xtask: NOT RUN: {needs}"),
            Verdict::Failed(error) => eprintln!("xtask: {error:#}"),
        }
        results.push((stage, verdict, began.elapsed()));
    }
    summarise(&stages, &results, options.stage.is_some())
}

/// Says how each stage ended. What did not run is said last, where nobody overlooks it; it fails the
/// command when it was `asked_for` by name, and not otherwise (the reason is in CONTRIBUTING.md).
fn summarise(
    stages: &Stages,
    results: &[(Stage, Verdict, Duration)],
    asked_for: bool,
) -> anyhow::Result<()> {
    stages.heading("Summary");
    for (stage, verdict, elapsed) in results {
        let (word, reason) = match verdict {
            Verdict::Passed => ("passed", String::new()),
            Verdict::NotRun(needs) => ("NOT RUN", format!(": {needs}")),
            Verdict::Failed(error) => ("FAILED", format!(": {error:#}")),
        };
        println!("{word:<8}{:>7}  {}{reason}", clock(*elapsed), stage.title());
    }
    let count = |is: fn(&Verdict) -> bool| results.iter().filter(|result| is(&result.1)).count();
    let passed = count(|verdict| matches!(verdict, Verdict::Passed));
    let failed = count(|verdict| matches!(verdict, Verdict::Failed(_)));
    let not_run = count(|verdict| matches!(verdict, Verdict::NotRun(_)));
    let said = format!(
        "{passed} stages passed, {failed} failed, {not_run} did NOT RUN, after {}",
        clock(stages.elapsed())
    );
    if failed > 0 || (asked_for && not_run > 0) {
        bail!("{said}");
    }
    println!("{said}");
    Ok(())
}

impl Stage {
    fn title(self) -> &'static str {
        match self {
            Self::Format => "Format",
            Self::Tidy => "Tidy",
            Self::Delivery => "Delivery",
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
            Self::Delivery => delivery::check(),
            Self::Clippy => clippy(),
            Self::ClippyWasm => clippy_wasm(),
            Self::Docs => docs(),
            Self::Unit => unit(filter),
            Self::DocTests => doc_tests(),
            Self::Size => client_and_size(stages),
            Self::Browser => browser_tests(filter),
            Self::Autobahn => match autobahn::autobahn() {
                Ok(Outcome::NotRun(needs)) => return Verdict::NotRun(needs),
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

/// The tests of the product, and those of xtask, which is built apart (see [`process::PRODUCT`]).
fn unit(filter: Option<&str>) -> anyhow::Result<()> {
    servers::install_nats()?;
    delivery::install_tools()?;
    let server = servers::postgres()?;
    let mut product = unit_tests(filter);
    product
        .args(process::PRODUCT)
        .args(["--lib", "--bins", "--tests"]);
    if let Some(server) = &server {
        product.env(servers::DATABASE_URL, server.url("postgres"));
    }
    let product = process::run(&mut product);
    let own = process::run(unit_tests(filter).args(["--package", "xtask"]));
    product.and(own)
}

fn unit_tests(filter: Option<&str>) -> Command {
    let mut tests = process::cargo();
    if tools::find("cargo-nextest").is_some() {
        tests.args(["nextest", "run", "--no-fail-fast"]);
        // What the filter names may be in one of the two only.
        tests.args(filter.map(|_| "--no-tests=pass"));
    } else {
        tests.args(["test", "--no-fail-fast"]);
    }
    tests.args(filter);
    tests
}

fn doc_tests() -> anyhow::Result<()> {
    process::run(
        process::cargo()
            .arg("test")
            .args(process::PRODUCT)
            .arg("--doc"),
    )
}

fn client_and_size(stages: &Stages) -> anyhow::Result<()> {
    run::build_servers()?;
    site::build(&site::Options::default())?;
    size::check(stages)
}

fn browser_tests(filter: Option<&str>) -> anyhow::Result<()> {
    run::build_servers()?;
    site::build(&site::Options::default())?;
    let evidence = paths::root().join("target/e2e");
    browser::run(filter, &Programs::built(), &evidence)
}
