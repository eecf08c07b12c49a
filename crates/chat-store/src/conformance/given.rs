//! What a property starts from: users, rooms and messages with ids of their own, and a clock that
//! stands where the property puts it.

use std::sync::Arc;

use chat_types::event::{Change, Event, Message};
use chat_types::id::{
    ClientId, Epoch, MessageId, Number, PageKey, RoomId, Seq, SessionId, SiteKey, UserId,
};
use chat_types::room::{Member, Role, RoomKind, Site};
use chat_types::text::{Emoji, MessageBody, Nickname, RoomName, Username};
use chat_types::time::Timestamp;
use uuid::Uuid;

use crate::{
    Appended, Cursor, DeleteMessage, EditMessage, HistoryFrom, Joined, NewAccount, NewGuest,
    NewMember, NewMessage, NewRoom, NewSession, RoomRecord, SetPin, SetReaction, Snapshot, Store,
    StoreError, TokenHash, UpgradeGuest,
};

/// A store as the properties take it.
pub(crate) type Shared = Arc<dyn Store>;

/// An instant some milliseconds after the suite's beginning of time.
pub(crate) fn at(ms: u64) -> Timestamp {
    Timestamp(1_700_000_000_000 + ms)
}

pub(crate) fn user_id() -> UserId {
    UserId::from_uuid(Uuid::new_v4())
}

pub(crate) fn room_id() -> RoomId {
    RoomId::from_uuid(Uuid::new_v4())
}

pub(crate) fn message_id() -> MessageId {
    MessageId::from_uuid(Uuid::now_v7())
}

pub(crate) fn client_id() -> ClientId {
    ClientId::from_uuid(Uuid::now_v7())
}

pub(crate) fn session_id() -> SessionId {
    SessionId::from_uuid(Uuid::new_v4())
}

pub(crate) fn token(n: u8) -> TokenHash {
    TokenHash([n; 32])
}

pub(crate) fn nickname(text: &str) -> Nickname {
    Nickname::parse(text).expect("a nickname of the suite")
}

pub(crate) fn username(text: &str) -> Username {
    Username::parse(text).expect("a username of the suite")
}

pub(crate) fn body(text: &str) -> MessageBody {
    MessageBody::parse(text).expect("a body of the suite")
}

pub(crate) fn room_name(text: &str) -> RoomName {
    RoomName::parse(text).expect("a room name of the suite")
}

pub(crate) fn emoji(text: &str) -> Emoji {
    Emoji::parse(text).expect("an emoji of the suite")
}

pub(crate) fn site_key(text: &str) -> SiteKey {
    text.parse().expect("a site key of the suite")
}

pub(crate) fn page_key(text: &str) -> PageKey {
    text.parse().expect("a page key of the suite")
}

/// A name for the n-th of many users; no two look alike.
pub(crate) fn nth_name(n: usize) -> String {
    const LETTERS: [char; 8] = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    let digit = |power: u32| LETTERS[n / 8usize.pow(power) % 8];
    [digit(3), digit(2), digit(1), digit(0)].iter().collect()
}

pub(crate) fn new_guest(names: &[&str]) -> NewGuest {
    NewGuest {
        id: user_id(),
        names: names.iter().map(|name| nickname(name)).collect(),
        at: at(0),
    }
}

pub(crate) fn new_account(login: &str, names: &[&str]) -> NewAccount {
    NewAccount {
        id: user_id(),
        username: username(login),
        names: names.iter().map(|name| nickname(name)).collect(),
        password_hash: "$argon2id$one".to_owned(),
        at: at(0),
    }
}

pub(crate) fn upgrade(id: UserId, login: &str, names: &[&str]) -> UpgradeGuest {
    UpgradeGuest {
        id,
        username: username(login),
        names: names.iter().map(|name| nickname(name)).collect(),
        password_hash: "$argon2id$two".to_owned(),
        at: at(9_000),
    }
}

