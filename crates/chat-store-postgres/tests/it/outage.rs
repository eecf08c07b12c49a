//! A server that fails is an interruption: what was acknowledged is there, what was not is stored once
//! when it is sent again, every refusal is typed and comes in time, and the store recovers by itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chat_store::{EditMessage, Messages, Rooms, Store, StoreError};
use chat_store_postgres::{PostgresStore, Settings};
use chat_testbed::{Durability, Postgres};
use chat_types::id::{MessageId, Number, RoomId, UserId};
use chat_types::text::MessageBody;
use chat_types::time::Timestamp;
use sqlx::Connection;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use uuid::Uuid;

use crate::given::{
    PATIENCE, Shared, holds_exactly, message, node, owned_room, raw, send_for_sure,
};

const SENDERS: usize = 8;
/// Messages of each sender.
const EACH: usize = 150;

/// Clients who send until everything is acknowledged.
struct Senders {
    tasks: Vec<JoinHandle<(BTreeMap<Number, String>, usize)>>,
    acknowledged: Arc<AtomicUsize>,
}

impl Senders {
    fn start(store: &Shared, room: RoomId, author: UserId) -> Self {
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let send = |sender: usize| {
            let (store, count) = (store.clone(), acknowledged.clone());
            tokio::spawn(async move {
                let (mut sent, mut refusals) = (BTreeMap::new(), 0);
                for n in 0..EACH {
                    let body = format!("{sender}.{n}");
                    let new = message(room, author, &body);
                    let (number, refused) = send_for_sure(&store, new).await;
                    sent.insert(number, body);
                    refusals += refused;
                    count.fetch_add(1, Ordering::Relaxed);
                }
                (sent, refusals)
            })
        };
        Self {
            tasks: (0..SENDERS).map(send).collect(),
            acknowledged,
        }
    }

