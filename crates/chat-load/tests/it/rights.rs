//! Broken promises about rights, one at a time, with the limit of each from both sides.

use chat_load::audit::{GRACE_US, Kind, Violation, audit};
use chat_load::history::{History, What};
use chat_types::id::{ClientId, RoomId};
use uuid::Uuid;

/// When the member's right ends.
const ENDED_US: u64 = 5_000_000;
/// The first moment at which nothing may be decided in their favour any more.
const TOO_LATE_US: u64 = ENDED_US + GRACE_US + 1;

fn room() -> RoomId {
    RoomId::from_uuid(Uuid::from_u128(1))
}

fn message(n: u128) -> ClientId {
    ClientId::from_uuid(Uuid::from_u128(n))
}

/// An owner who speaks at these times: the n-th message is `message(n)`.
fn owner(spoken_us: &[u64]) -> History {
    let mut owner = History::new(0, None);
    for (n, at_us) in (1..).zip(spoken_us) {
        let (room, client_id) = (room(), message(n));
        owner.push(*at_us, What::Spoken { room, client_id });
    }
    owner
}

/// A member until [`ENDED_US`].
fn member() -> History {
    let mut member = History::new(1, None);
    member.push(1_000_000, What::Admitted { room: room() });
    member.push(ENDED_US, What::RightEnded { room: room() });
    member
}

fn given(asked_us: Option<u64>) -> What {
    What::Given {
        room: room(),
        client_id: message(1),
        asked_us,
    }
}

fn accepted(asked_us: u64) -> What {
    What::Accepted {
        room: room(),
        client_id: message(1),
        asked_us,
    }
}

/// What is found of somebody to whom this happens after everything else.
fn found(mut who: History, spoken_us: u64, what: What) -> Vec<Violation> {
    who.push(20_000_000, what);
    audit(&[owner(&[spoken_us]), who], &[])
}

fn is(kind: Kind, client: u32, found: &[Violation]) {
    let [violation] = found else {
        panic!("one violation: {found:?}");
    };
    assert_eq!(violation.kind, kind);
    assert_eq!(violation.room, Some(room()));
    assert_eq!(violation.client, Some(client));
    assert_eq!(violation.client_id, Some(message(1)));
}

#[test]
fn a_message_that_was_written_a_second_after_the_right_ended_is_not_given() {
    let live = given(None);
    is(
        Kind::DeliverRevoked,
        1,
        &found(member(), TOO_LATE_US, live.clone()),
    );
    // One that was written in time may be on its way for as long as it takes.
    assert!(found(member(), TOO_LATE_US - 1, live).is_empty());
}

#[test]
fn a_page_that_is_asked_for_a_second_after_the_right_ended_is_not_given() {
    let page = |asked_us| given(Some(asked_us));
    is(
        Kind::DeliverRevoked,
        1,
        &found(member(), 0, page(TOO_LATE_US)),
    );
    assert!(found(member(), 0, page(TOO_LATE_US - 1)).is_empty());
}

#[test]
fn what_is_sent_a_second_after_the_right_ended_is_not_accepted() {
    is(
        Kind::AcceptedRevoked,
        1,
        &found(member(), 0, accepted(TOO_LATE_US)),
    );
    assert!(found(member(), 0, accepted(TOO_LATE_US - 1)).is_empty());
}

#[test]
fn a_stranger_is_given_nothing_and_nothing_is_accepted_of_them() {
    let stranger = || History::new(7, None);
    is(
        Kind::DeliverRevoked,
        7,
        &found(stranger(), 0, given(Some(0))),
    );
    is(Kind::DeliverRevoked, 7, &found(stranger(), 0, given(None)));
    is(Kind::AcceptedRevoked, 7, &found(stranger(), 0, accepted(0)));
}

#[test]
fn who_comes_back_has_every_right_again() {
    let mut back = member();
    back.push(TOO_LATE_US, What::Admitted { room: room() });
    assert!(found(back.clone(), TOO_LATE_US, given(None)).is_empty());
    assert!(found(back, 0, accepted(TOO_LATE_US)).is_empty());
}

#[test]
fn a_right_to_one_room_is_none_to_another() {
    let elsewhere = RoomId::from_uuid(Uuid::from_u128(2));
    let mut member = History::new(1, None);
    member.push(1, What::Admitted { room: elsewhere });
    is(Kind::DeliverRevoked, 1, &found(member, 0, given(Some(2))));
}
