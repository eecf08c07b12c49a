//! What nobody may do without end, and what a limit never loses.

use std::collections::BTreeSet;

use chat_types::account::Empty;
use chat_types::endpoint::{
    DeleteMessage, GetSite, LeaveRoom, ListPublicRooms, NewRoom, PatchMessage, PatchRoom,
    PutReaction, PutRead,
};
use chat_types::id::{MessageId, Number, RequestId};
use chat_types::problem::ErrorCode;
use chat_types::room::{
    CreateRoom, EditMessage, ListQuery, MarkRead, React, RoomKind, Sent, UpdateRoom,
};
use chat_types::ws::{Command, Ephemeral, ServerDoc};
use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use crate::support::{Person, TestApp, new_client_id};

#[tokio::test]
async fn a_user_has_one_rate_over_all_rooms() {
    let app = TestApp::start_with(&[("--limit-user-sends", "2/1m")]).await;
    let (mina, minsu) = (app.account("mina").await, app.account("minsu").await);
    let rooms = [
        mina.room(RoomKind::Public, "one").await,
        mina.room(RoomKind::Public, "two").await,
        mina.room(RoomKind::Public, "three").await,
    ];
    mina.send(rooms[0], "hi").await.unwrap();
    mina.send(rooms[1], "hi").await.unwrap();
    let refused = mina.send(rooms[2], "hi").await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::RateLimited);
    assert!(refused.problem.retry_after_ms.is_some());
    minsu.send(rooms[2], "hi").await.unwrap();
}

#[tokio::test]
async fn guests_of_one_address_share_a_rate_and_accounts_do_not() {
    let app = TestApp::start_with(&[("--limit-guest-sends", "2/1m")]).await;
    let mina = app.account("mina").await;
    let room = mina.room(RoomKind::Public, "lobby").await;
    for name in ["aba", "bcb"] {
        app.guest(name).await.send(room, "hi").await.unwrap();
    }
    let third = app.guest("cdc").await;
    let refused = third.send(room, "hi").await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::RateLimited);
    mina.send(room, "hi").await.unwrap();
    let mut socket = app.socket(Some(third.token())).await;
    let id = socket.say_later(room, "hi").await;
    let refused = socket.refusal(id).await;
    assert_eq!(refused.code, ErrorCode::RateLimited);
    assert!(refused.retry_after_ms.is_some());
}

#[tokio::test]
async fn a_message_that_is_refused_takes_from_no_rate() {
    let own = [
        ("--limit-user-sends", "2/1h"),
        ("--limit-room-sends", "1/1m"),
    ];
    let app = TestApp::start_with(&own).await;
    let mina = app.account("mina").await;
    let (busy, quiet) = (
        mina.room(RoomKind::Public, "busy").await,
        mina.room(RoomKind::Public, "quiet").await,
    );
    mina.send(busy, "one").await.unwrap();
    for _ in 0..5 {
        mina.send(busy, "too soon").await.unwrap_err();
    }
    mina.send(quiet, "two").await.unwrap();
    mina.send(quiet, "three").await.unwrap_err();
}

#[tokio::test]
async fn repeats_have_a_rate_of_their_own() {
    let own = [("--limit-repeats", "3/1m"), ("--limit-sends", "3/1h")];
    let app = TestApp::start_with(&own).await;
    let mina = app.guest("mina").await;
    let room = mina.room(RoomKind::Public, "lobby").await;
    let client_id = new_client_id();
    let first = mina.send_as(room, client_id, "one").await.unwrap();
    for _ in 0..3 {
        let again = mina.send_as(room, client_id, "one").await.unwrap();
        assert_eq!((again.id, again.duplicate), (first.id, true));
    }
    let refused = mina.send_as(room, client_id, "one").await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::RateLimited);
    app.clock
        .advance_ms(refused.problem.retry_after_ms.unwrap());
    assert!(
        mina.send_as(room, client_id, "one")
            .await
            .unwrap()
            .duplicate
    );
    mina.send(room, "two").await.unwrap();
    // The one that was too much took from the rate of messages.
    let spent = mina.send(room, "three").await.unwrap_err();
    assert_eq!(spent.code(), ErrorCode::RateLimited);
}

