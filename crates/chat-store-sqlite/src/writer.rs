//! The one writer: a task that owns the only connection that writes.
//!
//! Jobs wait in a bounded queue. The writer takes whatever waits (it never waits for more, so an
//! idle store adds no delay), runs each job in a savepoint of one transaction, messages that stand one
//! behind another together, commits once, and only then tells the callers. A job that fails undoes itself and none of its neighbours. When the
//! commit fails or a job panics, every caller of the group learns that nothing was written: after a
//! panic nobody knows what the connection is in the middle of, so it is given up.
//!
//! The writer also empties the write-ahead log some time after a write. Until then the log may hold
//! the pages of before, with a text that was deleted or replaced since.
//!
//! A job belongs to the writer from the moment it is queued: dropping the caller's future does not
//! stop it, so a transaction is never left half done.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Mutex;
use std::task::Poll;
use std::time::Duration;

use chat_store::{Appended, Appending, NewMessage, StoreError};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::error::Result;
use crate::messages::group;
use crate::open::PATIENCE;

/// Jobs that may wait; one more is refused with `Unavailable`.
const QUEUE_JOBS: usize = 4096;
/// Jobs in one transaction.
const GROUP_JOBS: usize = 1024;
/// Bytes of text after which a transaction takes no further job.
const GROUP_BYTES: usize = 512 * 1024;

/// From a write to the emptying of the log, unless a reader is in the way; then again after this.
pub(crate) const EMPTY_LOG_AFTER: Duration = Duration::from_secs(30);
/// How long the emptying of the log, and every write behind it, waits for a reader.
const EMPTY_LOG_PATIENCE: Duration = Duration::from_millis(100);

/// A future as trait objects hold it.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a job does with the connection.
type Run = Box<dyn for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Done> + Send>;

/// One write, waiting for its turn. Dropping it tells its caller that it did not happen.
enum Job {
    Append(NewMessage, Reply<Appended>),
    Work(Run),
}

type Reply<T> = oneshot::Sender<Result<T>>;

impl Job {
    /// How much text it writes, where that may be much.
    fn bytes(&self) -> usize {
        match self {
            Self::Append(message, _) => message.body.as_str().len(),
            Self::Work(_) => 0,
        }
    }
}

/// Tells a caller; called after the commit. Dropping it tells the caller that the write did not happen.
type Tell = Box<dyn FnOnce() + Send>;

/// A write that ran and is not committed yet.
struct Done {
    /// Whether its effects stay.
    keep: bool,
    tell: Tell,
}

