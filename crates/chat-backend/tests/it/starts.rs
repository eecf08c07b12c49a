//! What a reader begins with, which many share: it is always what the reader would read alone.

use chat_store::{Cursor, Start};
use chat_types::account::Empty;
use chat_types::endpoint::{
    DeleteMessage, JoinRoom, LeaveRoom, NewInvite, PatchMessage, PatchRoom, PutPin, PutReaction,
    UseInvite,
};
use chat_types::event::Change;
use chat_types::id::{MessageId, RoomId, Seq};
use chat_types::limits::REPLAY;
use chat_types::problem::ErrorCode;
use chat_types::room::{AcceptInvite, CreateInvite, EditMessage, Pin, React, RoomKind, UpdateRoom};
use chat_types::ws::{Command, Subbed};

use crate::support::{Person, Socket, TestApp};

/// Compares a start with what this reader reads from the store, alone.
async fn compare(app: &TestApp, reader: &Person, subbed: &Subbed, since: Option<Seq>) {
    let cursor = since.map(|since| Cursor {
        epoch: subbed.epoch.clone(),
        since,
    });
    let viewer = reader.login.as_ref().map(|login| login.user.id);
    let tail = if since.is_some() { 0 } else { 100 };
    let snapshot = app
        .store
        .snapshot(subbed.room.id, viewer, cursor, tail, REPLAY);
    let snapshot = snapshot.await.unwrap().unwrap();
    assert_eq!(subbed.room, snapshot.record.room);
    assert_eq!(subbed.epoch, snapshot.record.epoch);
    assert_eq!(subbed.head, snapshot.record.head);
    assert_eq!(subbed.last_number, snapshot.record.last_number);
    assert_eq!(subbed.members, snapshot.members);
    assert_eq!(subbed.me, snapshot.me);
    assert_eq!(subbed.read, snapshot.read);
    let start = if subbed.recovered {
        Start::Resumed(subbed.changes.clone())
    } else {
        Start::Fresh {
            messages: subbed.messages.clone(),
            more_before: subbed.more_before,
        }
    };
    assert_eq!(start, snapshot.start);
}

async fn reader(app: &TestApp, person: &Person) -> Socket {
    let token = person
        .login
        .as_ref()
        .map(|it| it.tokens.access_token.as_str());
    app.socket(token).await
}

/// Follows a room afresh and again after each earlier place, and compares.
async fn check(app: &TestApp, person: &Person, room: RoomId) -> Subbed {
    let mut socket = reader(app, person).await;
    let fresh = socket.follow(room).await;
    assert!(!fresh.recovered);
    compare(app, person, &fresh, None).await;
    for since in [0, fresh.head.0 / 2, fresh.head.0].map(Seq) {
        let resumed = socket.resume(room, &fresh.epoch, since).await;
        assert!(resumed.recovered);
        compare(app, person, &resumed, Some(since)).await;
    }
    *fresh
}

async fn react(person: &Person, room: RoomId, message: MessageId, emoji: &str, on: bool) {
    let react = React {
        emoji: emoji.to_owned(),
        on,
    };
    person
        .call::<PutReaction>(&[&room, &message], react)
        .await
        .unwrap();
}

#[tokio::test]
async fn everybody_begins_with_what_they_would_read_alone_whoever_came_before() {
    let app = TestApp::start().await;
    let (mina, joon, hana) = (
        app.account("mina").await,
        app.guest("joon").await,
        app.guest("hana").await,
    );
    let room = mina.room(RoomKind::Public, "Lobby").await;
    joon.call::<JoinRoom>(&[&room], Empty {}).await.unwrap();
    let liked = mina.send(room, "liked").await.unwrap().id;
    mina.send(room, "not liked").await.unwrap();
    react(&mina, room, liked, "👍", true).await;
    react(&joon, room, liked, "👍", true).await;
    app.store
        .mark_read(room, joon.user().id, chat_types::id::Number(1))
        .await
        .unwrap();
    let everybody = [app.visitor(), joon.clone(), hana.clone(), mina.clone()];
    for person in everybody.iter().chain(everybody.iter().rev()) {
        let start = check(&app, person, room).await;
        let reaction = &start.messages[0].reactions[0];
        let has_reacted = [&mina, &joon].iter().any(|it| {
            let login = person.login.as_ref();
            login.is_some_and(|login| login.user.id == it.user().id)
        });
        assert_eq!(reaction.mine, has_reacted);
        assert_eq!(reaction.count, 2);
    }
}

