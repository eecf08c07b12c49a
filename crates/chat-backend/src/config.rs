//! The service's configuration: the only module that reads the environment. Doc comments here are
//! the help text and `docs/config.md`.

mod sockets;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use chat_types::id::SiteKey;
use chat_types::limits;
use chat_types::room::Site;
use chat_types::text::RoomName;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use tokio::net::TcpListener;

use self::sockets::Sockets;
use crate::auth::token::ACCESS_MS;
use crate::failure::Failure;
use crate::rate_limit::Rate;
use crate::{listener, realtime, shutdown};

/// The chat service: HTTP API and WebSocket. Every option can be set by a flag or by its variable.
#[derive(Parser)]
#[command(name = "chat-backend", version)]
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
    /// Serve the API until SIGTERM or Ctrl-C.
    Serve,
    /// Bring the database to this release's version and exit.
    Migrate,
    /// Print the `OpenAPI` document.
    Openapi,
    /// Print the list of variables as Markdown.
    ConfigDocs,
    /// Ask the admin address whether the service is ready; exit code 0 if so.
    Healthcheck,
}

/// Everything that can be configured.
#[derive(Clone, Args)]
pub struct Config {
    /// Signs access tokens: at least 32 bytes that nobody can guess. Changing it signs nobody out:
    /// move the old one to `SECRET_KEY_PREVIOUS`.
    #[arg(long, env = "SECRET_KEY", hide_env_values = true)]
    pub secret_key: Option<Secret>,
    /// The key until now, still accepted during a rotation.
    #[arg(long, env = "SECRET_KEY_PREVIOUS", hide_env_values = true)]
    pub secret_key_previous: Option<Secret>,
    /// The database, for example `sqlite:/var/lib/chat/chat.db`; absent: `chat.db` in the data
    /// directory.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Origins whose pages may call the API and open sockets: those of the front end, comma
    /// separated, for example `https://chat.example.com`.
    #[arg(
        long,
        env = "ALLOWED_ORIGINS",
        value_delimiter = ',',
        default_value = "http://127.0.0.1:3000,http://localhost:3000"
    )]
    pub allowed_origins: Vec<Origin>,
    /// Names under which the API may be addressed (the `Host` header, without the port), comma
    /// separated; absent: any.
    #[arg(long, env = "ALLOWED_HOSTS", value_delimiter = ',')]
    pub allowed_hosts: Vec<String>,
    /// The directory of the embedded database.
    #[arg(long, env = "CHAT_DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,
    /// The address of the API.
    #[arg(long, env = "CHAT_ADDR", default_value = "127.0.0.1:8080")]
    pub addr: SocketAddr,
    /// The address of health, readiness and metrics; never expose it.
    #[arg(long, env = "CHAT_ADMIN_ADDR", default_value = "127.0.0.1:8081")]
    pub admin_addr: SocketAddr,
    /// Sites that embed rooms and the origins of their pages, for example
    /// `blog=https://blog.example.com https://www.example.com;demo=*`.
    #[arg(long, env = "CHAT_SITES", value_delimiter = ';', value_parser = parse_site)]
    pub sites: Vec<Site>,
    /// The public room that a new installation begins with, so that who comes first finds a place to
    /// talk; empty: none. It is made once: renamed or archived, it does not come back.
    #[arg(long, env = "CHAT_FIRST_ROOM", default_value = "사랑방 Lounge", value_parser = parse_first_room)]
    pub first_room: FirstRoom,
    /// How many reverse proxies in front of the service append to `X-Forwarded-For`; 0 ignores the
    /// header.
    #[arg(long, env = "CHAT_TRUSTED_PROXIES", default_value_t = 0)]
    pub trusted_proxies: u8,
    /// How long an access token lasts, in milliseconds; clients renew theirs before it ends.
    #[arg(
        long,
        env = "CHAT_ACCESS_TOKEN_MS",
        default_value_t = ACCESS_MS,
        value_parser = clap::value_parser!(u64).range(1_000..=3_600_000)
    )]
    pub access_token_ms: u64,
    /// What is logged, as a filter of `tracing`.
    #[arg(long, env = "CHAT_LOG", default_value = "info")]
    pub log: String,
    /// How logs look.
    #[arg(long, env = "CHAT_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// How often things may be done.
    #[command(flatten)]
    pub limits: Limits,
    /// The times and limits of connections.
    #[command(flatten)]
    pub sockets: Sockets,
}