#[tokio::test]
async fn a_client_id_of_another_message_takes_from_the_rate_of_repeats() {
    let own = [("--limit-repeats", "3/1m")];
    let app = TestApp::start_with(&own).await;
    let mina = app.guest("mina").await;
    let room = mina.room(RoomKind::Public, "lobby").await;
    let client_id = new_client_id();
    mina.send_as(room, client_id, "one").await.unwrap();
    for _ in 0..3 {
        let reused = mina.send_as(room, client_id, "two").await.unwrap_err();
        assert_eq!(reused.code(), ErrorCode::Conflict);
    }
    let refused = mina.send_as(room, client_id, "two").await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::RateLimited);
    mina.send(room, "another").await.unwrap();
}

#[tokio::test]
async fn a_retry_is_answered_when_the_room_was_archived_or_left_in_between() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let room = mina.room(RoomKind::Private, "attic").await;
    let client_id = new_client_id();
    let first = mina.send_as(room, client_id, "one").await.unwrap();
    let archive = UpdateRoom {
        archived: Some(true),
        ..UpdateRoom::default()
    };
    mina.call::<PatchRoom>(&[&room], archive).await.unwrap();
    let again = mina.send_as(room, client_id, "one").await.unwrap();
    assert_eq!((again.id, again.duplicate), (first.id, true));
    let late = mina.send(room, "two").await.unwrap_err();
    assert_eq!(late.code(), ErrorCode::ReadOnly);
    mina.call::<LeaveRoom>(&[&room], Empty {}).await.unwrap();
    let again = mina.send_as(room, client_id, "one").await.unwrap();
    assert_eq!((again.id, again.duplicate), (first.id, true));
    assert_eq!(mina.get_room(room).await.unwrap_err().status, 404);
}

#[tokio::test]
async fn read_positions_have_a_rate_that_says_when_to_come_back() {
    let app = TestApp::start_with(&[("--limit-read-positions", "2/1m")]).await;
    let mina = app.guest("mina").await;
    let room = mina.room(RoomKind::Public, "lobby").await;
    for body in ["one", "two", "three"] {
        mina.send(room, body).await.unwrap();
    }
    let read = async |number| {
        let number = Number(number);
        mina.call::<PutRead>(&[&room], MarkRead { number }).await
    };
    read(1).await.unwrap();
    read(1).await.unwrap();
    let refused = read(2).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::RateLimited);
    app.clock
        .advance_ms(refused.problem.retry_after_ms.unwrap());
    read(3).await.unwrap();
    assert_eq!(mina.get_room(room).await.unwrap().read, Number(3));
}

#[tokio::test]
async fn a_read_position_that_a_socket_tells_too_soon_is_stored_later() {
    let app = TestApp::start_with(&[("--limit-read-positions", "1/300ms")]).await;
    let (mina, joon) = (app.guest("mina").await, app.guest("joon").await);
    let rooms = [
        mina.room(RoomKind::Public, "one").await,
        mina.room(RoomKind::Public, "two").await,
    ];
    let mut phone = app.socket(Some(mina.token())).await;
    let mut laptop = app.socket(Some(mina.token())).await;
    for room in rooms {
        laptop.follow(room).await;
        for body in ["one", "two", "three"] {
            joon.send(room, body).await.unwrap();
        }
    }
    for number in [1, 3, 2].map(Number) {
        for room in rooms {
            phone.send(&Command::Read { room, number }).await;
        }
    }
    let mut stored = BTreeSet::new();
    laptop
        .expect("the furthest position of both", |doc| {
            if let ServerDoc::Eph {
                room,
                data: Ephemeral::Read { number: Number(3) },
            } = doc
            {
                stored.insert(room);
            }
            (stored.len() == rooms.len()).then_some(())
        })
        .await;
    for room in rooms {
        assert_eq!(mina.get_room(room).await.unwrap().read, Number(3));
    }
}

#[tokio::test]
async fn changes_that_are_refused_cost_as_much_as_those_that_are_done() {
    let app = TestApp::start_with(&[("--limit-changes", "4/1h")]).await;
    let mina = app.guest("mina").await;
    let room = mina.open_page("blog", "/failing").await.room.id;
    let nothing = MessageId::from_uuid(Uuid::now_v7());
    let mut socket = app.socket(Some(mina.token())).await;
    let mut edit = async |refused_for| {
        let id = socket.id();
        let body = "x".to_owned();
        let edit = Command::Edit {
            id,
            room,
            message_id: nothing,
            body,
        };
        socket.send(&edit).await;
        assert_eq!(socket.refusal(id).await.code, refused_for);
    };
    edit(ErrorCode::NotFound).await;
    edit(ErrorCode::NotFound).await;
    for refused_for in [
        ErrorCode::NotFound,
        ErrorCode::NotFound,
        ErrorCode::RateLimited,
    ] {
        let deleted = mina
            .call::<DeleteMessage>(&[&room, &nothing], Empty {})
            .await;
        assert_eq!(deleted.unwrap_err().code(), refused_for);
    }
    edit(ErrorCode::RateLimited).await;
}

