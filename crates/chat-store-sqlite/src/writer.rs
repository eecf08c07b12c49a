//! The one writer: a task that owns the only connection that writes.
//!
//! Jobs wait in a bounded queue. The writer takes whatever waits (it never waits for more, so an
//! idle store adds no delay), runs each job in a savepoint of one transaction, commits once, and
//! only then tells the callers. A job that fails undoes itself and none of its neighbours. When the
//! commit fails, every caller of the group learns that nothing was written.
//!
//! A job belongs to the writer from the moment it is queued: dropping the caller's future does not
//! stop it, so a transaction is never left half done.

use std::fs::File;
use std::pin::Pin;
use std::sync::Mutex;

use chat_store::StoreError;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::error::Result;

/// Jobs that may wait; one more is refused with `Unavailable`.
const QUEUE_JOBS: usize = 1024;
/// Jobs in one transaction.
const GROUP_JOBS: usize = 64;
/// Bytes of text after which a transaction takes no further job.
const GROUP_BYTES: usize = 512 * 1024;

/// A future as trait objects hold it.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a job does with the connection.
type Run = Box<dyn for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Done> + Send>;

/// One write, waiting for its turn. Dropping it tells its caller that it did not happen.
struct Job {
    bytes: usize,
    run: Run,
}

/// A write that ran and is not committed yet.
struct Done {
    /// Whether its effects stay.
    keep: bool,
    /// Tells the caller; called after the commit. Dropping it tells the caller that the write did
    /// not happen.
    tell: Box<dyn FnOnce() + Send>,
}

/// The way to the writer.
pub(crate) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the writer on `connection`. It keeps `lock`, which holds other processes off, until
    /// its connection is closed.
    pub(crate) fn start(
        connection: SqliteConnection,
        options: SqliteConnectOptions,
        lock: File,
    ) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE_JOBS);
        let task = tokio::spawn(write(jobs, connection, options, lock));
        Self {
            queue: Mutex::new(Some(queue)),
            task: Mutex::new(Some(task)),
        }
    }

    /// Runs `work` in the writer and returns its result once it is committed. `bytes` is about how
    /// much it writes.
    pub(crate) async fn write<T, F>(&self, bytes: usize, work: F) -> chat_store::Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Job {
            bytes,
            run: Box::new(move |connection| {
                Box::pin(async move {
                    let result = work(connection).await;
                    Done {
                        keep: result.is_ok(),
                        // A caller who is gone needs no answer.
                        tell: Box::new(move || drop(reply.send(result))),
                    }
                })
            }),
        };
        self.enqueue(job)?;
        match answer.await {
            Ok(result) => result.map_err(StoreError::from),
            Err(_) => Err(unavailable("the transaction was not committed")),
        }
    }

    /// Takes no more jobs, finishes those that wait, and closes the connection.
    pub(crate) async fn close(&self) {
        drop(lock(&self.queue).take());
        let task = lock(&self.task).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the writer of the database ended badly");
        }
    }

    fn enqueue(&self, job: Job) -> chat_store::Result<()> {
        match lock(&self.queue).as_ref() {
            None => Err(unavailable("the store is closed")),
            Some(queue) => queue.try_send(job).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => unavailable("too many writes wait"),
                mpsc::error::TrySendError::Closed(_) => unavailable("the writer ended"),
            }),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .expect("nothing panics while it holds this lock")
}

fn unavailable(why: &str) -> StoreError {
    StoreError::Unavailable(why.to_owned())
}

/// The writer's life: ends when the queue is closed and empty.
async fn write(
    mut jobs: mpsc::Receiver<Job>,
    connection: SqliteConnection,
    options: SqliteConnectOptions,
    lock: File,
) {
    let mut connection = Some(connection);
    while let Some(first) = jobs.recv().await {
        let group = take_group(first, &mut jobs);
        connection = commit_or_reconnect(connection, &options, group).await;
    }
    if let Some(connection) = connection
        && let Err(error) = connection.close().await
    {
        tracing::warn!(%error, "the database did not close cleanly");
    }
    drop(lock);
}

/// The first job and those that wait behind it, up to the bounds of a group.
fn take_group(first: Job, jobs: &mut mpsc::Receiver<Job>) -> Vec<Job> {
    let mut bytes = first.bytes;
    let mut group = vec![first];
    while group.len() < GROUP_JOBS && bytes < GROUP_BYTES {
        let Ok(job) = jobs.try_recv() else { break };
        bytes += job.bytes;
        group.push(job);
    }
    group
}

/// Commits a group and tells its callers. After an error the connection may be in the middle of a
/// transaction, so it is dropped, which rolls back, and the next group gets a new one.
async fn commit_or_reconnect(
    connection: Option<SqliteConnection>,
    options: &SqliteConnectOptions,
    group: Vec<Job>,
) -> Option<SqliteConnection> {
    let connected = match connection {
        Some(connection) => Ok(connection),
        None => options.connect().await,
    };
    let outcome = match connected {
        Ok(mut connection) => commit(&mut connection, group)
            .await
            .map(|done| (connection, done)),
        Err(error) => Err(error),
    };
    match outcome {
        Ok((connection, done)) => {
            for job in done {
                (job.tell)();
            }
            Some(connection)
        }
        Err(error) => {
            tracing::error!(%error, "a group of writes was not committed");
            None
        }
    }
}

async fn commit(connection: &mut SqliteConnection, group: Vec<Job>) -> sqlx::Result<Vec<Done>> {
    let mut done = Vec::with_capacity(group.len());
    execute(connection, "BEGIN IMMEDIATE").await?;
    for job in group {
        execute(connection, "SAVEPOINT job").await?;
        let job = (job.run)(connection).await;
        if !job.keep {
            execute(connection, "ROLLBACK TO job").await?;
        }
        execute(connection, "RELEASE job").await?;
        done.push(job);
    }
    execute(connection, "COMMIT").await?;
    Ok(done)
}

async fn execute(connection: &mut SqliteConnection, statement: &'static str) -> sqlx::Result<()> {
    sqlx::query(statement).execute(connection).await.map(drop)
}
