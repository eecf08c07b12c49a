//! Opening: how to connect, what the server must promise, the schema.

use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};
use tokio::time::timeout;

use crate::PostgresStore;
use crate::error::OpenError;
use crate::writer::{WRITERS, Writer};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The newest migration that was run, by this release or a newer one.
const NEWEST: &str = "SELECT max(version) FROM _sqlx_migrations";
/// The error that there is no such table (PostgreSQL, appendix A).
const NO_TABLE: &str = "42P01";
/// The oldest schema version of whose programs one may still work here.
const FLOOR: &str = "SELECT oldest FROM schema_floor WHERE id = 1";

/// The oldest PostgreSQL that will do.
const OLDEST: u32 = 15;

/// A connection that was idle for longer is asked whether it still works before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// A connection is renewed at this age, so that none keeps the memory of its busiest hour.
const LIFETIME: Duration = Duration::from_mins(30);
/// A connection beyond the least number ends when nobody needed it for so long.
const IDLE: Duration = Duration::from_mins(5);

/// Where the database is, and how much of it one node takes.
#[derive(Clone)]
pub struct Settings {
    /// `postgres://user:password@host:port/database?sslmode=verify-full`. What it leaves out is taken
    /// from the variables of PostgreSQL's own clients, such as `PGPASSWORD`.
    pub url: String,
    /// Connections of this node at most, at least [`Settings::LEAST_CONNECTIONS`].
    pub connections: u32,
    /// How long a call waits for a connection.
    pub wait: Duration,
    /// How long a statement may take.
    pub statement: Duration,
}

impl Settings {
    /// Those that append messages, one to read and one to write everything else.
    pub const LEAST_CONNECTIONS: u32 = WRITERS + 2;

    /// The defaults for the database of this URL.
    pub fn of(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connections: 20,
            wait: Duration::from_secs(3),
            statement: Duration::from_secs(5),
        }
    }
}

/// What must be in force: what is acknowledged is on the disk, and text is what it is everywhere.
const PROMISES: [Promise; 2] = [
    Promise {
        setting: "synchronous_commit",
        is_kept: |found| found != "off",
        wanted: "it must not be off: what is acknowledged would be lost in a crash",
    },
    Promise {
        setting: "server_encoding",
        is_kept: |found| found == "UTF8",
        wanted: "it must be UTF8: people write in every script",
    },
];

/// A setting of the server on which the service relies.
struct Promise {
    setting: &'static str,
    is_kept: fn(&str) -> bool,
    /// What it must be, and why.
    wanted: &'static str,
}

/// Brings the schema of a database up to date, without serving it. Of several processes that do so at
/// once one does it, under an advisory lock, and the others wait.
///
/// # Errors
/// As [`PostgresStore::open`].
pub async fn migrate(settings: &Settings) -> Result<(), OpenError> {
    let options = options(settings)?;
    let mut connection = connect(&options, settings.wait).await?;
    check_promises(&options, &mut connection).await?;
    run_migrations(&options, &mut connection).await?;
    drop(connection.close().await);
    Ok(())
}

/// Opens the database.
pub(crate) async fn open(settings: &Settings) -> Result<PostgresStore, OpenError> {
    migrate(settings).await?;
    let options = limited(options(settings)?, settings.statement);
    let first = connect(&options, settings.wait).await?;
    drop(first.close().await);
    let pool = pool(settings, options.clone());
    Ok(PostgresStore::new(
        pool,
        Writer::start(&by_key(options), settings),
        settings,
    ))
}

