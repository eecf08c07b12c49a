//! News that may be lost: who is here, who types, how far the own devices have read.

use chat_types::endpoint::PatchRoom;
use chat_types::id::Number;
use chat_types::room::{RoomKind, UpdateRoom};
use chat_types::ws::{Command, Ephemeral, ServerDoc};

use crate::support::{Socket, TestApp};

async fn presence(socket: &mut Socket, wanted: u32) -> Vec<String> {
    let users = socket.expect("presence", |doc| match doc {
        ServerDoc::Eph {
            data: Ephemeral::Presence { count, users },
            ..
        } if count == wanted => Some(users),
        _ => None,
    });
    users.await.into_iter().map(|user| user.name).collect()
}

#[tokio::test]
async fn users_are_named_once_visitors_are_counted_and_who_leaves_is_gone() {
    let app = TestApp::start().await;
    let (mina, joon) = (app.guest("mina").await, app.guest("joon").await);
    let room = mina.open_page("blog", "/here").await.room.id;
    let mut of_mina = app.socket(Some(mina.token())).await;
    let mut phone_of_mina = app.socket(Some(mina.token())).await;
    let mut of_joon = app.socket(Some(joon.token())).await;
    let mut visitor = app.socket(None).await;
    for socket in [&mut of_mina, &mut phone_of_mina, &mut of_joon, &mut visitor] {
        socket.follow(room).await;
    }
    assert_eq!(presence(&mut of_mina, 3).await, ["joon", "mina"]);
    drop(visitor);
    assert_eq!(presence(&mut of_mina, 2).await, ["joon", "mina"]);
    let id = of_joon.id();
    of_joon.send(&Command::Unsub { id, room }).await;
    assert_eq!(presence(&mut of_mina, 1).await, ["mina"]);
}

#[tokio::test]
async fn typing_is_told_to_others_and_not_to_hidden_pages_or_oneself() {
    let app = TestApp::start().await;
    let (mina, joon) = (app.guest("mina").await, app.guest("joon").await);
    let room = mina.open_page("blog", "/typing").await.room.id;
    let mut of_mina = app.socket(Some(mina.token())).await;
    let mut of_joon = app.socket(Some(joon.token())).await;
    let mut hidden = app.socket(None).await;
    for socket in [&mut of_mina, &mut of_joon, &mut hidden] {
        socket.follow(room).await;
    }
    hidden.send(&Command::Mode { idle: true }).await;
    hidden.send(&Command::Probe {}).await;
    hidden
        .expect("ping", |doc| {
            matches!(doc, ServerDoc::Ping { .. }).then_some(())
        })
        .await;
    for _ in 0..5 {
        of_mina.send(&Command::Typing { room }).await;
    }
    let typing = |doc| match doc {
        ServerDoc::Eph {
            data: Ephemeral::Typing { user },
            ..
        } => Some(user.name),
        _ => None,
    };
    assert_eq!(of_joon.expect("typing", typing).await, "mina");
    of_mina.say(room, "done").await;
    for socket in [&mut of_mina, &mut of_joon, &mut hidden] {
        // Told once, so nothing of it comes before the message.
        socket
            .expect("ev", |doc| match doc {
                ServerDoc::Eph {
                    data: Ephemeral::Typing { .. },
                    ..
                } => panic!("typing again"),
                ServerDoc::Ev(event) => crate::support::body_of(&event.change),
                _ => None,
            })
            .await;
    }
}

#[tokio::test]
async fn who_may_not_write_is_not_told_as_typing() {
    let app = TestApp::start().await;
    let (owner, joon) = (app.account("mina").await, app.guest("joon").await);
    let room = owner.room(RoomKind::Public, "news").await;
    let close = UpdateRoom {
        read_only: Some(true),
        ..UpdateRoom::default()
    };
    owner.call::<PatchRoom>(&[&room], close).await.unwrap();
    let mut of_owner = app.socket(Some(owner.token())).await;
    let mut of_joon = app.socket(Some(joon.token())).await;
    let mut visitor = app.socket(None).await;
    for socket in [&mut of_owner, &mut of_joon, &mut visitor] {
        socket.follow(room).await;
    }
    for socket in [&mut of_joon, &mut visitor] {
        socket.send(&Command::Typing { room }).await;
        // Commands are done in order, so what is answered after it was done after it.
        let id = socket.id();
        socket.send(&Command::Unsub { id, room }).await;
        socket
            .expect("ok", |doc| match doc {
                ServerDoc::Ok(ok) if ok.id == id => Some(()),
                _ => None,
            })
            .await;
    }
    of_owner.send(&Command::Typing { room }).await;
    let mut reader = app.socket(None).await;
    reader.follow(room).await;
    let typing = reader.expect("typing", |doc| match doc {
        ServerDoc::Eph {
            data: Ephemeral::Typing { user },
            ..
        } => Some(user.name),
        _ => None,
    });
    assert_eq!(typing.await, "mina", "a moderator may");
}

#[tokio::test]
async fn a_hidden_page_learns_who_is_here_when_it_is_shown_again() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let room = mina.open_page("blog", "/hidden").await.room.id;
    let mut hidden = app.socket(None).await;
    hidden.follow(room).await;
    presence(&mut hidden, 1).await;
    hidden.send(&Command::Mode { idle: true }).await;
    let mut other = app.socket(Some(mina.token())).await;
    other.follow(room).await;
    presence(&mut other, 2).await;
    hidden.send(&Command::Mode { idle: false }).await;
    assert_eq!(presence(&mut hidden, 2).await, ["mina"]);
}

#[tokio::test]
async fn reading_on_one_device_is_told_to_the_other_once() {
    let app = TestApp::start().await;
    let (mina, joon) = (app.guest("mina").await, app.guest("joon").await);
    let room = mina.open_page("blog", "/read").await.room.id;
    mina.send(room, "one").await.unwrap();
    let mut phone = app.socket(Some(mina.token())).await;
    let mut laptop = app.socket(Some(mina.token())).await;
    phone.follow(room).await;
    laptop.follow(room).await;
    for body in ["two", "three"] {
        joon.send(room, body).await.unwrap();
    }
    for number in [2, 2, 1, 2, 3].map(Number) {
        phone.send(&Command::Read { room, number }).await;
    }
    for wanted in [2, 3].map(Number) {
        let number = laptop.expect("read", |doc| match doc {
            ServerDoc::Eph {
                data: Ephemeral::Read { number },
                ..
            } => Some(number),
            _ => None,
        });
        assert_eq!(number.await, wanted);
    }
}
