//! Rooms of every kind, members and invites, and who may do what.

use std::sync::Arc;

use chat_backend::rooms::permissions::{Act, Standing, TABLE, allowed};
use chat_store::NewMember;
use chat_types::account::Empty;
use chat_types::endpoint::{
    GetSite, JoinRoom, LeaveRoom, ListMembers, ListPublicRooms, ListRooms, NewInvite, NewRoom,
    OpenDirectRoom, OpenPageRoom, PatchRoom, UseInvite,
};
use chat_types::event::Change;
use chat_types::id::{Epoch, RoomId};
use chat_types::problem::ErrorCode;
use chat_types::room::{
    AcceptInvite, CreateInvite, CreateRoom, ListQuery, OpenDirect, OpenPage, Role, RoomKind,
    UpdateRoom,
};
use chat_types::time::Timestamp;

use crate::support::{Person, TestApp};

async fn set_role(app: &TestApp, room: RoomId, person: &Person, role: Role) {
    app.store
        .set_role(room, person.user().id, role, Timestamp(1))
        .await
        .unwrap();
}

#[tokio::test]
async fn regression_02_each_page_has_a_room_of_its_own() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let first = mina.open_page("blog", "/first").await;
    let second = mina.open_page("blog", "/second").await;
    let foreign = mina.open_page("wiki", "/first").await;
    assert_ne!(first.room.id, second.room.id);
    assert_ne!(first.room.id, foreign.room.id);

    mina.send(first.room.id, "only on the first page")
        .await
        .unwrap();
    assert_eq!(mina.history(first.room.id).await.unwrap().messages.len(), 1);
    assert!(
        mina.history(second.room.id)
            .await
            .unwrap()
            .messages
            .is_empty()
    );
    assert!(
        mina.history(foreign.room.id)
            .await
            .unwrap()
            .messages
            .is_empty()
    );
    assert_eq!(
        app.visitor().open_page("blog", "/first").await.room.id,
        first.room.id
    );
}

#[tokio::test]
async fn concurrent_first_visits_make_one_page_room() {
    let app = TestApp::start().await;
    let visits = (0..16).map(|_| {
        let visitor = app.visitor();
        tokio::spawn(async move { visitor.open_page("blog", "/crowded").await.room.id })
    });
    let mut rooms = Vec::new();
    for visit in visits.collect::<Vec<_>>() {
        rooms.push(visit.await.unwrap());
    }
    rooms.dedup();
    assert_eq!(rooms.len(), 1);
}

#[tokio::test]
async fn a_page_room_is_named_by_the_title_and_needs_a_known_site() {
    let app = TestApp::start().await;
    let open = |site: &str, title: Option<&str>| OpenPage {
        site: site.parse().unwrap(),
        page: "/a".parse().unwrap(),
        title: title.map(str::to_owned),
    };
    let visitor = app.visitor();
    let made = visitor
        .call::<OpenPageRoom>(&[], open("blog", Some(" 첫 글 ")))
        .await
        .unwrap();
    assert_eq!(made.room.name, "첫 글");
    assert_eq!(made.room.kind, RoomKind::Page);
    let unknown = visitor
        .call::<OpenPageRoom>(&[], open("nowhere", None))
        .await
        .unwrap_err();
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn a_new_installation_begins_with_one_room_where_anybody_talks() {
    let app = TestApp::start_with(&[("--first-room", "Lounge")]).await;
    chat_backend::rooms::open_first(&app.state).await.unwrap();
    let listed = app
        .visitor()
        .request::<ListPublicRooms>(&[], ListQuery::default(), Empty {})
        .await
        .unwrap()
        .rooms;
    let [lounge] = listed.as_slice() else {
        panic!("{} rooms", listed.len());
    };
    assert_eq!(lounge.room.name, "Lounge");
    let mina = app.guest("mina").await;
    mina.call::<JoinRoom>(&[&lounge.room.id], Empty {})
        .await
        .unwrap();
    mina.send(lounge.room.id, "first!").await.unwrap();
}

#[tokio::test]
async fn public_and_page_rooms_are_read_without_joining() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let public = mina.room(RoomKind::Public, "lobby").await;
    let page = mina.open_page("blog", "/a").await.room.id;
    for room in [public, page] {
        mina.send(room, "hello").await.unwrap();
        let visitor = app.visitor();
        assert_eq!(visitor.history(room).await.unwrap().messages.len(), 1);
        assert_eq!(visitor.get_room(room).await.unwrap().role, None);
        assert_eq!(visitor.send(room, "hi").await.unwrap_err().status, 401);
    }
    let listed = app
        .visitor()
        .request::<ListPublicRooms>(&[], ListQuery::default(), Empty {})
        .await;
    let listed: Vec<_> = listed
        .unwrap()
        .rooms
        .into_iter()
        .map(|summary| summary.room.id)
        .collect();
    assert_eq!(listed, [public]);
}

