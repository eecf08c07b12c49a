//! A process that is killed loses nothing that it acknowledged, and what was deleted is gone from
//! the file.

#![expect(clippy::unwrap_used, reason = "the helpers are parts of the tests")]

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use chat_store::{
    DeleteMessage, EditMessage, HistoryFrom, Messages, NewAccount, NewMessage, NewRoom, Rooms,
    Store, Users,
};
use chat_store_sqlite::{OpenError, SqliteStore};
use chat_types::id::{ClientId, Epoch, MessageId, Number, RoomId, UserId};
use chat_types::room::{Role, RoomKind};
use chat_types::text::{MessageBody, Nickname, RoomName, Username};
use chat_types::time::Timestamp;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use uuid::Uuid;

/// Tells the copy of this test that runs as a child which database to write to.
const DATABASE: &str = "CHAT_STORE_SQLITE_TEST_DATABASE";
/// Acknowledgements after which the child is killed.
const BEFORE_THE_KILL: usize = 300;
/// Senders in the child.
const SENDERS: u128 = 8;

const OWNER: UserId = UserId::from_uuid(Uuid::from_u128(1));
const ROOM: RoomId = RoomId::from_uuid(Uuid::from_u128(2));

async fn make_room(store: &SqliteStore) {
    let account = NewAccount {
        id: OWNER,
        username: Username::parse("mina").unwrap(),
        names: vec![Nickname::parse("mina").unwrap()],
        password_hash: "$argon2id$".to_owned(),
        at: Timestamp(1),
    };
    store.create_account(account).await.unwrap();
    let room = NewRoom {
        id: ROOM,
        kind: RoomKind::Public,
        name: Some(RoomName::parse("Lobby").unwrap()),
        topic: None,
        epoch: Epoch("first".to_owned()),
        at: Timestamp(1),
    };
    store.create_room(room, OWNER).await.unwrap();
}

fn message(id: u128, body: &str) -> NewMessage {
    NewMessage {
        id: MessageId::from_uuid(Uuid::from_u128(id)),
        room: ROOM,
        author: OWNER,
        client_id: ClientId::from_uuid(Uuid::from_u128(id)),
        body: MessageBody::parse(body).unwrap(),
        reply_to: None,
        joins_as: Role::Member,
        at: Timestamp(2),
    }
}

/// Appends for ever and prints a line for each acknowledgement, from several senders at once.
async fn append_for_ever(path: &Path) {
    let store = Arc::new(SqliteStore::open(path).await.unwrap());
    make_room(&store).await;
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0.. {
                    let id = 1_000 + n * SENDERS + sender;
                    let sent = store
                        .append(message(id, &id.to_string()))
                        .await
                        .unwrap()
                        .sent;
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "ack {} {id}", sent.number).unwrap();
                    out.flush().unwrap();
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
}

/// Every acknowledgement that the child printed whole before it was killed.
async fn acknowledged_before_a_kill(path: &Path) -> Vec<(u64, String)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "what_was_acknowledged_survives_a_kill",
        ])
        .env(DATABASE, path)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        let words: Vec<&str> = line.split(' ').collect();
        // The test runner's own words stand between.
        if let [.., "ack", number, id] = words[..] {
            acknowledged.push((number.parse().unwrap(), id.to_owned()));
        }
        if acknowledged.len() == BEFORE_THE_KILL {
            let second = SqliteStore::open(path).await;
            assert!(matches!(second, Err(OpenError::InUse { .. })));
            child.start_kill().unwrap();
        }
    }
    assert!(!child.wait().await.unwrap().success());
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_kill() {
    if let Some(path) = std::env::var_os(DATABASE) {
        return append_for_ever(Path::new(&path)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let acknowledged = acknowledged_before_a_kill(&path).await;
    assert!(acknowledged.len() >= BEFORE_THE_KILL);
    let store = SqliteStore::open(&path).await.unwrap();
    let record = store.room(ROOM).await.unwrap().unwrap();
    let most = u32::try_from(record.last_number.0).unwrap();
    let history = store
        .history(ROOM, None, HistoryFrom::Newest, most)
        .await
        .unwrap();
    let numbers: Vec<u64> = history.messages.iter().map(|m| m.number.0).collect();
    assert_eq!(numbers, (1..=u64::from(most)).collect::<Vec<_>>());
    for (number, id) in acknowledged {
        let id = id.parse().unwrap();
        let repeat = store
            .append(message(id, &id.to_string()))
            .await
            .unwrap()
            .sent;
        assert_eq!((repeat.number, repeat.duplicate), (Number(number), true));
    }
    assert_eq!(store.room(ROOM).await.unwrap().unwrap(), record);
}

#[tokio::test]
async fn a_deleted_or_replaced_text_is_not_in_the_file_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let store = SqliteStore::open(&path).await.unwrap();
    make_room(&store).await;
    let long = "deleted-secret ".repeat(200);
    for (id, body) in [
        (10, long.as_str()),
        (11, "replaced-secret"),
        (12, "kept-text"),
    ] {
        store.append(message(id, body)).await.unwrap();
    }
    let id = |n| MessageId::from_uuid(Uuid::from_u128(n));
    let deletion = DeleteMessage {
        room: ROOM,
        id: id(10),
        by: OWNER,
        by_moderator: false,
        at: Timestamp(3),
    };
    store.delete_message(deletion).await.unwrap().unwrap();
    let edit = EditMessage {
        room: ROOM,
        id: id(11),
        by: OWNER,
        body: MessageBody::parse("new").unwrap(),
        at: Timestamp(3),
    };
    store.edit_message(edit).await.unwrap().unwrap();
    store.close().await;
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        bytes.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("kept-text"));
    assert!(!text.contains("deleted-secret"));
    assert!(!text.contains("replaced-secret"));
}