pub(crate) fn new_session(user: UserId, refresh: TokenHash) -> NewSession {
    NewSession {
        id: session_id(),
        user,
        refresh,
        device: "Firefox on Linux".to_owned(),
        at: at(0),
        expires_at: at(1_000_000),
    }
}

pub(crate) fn new_room(kind: RoomKind, name: &str) -> NewRoom {
    NewRoom {
        id: room_id(),
        kind,
        name: Some(room_name(name)),
        topic: None,
        epoch: Epoch("first".to_owned()),
        at: at(0),
    }
}

pub(crate) fn new_message(room: RoomId, author: UserId, text: &str) -> NewMessage {
    NewMessage {
        id: message_id(),
        room,
        author,
        client_id: client_id(),
        body: body(text),
        reply_to: None,
        joins_as: Role::Guest,
        at: at(100),
    }
}

pub(crate) fn new_member(room: RoomId, user: UserId, role: Role) -> NewMember {
    NewMember {
        room,
        user,
        role,
        at: at(50),
    }
}

pub(crate) fn edit(room: RoomId, id: MessageId, by: UserId, text: &str) -> EditMessage {
    EditMessage {
        room,
        id,
        by,
        body: body(text),
        at: at(200),
    }
}

pub(crate) fn deletion(room: RoomId, id: MessageId, by: UserId) -> DeleteMessage {
    DeleteMessage {
        room,
        id,
        by,
        by_moderator: false,
        at: at(300),
    }
}

pub(crate) fn reaction(
    room: RoomId,
    id: MessageId,
    user: UserId,
    text: &str,
    on: bool,
) -> SetReaction {
    SetReaction {
        room,
        id,
        user,
        emoji: emoji(text),
        on,
        at: at(400),
    }
}

pub(crate) fn pin(room: RoomId, id: MessageId, by: UserId, on: bool) -> SetPin {
    SetPin {
        room,
        id,
        by,
        on,
        at: at(500),
    }
}

pub(crate) async fn guest(store: &Shared, name: &str) -> UserId {
    let guest = store.create_guest(new_guest(&[name])).await;
    guest.expect("a guest").id
}

pub(crate) async fn account(store: &Shared, name: &str) -> UserId {
    let account = store.create_account(new_account(name, &[name])).await;
    account.expect("an account").id
}

/// A public room of `owner`; its head is 1.
pub(crate) async fn room(store: &Shared, owner: UserId) -> RoomId {
    let room = new_room(RoomKind::Public, "Lobby");
    let record = store.create_room(room, owner).await;
    record.expect("a room").room.id
}

/// An owner and their public room.
pub(crate) async fn owned_room(store: &Shared) -> (UserId, RoomId) {
    let owner = account(store, "mina").await;
    (owner, room(store, owner).await)
}

pub(crate) async fn site(store: &Shared, key: &str) -> SiteKey {
    let site = Site {
        key: site_key(key),
        origins: vec!["*".to_owned()],
    };
    store.put_site(site).await.expect("a site");
    site_key(key)
}

pub(crate) async fn join(store: &Shared, room: RoomId, user: UserId, role: Role) -> Joined {
    let joined = store.join(new_member(room, user, role)).await;
    joined.expect("a membership")
}

pub(crate) async fn send(store: &Shared, room: RoomId, author: UserId, text: &str) -> Appended {
    let appended = store.append(new_message(room, author, text)).await;
    appended.expect("an acknowledgement")
}

/// Sends `count` messages, "1" to the count.
pub(crate) async fn send_many(store: &Shared, room: RoomId, author: UserId, count: u64) {
    for n in 1..=count {
        send(store, room, author, &n.to_string()).await;
    }
}

pub(crate) async fn load(store: &Shared, room: RoomId, id: MessageId) -> Message {
    let message = store.message(room, id, None).await.expect("a load");
    message.expect("the message")
}