#[tokio::test]
async fn a_private_or_direct_room_looks_missing_to_everybody_else() {
    let app = TestApp::start().await;
    let (mina, minsu, other) = (
        app.account("mina").await,
        app.account("minsu").await,
        app.account("other").await,
    );
    let private = mina.room(RoomKind::Private, "secret").await;
    let direct = OpenDirect {
        user: minsu.user().id,
    };
    let direct = mina
        .call::<OpenDirectRoom>(&[], direct)
        .await
        .unwrap()
        .room
        .id;
    let missing: RoomId = "00000000-0000-4000-8000-000000000000".parse().unwrap();
    let words = other.get_room(missing).await.unwrap_err().problem.detail;
    for room in [private, direct, missing] {
        for person in [&other, &app.visitor()] {
            let refused = person.get_room(room).await.unwrap_err();
            assert_eq!((refused.status, &refused.problem.detail), (404, &words));
            assert_eq!(person.history(room).await.unwrap_err().status, 404);
        }
        assert_eq!(other.send(room, "let me in").await.unwrap_err().status, 404);
        assert_eq!(
            other
                .call::<JoinRoom>(&[&room], Empty {})
                .await
                .unwrap_err()
                .status,
            404
        );
        let invite = other
            .call::<NewInvite>(&[&room], CreateInvite { valid_ms: None })
            .await;
        assert_eq!(invite.unwrap_err().status, 404);
    }
    assert!(minsu.send(direct, "hi").await.is_ok());
}

#[tokio::test]
async fn a_direct_room_is_the_same_from_both_sides() {
    let app = TestApp::start().await;
    let (hana, minsu) = (app.account("hana").await, app.account("minsu").await);
    let open = async |from: &Person, to: &Person| {
        from.call::<OpenDirectRoom>(&[], OpenDirect { user: to.user().id })
            .await
    };
    let mine = open(&hana, &minsu).await.unwrap();
    let theirs = open(&minsu, &hana).await.unwrap();
    assert_eq!(mine.room.id, theirs.room.id);
    assert_eq!(mine.peer.as_ref(), Some(minsu.user()));
    assert_eq!(theirs.peer.as_ref(), Some(hana.user()));
    assert_eq!(
        open(&hana, &hana).await.unwrap_err().code(),
        ErrorCode::Invalid
    );
}

#[tokio::test]
async fn a_peer_is_told_of_a_direct_room_also_when_the_first_attempt_told_nobody() {
    let app = TestApp::start().await;
    let (hana, minsu) = (app.account("hana").await, app.account("minsu").await);
    let mut of_minsu = app.socket(Some(minsu.token())).await;
    let open = async || {
        let peer = minsu.user().id;
        let opened = hana.call::<OpenDirectRoom>(&[], OpenDirect { user: peer });
        opened.await.unwrap().room.id
    };
    let pair = (hana.user().id, minsu.user().id);
    let room = chat_store::NewRoom {
        id: app.state.new_room_id(),
        kind: RoomKind::Direct,
        name: None,
        topic: None,
        epoch: Epoch("k3J9".to_owned()),
        at: app.state.now(),
    };
    let (made, _) = app.store.open_direct(pair, room).await.unwrap();
    assert_eq!(open().await, made.room.id);
    assert_eq!(of_minsu.added().await, made.room.id);

    hana.send(made.room.id, "hello").await.unwrap();
    open().await;
    let next = minsu.room(RoomKind::Private, "next").await;
    assert_eq!(of_minsu.added().await, next, "a room in use is not new");
}

