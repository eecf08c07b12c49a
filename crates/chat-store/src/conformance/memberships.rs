//! Who belongs to a room, how far they have read, and invites.

use chat_types::event::Change;
use chat_types::id::{Number, Seq};
use chat_types::limits::ROOMS_PER_USER;
use chat_types::room::{Member, Role, RoomKind};

use super::given::{
    Refusal, Shared, account, at, at_once, guest, head, join, load, load_members, new_member,
    new_message, new_room, nth_name, owned_room, record, refused, room, room_id, send, send_many,
    token, user_id,
};
use crate::{ListCursor, Membership, Missing, NewInvite, NewMember, OwnPlace, Place};

pub async fn joining_is_a_change_and_happens_once(store: Shared) {
    let (_, room) = owned_room(&store).await;
    let jisu = guest(&store, "jisu").await;
    assert_eq!(store.membership(room, jisu).await.unwrap(), None);
    let joined = join(&store, room, jisu, Role::Guest).await;
    let event = joined.event.unwrap();
    assert_eq!((event.room, event.seq, event.at), (room, Seq(2), at(50)));
    let member = Member {
        user: store.user(jisu).await.unwrap().unwrap().to_user(),
        role: Role::Guest,
        joined_at: at(50),
    };
    assert_eq!(event.change, Change::Member { member });
    assert_eq!(
        store.membership(room, jisu).await.unwrap(),
        Some(joined.membership.clone())
    );
    let again = join(&store, room, jisu, Role::Owner).await;
    assert!(again.event.is_none());
    assert_eq!(again.membership, joined.membership, "the role stays");
    assert_eq!(
        (
            head(&store, room).await,
            record(&store, room).await.members_count
        ),
        (Seq(2), 2)
    );
}

pub async fn places_are_each_their_users_own_in_the_order_asked(store: Shared) {
    let (mina, first) = owned_room(&store).await;
    let second = room(&store, mina).await;
    let jisu = guest(&store, "jisu").await;
    join(&store, first, jisu, Role::Guest).await;
    send_many(&store, first, mina, 3).await;
    store.mark_read(first, jisu, Number(2)).await.unwrap();
    let asked = [
        (second, Some(jisu)),
        (first, Some(jisu)),
        (room_id(), Some(jisu)),
        (first, None),
        (first, Some(mina)),
        (first, Some(user_id())),
        (first, Some(jisu)),
    ];
    let places = store.places(&asked).await.unwrap();
    let theirs = OwnPlace {
        member: Member {
            user: store.user(jisu).await.unwrap().unwrap().to_user(),
            role: Role::Guest,
            joined_at: at(50),
        },
        read: Number(2),
    };
    let place = |record, own| Some(Place { record, own });
    let (first_now, second_now) = (record(&store, first).await, record(&store, second).await);
    assert_eq!(places[0], place(second_now, None));
    assert_eq!(places[1], place(first_now.clone(), Some(theirs)));
    assert_eq!(places[2], None);
    assert_eq!(places[3], place(first_now.clone(), None));
    let owner = places[4].as_ref().and_then(|place| place.own.as_ref());
    assert_eq!(owner.map(|own| own.member.role), Some(Role::Owner));
    assert_eq!(places[5], place(first_now, None));
    assert_eq!(places[6], places[1], "asked for twice");
    store.leave(first, jisu, at(60)).await.unwrap();
    let left = store.places(&[(first, Some(jisu))]).await.unwrap();
    assert_eq!(left, [place(record(&store, first).await, None)]);
    assert_eq!(store.places(&[]).await.unwrap(), []);
}

pub async fn joining_at_once_makes_one_member(store: Shared) {
    let (_, room) = owned_room(&store).await;
    let jisu = guest(&store, "jisu").await;
    let joined = at_once(16, |_| {
        let store = store.clone();
        async move { join(&store, room, jisu, Role::Guest).await.event.is_some() }
    })
    .await;
    assert_eq!(joined.into_iter().filter(|made| *made).count(), 1);
    assert_eq!(record(&store, room).await.members_count, 2);
}

pub async fn joining_needs_a_room_and_a_user(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    refused(
        store.join(new_member(room_id(), mina, Role::Member)).await,
        Missing::Room,
    );
    refused(
        store.join(new_member(room, user_id(), Role::Member)).await,
        Missing::User,
    );
    assert_eq!(head(&store, room).await, Seq(1));
}

