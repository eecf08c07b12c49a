//! The embedded store: one SQLite file, one process, one writer, parallel readers.
//!
//! [`SqliteStore::open`] is the entry. Writes go through the one writer task in `writer.rs`, which
//! groups them into transactions; reads run beside it on a pool, each method on one snapshot (WAL).
//! Each feature's SQL lives in the file of its name.
//!
//! Statements are checked when they run, not when they compile: they are constants with their
//! columns listed, and the conformance suite executes every one of them, so a build needs neither a
//! prepared database nor a folder of cached query plans that can go stale. Nothing is ever formatted
//! into SQL.

mod cursor;
mod error;
mod feed;
mod memberships;
mod messages;
mod open;
mod purge;
mod restore;
mod rooms;
mod sessions;
mod sites;
mod users;
mod value;
mod writer;

use std::path::Path;

use chat_store::{Load, Store, StoreError};
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};
use tempfile::TempDir;

pub use error::OpenError;
pub use open::migrate;
pub use restore::{backup, restore};

use writer::{BoxFuture, Writer};

/// The store in one SQLite file. It must be opened and used inside a Tokio runtime.
pub struct SqliteStore {
    writer: Writer,
    readers: SqlitePool,
    /// The folder of a database that ends with the store.
    folder: Option<TempDir>,
}

impl SqliteStore {
    /// Opens the database file, made if it does not exist, brings its schema up to date and takes
    /// it for this process: `<path>.lock` is locked as long as the store lives.
    ///
    /// Dropping the store without [`close`](Store::close) loses nothing that was acknowledged.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        open::open(path, None).await
    }

    /// Opens a database that ends with the store, for tests and trials. It is a file in a new
    /// temporary folder that is removed with the store, so that it behaves exactly like
    /// [`open`](Self::open): SQLite's own memory databases have no WAL and therefore other locks.
    pub async fn open_temporary() -> Result<Self, OpenError> {
        let folder = tempfile::tempdir().map_err(|source| OpenError::Path {
            path: std::env::temp_dir(),
            source,
        })?;
        open::open(&folder.path().join("chat.db"), Some(folder)).await
    }

    /// The folder of a temporary database.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_ref().map(TempDir::path)
    }

    /// Begins a read: what it sees is one snapshot.
    async fn read(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.readers
            .begin()
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    /// Runs `work` in the writer; see [`Writer::write`].
    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, error::Result<T>>
            + Send
            + 'static,
    {
        self.writer.write(work).await
    }
}

/// Proves that a write commits.
const COUNT_CHECK: &str = "UPDATE readiness SET checks = checks + 1 WHERE id = 1";
/// Proves that a read works.
const READ_CHECK: &str = "SELECT checks FROM readiness WHERE id = 1";

#[async_trait::async_trait]
impl Store for SqliteStore {
    async fn check(&self) -> Result<(), StoreError> {
        self.write(|connection| {
            Box::pin(async move {
                sqlx::query(COUNT_CHECK).execute(connection).await?;
                Ok(())
            })
        })
        .await?;
        let mut snapshot = self.read().await?;
        sqlx::query_scalar::<_, i64>(READ_CHECK)
            .fetch_one(&mut *snapshot)
            .await
            .map_err(error::Failure::from)?;
        Ok(())
    }

    fn is_usable(&self) -> bool {
        self.writer.lives()
    }

    fn load(&self) -> Load {
        let limit = self.readers.options().get_max_connections();
        Load {
            connections: usize::try_from(self.readers.size()).unwrap_or(usize::MAX),
            idle: self.readers.num_idle(),
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            waiting: self.writer.waiting(),
        }
    }

    async fn close(&self) {
        self.readers.close().await;
        // The last connection to close folds the write-ahead log into the database file.
        self.writer.close().await;
    }
}