/// The connections for everything but the appending of messages. They are made when they are needed.
fn pool(settings: &Settings, options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(settings.connections.saturating_sub(WRITERS).max(2))
        .acquire_timeout(settings.wait)
        .idle_timeout(IDLE)
        .max_lifetime(LIFETIME)
        // In place of a question before each use, which costs a round trip.
        .test_before_acquire(false)
        .before_acquire(|connection, about| {
            Box::pin(async move {
                if about.idle_for > TRUSTED_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(options)
}

/// Parameters of a URL that the database's library knows. It leaves out others with a word in the log: who
/// mistypes `sslmode` would talk in the clear.
const PARAMETERS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// The name of a parameter of this URL that nobody knows.
fn unknown_parameter(url: &str) -> Option<&str> {
    let (_, query) = url.split_once('?')?;
    let query = query.split('#').next().unwrap_or_default();
    let names = query.split('&').filter(|part| !part.is_empty());
    let mut names = names.map(|part| part.split('=').next().unwrap_or(part));
    names.find(|name| !PARAMETERS.contains(name) && !name.starts_with("options["))
}

pub(crate) fn options(settings: &Settings) -> Result<PgConnectOptions, OpenError> {
    if let Some(name) = unknown_parameter(&settings.url) {
        return Err(OpenError::Parameter(name.to_owned()));
    }
    let options = PgConnectOptions::from_str(&settings.url).map_err(OpenError::Url)?;
    Ok(options
        .application_name("chat-backend")
        .disable_statement_logging())
}

/// Adds the limits under which the service works: on the server, so that they hold also when this
/// node is gone in the middle of something.
fn limited(options: PgConnectOptions, statement: Duration) -> PgConnectOptions {
    let ms = |duration: Duration| format!("{}ms", duration.as_millis());
    options.options([
        ("statement_timeout", ms(statement)),
        // A node that stands still in a transaction would keep its rooms locked.
        ("idle_in_transaction_session_timeout", ms(statement)),
        // A node that vanished without a word is noticed.
        ("tcp_keepalives_idle", "30".to_owned()),
        ("tcp_keepalives_interval", "10".to_owned()),
        ("tcp_keepalives_count", "3".to_owned()),
        // Each statement of a transaction sees what was committed before it: also what was committed
        // while it waited for a room's lock.
        ("default_transaction_isolation", "read committed".to_owned()),
        // Nothing here is worth a compilation.
        ("jit", "off".to_owned()),
    ])
}

/// Adds how messages are appended: one plan, made once, that looks every row up by its key. Planning it
/// for each group takes longer than running it for one message, and a plan that was made while the
/// tables were small must not read them from end to end when they are large.
fn by_key(options: PgConnectOptions) -> PgConnectOptions {
    options.options([
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
    ])
}

/// A connection, or why there is none.
pub(crate) async fn connect(
    options: &PgConnectOptions,
    wait: Duration,
) -> Result<PgConnection, OpenError> {
    let unreachable = |source| OpenError::Unreachable {
        place: place(options),
        source,
    };
    match timeout(wait, options.connect()).await {
        Ok(connected) => connected.map_err(unreachable),
        Err(_) => Err(unreachable(sqlx::Error::PoolTimedOut)),
    }
}

async fn check_promises(
    options: &PgConnectOptions,
    connection: &mut PgConnection,
) -> Result<(), OpenError> {
    let version = connection.server_version_num().unwrap_or(0) / 10_000;
    if version < OLDEST {
        return Err(OpenError::Version {
            place: place(options),
            found: version,
            oldest: OLDEST,
        });
    }
    for Promise {
        setting,
        is_kept,
        wanted,
    } in PROMISES
    {
        let found = setting_of(options, connection, setting).await?;
        if !is_kept(&found) {
            return Err(OpenError::Setting {
                place: place(options),
                setting,
                found,
                wanted,
            });
        }
    }
    // Of the machine, that is: what is acknowledged survives the death of every process.
    for setting in ["fsync", "full_page_writes"] {
        if setting_of(options, connection, setting).await? == "off" {
            tracing::warn!(setting, "the database may lose data when its machine fails");
        }
    }
    Ok(())
}

async fn setting_of(
    options: &PgConnectOptions,
    connection: &mut PgConnection,
    setting: &'static str,
) -> Result<String, OpenError> {
    sqlx::query_scalar("SELECT current_setting($1)")
        .bind(setting)
        .fetch_one(connection)
        .await
        .map_err(|source| OpenError::Unreachable {
            place: place(options),
            source,
        })
}

/// Migrations take as long as they take: here no statement is limited.
async fn run_migrations(
    options: &PgConnectOptions,
    connection: &mut PgConnection,
) -> Result<(), OpenError> {
    let failed = |source| OpenError::Migration {
        place: place(options),
        source,
    };
    match MIGRATIONS.run_direct(None, connection, false).await {
        Err(MigrateError::VersionMissing(_)) => {
            check_floor(options, connection).await?;
            let mut known = Migrator::with_migrations(MIGRATIONS.iter().cloned().collect());
            known.set_ignore_missing(true);
            known.run_direct(None, connection, false).await
        }
        outcome => outcome,
    }
    .map_err(failed)
}

/// Whether this release may work on the schema of a newer one: after a roll-back, or while a newer one
/// is rolled out.
async fn check_floor(
    options: &PgConnectOptions,
    connection: &mut PgConnection,
) -> Result<(), OpenError> {
    let failed = |source| OpenError::Migration {
        place: place(options),
        source: MigrateError::Execute(source),
    };
    let newest = sqlx::query_scalar(NEWEST).fetch_one(&mut *connection);
    let found: i64 = newest.await.map_err(failed)?;
    let oldest = match sqlx::query_scalar(FLOOR).fetch_one(connection).await {
        // The database is of another lineage.
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NO_TABLE) => found,
        floor => floor.map_err(failed)?,
    };
    let known = MIGRATIONS.iter().map(|it| it.version).max().unwrap_or(0);
    if known < oldest {
        return Err(OpenError::NewerSchema {
            place: place(options),
            found,
            oldest,
            known,
        });
    }
    tracing::warn!(
        found,
        known,
        "the database's schema is of a newer release, which still serves this one"
    );
    Ok(())
}

/// Which database, without its password.
pub(crate) fn place(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or(options.get_username());
    match options.get_socket() {
        Some(socket) => format!("{database} at {}", socket.display()),
        None => format!(
            "{database} at {}:{}",
            options.get_host(),
            options.get_port()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_the_library_would_leave_out_is_found() {
        let url = |query: &str| format!("postgres://a:b@c/d{query}");
        let known = "?sslmode=verify-full&options[search_path]=a&application_name=b";
        for good in ["", "?", known] {
            assert_eq!(unknown_parameter(&url(good)), None, "{good}");
        }
        for bad in ["?sslmod=require", "?host=a&SSLMODE=require", "?require"] {
            assert!(unknown_parameter(&url(bad)).is_some(), "{bad}");
        }
    }
}
