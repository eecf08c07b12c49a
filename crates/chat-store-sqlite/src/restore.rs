//! A copy of the database for a backup, and its way back.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::error::OpenError;
use crate::open::{database, open_private, options, prepare, take_lock};
use crate::writer::fold_log;

/// Writes everything at one instant, and nothing of what was deleted.
const COPY: &str = "VACUUM INTO ?";
/// Whether two tables are there that every database of this service has.
const HAS_TABLES: &str =
    "SELECT count(*) = 2 FROM sqlite_master WHERE name IN ('_sqlx_migrations', 'rooms')";
/// `ok`, or what is damaged.
const CHECK: &str = "PRAGMA integrity_check(1)";
/// A name for each feed that it never had.
const RENAME: &str = "UPDATE rooms SET epoch = lower(hex(randomblob(9)))";

/// Copies the database file, as it is at one instant, to a file that is not there yet. The database may be
/// served meanwhile. The file gets its name when it is whole, and is this user's alone.
///
/// # Errors
/// When there is no database, when the other file is there, or when it cannot be written.
pub async fn backup(path: &Path, to: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Path {
        path: to.to_owned(),
        source,
    };
    let mut connection = existing(path).await?;
    let is_whole = has_all_tables(&mut connection).await;
    if !is_whole.map_err(|source| database(path, source))? {
        return Err(incomplete(path));
    }
    let copy = tempfile::NamedTempFile::new_in(folder_of(to)).map_err(failed)?;
    let name = copy.path().to_str().ok_or(ErrorKind::InvalidFilename);
    let name = name.map_err(|kind| failed(kind.into()))?;
    // SQLite takes a file that is empty.
    let copied = sqlx::query(COPY).bind(name).execute(&mut connection).await;
    copied.map_err(|source| database(to, source))?;
    copy.as_file().sync_all().map_err(failed)?;
    let named = copy.persist_noclobber(to);
    named.map_err(|error| failed(error.error))?;
    sync_folder(to).map_err(failed)?;
    let closed = connection.close().await;
    closed.map_err(|source| database(path, source))
}

/// Puts a backup in the place of the database, with a new epoch for every room's feed: the restored feed is
/// behind what clients have read, and will use the same numbers for other changes, so they load it afresh.
///
/// # Errors
/// When the file is no whole backup, or as [`SqliteStore::open`](crate::SqliteStore::open) of its copy; while
/// another process has the database open; when what the database holds cannot be read, so that an error
/// further on could lose it. Then the database is what it was.
pub async fn restore(path: &Path, from: &Path) -> Result<(), OpenError> {
    let lock = take_lock(path)?;
    let failed = |source| OpenError::Path {
        path: path.to_owned(),
        source,
    };
    refuse_live(path, from)?;
    // On the same file system, so that it can be renamed, and gone if anything fails.
    let folder = tempfile::tempdir_in(folder_of(path)).map_err(failed)?;
    let copy = folder.path().join("chat.db");
    copy_privately(from, &copy).map_err(|source| OpenError::Path {
        path: from.to_owned(),
        source,
    })?;
    check_backup(&copy, from).await?;
    let mut connection = prepare(&copy).await?;
    let renamed = sqlx::query(RENAME).execute(&mut connection).await;
    renamed.map_err(|source| database(&copy, source))?;
    let closed = close_whole(connection).await;
    closed.map_err(|source| database(&copy, source))?;
    fold_old(path).await?;
    // Empty by now; what is written to the database that comes is not to meet them.
    for rest in ["-wal", "-shm"] {
        match fs::remove_file(beside(path, rest)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    fs::rename(&copy, path).map_err(failed)?;
    sync_folder(path).map_err(failed)?;
    drop(lock);
    Ok(())
}

/// A connection to a database that is there.
async fn existing(path: &Path) -> Result<SqliteConnection, OpenError> {
    let options = options(path).create_if_missing(false);
    let connection = options.connect().await;
    connection.map_err(|source| database(path, source))
}

/// Refuses what is no database of this service, or not all of one.
async fn check_backup(copy: &Path, from: &Path) -> Result<(), OpenError> {
    let failed = |source| database(from, source);
    let mut connection = existing(copy).await.map_err(|error| match error {
        OpenError::Database { source, .. } => failed(source),
        other => other,
    })?;
    let is_whole = has_all_tables(&mut connection).await.map_err(failed)?;
    let check = sqlx::query_scalar(CHECK).fetch_one(&mut connection);
    let check: String = check.await.map_err(failed)?;
    connection.close().await.map_err(failed)?;
    if is_whole && check == "ok" {
        return Ok(());
    }
    Err(incomplete(from))
}

async fn has_all_tables(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar(HAS_TABLES).fetch_one(connection).await
}

fn incomplete(path: &Path) -> OpenError {
    OpenError::Incomplete {
        path: path.to_owned(),
    }
}

/// Refuses a database that somebody uses or used last: what is newest of it lies beside it.
fn refuse_live(path: &Path, from: &Path) -> Result<(), OpenError> {
    let log = fs::metadata(beside(from, "-wal"));
    let is_itself = fs::canonicalize(from).ok() == fs::canonicalize(path).ok();
    if log.is_ok_and(|log| log.len() > 0) || (is_itself && from.exists()) {
        return Err(OpenError::NoBackup {
            path: from.to_owned(),
        });
    }
    Ok(())
}

/// Brings what was committed last from the log into the database that will go: if the next step fails, it is
/// the database still.
async fn fold_old(path: &Path) -> Result<(), OpenError> {
    if !path.exists() {
        return Ok(());
    }
    let folded = async { close_whole(options(path).connect().await?).await };
    folded.await.map_err(|source| OpenError::InTheWay {
        path: path.to_owned(),
        source,
    })
}

/// Copies the log into the database, and closes it.
async fn close_whole(mut connection: SqliteConnection) -> sqlx::Result<()> {
    if !fold_log(&mut connection).await? {
        return Err(io::Error::from(ErrorKind::ResourceBusy).into());
    }
    connection.close().await
}

fn copy_privately(from: &Path, to: &Path) -> io::Result<()> {
    io::copy(&mut File::open(from)?, &mut open_private(to)?).map(drop)
}

/// Makes a new name in the folder of `path` outlast a loss of power.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder_of(path))?.sync_all()?;
    }
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Where a file lies whose name is the database's, and more.
fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(more);
    PathBuf::from(name)
}
