//! Talking over sockets: who hears what, in which order, and how often.

use std::collections::BTreeSet;

use chat_types::account::Empty;
use chat_types::endpoint::LeaveRoom;
use chat_types::id::{RequestId, Seq};
use chat_types::limits::{GREETING_BYTES, GREETING_ROOMS, TAIL};
use chat_types::problem::ErrorCode;
use chat_types::room::RoomKind;
use chat_types::ws::{Command, ServerDoc, UnsubReason};

use crate::support::{TestApp, hello, new_client_id};

#[tokio::test]
async fn two_guests_talk() {
    let app = TestApp::start().await;
    let (mina, joon) = (app.guest("mina").await, app.guest("joon").await);
    let room = mina.open_page("blog", "/hello").await.room.id;
    let mut of_mina = app.socket(Some(mina.token())).await;
    let mut of_joon = app.socket(Some(joon.token())).await;
    of_mina.follow(room).await;
    of_joon.follow(room).await;
    of_mina.say(room, "안녕하세요").await;
    assert_eq!(of_joon.heard(room).await, "안녕하세요");
    of_joon.say(room, "hello").await;
    assert_eq!(of_mina.heard(room).await, "안녕하세요");
    assert_eq!(of_mina.heard(room).await, "hello");
}

#[tokio::test]
async fn rooms_that_are_asked_for_with_the_greeting_come_with_the_welcome() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let mut documents = vec![serde_json::to_string(&hello(Some(mina.token()))).unwrap()];
    for n in 0..GREETING_ROOMS {
        let room = mina.open_page("blog", &format!("/{n}")).await.room.id;
        let epoch = app.socket(None).await.follow(room).await.epoch;
        let sub = Command::Sub {
            id: RequestId(100 + n as u64),
            room,
            epoch: Some(epoch),
            // Of no history, and as long as one can be.
            since: Some(Seq((1 << 53) - 1)),
            tail: TAIL,
        };
        documents.push(serde_json::to_string(&sub).unwrap());
    }
    let frame = documents.join("\n");
    assert!(frame.len() <= GREETING_BYTES, "{} bytes", frame.len());
    let mut socket = app.connect().await;
    socket.send_text(&frame).await;
    assert!(matches!(
        serde_json::from_str(&socket.next_text().await).unwrap(),
        ServerDoc::Welcome(_)
    ));
    for n in 0..GREETING_ROOMS as u64 {
        let subbed = socket.expect("subbed", |doc| match doc {
            ServerDoc::Subbed(subbed) => Some(subbed.id.0),
            _ => None,
        });
        assert_eq!(subbed.await, 100 + n, "in the order of asking");
    }
}

#[tokio::test]
async fn many_writers_at_once_make_one_contiguous_feed_with_the_same_bytes_for_all() {
    let app = TestApp::start().await;
    let people = [
        app.guest("one").await,
        app.guest("two").await,
        app.guest("three").await,
    ];
    let room = people[0].open_page("blog", "/busy").await.room.id;
    let mut readers = Vec::new();
    for person in &people {
        let mut socket = app.socket(Some(person.token())).await;
        let head = socket.follow(room).await.head;
        readers.push((socket, head));
    }
    for (n, (socket, _)) in readers.iter_mut().enumerate() {
        for i in 0..10 {
            socket.say_later(room, &format!("{n}.{i}")).await;
        }
    }
    let mut feeds = BTreeSet::new();
    for (socket, head) in &mut readers {
        let (mut feed, mut expected, mut messages) = (Vec::new(), *head, 0);
        while messages < 30 {
            let text = socket.next_text().await;
            if let ServerDoc::Ev(event) = serde_json::from_str(&text).unwrap() {
                expected = expected.next();
                assert_eq!(event.seq, expected);
                messages += usize::from(crate::support::body_of(&event.change).is_some());
                feed.push(text);
            }
        }
        feeds.insert(feed);
    }
    assert_eq!(feeds.len(), 1, "the same documents, byte for byte");
}

