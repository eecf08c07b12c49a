//! Logs: text or JSON on standard error, filtered as configured.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};
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

/// What is no filter of logs.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// A part is not a level, nor a target with one.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// A part that would be taken for a target that logs everything, or for one that matches nothing.
    #[error("`{0}` is neither a level nor a target with its level")]
    Target(String),
}

/// Reads levels by target, such as `info,chat_backend=debug`.
///
/// # Errors
/// For what is none, such as the name of a span.
pub fn filter(text: &str) -> Result<Targets, FilterError> {
    let parts = text.split(',').map(str::trim);
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    let is_level = |part: &&&str| part.contains('=') || part.parse::<LevelFilter>().is_ok();
    if let Some(word) = parts.iter().find(|part| !is_level(part)) {
        return Err(FilterError::Target((*word).to_owned()));
    }
    let targets: Targets = parts.join(",").parse()?;
    let is_name = |target: &str| {
        let of_a_path = |c: char| c.is_ascii_alphanumeric() || "_:-".contains(c);
        target.chars().all(of_a_path)
    };
    match targets.iter().find(|(target, _)| !is_name(target)) {
        Some((target, _)) => Err(FilterError::Target(target.to_owned())),
        None => Ok(targets),
    }
}

/// Starts logging what `levels` let through, in colours only to a person; once per process.
///
/// # Errors
/// For a filter that cannot be read.
pub fn start(levels: &str, format: LogFormat) -> Result<(), FilterError> {
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
    use super::*;

    #[test]
    fn a_filter_is_levels_by_target() {
        let read = filter("info, chat_backend=debug,").unwrap();
        let expected = Targets::new()
            .with_default(LevelFilter::INFO)
            .with_target("chat_backend", LevelFilter::DEBUG);
        assert_eq!(read, expected);
        for none in [
            "info,==",
            "[send]=debug",
            "chat_backend[send]=debug",
            "info;warn",
            "warning",
            "chat_backend",
        ] {
            assert!(filter(none).is_err(), "{none}");
        }
    }
}
