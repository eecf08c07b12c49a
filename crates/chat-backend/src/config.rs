//! The service's configuration: the only module that reads the environment. Doc comments here are
//! the help text and `docs/config.md`.

mod bounds;
mod bus;
mod canary;
mod database;
mod docs;
mod keeping;
mod limits;
mod sockets;
mod values;
mod variables;

use std::net::SocketAddr;
use std::path::PathBuf;

use chat_listener::logs::LogFormat;
use chat_listener::{Tls, TlsError, traces};
use chat_types::room::Site;
use clap::{Args, Parser, Subcommand};
use tokio::net::TcpListener;

use self::bus::Bus;
pub use self::canary::Canary;
use self::database::Database;
pub use self::docs::markdown;
use self::keeping::Keeping;
pub use self::limits::Limits;
use self::sockets::Sockets;
pub use self::values::{FirstRoom, Origin, Secret};
use self::values::{is_host, parse_first_room, parse_site, weakness};
pub use self::variables::{environment, unknown_variables};
use crate::auth::token::ACCESS_MS;
use crate::failure::Failure;
use crate::{purge, realtime, shutdown};

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
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve the API until SIGTERM or Ctrl-C.
    Serve,
    /// Bring the database to this release's version and exit.
    Migrate,
    /// Copy the SQLite database, as it is now, to a file that is not there yet, and exit. It may be served
    /// meanwhile.
    Backup {
        /// The file.
        file: PathBuf,
    },
    /// Put such a copy in the place of the SQLite database, which nobody serves meanwhile, and exit.
    Restore {
        /// The copy, which stays.
        file: PathBuf,
    },
    /// After a restore of PostgreSQL, before anybody serves it: give every room's feed a new epoch, so that
    /// clients load it afresh. `restore` does it by itself.
    NewEpochs,
    /// Print the `OpenAPI` document.
    Openapi,
    /// Print the list of variables as Markdown.
    ConfigDocs,
    /// Ask the admin address whether the service is ready; exit code 0 if so.
    Healthcheck,
    /// Write to a running service over and over as a user would, and measure on the admin address how
    /// that goes.
    Canary(Canary),
}

/// Everything that can be configured.
#[derive(Clone, Args)]
pub struct Config {
    /// Signs access tokens: at least 32 bytes that nobody can guess. It is replaced in three steps,
    /// which sign nobody out (`docs/operations.md`).
    #[arg(long, env = "SECRET_KEY", hide_env_values = true)]
    pub secret_key: Option<Secret>,
    /// The key from the next step of a rotation on, accepted already.
    #[arg(long, env = "SECRET_KEY_NEXT", hide_env_values = true)]
    pub secret_key_next: Option<Secret>,
    /// The key until the last step of a rotation, accepted still. Never together with the next one.
    #[arg(long, env = "SECRET_KEY_PREVIOUS", hide_env_values = true)]
    pub secret_key_previous: Option<Secret>,
    /// The database: one process on a file, `sqlite:/var/lib/chat/chat.db`, or any number of them on
    /// PostgreSQL 15 or newer, `postgres://user:password@host/database?sslmode=verify-full`. Absent:
    /// the file `chat.db` in the data directory.
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
    /// The server's certificate with its chain after it, in PEM, for TLS on the API's port; absent:
    /// plain HTTP. Read again every 30 s, so a renewal needs no restart.
    #[arg(long, env = "TLS_CERT_FILE")]
    pub tls_cert_file: Option<PathBuf>,
    /// The private key of that certificate, in PEM and not encrypted.
    #[arg(long, env = "TLS_KEY_FILE")]
    pub tls_key_file: Option<PathBuf>,
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
    #[arg(long, env = "CHAT_ACCESS_TOKEN_MS", default_value_t = ACCESS_MS)]
    pub access_token_ms: u64,
    /// The commit that the program was built from, for the metric `build_info`; the image names its own.
    #[arg(long, env = "CHAT_REVISION", default_value = "unknown")]
    pub revision: String,
    /// What is logged: levels by target, such as `info,chat_backend=debug`.
    #[arg(long, env = "CHAT_LOG", default_value = "info")]
    pub log: String,
    /// How logs look.
    #[arg(long, env = "CHAT_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// How nodes hear of each other.
    #[command(flatten)]
    pub bus: Bus,
    /// How much of a PostgreSQL server this process takes.
    #[command(flatten)]
    pub database: Database,
    /// How often things may be done.
    #[command(flatten)]
    pub limits: Limits,
    /// The times and limits of connections.
    #[command(flatten)]
    pub sockets: Sockets,
    /// How long is kept what nobody can see or use any more.
    #[command(flatten)]
    pub keeping: Keeping,
    /// Where traces go.
    #[command(flatten)]
    pub traces: traces::Options,
}