#[tokio::test]
async fn every_change_is_in_the_next_start() {
    let app = TestApp::start().await;
    let (mina, joon) = (app.account("mina").await, app.guest("joon").await);
    let room = mina.room(RoomKind::Public, "Lobby").await;
    let mut heads = vec![check(&app, &joon, room).await.head];
    let mut changed = async |what: &str| {
        let head = check(&app, &joon, room).await.head;
        assert!(heads.last() < Some(&head), "{what}");
        heads.push(head);
    };
    let id = mina.send(room, "before").await.unwrap().id;
    changed("a message").await;
    let body = "after".to_owned();
    mina.call::<PatchMessage>(&[&room, &id], EditMessage { body })
        .await
        .unwrap();
    changed("an edit").await;
    joon.send(room, "hello").await.unwrap();
    changed("a member's first message").await;
    for on in [true, false] {
        react(&joon, room, id, "🎉", on).await;
        changed("a reaction").await;
    }
    for on in [true, false] {
        mina.call::<PutPin>(&[&room, &id], Pin { on })
            .await
            .unwrap();
        changed("a pin").await;
    }
    mina.call::<DeleteMessage>(&[&room, &id], Empty {})
        .await
        .unwrap();
    changed("a deletion").await;
    let update = UpdateRoom {
        name: Some("Hall".to_owned()),
        ..UpdateRoom::default()
    };
    mina.call::<PatchRoom>(&[&room], update).await.unwrap();
    changed("another name").await;
    joon.call::<LeaveRoom>(&[&room], Empty {}).await.unwrap();
    changed("who left").await;
}

#[tokio::test]
async fn a_read_position_moves_in_the_next_start_without_a_change_of_the_room() {
    let app = TestApp::start().await;
    let mina = app.account("mina").await;
    let room = mina.room(RoomKind::Public, "Lobby").await;
    for text in ["one", "two", "three"] {
        app.guest(text).await.send(room, text).await.unwrap();
    }
    for number in 0..=3 {
        let number = chat_types::id::Number(number);
        app.store
            .mark_read(room, mina.user().id, number)
            .await
            .unwrap();
        assert_eq!(check(&app, &mina, room).await.read, number);
    }
}

async fn refused(socket: &mut Socket, room: RoomId) -> ErrorCode {
    let id = socket.id();
    let sub = Command::Sub {
        id,
        room,
        epoch: None,
        since: None,
        tail: 100,
    };
    socket.send(&sub).await;
    socket.refusal(id).await.code
}

#[tokio::test]
async fn a_private_room_is_begun_only_by_its_members_also_right_after_one_of_them() {
    let app = TestApp::start().await;
    let (mina, joon) = (app.account("mina").await, app.account("joon").await);
    let room = mina.room(RoomKind::Private, "Secret").await;
    mina.send(room, "secret").await.unwrap();
    let mut strangers = [app.socket(None).await, app.socket(Some(joon.token())).await];
    check(&app, &mina, room).await;
    for stranger in &mut strangers {
        assert_eq!(refused(stranger, room).await, ErrorCode::NotFound);
    }
    let [_, joins] = &mut strangers;
    let invite = mina
        .call::<NewInvite>(&[&room], CreateInvite { valid_ms: None })
        .await
        .unwrap();
    joon.call::<UseInvite>(&[], AcceptInvite { code: invite.code })
        .await
        .unwrap();
    let start = joins.follow(room).await;
    compare(&app, &joon, &start, None).await;
    joon.call::<LeaveRoom>(&[&room], Empty {}).await.unwrap();
    check(&app, &mina, room).await;
    assert_eq!(refused(joins, room).await, ErrorCode::NotFound);
}

#[tokio::test]
async fn who_missed_more_than_is_replayed_starts_from_the_newest_messages() {
    let app = TestApp::start().await;
    let mina = app.account("mina").await;
    let room = mina.room(RoomKind::Public, "Lobby").await;
    for n in 0..=REPLAY {
        mina.send(room, &n.to_string()).await.unwrap();
    }
    let mut socket = app.socket(Some(mina.token())).await;
    let epoch = socket.follow(room).await.epoch;
    for _ in 0..2 {
        let missed = socket.resume(room, &epoch, Seq(1)).await;
        assert!(!missed.recovered);
        compare(&app, &mina, &missed, Some(Seq(1))).await;
    }
    let resumed = socket.resume(room, &epoch, Seq(2)).await;
    assert!(resumed.recovered);
    compare(&app, &mina, &resumed, Some(Seq(2))).await;
}

/// A crowd that comes while others write: nobody misses a message between their start and the events
/// after it, and nobody gets one twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_comes_while_others_write_has_no_gap_between_start_and_events() {
    const READERS: usize = 40;
    const MESSAGES: u64 = 60;
    let app = TestApp::start().await;
    let mina = app.account("mina").await;
    let room = mina.room(RoomKind::Public, "Lobby").await;
    let writing = async {
        for n in 0..MESSAGES {
            mina.send(room, &n.to_string()).await.unwrap();
        }
    };
    let reading = futures_util::future::join_all((0..READERS).map(|_| async {
        let mut socket = app.socket(None).await;
        let start = socket.follow(room).await;
        let mut next = start.head.next();
        let mut number = start.last_number.0;
        while number < MESSAGES {
            let event = socket.event(room).await;
            assert_eq!(event.seq, next);
            next = event.seq.next();
            if let Change::Message { message } = event.change {
                number = message.number.0;
            }
        }
    }));
    futures_util::join!(writing, reading);
}
