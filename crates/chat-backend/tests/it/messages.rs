//! Sending, changing and reading messages over HTTP.

use std::sync::Arc;

use chat_types::account::Empty;
use chat_types::endpoint::{DeleteMessage, GetHistory, PatchMessage, PutPin, PutReaction, PutRead};
use chat_types::event::{Content, Message};
use chat_types::id::{MessageId, Number, RoomId, Seq};
use chat_types::problem::ErrorCode;
use chat_types::room::{EditMessage, HistoryQuery, MarkRead, Pin, React, RoomKind};
use chat_types::text::TextReason;

use crate::support::{Person, TestApp, new_client_id};

async fn the_message(person: &Person, room: RoomId) -> Message {
    person.history(room).await.unwrap().messages.pop().unwrap()
}

fn edit(body: &str) -> EditMessage {
    let body = body.to_owned();
    EditMessage { body }
}

#[tokio::test]
async fn a_retry_gets_the_first_acknowledgement() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let room = mina.room(RoomKind::Public, "lobby").await;
    let client_id = new_client_id();
    let first = mina.send_as(room, client_id, "once").await.unwrap();
    let again = mina.send_as(room, client_id, "once").await.unwrap();
    assert!(!first.duplicate && again.duplicate);
    assert_eq!(
        (again.id, again.seq, again.number),
        (first.id, first.seq, first.number)
    );
    assert_eq!(mina.history(room).await.unwrap().messages.len(), 1);

    let other = mina
        .send_as(room, client_id, "something else")
        .await
        .unwrap_err();
    assert_eq!((other.status, other.code()), (409, ErrorCode::Conflict));
}

#[tokio::test]
async fn the_same_word_sent_twice_shows_twice() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let room = mina.room(RoomKind::Public, "lobby").await;
    mina.send(room, "ㅋㅋ").await.unwrap();
    mina.send(room, "ㅋㅋ").await.unwrap();
    assert_eq!(mina.history(room).await.unwrap().messages.len(), 2);
}

#[tokio::test]
async fn parallel_retries_make_one_message() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let room = mina.room(RoomKind::Public, "lobby").await;
    let client_id = new_client_id();
    let attempts: Vec<_> = (0..16)
        .map(|_| {
            let mina = mina.clone();
            tokio::spawn(async move { mina.send_as(room, client_id, "once").await.unwrap() })
        })
        .collect();
    let mut firsts = 0;
    for attempt in attempts {
        firsts += usize::from(!attempt.await.unwrap().duplicate);
    }
    assert_eq!(firsts, 1);
    assert_eq!(mina.history(room).await.unwrap().messages.len(), 1);
}

#[tokio::test]
async fn regression_04_a_fast_sender_is_told_when_to_send_again_whatever_the_tab() {
    let app = TestApp::start_with(&[("--limit-sends", "2/10s")]).await;
    let mina = app.guest("mina").await;
    let second_tab = mina.clone();
    let room = mina.room(RoomKind::Public, "lobby").await;
    let last = new_client_id();
    mina.send(room, "one").await.unwrap();
    second_tab.send_as(room, last, "two").await.unwrap();
    let refused = mina.send(room, "three").await.unwrap_err();
    assert_eq!(
        (refused.status, refused.code()),
        (429, ErrorCode::RateLimited)
    );
    let wait_ms = refused.problem.retry_after_ms.unwrap();
    assert!((1..=5_000).contains(&wait_ms), "{wait_ms}");

    let retry = mina.send_as(room, last, "two").await.unwrap();
    assert!(
        retry.duplicate,
        "what was acknowledged is acknowledged again"
    );
    app.clock.advance_ms(wait_ms);
    mina.send(room, "three").await.unwrap();
    assert_eq!(mina.history(room).await.unwrap().messages.len(), 3);
}

#[tokio::test]
async fn a_retry_costs_nothing_of_the_rate() {
    let app = TestApp::start_with(&[("--limit-sends", "2/1h")]).await;
    let mina = app.guest("mina").await;
    let room = mina.room(RoomKind::Public, "lobby").await;
    let client_id = new_client_id();
    for _ in 0..5 {
        mina.send_as(room, client_id, "one").await.unwrap();
    }
    mina.send(room, "two").await.unwrap();
    assert_eq!(mina.send(room, "three").await.unwrap_err().status, 429);
}

#[tokio::test]
async fn a_crowded_room_has_a_rate_of_its_own() {
    let app = TestApp::start_with(&[("--limit-room-sends", "1/1m")]).await;
    let (mina, minsu) = (app.guest("mina").await, app.guest("minsu").await);
    let room = mina.room(RoomKind::Public, "lobby").await;
    mina.send(room, "one").await.unwrap();
    assert_eq!(minsu.send(room, "two").await.unwrap_err().status, 429);
}

