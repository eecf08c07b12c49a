//! Logs: text or JSON on standard error, filtered as configured.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Reads levels by target, such as `info,chat_backend=debug`.
///
/// # Errors
/// For what is none.
pub fn filter(text: &str) -> Result<Targets, ParseError> {
    let directives: Vec<_> = text.split(',').filter(|part| !part.is_empty()).collect();
    directives.join(",").parse()
}

/// Starts logging what `levels` let through, in colours only to a person; once per process.
///
/// # Errors
/// For a filter that cannot be read.
pub fn start(levels: &str, format: LogFormat) -> Result<(), ParseError> {
    let subscriber = tracing_subscriber::registry().with(filter(levels)?);
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => subscriber.with(lines).init(),
        LogFormat::Json => subscriber.with(lines.json().flatten_event(true)).init(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::filter::LevelFilter;

    use super::*;

    #[test]
    fn a_filter_is_levels_by_target() {
        let read = filter("info,chat_backend=debug,").unwrap();
        let expected = Targets::new()
            .with_default(LevelFilter::INFO)
            .with_target("chat_backend", LevelFilter::DEBUG);
        assert_eq!(read, expected);
        assert!(filter("info,==").is_err());
    }
}
