//! Prints how many messages a second one room takes from one sender and from 64.
//!
//! `cargo run --release -p chat-store-sqlite --example append_bench`

use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_store::{Messages, NewAccount, NewMessage, NewRoom, Rooms, Store, Users};
use chat_store_sqlite::SqliteStore;
use chat_types::id::{ClientId, Epoch, MessageId, RoomId, UserId};
use chat_types::room::{Role, RoomKind};
use chat_types::text::{MessageBody, Nickname, RoomName, TextReason, Username};
use chat_types::time::Timestamp;
use uuid::Uuid;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long each measurement takes.
const DURATION: Duration = Duration::from_secs(5);

#[tokio::main]
#[expect(clippy::print_stdout, reason = "printing is what it is for")]
async fn main() -> Result<(), Failure> {
    for senders in [1, 8, 64, 512] {
        let folder = tempfile::tempdir()?;
        let store = Arc::new(SqliteStore::open(&folder.path().join("chat.db")).await?);
        let (room, author) = make_room(&store).await?;
        let mut waits = measure(&store, room, author, senders).await?;
        waits.sort_unstable();
        let per_second = f64::from(u32::try_from(waits.len())?) / DURATION.as_secs_f64();
        let at = |share: usize| waits[(waits.len() - 1) * share / 100];
        println!(
            "{senders:>4} senders: {per_second:>7.0} messages/s, wait {:?} median, {:?} p99",
            at(50),
            at(99)
        );
        store.close().await;
    }
    Ok(())
}

async fn measure(
    store: &Arc<SqliteStore>,
    room: RoomId,
    author: UserId,
    senders: usize,
) -> Result<Vec<Duration>, Failure> {
    let end = Instant::now() + DURATION;
    let tasks: Vec<_> = (0..senders)
        .map(|_| tokio::spawn(send_until(end, store.clone(), room, author)))
        .collect();
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await??);
    }
    Ok(waits)
}

async fn send_until(
    end: Instant,
    store: Arc<SqliteStore>,
    room: RoomId,
    author: UserId,
) -> Result<Vec<Duration>, Failure> {
    let mut waits = Vec::new();
    while Instant::now() < end {
        let begin = Instant::now();
        let message = NewMessage {
            id: MessageId::from_uuid(Uuid::now_v7()),
            room,
            author,
            client_id: ClientId::from_uuid(Uuid::now_v7()),
            body: parsed(MessageBody::parse(
                "A message of about the usual length, I think.",
            ))?,
            reply_to: None,
            joins_as: Role::Member,
            at: Timestamp(1),
        };
        store.append(message).await?;
        waits.push(begin.elapsed());
    }
    Ok(waits)
}

async fn make_room(store: &SqliteStore) -> Result<(RoomId, UserId), Failure> {
    let account = NewAccount {
        id: UserId::from_uuid(Uuid::new_v4()),
        username: parsed(Username::parse("mina"))?,
        names: vec![parsed(Nickname::parse("mina"))?],
        password_hash: String::new(),
        at: Timestamp(1),
    };
    let author = store.create_account(account).await?.id;
    let room = NewRoom {
        id: RoomId::from_uuid(Uuid::new_v4()),
        kind: RoomKind::Public,
        name: Some(parsed(RoomName::parse("Lobby"))?),
        topic: None,
        epoch: Epoch("first".to_owned()),
        at: Timestamp(1),
    };
    let room = store.create_room(room, author).await?.room.id;
    Ok((room, author))
}

fn parsed<T>(text: Result<T, TextReason>) -> Result<T, Failure> {
    text.map_err(|reason| reason.name().into())
}