#[tokio::test]
async fn regression_05_what_is_acknowledged_is_stored() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let room = mina.room(RoomKind::Public, "lobby").await;
    let sent = mina.send(room, "kept").await.unwrap();
    let second_process = TestApp::start_on(Arc::clone(&app.store), &[]).await;
    let history = second_process.visitor().history(room).await.unwrap();
    assert_eq!(
        history
            .messages
            .iter()
            .map(|message| message.id)
            .collect::<Vec<_>>(),
        [sent.id]
    );
    assert_eq!(history.head, sent.seq);
}

#[tokio::test]
async fn a_body_is_refused_with_its_reason() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let room = mina.room(RoomKind::Public, "lobby").await;
    for (body, reason) in [
        (" \n ".to_owned(), TextReason::Empty),
        ("가".repeat(4_001), TextReason::TooLong),
        ("a\0b".to_owned(), TextReason::ForbiddenCharacter),
    ] {
        let refused = mina.send(room, &body).await.unwrap_err();
        assert_eq!(
            (refused.status, refused.problem.field.as_deref()),
            (422, Some("body"))
        );
        assert_eq!(refused.problem.reason.as_deref(), Some(reason.name()));
    }
    assert!(mina.send(room, &"가".repeat(4_000)).await.is_ok());
}

#[tokio::test]
async fn only_the_author_edits_and_a_deleted_message_stays_deleted() {
    let app = TestApp::start().await;
    let (mina, minsu) = (app.guest("mina").await, app.guest("minsu").await);
    let room = mina.room(RoomKind::Public, "lobby").await;
    let id = mina.send(room, "frist").await.unwrap().id;
    let foreign = minsu
        .call::<PatchMessage>(&[&room, &id], edit("mine now"))
        .await
        .unwrap_err();
    assert_eq!(foreign.code(), ErrorCode::Forbidden);
    let changed = mina
        .call::<PatchMessage>(&[&room, &id], edit("first"))
        .await
        .unwrap();
    let same = mina
        .call::<PatchMessage>(&[&room, &id], edit("first"))
        .await
        .unwrap();
    assert_eq!(same, changed, "saying the same again changes nothing");
    assert!(the_message(&minsu, room).await.edited_at.is_some());

    assert_eq!(
        minsu
            .call::<DeleteMessage>(&[&room, &id], Empty {})
            .await
            .unwrap_err()
            .status,
        403
    );
    let deleted = mina
        .call::<DeleteMessage>(&[&room, &id], Empty {})
        .await
        .unwrap();
    assert_eq!(deleted.seq, Seq(changed.seq.0 + 1));
    let again = mina
        .call::<DeleteMessage>(&[&room, &id], Empty {})
        .await
        .unwrap();
    assert_eq!(again, deleted);
    let tombstone = the_message(&minsu, room).await;
    assert!(matches!(
        tombstone.content,
        Content::Deleted {
            by_moderator: false,
            ..
        }
    ));
    let late = mina
        .call::<PatchMessage>(&[&room, &id], edit("back"))
        .await
        .unwrap_err();
    assert_eq!(late.code(), ErrorCode::Conflict);
}

#[tokio::test]
async fn the_rooms_owner_deletes_anybodys_message() {
    let app = TestApp::start().await;
    let (owner, mina) = (app.account("hana").await, app.guest("mina").await);
    let room = owner.room(RoomKind::Public, "lobby").await;
    let id = mina.send(room, "spam").await.unwrap().id;
    owner
        .call::<DeleteMessage>(&[&room, &id], Empty {})
        .await
        .unwrap();
    let tombstone = the_message(&mina, room).await;
    assert!(matches!(
        tombstone.content,
        Content::Deleted {
            by_moderator: true,
            ..
        }
    ));
}

#[tokio::test]
async fn reactions_count_users_and_mark_ones_own() {
    let app = TestApp::start().await;
    let (mina, minsu) = (app.guest("mina").await, app.guest("minsu").await);
    let room = mina.room(RoomKind::Public, "lobby").await;
    let id = mina.send(room, "react to me").await.unwrap().id;
    let react = |emoji: &str, on| React {
        emoji: emoji.to_owned(),
        on,
    };
    for person in [&mina, &minsu] {
        person
            .call::<PutReaction>(&[&room, &id], react("👍", true))
            .await
            .unwrap();
    }
    minsu
        .call::<PutReaction>(&[&room, &id], react("👍", true))
        .await
        .unwrap();
    mina.call::<PutReaction>(&[&room, &id], react("👍", false))
        .await
        .unwrap();
    let seen_by_minsu = the_message(&minsu, room).await.reactions;
    assert_eq!((seen_by_minsu[0].count, seen_by_minsu[0].mine), (1, true));
    assert!(!the_message(&mina, room).await.reactions[0].mine);
    let refused = mina
        .call::<PutReaction>(&[&room, &id], react("<b>", true))
        .await
        .unwrap_err();
    assert_eq!(
        refused.problem.reason.as_deref(),
        Some(TextReason::NotAnEmoji.name())
    );
}

