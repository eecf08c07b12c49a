//! Opening: the lock against a second process, the settings, the schema.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use tempfile::TempDir;

use crate::SqliteStore;
use crate::error::OpenError;
use crate::writer::Writer;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The newest migration that was run, by this release or a newer one.
const NEWEST: &str = "SELECT max(version) FROM _sqlx_migrations";
/// Whether the schema names one at all.
const HAS_FLOOR: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'schema_floor')";
/// The oldest schema version of whose programs one may still work here.
const FLOOR: &str = "SELECT oldest FROM schema_floor WHERE id = 1";

/// Connections that read in parallel.
const READERS: u32 = 4;
/// What the writer keeps of the database at most, in KiB. A busy room takes five pages of 4 KiB, one
/// for each index that a message goes into: this is enough for two thousand of them.
const CACHE_KIB: u32 = 40 * 1024;
/// Pages in the log from which on it is copied into the database, at the end of a commit: 16 MiB.
const LOG_PAGES: u32 = 4096;
/// How long a statement waits for a lock, and a read for a connection.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// What must be in force, read back when the database opens: acknowledged is durable, references
/// hold, deleted text is overwritten.
const PROMISES: [(&str, &str, &str); 4] = [
    (
        "journal_mode",
        "SELECT journal_mode FROM pragma_journal_mode",
        "wal",
    ),
    (
        "synchronous",
        "SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous",
        "2",
    ),
    (
        "foreign_keys",
        "SELECT CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys",
        "1",
    ),
    (
        "secure_delete",
        "SELECT CAST(secure_delete AS TEXT) FROM pragma_secure_delete",
        "1",
    ),
];

/// Brings the schema of a database file up to date, made if it does not exist, without serving it.
///
/// # Errors
/// As [`SqliteStore::open`]; also while another process has the database open.
pub async fn migrate(path: &Path) -> Result<(), OpenError> {
    let lock = take(path)?;
    let connection = prepare(path).await?;
    connection
        .close()
        .await
        .map_err(|source| database(path, source))?;
    drop(lock);
    Ok(())
}

/// Opens the database; `folder` is removed when the store ends.
pub(crate) async fn open(path: &Path, folder: Option<TempDir>) -> Result<SqliteStore, OpenError> {
    let lock = take(path)?;
    let connection = prepare(path).await?;
    let readers = SqlitePoolOptions::new()
        .min_connections(READERS)
        .max_connections(READERS)
        .acquire_timeout(PATIENCE)
        // A connection to a local file does not age, and a new one costs its warm cache.
        .idle_timeout(None)
        .max_lifetime(None)
        // A local file does not go away while a connection is idle.
        .test_before_acquire(false)
        .connect_with(options(path).pragma("query_only", "ON"))
        .await
        .map_err(|source| database(path, source))?;
    Ok(SqliteStore {
        writer: Writer::start(connection, writer_options(path), lock),
        readers,
        folder,
    })
}

/// Takes the database for this process, and makes its file. The lock ends with the process, however it ends.
fn take(path: &Path) -> Result<File, OpenError> {
    let lock = take_lock(path)?;
    // SQLite gives its other files the mode of the database.
    let made = open_private(path);
    made.map(|_| lock).map_err(|source| OpenError::Path {
        path: path.to_owned(),
        source,
    })
}

/// Takes the database for this process, whether or not there is one.
pub(crate) fn take_lock(path: &Path) -> Result<File, OpenError> {
    let failed = |source| OpenError::Path {
        path: path.to_owned(),
        source,
    };
    let file = open_private(&lock_path(path)).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Opens a file, made if it does not exist and then for this user alone: it holds what people said
/// to each other in private. A file that exists keeps its mode, which is its owner's choice.
pub(crate) fn open_private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

pub(crate) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        .pragma("secure_delete", "ON")
        .pragma("temp_store", "MEMORY")
        // Where a plain fsync does not reach the disk (macOS); elsewhere it changes nothing.
        .pragma("fullfsync", "ON")
        .disable_statement_logging()
}

fn writer_options(path: &Path) -> SqliteConnectOptions {
    options(path)
        .pragma("cache_size", format!("-{CACHE_KIB}"))
        .pragma("wal_autocheckpoint", LOG_PAGES.to_string())
}

/// A connection to write with, after the schema and the settings were checked.
pub(crate) async fn prepare(path: &Path) -> Result<SqliteConnection, OpenError> {
    let mut connection = writer_options(path)
        .connect()
        .await
        .map_err(|source| database(path, source))?;
    run_migrations(path, &mut connection).await?;
    check_promises(path, &mut connection).await?;
    Ok(connection)
}

async fn run_migrations(path: &Path, connection: &mut SqliteConnection) -> Result<(), OpenError> {
    match MIGRATIONS.run_direct(None, connection, false).await {
        Err(MigrateError::VersionMissing(_)) => {
            check_floor(path, connection).await?;
            let mut known = Migrator::with_migrations(MIGRATIONS.iter().cloned().collect());
            known.set_ignore_missing(true);
            known.run_direct(None, connection, false).await
        }
        outcome => outcome,
    }
    .map_err(|error| migration(path, error))
}

/// Whether this release may work on the schema of a newer one, after a roll-back.
async fn check_floor(path: &Path, connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let failed = |source| database(path, source);
    let newest = sqlx::query_scalar(NEWEST).fetch_one(&mut *connection);
    let found: i64 = newest.await.map_err(failed)?;
    let has_floor = sqlx::query_scalar(HAS_FLOOR).fetch_one(&mut *connection);
    let oldest = if has_floor.await.map_err(failed)? {
        let floor = sqlx::query_scalar(FLOOR).fetch_one(connection);
        floor.await.map_err(failed)?
    } else {
        // The database is of another lineage.
        found
    };
    let known = MIGRATIONS.iter().map(|it| it.version).max().unwrap_or(0);
    if known < oldest {
        return Err(OpenError::NewerSchema {
            path: path.to_owned(),
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

async fn check_promises(path: &Path, connection: &mut SqliteConnection) -> Result<(), OpenError> {
    for (pragma, statement, wanted) in PROMISES {
        let found: String = sqlx::query_scalar(statement)
            .fetch_one(&mut *connection)
            .await
            .map_err(|source| database(path, source))?;
        if found != wanted {
            return Err(OpenError::Pragma {
                path: path.to_owned(),
                pragma,
                found,
                wanted,
            });
        }
    }
    Ok(())
}

pub(crate) fn database(path: &Path, source: sqlx::Error) -> OpenError {
    OpenError::Database {
        path: path.to_owned(),
        source,
    }
}

fn migration(path: &Path, error: MigrateError) -> OpenError {
    let path = path.to_owned();
    match error {
        MigrateError::Execute(source) => OpenError::Database { path, source },
        source => OpenError::Migration { path, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_promise_that_is_not_kept_refuses_to_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chat.db");
        for (broken, name) in [
            ("PRAGMA synchronous = NORMAL", "synchronous"),
            ("PRAGMA foreign_keys = OFF", "foreign_keys"),
            ("PRAGMA secure_delete = OFF", "secure_delete"),
            ("PRAGMA journal_mode = DELETE", "journal_mode"),
        ] {
            let mut connection = prepare(&path).await.unwrap();
            sqlx::query(broken).execute(&mut connection).await.unwrap();
            match check_promises(&path, &mut connection).await {
                Err(OpenError::Pragma { pragma, .. }) => assert_eq!(pragma, name),
                other => panic!("{name} went unnoticed: {other:?}"),
            }
            connection.close().await.unwrap();
        }
    }
}