#[tokio::test]
async fn an_invite_leads_into_a_private_room_until_it_ends() {
    let app = TestApp::start().await;
    let (owner, friend, late) = (
        app.account("hana").await,
        app.guest("friend").await,
        app.guest("late").await,
    );
    let room = owner.room(RoomKind::Private, "secret").await;
    let invite = owner
        .call::<NewInvite>(
            &[&room],
            CreateInvite {
                valid_ms: Some(60_000),
            },
        )
        .await
        .unwrap();
    let accept = || AcceptInvite {
        code: invite.code.clone(),
    };
    let joined = friend.call::<UseInvite>(&[], accept()).await.unwrap();
    assert_eq!((joined.room.id, joined.role), (room, Some(Role::Guest)));
    assert!(friend.send(room, "thank you").await.is_ok());

    app.clock.advance_ms(60_001);
    assert_eq!(
        late.call::<UseInvite>(&[], accept())
            .await
            .unwrap_err()
            .status,
        404
    );
    let long = CreateInvite {
        valid_ms: Some(u64::MAX),
    };
    assert_eq!(
        owner
            .call::<NewInvite>(&[&room], long)
            .await
            .unwrap_err()
            .code(),
        ErrorCode::Invalid
    );
}

#[tokio::test]
async fn joining_and_leaving_changes_the_list_of_rooms() {
    let app = TestApp::start().await;
    let (owner, mina) = (app.account("hana").await, app.guest("mina").await);
    let room = owner.room(RoomKind::Public, "lobby").await;
    let rooms = async || {
        let list = mina
            .request::<ListRooms>(&[], ListQuery::default(), Empty {})
            .await
            .unwrap();
        list.rooms
            .into_iter()
            .map(|summary| summary.room.id)
            .collect::<Vec<_>>()
    };
    assert!(rooms().await.is_empty());
    assert_eq!(
        mina.call::<JoinRoom>(&[&room], Empty {})
            .await
            .unwrap()
            .role,
        Some(Role::Guest)
    );
    assert_eq!(rooms().await, [room]);
    let members = app
        .visitor()
        .request::<ListMembers>(&[&room], ListQuery::default(), Empty {})
        .await;
    assert_eq!(members.unwrap().members.len(), 2);
    mina.call::<LeaveRoom>(&[&room], Empty {}).await.unwrap();
    assert!(rooms().await.is_empty());
    assert_eq!(
        mina.call::<LeaveRoom>(&[&room], Empty {})
            .await
            .unwrap_err()
            .status,
        403
    );
}

#[tokio::test]
async fn a_former_member_of_a_private_room_is_a_stranger() {
    let app = TestApp::start().await;
    let (owner, friend) = (app.account("hana").await, app.guest("friend").await);
    let room = owner.room(RoomKind::Private, "secret").await;
    let invite = owner
        .call::<NewInvite>(&[&room], CreateInvite { valid_ms: None })
        .await
        .unwrap();
    friend
        .call::<UseInvite>(&[], AcceptInvite { code: invite.code })
        .await
        .unwrap();
    friend.call::<LeaveRoom>(&[&room], Empty {}).await.unwrap();
    assert_eq!(friend.get_room(room).await.unwrap_err().status, 404);
    assert_eq!(friend.history(room).await.unwrap_err().status, 404);
    assert_eq!(
        friend.send(room, "still here").await.unwrap_err().status,
        404
    );
}

