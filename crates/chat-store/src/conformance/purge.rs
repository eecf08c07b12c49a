//! The purge takes away what it should, and nothing that anybody can still see or use.

use chat_types::id::{RoomId, UserId};
use chat_types::room::{Role, RoomKind};

use super::given::{
    Shared, account, at, guest, join, load, new_room, new_session, owned_room, page_key, reaction,
    record, send, site, token,
};
use crate::{NewInvite, NewRoom, NewSession, Purge, Purged, RotateRefresh, Rotation};

/// Everything that ended before `ms`.
fn everything_before(ms: u64) -> Purge {
    Purge {
        sessions_ended_before: at(ms),
        invites_ended_before: at(ms),
        pages_opened_before: at(ms),
        now: at(ms),
        open_rooms: Vec::new(),
        limit: 100,
    }
}

async fn purge_before(store: &Shared, ms: u64) -> Purged {
    let purged = store.purge(everything_before(ms)).await.unwrap();
    let nothing = store.purge(everything_before(ms)).await.unwrap();
    assert_eq!(nothing, Purged::default(), "once is enough");
    purged
}

/// A session that ends at 1,000 unless it is refreshed.
async fn session(store: &Shared, user: UserId, n: u8) -> NewSession {
    let session = NewSession {
        expires_at: at(1_000),
        ..new_session(user, token(n))
    };
    store.create_session(session.clone()).await.unwrap();
    session
}

async fn rotate(store: &Shared, from: u8, to: u8, ms: u64, until: u64) -> Rotation {
    let rotate = RotateRefresh {
        presented: token(from),
        successor: token(to),
        at: at(ms),
        expires_at: at(until),
        other_successor: None,
        forget_used_before: at(0),
    };
    store.rotate_refresh(rotate).await.unwrap()
}

async fn open_page(store: &Shared, page: &str, ms: u64) -> (RoomId, bool) {
    let site = site(store, "blog").await;
    let new = NewRoom {
        at: at(ms),
        ..new_room(RoomKind::Page, "A page")
    };
    let (record, made) = store.open_page(&site, &page_key(page), new).await.unwrap();
    (record.room.id, made)
}

pub async fn a_guest_who_did_nothing_goes_with_their_last_session(store: Shared) {
    let jisu = guest(&store, "jisu").await;
    let (first, second) = (
        session(&store, jisu, 1).await,
        session(&store, jisu, 2).await,
    );
    store.revoke_session(jisu, first.id, at(10)).await.unwrap();
    let wanted = Purged {
        sessions: 1,
        tokens: 1,
        ..Purged::default()
    };
    assert_eq!(purge_before(&store, 11).await, wanted);
    assert_eq!(store.session(first.id).await.unwrap(), None);
    assert!(store.user(jisu).await.unwrap().is_some());
    assert_eq!(purge_before(&store, 1_000).await, Purged::default());
    let wanted = Purged {
        guests: 1,
        ..wanted
    };
    assert_eq!(purge_before(&store, 1_001).await, wanted);
    assert_eq!(store.session(second.id).await.unwrap(), None);
    assert_eq!(store.user(jisu).await.unwrap(), None);
    guest(&store, "jisu").await;
}

pub async fn who_left_a_trace_stays_when_their_sessions_go(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let message = send(&store, room, mina, "hello").await.sent.id;
    let names = ["writer", "member", "former", "reader"];
    let mut guests = Vec::new();
    for (n, name) in (1..).zip(names) {
        let user = guest(&store, name).await;
        session(&store, user, n).await;
        guests.push(user);
    }
    let sent = send(&store, room, guests[0], "here").await.sent.id;
    join(&store, room, guests[1], Role::Guest).await;
    join(&store, room, guests[2], Role::Guest).await;
    store.leave(room, guests[2], at(60)).await.unwrap();
    let react = reaction(room, message, guests[3], "👍", true);
    store.set_reaction(react).await.unwrap();
    let registered = account(&store, "jiho").await;
    session(&store, registered, 9).await;
    let purged = purge_before(&store, 2_000).await;
    assert_eq!((purged.sessions, purged.guests), (5, 0));
    for user in guests.into_iter().chain([registered]) {
        assert!(store.user(user).await.unwrap().is_some());
    }
    assert_eq!(load(&store, room, sent).await.author.name, "writer");
    assert_eq!(load(&store, room, message).await.reactions[0].count, 1);
}

