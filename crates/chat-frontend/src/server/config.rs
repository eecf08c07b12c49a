//! The server's configuration, from the environment.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chat_listener::logs::LogFormat;
use chat_listener::{Tls, TlsError, traces};
use clap::{Args, Parser, Subcommand, value_parser};

use crate::config::API_BASE_URL;

/// The server of the web client of Sarangbang.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    /// What to do; without it: serve.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How.
    #[command(flatten)]
    pub config: Config,
}

/// What the program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve the web client until SIGTERM or Ctrl-C.
    Serve,
    /// Ask the admin address whether the server is ready; exit code 0 if so.
    Healthcheck,
}

/// Everything that can be configured.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Where browsers reach the page.
    #[arg(long, env = "CHAT_FRONTEND_ADDR", default_value = "127.0.0.1:3000")]
    pub addr: SocketAddr,

    /// Where the orchestrator reaches /healthz and /readyz, and Prometheus /metrics; never expose it.
    #[arg(
        long,
        env = "CHAT_FRONTEND_ADMIN_ADDR",
        default_value = "127.0.0.1:3001"
    )]
    pub admin_addr: SocketAddr,

    /// The server's certificate with its chain after it, in PEM, for TLS on the page's port; absent:
    /// plain HTTP. Read again every 30 s, so a renewal needs no restart.
    #[arg(long, env = "TLS_CERT_FILE")]
    pub tls_cert_file: Option<PathBuf>,

    /// The private key of that certificate, in PEM and not encrypted.
    #[arg(long, env = "TLS_KEY_FILE")]
    pub tls_key_file: Option<PathBuf>,

    /// The commit that the program was built from, for the metric `build_info`; the image names its own.
    #[arg(long, env = "CHAT_FRONTEND_REVISION", default_value = "unknown")]
    pub revision: String,

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

    /// How many reverse proxies in front of this server append to `X-Forwarded-For`; 0 ignores the
    /// header. 0 to 16.
    #[arg(
        long,
        env = "CHAT_FRONTEND_TRUSTED_PROXIES",
        default_value_t = 0,
        value_parser = value_parser!(u8).range(..=16)
    )]
    pub trusted_proxies: u8,

    /// Connections at once; fewer, with a warning, where the limit of open files leaves fewer. 1 to
    /// 1000000.
    #[arg(
        long,
        env = "CHAT_FRONTEND_LIMIT_CONNECTIONS",
        default_value_t = 8_000,
        value_parser = value_parser!(u32).range(1..=1_000_000)
    )]
    pub limit_connections: u32,

    /// Connections of one address at once; behind trusted proxies they are only counted in all. 1 to
    /// 1000000.
    #[arg(
        long,
        env = "CHAT_FRONTEND_LIMIT_CONNECTIONS_PER_ADDRESS",
        default_value_t = 200,
        value_parser = value_parser!(u32).range(1..=1_000_000)
    )]
    pub limit_connections_per_address: u32,

    /// How many keys of no known site one address may have looked up at the API within a minute. 1 to
    /// 10000.
    #[arg(
        long,
        env = "CHAT_FRONTEND_LIMIT_LOOKUPS",
        default_value_t = 20,
        value_parser = value_parser!(u32).range(1..=10_000)
    )]
    pub limit_lookups: u32,

    /// Milliseconds for the headers of a request, and for an idle connection. 100 to 900000.
    #[arg(
        long,
        env = "CHAT_FRONTEND_HEADERS_MS",
        default_value_t = 5_000,
        value_parser = value_parser!(u64).range(100..=900_000)
    )]
    pub headers_ms: u64,

    /// Milliseconds that a write may stall; the system gives a reader that takes nothing up after
    /// three times as long. 100 to 300000.
    #[arg(
        long,
        env = "CHAT_FRONTEND_WRITE_STALL_MS",
        default_value_t = 10_000,
        value_parser = value_parser!(u64).range(100..=300_000)
    )]
    pub write_stall_ms: u64,

    /// At the end of the process: milliseconds for answers that are under way. 0 to 3600000.
    #[arg(
        long,
        env = "CHAT_FRONTEND_GRACE_MS",
        default_value_t = 10_000,
        value_parser = value_parser!(u64).range(..=3_600_000)
    )]
    pub grace_ms: u64,

    /// What is logged: levels by target, such as `info,chat_frontend=debug`.
    #[arg(long, env = "CHAT_LOG", default_value = "info")]
    pub log: String,

    /// How logs look.
    #[arg(long, env = "CHAT_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// Where traces go.
    #[command(flatten)]
    pub traces: traces::Options,
}