    /// Waits until so many messages are acknowledged.
    async fn reach(&self, count: usize) {
        let reached = async {
            while self.acknowledged.load(Ordering::Relaxed) < count {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, reached).await.expect("it goes on");
    }

    /// What was acknowledged in the end, and how often somebody was refused.
    async fn finish(self) -> (BTreeMap<Number, String>, usize) {
        let (mut sent, mut refusals) = (BTreeMap::new(), 0);
        for task in self.tasks {
            let (some, refused) = timeout(PATIENCE, task).await.expect("in time").unwrap();
            sent.extend(some);
            refusals += refused;
        }
        assert_eq!(sent.len(), SENDERS * EACH, "no number was given twice");
        (sent, refusals)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_the_server_loses_and_doubles_nothing() {
    let mut server = Postgres::start(Durability::Durable).unwrap();
    let store = node(&server.create_database("chat").unwrap()).await;
    let (mina, room) = owned_room(&store).await;
    let senders = Senders::start(&store, room, mina);
    for crash in 1..=2 {
        senders.reach(crash * 300).await;
        server.crash();
        server.restart().unwrap();
    }
    let (acknowledged, refusals) = senders.finish().await;
    assert!(refusals > 0, "nobody noticed");
    recovers(&store).await;
    holds_exactly(&store, room, &acknowledged).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_connections_lose_and_double_nothing() {
    let database = chat_testbed::database().unwrap();
    let store = node(database.url()).await;
    let (mina, room) = owned_room(&store).await;
    let mut killer = raw(database.url()).await;
    let senders = Senders::start(&store, room, mina);
    for round in 1..=10 {
        senders.reach(round * 100).await;
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .execute(&mut killer)
        .await
        .unwrap();
    }
    let (acknowledged, refusals) = senders.finish().await;
    assert!(refusals > 0, "nobody noticed");
    store.close().await;
    let store = node(database.url()).await;
    holds_exactly(&store, room, &acknowledged).await;
}

/// Every kind of call is refused as not available, and none takes longer than its limits.
async fn refuses_everything_in_time(store: &PostgresStore, room: RoomId, author: UserId) {
    let edit = EditMessage {
        room,
        id: MessageId::from_uuid(Uuid::nil()),
        by: author,
        body: MessageBody::parse("x").unwrap(),
        at: Timestamp(3),
    };
    let begun = Instant::now();
    let (append, write, read, check) = tokio::join!(
        store.append(message(room, author, "hello")),
        store.edit_message(edit),
        store.room(room),
        store.check(),
    );
    for (call, refused) in [
        ("append", append.err()),
        ("edit", write.err()),
        ("read", read.err()),
        ("check", check.err()),
    ] {
        let is_typed = matches!(refused, Some(StoreError::Unavailable(_)));
        assert!(is_typed, "{call}: {refused:?}");
    }
    // To get a connection, to run, and what a busy machine adds.
    let limit = quick("").wait + quick("").statement + Duration::from_secs(5);
    assert!(begun.elapsed() < limit, "after {:?}", begun.elapsed());
    assert!(store.is_usable(), "it recovers by itself");
}

/// Short limits, so that a test need not wait for long ones.
fn quick(url: &str) -> Settings {
    Settings {
        wait: Duration::from_secs(1),
        statement: Duration::from_secs(2),
        ..Settings::of(url)
    }
}

/// Waits until the store works again.
async fn recovers(store: &PostgresStore) {
    let works = async {
        while store.check().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, works).await.expect("it works again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_said_in_time_and_found_again() {
    let mut server = Postgres::start(Durability::Quick).unwrap();
    let url = server.create_database("chat").unwrap();
    let store = PostgresStore::open(&quick(&url)).await.unwrap();
    let (mina, room) = owned_room(&store).await;
    server.stop();
    refuses_everything_in_time(&store, room, mina).await;
    server.restart().unwrap();
    recovers(&store).await;
    let sent = store
        .append(message(room, mina, "hello"))
        .await
        .unwrap()
        .sent;
    assert_eq!(sent.number, Number(1));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_is_said_in_time_and_found_again() {
    let mut server = Postgres::start(Durability::Quick).unwrap();
    let url = server.create_database("chat").unwrap();
    let store = PostgresStore::open(&quick(&url)).await.unwrap();
    let (mina, room) = owned_room(&store).await;
    store.append(message(room, mina, "before")).await.unwrap();
    server.freeze();
    refuses_everything_in_time(&store, room, mina).await;
    server.thaw();
    recovers(&store).await;
    let new = message(room, mina, "after");
    let (number, _) = send_for_sure(&store, new).await;
    let record = store.room(room).await.unwrap().unwrap();
    assert_eq!(record.last_number, number);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_beyond_its_time_is_refused_and_leaves_nothing_half_done() {
    let database = chat_testbed::database().unwrap();
    let store = PostgresStore::open(&quick(database.url())).await.unwrap();
    let (mina, room) = owned_room(&store).await;
    let first = store.append(message(room, mina, "first")).await.unwrap();
    let mut other = raw(database.url()).await;
    let mut holds = other.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM rooms WHERE id = $1 FOR UPDATE")
        .bind(*room.as_uuid())
        .execute(&mut *holds)
        .await
        .unwrap();
    let late = message(room, mina, "late");
    let edit = EditMessage {
        room,
        id: first.sent.id,
        by: mina,
        body: MessageBody::parse("changed").unwrap(),
        at: Timestamp(3),
    };
    let (append, write) =
        tokio::join!(store.append(late.clone()), store.edit_message(edit.clone()));
    assert!(matches!(append, Err(StoreError::Unavailable(_))));
    assert!(matches!(write, Err(StoreError::Unavailable(_))));
    store.room(room).await.unwrap().unwrap();
    holds.rollback().await.unwrap();
    let record = store.room(room).await.unwrap().unwrap();
    assert_eq!((record.head.0, record.last_number), (2, Number(1)));
    let sent = store.append(late).await.unwrap().sent;
    assert_eq!((sent.number, sent.duplicate), (Number(2), false));
    assert!(store.edit_message(edit).await.unwrap().is_some());
    store.close().await;
}