#[tokio::test]
async fn messages_that_may_not_be_written_cost_their_sender_and_not_the_room() {
    let own = [
        ("--limit-user-sends", "2/1h"),
        ("--limit-room-sends", "1/1h"),
    ];
    let app = TestApp::start_with(&own).await;
    let (mina, minsu) = (app.account("mina").await, app.account("minsu").await);
    let attic = mina.room(RoomKind::Private, "attic").await;
    for refused_for in [
        ErrorCode::NotFound,
        ErrorCode::NotFound,
        ErrorCode::RateLimited,
    ] {
        let refused = minsu.send(attic, "hi").await.unwrap_err();
        assert_eq!(refused.code(), refused_for);
    }
    mina.send(attic, "hi").await.unwrap();
}

#[tokio::test]
async fn who_is_above_their_rate_asks_for_repeats_only_within_the_rate_of_those() {
    let own = [("--limit-repeats", "2/1h"), ("--limit-sends", "1/1h")];
    let app = TestApp::start_with(&own).await;
    let mina = app.guest("mina").await;
    let room = mina.room(RoomKind::Public, "lobby").await;
    let client_id = new_client_id();
    mina.send_as(room, client_id, "one").await.unwrap();
    mina.send(room, "two").await.unwrap_err();
    assert!(
        mina.send_as(room, client_id, "one")
            .await
            .unwrap()
            .duplicate
    );
    let refused = mina.send_as(room, client_id, "one").await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::RateLimited);
}

#[tokio::test]
async fn documents_above_the_rate_are_told_when_to_try_again() {
    let own = [
        ("--limit-documents", "1"),
        ("--limit-documents-burst", "64"),
    ];
    let app = TestApp::start_with(&own).await;
    let mut socket = app.socket(None).await;
    let unknown = |id: u64| format!(r#"{{"t":"dance","id":{id}}}"#);
    let frame: Vec<_> = (100..164).map(unknown).collect();
    let next: Vec<_> = (200..264).map(unknown).collect();
    socket.send_text(&frame.join("\n")).await;
    socket.send_text(&next.join("\n")).await;
    for id in 100..164 {
        let refusal = socket.refusal(RequestId(id)).await;
        assert_eq!(refusal.code, ErrorCode::Malformed, "{id}");
    }
    let refusal = socket.refusal(RequestId(263)).await;
    assert_eq!(refusal.code, ErrorCode::RateLimited);
    assert!(refusal.retry_after_ms.is_some_and(|ms| ms > 0));
    for _ in 0..100 {
        // The server may have closed by now; that is what is waited for.
        let _ = socket.stream.feed(Message::text(frame.join("\n"))).await;
    }
    let _ = socket.stream.flush().await;
    assert_eq!(socket.close_code().await, 4007);
}

#[tokio::test]
async fn edits_of_guests_count_as_messages_of_their_address() {
    let app = TestApp::start_with(&[("--limit-guest-sends", "3/1h")]).await;
    let mina = app.account("mina").await;
    let room = mina.room(RoomKind::Public, "lobby").await;
    let edit = async |person: &Person, sent: &Sent| {
        let body = "other".to_owned();
        let edit = EditMessage { body };
        person.call::<PatchMessage>(&[&room, &sent.id], edit).await
    };
    let (aba, bcb) = (app.guest("aba").await, app.guest("bcb").await);
    let of_aba = aba.send(room, "hi").await.unwrap();
    let of_bcb = bcb.send(room, "hi").await.unwrap();
    edit(&aba, &of_aba).await.unwrap();
    let refused = edit(&bcb, &of_bcb).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::RateLimited);
    assert!(refused.problem.retry_after_ms.is_some());
    let of_mina = mina.send(room, "hi").await.unwrap();
    edit(&mina, &of_mina).await.unwrap();
}

