//! Coming back: after a cut, a restart, or having fallen behind, nothing is missing or doubled.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use chat_store::{NewMessage, SetReaction};
use chat_types::account::{CreateGuest, Empty, SignedIn};
use chat_types::endpoint::{
    DeleteMessage, Endpoint, JoinAsGuest, OpenPageRoom, PatchMessage, PutReaction,
};
use chat_types::event::{Change, Content};
use chat_types::id::{Epoch, RoomId, Seq, UserId};
use chat_types::room::{EditMessage, OpenPage, React, Role, RoomSummary, Sent};
use chat_types::text::{Emoji, MessageBody};
use chat_types::ws::{Command, SUBPROTOCOL, ServerDoc};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpSocket;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{PATIENCE, Socket, TestApp, body_of, handshake, hello, new_client_id};

#[tokio::test]
async fn regression_03_a_resume_brings_exactly_what_was_missed() {
    let app = TestApp::start().await;
    let (mina, joon) = (app.guest("mina").await, app.guest("joon").await);
    let room = mina.open_page("blog", "/gone").await.room.id;
    let kept = mina.send(room, "kept").await.unwrap();
    let edited = mina.send(room, "before").await.unwrap();
    let deleted = mina.send(room, "gone").await.unwrap();
    let mut socket = app.socket(Some(joon.token())).await;
    let known = socket.follow(room).await;
    drop(socket);

    let body = "after".to_owned();
    mina.call::<PatchMessage>(&[&room, &edited.id], EditMessage { body })
        .await
        .unwrap();
    mina.call::<DeleteMessage>(&[&room, &deleted.id], Empty {})
        .await
        .unwrap();
    let react = React {
        emoji: "👍".into(),
        on: true,
    };
    let reacted = mina
        .call::<PutReaction>(&[&room, &kept.id], react)
        .await
        .unwrap();
    let new = mina.send(room, "new").await.unwrap();

    let mut socket = app.socket(Some(joon.token())).await;
    let resumed = socket.resume(room, &known.epoch, known.head).await;
    assert!(resumed.recovered);
    assert_eq!(resumed.head, new.seq);
    let changed: Vec<_> = resumed.changes.iter().map(|it| &it.change).collect();
    let Some(
        [
            Change::Message { message: edit },
            Change::Message { message: tombstone },
            Change::Message { message: reaction },
            Change::Message { message: last },
        ],
    ) = changed.first_chunk::<4>().filter(|_| changed.len() == 4)
    else {
        panic!("four rows changed: {changed:#?}")
    };
    assert_eq!(
        edit.content,
        Content::Text {
            body: "after".into()
        }
    );
    assert!(matches!(tombstone.content, Content::Deleted { .. }));
    assert_eq!(
        (reaction.seq, reaction.reactions[0].count),
        (reacted.seq, 1)
    );
    assert_eq!(last.id, new.id);
}

#[tokio::test]
async fn a_cursor_of_another_history_or_from_the_future_starts_afresh() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let room = mina.open_page("blog", "/epoch").await.room.id;
    mina.send(room, "hi").await.unwrap();
    let mut socket = app.socket(Some(mina.token())).await;
    let known = socket.follow(room).await;
    let foreign = socket.resume(room, &Epoch("another".into()), Seq(1)).await;
    assert!(!foreign.recovered);
    let future = socket
        .resume(room, &known.epoch, Seq(known.head.0 + 1))
        .await;
    assert!(!future.recovered);
}

#[tokio::test]
async fn what_is_published_while_a_room_is_being_followed_is_heard_once() {
    let app = TestApp::start_with(&FLOODABLE).await;
    let mina = app.guest("mina").await;
    let room = mina.open_page("blog", "/race").await.room.id;
    let mut writer = app.socket(Some(mina.token())).await;
    let mut reader = app.socket(None).await;
    for round in 0..20 {
        for n in 0..3 {
            writer.say_later(room, &format!("{round}.{n}")).await;
        }
        let subbed = reader.follow(room).await;
        let snapshot = subbed
            .messages
            .iter()
            .filter_map(|message| match &message.content {
                Content::Text { body } => Some(body.clone()),
                _ => None,
            });
        let mut heard: Vec<_> = snapshot.collect();
        let all = usize::try_from(subbed.last_number.0)
            .unwrap()
            .max(heard.len());
        let (mut at, mut messages) = (subbed.head, all);
        while messages < (round + 1) * 3 {
            let event = reader.event(room).await;
            at = at.next();
            assert_eq!(event.seq, at);
            if let Some(body) = body_of(&event.change) {
                heard.push(body);
                messages += 1;
            }
        }
        assert_eq!(heard.last().unwrap(), &format!("{round}.2"));
        assert_eq!(heard.len(), (round + 1) * 3);
    }
}

