//! Several nodes on one database: one feed, one name, one purge.

use std::sync::Arc;

use chat_store::{
    Appended, Memberships, Messages, NewGuest, NewMember, NewMessage, NewSession, Purge, Purging,
    Rooms, Sessions, SetReaction, Sites, Store, TokenHash, UpgradeGuest, Users,
};
use chat_testbed::Database;
use chat_types::event::Event;
use chat_types::id::{MessageId, Number, PageKey, RoomId, SessionId, SiteKey, UserId};
use chat_types::room::{Role, RoomKind, Site};
use chat_types::text::{Emoji, Username};
use chat_types::time::Timestamp;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;
use uuid::Uuid;

use crate::given::{
    PATIENCE, Shared, account, guest, message, new_room, nickname, node, owned_room, public_room,
    raw,
};

/// Two nodes on one new database.
async fn two_nodes() -> (Database, [Shared; 2]) {
    let database = chat_testbed::database().unwrap();
    let nodes = [node(database.url()).await, node(database.url()).await];
    (database, nodes)
}

/// A letter for each number, so that no two names look alike.
fn name(n: usize) -> String {
    let letter = |n: usize| char::from(b"abcdefghjk"[n % 10]);
    [letter(n / 100), letter(n / 10), letter(n), 'x']
        .iter()
        .collect()
}

async fn all<T: Send + 'static>(
    tasks: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

