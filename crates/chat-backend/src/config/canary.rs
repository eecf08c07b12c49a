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
    /// Milliseconds from one message to the next; each stays in the canary's own room. 1000 to
    /// 3600000.
    #[arg(
        long,
        env = "CANARY_EVERY_MS",
        default_value_t = 30_000,
        value_parser = value_parser!(u64).range(1_000..=3_600_000)
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
    if is_whole && uri.path() == "/" && uri.query().is_none() {
        Ok(uri)
    } else {
        Err("it must be http:// or https:// with a host and without a path".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            "",
        ] {
            assert!(parse_server(bad).is_err(), "{bad}");
        }
    }
}