#[tokio::test]
async fn regression_03_the_same_client_id_over_socket_and_http_makes_one_message() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let room = mina.open_page("blog", "/twice").await.room.id;
    let mut socket = app.socket(Some(mina.token())).await;
    socket.follow(room).await;
    let client_id = new_client_id();
    let over_http = mina.send_as(room, client_id, "once").await.unwrap();
    let id = socket.id();
    let again = Command::Send {
        id,
        room,
        client_id,
        body: "once".into(),
        reply_to: None,
    };
    socket.send(&again).await;
    let sent = socket.expect("ok", |doc| match doc {
        ServerDoc::Ok(ok) if ok.id == id => ok.sent,
        _ => None,
    });
    let sent = sent.await;
    assert!(sent.duplicate && !over_http.duplicate);
    assert_eq!(
        (sent.id, sent.seq, sent.number),
        (over_http.id, over_http.seq, over_http.number)
    );
    assert_eq!(mina.history(room).await.unwrap().messages.len(), 1);
}

#[tokio::test]
async fn regression_03_the_same_word_sent_twice_is_two_messages() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let room = mina.open_page("blog", "/words").await.room.id;
    let mut socket = app.socket(Some(mina.token())).await;
    socket.follow(room).await;
    socket.say(room, "ㅋㅋㅋ").await;
    socket.say(room, "ㅋㅋㅋ").await;
    assert_eq!(mina.history(room).await.unwrap().messages.len(), 2);
}

#[tokio::test]
async fn regression_05_what_was_heard_is_stored_and_what_was_acknowledged_is_in_order() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let room = mina.open_page("blog", "/order").await.room.id;
    let mut writer = app.socket(Some(mina.token())).await;
    let mut reader = app.socket(None).await;
    reader.follow(room).await;
    for n in 0..20 {
        writer.say_later(room, &n.to_string()).await;
    }
    for n in 0..20 {
        assert_eq!(
            reader.heard(room).await,
            n.to_string(),
            "in the order of sending"
        );
        let stored = mina.history(room).await.unwrap().messages;
        assert!(stored.len() > n, "heard before it was stored");
    }
}

#[tokio::test]
async fn a_visitor_reads_a_public_room_and_may_not_write() {
    let app = TestApp::start().await;
    let mina = app.account("mina").await;
    let room = mina.room(RoomKind::Public, "open").await;
    mina.send(room, "hi").await.unwrap();
    let mut visitor = app.socket(None).await;
    assert_eq!(visitor.follow(room).await.messages.len(), 1);
    let id = visitor.say_later(room, "me too").await;
    assert_eq!(visitor.refusal(id).await.code, ErrorCode::Unauthorized);
}

#[tokio::test]
async fn a_private_room_is_not_found_by_others_and_ends_for_who_leaves() {
    let app = TestApp::start().await;
    let (mina, joon) = (app.account("mina").await, app.account("joon").await);
    let room = mina.room(RoomKind::Private, "ours").await;
    let mut of_joon = app.socket(Some(joon.token())).await;
    let id = of_joon.id();
    let sub = Command::Sub {
        id,
        room,
        epoch: None,
        since: None,
        tail: 0,
    };
    of_joon.send(&sub).await;
    assert_eq!(of_joon.refusal(id).await.code, ErrorCode::NotFound);

    let mut of_mina = app.socket(Some(mina.token())).await;
    of_mina.follow(room).await;
    mina.call::<LeaveRoom>(&[&room], Empty {}).await.unwrap();
    let reason = of_mina.expect("unsubbed", |doc| match doc {
        ServerDoc::Unsubbed { room: it, reason } if it == room => Some(reason),
        _ => None,
    });
    assert_eq!(reason.await, UnsubReason::Left);
}

