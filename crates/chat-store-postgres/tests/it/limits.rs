//! What waits for the database is bounded: one more is refused at once, and what waits is done.

use std::pin::Pin;
use std::time::Duration;

use chat_store::{EditMessage, Messages, StoreError};
use chat_store_postgres::{PostgresStore, Settings};
use chat_types::text::MessageBody;
use chat_types::time::Timestamp;
use sqlx::postgres::Postgres;
use sqlx::{Connection, PgConnection, Transaction};

use crate::given::{message, owned_room, raw};

/// Messages that wait for one writer.
const MOST_MESSAGES: usize = 4_096;
/// Writes of other kinds under way.
const MOST_WRITES: usize = 1_024;

/// Nothing that waits runs out of time here.
async fn patient(url: &str) -> PostgresStore {
    let settings = Settings {
        wait: Duration::from_mins(2),
        statement: Duration::from_mins(2),
        ..Settings::of(url)
    };
    PostgresStore::open(&settings).await.unwrap()
}

/// Keeps every room locked.
async fn lock_rooms(connection: &mut PgConnection) -> Transaction<'_, Postgres> {
    let mut transaction = connection.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM rooms FOR UPDATE")
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction
}

/// Waits until somebody waits for a lock.
async fn somebody_waits(url: &str) {
    let mut looks = raw(url).await;
    let waits = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock')";
    while !sqlx::query_scalar::<_, bool>(waits)
        .fetch_one(&mut looks)
        .await
        .unwrap()
    {
        tokio::task::yield_now().await;
    }
}

/// Begins what then waits.
async fn begin<F: Future>(future: &mut Pin<Box<F>>) {
    std::future::poll_fn(|context| {
        assert!(future.as_mut().poll(context).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_beyond_the_queue_is_refused_at_once() {
    let database = chat_testbed::database().unwrap();
    let store = patient(database.url()).await;
    let (mina, room) = owned_room(&store).await;
    let mut other = raw(database.url()).await;
    let locked = lock_rooms(&mut other).await;
    let mut first = Box::pin(store.append(message(room, mina, "first")));
    begin(&mut first).await;
    somebody_waits(database.url()).await;
    let mut waiting: Vec<_> = (0..MOST_MESSAGES)
        .map(|_| Box::pin(store.append(message(room, mina, "waits"))))
        .collect();
    for append in &mut waiting {
        begin(append).await;
    }
    let refused = store.append(message(room, mina, "one more")).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    locked.rollback().await.unwrap();
    first.await.unwrap();
    for append in waiting {
        append.await.unwrap();
    }
    store
        .append(message(room, mina, "room again"))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_beyond_the_limit_is_refused_at_once() {
    let database = chat_testbed::database().unwrap();
    let store = patient(database.url()).await;
    let (mina, room) = owned_room(&store).await;
    let id = store
        .append(message(room, mina, "0"))
        .await
        .unwrap()
        .sent
        .id;
    let edit = |n: usize| EditMessage {
        room,
        id,
        by: mina,
        body: MessageBody::parse(&format!("edit {n}")).unwrap(),
        at: Timestamp(3),
    };
    let mut other = raw(database.url()).await;
    let locked = lock_rooms(&mut other).await;
    let mut waiting: Vec<_> = (0..MOST_WRITES)
        .map(|n| Box::pin(store.edit_message(edit(n))))
        .collect();
    for write in &mut waiting {
        begin(write).await;
    }
    let refused = store.edit_message(edit(MOST_WRITES)).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    locked.rollback().await.unwrap();
    for write in waiting {
        assert!(write.await.unwrap().is_some());
    }
    assert!(
        store
            .edit_message(edit(MOST_WRITES))
            .await
            .unwrap()
            .is_some()
    );
}
