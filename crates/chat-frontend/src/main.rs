//! The server of the web client: reads its configuration, serves, and tells why it cannot.

use std::io::IsTerminal;

use clap::Parser;

use chat_frontend::server::{self, config::Config};

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("CHAT_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        .init();
    let config = Config::parse().validate()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let served = runtime.block_on(server::serve(config));
    // Not to wait for a look-up of a name that nobody waits for any more.
    runtime.shutdown_background();
    served
}