pub(crate) async fn record(store: &Shared, room: RoomId) -> RoomRecord {
    let record = store.room(room).await.expect("a load");
    record.expect("the room")
}

pub(crate) async fn head(store: &Shared, room: RoomId) -> Seq {
    record(store, room).await.head
}

/// All members, read in pages.
pub(crate) async fn load_members(store: &Shared, room: RoomId, page: u32) -> Vec<Member> {
    let mut members = Vec::new();
    let mut cursor = None;
    loop {
        let list = store.members(room, cursor, page).await.expect("members");
        assert!(list.members.len() <= page as usize);
        members.extend(list.members);
        cursor = list.next;
        if cursor.is_none() {
            return members;
        }
    }
}

pub(crate) async fn fresh(store: &Shared, room: RoomId) -> Snapshot {
    let snapshot = store.snapshot(room, None, None, 10_000, 0).await;
    snapshot.expect("a snapshot").expect("the room")
}

pub(crate) async fn resume(store: &Shared, room: RoomId, since: Seq, replay: u32) -> Snapshot {
    let cursor = Cursor {
        epoch: record(store, room).await.epoch,
        since,
    };
    let snapshot = store.snapshot(room, None, Some(cursor), 50, replay).await;
    snapshot.expect("a snapshot").expect("the room")
}

/// The bodies of a page of history, which in the suite are often its numbers.
pub(crate) async fn numbers(
    store: &Shared,
    room: RoomId,
    from: HistoryFrom,
    limit: u32,
) -> (Vec<u64>, bool, bool) {
    let page = store.history(room, None, from, limit).await;
    let page = page.expect("a page of history");
    let numbers = page.messages.iter().map(|message| message.number.0);
    (numbers.collect(), page.more_before, page.more_after)
}

/// The message that an event carries.
pub(crate) fn message_of(event: &Event) -> &Message {
    match &event.change {
        Change::Message { message } => message,
        other => panic!("not a message: {other:?}"),
    }
}

/// Runs `count` futures at once, each in a task of its own, and returns their results.
pub(crate) async fn at_once<T, F, Fut>(count: usize, make: F) -> Vec<T>
where
    T: Send + 'static,
    F: Fn(usize) -> Fut,
    Fut: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = (0..count).map(|n| tokio::spawn(make(n))).collect();
    let mut results = Vec::with_capacity(count);
    for task in tasks {
        results.push(task.await.expect("a task of the suite"));
    }
    results
}

/// Fails unless the call was refused with exactly this error.
#[track_caller]
pub(crate) fn refused<T>(result: crate::Result<T>, wanted: impl Into<Refusal>) {
    let wanted = wanted.into();
    match (result, wanted) {
        (Err(StoreError::NotFound(found)), Refusal::NotFound(wanted)) => assert_eq!(found, wanted),
        (Err(StoreError::Conflict(found)), Refusal::Conflict(wanted)) => assert_eq!(found, wanted),
        (Err(StoreError::LimitReached(_)), Refusal::LimitReached)
        | (Err(StoreError::Unavailable(_)), Refusal::Unavailable) => {}
        (Err(other), wanted) => panic!("refused with {other:?}, not {wanted:?}"),
        (Ok(_), wanted) => panic!("accepted, not refused with {wanted:?}"),
    }
}

/// How a call may be refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    NotFound(crate::Missing),
    Conflict(crate::Conflict),
    LimitReached,
    Unavailable,
}

impl From<crate::Missing> for Refusal {
    fn from(missing: crate::Missing) -> Self {
        Self::NotFound(missing)
    }
}

impl From<crate::Conflict> for Refusal {
    fn from(conflict: crate::Conflict) -> Self {
        Self::Conflict(conflict)
    }
}

/// One to `last`.
pub(crate) fn up_to(last: u64) -> Vec<u64> {
    (1..=last).collect()
}

/// Nothing read.
pub(crate) const UNREAD: Number = Number(0);
