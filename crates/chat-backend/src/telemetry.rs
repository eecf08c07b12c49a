//! Logs: text or JSON on standard error, filtered as configured.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};
use crate::failure::Failure;

/// Starts logging; once per process.
///
/// # Errors
/// For a filter that cannot be read.
pub fn init(config: &Config) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&config.log)?;
    let to_a_person = std::io::stderr().is_terminal();
    let logs = tracing_subscriber::fmt()
        .with_ansi(to_a_person)
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => logs.init(),
        LogFormat::Json => logs.json().flatten_event(true).init(),
    }
    Ok(())
}