#[tokio::test]
async fn a_restarted_server_resumes_everybody() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let room = mina.open_page("blog", "/restart").await.room.id;
    let mut socket = app.socket(Some(mina.token())).await;
    let known = socket.follow(room).await;
    let sent = socket.say(room, "before").await;
    let now = chat_backend::shutdown::Settings {
        delay: Duration::ZERO,
        window: Duration::ZERO,
        grace: PATIENCE,
    };
    assert!(app.state.lifecycle.shut_down(&app.state.hub, &now).await);

    let app = TestApp::start_on(app.store.clone(), &[]).await;
    let mut socket = app.socket(Some(mina.token())).await;
    let resumed = socket.resume(room, &known.epoch, known.head).await;
    assert!(resumed.recovered);
    assert_eq!(resumed.head, sent.seq);
    socket.say(room, "after").await;
    assert_eq!(socket.heard(room).await, "after");
}

/// A server in a process of its own, so that it can be killed.
struct Child {
    process: tokio::process::Child,
    address: std::net::SocketAddr,
}

impl Child {
    async fn start(data: &std::path::Path) -> Self {
        let mut process = tokio::process::Command::new(env!("CARGO_BIN_EXE_chat-backend"))
            .env_clear()
            .env("SECRET_KEY", "0123456789abcdefghijklmnopqrstuvwxyz")
            .env("CHAT_DATA_DIR", data)
            .env("CHAT_ADDR", "127.0.0.1:0")
            .env("CHAT_ADMIN_ADDR", "127.0.0.1:0")
            .env("CHAT_LOG_FORMAT", "json")
            .env("CHAT_SITES", "blog=*")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = timeout(PATIENCE, async {
            loop {
                let line = lines
                    .next_line()
                    .await
                    .unwrap()
                    .expect("the server begins to serve");
                let log: serde_json::Value = serde_json::from_str(&line).unwrap();
                if let Some(api) = log["api"].as_str() {
                    return api.parse().unwrap();
                }
            }
        });
        let address = address.await.unwrap();
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { process, address }
    }