pub async fn an_invite_goes_once_it_ended(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    for (code, ends) in [(1, 100), (2, 200)] {
        let invite = NewInvite {
            room,
            code: token(code),
            by: mina,
            at: at(0),
            expires_at: at(ends),
        };
        store.create_invite(invite).await.unwrap();
    }
    let wanted = Purged {
        invites: 1,
        ..Purged::default()
    };
    assert_eq!(purge_before(&store, 150).await, wanted);
    let found = store.invited_room(token(2), at(150)).await.unwrap();
    assert_eq!(found, Some(room));
}

pub async fn an_empty_page_goes_and_one_where_anything_happened_stays(store: Shared) {
    let jisu = guest(&store, "jisu").await;
    let (empty, _) = open_page(&store, "/empty", 100).await;
    let (later, _) = open_page(&store, "/later", 300).await;
    let (written, _) = open_page(&store, "/written", 100).await;
    let (joined, _) = open_page(&store, "/joined", 100).await;
    let (open, _) = open_page(&store, "/open", 100).await;
    send(&store, written, jisu, "hello").await;
    join(&store, joined, jisu, Role::Guest).await;
    store.leave(joined, jisu, at(120)).await.unwrap();
    let owned = new_room(RoomKind::Public, "Quiet");
    let owned = store.create_room(owned, jisu).await.unwrap().room.id;
    let purge = Purge {
        open_rooms: vec![open],
        ..everything_before(200)
    };
    let purged = store.purge(purge).await.unwrap();
    assert_eq!((purged.pages, purged.more), (1, false));
    assert_eq!(store.room(empty).await.unwrap(), None);
    for room in [later, written, joined, open, owned] {
        record(&store, room).await;
    }
    let (again, made) = open_page(&store, "/empty", 400).await;
    assert!(made && again != empty, "the next visit makes it anew");
}

pub async fn an_empty_page_that_is_visited_stays(store: Shared) {
    const DAY: u64 = 24 * 60 * 60 * 1_000;
    let (room, _) = open_page(&store, "/one", 0).await;
    assert_eq!(open_page(&store, "/one", 5 * DAY).await, (room, false));
    assert_eq!(purge_before(&store, 4 * DAY).await, Purged::default());
    assert_eq!(purge_before(&store, 6 * DAY).await.pages, 1);
}

pub async fn an_empty_page_that_is_open_on_one_node_outlives_the_purges_of_another(store: Shared) {
    const DAY: u64 = 24 * 60 * 60 * 1_000;
    const KEPT: u64 = 30 * DAY;
    let (open, _) = open_page(&store, "/open", 100 * DAY).await;
    for day in 101..200 {
        let (now, before) = (at(day * DAY), at(day * DAY - KEPT));
        let elsewhere = Purge {
            now,
            pages_opened_before: before,
            ..everything_before(0)
        };
        let here = Purge {
            open_rooms: vec![open],
            ..elsewhere.clone()
        };
        for purge in [here, elsewhere] {
            assert_eq!(store.purge(purge).await.unwrap(), Purged::default());
        }
    }
    assert_eq!(purge_before(&store, 200 * DAY).await.pages, 1, "closed");
}

pub async fn a_purge_takes_no_more_than_its_limit_and_says_so(store: Shared) {
    for n in 0..7_u8 {
        let name = format!("guest{n}");
        let user = guest(&store, &name).await;
        session(&store, user, n).await;
        open_page(&store, &format!("/{n}"), 0).await;
    }
    let mut total = Purged::default();
    for part in 1.. {
        let purge = Purge {
            limit: 3,
            ..everything_before(2_000)
        };
        let purged = store.purge(purge).await.unwrap();
        for rows in [purged.sessions, purged.tokens, purged.guests, purged.pages] {
            assert!(rows <= 3, "{purged:?}");
        }
        total.sessions += purged.sessions;
        total.guests += purged.guests;
        total.pages += purged.pages;
        if !purged.more {
            break;
        }
        assert!(part < 20, "it does not end");
    }
    assert_eq!((total.sessions, total.guests, total.pages), (7, 7, 7));
}

pub async fn a_session_with_more_tokens_than_the_limit_goes_in_parts(store: Shared) {
    let jisu = guest(&store, "jisu").await;
    session(&store, jisu, 1).await;
    for n in 1..10 {
        rotate(&store, n, n + 1, u64::from(n), 1_000).await;
    }
    let purge = Purge {
        limit: 4,
        ..everything_before(2_000)
    };
    let mut parts = Vec::new();
    loop {
        let purged = store.purge(purge.clone()).await.unwrap();
        parts.push(purged.tokens);
        if !purged.more {
            break;
        }
    }
    assert_eq!(parts, [4, 4, 2]);
    assert_eq!(store.user(jisu).await.unwrap(), None);
}
