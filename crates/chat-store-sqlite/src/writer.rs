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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chat_store::{Conflict, Store};
    use tokio::sync::Notify;

    use super::*;
    use crate::SqliteStore;
    use crate::error::Failure;

    const COUNT: &str = "SELECT checks FROM readiness";
    const RAISE: &str = "UPDATE readiness SET checks = checks + 1";
    /// A row without its user, which the commit refuses.
    const ORPHAN: &str = "\
INSERT INTO sessions (id, user, device, created_at, last_used_at, expires_at)
VALUES (zeroblob(16), zeroblob(16), '', 0, 0, 0)";

    async fn store() -> Arc<SqliteStore> {
        Arc::new(SqliteStore::open_in_memory().await.unwrap())
    }

    async fn raise(store: &SqliteStore) -> chat_store::Result<()> {
        store
            .write(|connection| Box::pin(async move { Ok(execute(connection, RAISE).await?) }))
            .await
    }

    async fn raised(store: &SqliteStore) -> i64 {
        let mut snapshot = store.read().await.unwrap();
        sqlx::query_scalar(COUNT)
            .fetch_one(&mut *snapshot)
            .await
            .unwrap()
    }

    /// Holds the writer until the returned handle is notified, so that what comes next waits and
    /// becomes one group.
    async fn hold(store: &Arc<SqliteStore>) -> Arc<Notify> {
        let (started, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (store, begin, wait) = (store.clone(), started.clone(), go.clone());
        tokio::spawn(async move {
            store
                .write(move |_| {
                    Box::pin(async move {
                        begin.notify_one();
                        wait.notified().await;
                        Ok(())
                    })
                })
                .await
        });
        started.notified().await;
        go
    }

    #[tokio::test]
    async fn a_group_whose_commit_fails_is_not_written_and_every_caller_knows() {
        let store = store().await;
        let go = hold(&store).await;
        let good = raise(&store);
        let bad = store.write(|connection| {
            Box::pin(async move {
                execute(connection, "PRAGMA defer_foreign_keys = ON").await?;
                Ok(execute(connection, ORPHAN).await?)
            })
        });
        let also_good = raise(&store);
        let release = async { go.notify_one() };
        let (good, bad, also_good, ()) = tokio::join!(good, bad, also_good, release);
        for result in [good, bad, also_good] {
            assert!(
                matches!(result, Err(StoreError::Unavailable(_))),
                "{result:?}"
            );
        }
        assert_eq!(raised(&store).await, 0);
        raise(&store).await.unwrap();
        assert_eq!(raised(&store).await, 1);
    }

    #[tokio::test]
    async fn a_job_that_fails_undoes_itself_and_not_its_neighbours() {
        let store = store().await;
        let go = hold(&store).await;
        let good = raise(&store);
        let bad = store.write::<(), _>(|connection| {
            Box::pin(async move {
                execute(connection, RAISE).await?;
                Err(Failure::from(Conflict::NameTaken))
            })
        });
        let also_good = raise(&store);
        let release = async { go.notify_one() };
        let (good, bad, also_good, ()) = tokio::join!(good, bad, also_good, release);
        good.unwrap();
        also_good.unwrap();
        assert!(matches!(
            bad,
            Err(StoreError::Conflict(Conflict::NameTaken))
        ));
        assert_eq!(raised(&store).await, 2);
    }

    #[tokio::test]
    async fn a_write_goes_on_when_its_caller_is_gone() {
        let store = store().await;
        let go = hold(&store).await;
        {
            let mut abandoned = std::pin::pin!(raise(&store));
            let polled = poll_once(abandoned.as_mut()).await;
            assert!(!polled, "it waits behind the held writer");
        }
        go.notify_one();
        raise(&store).await.unwrap();
        assert_eq!(raised(&store).await, 2);
    }

    /// Polls once; whether it was ready.
    async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> bool {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(future.as_mut().poll(context).is_ready())
        })
        .await
    }

    #[tokio::test]
    async fn a_write_beyond_the_queue_is_refused_at_once() {
        let store = store().await;
        let go = hold(&store).await;
        let mut waiting: Vec<_> = (0..QUEUE_JOBS).map(|_| Box::pin(raise(&store))).collect();
        for write in &mut waiting {
            assert!(!poll_once(write.as_mut()).await);
        }
        let refused = raise(&store).await;
        assert!(
            matches!(refused, Err(StoreError::Unavailable(_))),
            "{refused:?}"
        );
        go.notify_one();
        for write in waiting {
            write.await.unwrap();
        }
        assert_eq!(raised(&store).await, i64::try_from(QUEUE_JOBS).unwrap());
    }

    #[tokio::test]
    async fn closing_finishes_what_waits() {
        let store = store().await;
        let go = hold(&store).await;
        let mut waiting = Box::pin(raise(&store));
        assert!(!poll_once(waiting.as_mut()).await);
        go.notify_one();
        let (result, ()) = tokio::join!(waiting, store.close());
        result.unwrap();
    }
}