impl Done {
    fn new<T: Send + 'static>(result: Result<T>, reply: Reply<T>) -> Self {
        Self {
            keep: result.is_ok(),
            // A caller who is gone needs no answer.
            tell: Box::new(move || drop(reply.send(result))),
        }
    }
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

    /// Runs `work` in the writer and returns its result once it is committed.
    pub(crate) async fn write<T, F>(&self, work: F) -> chat_store::Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Job::Work(Box::new(move |connection| {
            Box::pin(async move { Done::new(work(connection).await, reply) })
        })))?;
        committed(answer).await
    }

    /// Queues a message; the future returns once it is committed.
    pub(crate) fn append(&self, message: NewMessage) -> Appending {
        let (reply, answer) = oneshot::channel();
        let queued = self.enqueue(Job::Append(message, reply));
        Box::pin(async move {
            queued?;
            committed(answer).await
        })
    }

    /// How many jobs wait.
    pub(crate) fn waiting(&self) -> usize {
        let queue = lock(&self.queue);
        let queue = queue.as_ref();
        queue.map_or(0, |queue| queue.max_capacity() - queue.capacity())
    }

    /// Whether there is a writer: not after [`close`](Self::close), and not if it ended by mistake.
    pub(crate) fn lives(&self) -> bool {
        lock(&self.task)
            .as_ref()
            .is_some_and(|task| !task.is_finished())
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

/// What the writer tells of a write, after the commit.
async fn committed<T>(answer: oneshot::Receiver<Result<T>>) -> chat_store::Result<T> {
    match answer.await {
        Ok(result) => result.map_err(StoreError::from),
        Err(_) => Err(unavailable("the transaction was not committed")),
    }
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
    // What an earlier process wrote last may be in the log still.
    let mut empty_log_at = Some(Instant::now() + EMPTY_LOG_AFTER);
    loop {
        tokio::select! {
            first = jobs.recv() => {
                let Some(first) = first else { break };
                let group = take_group(first, &mut jobs);
                connection = commit_or_reconnect(connection, &options, group).await;
                empty_log_at = empty_log_at.or(Some(Instant::now() + EMPTY_LOG_AFTER));
            }
            () = until(empty_log_at) => {
                let emptied;
                (connection, emptied) = empty_log_or_reconnect(connection, &options).await;
                empty_log_at = (!emptied).then(|| Instant::now() + EMPTY_LOG_AFTER);
            }
        }
    }
    if let Some(connection) = connection
        && let Err(error) = connection.close().await
    {
        tracing::warn!(%error, "the database did not close cleanly");
    }
    drop(lock);
}

/// Returns at `instant`, or never.
async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Empties the log; whether that is done. After an error the next group gets a new connection.
async fn empty_log_or_reconnect(
    connection: Option<SqliteConnection>,
    options: &SqliteConnectOptions,
) -> (Option<SqliteConnection>, bool) {
    let emptied = async {
        let mut connection = connected(connection, options).await?;
        let emptied = empty_log(&mut connection).await?;
        Ok::<_, sqlx::Error>((connection, emptied))
    };
    match emptied.await {
        Ok((connection, emptied)) => (Some(connection), emptied),
        Err(error) => {
            tracing::warn!(%error, "the write-ahead log was not emptied");
            (None, false)
        }
    }
}

/// Copies the log into the database and cuts it to nothing, unless somebody reads from it for
/// longer than writes may wait for that.
async fn empty_log(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    wait_at_most(connection, EMPTY_LOG_PATIENCE).await?;
    let folded = fold_log(connection).await?;
    wait_at_most(connection, PATIENCE).await?;
    Ok(folded)
}

/// Copies the log into the database and cuts it to nothing; false when somebody was in the way.
pub(crate) async fn fold_log(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    let checkpoint = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)");
    let (busy, _, _): (i64, i64, i64) = checkpoint.fetch_one(connection).await?;
    Ok(busy == 0)
}

/// Sets how long a statement waits for a lock.
async fn wait_at_most(connection: &mut SqliteConnection, patience: Duration) -> sqlx::Result<()> {
    let statement = format!("PRAGMA busy_timeout = {}", patience.as_millis());
    let statement = sqlx::query(AssertSqlSafe(statement));
    statement.execute(connection).await.map(drop)
}

/// The connection, or a new one in its place.
async fn connected(
    connection: Option<SqliteConnection>,
    options: &SqliteConnectOptions,
) -> sqlx::Result<SqliteConnection> {
    match connection {
        Some(connection) => Ok(connection),
        None => options.connect().await,
    }
}

/// The first job and those that wait behind it, up to the bounds of a group.
fn take_group(first: Job, jobs: &mut mpsc::Receiver<Job>) -> Vec<Job> {
    let mut bytes = first.bytes();
    let mut group = vec![first];
    while group.len() < GROUP_JOBS && bytes < GROUP_BYTES {
        let Ok(job) = jobs.try_recv() else { break };
        bytes += job.bytes();
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
    let outcome = match connected(connection, options).await {
        Ok(mut connection) => commit(&mut connection, group)
            .await
            .map(|callers| (connection, callers)),
        Err(error) => Err(Lost::from(error)),
    };
    match outcome {
        Ok((connection, callers)) => {
            for tell in callers {
                tell();
            }
            Some(connection)
        }
        Err(error) => {
            tracing::error!(%error, "a group of writes was not committed");
            None
        }
    }
}

/// Why a group is not written.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error("a write panicked")]
    Panic,
}

/// Runs the jobs of a group in one transaction, commits it, and returns whom to tell.
async fn commit(
    connection: &mut SqliteConnection,
    group: Vec<Job>,
) -> std::result::Result<Vec<Tell>, Lost> {
    let mut callers = Vec::with_capacity(group.len());
    execute(connection, "BEGIN IMMEDIATE").await?;
    let mut messages = Vec::new();
    for job in group {
        match job {
            Job::Append(message, reply) => messages.push((message, reply)),
            Job::Work(run) => {
                callers.extend(append(connection, std::mem::take(&mut messages)).await?);
                callers.push(work(connection, run).await?);
            }
        }
    }
    callers.extend(append(connection, messages).await?);
    execute(connection, "COMMIT").await?;
    Ok(callers)
}