/// How often things may be done: `20/1m` is a bucket of 20 that refills within a minute.
#[derive(Debug, Clone, Args)]
pub struct Limits {
    /// Guests made, per address.
    #[arg(
        long = "limit-guests",
        env = "CHAT_LIMIT_GUESTS",
        default_value = "20/1m"
    )]
    pub guests: Rate,
    /// Accounts made, per address.
    #[arg(
        long = "limit-registrations",
        env = "CHAT_LIMIT_REGISTRATIONS",
        default_value = "10/10m"
    )]
    pub registrations: Rate,
    /// Sign-ins tried, per account and address.
    #[arg(
        long = "limit-sign-ins",
        env = "CHAT_LIMIT_SIGN_INS",
        default_value = "5/1m"
    )]
    pub sign_ins: Rate,
    /// Sign-ins tried, per address.
    #[arg(
        long = "limit-sign-ins-of-address",
        env = "CHAT_LIMIT_SIGN_INS_OF_ADDRESS",
        default_value = "30/1m"
    )]
    pub sign_ins_of_address: Rate,
    /// Refreshed sessions, per address.
    #[arg(
        long = "limit-refreshes",
        env = "CHAT_LIMIT_REFRESHES",
        default_value = "120/1m"
    )]
    pub refreshes: Rate,
    /// Messages, per user and room.
    #[arg(long = "limit-sends", env = "CHAT_LIMIT_SENDS", default_value = "5/5s")]
    pub sends: Rate,
    /// Messages, per room.
    #[arg(
        long = "limit-room-sends",
        env = "CHAT_LIMIT_ROOM_SENDS",
        default_value = "50/1s"
    )]
    pub room_sends: Rate,
    /// Edits, reactions, pins, joins and other changes, per user.
    #[arg(
        long = "limit-changes",
        env = "CHAT_LIMIT_CHANGES",
        default_value = "30/10s"
    )]
    pub changes: Rate,
    /// Rooms and invites made, per user.
    #[arg(
        long = "limit-creations",
        env = "CHAT_LIMIT_CREATIONS",
        default_value = "10/1m"
    )]
    pub creations: Rate,
    /// Invites tried, per user.
    #[arg(
        long = "limit-invites",
        env = "CHAT_LIMIT_INVITES",
        default_value = "10/1m"
    )]
    pub invites: Rate,
    /// Page rooms opened, per address.
    #[arg(
        long = "limit-pages",
        env = "CHAT_LIMIT_PAGES",
        default_value = "60/1m"
    )]
    pub pages: Rate,
    /// Lists and pages of history read, per address.
    #[arg(
        long = "limit-reads",
        env = "CHAT_LIMIT_READS",
        default_value = "300/1m"
    )]
    pub reads: Rate,
}

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// A secret from the environment. It has no `Debug` and no `Display`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The secret, for the one place that uses it.
    pub fn reveal(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// An origin as browsers send it: scheme, host, and the port unless it is the scheme's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// The origin as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not an origin such as https://chat.example.com (no path, no slash at the end)"
            )
        };
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let host_and_port = |c: char| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | ':' | '[' | ']')
        };
        let valid = matches!(scheme, "http" | "https")
            && !rest.is_empty()
            && rest.chars().all(host_and_port)
            && !rest.ends_with(':');
        if !valid {
            return Err(wrong());
        }
        let default_port = if scheme == "https" { ":443" } else { ":80" };
        let rest = rest.strip_suffix(default_port).unwrap_or(rest);
        Ok(Self(format!("{scheme}://{rest}")))
    }
}

