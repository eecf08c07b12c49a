//! What is acknowledged is there afterwards, and a store that was closed says so.

use chat_types::id::{Number, Seq};
use chat_types::room::{Role, Sent};

use super::given::{
    Refusal, at, at_once, edit, fresh, guest, head, join, new_message, new_session, nth_name,
    owned_room, reaction, refused, send, send_many, token,
};
use super::model::Model;
use super::{Harness, Reopen};
use crate::{RotateRefresh, Rotation, Start};

pub async fn an_open_store_is_ready<H: Harness>() {
    let harness = H::fresh().await;
    harness.store().check().await.unwrap();
    harness.store().check().await.unwrap();
    assert!(harness.store().is_usable());
}

pub async fn a_closed_store_refuses_everything<H: Harness>() {
    let harness = H::fresh().await;
    let store = harness.store();
    let (mina, room) = owned_room(&store).await;
    store.close().await;
    assert!(!store.is_usable());
    refused(store.check().await, Refusal::Unavailable);
    refused(
        store.append(new_message(room, mina, "late")).await,
        Refusal::Unavailable,
    );
    refused(store.room(room).await, Refusal::Unavailable);
    store.close().await;
}

pub async fn closing_finishes_the_writes_under_way<H: Reopen>() {
    let harness = H::fresh().await;
    let store = harness.store();
    let (mina, room) = owned_room(&store).await;
    let mut results = Vec::new();
    let sends = at_once(40, |_| {
        let store = store.clone();
        async move { store.append(new_message(room, mina, "hello")).await.is_ok() }
    });
    let ((), sent) = tokio::join!(store.close(), sends);
    results.extend(sent);
    drop(store);
    let harness = harness.reopen().await;
    let acknowledged = results.into_iter().filter(|ok| *ok).count() as u64;
    let Start::Fresh { messages, .. } = fresh(&harness.store(), room).await.start else {
        panic!("not fresh");
    };
    assert_eq!(messages.len() as u64, acknowledged);
}

pub async fn what_was_acknowledged_is_there_after_a_drop_without_close<H: Reopen>() {
    let harness = H::fresh().await;
    let store = harness.store();
    let (mina, room) = owned_room(&store).await;
    let jisu = guest(&store, &nth_name(1)).await;
    join(&store, room, jisu, Role::Guest).await;
    send_many(&store, room, mina, 20).await;
    let id = send(&store, room, jisu, "first").await.sent.id;
    store
        .edit_message(edit(room, id, jisu, "second"))
        .await
        .unwrap();
    store
        .set_reaction(reaction(room, id, mina, "👍", true))
        .await
        .unwrap();
    store.mark_read(room, jisu, Number(21)).await.unwrap();
    let before = Model::load(&store, room).await;
    drop(store);
    let harness = harness.reopen().await;
    let store = harness.store();
    assert_eq!(Model::load(&store, room).await, before);
    let membership = store.membership(room, jisu).await.unwrap().unwrap();
    assert_eq!(membership.read, Number(21));
    assert_eq!(
        send(&store, room, mina, "next").await.sent.number,
        Number(22)
    );
}

pub async fn a_repeat_after_reopening_is_still_a_repeat<H: Reopen>() {
    let harness = H::fresh().await;
    let store = harness.store();
    let (mina, room) = owned_room(&store).await;
    let new = new_message(room, mina, "once");
    let first = store.append(new.clone()).await.unwrap().sent;
    drop(store);
    let harness = harness.reopen().await;
    let store = harness.store();
    let wanted = Sent {
        duplicate: true,
        ..first
    };
    assert_eq!(store.append(new).await.unwrap().sent, wanted);
    assert_eq!(head(&store, room).await, Seq(2));
}

pub async fn a_session_survives_reopening<H: Reopen>() {
    let harness = H::fresh().await;
    let store = harness.store();
    let jisu = guest(&store, &nth_name(1)).await;
    let session = store
        .create_session(new_session(jisu, token(1)))
        .await
        .unwrap()
        .session;
    drop(store);
    let harness = harness.reopen().await;
    let store = harness.store();
    let rotation = store.rotate_refresh(RotateRefresh {
        presented: token(1),
        successor: token(2),
        at: at(5),
        expires_at: at(50),
        other_successor: None,
        forget_used_before: at(0),
    });
    let Rotation::Rotated {
        session: record, ..
    } = rotation.await.unwrap()
    else {
        panic!("not rotated");
    };
    assert_eq!((record.id, record.user), (session.id, jisu));
}