async fn work(connection: &mut SqliteConnection, run: Run) -> std::result::Result<Tell, Lost> {
    execute(connection, "SAVEPOINT job").await?;
    let done = unless_it_panics(async { run(connection).await }).await?;
    end_savepoint(connection, done.keep).await?;
    Ok(done.tell)
}

/// Appends messages together.
async fn append(
    connection: &mut SqliteConnection,
    messages: Vec<(NewMessage, Reply<Appended>)>,
) -> std::result::Result<Vec<Tell>, Lost> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let (messages, replies): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
    let results = unless_it_panics(group::append_all(connection, &messages)).await??;
    let callers = results.into_iter().zip(replies);
    Ok(callers
        .map(|(result, reply)| Done::new(result, reply).tell)
        .collect())
}

/// Runs work to its end. A panic is reported by the process's hook.
async fn unless_it_panics<T>(work: impl Future<Output = T>) -> std::result::Result<T, Lost> {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(move |context| {
        // It is not polled again after a panic, and the connection is given up.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(polled) => polled.map(Ok),
            Err(_) => Poll::Ready(Err(Lost::Panic)),
        }
    })
    .await
}

/// Ends the savepoint of a job, whose effects stay or do not.
pub(crate) async fn end_savepoint(
    connection: &mut SqliteConnection,
    keep: bool,
) -> sqlx::Result<()> {
    if !keep {
        execute(connection, "ROLLBACK TO job").await?;
    }
    execute(connection, "RELEASE job").await
}

