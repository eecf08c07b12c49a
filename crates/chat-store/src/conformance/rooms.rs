//! Rooms of every kind and the lists of them.

use std::collections::HashSet;

use chat_types::event::Change;
use chat_types::id::{Number, RoomId, Seq, UserId};
use chat_types::room::{Role, RoomKind};
use chat_types::text::Topic;

use super::given::{
    Shared, UNREAD, account, at, at_once, guest, head, join, new_message, new_room, owned_room,
    page_key, record, refused, room, room_id, room_name, send, send_many, site, site_key, user_id,
};
use crate::{Conflict, ListCursor, Missing, NewRoom, RoomList, RoomUpdate};

pub async fn a_room_begins_with_its_owner_as_the_first_change(store: Shared) {
    let mina = account(&store, "mina").await;
    let new = NewRoom {
        topic: Some(Topic::parse("About it").unwrap()),
        ..new_room(RoomKind::Private, "Plans")
    };
    let made = store.create_room(new.clone(), mina).await.unwrap();
    assert_eq!(made.room.id, new.id);
    assert_eq!(made.room.kind, RoomKind::Private);
    assert_eq!(
        (made.room.name.as_str(), made.room.topic.as_str()),
        ("Plans", "About it")
    );
    assert!(!made.room.archived && !made.room.read_only);
    assert_eq!((made.room.created_at, &made.epoch), (at(0), &new.epoch));
    assert_eq!(
        (made.head, made.last_number, made.members_count),
        (Seq(1), Number(0), 1)
    );
    let owner = store.membership(new.id, mina).await.unwrap().unwrap();
    assert_eq!(owner.role, Role::Owner);
    assert_eq!(store.room(new.id).await.unwrap(), Some(made));
    assert_eq!(store.room(room_id()).await.unwrap(), None);
}

pub async fn a_room_needs_an_owner_and_an_id_of_its_own(store: Shared) {
    let (mina, first) = owned_room(&store).await;
    let new = new_room(RoomKind::Public, "Second");
    refused(
        store.create_room(new.clone(), user_id()).await,
        Missing::User,
    );
    assert_eq!(store.room(new.id).await.unwrap(), None);
    let same = NewRoom { id: first, ..new };
    refused(store.create_room(same, mina).await, Conflict::IdExists);
}

pub async fn the_first_room_is_made_once_and_only_in_an_empty_store(store: Shared) {
    let starts = at_once(20, |_| {
        let store = store.clone();
        async move {
            let new = new_room(RoomKind::Public, "Hall");
            store.open_first(new).await.unwrap()
        }
    });
    let made: Vec<_> = starts.await.into_iter().flatten().collect();
    let [hall] = made.as_slice() else {
        panic!("{} first rooms", made.len());
    };
    assert_eq!(hall.room.kind, RoomKind::Public);
    assert_eq!((hall.head, hall.members_count), (Seq(0), 0));
    let public = store.public_rooms(None, None, 10).await.unwrap();
    assert_eq!(public.rooms.len(), 1);
    let mina = account(&store, "mina").await;
    join(&store, hall.room.id, mina, Role::Member).await;
    send(&store, hall.room.id, mina, "hello").await;
    assert_eq!(record(&store, hall.room.id).await.last_number, Number(1));
}

pub async fn an_archived_first_room_is_not_made_again(store: Shared) {
    let hall = new_room(RoomKind::Public, "Hall");
    let made = store.open_first(hall).await.unwrap().unwrap();
    let archive = RoomUpdate {
        archived: Some(true),
        ..RoomUpdate::default()
    };
    store
        .update_room(made.room.id, archive, at(1))
        .await
        .unwrap();
    let again = store.open_first(new_room(RoomKind::Public, "Hall")).await;
    assert_eq!(again.unwrap(), None);
}

