//! What a test starts from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chat_store::{
    HistoryFrom, Messages, NewAccount, NewGuest, NewMessage, NewRoom, Rooms, StoreError, Users,
};
use chat_store_postgres::{PostgresStore, Settings};
use chat_types::event::{Content, Message};
use chat_types::id::{ClientId, Epoch, MessageId, Number, RoomId, UserId};
use chat_types::room::{Role, RoomKind};
use chat_types::text::{MessageBody, Nickname, RoomName, Username};
use chat_types::time::Timestamp;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use uuid::Uuid;

/// Longer than anything that works takes, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) type Shared = Arc<PostgresStore>;

/// A node of its own.
pub(crate) async fn node(url: &str) -> Shared {
    Arc::new(PostgresStore::open(&Settings::of(url)).await.unwrap())
}

/// A connection beside the store.
pub(crate) async fn raw(url: &str) -> PgConnection {
    let options: PgConnectOptions = url.parse().unwrap();
    options.disable_statement_logging().connect().await.unwrap()
}

pub(crate) fn nickname(name: &str) -> Nickname {
    Nickname::parse(name).unwrap()
}

pub(crate) async fn guest(store: &PostgresStore, name: &str) -> UserId {
    let guest = NewGuest {
        id: UserId::from_uuid(Uuid::new_v4()),
        names: vec![nickname(name)],
        at: Timestamp(1),
    };
    store.create_guest(guest).await.unwrap().id
}

pub(crate) async fn account(store: &PostgresStore, name: &str) -> UserId {
    let account = NewAccount {
        id: UserId::from_uuid(Uuid::new_v4()),
        username: Username::parse(name).unwrap(),
        names: vec![nickname(name)],
        password_hash: "$argon2id$".to_owned(),
        at: Timestamp(1),
    };
    store.create_account(account).await.unwrap().id
}

pub(crate) fn new_room(kind: RoomKind) -> NewRoom {
    NewRoom {
        id: RoomId::from_uuid(Uuid::new_v4()),
        kind,
        name: Some(RoomName::parse("Lobby").unwrap()),
        topic: None,
        epoch: Epoch("first".to_owned()),
        at: Timestamp(1),
    }
}

pub(crate) async fn public_room(store: &PostgresStore, owner: UserId) -> RoomId {
    let room = store.create_room(new_room(RoomKind::Public), owner).await;
    room.unwrap().room.id
}

/// An account and its public room.
pub(crate) async fn owned_room(store: &PostgresStore) -> (UserId, RoomId) {
    let owner = account(store, "mina").await;
    (owner, public_room(store, owner).await)
}

pub(crate) fn message(room: RoomId, author: UserId, body: &str) -> NewMessage {
    NewMessage {
        id: MessageId::from_uuid(Uuid::now_v7()),
        room,
        author,
        client_id: ClientId::from_uuid(Uuid::now_v7()),
        body: MessageBody::parse(body).unwrap(),
        reply_to: None,
        joins_as: Role::Guest,
        at: Timestamp(2),
    }
}

/// Sends as a client does: until it is acknowledged, under one client id. Returns the number, and how
/// often the answer was that the database is not available.
pub(crate) async fn send_for_sure(store: &PostgresStore, new: NewMessage) -> (Number, usize) {
    for refusals in 0.. {
        match store.append(new.clone()).await {
            Ok(appended) => return (appended.sent.number, refusals),
            Err(StoreError::Unavailable(_)) => tokio::task::yield_now().await,
            Err(other) => panic!("not what a client can wait for: {other:?}"),
        }
    }
    unreachable!("it ends with an acknowledgement")
}

/// The room has exactly these messages, under exactly these numbers.
pub(crate) async fn holds_exactly(
    store: &PostgresStore,
    room: RoomId,
    acknowledged: &BTreeMap<Number, String>,
) {
    let record = store.room(room).await.unwrap().unwrap();
    let all = u32::try_from(record.last_number.0).unwrap();
    let history = store.history(room, None, HistoryFrom::Newest, all).await;
    let text = |message: Message| match message.content {
        Content::Text { body } => (message.number, body),
        other => panic!("not a text: {other:?}"),
    };
    let found: BTreeMap<Number, String> = history.unwrap().messages.into_iter().map(text).collect();
    assert_eq!(&found, acknowledged);
    let numbers: Vec<u64> = found.keys().map(|number| number.0).collect();
    assert_eq!(numbers, (1..=u64::from(all)).collect::<Vec<_>>());
}