pub(crate) async fn execute(
    connection: &mut SqliteConnection,
    statement: &'static str,
) -> sqlx::Result<()> {
    sqlx::query(statement).execute(connection).await.map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chat_store::{
        Conflict, Memberships, Messages, NewGuest, NewRoom, RoomUpdate, Rooms, Store, Users,
    };
    use chat_types::id::{ClientId, Epoch, MessageId, Number, RoomId, UserId};
    use chat_types::room::{Role, RoomKind};
    use chat_types::text::{MessageBody, Nickname, RoomName};
    use chat_types::time::Timestamp;
    use tokio::sync::Notify;
    use uuid::Uuid;

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
        Arc::new(SqliteStore::open_temporary().await.unwrap())
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
    async fn a_write_that_panics_ends_neither_the_writer_nor_a_transaction_half_done() {
        let store = store().await;
        let go = hold(&store).await;
        let good = raise(&store);
        let late = store.write::<(), _>(|connection| {
            Box::pin(async move {
                execute(connection, RAISE).await?;
                panic!("after a statement")
            })
        });
        let release = async { go.notify_one() };
        let (good, late, ()) = tokio::join!(good, late, release);
        let early = store
            .write::<(), _>(|_| panic!("before the first statement"))
            .await;
        for result in [good, late, early] {
            assert!(
                matches!(result, Err(StoreError::Unavailable(_))),
                "{result:?}"
            );
        }
        assert!(store.is_usable());
        raise(&store).await.unwrap();
        assert_eq!(raised(&store).await, 1);
    }

    #[tokio::test]
    async fn a_store_whose_writer_is_gone_is_not_usable() {
        let store = store().await;
        assert!(store.is_usable());
        let task = lock(&store.writer.task).take().unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(!store.is_usable());
        assert!(raise(&store).await.is_err());
    }

    /// A room of mina's, and a message of hers for it.
    async fn owned_room(store: &SqliteStore) -> (RoomId, NewMessage) {
        let guest = NewGuest {
            id: UserId::from_uuid(Uuid::from_u128(1)),
            names: vec![Nickname::parse("mina").unwrap()],
            at: Timestamp(1),
        };
        let mina = store.create_guest(guest).await.unwrap().id;
        let room = NewRoom {
            id: RoomId::from_uuid(Uuid::from_u128(2)),
            kind: RoomKind::Public,
            name: Some(RoomName::parse("Lobby").unwrap()),
            topic: None,
            epoch: Epoch("first".to_owned()),
            at: Timestamp(1),
        };
        let room = store.create_room(room, mina).await.unwrap().room.id;
        let new = NewMessage {
            id: MessageId::from_uuid(Uuid::from_u128(3)),
            room,
            author: mina,
            client_id: ClientId::from_uuid(Uuid::from_u128(4)),
            body: MessageBody::parse("once").unwrap(),
            reply_to: None,
            joins_as: Role::Guest,
            at: Timestamp(2),
        };
        (room, new)
    }

    #[tokio::test]
    async fn a_message_behind_the_end_of_its_room_is_refused_whatever_was_seen_before() {
        let store = store().await;
        let (room, new) = owned_room(&store).await;
        let go = hold(&store).await;
        let archive = RoomUpdate {
            archived: Some(true),
            ..RoomUpdate::default()
        };
        let mut archived = store.update_room(room, archive, Timestamp(3));
        assert!(!poll_once(archived.as_mut()).await);
        let behind = store.append(new);
        assert!(!store.room(room).await.unwrap().unwrap().room.archived);
        go.notify_one();
        archived.await.unwrap();
        let refused = behind.await;
        assert!(
            matches!(refused, Err(StoreError::Conflict(Conflict::ReadOnly))),
            "{refused:?}"
        );
    }

    #[tokio::test]
    async fn what_changes_nothing_does_not_wait_for_the_writer() {
        let store = store().await;
        let (room, new) = owned_room(&store).await;
        let mina = new.author;
        let first = store.append(new.clone()).await.unwrap().sent;
        store.mark_read(room, mina, first.number).await.unwrap();
        let go = hold(&store).await;
        let again = store.appended(&new).await.unwrap().unwrap();
        assert_eq!((again.id, again.duplicate), (first.id, true));
        for asked in [Number(0), first.number, Number(99)] {
            let read = store.mark_read(room, mina, asked).await.unwrap();
            assert_eq!(read, first.number);
        }
        go.notify_one();
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
    async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> bool {
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

    /// Whether a file of the store's database contains the text.
    fn is_in_a_file(store: &SqliteStore, text: &str) -> bool {
        let files = std::fs::read_dir(store.folder().unwrap()).unwrap();
        files.into_iter().any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        })
    }

    /// Writes the text in place of the one before.
    async fn put(store: &SqliteStore, text: &'static str) {
        let done = store.write(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO sites (key, origins) VALUES ('blog', ?1)
                     ON CONFLICT DO UPDATE SET origins = excluded.origins",
                )
                .bind(text)
                .execute(connection)
                .await?;
                Ok(())
            })
        });
        done.await.unwrap();
    }

    /// Lets the time pass after which the log is emptied.
    async fn pass_the_time() {
        tokio::time::pause();
        tokio::time::advance(EMPTY_LOG_AFTER).await;
        tokio::time::resume();
    }

    #[tokio::test]
    async fn what_was_replaced_is_in_no_file_some_time_later() {
        let store = store().await;
        put(&store, "[\"a-text-to-be-replaced\"]").await;
        put(&store, "[\"another-text\"]").await;
        assert!(
            is_in_a_file(&store, "a-text-to-be-replaced"),
            "the log has it"
        );
        pass_the_time().await;
        let gone = async {
            while is_in_a_file(&store, "a-text-to-be-replaced") {
                tokio::task::yield_now().await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(20), gone).await;
        assert!(in_time.is_ok(), "it is still in a file");
        assert!(is_in_a_file(&store, "another-text"));
        raise(&store).await.unwrap();
    }

    #[tokio::test]
    async fn a_reader_in_the_way_of_emptying_the_log_delays_it_and_no_write() {
        let store = store().await;
        put(&store, "[\"a-text-to-be-replaced\"]").await;
        let mut reader = store.read().await.unwrap();
        let before: i64 = sqlx::query_scalar(COUNT)
            .fetch_one(&mut *reader)
            .await
            .unwrap();
        assert_eq!(before, 0);
        put(&store, "[\"another-text\"]").await;
        pass_the_time().await;
        let write = tokio::time::timeout(PATIENCE / 2, raise(&store)).await;
        write.expect("it waits for the reader").unwrap();
        assert!(is_in_a_file(&store, "a-text-to-be-replaced"));
        drop(reader);
        let begun = std::time::Instant::now();
        while is_in_a_file(&store, "a-text-to-be-replaced") {
            assert!(begun.elapsed() < 4 * PATIENCE, "it is still in a file");
            pass_the_time().await;
        }
        assert_eq!(raised(&store).await, 1);
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