#[tokio::test]
async fn only_the_owner_changes_a_room_and_a_closed_one_takes_no_messages() {
    let app = TestApp::start().await;
    let (owner, moderator, mina) = (
        app.account("hana").await,
        app.account("keeper").await,
        app.guest("mina").await,
    );
    let room = owner.room(RoomKind::Public, "lobby").await;
    moderator
        .call::<JoinRoom>(&[&room], Empty {})
        .await
        .unwrap();
    set_role(&app, room, &moderator, Role::Moderator).await;
    let rename = || UpdateRoom {
        name: Some("new name".to_owned()),
        ..UpdateRoom::default()
    };
    assert_eq!(
        moderator
            .call::<PatchRoom>(&[&room], rename())
            .await
            .unwrap_err()
            .status,
        403
    );
    assert_eq!(
        owner
            .call::<PatchRoom>(&[&room], rename())
            .await
            .unwrap()
            .room
            .name,
        "new name"
    );

    let read_only = UpdateRoom {
        read_only: Some(true),
        ..UpdateRoom::default()
    };
    owner.call::<PatchRoom>(&[&room], read_only).await.unwrap();
    assert_eq!(
        mina.send(room, "hi").await.unwrap_err().code(),
        ErrorCode::ReadOnly
    );
    assert!(moderator.send(room, "quiet, please").await.is_ok());
    let archived = UpdateRoom {
        archived: Some(true),
        ..UpdateRoom::default()
    };
    owner.call::<PatchRoom>(&[&room], archived).await.unwrap();
    assert_eq!(
        owner.send(room, "hi").await.unwrap_err().code(),
        ErrorCode::ReadOnly
    );
}

#[tokio::test]
async fn a_room_is_made_public_or_private_with_a_valid_name() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    for (kind, name, field) in [
        (RoomKind::Page, "fine", "kind"),
        (RoomKind::Direct, "fine", "kind"),
        (RoomKind::Public, " ", "name"),
    ] {
        let request = CreateRoom {
            kind,
            name: name.to_owned(),
            topic: String::new(),
        };
        let refused = mina.call::<NewRoom>(&[], request).await.unwrap_err();
        assert_eq!(
            (refused.status, refused.problem.field.as_deref()),
            (422, Some(field))
        );
    }
}

#[tokio::test]
async fn a_site_tells_where_it_may_be_embedded() {
    let app = TestApp::start().await;
    let site = app
        .visitor()
        .call::<GetSite>(&[&"blog"], Empty {})
        .await
        .unwrap();
    assert_eq!(site.origins, ["https://blog.example.com"]);
    for unknown in ["nowhere", "No%20Site"] {
        assert_eq!(
            app.visitor()
                .call::<GetSite>(&[&unknown], Empty {})
                .await
                .unwrap_err()
                .status,
            404
        );
    }
}

/// Every cell of the table, against the running service: what is refused there is refused here.
#[tokio::test]
async fn a_site_that_is_not_configured_any_more_cannot_be_embedded_and_keeps_its_rooms() {
    let before = TestApp::start().await;
    let mina = before.guest("mina").await;
    let room = mina.open_page("blog", "/one").await.room.id;
    mina.send(room, "kept").await.unwrap();
    let own = [("--sites", "wiki=*")];
    let after = TestApp::start_on(Arc::clone(&before.store), &own).await;
    let visitor = after.visitor();
    let site = visitor.call::<GetSite>(&[&"blog"], Empty {}).await;
    assert_eq!(site.unwrap_err().status, 404);
    visitor.call::<GetSite>(&[&"wiki"], Empty {}).await.unwrap();
    let open = OpenPage {
        site: "blog".parse().unwrap(),
        page: "/one".parse().unwrap(),
        title: None,
    };
    let opened = visitor.call::<OpenPageRoom>(&[], open).await;
    assert_eq!(opened.unwrap_err().status, 404);
    assert_eq!(visitor.history(room).await.unwrap().messages.len(), 1);
}