pub async fn leaving_is_a_change_and_messages_stay(store: Shared) {
    let (_, room) = owned_room(&store).await;
    let jisu = guest(&store, "jisu").await;
    let sent = send(&store, room, jisu, "still here").await.sent;
    let event = store.leave(room, jisu, at(60)).await.unwrap().unwrap();
    assert_eq!((event.seq, event.at), (head(&store, room).await, at(60)));
    assert_eq!(event.change, Change::MemberLeft { user_id: jisu });
    assert_eq!(store.membership(room, jisu).await.unwrap(), None);
    assert_eq!(record(&store, room).await.members_count, 1);
    assert_eq!(load(&store, room, sent.id).await.author.id, jisu);
    assert_eq!(store.leave(room, jisu, at(61)).await.unwrap(), None);
    assert_eq!(store.leave(room, user_id(), at(61)).await.unwrap(), None);
    assert_eq!(head(&store, room).await, event.seq);
}

pub async fn who_returns_is_a_new_member_who_has_read_as_far_as_before(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    send_many(&store, room, mina, 5).await;
    store.mark_read(room, mina, Number(4)).await.unwrap();
    store.leave(room, mina, at(60)).await.unwrap();
    refused(
        store.mark_read(room, mina, Number(5)).await,
        Missing::Membership,
    );
    let back = NewMember {
        at: at(70),
        ..new_member(room, mina, Role::Member)
    };
    let joined = store.join(back).await.unwrap();
    assert_eq!(
        (joined.membership.role, joined.membership.joined_at),
        (Role::Member, at(70))
    );
    assert!(joined.membership.read >= Number(4));
    assert!(joined.event.is_some());
    assert_eq!(record(&store, room).await.members_count, 1);
}

pub async fn a_role_changes_once(store: Shared) {
    let (_, room) = owned_room(&store).await;
    let jisu = guest(&store, "jisu").await;
    join(&store, room, jisu, Role::Guest).await;
    let event = store
        .set_role(room, jisu, Role::Moderator, at(60))
        .await
        .unwrap()
        .unwrap();
    let Change::Member { member } = &event.change else {
        panic!("not a member");
    };
    assert_eq!(
        (member.role, member.joined_at, event.seq),
        (Role::Moderator, at(50), Seq(3))
    );
    assert_eq!(load_members(&store, room, 10).await[1], *member);
    let same = store
        .set_role(room, jisu, Role::Moderator, at(61))
        .await
        .unwrap();
    assert_eq!((same, head(&store, room).await), (None, Seq(3)));
    let stranger = account(&store, "jiho").await;
    let refusal = store.set_role(room, stranger, Role::Owner, at(62)).await;
    refused(refusal, Missing::Membership);
}

pub async fn reading_begins_at_the_newest_message(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    send_many(&store, room, mina, 5).await;
    let jisu = guest(&store, "jisu").await;
    let Membership { read, .. } = join(&store, room, jisu, Role::Guest).await.membership;
    assert_eq!(read, Number(5));
}

pub async fn a_read_position_moves_forward_to_the_newest_message_at_most(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let jisu = guest(&store, "jisu").await;
    send_many(&store, room, jisu, 5).await;
    for (asked, wanted) in [
        (3, 3),
        (2, 3),
        (0, 3),
        (5, 5),
        (99, 5),
        (u64::MAX, 5),
        (1, 5),
    ] {
        let read = store.mark_read(room, mina, Number(asked)).await.unwrap();
        assert_eq!(read, Number(wanted), "after asking for {asked}");
        let stored = store.membership(room, mina).await.unwrap().unwrap();
        assert_eq!(stored.read, Number(wanted));
    }
    assert_eq!(head(&store, room).await, Seq(7), "reading takes no seq");
    let stranger = guest(&store, "jiho").await;
    refused(
        store.mark_read(room, stranger, Number(1)).await,
        Missing::Membership,
    );
}

pub async fn an_own_message_is_read_when_all_before_it_was(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let jisu = guest(&store, "jisu").await;
    let read = async |user| store.membership(room, user).await.unwrap().unwrap().read;
    send_many(&store, room, mina, 2).await;
    assert_eq!(read(mina).await, Number(2));
    send(&store, room, jisu, "a first message").await;
    assert_eq!(read(jisu).await, Number(3), "who joins by it has read it");
    assert_eq!(read(mina).await, Number(2));
    send(&store, room, mina, "written before the other was seen").await;
    assert_eq!(
        read(mina).await,
        Number(2),
        "what others wrote stays unread"
    );
}