pub async fn each_page_has_one_room_of_its_own(store: Shared) {
    let (blog, shop) = (site(&store, "blog").await, site(&store, "shop").await);
    let visit = async |site, page| {
        let new = new_room(RoomKind::Page, "A page");
        store.open_page(site, &page_key(page), new).await.unwrap()
    };
    let (first, made) = visit(&blog, "/one").await;
    assert!(made);
    assert_eq!(first.room.kind, RoomKind::Page);
    assert_eq!((first.head, first.members_count), (Seq(0), 0));
    let (again, made) = visit(&blog, "/one").await;
    assert!(!made);
    assert_eq!(again, first);
    let (second, made) = visit(&blog, "/two").await;
    assert!(made);
    let (third, made) = visit(&shop, "/one").await;
    assert!(made);
    let rooms = HashSet::from([first.room.id, second.room.id, third.room.id]);
    assert_eq!(rooms.len(), 3);
}

pub async fn pages_never_share_messages(store: Shared) {
    let blog = site(&store, "blog").await;
    let new = new_room(RoomKind::Page, "One");
    let one = store
        .open_page(&blog, &page_key("/one"), new)
        .await
        .unwrap()
        .0
        .room
        .id;
    let new = new_room(RoomKind::Page, "Two");
    let two = store
        .open_page(&blog, &page_key("/two"), new)
        .await
        .unwrap()
        .0
        .room
        .id;
    let jisu = guest(&store, "jisu").await;
    let sent = send(&store, one, jisu, "only here").await.sent;
    assert_eq!(record(&store, two).await.last_number, Number(0));
    assert_eq!(store.message(two, sent.id, None).await.unwrap(), None);
}

pub async fn first_visits_at_once_make_one_room(store: Shared) {
    let blog = site(&store, "blog").await;
    let visits = at_once(24, |_| {
        let (store, blog) = (store.clone(), blog.clone());
        async move {
            let new = new_room(RoomKind::Page, "A page");
            store
                .open_page(&blog, &page_key("/one"), new)
                .await
                .unwrap()
        }
    })
    .await;
    let rooms: HashSet<RoomId> = visits.iter().map(|(record, _)| record.room.id).collect();
    assert_eq!(rooms.len(), 1);
    assert_eq!(visits.iter().filter(|(_, made)| *made).count(), 1);
}

pub async fn a_page_needs_its_site(store: Shared) {
    let new = new_room(RoomKind::Page, "A page");
    let opened = store
        .open_page(&site_key("blog"), &page_key("/one"), new.clone())
        .await;
    refused(opened, Missing::Site);
    assert_eq!(store.room(new.id).await.unwrap(), None);
}

fn new_direct() -> NewRoom {
    NewRoom {
        name: None,
        ..new_room(RoomKind::Direct, "unused")
    }
}

pub async fn two_users_have_one_direct_room_in_either_order(store: Shared) {
    let (mina, jisu) = (account(&store, "mina").await, guest(&store, "jisu").await);
    let (first, made) = store.open_direct((mina, jisu), new_direct()).await.unwrap();
    assert!(made);
    assert_eq!(
        (first.room.kind, first.room.name.as_str()),
        (RoomKind::Direct, "")
    );
    assert_eq!((first.head, first.members_count), (Seq(2), 2));
    for users in [(mina, jisu), (jisu, mina)] {
        let (again, made) = store.open_direct(users, new_direct()).await.unwrap();
        assert!(!made);
        assert_eq!(again, first);
    }
    for (me, other) in [(mina, "jisu"), (jisu, "mina")] {
        let summary = store
            .room_summary(first.room.id, Some(me))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(summary.peer.unwrap().name, other);
        assert!(summary.role.is_some());
    }
    let stranger = store
        .room_summary(first.room.id, None)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((stranger.peer, stranger.role), (None, None));
}

pub async fn a_direct_room_opened_at_once_from_both_sides_is_one(store: Shared) {
    let (mina, jisu) = (account(&store, "mina").await, guest(&store, "jisu").await);
    let opened = at_once(24, |n| {
        let store = store.clone();
        let users = if n % 2 == 0 {
            (mina, jisu)
        } else {
            (jisu, mina)
        };
        async move { store.open_direct(users, new_direct()).await.unwrap() }
    })
    .await;
    let rooms: HashSet<RoomId> = opened.iter().map(|(record, _)| record.room.id).collect();
    assert_eq!(rooms.len(), 1);
    assert_eq!(opened.iter().filter(|(_, made)| *made).count(), 1);
}

