//! The store of several nodes: one PostgreSQL, any number of processes that serve it.
//!
//! [`PostgresStore::open`] is the entry. Messages are appended by the writers of `writer.rs`, which
//! group them into one statement each; every other write is a transaction of its own, every read one
//! statement or one snapshot (`calls.rs`). Each feature's SQL lives in the file of its name.
//!
//! Whoever changes a room holds the lock of its row until the commit, so `seq` is contiguous and its
//! order is the commit order over all nodes. Locks are taken in one order: rooms by rising id, then
//! users by rising id, then what belongs to them; only the purge takes them as it comes, and never waits
//! for one. A statement that follows the lock sees everything
//! that was committed before it (read committed), so what a room accepts is decided on its last state.
//!
//! Statements are checked when they run, not when they compile: they are constants with their
//! columns listed, and the conformance suite executes every one of them. Nothing is ever formatted
//! into SQL.

mod calls;
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

use chat_store::{Load, Result, Store};
use sqlx::PgPool;

pub use error::OpenError;
pub use open::{Settings, migrate};
pub use restore::new_epochs;

use calls::Calls;
use writer::Writer;

/// The store in a PostgreSQL database. It must be opened and used inside a Tokio runtime.
pub struct PostgresStore {
    writer: Writer,
    calls: Calls,
}

impl PostgresStore {
    /// Connects to the database and brings its schema up to date.
    ///
    /// Dropping the store without [`close`](Store::close) loses nothing that was acknowledged.
    ///
    /// # Errors
    /// When it cannot be reached, is too old, does not keep its promises, or has a newer schema
    /// that leaves this release behind.
    pub async fn open(settings: &Settings) -> std::result::Result<Self, OpenError> {
        open::open(settings).await
    }

    fn new(pool: PgPool, writer: Writer, settings: &Settings) -> Self {
        Self {
            writer,
            calls: Calls::new(pool, settings.statement),
        }
    }
}

/// Proves that a write commits, and reads what it wrote.
const COUNT_CHECK: &str = "UPDATE readiness SET checks = checks + 1 WHERE id = 1 RETURNING checks";

#[async_trait::async_trait]
impl Store for PostgresStore {
    async fn check(&self) -> Result<()> {
        self.calls
            .write((), |connection, ()| {
                Box::pin(async move {
                    sqlx::query_scalar::<_, i64>(COUNT_CHECK)
                        .fetch_one(connection)
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    fn is_usable(&self) -> bool {
        self.calls.is_open() && self.writer.lives()
    }

    fn load(&self) -> Load {
        self.calls.load(self.writer.waiting())
    }

    async fn close(&self) {
        self.writer.close().await;
        self.calls.close().await;
    }
}