pub async fn own_messages_that_are_queued_together_are_read_as_one_by_one(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let [jisu, jiho] = [guest(&store, "jisu").await, guest(&store, "jiho").await];
    for user in [jisu, jiho] {
        join(&store, room, user, Role::Guest).await;
    }
    let authors = [mina, mina, jisu, mina, jiho, jiho];
    let queued = authors.map(|author| store.append(new_message(room, author, "hello")));
    for appending in queued {
        appending.await.unwrap();
    }
    for (user, wanted) in [(mina, 2), (jisu, 0), (jiho, 0)] {
        let read = store.membership(room, user).await.unwrap().unwrap().read;
        assert_eq!(read, Number(wanted));
    }
}

pub async fn read_positions_set_at_once_end_at_the_furthest(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let jisu = guest(&store, "jisu").await;
    send_many(&store, room, jisu, 20).await;
    let answers = at_once(20, |n| {
        let store = store.clone();
        let number = Number((n as u64 * 7) % 20 + 1);
        async move { (number, store.mark_read(room, mina, number).await.unwrap()) }
    })
    .await;
    assert!(answers.iter().all(|(asked, read)| read >= asked));
    let stored = store.membership(room, mina).await.unwrap().unwrap();
    assert_eq!(stored.read, Number(20));
}

pub async fn one_more_room_than_the_limit_is_refused(store: Shared) {
    let (_, full) = owned_room(&store).await;
    let (jisu, jiho) = (guest(&store, "jisu").await, guest(&store, "jiho").await);
    let made = at_once(ROOMS_PER_USER, |_| {
        let store = store.clone();
        async move { room(&store, jisu).await }
    })
    .await;
    refused(
        store.join(new_member(full, jisu, Role::Guest)).await,
        Refusal::LimitReached,
    );
    refused(
        store.append(new_message(full, jisu, "hi")).await,
        Refusal::LimitReached,
    );
    let one_more = new_room(RoomKind::Private, "Attic");
    let one_more = store.create_room(one_more, jisu).await;
    refused(one_more, Refusal::LimitReached);
    assert_eq!(head(&store, full).await, Seq(1));
    // Nobody uses up another's rooms with direct ones, and who leaves one has place for another.
    let direct = new_room(RoomKind::Direct, "two");
    assert!(store.open_direct((jisu, jiho), direct).await.unwrap().1);
    send(&store, made[0], jisu, "still a member here").await;
    store.leave(made[0], jisu, at(60)).await.unwrap();
    join(&store, full, jisu, Role::Guest).await;
}

pub async fn members_are_listed_by_role_then_time_then_id(store: Shared) {
    let (_, room) = owned_room(&store).await;
    for n in 0..23 {
        let user = guest(&store, &nth_name(n)).await;
        let role = [Role::Guest, Role::Member, Role::Moderator][n % 3];
        let member = NewMember {
            at: at(100 - (n as u64) / 5),
            ..new_member(room, user, role)
        };
        store.join(member).await.unwrap();
    }
    let paged = load_members(&store, room, 5).await;
    let mut sorted = paged.clone();
    sorted.sort_by_key(|m| (std::cmp::Reverse(m.role.rank()), m.joined_at, m.user.id));
    sorted.dedup();
    assert_eq!(paged.len(), 24);
    assert_eq!(paged, sorted);
    assert_eq!(load_members(&store, room, 24).await, sorted);
    let first = store.members(room, None, 5).await.unwrap();
    for text in [
        "",
        "nonsense",
        "m.1.2",
        "r.1.00000000000000000000000000000000",
    ] {
        let cursor = Some(ListCursor(text.to_owned()));
        assert_eq!(store.members(room, cursor, 5).await.unwrap(), first);
    }
}

pub async fn an_invite_leads_to_its_room_until_it_ends(store: Shared) {
    let (mina, room) = owned_room(&store).await;
    let invite = |code, room| NewInvite {
        room,
        code: token(code),
        by: mina,
        at: at(0),
        expires_at: at(1_000),
    };
    store.create_invite(invite(1, room)).await.unwrap();
    assert_eq!(
        store.invited_room(token(1), at(999)).await.unwrap(),
        Some(room)
    );
    assert_eq!(store.invited_room(token(1), at(1_000)).await.unwrap(), None);
    assert_eq!(store.invited_room(token(2), at(1)).await.unwrap(), None);
    refused(
        store.create_invite(invite(3, room_id())).await,
        Missing::Room,
    );
}