#[tokio::test]
async fn the_service_obeys_the_table_of_permissions() {
    let app = TestApp::start().await;
    for kind in [RoomKind::Public, RoomKind::Private] {
        for standing in [
            Standing::Visitor,
            Standing::Stranger,
            Standing::Guest,
            Standing::Member,
            Standing::Moderator,
            Standing::Owner,
        ] {
            for (act, _) in TABLE {
                let expected = allowed(act, kind, standing);
                if let Some(outcome) = attempt(&app, kind, standing, act).await {
                    assert_eq!(
                        outcome, expected,
                        "{act:?} in a {kind:?} room as {standing:?}"
                    );
                }
            }
        }
    }
}

/// Tries the act in a new room; `None` for acts that only qualify another.
async fn attempt(app: &TestApp, kind: RoomKind, standing: Standing, act: Act) -> Option<bool> {
    let creator = app.guest("creator").await;
    let room = creator.room(kind, "a room").await;
    let theirs = creator.send(room, "theirs").await.unwrap().id;
    let person = match standing {
        Standing::Visitor => app.visitor(),
        Standing::Member => app.account(&format!("user{}", rand::random::<u32>())).await,
        _ => app.guest("somebody").await,
    };
    let role = match standing {
        Standing::Guest => Some(Role::Guest),
        Standing::Member => Some(Role::Member),
        Standing::Moderator => Some(Role::Moderator),
        Standing::Owner => Some(Role::Owner),
        _ => None,
    };
    if let Some(role) = role {
        let member = chat_store::NewMember {
            room,
            user: person.user().id,
            role,
            at: Timestamp(1),
        };
        app.store.join(member).await.unwrap();
    }
    let succeeded = match act {
        Act::Read => person.history(room).await.is_ok(),
        Act::Write => person.send(room, "mine").await.is_ok(),
        Act::WriteReadOnly => {
            let read_only = UpdateRoom {
                read_only: Some(true),
                ..UpdateRoom::default()
            };
            creator
                .call::<PatchRoom>(&[&room], read_only)
                .await
                .unwrap();
            person.send(room, "mine").await.is_ok()
        }
        Act::DeleteAny => person
            .call::<chat_types::endpoint::DeleteMessage>(&[&room, &theirs], Empty {})
            .await
            .is_ok(),
        Act::Pin => person
            .call::<chat_types::endpoint::PutPin>(
                &[&room, &theirs],
                chat_types::room::Pin { on: true },
            )
            .await
            .is_ok(),
        Act::Join => person.call::<JoinRoom>(&[&room], Empty {}).await.is_ok(),
        Act::Leave => person.call::<LeaveRoom>(&[&room], Empty {}).await.is_ok(),
        Act::Invite => person
            .call::<NewInvite>(&[&room], CreateInvite { valid_ms: None })
            .await
            .is_ok(),
        Act::Change => {
            let rename = UpdateRoom {
                name: Some("renamed".to_owned()),
                ..UpdateRoom::default()
            };
            person.call::<PatchRoom>(&[&room], rename).await.is_ok()
        }
        Act::DeleteOwn => {
            let own = person.send(room, "mine").await.ok()?.id;
            person
                .call::<chat_types::endpoint::DeleteMessage>(&[&room, &own], Empty {})
                .await
                .is_ok()
        }
    };
    Some(succeeded)
}

