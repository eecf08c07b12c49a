//! The writers: tasks that append messages, each over a connection of its own.
//!
//! A room always goes to the same writer, so that what one sender sends to it is appended in that
//! order, and writers of one node never wait for each other's rooms. A message waits in the bounded
//! queue of its writer. The writer takes whatever waits (it never waits for more, so an idle store adds
//! no delay) and appends it as one group; a caller hears only of what is committed. When the
//! database does not answer, nobody knows what became of the group: every caller learns that it is not
//! available, and a retry finds by its client id what was written.
//!
//! A message belongs to its writer from the moment it is queued: dropping the caller's future does not
//! stop it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat_store::{Appended, Appending, NewMessage, StoreError};
use chat_types::id::RoomId;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::calls::{ATTEMPTS, patience};
use crate::error::{Failure, Result};
use crate::messages::group;
use crate::open::Settings;

/// Writers of a node, each with a connection. More make smaller groups; fewer leave the database idle
/// while a group is on its way to the disk.
pub(crate) const WRITERS: u32 = 4;
/// Messages that may wait for one writer; one more is refused with `Unavailable`.
const QUEUE: usize = 4096;
/// Messages in one group.
const GROUP: usize = 256;
/// Bytes of text after which a group takes no further message.
const GROUP_BYTES: usize = 512 * 1024;

/// One message, waiting for its turn. Dropping it tells its caller that the outcome is not known.
struct Job {
    message: NewMessage,
    reply: oneshot::Sender<Result<Appended>>,
}

impl Job {
    fn tell(self, result: Result<Appended>) {
        // A caller who is gone needs no answer.
        drop(self.reply.send(result));
    }
}

/// The way to the writers.
pub(crate) struct Writer {
    queues: Mutex<Option<Vec<mpsc::Sender<Job>>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// How a writer reaches the database.
#[derive(Clone)]
struct Database {
    options: Arc<PgConnectOptions>,
    wait: Duration,
    patience: Duration,
}

impl Writer {
    pub(crate) fn start(options: &PgConnectOptions, settings: &Settings) -> Self {
        let database = Database {
            options: Arc::new(options.clone()),
            wait: settings.wait,
            patience: patience(settings.statement),
        };
        let (queues, tasks) = (0..WRITERS)
            .map(|_| {
                let (queue, jobs) = mpsc::channel(QUEUE);
                (queue, tokio::spawn(write(jobs, database.clone())))
            })
            .unzip();
        Self {
            queues: Mutex::new(Some(queues)),
            tasks: Mutex::new(tasks),
        }
    }

    /// Queues a message; the future returns once it is committed.
    pub(crate) fn append(&self, message: NewMessage) -> Appending {
        let (reply, answer) = oneshot::channel();
        let queued = self.enqueue(Job { message, reply });
        Box::pin(async move {
            queued?;
            match answer.await {
                Ok(result) => result.map_err(StoreError::from),
                Err(_) => Err(unavailable("the outcome is not known; ask again")),
            }
        })
    }

    /// How many messages wait.
    pub(crate) fn waiting(&self) -> usize {
        let queues = lock(&self.queues);
        let queues = queues.iter().flatten();
        queues
            .map(|queue| queue.max_capacity() - queue.capacity())
            .sum()
    }

    /// Whether every writer is there: not after [`close`](Self::close), and not if one ended by
    /// mistake.
    pub(crate) fn lives(&self) -> bool {
        let tasks = lock(&self.tasks);
        !tasks.is_empty() && tasks.iter().all(|task| !task.is_finished())
    }

    /// Takes no more messages, appends those that wait, and closes the connections.
    pub(crate) async fn close(&self) {
        drop(lock(&self.queues).take());
        let tasks = std::mem::take(&mut *lock(&self.tasks));
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a writer of the database ended badly");
            }
        }
    }

    fn enqueue(&self, job: Job) -> chat_store::Result<()> {
        let queues = lock(&self.queues);
        let Some(queues) = queues.as_ref() else {
            return Err(unavailable("the store is closed"));
        };
        let queue = &queues[writer_of(job.message.room, queues.len())];
        queue.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => unavailable("too many messages wait"),
            mpsc::error::TrySendError::Closed(_) => unavailable("the writer ended"),
        })
    }
}

/// Which of `count` writers a room goes to.
fn writer_of(room: RoomId, count: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    room.hash(&mut hasher);
    let count = count as u64;
    usize::try_from(hasher.finish() % count).expect("it is less than a `usize`")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .expect("nothing panics while it holds this lock")
}

