//! `cargo xtask`: builds, runs, tests and checks the workspace, the same here and in CI.
//!
//! One file per command. Each tells in one sentence what is wrong when it cannot go on.

#![expect(
    clippy::print_stdout,
    reason = "a command line speaks on standard output"
)]
#![expect(clippy::print_stderr, reason = "and complains on standard error")]

mod autobahn;
mod browser;
mod cluster;
mod delivery;
mod dependencies;
mod dev;
mod measure;
mod paths;
mod process;
mod release;
mod run;
mod servers;
mod site;
mod size;
mod stage;
mod test;
mod tidy;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Build, run, test and check Sarangbang.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build both sides, start them on loopback, print the URL; Ctrl-C stops both.
    Run(run::Options),
    /// The same, and rebuild and restart when a file changes.
    Dev(run::Options),
    /// Start PostgreSQL, NATS, three replicas behind a load balancer; with `--faults`, break them and audit.
    Cluster(cluster::Options),
    /// Start one server, put the load of a figure of docs/performance.md on it, and print what it showed.
    Measure(measure::Options),
    /// Build the web client's files into `target/site`.
    Build(site::Options),
    /// Everything that CI checks, or one stage of it.
    Test(test::Options),
    /// Whether what would be released now gets on with what runs.
    ReleaseCheck(release::Options),
    /// Print the bytes of a first page; fail above the budget.
    Size,
    /// Check the rules that no compiler knows.
    Tidy,
    /// Run Autobahn's WebSocket conformance suite against the production socket stack.
    Autobahn,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Run(options) => run::run(&options),
        Command::Dev(options) => dev::dev(&options),
        Command::Cluster(options) => cluster::cluster(&options),
        Command::Measure(options) => measure::measure(&options),
        Command::Build(options) => site::build(&options),
        Command::Test(options) => test::test(&options),
        Command::ReleaseCheck(options) => release::check(&options),
        Command::Size => size::size(),
        Command::Tidy => tidy::tidy(),
        Command::Autobahn => autobahn::asked_for(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
