//! Guests and accounts.

use std::collections::HashSet;

use chat_types::event::{Change, UserKind};
use chat_types::id::{SessionId, UserId};
use chat_types::room::{Role, RoomKind};
use chat_types::text::Nickname;

use super::given::{
    Shared, account, at, at_once, guest, head, join, load, message_of, new_account, new_guest,
    new_room, new_session, nickname, nth_name, owned_room, refused, send, session_id, token,
    upgrade, user_id, username,
};
use crate::{Conflict, Missing, NewPassword};

fn new_password(user: UserId, keep: SessionId) -> NewPassword {
    NewPassword {
        user,
        password_hash: "$argon2id$new".to_owned(),
        keep,
        at: at(10),
    }
}

pub async fn a_guest_is_stored_as_made(store: Shared) {
    let made = store.create_guest(new_guest(&["mina"])).await.unwrap();
    assert_eq!(made.name, "mina");
    assert_eq!(made.kind, UserKind::Guest);
    assert_eq!(made.username, None);
    assert_eq!(made.created_at, at(0));
    assert_eq!(store.user(made.id).await.unwrap(), Some(made));
    assert_eq!(store.user(user_id()).await.unwrap(), None);
}

pub async fn a_guest_takes_the_first_name_that_is_free(store: Shared) {
    guest(&store, "mina").await;
    let names = ["mina", "mina 2", "mina 3"];
    let second = store.create_guest(new_guest(&names)).await.unwrap();
    let third = store.create_guest(new_guest(&names)).await.unwrap();
    assert_eq!(
        (second.name.as_str(), third.name.as_str()),
        ("mina 2", "mina 3")
    );
}

pub async fn names_that_look_alike_clash(store: Shared) {
    guest(&store, "paypal").await;
    for look_alike in ["PayPal", "p\u{430}yp\u{430}l", "pay pal"] {
        refused(
            store.create_guest(new_guest(&[look_alike])).await,
            Conflict::NameTaken,
        );
        let account = new_account("somebody", &[look_alike]);
        refused(store.create_account(account).await, Conflict::NameTaken);
    }
}

pub async fn a_refused_guest_is_not_stored(store: Shared) {
    guest(&store, "mina").await;
    let refused_guest = new_guest(&["mina"]);
    let id = refused_guest.id;
    refused(store.create_guest(refused_guest).await, Conflict::NameTaken);
    assert_eq!(store.user(id).await.unwrap(), None);
}

pub async fn guests_who_come_at_once_never_share_a_name(store: Shared) {
    const GUESTS: usize = 24;
    let made = at_once(GUESTS, |_| {
        let store = store.clone();
        let names: Vec<Nickname> = (0..GUESTS).map(|n| nickname(&nth_name(n))).collect();
        let guest = crate::NewGuest {
            names,
            ..new_guest(&[])
        };
        async move { store.create_guest(guest).await.unwrap().name }
    })
    .await;
    let distinct: HashSet<String> = made.into_iter().collect();
    let wanted: HashSet<String> = (0..GUESTS).map(nth_name).collect();
    assert_eq!(distinct, wanted);
}

pub async fn a_user_id_is_used_once(store: Shared) {
    let first = new_guest(&["mina"]);
    let mut second = new_guest(&["jisu"]);
    second.id = first.id;
    let mut third = new_account("jisu", &["jisu"]);
    third.id = first.id;
    store.create_guest(first).await.unwrap();
    refused(store.create_guest(second).await, Conflict::IdExists);
    refused(store.create_account(third).await, Conflict::IdExists);
}

