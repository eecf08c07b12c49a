//! The server of the web client: reads its configuration, serves, and tells why it cannot.

use std::io::IsTerminal;

use anyhow::Context as _;
use clap::Parser;
use tracing_subscriber::EnvFilter;

use chat_frontend::server::{
    self,
    config::{Cli, Command, Config, LogFormat},
};

fn main() -> anyhow::Result<()> {
    let Cli { command, config } = Cli::parse();
    match command.unwrap_or(Command::Serve) {
        Command::Serve => {
            log(&config)?;
            serve(config.validate()?)
        }
        Command::Healthcheck => Ok(chat_listener::probe::ask(config.admin_addr)?),
    }
}

/// Starts logging to standard error, in colours only to a person.
fn log(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log);
    let filter = filter.context("CHAT_LOG is not a filter such as `info`")?;
    let logs = tracing_subscriber::fmt()
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => logs.init(),
        LogFormat::Json => logs.json().flatten_event(true).init(),
    }
    Ok(())
}

fn serve(config: Config) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let served = runtime.block_on(server::serve(config));
    // Not to wait for a look-up of a name that nobody waits for any more.
    runtime.shutdown_background();
    served
}
