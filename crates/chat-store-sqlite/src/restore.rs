//! A copy of the database for a backup, and its way back.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sqlx::{ConnectOptions, Connection};

use crate::error::OpenError;
use crate::open::{database, options, prepare, take_lock};

/// Writes everything at one instant, and nothing of what was deleted.
const COPY: &str = "VACUUM INTO ?";
/// A name for each feed that it never had.
const RENAME: &str = "UPDATE rooms SET epoch = lower(hex(randomblob(9)))";

/// Copies the database file, as it is at one instant, to a file that is not there yet. The database may be
/// served meanwhile.
///
/// # Errors
/// When there is no database, when the other file is there, or when it cannot be written.
pub async fn backup(path: &Path, to: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Path {
        path: to.to_owned(),
        source,
    };
    let options = options(path).create_if_missing(false);
    let connection = options.connect().await;
    let mut connection = connection.map_err(|source| database(path, source))?;
    // SQLite takes a file that is empty, and it is this user's alone.
    let file = private_file(to).map_err(failed)?;
    let copy = sqlx::query(COPY).bind(to.to_string_lossy());
    if let Err(source) = copy.execute(&mut connection).await {
        // A part of a database must not look like a backup.
        let _ = fs::remove_file(to);
        return Err(database(to, source));
    }
    file.sync_all().map_err(failed)?;
    connection
        .close()
        .await
        .map_err(|source| database(path, source))
}

/// Puts a backup in the place of the database, with a new epoch for every room's feed: the restored feed is
/// behind what clients have read, and will use the same numbers for other changes, so they load it afresh.
///
/// # Errors
/// As [`SqliteStore::open`](crate::SqliteStore::open), of the backup's copy; also while another process has the
/// database open. Then the database is what it was.
pub async fn restore(path: &Path, from: &Path) -> Result<(), OpenError> {
    let lock = take_lock(path)?;
    let failed = |source| OpenError::Path {
        path: path.to_owned(),
        source,
    };
    // On the same file system, so that it can be renamed, and gone if anything fails.
    let place = path.parent().filter(|place| !place.as_os_str().is_empty());
    let place = place.unwrap_or(Path::new("."));
    let folder = tempfile::tempdir_in(place).map_err(failed)?;
    let copy = folder.path().join("chat.db");
    fs::copy(from, &copy).map_err(|source| OpenError::Path {
        path: from.to_owned(),
        source,
    })?;
    let mut connection = prepare(&copy).await?;
    let renamed = sqlx::query(RENAME).execute(&mut connection).await;
    renamed.map_err(|source| database(&copy, source))?;
    let closed = connection.close().await;
    closed.map_err(|source| database(&copy, source))?;
    // What was written to the database that goes must not be applied to the one that comes.
    for rest in ["-wal", "-shm"] {
        match fs::remove_file(beside(path, rest)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    fs::rename(&copy, path).map_err(failed)?;
    drop(lock);
    Ok(())
}

/// Where a file lies whose name is the database's, and more.
fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(more);
    PathBuf::from(name)
}

fn private_file(path: &Path) -> std::io::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
