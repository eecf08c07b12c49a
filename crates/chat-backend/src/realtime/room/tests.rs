use chat_types::event::UserKind;
use uuid::Uuid;

use super::*;

fn user(n: u128) -> User {
    User {
        id: UserId::from_uuid(Uuid::from_u128(n)),
        name: format!("user {n}"),
        kind: UserKind::Guest,
    }
}

fn room() -> Arc<ActiveRoom> {
    let id = RoomId::from_uuid(Uuid::nil());
    ActiveRoom::new(id, Budget::new(1 << 20), TaskTracker::new())
}

fn attach(room: &ActiveRoom, n: u128, viewer: &User) -> ConnectionId {
    let id = ConnectionId::from_uuid(Uuid::from_u128(n));
    assert!(room.attach(Arc::new(Mailbox::new(id)), Some(viewer.id)));
    id
}

fn start(room: &ActiveRoom, id: ConnectionId, viewer: &User) -> Place {
    let epoch = Epoch("k3J9".to_owned());
    room.start(id, Some(viewer), Seq::ZERO, &epoch).0
}

/// The documents that a reader gets now.
fn news(room: &ActiveRoom, id: ConnectionId, place: &mut Place) -> Vec<Doc> {
    let mut frame = Frame::default();
    room.take(id, place, false, &mut frame);
    frame.documents().map(Doc::from).collect()
}

#[tokio::test(start_paused = true)]
async fn who_comes_is_told_who_types_and_not_who_did() {
    let (room, mina, joon) = (room(), user(1), user(2));
    let first = attach(&room, 1, &mina);
    start(&room, first, &mina);
    assert!(room.typing(&joon, Instant::now()));

    let moment = Duration::from_millis(1);
    tokio::time::advance(TYPING_LASTS.saturating_sub(moment)).await;
    let second = attach(&room, 2, &mina);
    let mut at_second = start(&room, second, &mina);
    assert_eq!(news(&room, second, &mut at_second).len(), 1);

    tokio::time::advance(moment).await;
    let third = attach(&room, 3, &mina);
    let mut at_third = start(&room, third, &mina);
    assert_eq!(news(&room, third, &mut at_third), Vec::<Doc>::new());
}

#[test]
fn presence_is_told_when_it_changed_and_to_who_has_not_heard_it() {
    let (room, mina, joon) = (room(), user(1), user(2));
    let first = attach(&room, 1, &mina);
    let mut at_first = start(&room, first, &mina);
    room.tell_presence();
    assert_eq!(news(&room, first, &mut at_first).len(), 1);

    let second = attach(&room, 2, &mina);
    let mut at_second = start(&room, second, &mina);
    room.tell_presence();
    assert!(
        news(&room, first, &mut at_first).is_empty(),
        "a second device of the same user"
    );
    assert_eq!(news(&room, second, &mut at_second).len(), 1);

    let third = attach(&room, 3, &joon);
    start(&room, third, &joon);
    room.tell_presence();
    assert_eq!(news(&room, first, &mut at_first).len(), 1);
}

#[test]
fn a_reader_who_was_never_let_in_leaves_everything_as_it_was() {
    let (room, mina, joon) = (room(), user(1), user(2));
    let reader = attach(&room, 1, &mina);
    start(&room, reader, &mina);
    let refused = attach(&room, 2, &joon);
    assert_eq!(room.detach(refused), Left::Same);
    let other = attach(&room, 3, &joon);
    start(&room, other, &joon);
    assert_eq!(room.detach(other), Left::Fewer);
    assert_eq!(room.detach(reader), Left::Empty);
}

/// A crowd of readers who have started.
fn crowd(room: &ActiveRoom, readers: u128) -> Vec<(Arc<Mailbox>, Place)> {
    let reader = |n| {
        let mailbox = Arc::new(Mailbox::new(ConnectionId::from_uuid(Uuid::from_u128(n))));
        assert!(room.attach(mailbox.clone(), None));
        let epoch = Epoch("k3J9".to_owned());
        let place = room.start(mailbox.id, None, Seq::ZERO, &epoch).0;
        (mailbox, place)
    };
    (0..readers).map(reader).collect()
}

#[tokio::test(start_paused = true)]
async fn everybody_in_a_crowd_is_woken_for_every_event_although_some_leave_or_wait() {
    let room = room();
    let mut crowd = crowd(&room, 10 * WOKEN_AT_ONCE as u128);
    for seq in 1..=3 {
        room.insert(Seq(seq), Doc::from(format!("event {seq}")));
        // Who came early is woken late: their place is taken over meanwhile.
        let (leaver, _) = crowd.remove(6);
        room.detach(leaver.id);
        for (mailbox, place) in crowd.iter_mut().skip(5) {
            mailbox.woken().await;
            assert_eq!(mailbox.take_news().len(), 1, "told once");
            assert_eq!(news(&room, mailbox.id, place).len(), 1);
        }
    }
    for (mailbox, place) in crowd.iter_mut().take(5) {
        mailbox.woken().await;
        assert_eq!(
            news(&room, mailbox.id, place).len(),
            3,
            "who slept gets all"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_crowd_only_a_group_is_awake_until_half_of_it_has_taken_the_news() {
    let room = room();
    let mut crowd = crowd(&room, 10 * WOKEN_AT_ONCE as u128);
    room.insert(Seq(1), Doc::from("event"));
    yield_now().await;
    let woken = |crowd: &[(Arc<Mailbox>, Place)]| {
        let told = |it: &&(Arc<Mailbox>, Place)| !it.0.take_news().is_empty();
        crowd.iter().filter(told).count()
    };
    assert_eq!(woken(&crowd), WOKEN_AT_ONCE);
    for (mailbox, place) in crowd.iter_mut().rev().take(WOKEN_AT_ONCE / 2) {
        news(&room, mailbox.id, place);
    }
    yield_now().await;
    assert_eq!(woken(&crowd), WOKEN_AT_ONCE, "the next group");
}