#[tokio::test]
async fn a_room_has_one_rate_of_messages_and_edits_and_one_of_smaller_changes() {
    let own = [
        ("--limit-room-sends", "2/1h"),
        ("--limit-room-changes", "2/1h"),
    ];
    let app = TestApp::start_with(&own).await;
    let (mina, minsu) = (app.account("mina").await, app.account("minsu").await);
    let room = mina.room(RoomKind::Public, "lobby").await;
    let sent = mina.send(room, "hi").await.unwrap();
    let edit = async |body: &str| {
        let body = body.to_owned();
        let edit = EditMessage { body };
        mina.call::<PatchMessage>(&[&room, &sent.id], edit).await
    };
    // What changes nothing takes nothing from the room.
    edit("hi").await.unwrap();
    edit("one").await.unwrap();
    assert_eq!(
        edit("two").await.unwrap_err().code(),
        ErrorCode::RateLimited
    );
    let react = async |person: &Person, emoji: &str| {
        let react = React {
            emoji: emoji.to_owned(),
            on: true,
        };
        person.call::<PutReaction>(&[&room, &sent.id], react).await
    };
    react(&mina, "👍").await.unwrap();
    react(&minsu, "👍").await.unwrap();
    let refused = react(&minsu, "🎉").await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::RateLimited);
}

#[tokio::test]
async fn reactions_of_guests_share_a_rate_of_their_address() {
    let app = TestApp::start_with(&[("--limit-guest-changes", "1/1h")]).await;
    let mina = app.account("mina").await;
    let room = mina.room(RoomKind::Public, "lobby").await;
    let sent = mina.send(room, "hi").await.unwrap();
    let react = async |person: &Person| {
        let react = React {
            emoji: "👍".to_owned(),
            on: true,
        };
        person.call::<PutReaction>(&[&room, &sent.id], react).await
    };
    react(&app.guest("aba").await).await.unwrap();
    let refused = react(&app.guest("bcb").await).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::RateLimited);
    react(&mina).await.unwrap();
}

#[tokio::test]
async fn guests_of_one_address_make_a_bounded_number_of_rooms_and_accounts_do_not_count() {
    let app = TestApp::start_with(&[("--limit-guest-rooms", "2/1h")]).await;
    let request = |name: &str| CreateRoom {
        kind: RoomKind::Public,
        name: name.to_owned(),
        topic: String::new(),
    };
    for name in ["aba", "bcb"] {
        app.guest(name).await.room(RoomKind::Public, name).await;
    }
    let third = app.guest("cdc").await;
    let refused = third.call::<NewRoom>(&[], request("third")).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::RateLimited);
    assert!(refused.problem.retry_after_ms.is_some());
    app.account("mina")
        .await
        .room(RoomKind::Public, "own")
        .await;
}

#[tokio::test]
async fn rooms_in_which_nobody_has_spoken_come_last_in_the_directory() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let spoken = [
        mina.room(RoomKind::Public, "older").await,
        mina.room(RoomKind::Public, "newer").await,
    ];
    for room in spoken {
        mina.send(room, "hi").await.unwrap();
        app.clock.advance_ms(1_000);
    }
    let mut silent = Vec::new();
    for name in ["free coins", "free gold"] {
        silent.push(mina.room(RoomKind::Public, name).await);
        app.clock.advance_ms(1_000);
    }
    let query = ListQuery {
        limit: Some(10),
        ..ListQuery::default()
    };
    let page = app
        .visitor()
        .request::<ListPublicRooms>(&[], query, Empty {})
        .await;
    let listed: Vec<_> = page.unwrap().rooms.iter().map(|it| it.room.id).collect();
    assert_eq!(listed, [spoken[1], spoken[0], silent[1], silent[0]]);
}

#[tokio::test]
async fn a_flood_of_unknown_sites_hides_no_site_that_is_there() {
    let own = [("--limit-unknown-sites", "2/1h"), ("--limit-reads", "1/1h")];
    let app = TestApp::start_with(&own).await;
    let visitor = app.visitor();
    let ask = async |key: &str| visitor.call::<GetSite>(&[&key.to_owned()], Empty {}).await;
    for (key, status) in [("x1", 404), ("x2", 404), ("x3", 429)] {
        assert_eq!(ask(key).await.unwrap_err().status, status, "{key}");
    }
    for _ in 0..3 {
        ask("blog").await.unwrap();
    }
}