/// Bytes that the system holds for a connection beyond what is on the way: with the default limit of a
/// write, readers slower than about 3 KB a second are cut.
const UNSENT_BYTES: u32 = 64 * 1024;
/// After how many times the limit of a write the system gives up a reader that takes nothing.
const UNTAKEN_AFTER_STALLS: u32 = 3;

impl Config {
    /// Checks what the types do not.
    ///
    /// # Errors
    /// In a sentence, which address or which file is not usable.
    pub fn validate(self) -> anyhow::Result<Self> {
        check_base("API_BASE_URL", &self.api_base)?;
        if let Some(url) = &self.api_internal_url {
            check_base("CHAT_FRONTEND_API_INTERNAL_URL", url)?;
        }
        self.tls()?;
        Ok(self)
    }

    /// The times and limits of connections, of which there are `connections` at most.
    pub fn listener(&self, connections: usize) -> chat_listener::Settings {
        let write_stall = Duration::from_millis(self.write_stall_ms);
        // A proxy's connections carry everybody's requests: its address has no share of its own.
        let connections_per_address = match self.trusted_proxies {
            0 => count(self.limit_connections_per_address),
            _ => connections,
        };
        chat_listener::Settings {
            headers: Duration::from_millis(self.headers_ms),
            write_stall,
            untaken: write_stall * UNTAKEN_AFTER_STALLS,
            unsent_bytes: Some(UNSENT_BYTES),
            connections,
            connections_per_address,
            ..chat_listener::Settings::default()
        }
    }

    /// TLS on the page's port, if it is on.
    ///
    /// # Errors
    /// When its files cannot be used, with an instruction.
    pub fn tls(&self) -> Result<Option<Tls>, TlsError> {
        let (certificate, key) = (&self.tls_cert_file, &self.tls_key_file);
        Tls::of_files(
            certificate.as_deref(),
            key.as_deref(),
            chat_listener::RELOAD,
        )
    }

    /// As many connections as the limit of open files leaves of those that are wanted.
    ///
    /// # Errors
    /// When it leaves none.
    pub fn connections_within(&self, open_files: Option<u64>) -> anyhow::Result<usize> {
        let wanted = count(self.limit_connections);
        let variable = "CHAT_FRONTEND_LIMIT_CONNECTIONS";
        let fit = chat_listener::open_files::connections_within(open_files, wanted, variable);
        Ok(fit?)
    }

    /// For answers that are under way when the process ends.
    pub fn grace(&self) -> Duration {
        Duration::from_millis(self.grace_ms)
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

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(arguments: &[&str]) -> anyhow::Result<Config> {
        let program = std::iter::once("chat-frontend");
        Cli::try_parse_from(program.chain(arguments.iter().copied()))?
            .config
            .validate()
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

    #[test]
    fn numbers_have_ranges() {
        for (flag, least, most) in [
            ("--trusted-proxies", 0, 16),
            ("--limit-connections", 1, 1_000_000),
            ("--limit-connections-per-address", 1, 1_000_000),
            ("--limit-lookups", 1, 10_000),
            ("--headers-ms", 100, 900_000),
            ("--write-stall-ms", 100, 300_000),
            ("--grace-ms", 0, 3_600_000),
        ] {
            let with = |number: i64| config(&[&format!("{flag}={number}")]);
            for inside in [least, most] {
                assert!(with(inside).is_ok(), "{flag} {inside}");
            }
            for outside in [least - 1, most + 1] {
                assert!(with(outside).is_err(), "{flag} {outside}");
            }
        }
    }

    #[test]
    fn behind_a_proxy_connections_are_only_counted_in_all() {
        let direct = config(&[]).unwrap().listener(1_000);
        assert_eq!(direct.connections_per_address, 200);
        let proxied = config(&["--trusted-proxies=1"]).unwrap().listener(1_000);
        assert_eq!(proxied.connections_per_address, 1_000);
    }
}
