//! The server of the web client: reads its configuration, serves, and tells why it cannot.

use anyhow::Context as _;
use chat_listener::logs;
use clap::Parser;

use chat_frontend::server::{
    self,
    config::{Cli, Command, Config},
};

fn main() -> anyhow::Result<()> {
    let Cli { command, config } = Cli::parse();
    match command.unwrap_or(Command::Serve) {
        Command::Serve => {
            logs::start(&config.log, config.log_format)
                .context("CHAT_LOG is not a filter such as `info`")?;
            serve(config.validate()?)
        }
        Command::Healthcheck => Ok(chat_listener::probe::ask(config.admin_addr)?),
    }
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
