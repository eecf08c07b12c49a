//! The server of the web client: reads its configuration, serves, and tells why it cannot.

use std::io::IsTerminal;

use clap::Parser;

use chat_frontend::server::{
    self,
    config::{Cli, Command, Config},
};

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("CHAT_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        .init();
    let Cli { command, config } = Cli::parse();
    match command.unwrap_or(Command::Serve) {
        Command::Serve => serve(config.validate()?),
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