pub async fn an_account_signs_in_with_its_username(store: Shared) {
    let made = store
        .create_account(new_account("mina.kim", &["mina"]))
        .await
        .unwrap();
    assert_eq!(made.kind, UserKind::Account);
    assert_eq!(made.username.as_deref(), Some("mina.kim"));
    let found = store
        .credentials(&username("mina.kim"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.user, made);
    assert_eq!(found.password_hash, "$argon2id$one");
    assert!(
        store
            .credentials(&username("nobody"))
            .await
            .unwrap()
            .is_none()
    );
}

pub async fn a_username_belongs_to_one_account(store: Shared) {
    account(&store, "mina").await;
    let second = new_account("mina", &["jisu"]);
    refused(store.create_account(second).await, Conflict::UsernameTaken);
}

pub async fn a_password_hash_is_replaced(store: Shared) {
    let mina = account(&store, "mina").await;
    store
        .change_password(new_password(mina, session_id()))
        .await
        .unwrap();
    let hash = store.password_hash(mina).await.unwrap();
    assert_eq!(hash.as_deref(), Some("$argon2id$new"));
    let found = store.credentials(&username("mina")).await.unwrap().unwrap();
    assert_eq!(found.password_hash, "$argon2id$new");
}

pub async fn a_new_password_ends_every_session_but_one(store: Shared) {
    let mina = account(&store, "mina").await;
    let jisu = account(&store, "jisu").await;
    let mut sessions = Vec::new();
    for (user, n) in [(mina, 1), (mina, 2), (mina, 3), (jisu, 4)] {
        let made = store.create_session(new_session(user, token(n))).await;
        sessions.push(made.unwrap().session.id);
    }
    let change = new_password(mina, sessions[0]);
    let mut ended = store.change_password(change.clone()).await.unwrap();
    ended.sort();
    let mut wanted = sessions[1..3].to_vec();
    wanted.sort();
    assert_eq!(ended, wanted);
    for (id, live) in sessions.iter().zip([true, false, false, true]) {
        let session = store.session(*id).await.unwrap().unwrap();
        assert_eq!(session.is_live(change.at), live);
    }
}

pub async fn a_guest_has_no_password(store: Shared) {
    let jisu = guest(&store, "jisu").await;
    let session = store
        .create_session(new_session(jisu, token(1)))
        .await
        .unwrap()
        .session;
    assert_eq!(store.password_hash(jisu).await.unwrap(), None);
    let change = new_password(jisu, session_id());
    refused(store.change_password(change).await, Missing::User);
    assert_eq!(store.password_hash(jisu).await.unwrap(), None);
    let kept = store.session(session.id).await.unwrap();
    assert_eq!(kept, Some(session), "a refusal ends no session");
    assert_eq!(store.password_hash(user_id()).await.unwrap(), None);
}

pub async fn an_upgraded_guest_keeps_messages_and_sessions(store: Shared) {
    let (_, room) = owned_room(&store).await;
    let jisu = guest(&store, "jisu").await;
    let session = store
        .create_session(new_session(jisu, token(1)))
        .await
        .unwrap()
        .session;
    let sent = send(&store, room, jisu, "before").await.sent;
    let upgraded = store
        .upgrade_guest(upgrade(jisu, "jisu", &[]))
        .await
        .unwrap();
    assert_eq!(upgraded.user.id, jisu);
    assert_eq!(upgraded.user.kind, UserKind::Account);
    assert_eq!(upgraded.user.name, "jisu");
    let message = load(&store, room, sent.id).await;
    assert_eq!(message.author, upgraded.user.to_user());
    assert_eq!(store.session(session.id).await.unwrap(), Some(session));
    let found = store.credentials(&username("jisu")).await.unwrap().unwrap();
    assert_eq!(found.password_hash, "$argon2id$two");
}

pub async fn an_upgrade_is_a_change_of_each_room_of_the_user(store: Shared) {
    let (owner, here) = owned_room(&store).await;
    let there = new_room(RoomKind::Private, "There");
    let there = store.create_room(there, owner).await.unwrap().room.id;
    let elsewhere = new_room(RoomKind::Public, "Elsewhere");
    let elsewhere = store.create_room(elsewhere, owner).await.unwrap().room.id;
    let jisu = guest(&store, "jisu").await;
    join(&store, here, jisu, Role::Guest).await;
    join(&store, there, jisu, Role::Moderator).await;
    let upgraded = store
        .upgrade_guest(upgrade(jisu, "jisu", &["jisu park"]))
        .await
        .unwrap();
    assert_eq!(upgraded.events.len(), 2);
    for event in upgraded.events {
        let wanted = if event.room == here {
            Role::Member
        } else {
            Role::Moderator
        };
        let Change::Member { member } = event.change else {
            panic!("not a member");
        };
        assert_eq!(member.role, wanted);
        assert_eq!(member.user, upgraded.user.to_user());
        assert_eq!(member.user.name, "jisu park");
        assert_eq!(event.seq, head(&store, event.room).await);
        let stored = store.membership(event.room, jisu).await.unwrap().unwrap();
        assert_eq!(stored.role, wanted);
    }
    assert_eq!(head(&store, elsewhere).await.0, 1);
}

pub async fn a_refused_upgrade_changes_nothing(store: Shared) {
    let (_, room) = owned_room(&store).await;
    let jisu = guest(&store, "jisu").await;
    join(&store, room, jisu, Role::Guest).await;
    let before = (store.user(jisu).await.unwrap(), head(&store, room).await);
    let taken = store.upgrade_guest(upgrade(jisu, "mina", &[])).await;
    refused(taken, Conflict::UsernameTaken);
    let taken = store.upgrade_guest(upgrade(jisu, "jisu", &["mina"])).await;
    refused(taken, Conflict::NameTaken);
    assert_eq!(
        (store.user(jisu).await.unwrap(), head(&store, room).await),
        before
    );
    assert!(
        store
            .credentials(&username("jisu"))
            .await
            .unwrap()
            .is_none()
    );
}

pub async fn only_a_guest_is_upgraded(store: Shared) {
    let mina = account(&store, "mina").await;
    refused(
        store.upgrade_guest(upgrade(mina, "other", &[])).await,
        Conflict::NotAGuest,
    );
    refused(
        store.upgrade_guest(upgrade(user_id(), "other", &[])).await,
        Missing::User,
    );
}

pub async fn an_upgrade_may_change_how_the_own_name_is_written(store: Shared) {
    let jisu = guest(&store, "jisu").await;
    let upgraded = store
        .upgrade_guest(upgrade(jisu, "jisu", &["JiSu"]))
        .await
        .unwrap();
    assert_eq!(upgraded.user.name, "JiSu");
}

pub async fn messages_show_their_author_as_named_now(store: Shared) {
    let (owner, room) = owned_room(&store).await;
    let jisu = guest(&store, "jisu").await;
    let sent = send(&store, room, jisu, "before").await.sent;
    let mut answer = super::given::new_message(room, owner, "answer");
    answer.reply_to = Some(sent.id);
    let answer = store.append(answer).await.unwrap();
    let preview = message_of(&answer.events[0]).reply_to.clone().unwrap();
    assert_eq!(preview.author, "jisu");
    store
        .upgrade_guest(upgrade(jisu, "jisu", &["park"]))
        .await
        .unwrap();
    let answer = load(&store, room, answer.sent.id).await;
    assert_eq!(answer.reply_to.unwrap().author, "park");
    assert_eq!(load(&store, room, sent.id).await.author.name, "park");
}
