//! What a room accepts, decided in the transaction that writes: whatever the caller saw before.

use chat_types::event::Change;
use chat_types::id::{MessageId, RoomId, UserId};
use chat_types::room::{Role, RoomKind, Sent};

use super::given::{
    Refusal, Shared, account, at, at_once, deletion, edit, guest, head, join, load, message_id,
    new_message, new_room, nth_name, owned_room, pin, reaction, refused, send,
};
use crate::{Conflict, Missing, NewMessage, RoomUpdate};

/// A private room of its owner and one more member, with a message of that member.
async fn private_room(store: &Shared) -> (UserId, UserId, RoomId, MessageId) {
    let (owner, member) = (account(store, "mina").await, guest(store, "jisu").await);
    let room = new_room(RoomKind::Private, "Attic");
    let room = store.create_room(room, owner).await.unwrap().room.id;
    join(store, room, member, Role::Guest).await;
    let message = send(store, room, member, "hello").await.sent.id;
    (owner, member, room, message)
}

async fn set(store: &Shared, room: RoomId, update: RoomUpdate) {
    let changed = store.update_room(room, update, at(700)).await.unwrap();
    assert!(changed.is_some());
}

/// Every way to write is refused with `wanted`.
async fn refuses_writing(
    store: &Shared,
    room: RoomId,
    message: MessageId,
    user: UserId,
    wanted: impl Into<Refusal> + Copy,
) {
    let before = head(store, room).await;
    refused(store.append(new_message(room, user, "x")).await, wanted);
    refused(
        store.edit_message(edit(room, message, user, "x")).await,
        wanted,
    );
    let react = reaction(room, message, user, "👍", true);
    refused(store.set_reaction(react).await, wanted);
    assert_eq!(head(store, room).await, before);
}

pub async fn who_left_a_private_room_does_not_write_in_it_and_stays_outside(store: Shared) {
    let (_, jisu, room, message) = private_room(&store).await;
    store.leave(room, jisu, at(600)).await.unwrap();
    refuses_writing(&store, room, message, jisu, Missing::Membership).await;
    refused(
        store.delete_message(deletion(room, message, jisu)).await,
        Missing::Membership,
    );
    refused(
        store.set_pin(pin(room, message, jisu, true)).await,
        Missing::Membership,
    );
    assert_eq!(store.membership(room, jisu).await.unwrap(), None);
}

pub async fn a_direct_room_is_of_its_two_users(store: Shared) {
    let (mina, jisu) = (guest(&store, "mina").await, guest(&store, "jisu").await);
    let room = new_room(RoomKind::Direct, "two");
    let room = store.open_direct((mina, jisu), room).await.unwrap().0;
    let message = send(&store, room.room.id, mina, "hello").await.sent.id;
    let jiho = guest(&store, "jiho").await;
    refuses_writing(&store, room.room.id, message, jiho, Missing::Membership).await;
    assert_eq!(store.membership(room.room.id, jiho).await.unwrap(), None);
}

pub async fn leaving_and_writing_at_once_never_leaves_a_member_behind(store: Shared) {
    const MEMBERS: usize = 16;
    let (_, _, room, _) = private_room(&store).await;
    let mut members = Vec::new();
    for n in 0..MEMBERS {
        let user = guest(&store, &nth_name(n + 100)).await;
        join(&store, room, user, Role::Guest).await;
        members.push(user);
    }
    at_once(MEMBERS * 3, |n| {
        let (store, user) = (store.clone(), members[n / 3]);
        async move {
            if n % 3 == 1 {
                store.leave(room, user, at(600)).await.unwrap();
            } else if let Err(error) = store.append(new_message(room, user, "x")).await {
                refused::<()>(Err(error), Missing::Membership);
            }
        }
    })
    .await;
    for user in members {
        assert_eq!(store.membership(room, user).await.unwrap(), None);
    }
}

pub async fn an_archived_room_takes_no_message_edit_or_reaction(store: Shared) {
    let (mina, jisu, room, message) = private_room(&store).await;
    let archive = RoomUpdate {
        archived: Some(true),
        ..RoomUpdate::default()
    };
    set(&store, room, archive).await;
    for user in [mina, jisu] {
        refuses_writing(&store, room, message, user, Conflict::ReadOnly).await;
    }
    let deleted = store.delete_message(deletion(room, message, jisu)).await;
    assert!(deleted.unwrap().is_some(), "one's own text can go");
    let back = RoomUpdate {
        archived: Some(false),
        ..RoomUpdate::default()
    };
    set(&store, room, back).await;
    send(&store, room, jisu, "again").await;
}

pub async fn a_read_only_room_takes_only_what_its_moderators_write(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let message = send(&store, room, mina, "hello").await.sent.id;
    let [member, moderator, stranger] = [1, 2, 3].map(nth_name);
    let member = account(&store, &member).await;
    let moderator = account(&store, &moderator).await;
    let stranger = guest(&store, &stranger).await;
    join(&store, room, member, Role::Member).await;
    join(&store, room, moderator, Role::Moderator).await;
    let read_only = RoomUpdate {
        read_only: Some(true),
        ..RoomUpdate::default()
    };
    set(&store, room, read_only).await;
    for user in [member, stranger] {
        refuses_writing(&store, room, message, user, Conflict::ReadOnly).await;
    }
    assert_eq!(store.membership(room, stranger).await.unwrap(), None);
    for user in [mina, moderator] {
        send(&store, room, user, "news").await;
        let react = reaction(room, message, user, "👍", true);
        assert!(store.set_reaction(react).await.unwrap().is_some());
    }
    let edited = store.edit_message(edit(room, message, mina, "new")).await;
    let Change::Edited { .. } = edited.unwrap().unwrap().change else {
        panic!("not an edit");
    };
}

pub async fn a_repeat_is_answered_whatever_became_of_the_room_and_the_membership(store: Shared) {
    let (_, jisu, room, _) = private_room(&store).await;
    let new = new_message(room, jisu, "once");
    let first = store.append(new.clone()).await.unwrap().sent;
    let wanted = Sent {
        duplicate: true,
        ..first
    };
    let archive = RoomUpdate {
        archived: Some(true),
        ..RoomUpdate::default()
    };
    set(&store, room, archive).await;
    assert_eq!(store.append(new.clone()).await.unwrap().sent, wanted);
    store.leave(room, jisu, at(800)).await.unwrap();
    let again = store.append(new.clone()).await.unwrap();
    assert_eq!((again.sent, again.events.len()), (wanted.clone(), 0));
    assert_eq!(store.appended(&new).await.unwrap(), Some(wanted));
    assert_eq!(store.membership(room, jisu).await.unwrap(), None);
}

pub async fn a_repeat_is_known_before_it_is_written(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let new = new_message(room, mina, "once");
    assert_eq!(store.appended(&new).await.unwrap(), None);
    let first = store.append(new.clone()).await.unwrap().sent;
    let retry = NewMessage {
        id: message_id(),
        at: at(9_999),
        ..new.clone()
    };
    let wanted = Sent {
        duplicate: true,
        ..first
    };
    assert_eq!(store.appended(&retry).await.unwrap(), Some(wanted));
    let other = NewMessage {
        client_id: new.client_id,
        ..new_message(room, mina, "another")
    };
    refused(store.appended(&other).await, Conflict::ClientIdReused);
    let jisu = guest(&store, "jisu").await;
    let of_another = NewMessage {
        author: jisu,
        ..new
    };
    assert_eq!(store.appended(&of_another).await.unwrap(), None);
    assert_eq!(load(&store, room, first.id).await.number, first.number);
}