pub async fn a_direct_room_needs_two_users(store: Shared) {
    let mina = account(&store, "mina").await;
    let nobody = user_id();
    refused(
        store.open_direct((mina, nobody), new_direct()).await,
        Missing::User,
    );
    refused(
        store.open_direct((nobody, mina), new_direct()).await,
        Missing::User,
    );
}

pub async fn an_update_changes_what_it_names(store: Shared) {
    let (_, lobby) = owned_room(&store).await;
    let update = RoomUpdate {
        name: Some(room_name("Hall")),
        archived: Some(true),
        ..RoomUpdate::default()
    };
    let event = store
        .update_room(lobby, update, at(10))
        .await
        .unwrap()
        .unwrap();
    let stored = record(&store, lobby).await;
    assert_eq!(
        (event.room, event.seq, event.at),
        (lobby, stored.head, at(10))
    );
    assert_eq!(
        (stored.room.name.as_str(), stored.room.archived),
        ("Hall", true)
    );
    assert_eq!(
        (stored.room.topic.as_str(), stored.room.read_only),
        ("", false)
    );
    assert_eq!(event.change, Change::Room { room: stored.room });
}

pub async fn an_update_that_changes_nothing_takes_no_seq(store: Shared) {
    let (_, lobby) = owned_room(&store).await;
    let same = RoomUpdate {
        name: Some(room_name("Lobby")),
        topic: Some(Topic::parse("").unwrap()),
        archived: Some(false),
        read_only: Some(false),
    };
    for update in [same, RoomUpdate::default()] {
        assert_eq!(
            store.update_room(lobby, update, at(10)).await.unwrap(),
            None
        );
    }
    assert_eq!(head(&store, lobby).await, Seq(1));
    let unknown = store
        .update_room(room_id(), RoomUpdate::default(), at(10))
        .await;
    refused(unknown, Missing::Room);
}

pub async fn a_summary_is_the_viewers_own(store: Shared) {
    let (mina, lobby) = owned_room(&store).await;
    let jisu = guest(&store, "jisu").await;
    join(&store, lobby, jisu, Role::Guest).await;
    send_many(&store, lobby, jisu, 3).await;
    store.mark_read(lobby, mina, Number(2)).await.unwrap();
    let summary = store
        .room_summary(lobby, Some(mina))
        .await
        .unwrap()
        .unwrap();
    let stored = record(&store, lobby).await;
    assert_eq!((summary.read, summary.role), (Number(2), Some(Role::Owner)));
    assert_eq!(
        (summary.last_number, summary.last_at),
        (Number(3), Some(at(100)))
    );
    assert_eq!((summary.head, summary.epoch), (stored.head, stored.epoch));
    assert_eq!((summary.members_count, summary.peer), (2, None));
    assert_eq!(summary.room, stored.room);
    let stranger = store.room_summary(lobby, None).await.unwrap().unwrap();
    assert_eq!((stranger.read, stranger.role), (UNREAD, None));
    assert_eq!(store.room_summary(room_id(), None).await.unwrap(), None);
}

fn ids(list: &RoomList) -> Vec<RoomId> {
    list.rooms.iter().map(|summary| summary.room.id).collect()
}

pub async fn own_rooms_are_listed_newest_activity_first(store: Shared) {
    let (mina, first) = owned_room(&store).await;
    let second = room(&store, mina).await;
    let third = room(&store, mina).await;
    let jisu = account(&store, "jisu").await;
    let foreign = room(&store, jisu).await;
    for (n, room) in [first, third, second, foreign].into_iter().enumerate() {
        let mut message = new_message(room, jisu, "hello");
        message.at = at(1_000 + n as u64);
        store.append(message).await.unwrap();
    }
    let list = store.rooms_of(mina, None, 10).await.unwrap();
    assert_eq!(ids(&list), [second, third, first]);
    assert_eq!(list.next, None);
    store.leave(third, mina, at(2_000)).await.unwrap();
    assert_eq!(
        ids(&store.rooms_of(mina, None, 10).await.unwrap()),
        [second, first]
    );
}