fn parse_site(text: &str) -> Result<Site, String> {
    let (key, origins) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is not a site such as blog=https://blog.example.com"))?;
    let key: SiteKey = key
        .trim()
        .parse()
        .map_err(|_| format!("`{key}` is not a site key: 1 to 40 of a-z, 0-9 and -"))?;
    let origins = origins
        .split_whitespace()
        .map(|origin| match origin {
            "*" => Ok("*".to_owned()),
            origin => Origin::from_str(origin).map(|origin| origin.0),
        })
        .collect::<Result<Vec<_>, _>>()?;
    if origins.is_empty() {
        return Err(format!("site `{key}` has no origin; use * for any"));
    }
    Ok(Site { key, origins })
}

/// The name of the room that a new installation begins with, if it begins with one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstRoom(pub Option<RoomName>);

fn parse_first_room(text: &str) -> Result<FirstRoom, String> {
    if text.is_empty() {
        return Ok(FirstRoom(None));
    }
    let name = RoomName::parse(text);
    name.map(|name| FirstRoom(Some(name)))
        .map_err(|reason| format!("`{text}` cannot name a room: {reason}"))
}

/// The least length of a key that signs tokens (RFC 7518, section 3.2).
const SECRET_BYTES: usize = 32;

impl Config {
    /// Every problem of this configuration at once, in words that say what to do.
    pub fn validate(&self) -> Result<(), Vec<String>> {
        let mut problems = Vec::new();
        problems.extend(self.secret_problems());
        if let Some(url) = &self.database_url
            && !url.starts_with("sqlite:")
        {
            problems.push(
                "DATABASE_URL must begin with `sqlite:`; this release has no other database."
                    .to_owned(),
            );
        }
        if self.allowed_origins.is_empty() {
            problems.push("ALLOWED_ORIGINS is empty: no page could call the API. Name the front end's origin.".to_owned());
        }
        if self.addr == self.admin_addr && self.addr.port() != 0 {
            problems.push("CHAT_ADDR and CHAT_ADMIN_ADDR are the same address; the admin port is a second one.".to_owned());
        }
        if tracing_subscriber::EnvFilter::try_new(&self.log).is_err() {
            problems.push(format!(
                "CHAT_LOG is not a filter such as `info` or `chat_backend=debug`: `{}`",
                self.log
            ));
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }

    fn secret_problems(&self) -> Vec<String> {
        let how =
            "Make one with `openssl rand -base64 48` and keep it: it signs every access token.";
        let mut problems = Vec::new();
        match self.secret_key.as_ref().map(Secret::reveal) {
            None | Some([]) => problems.push(format!("SECRET_KEY is not set. {how}")),
            Some(key) => {
                problems.extend(weakness(key).map(|why| format!("SECRET_KEY {why}. {how}")));
            }
        }
        if let Some(key) = &self.secret_key_previous {
            let why = weakness(key.reveal());
            problems.extend(why.map(|why| format!("SECRET_KEY_PREVIOUS {why}. {how}")));
        }
        problems
    }

    /// The file of the embedded database.
    pub fn database_path(&self) -> PathBuf {
        let path = self
            .database_url
            .as_deref()
            .and_then(|url| url.strip_prefix("sqlite:"));
        match path {
            Some(path) => PathBuf::from(path.strip_prefix("//").unwrap_or(path)),
            None => self.data_dir.join("chat.db"),
        }
    }

    /// Makes the data directory when the database lies in it.
    ///
    /// # Errors
    /// In a sentence that names the directory.
    pub fn make_data_dir(&self) -> Result<(), Failure> {
        if self.database_url.is_some() {
            return Ok(());
        }
        let path = self.data_dir.clone();
        std::fs::create_dir_all(&path).map_err(|source| Failure::DataDirectory { path, source })
    }

    /// The times and limits of HTTP connections.
    pub fn listener(&self) -> listener::Settings {
        self.sockets
            .listener(self.allowed_hosts.clone(), self.trusted_proxies)
    }

    /// How the process ends.
    pub fn shutdown(&self) -> shutdown::Settings {
        self.sockets.shutdown()
    }

    /// The times and limits of sockets.
    pub fn realtime(&self) -> realtime::Settings {
        self.sockets.realtime()
    }

    /// Whether pages of this origin may call the API and open sockets.
    pub fn origin_allowed(&self, origin: &str) -> bool {
        self.allowed_origins
            .iter()
            .any(|allowed| allowed.as_str() == origin)
    }

    /// The limits as clients are told them.
    pub fn wire_limits(&self) -> limits::Limits {
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        limits::Limits {
            message_chars: narrow(limits::MESSAGE_CHARS),
            frame_bytes: narrow(limits::FRAME_BYTES),
            rooms_per_connection: narrow(limits::ROOMS_PER_CONNECTION),
            frames_per_second: self.sockets.frames_per_second,
            frames_burst: self.sockets.frames_burst,
            sends_per_window: self.limits.sends.count,
            send_window_ms: self.limits.sends.window_ms,
        }
    }
}

fn weakness(key: &[u8]) -> Option<String> {
    let distinct: BTreeSet<u8> = key.iter().copied().collect();
    match key.len() {
        n if n < SECRET_BYTES => Some(format!(
            "is too short: {n} bytes, at least {SECRET_BYTES} are needed"
        )),
        _ if distinct.len() < 8 => {
            Some("is too easy to guess: it repeats a few characters".to_owned())
        }
        _ => None,
    }
}

/// The names among `names` that look like ours and mean nothing: most likely misspelt.
pub fn unknown_variables(names: impl Iterator<Item = String>) -> Vec<String> {
    let known = known_variables();
    names
        .filter(|name| name.starts_with("CHAT_") && !name.starts_with("CHAT_FRONTEND_"))
        .filter(|name| !known.contains(name))
        .collect()
}

fn known_variables() -> BTreeSet<String> {
    let names = |arg: &clap::Arg| {
        arg.get_env()
            .map(|name| name.to_string_lossy().into_owned())
    };
    Cli::command().get_arguments().filter_map(names).collect()
}

/// Listens on an address.
///
/// # Errors
/// In a sentence that names the variable to change.
pub async fn bind(variable: &'static str, addr: SocketAddr) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(addr).await;
    listener.map_err(|source| Failure::Address {
        addr,
        variable,
        source,
    })
}

/// The names of the process's environment variables.
pub fn environment_names() -> impl Iterator<Item = String> {
    std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned())
}

/// `docs/config.md`, made from the options above.
pub fn markdown() -> String {
    const HEAD: &str = "# Configuration of chat-backend\n\n\
        Made from `crates/chat-backend/src/config.rs` by `chat-backend config-docs`; do not edit.\n\n\
        | variable | flag | default | meaning |\n|---|---|---|---|\n";
    let command = Cli::command();
    let rows = command.get_arguments().filter_map(markdown_row);
    std::iter::once(HEAD.to_owned()).chain(rows).collect()
}

fn markdown_row(arg: &clap::Arg) -> Option<String> {
    let variable = arg.get_env()?.to_string_lossy();
    let flag = arg.get_long()?;
    let help = arg.get_help()?;
    let defaults = arg.get_default_values().iter();
    let defaults: Vec<_> = defaults.map(|value| value.to_string_lossy()).collect();
    let default = if defaults.is_empty() {
        "none".to_owned()
    } else {
        format!("`{}`", defaults.join(","))
    };
    Some(format!(
        "| `{variable}` | `--{flag}` | {default} | {help} |\n"
    ))
}