#[tokio::test]
async fn a_room_goes_to_who_has_been_there_longest_when_its_last_owner_leaves() {
    let app = TestApp::start().await;
    let mina = app.account("mina").await;
    let room = mina.room(RoomKind::Public, "handed on").await;
    let people = [
        app.guest("aba").await,
        app.account("bcb").await,
        app.account("cdc").await,
        app.account("ded").await,
    ];
    for person in &people {
        app.clock.advance_ms(1_000);
        person.call::<JoinRoom>(&[&room], Empty {}).await.unwrap();
    }
    let [guest, member, moderator, last] = &people;
    let (id, now) = (moderator.user().id, app.state.now());
    app.store
        .set_role(room, id, Role::Moderator, now)
        .await
        .unwrap();
    let mut socket = app.socket(Some(last.token())).await;
    socket.follow(room).await;
    let rename = UpdateRoom {
        name: Some("mine".to_owned()),
        ..UpdateRoom::default()
    };
    let heirs = [moderator, member, last, guest];
    for (leaving, heir) in [&mina].into_iter().chain(heirs).zip(heirs) {
        let renamed = heir.call::<PatchRoom>(&[&room], rename.clone()).await;
        assert_eq!(renamed.unwrap_err().code(), ErrorCode::Forbidden);
        leaving.call::<LeaveRoom>(&[&room], Empty {}).await.unwrap();
        heir.call::<PatchRoom>(&[&room], rename.clone())
            .await
            .unwrap();
    }
    let Change::Member { member: first } = socket.event(room).await.change else {
        panic!("somebody becomes the owner first");
    };
    assert_eq!((first.user.id, first.role), (id, Role::Owner));
    let left = socket.event(room).await.change;
    assert_eq!(
        left,
        Change::MemberLeft {
            user_id: mina.user().id
        }
    );
    guest.call::<LeaveRoom>(&[&room], Empty {}).await.unwrap();
}

#[tokio::test]
async fn one_of_two_owners_leaves_the_room_to_the_other() {
    let app = TestApp::start().await;
    let (mina, minsu) = (app.account("mina").await, app.account("minsu").await);
    let room = mina.room(RoomKind::Private, "shared").await;
    let now = app.state.now();
    for (person, role) in [
        (&minsu, Role::Owner),
        (&app.account("aba").await, Role::Member),
    ] {
        let user = person.user().id;
        let member = NewMember {
            room,
            user,
            role,
            at: now,
        };
        app.store.join(member).await.unwrap();
    }
    mina.call::<LeaveRoom>(&[&room], Empty {}).await.unwrap();
    let members = app.store.members(room, None, 10).await.unwrap().members;
    let roles: Vec<_> = members.iter().map(|it| it.role).collect();
    assert_eq!(roles, [Role::Owner, Role::Member]);
}

/// As when somebody was made the owner after their leaving had been allowed to a mere member: it is
/// the leaving that has to see that the room has no owner.
#[tokio::test]
async fn who_leaves_a_room_without_an_owner_leaves_it_one() {
    let app = TestApp::start().await;
    let (mina, minsu) = (app.account("mina").await, app.account("minsu").await);
    let aba = app.account("aba").await;
    let room = mina.room(RoomKind::Public, "orphaned").await;
    for person in [&minsu, &aba] {
        person.call::<JoinRoom>(&[&room], Empty {}).await.unwrap();
    }
    let (owner, now) = (mina.user().id, app.state.now());
    app.store.leave(room, owner, now).await.unwrap();
    minsu.call::<LeaveRoom>(&[&room], Empty {}).await.unwrap();
    let members = app.store.members(room, None, 10).await.unwrap().members;
    let [heir] = &members[..] else {
        panic!("one is left: {members:?}");
    };
    assert_eq!((heir.user.id, heir.role), (aba.user().id, Role::Owner));
}

#[tokio::test]
async fn nobody_becomes_the_owner_of_a_page_by_leaving_it() {
    let app = TestApp::start().await;
    let (mina, minsu) = (app.guest("mina").await, app.guest("minsu").await);
    let room = mina.open_page("blog", "/nobodys").await.room.id;
    for person in [&mina, &minsu] {
        person.call::<JoinRoom>(&[&room], Empty {}).await.unwrap();
    }
    mina.call::<LeaveRoom>(&[&room], Empty {}).await.unwrap();
    let members = app.store.members(room, None, 10).await.unwrap().members;
    let roles: Vec<_> = members.iter().map(|it| it.role).collect();
    assert_eq!(roles, [Role::Guest]);
}