pub async fn only_public_rooms_in_use_are_public(store: Shared) {
    let (mina, open) = owned_room(&store).await;
    let jisu = account(&store, "jisu").await;
    let archived = room(&store, mina).await;
    let archive = RoomUpdate {
        archived: Some(true),
        ..RoomUpdate::default()
    };
    store.update_room(archived, archive, at(10)).await.unwrap();
    store
        .create_room(new_room(RoomKind::Private, "Own"), mina)
        .await
        .unwrap();
    store.open_direct((mina, jisu), new_direct()).await.unwrap();
    let blog = site(&store, "blog").await;
    let page = new_room(RoomKind::Page, "A page");
    store
        .open_page(&blog, &page_key("/one"), page)
        .await
        .unwrap();
    let list = store.public_rooms(Some(mina), None, 10).await.unwrap();
    assert_eq!(ids(&list), [open]);
    assert_eq!(list.rooms[0].role, Some(Role::Owner));
    let list = store.public_rooms(None, None, 10).await.unwrap();
    assert_eq!((ids(&list), list.rooms[0].role), (vec![open], None));
}

/// Rooms of one owner, many of them active at the same instant.
async fn many_rooms(store: &Shared, owner: UserId) -> HashSet<RoomId> {
    let mut rooms = HashSet::new();
    for n in 0..23 {
        let new = NewRoom {
            at: at(n / 6),
            ..new_room(RoomKind::Public, "One of many")
        };
        rooms.insert(store.create_room(new, owner).await.unwrap().room.id);
    }
    rooms
}

pub async fn pages_of_rooms_neither_skip_nor_repeat(store: Shared) {
    let mina = account(&store, "mina").await;
    let wanted = many_rooms(&store, mina).await;
    for own in [true, false] {
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let list = if own {
                store.rooms_of(mina, cursor, 5).await.unwrap()
            } else {
                store.public_rooms(None, cursor, 5).await.unwrap()
            };
            seen.extend(ids(&list));
            let Some(next) = list.next else { break };
            assert_eq!(list.rooms.len(), 5);
            assert!(next.0.len() <= 200 && next.0.bytes().all(|b| b.is_ascii_graphic()));
            cursor = Some(next);
        }
        assert_eq!(seen.len(), wanted.len());
        assert_eq!(seen.into_iter().collect::<HashSet<_>>(), wanted);
    }
}

pub async fn a_full_last_page_of_rooms_has_no_next(store: Shared) {
    let (mina, _) = owned_room(&store).await;
    room(&store, mina).await;
    assert_eq!(store.rooms_of(mina, None, 2).await.unwrap().next, None);
    assert!(store.rooms_of(mina, None, 1).await.unwrap().next.is_some());
}

pub async fn a_foreign_cursor_of_rooms_yields_the_first_page(store: Shared) {
    let mina = account(&store, "mina").await;
    many_rooms(&store, mina).await;
    let room = *many_rooms(&store, mina).await.iter().next().unwrap();
    let jisu = guest(&store, "jisu").await;
    join(&store, room, jisu, Role::Guest).await;
    let of_members = store.members(room, None, 1).await.unwrap().next.unwrap();
    let first = store.rooms_of(mina, None, 5).await.unwrap();
    for text in [
        "",
        "nonsense",
        "r.1",
        "'; DROP TABLE rooms; --",
        &of_members.0,
    ] {
        let cursor = Some(ListCursor(text.to_owned()));
        assert_eq!(
            store.rooms_of(mina, cursor.clone(), 5).await.unwrap(),
            first
        );
        assert_eq!(
            ids(&store.public_rooms(None, cursor, 5).await.unwrap()),
            ids(&first)
        );
    }
}