/// Everything that one guest does: joins, writes, reacts, leaves, comes back with a message.
async fn live(store: Shared, user: UserId, room: RoomId, under: MessageId) -> Vec<Event> {
    let mut events = Vec::new();
    let member = NewMember {
        room,
        user,
        role: Role::Guest,
        at: Timestamp(3),
    };
    events.extend(store.join(member).await.unwrap().event);
    for n in 0..5 {
        let new = message(room, user, &n.to_string());
        events.extend(store.append(new).await.unwrap().events);
        let reaction = SetReaction {
            room,
            id: under,
            user,
            emoji: Emoji::parse("👍").unwrap(),
            on: n % 2 == 0,
            at: Timestamp(4),
        };
        events.extend(store.set_reaction(reaction).await.unwrap());
    }
    events.extend(store.leave(room, user, Timestamp(5)).await.unwrap());
    let back = message(room, user, "back");
    events.extend(store.append(back).await.unwrap().events);
    events
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_one_room_from_two_nodes_are_one_feed_without_gap() {
    let (_database, nodes) = two_nodes().await;
    let (mina, room) = owned_room(&nodes[0]).await;
    let first = nodes[0].append(message(room, mina, "first")).await.unwrap();
    let under = first.sent.id;
    let mut lives = Vec::new();
    for n in 0..16 {
        let store = nodes[n % 2].clone();
        let user = guest(&store, &name(n)).await;
        lives.push(live(store, user, room, under));
    }
    let events = all(lives).await;
    let mut seqs: Vec<u64> = events.iter().flatten().map(|event| event.seq.0).collect();
    seqs.sort_unstable();
    let head = nodes[1].room(room).await.unwrap().unwrap().head.0;
    assert_eq!(seqs, (3..=head).collect::<Vec<_>>());
    for store in nodes {
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_messages_over_many_rooms_from_two_nodes_never_wait_for_each_other_in_a_ring() {
    let (_database, nodes) = two_nodes().await;
    let owner = account(&nodes[0], "mina").await;
    let mut rooms = Vec::new();
    for _ in 0..12 {
        rooms.push(public_room(&nodes[0], owner).await);
    }
    let mut users = Vec::new();
    for n in 0..12 {
        users.push(guest(&nodes[0], &name(n)).await);
    }
    let mut sends = Vec::new();
    for (n, user) in users.iter().copied().enumerate() {
        for (at, room) in rooms.iter().copied().enumerate() {
            let store = nodes[(n + at) % 2].clone();
            sends.push(async move { store.append(message(room, user, "hello")).await });
        }
    }
    for result in all(sends).await {
        assert_eq!(result.unwrap().events.len(), 2);
    }
    for room in rooms {
        let record = nodes[0].room(room).await.unwrap().unwrap();
        assert_eq!((record.head.0, record.last_number), (25, Number(12)));
        assert_eq!(record.members_count, 13);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_message_sent_to_two_nodes_at_once_is_stored_once() {
    let (_database, nodes) = two_nodes().await;
    let (mina, room) = owned_room(&nodes[0]).await;
    for round in 1..=40_u64 {
        let new = message(room, mina, "once");
        let attempts = (0..4).map(|n| {
            let store = nodes[n % 2].clone();
            let new = NewMessage {
                id: MessageId::from_uuid(Uuid::now_v7()),
                ..new.clone()
            };
            async move { store.append(new).await.unwrap().sent }
        });
        let sent = all(attempts).await;
        assert_eq!(sent.iter().filter(|sent| !sent.duplicate).count(), 1);
        assert!(sent.iter().all(|sent| sent.number == Number(round)));
    }
}

/// Waits until a connection waits for a lock.
async fn until_somebody_waits(database: &Database) {
    let mut looks = raw(database.url()).await;
    let waits = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock')";
    while !sqlx::query_scalar::<_, bool>(waits)
        .fetch_one(&mut looks)
        .await
        .unwrap()
    {
        tokio::task::yield_now().await;
    }
}

const HOLD_ROOM: &str = "SELECT id FROM rooms WHERE id = $1 FOR NO KEY UPDATE";
const HOLD_USER: &str = "SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE";

/// Takes a lock as a write of another node does.
async fn hold(connection: &mut PgConnection, lock: &'static str, id: &Uuid) {
    let held = sqlx::query(lock).bind(id).execute(connection).await;
    held.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_another_node_changed_meanwhile_takes_the_group_as_it_is() {
    let (database, [store, _]) = two_nodes().await;
    let (mina, room) = owned_room(&store).await;
    let jisu = guest(&store, "jisu").await;
    let first = store.append(message(room, mina, "first")).await.unwrap();
    let mut other = raw(database.url()).await;
    let mut changes = other.begin().await.unwrap();
    sqlx::query("UPDATE rooms SET head = head + 1, room_seq = head + 1 WHERE id = $1")
        .bind(*room.as_uuid())
        .execute(&mut *changes)
        .await
        .unwrap();
    let ahead = tokio::spawn(send(&store, message(room, mina, "ahead")));
    until_somebody_waits(&database).await;
    let plain = message(room, mina, "plain");
    let repeat = plain.clone();
    let joins = message(room, jisu, "hello");
    let mut astray = message(room, mina, "astray");
    astray.reply_to = Some(MessageId::from_uuid(Uuid::now_v7()));
    let mut answer = message(room, mina, "answer");
    answer.reply_to = Some(first.sent.id);
    let group = [plain, repeat, joins, astray, answer].map(|new| tokio::spawn(send(&store, new)));
    changes.commit().await.unwrap();
    assert_eq!(ahead.await.unwrap().unwrap().sent.number, Number(2));
    let mut told = Vec::new();
    for result in group {
        let result = result.await.unwrap().ok();
        told.push(result.map(|appended| (appended.sent.duplicate, appended.events.len())));
    }
    told[..2].sort_unstable();
    let (once, joined) = (Some((false, 1)), Some((false, 2)));
    assert_eq!(told, [once, Some((true, 0)), joined, None, once]);
    let record = store.room(room).await.unwrap().unwrap();
    // Five messages, two members, and what the other node changed.
    assert_eq!((record.head.0, record.last_number), (8, Number(5)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_is_hot_on_two_nodes_is_one_feed_without_gap() {
    let (_database, nodes) = two_nodes().await;
    let (mina, room) = owned_room(&nodes[0]).await;
    let mut sends = Vec::new();
    for n in 0..600 {
        sends.push(send(&nodes[n % 2], message(room, mina, &n.to_string())));
    }
    let mut numbers = Vec::new();
    for result in all(sends).await {
        numbers.push(result.unwrap().sent.number.0);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=600).collect::<Vec<_>>());
    let record = nodes[1].room(room).await.unwrap().unwrap();
    assert_eq!((record.head.0, record.last_number), (601, Number(600)));
}

fn send(
    store: &Shared,
    new: NewMessage,
) -> impl Future<Output = chat_store::Result<Appended>> + Send + use<> {
    let store = store.clone();
    async move { store.append(new).await }
}

/// The connections of the nodes.
async fn connections(database: &Database) -> Vec<i32> {
    let mut looks = raw(database.url()).await;
    let pids = "SELECT pid FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()
                  AND backend_type = 'client backend'";
    sqlx::query_scalar(pids)
        .fetch_all(&mut looks)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_a_deadlock_undid_is_appended_over_the_same_connection() {
    let database = chat_testbed::database().unwrap();
    let mut other = raw(database.url()).await;
    // It is the node that finds the deadlock, and it does not look before there is one.
    sqlx::raw_sql(
        "SET deadlock_timeout = '1h';
         DO $$ BEGIN
             EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = 3000', current_database());
         END $$",
    )
    .execute(&mut other)
    .await
    .unwrap();
    let store = node(database.url()).await;
    let (mina, room) = owned_room(&store).await;
    let jisu = guest(&store, "jisu").await;
    store.append(message(room, mina, "first")).await.unwrap();
    let before = connections(&database).await;
    let mut holds = other.begin().await.unwrap();
    hold(&mut holds, HOLD_USER, jisu.as_uuid()).await;
    let append = tokio::spawn(send(&store, message(room, jisu, "hello")));
    // The node has the room and waits for the user; here it is the other way round.
    until_somebody_waits(&database).await;
    let room_last = hold(&mut holds, HOLD_ROOM, room.as_uuid());
    timeout(PATIENCE, room_last).await.expect("it lets go");
    holds.rollback().await.unwrap();
    let appended = append.await.unwrap().unwrap();
    assert_eq!(
        (appended.sent.number, appended.events.len()),
        (Number(2), 2)
    );
    let after = connections(&database).await;
    assert!(
        before.iter().all(|pid| after.contains(pid)),
        "{before:?} {after:?}"
    );
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_room_accepts_is_decided_after_the_wait_for_its_lock() {
    let (database, [store, _]) = two_nodes().await;
    let mina = account(&store, "mina").await;
    let room = new_room(RoomKind::Private);
    let room = store.create_room(room, mina).await.unwrap().room.id;
    // Another node archives the room and has not committed yet.
    let mut other = raw(database.url()).await;
    let mut archives = other.begin().await.unwrap();
    sqlx::query("UPDATE rooms SET archived = TRUE, head = head + 1 WHERE id = $1")
        .bind(*room.as_uuid())
        .execute(&mut *archives)
        .await
        .unwrap();
    let (waiting, queued) = (store.clone(), message(room, mina, "too late"));
    let append = tokio::spawn(async move { waiting.append(queued).await });
    until_somebody_waits(&database).await;
    archives.commit().await.unwrap();
    let refused = append.await.unwrap().unwrap_err();
    assert!(
        matches!(
            refused,
            chat_store::StoreError::Conflict(chat_store::Conflict::ReadOnly)
        ),
        "{refused:?}"
    );
    let record = store.room(room).await.unwrap().unwrap();
    assert_eq!((record.head.0, record.last_number), (2, Number(0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_of_two_nodes_never_share_a_name() {
    let (_database, nodes) = two_nodes().await;
    let guests = (0..40).map(|n| {
        let store = nodes[n % 2].clone();
        let names = (0..40).map(|n| nickname(&name(n))).collect();
        let id = UserId::from_uuid(Uuid::new_v4());
        let at = Timestamp(1);
        async move { store.create_guest(NewGuest { id, names, at }).await }
    });
    let mut names: Vec<String> = all(guests)
        .await
        .into_iter()
        .map(|guest| guest.unwrap().name)
        .collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_reaches_the_rooms_that_are_joined_meanwhile() {
    let (_database, nodes) = two_nodes().await;
    let owner = account(&nodes[0], "mina").await;
    for round in 0..10 {
        let user = guest(&nodes[0], &name(round)).await;
        // Each may make the upgrade begin again, and it begins three times at most.
        let rooms = [
            public_room(&nodes[0], owner).await,
            public_room(&nodes[0], owner).await,
        ];
        let joins = rooms.into_iter().map(|room| {
            let store = nodes[1].clone();
            async move { store.append(message(room, user, "hi")).await.map(drop) }
        });
        let upgrade = UpgradeGuest {
            id: user,
            username: Username::parse(&format!("user-{round}")).unwrap(),
            names: Vec::new(),
            password_hash: "$argon2id$".to_owned(),
            at: Timestamp(9),
        };
        let joins = all(joins);
        let (upgraded, joined) = tokio::join!(nodes[0].upgrade_guest(upgrade), joins);
        let told: Vec<RoomId> = upgraded.unwrap().events.iter().map(|e| e.room).collect();
        for (room, result) in rooms.into_iter().zip(joined) {
            result.unwrap();
            let membership = nodes[0].membership(room, user).await.unwrap().unwrap();
            let wanted = if told.contains(&room) {
                Role::Member
            } else {
                Role::Guest
            };
            assert_eq!(membership.role, wanted);
        }
    }
}

fn everything_before(ms: u64) -> Purge {
    Purge {
        sessions_ended_before: Timestamp(ms),
        invites_ended_before: Timestamp(ms),
        pages_opened_before: Timestamp(ms),
        now: Timestamp(ms),
        open_rooms: Vec::new(),
        limit: 10,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_purge_at_once_and_count_nothing_twice() {
    let (_database, nodes) = two_nodes().await;
    for n in 0..60_u8 {
        let user = guest(&nodes[0], &name(n.into())).await;
        let session = NewSession {
            id: SessionId::from_uuid(Uuid::new_v4()),
            user,
            refresh: TokenHash([n; 32]),
            device: String::new(),
            at: Timestamp(1),
            expires_at: Timestamp(10),
        };
        nodes[0].create_session(session).await.unwrap();
    }
    let purges = (0..2).map(|n| {
        let store: Arc<_> = nodes[n].clone();
        async move {
            let mut counts = (0, 0, 0);
            loop {
                let purged = store.purge(everything_before(100)).await.unwrap();
                counts.0 += purged.sessions;
                counts.1 += purged.tokens;
                counts.2 += purged.guests;
                if !purged.more {
                    return counts;
                }
            }
        }
    });
    let mut counts = all(purges).await;
    // What one had locked the other passed over: the next purge finds it.
    let rest = nodes[0].purge(everything_before(100)).await.unwrap();
    counts.push((rest.sessions, rest.tokens, rest.guests));
    let sum = |pick: fn(&(u64, u64, u64)) -> u64| counts.iter().map(pick).sum::<u64>();
    assert_eq!((sum(|c| c.0), sum(|c| c.1), sum(|c| c.2)), (60, 60, 60));
}

/// A page room in which nothing happened, last opened at 1.
async fn empty_page(store: &Shared, page: usize) -> RoomId {
    let key: SiteKey = "blog".parse().unwrap();
    let site = Site {
        key: key.clone(),
        origins: vec!["*".to_owned()],
    };
    store.put_site(site).await.unwrap();
    let page: PageKey = format!("/{page}").parse().unwrap();
    let opened = store.open_page(&key, &page, new_room(RoomKind::Page)).await;
    opened.unwrap().0.room.id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_keep_the_same_open_pages_and_wait_for_nobody() {
    let (database, nodes) = two_nodes().await;
    let mut pages = Vec::new();
    for n in 0..40 {
        pages.push(empty_page(&nodes[0], n).await);
    }
    // A third node keeps one of them and has not committed yet.
    let mut other = raw(database.url()).await;
    let mut keeps = other.begin().await.unwrap();
    hold(&mut keeps, HOLD_ROOM, pages[20].as_uuid()).await;
    let purges = (0..2).map(|n| {
        let mut purge = everything_before(100);
        purge.open_rooms.clone_from(&pages);
        if n == 1 {
            purge.open_rooms.reverse();
        }
        let store = nodes[n].clone();
        async move { store.purge(purge).await }
    });
    let purges = timeout(PATIENCE, all(purges)).await;
    for purged in purges.expect("nobody waits") {
        assert_eq!(purged.unwrap().pages, 0);
    }
    keeps.rollback().await.unwrap();
    // All but the one that was passed over count as opened at 100.
    let rest = nodes[0].purge(everything_before(100)).await.unwrap();
    assert_eq!(rest.pages, 1);
    assert_eq!(nodes[0].room(pages[20]).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_that_takes_a_guest_waits_for_no_open_page() {
    let (database, [store, _]) = two_nodes().await;
    let page = empty_page(&store, 0).await;
    let user = guest(&store, "jisu").await;
    let session = NewSession {
        id: SessionId::from_uuid(Uuid::new_v4()),
        user,
        refresh: TokenHash([1; 32]),
        device: String::new(),
        at: Timestamp(1),
        expires_at: Timestamp(10),
    };
    store.create_session(session).await.unwrap();
    // Another node appends the guest's first message: it has the page, and goes on to the guest.
    let mut other = raw(database.url()).await;
    let mut appends = other.begin().await.unwrap();
    hold(&mut appends, HOLD_ROOM, page.as_uuid()).await;
    let mut purge = everything_before(100);
    purge.open_rooms.push(page);
    let purged = timeout(PATIENCE, store.purge(purge)).await;
    assert_eq!(purged.expect("it waits for nobody").unwrap().guests, 1);
    hold(&mut appends, HOLD_USER, user.as_uuid()).await;
    appends.commit().await.unwrap();
    assert!(store.room(page).await.unwrap().is_some(), "it is open");
}