    async fn post<E: Endpoint>(&self, token: Option<&str>, body: E::Body) -> E::Response {
        let url = format!("http://{}{}", self.address, E::PATH);
        let mut request = reqwest::Client::new().post(url).json(&body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap().json().await.unwrap()
    }

    async fn socket(&self, login: &SignedIn) -> Socket {
        let mut socket = Socket::open(handshake(self.address, None, Some(SUBPROTOCOL))).await;
        socket.hello(Some(&login.tokens.access_token)).await;
        socket
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Child::start(data.path()).await;
    let guest = CreateGuest {
        name: "mina".into(),
    };
    let mina = server.post::<JoinAsGuest>(None, guest).await;
    let page = OpenPage {
        site: "blog".parse().unwrap(),
        page: "/kill".parse().unwrap(),
        title: None,
    };
    let summary: RoomSummary = server
        .post::<OpenPageRoom>(Some(&mina.tokens.access_token), page)
        .await;
    let room = summary.room.id;
    let mut socket = server.socket(&mina).await;
    let known = socket.follow(room).await;
    let mut acknowledged = Vec::new();
    for n in 0..4 {
        acknowledged.push(socket.say(room, &n.to_string()).await.id);
    }
    // One more is under way when the process dies.
    socket.say_later(room, "perhaps").await;
    server.process.kill().await.unwrap();

    let server = Child::start(data.path()).await;
    let mut socket = server.socket(&mina).await;
    let resumed = socket.resume(room, &known.epoch, known.head).await;
    assert!(resumed.recovered);
    let stored = resumed
        .changes
        .iter()
        .filter_map(|change| match &change.change {
            Change::Message { message } => Some(message.id),
            _ => None,
        });
    let stored: Vec<_> = stored.collect();
    assert_eq!(stored[..4], acknowledged[..]);
    assert!(stored.len() <= 5);
}

/// A socket whose client takes little at once, so that the server soon has to wait for it.
async fn narrow_socket(app: &TestApp, room: RoomId) -> (Socket, Seq) {
    let tcp = TcpSocket::new_v4().unwrap();
    tcp.set_recv_buffer_size(4096).unwrap();
    let request = handshake(app.address, None, Some(SUBPROTOCOL));
    let mut socket = Socket::open_on(tcp.connect(app.address).await.unwrap(), request).await;
    socket.send(&hello(None)).await;
    let head = socket.follow(room).await.head;
    (socket, head)
}

/// Enough to fill the buffers between the two sides many times over.
const FLOOD: usize = 700;

async fn flood(app: &TestApp, room: RoomId) -> Socket {
    let mina = app.guest("mina").await;
    let mut writer = app.socket(Some(mina.token())).await;
    let body = "한".repeat(4_000);
    for _ in 0..FLOOD {
        writer.say_later(room, &body).await;
    }
    writer
}

/// The same while a healthy reader takes all of it: who takes nothing meanwhile is one who falls behind.
async fn flood_past(app: &TestApp, room: RoomId, reader: &mut Socket) -> Socket {
    let hearing = async {
        for _ in 0..FLOOD {
            reader.heard(room).await;
        }
    };
    tokio::join!(flood(app, room), hearing).0
}

/// The ring holds twice what one connection has under way (16 messages of 12 KB), so that a healthy reader
/// keeps up with what is committed at once, and little of the flood.
const FLOODABLE: [(&str, &str); 5] = [
    ("--limit-frames", "100000"),
    ("--limit-frames-burst", "100000"),
    ("--limit-documents", "100000"),
    ("--limit-documents-burst", "100000"),
    ("--ring-bytes", "400000"),
];

#[tokio::test]
async fn a_reader_who_fell_behind_is_told_and_catches_up_without_a_gap() {
    let mut own = FLOODABLE.to_vec();
    // Nobody is to be closed for their slowness here.
    own.push(("--write-stall-ms", "60000"));
    let app = TestApp::start_with(&own).await;
    let visitor = app.guest("host").await;
    let room = visitor.open_page("blog", "/flood").await.room.id;
    let (mut laggard, mut at) = narrow_socket(&app, room).await;
    let mut reader = app.socket(None).await;
    reader.follow(room).await;
    let _writer = flood_past(&app, room, &mut reader).await;
    let mut numbers = BTreeMap::new();
    let mut resyncs = 0;
    while numbers.len() < FLOOD {
        let text = timeout(PATIENCE, laggard.next_text()).await.unwrap();
        match serde_json::from_str(&text).unwrap() {
            ServerDoc::Ev(event) => {
                at = at.next();
                assert_eq!(event.seq, at, "live events are contiguous");
                if let Change::Message { message } = event.change {
                    assert!(numbers.insert(message.number, message.id).is_none());
                }
            }
            ServerDoc::Resync { .. } => {
                resyncs += 1;
                laggard.sync(room, at).await;
            }
            ServerDoc::Page(page) => {
                for change in page.changes {
                    assert!(change.seq > at);
                    if let Change::Message { message } = change.change {
                        assert!(numbers.insert(message.number, message.id).is_none());
                    }
                }
                at = page.upto;
                if page.more {
                    laggard.sync(room, at).await;
                }
            }
            _ => {}
        }
    }
    assert!(resyncs > 0, "the flood was larger than what a ring holds");
    let last = visitor.send(room, "live again").await.unwrap();
    assert_eq!(laggard.heard(room).await, "live again");
    assert_eq!(last.number.0, FLOOD as u64 + 1);
}

#[tokio::test]
async fn a_reader_who_takes_nothing_is_closed_and_delays_nobody() {
    let mut own = FLOODABLE.to_vec();
    // Longer than a healthy reader of this process ever waits for its turn.
    own.push(("--write-stall-ms", "2000"));
    let app = TestApp::start_with(&own).await;
    let room = app
        .guest("host")
        .await
        .open_page("blog", "/stall")
        .await
        .room
        .id;
    let (mut stalled, _) = narrow_socket(&app, room).await;
    let mut reader = app.socket(None).await;
    reader.follow(room).await;
    let _writer = flood_past(&app, room, &mut reader).await;
    let connections = app.state.hub.connections();
    let ended = timeout(PATIENCE, async {
        use futures_util::StreamExt;
        loop {
            match stalled.stream.next().await {
                Some(Ok(Message::Close(Some(frame)))) => return Some(u16::from(frame.code)),
                Some(Ok(_)) => {}
                _ => return None,
            }
        }
    });
    let code = ended.await.expect("the server ends it");
    assert!(code.is_none_or(|code| code == 4003), "{code:?}");
    assert!(connections <= 3);
}

/// A message that is committed and not published, as if the node that did it had died in between.
async fn commit_in_silence(app: &TestApp, author: UserId, room: RoomId, body: &str) -> Sent {
    let message = NewMessage {
        id: app.state.new_message_id(),
        room,
        author,
        client_id: new_client_id(),
        body: MessageBody::parse(body).unwrap(),
        reply_to: None,
        joins_as: Role::Guest,
        at: app.state.now(),
    };
    app.store.append(message).await.unwrap().sent
}

/// The messages that a reader pulls after `resync`.
async fn pulled(socket: &mut Socket, room: RoomId, after: Seq) -> Vec<chat_types::event::Message> {
    socket
        .expect("resync", |doc| {
            matches!(doc, ServerDoc::Resync { .. }).then_some(())
        })
        .await;
    socket.sync(room, after).await;
    let page = socket.expect("page", |doc| match doc {
        ServerDoc::Page(page) => Some(page),
        _ => None,
    });
    let changes = page.await.changes.into_iter();
    changes
        .filter_map(|change| match change.change {
            Change::Message { message } => Some(*message),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn a_lost_tail_is_found_by_comparing_heads() {
    let app = TestApp::start_with(&[("--heads-ms", "50")]).await;
    let mina = app.guest("mina").await;
    let room = mina.open_page("blog", "/tail").await.room.id;
    mina.send(room, "here").await.unwrap();
    let mut socket = app.socket(None).await;
    let known = socket.follow(room).await;
    commit_in_silence(&app, mina.user().id, room, "silent").await;
    let event = socket.event(room).await;
    assert_eq!(event.seq, known.head.next());
    assert_eq!(body_of(&event.change).as_deref(), Some("silent"));
}

#[tokio::test]
async fn a_lost_message_whose_edit_was_heard_arrives_as_edited() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let room = mina.open_page("blog", "/edited").await.room.id;
    mina.send(room, "here").await.unwrap();
    let mut socket = app.socket(None).await;
    let known = socket.follow(room).await;
    let lost = commit_in_silence(&app, mina.user().id, room, "before").await;
    let body = "after".to_owned();
    mina.call::<PatchMessage>(&[&room, &lost.id], EditMessage { body })
        .await
        .unwrap();
    let messages = pulled(&mut socket, room, known.head).await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].id, lost.id);
    let after = Content::Text {
        body: "after".into(),
    };
    assert_eq!(messages[0].content, after);
    mina.send(room, "live again").await.unwrap();
    assert_eq!(socket.heard(room).await, "live again");
}

#[tokio::test]
async fn a_lost_reaction_leaves_every_reader_their_own() {
    let app = TestApp::start_with(&[("--heads-ms", "50")]).await;
    let (mina, joon) = (app.guest("mina").await, app.guest("joon").await);
    let room = mina.open_page("blog", "/reacted").await.room.id;
    let sent = mina.send(room, "here").await.unwrap();
    let react = React {
        emoji: "👍".into(),
        on: true,
    };
    mina.call::<PutReaction>(&[&room, &sent.id], react)
        .await
        .unwrap();
    let mut socket = app.socket(Some(mina.token())).await;
    let known = socket.follow(room).await;
    let lost = SetReaction {
        room,
        id: sent.id,
        user: joon.user().id,
        emoji: Emoji::parse("👍").unwrap(),
        on: true,
        at: app.state.now(),
    };
    app.store.set_reaction(lost).await.unwrap();
    let messages = pulled(&mut socket, room, known.head).await;
    let reaction = &messages[0].reactions[0];
    assert_eq!((reaction.count, reaction.mine), (2, true));
}

#[tokio::test]
async fn events_that_come_out_of_order_are_heard_in_order() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let room = mina.open_page("blog", "/shuffled").await.room.id;
    let mut socket = app.socket(None).await;
    let head = socket.follow(room).await.head;
    for offset in [3, 1, 2] {
        app.state.hub.publish(&chat_types::event::Event {
            room,
            seq: Seq(head.0 + offset),
            at: app.state.now(),
            change: Change::Unknown,
        });
    }
    for offset in 1..=3 {
        assert_eq!(socket.event(room).await.seq, Seq(head.0 + offset));
    }
}

impl Socket {
    async fn sync(&mut self, room: RoomId, after: Seq) {
        let id = self.id();
        self.send(&Command::Sync {
            id,
            room,
            after,
            limit: 100,
        })
        .await;
    }
}