fn unavailable(why: &str) -> StoreError {
    StoreError::Unavailable(why.to_owned())
}

/// A writer's life: ends when its queue is closed and empty.
async fn write(mut jobs: mpsc::Receiver<Job>, database: Database) {
    let mut connection = None;
    while let Some(first) = jobs.recv().await {
        let group = take_group(first, &mut jobs);
        let appending = append_or_give_up(connection.take(), database.clone(), group);
        // In a task of its own, so that a panic ends neither the writer nor, half done, a transaction.
        connection = tokio::spawn(appending).await.unwrap_or(None);
    }
    if let Some(connection) = connection {
        drop(connection.close().await);
    }
}

/// The first job and those that wait behind it, up to the bounds of a group.
fn take_group(first: Job, jobs: &mut mpsc::Receiver<Job>) -> Vec<Job> {
    let mut bytes = first.message.body.as_str().len();
    let mut group = vec![first];
    while group.len() < GROUP && bytes < GROUP_BYTES {
        let Ok(job) = jobs.try_recv() else { break };
        bytes += job.message.body.as_str().len();
        group.push(job);
    }
    group
}

/// Appends a group. The connection survives if it answered everything; otherwise it may be in the
/// middle of something, so it is dropped, and the next group gets a new one.
async fn append_or_give_up(
    connection: Option<PgConnection>,
    database: Database,
    group: Vec<Job>,
) -> Option<PgConnection> {
    let mut connection = match connected(connection, &database).await {
        Ok(connection) => connection,
        Err(failure) => {
            let error = StoreError::from(failure);
            tracing::error!(%error, "a group of messages was not appended");
            for job in group {
                job.tell(Err(Failure::unavailable(error.to_string())));
            }
            return None;
        }
    };
    match timeout(database.patience, append(&mut connection, group)).await {
        Ok(Ok(())) => Some(connection),
        Ok(Err(failure)) => {
            let error = StoreError::from(failure);
            tracing::error!(%error, "what became of a group of messages is not known");
            None
        }
        Err(_) => {
            tracing::error!("the database did not answer a group of messages in time");
            None
        }
    }
}

/// The connection, or a new one in its place.
async fn connected(connection: Option<PgConnection>, database: &Database) -> Result<PgConnection> {
    if let Some(connection) = connection {
        return Ok(connection);
    }
    match timeout(database.wait, database.options.connect()).await {
        Ok(connected) => Ok(connected?),
        Err(_) => Err(Failure::unavailable("the database cannot be reached")),
    }
}

/// Appends the plain messages of a group in one statement, and the others under the locks of their
/// rooms. Fails when the connection cannot be used any more; jobs that were not told by then are
/// dropped.
async fn append(connection: &mut PgConnection, group: Vec<Job>) -> Result<()> {
    let messages: Vec<&NewMessage> = group.iter().map(|job| &job.message).collect();
    let (plain, together) = match group::append_plain(connection, &messages).await {
        Ok(plain) => (plain, true),
        // A refusal of the database: nothing of the statement was written. One by one it turns out
        // whose fault it is.
        Err(error @ sqlx::Error::Database(_)) => {
            tracing::debug!(%error, "a group is appended one by one");
            (Vec::new(), false)
        }
        Err(error) => return Err(error.into()),
    };
    let mut group: Vec<Option<Job>> = group.into_iter().map(Some).collect();
    for (at, result) in plain {
        if let Some(job) = group[at].take() {
            job.tell(result);
        }
    }
    let others: Vec<Job> = group.into_iter().flatten().collect();
    if others.is_empty() {
        return Ok(());
    }
    let messages: Vec<&NewMessage> = others.iter().map(|job| &job.message).collect();
    let results = append_others(connection, &messages, together).await?;
    for (job, result) in others.into_iter().zip(results) {
        job.tell(result);
    }
    Ok(())
}

/// Appends what the first statement left, again when the database undid it: nothing of it was written
/// then. `together`: the first attempt need not go one by one.
async fn append_others(
    connection: &mut PgConnection,
    messages: &[&NewMessage],
    mut together: bool,
) -> Result<Vec<Result<Appended>>> {
    let mut attempt = 1;
    loop {
        match group::append_locked(connection, messages, together).await {
            Err(Failure::Undone(why)) if attempt < ATTEMPTS => {
                tracing::debug!(why, attempt, "a group is tried again, one by one");
                attempt += 1;
                together = false;
            }
            Err(Failure::Undone(why)) => {
                let refused = |_| Err(Failure::Undone(why.clone()));
                return Ok(messages.iter().map(refused).collect());
            }
            done => return done,
        }
    }
}
