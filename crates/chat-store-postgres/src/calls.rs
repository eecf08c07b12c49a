//! How the methods of the traits reach the database: a read is one statement or one snapshot, a write
//! one transaction. None waits longer than its time limit, and none is ever half done.
//!
//! A write belongs to a task of the store from the moment it begins: dropping the caller's future does
//! not stop it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chat_store::{Load, StoreError};
use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgConnection, PgPool, Postgres};
use tokio::sync::Semaphore;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

use crate::error::{Failure, Result};

/// Writes that may be under way; one more is refused with `Unavailable`.
const WRITES: usize = 1024;
/// How often a transaction is tried that the database undoes for the sake of others.
pub(crate) const ATTEMPTS: usize = 3;
/// What a whole call may take longer than a statement.
const MARGIN: Duration = Duration::from_secs(1);

/// A snapshot sees what was committed before it, in every statement.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A future as trait objects hold it.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The way to the database for everything but the appending of messages.
pub(crate) struct Calls {
    pool: PgPool,
    tasks: TaskTracker,
    writes: Arc<Semaphore>,
    patience: Duration,
}

impl Calls {
    pub(crate) fn new(pool: PgPool, statement: Duration) -> Self {
        Self {
            pool,
            tasks: TaskTracker::new(),
            writes: Arc::new(Semaphore::new(WRITES)),
            patience: patience(statement),
        }
    }

    /// Runs one statement, which is its own snapshot.
    pub(crate) async fn read<T, F>(&self, work: F) -> chat_store::Result<T>
    where
        F: for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, Result<T>>,
    {
        let mut connection = acquire(&self.pool).await?;
        let done = timeout(self.patience, work(&mut connection)).await;
        Ok(settled(connection, done)?)
    }

    /// Runs several statements on one snapshot.
    pub(crate) async fn snapshot<T, F>(&self, work: F) -> chat_store::Result<T>
    where
        F: for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, Result<T>>,
    {
        let mut connection = acquire(&self.pool).await?;
        let reading = async {
            // It ends with a rollback, which comes with the next use of the connection.
            let mut snapshot = connection.begin_with(SNAPSHOT).await?;
            work(&mut snapshot).await
        };
        let done = timeout(self.patience, reading).await;
        Ok(settled(connection, done)?)
    }

    /// Runs a transaction and returns its result once it is committed. `work` may run again, on the
    /// same argument, after the database undid it.
    pub(crate) async fn write<A, T, F>(&self, argument: A, work: F) -> chat_store::Result<T>
    where
        A: Clone + Send + Sync + 'static,
        T: Send + 'static,
        F: for<'c> Fn(&'c mut PgConnection, A) -> BoxFuture<'c, Result<T>> + Send + Sync + 'static,
    {
        let Ok(permit) = Arc::clone(&self.writes).try_acquire_owned() else {
            return Err(StoreError::Unavailable("too many writes wait".to_owned()));
        };
        let (pool, patience) = (self.pool.clone(), self.patience);
        let done = self.tasks.spawn(async move {
            let result = attempts(&pool, patience, argument, work).await;
            drop(permit);
            result
        });
        match done.await {
            Ok(result) => Ok(result?),
            Err(_) => Err(StoreError::Unavailable("a write panicked".to_owned())),
        }
    }

    /// How busy the pool is, while so many messages wait for the writers.
    pub(crate) fn load(&self, waiting: usize) -> Load {
        let count = |number| usize::try_from(number).unwrap_or(usize::MAX);
        Load {
            connections: count(self.pool.size()),
            idle: self.pool.num_idle(),
            limit: count(self.pool.options().get_max_connections()),
            waiting,
        }
    }

    /// Whether calls can still succeed.
    pub(crate) fn is_open(&self) -> bool {
        !self.pool.is_closed()
    }

    /// Finishes the writes under way and closes.
    pub(crate) async fn close(&self) {
        self.writes.close();
        self.tasks.close();
        self.tasks.wait().await;
        self.pool.close().await;
    }
}

/// How long a whole call may take.
pub(crate) fn patience(statement: Duration) -> Duration {
    statement + MARGIN
}

async fn acquire(pool: &PgPool) -> Result<PoolConnection<Postgres>> {
    let asked = Instant::now();
    let acquired = pool.acquire().await;
    metrics::histogram!("chat_store_acquire_duration_seconds").record(asked.elapsed());
    Ok(acquired?)
}

/// What came of work on a connection. One that did not answer in time is given up, with whatever it is
/// in the middle of: nobody waits for it again.
fn settled<T>(
    mut connection: PoolConnection<Postgres>,
    done: std::result::Result<Result<T>, Elapsed>,
) -> Result<T> {
    done.unwrap_or_else(|_| {
        connection.close_on_drop();
        Err(Failure::unavailable("the database did not answer in time"))
    })
}

async fn attempts<A, T, F>(pool: &PgPool, patience: Duration, argument: A, work: F) -> Result<T>
where
    A: Clone,
    F: for<'c> Fn(&'c mut PgConnection, A) -> BoxFuture<'c, Result<T>>,
{
    let mut attempt = 1;
    loop {
        let mut connection = acquire(pool).await?;
        // An answer to the commit says what became of it; without one nobody knows, and the caller
        // asks again.
        let writing = async {
            let mut transaction = connection.begin().await?;
            let value = work(&mut transaction, argument.clone()).await?;
            transaction.commit().await?;
            Ok(value)
        };
        let done = timeout(patience, writing).await;
        match settled(connection, done) {
            Err(Failure::Undone(why)) if attempt < ATTEMPTS => {
                tracing::debug!(why, attempt, "a transaction is tried again");
                attempt += 1;
            }
            result => return result,
        }
    }
}
