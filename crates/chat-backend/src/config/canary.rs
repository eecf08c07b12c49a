//! What the canary is told.

use std::time::Duration;

use clap::{Args, value_parser};
use http::Uri;

/// Where the canary goes, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Canary {
    /// The API as users reach it, without a path, for example `https://api.chat.example.com`.
    #[arg(
        long,
        env = "CANARY_SERVER",
        default_value = "http://127.0.0.1:8080",
        value_parser = parse_server
    )]
    pub server: Uri,
    /// Milliseconds from one message to the next; each stays in the canary's own room. 1000 to 60000:
    /// the alerts count several rounds in five minutes.
    #[arg(
        long,
        env = "CANARY_EVERY_MS",
        default_value_t = 30_000,
        value_parser = value_parser!(u64).range(1_000..=60_000)
    )]
    every_ms: u64,
    /// Milliseconds that each step may take. 100 to 60000.
    #[arg(
        long,
        env = "CANARY_PATIENCE_MS",
        default_value_t = 10_000,
        value_parser = value_parser!(u64).range(100..=60_000)
    )]
    patience_ms: u64,
}

impl Canary {
    /// From one message to the next.
    pub fn every(&self) -> Duration {
        Duration::from_millis(self.every_ms)
    }

    /// For each step.
    pub fn patience(&self) -> Duration {
        Duration::from_millis(self.patience_ms)
    }
}

fn parse_server(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|_| "it is no address".to_owned())?;
    let is_whole = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    // What is told before an @ would stand in the log.
    let names_user = uri.authority().is_some_and(|it| it.as_str().contains('@'));
    if is_whole && !names_user && uri.path() == "/" && uri.query().is_none() {
        Ok(uri)
    } else {
        Err(
            "it must be http:// or https:// with a host, without a user and without a path"
                .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::Cli;

    #[test]
    fn an_address_is_a_scheme_and_a_host() {
        for good in ["http://127.0.0.1:8080", "https://api.chat.example.com/"] {
            assert!(parse_server(good).is_ok(), "{good}");
        }
        for bad in [
            "api.chat.example.com",
            "ws://api.chat.example.com",
            "https://api.chat.example.com/v1",
            "https://api.chat.example.com?a=b",
            "https://mina:secret@api.chat.example.com",
            "",
        ] {
            assert!(parse_server(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn its_times_have_a_least_and_a_most() {
        let takes = |option: &str, ms: u64| {
            let words = ["chat-backend", "canary", option, &ms.to_string()];
            Cli::try_parse_from(words).is_ok()
        };
        for (option, least, most) in [
            ("--every-ms", 1_000, 60_000),
            ("--patience-ms", 100, 60_000),
        ] {
            assert!(takes(option, least) && takes(option, most), "{option}");
            assert!(
                !takes(option, least - 1) && !takes(option, most + 1),
                "{option}"
            );
        }
    }
}