#[tokio::test]
async fn edits_reactions_and_deletions_are_heard_and_acknowledged_with_their_place() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let room = mina.open_page("blog", "/changes").await.room.id;
    let mut socket = app.socket(Some(mina.token())).await;
    socket.follow(room).await;
    let sent = socket.say(room, "first").await;
    let message_id = sent.id;
    let commands = [
        |id, room, message_id| Command::Edit {
            id,
            room,
            message_id,
            body: "second".into(),
        },
        |id, room, message_id| Command::React {
            id,
            room,
            message_id,
            emoji: "👍".into(),
            on: true,
        },
        |id, room, message_id| Command::Delete {
            id,
            room,
            message_id,
        },
    ];
    let mut last = sent.seq;
    for command in commands {
        let id = socket.id();
        socket.send(&command(id, room, message_id)).await;
        let seq = socket.expect("ok", |doc| match doc {
            ServerDoc::Ok(ok) if ok.id == id => ok.seq,
            ServerDoc::Err(err) => panic!("{err:?}"),
            _ => None,
        });
        last = last.next();
        assert_eq!(seq.await, last);
    }
    let mut reader = app.socket(None).await;
    assert_eq!(reader.follow(room).await.head, last);
}

#[tokio::test]
async fn a_room_that_is_left_alone_is_quiet_while_another_is_busy() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let hot = mina.open_page("blog", "/hot").await.room.id;
    let quiet = mina.open_page("blog", "/quiet").await.room.id;
    let mut writer = app.socket(Some(mina.token())).await;
    let mut reader = app.socket(None).await;
    reader.follow(quiet).await;
    writer.follow(hot).await;
    for n in 0..15 {
        writer.say_later(hot, &n.to_string()).await;
    }
    writer.say(quiet, "only this").await;
    let text = reader.expect("ev", |doc| match doc {
        ServerDoc::Ev(event) => Some(event),
        _ => None,
    });
    let event = text.await;
    assert_eq!(event.room, quiet, "nothing of the other room");
}

#[tokio::test]
async fn what_follows_hello_in_its_frame_is_done_and_a_second_hello_is_refused() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let room = mina.open_page("blog", "/frame").await.room.id;
    let mut socket = app.connect().await;
    let id = socket.id();
    let sub = Command::Sub {
        id,
        room,
        epoch: None,
        since: None,
        tail: 0,
    };
    let documents = [hello(Some(mina.token())), sub, hello(None)];
    let lines: Vec<_> = documents
        .iter()
        .map(|doc| serde_json::to_string(doc).unwrap())
        .collect();
    socket.send_text(&lines.join("\n")).await;
    socket
        .expect("subbed", |doc| {
            matches!(doc, ServerDoc::Subbed(_)).then_some(())
        })
        .await;
    let again = socket.refusal(chat_types::id::RequestId(1)).await;
    assert_eq!(again.code, ErrorCode::Malformed);
}

#[tokio::test]
async fn a_visitor_becomes_a_guest_on_the_open_socket_and_never_somebody_else() {
    let app = TestApp::start().await;
    let (mina, joon) = (app.guest("mina").await, app.guest("joon").await);
    let room = mina.open_page("blog", "/join").await.room.id;
    let mut socket = app.socket(None).await;
    socket.follow(room).await;
    let id = socket.id();
    socket
        .send(&Command::Auth {
            id,
            token: mina.token().into(),
        })
        .await;
    socket
        .expect("ok", |doc| {
            matches!(doc, ServerDoc::Ok(ok) if ok.id == id).then_some(())
        })
        .await;
    assert!(socket.say(room, "it is me").await.seq > Seq::ZERO);
    let id = socket.id();
    socket
        .send(&Command::Auth {
            id,
            token: joon.token().into(),
        })
        .await;
    assert_eq!(socket.refusal(id).await.code, ErrorCode::Forbidden);
}

#[tokio::test]
async fn regression_06_readers_hear_of_one_room_while_another_ones_feed_waits() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let stuck = mina.open_page("blog", "/stuck").await.room.id;
    let open = mina.open_page("blog", "/open").await.room.id;
    let mut socket = app.socket(Some(mina.token())).await;
    let head = socket.follow(stuck).await.head;
    socket.follow(open).await;
    // An event from the future: the room waits for its predecessors, and asks the store for them.
    let event = chat_types::event::Event {
        room: stuck,
        seq: Seq(head.0 + 1_000),
        at: app.state.clock.now(),
        change: chat_types::event::Change::Unknown,
    };
    app.state.hub.publish(&event);
    socket.say(open, "still here").await;
    assert_eq!(socket.heard(open).await, "still here");
}