impl Config {
    /// Every problem of this configuration at once, in words that say what to do.
    pub fn validate(&self) -> Result<(), Vec<String>> {
        let mut problems = Vec::new();
        problems.extend(self.secret_problems());
        problems.extend(bounds::problems(self));
        problems.extend(self.keeping.problem());
        problems.extend(self.bus.problems());
        problems.extend(self.traces.problems());
        problems.extend(self.tls().err().map(|error| format!("{error}.")));
        problems.extend(self.database_problem());
        if self.allowed_origins.is_empty() {
            problems.push("ALLOWED_ORIGINS is empty: no page could call the API. Name the front end's origin.".to_owned());
        }
        let hosts = self.allowed_hosts.iter().filter(|host| !is_host(host));
        problems.extend(hosts.map(|host| {
            format!("ALLOWED_HOSTS names `{host}`, for which no request is: it is a host such as `api.chat.example.com`, without scheme, port or path.")
        }));
        if self.addr == self.admin_addr && self.addr.port() != 0 {
            problems.push("CHAT_ADDR and CHAT_ADMIN_ADDR are the same address; the admin port is a second one.".to_owned());
        }
        if chat_listener::logs::filter(&self.log).is_err() {
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

    /// What is wrong with the name of the database.
    pub fn database_problem(&self) -> Option<String> {
        let is_known = |url: &String| url.starts_with("sqlite:") || self.postgres_url().is_some();
        let problem = "DATABASE_URL must begin with `sqlite:`, `postgres://` or `postgresql://`.";
        let is_wrong = self.database_url.as_ref().is_some_and(|url| !is_known(url));
        is_wrong.then(|| problem.to_owned())
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
        for (name, key) in [
            ("SECRET_KEY_NEXT", &self.secret_key_next),
            ("SECRET_KEY_PREVIOUS", &self.secret_key_previous),
        ] {
            let why = key.as_ref().and_then(|key| weakness(key.reveal()));
            problems.extend(why.map(|why| format!("{name} {why}. {how}")));
            let same = key.as_ref().zip(self.secret_key.as_ref());
            if same.is_some_and(|(key, other)| {
                key.reveal().trim_ascii() == other.reveal().trim_ascii()
            }) {
                problems.push(format!(
                    "{name} is the same as SECRET_KEY, so nothing would be replaced."
                ));
            }
        }
        if self.secret_key_next.is_some() && self.secret_key_previous.is_some() {
            problems.push("SECRET_KEY_NEXT and SECRET_KEY_PREVIOUS are both set: end one rotation, by removing SECRET_KEY_PREVIOUS, before the next begins.".to_owned());
        }
        problems
    }

    /// The key that is accepted beside the one that signs, during a rotation.
    pub fn other_key(&self) -> Option<&Secret> {
        let next = self.secret_key_next.as_ref();
        next.or(self.secret_key_previous.as_ref())
    }

    /// The PostgreSQL database, if it is one.
    pub fn postgres_url(&self) -> Option<&str> {
        let url = self.database_url.as_deref()?;
        let is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
        is_postgres.then_some(url)
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

    /// Makes the data directory when the database lies in it, for this user alone. One that exists
    /// keeps its mode.
    ///
    /// # Errors
    /// In a sentence that names the directory.
    pub fn make_data_dir(&self) -> Result<(), Failure> {
        if self.database_url.is_some() {
            return Ok(());
        }
        let path = self.data_dir.clone();
        let mut directory = std::fs::DirBuilder::new();
        directory.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut directory, 0o700);
        let made = directory.create(&path);
        made.map_err(|source| Failure::DataDirectory { path, source })
    }

    /// The times and limits of HTTP connections.
    pub fn listener(&self) -> chat_listener::Settings {
        self.sockets
            .listener(self.allowed_hosts.clone(), self.trusted_proxies)
    }

    /// TLS on the API's port, if it is on.
    ///
    /// # Errors
    /// When its files cannot be used; [`validate`](Self::validate) says so before.
    pub fn tls(&self) -> Result<Option<Tls>, TlsError> {
        let (certificate, key) = (&self.tls_cert_file, &self.tls_key_file);
        Tls::of_files(
            certificate.as_deref(),
            key.as_deref(),
            chat_listener::RELOAD,
        )
    }

    /// What is purged, and when.
    pub fn purge(&self) -> purge::Settings {
        self.keeping.purge()
    }

    /// How the process ends.
    pub fn shutdown(&self) -> shutdown::Settings {
        self.sockets.shutdown()
    }

    /// How this node hears of others.
    ///
    /// # Errors
    /// When `NATS_URL` cannot be used; [`validate`](Self::validate) says so before.
    pub fn broker(&self) -> Result<Box<dyn realtime::Broker>, Failure> {
        self.bus.broker()
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
    pub fn wire_limits(&self) -> chat_types::limits::Limits {
        use chat_types::limits;
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