#[tokio::test]
async fn a_pin_is_for_those_who_keep_order() {
    let app = TestApp::start().await;
    let (owner, mina) = (app.account("hana").await, app.guest("mina").await);
    let room = owner.room(RoomKind::Public, "lobby").await;
    let id = mina.send(room, "rules").await.unwrap().id;
    assert_eq!(
        mina.call::<PutPin>(&[&room, &id], Pin { on: true })
            .await
            .unwrap_err()
            .status,
        403
    );
    owner
        .call::<PutPin>(&[&room, &id], Pin { on: true })
        .await
        .unwrap();
    assert!(the_message(&mina, room).await.pinned);
}

#[tokio::test]
async fn a_message_of_another_room_is_not_found() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let (here, there) = (
        mina.room(RoomKind::Public, "here").await,
        mina.room(RoomKind::Public, "there").await,
    );
    let id = mina.send(here, "here").await.unwrap().id;
    assert_eq!(
        mina.call::<PatchMessage>(&[&there, &id], edit("x"))
            .await
            .unwrap_err()
            .status,
        404
    );
    assert_eq!(
        mina.call::<DeleteMessage>(&[&there, &id], Empty {})
            .await
            .unwrap_err()
            .status,
        404
    );
    let nobodys: MessageId = "00000000-0000-7000-8000-000000000000".parse().unwrap();
    assert_eq!(
        mina.call::<DeleteMessage>(&[&here, &nobodys], Empty {})
            .await
            .unwrap_err()
            .status,
        404
    );
}

#[tokio::test]
async fn history_goes_back_page_by_page() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let room = mina.room(RoomKind::Public, "lobby").await;
    for n in 1..=7 {
        mina.send(room, &format!("message {n}")).await.unwrap();
    }
    let page = async |query| mina.request::<GetHistory>(&[&room], query, Empty {}).await;
    let numbers = |history: &chat_types::room::History| {
        history
            .messages
            .iter()
            .map(|message| message.number.0)
            .collect::<Vec<_>>()
    };
    let query = HistoryQuery {
        limit: Some(3),
        ..HistoryQuery::default()
    };
    let newest = page(query.clone()).await.unwrap();
    assert_eq!(
        (numbers(&newest), newest.more_before),
        (vec![5, 6, 7], true)
    );
    let older = page(HistoryQuery {
        before: Some(Number(5)),
        ..query.clone()
    })
    .await
    .unwrap();
    assert_eq!(
        (numbers(&older), older.more_before, older.more_after),
        (vec![2, 3, 4], true, true)
    );
    let around = page(HistoryQuery {
        around: Some(Number(4)),
        ..query.clone()
    })
    .await
    .unwrap();
    assert!(numbers(&around).contains(&4));

    let both = HistoryQuery {
        before: Some(Number(5)),
        after: Some(Number(1)),
        ..query
    };
    assert_eq!(page(both).await.unwrap_err().code(), ErrorCode::Invalid);
    for limit in [0, 101] {
        let query = HistoryQuery {
            limit: Some(limit),
            ..HistoryQuery::default()
        };
        assert_eq!(
            page(query).await.unwrap_err().problem.field.as_deref(),
            Some("limit")
        );
    }
}

#[tokio::test]
async fn a_read_position_only_moves_forward() {
    let app = TestApp::start().await;
    let (mina, visitor) = (app.guest("mina").await, app.guest("visitor").await);
    let writer = app.guest("jisu").await;
    let room = mina.room(RoomKind::Public, "lobby").await;
    for n in 0..3 {
        writer.send(room, &format!("{n}")).await.unwrap();
    }
    for (asked, kept) in [(2, 2), (1, 2), (99, 3)] {
        mina.call::<PutRead>(
            &[&room],
            MarkRead {
                number: Number(asked),
            },
        )
        .await
        .unwrap();
        assert_eq!(mina.get_room(room).await.unwrap().read, Number(kept));
    }
    let stranger = visitor
        .call::<PutRead>(&[&room], MarkRead { number: Number(1) })
        .await;
    assert_eq!(stranger.unwrap_err().status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_at_once_are_answered_with_the_place_of_the_one_that_did_it() {
    let app = TestApp::start().await;
    let mina = app.account("mina").await;
    let room = mina.room(RoomKind::Public, "lobby").await;
    for _ in 0..20 {
        let sent = mina.send(room, "hi").await.unwrap();
        let delete = async || {
            mina.call::<DeleteMessage>(&[&room, &sent.id], Empty {})
                .await
        };
        let (one, other, third) = tokio::join!(delete(), delete(), delete());
        let place = app.store.message(room, sent.id, None).await.unwrap();
        let place = place.unwrap().seq;
        assert_eq!([one, other, third].map(|it| it.unwrap().seq), [place; 3]);
    }
}
