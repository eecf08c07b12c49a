//! The server's configuration, from the environment.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

use crate::config::API_BASE_URL;

/// The server of the web client of Sarangbang.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub struct Config {
    /// Where browsers reach the page.
    #[arg(long, env = "CHAT_FRONTEND_ADDR", default_value = "127.0.0.1:3000")]
    pub addr: SocketAddr,

    /// Where the orchestrator reaches /healthz and /readyz.
    #[arg(
        long,
        env = "CHAT_FRONTEND_ADMIN_ADDR",
        default_value = "127.0.0.1:3001"
    )]
    pub admin_addr: SocketAddr,

    /// The directory of the built client, with its manifest.json.
    #[arg(long, env = "CHAT_FRONTEND_ASSETS", default_value = "target/site")]
    pub assets: PathBuf,

    /// Where browsers reach the API: absolute, http or https, no slash at the end. Overrides the
    /// address that was compiled in.
    #[arg(long, env = "API_BASE_URL", default_value = API_BASE_URL)]
    pub api_base: String,

    /// Where this server reaches the API, when that is not where browsers reach it.
    #[arg(long, env = "CHAT_FRONTEND_API_INTERNAL_URL")]
    pub api_internal_url: Option<String>,
}

impl Config {
    /// Checks what the types do not.
    ///
    /// # Errors
    /// One sentence per address that is not usable.
    pub fn validate(self) -> anyhow::Result<Self> {
        check_base("API_BASE_URL", &self.api_base)?;
        if let Some(url) = &self.api_internal_url {
            check_base("CHAT_FRONTEND_API_INTERNAL_URL", url)?;
        }
        Ok(self)
    }

    /// Where this server reaches the API.
    pub fn api_internal_url(&self) -> String {
        self.api_internal_url
            .clone()
            .unwrap_or_else(|| self.api_base.clone())
    }
}

/// The address ends up in a security policy, so it may hold nothing that means something there.
fn check_base(name: &str, base: &str) -> anyhow::Result<()> {
    let rest = base
        .strip_prefix("http://")
        .or_else(|| base.strip_prefix("https://"));
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]%".contains(c);
    match rest {
        Some(rest) if !rest.is_empty() && !rest.ends_with('/') && rest.chars().all(plain) => Ok(()),
        _ => anyhow::bail!(
            "{name} is \"{base}\"; it must be an http or https address without a slash at the end"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(arguments: &[&str]) -> anyhow::Result<Config> {
        let program = std::iter::once("chat-frontend");
        Config::try_parse_from(program.chain(arguments.iter().copied()))?.validate()
    }

    #[test]
    fn an_address_that_is_not_http_is_refused_by_name() {
        for base in [
            "ftp://a",
            "https://",
            "http://a/",
            "a.example",
            "http://a; script-src *",
        ] {
            let refused = config(&["--api-base", base]).expect_err(base).to_string();
            assert!(refused.contains("API_BASE_URL"), "{refused}");
        }
    }

    #[test]
    fn the_server_reaches_the_api_where_browsers_do_unless_it_is_told_otherwise() {
        let same = config(&["--api-base", "http://a:1"]).unwrap();
        assert_eq!(same.api_internal_url(), "http://a:1");
        let other = config(&[
            "--api-base",
            "http://a:1",
            "--api-internal-url",
            "http://b:2",
        ])
        .unwrap();
        assert_eq!(other.api_internal_url(), "http://b:2");
    }
}
