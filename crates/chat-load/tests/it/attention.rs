//! Wrong news of who is there, who types and what was read, one at a time, with each bound from both
//! sides. Times are in milliseconds.

use chat_load::audit::{CROWD_US, Kind, QUIET_US, SILENT_US, Violation, audit};
use chat_load::history::{History, What};
use chat_types::id::{Number, RoomId, UserId};
use uuid::Uuid;

/// Whose screen is written down.
const WATCHER: u128 = 1;
/// Who enters, types and goes.
const PASSER: u128 = 2;
/// Who loses the connection and does not come back.
const GHOST: u128 = 3;

const WATCHED: (u64, u64) = (100_000, 140_000);
const ENTERS: u64 = 101_000;
const TYPES: u64 = 103_000;
const READS: u64 = 104_000;
const GOES: u64 = 120_000;
const BOUND: u64 = QUIET_US / 1_000;

fn room() -> RoomId {
    RoomId::from_uuid(Uuid::from_u128(1))
}

fn user(n: u128) -> UserId {
    UserId::from_uuid(Uuid::from_u128(n))
}

fn present(users: &[u128]) -> What {
    What::Present {
        room: room(),
        count: u32::try_from(users.len()).unwrap(),
        users: users.iter().map(|n| user(*n)).collect(),
    }
}

fn typing(users: &[u128]) -> What {
    let users = users.iter().map(|n| user(*n)).collect();
    What::Typing {
        room: room(),
        users,
    }
}

fn read(number: u64) -> What {
    What::Read {
        room: room(),
        read: Number(number),
        unread: 7 - number,
    }
}

fn told(number: u64) -> What {
    let (room, read) = (room(), Number(number));
    What::ReadTold { room, read }
}

/// What happens to each, at which time.
struct Quiet {
    watcher: Vec<(u64, What)>,
    passer: Vec<(u64, What)>,
    device: Vec<(u64, What)>,
    ghost: Vec<(u64, What)>,
}

impl Quiet {
    /// Everybody is told everything as soon as it happens.
    fn new() -> Self {
        let room = room();
        let number = Number(7);
        Self {
            watcher: vec![
                (1_000, What::Entered { room }),
                (WATCHED.0, present(&[WATCHER])),
                (WATCHED.0, read(0)),
                (ENTERS + 10, present(&[WATCHER, PASSER])),
                (TYPES + 10, typing(&[PASSER])),
                (READS + 10, read(7)),
                (TYPES + 5_010, typing(&[])),
                (GOES + 10, present(&[WATCHER])),
                (WATCHED.1, present(&[WATCHER])),
            ],
            passer: vec![
                (ENTERS, What::Entered { room }),
                (TYPES, What::Typed { room }),
                (GOES, What::Gone { room }),
            ],
            device: vec![
                (READS, What::MarkedRead { room, number }),
                (READS + 5_000, told(7)),
            ],
            ghost: Vec::new(),
        }
    }

    /// What was shown at one time is shown at another.
    fn shown_at(mut self, instead_of: u64, at: u64) -> Self {
        for (shown, _) in &mut self.watcher {
            if *shown == instead_of {
                *shown = at;
            }
        }
        self
    }

    fn shows(mut self, at: u64, what: What) -> Self {
        self.watcher.push((at, what));
        self
    }

    fn found(self) -> Vec<Violation> {
        let histories = [
            history(0, WATCHER, self.watcher),
            history(1, PASSER, self.passer),
            history(2, WATCHER, self.device),
            history(3, GHOST, self.ghost),
        ];
        audit(&histories, &[])
    }
}

fn history(client: u32, who: u128, mut what: Vec<(u64, What)>) -> History {
    what.sort_by_key(|(at, _)| *at);
    let mut history = History::new(client, Some(user(who)));
    for (at, what) in what {
        history.push(at * 1_000, what);
    }
    history
}

fn is(kind: Kind, client: u32, about: u128, found: &[Violation]) {
    let [violation] = found else {
        panic!("one violation: {found:#?}");
    };
    assert_eq!(violation.kind, kind, "{violation}");
    assert_eq!(violation.room, Some(room()));
    assert_eq!(violation.client, Some(client));
    assert_eq!(violation.user, Some(user(about)));
}

fn is_sound(quiet: Quiet) {
    let found = quiet.found();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn what_is_told_at_once_is_right() {
    is_sound(Quiet::new());
}

#[test]
fn who_came_a_second_ago_is_shown() {
    let late = |by| Quiet::new().shown_at(ENTERS + 10, ENTERS + BOUND + by);
    is_sound(late(0));
    is(Kind::PresenceMissing, 0, PASSER, &late(1).found());
}

#[test]
fn who_went_a_second_ago_is_not_shown() {
    let late = |by| Quiet::new().shown_at(GOES + 10, GOES + BOUND + by);
    is_sound(late(0));
    is(Kind::PresenceGhost, 0, PASSER, &late(1).found());
}

#[test]
fn who_is_there_is_not_taken_away() {
    let away = Quiet::new().shows(ENTERS + 2_000, present(&[WATCHER]));
    is(Kind::PresenceMissing, 0, PASSER, &away.found());
}

#[test]
fn whose_server_died_without_a_word_is_shown_for_half_a_minute_and_no_longer() {
    const DIES: u64 = 90_000;
    let until = |shown: u64| {
        let mut quiet = Quiet::new().shows(shown, present(&[WATCHER, PASSER]));
        for (_, what) in quiet.watcher.iter_mut().filter(|(at, _)| *at < shown) {
            if let What::Present { users, count, .. } = what {
                users.push(user(GHOST));
                *count += 1;
            }
        }
        let code = 1006;
        quiet.ghost = vec![
            (1_000, What::Entered { room: room() }),
            (DIES, What::Lost { code }),
        ];
        // The passer stays, so that only the ghost is at stake.
        quiet
            .passer
            .retain(|(_, what)| !matches!(what, What::Gone { .. }));
        quiet.watcher.retain(|(at, what)| {
            *at < GOES || !matches!(what, What::Present { .. }) || *at == shown
        });
        quiet.shows(WATCHED.1, present(&[WATCHER, PASSER]))
    };
    let gone = DIES + SILENT_US / 1_000;
    is_sound(until(gone));
    is(Kind::PresenceGhost, 0, GHOST, &until(gone + 1).found());
}

#[test]
fn as_many_are_counted_as_are_named() {
    let mut counted = present(&[WATCHER, PASSER]);
    if let What::Present { count, .. } = &mut counted {
        *count = 3;
    }
    let found = Quiet::new().shows(ENTERS + 2_000, counted).found();
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].kind, Kind::PresenceCount);
    assert_eq!((found[0].room, found[0].client), (Some(room()), Some(0)));
}

#[test]
fn a_crowd_is_only_counted_and_has_more_time() {
    let crowd = |count, by: u64| {
        let counted = |count| What::Present {
            room: room(),
            count,
            users: Vec::new(),
        };
        let mut quiet = Quiet::new();
        let shown = |what: &What| matches!(what, What::Present { .. });
        quiet.watcher.retain(|(_, what)| !shown(what));
        let told = ENTERS + CROWD_US / 1_000 + by;
        quiet
            .shows(WATCHED.0, counted(1))
            .shows(told, counted(count))
            .shows(GOES + 1, counted(1))
            .shows(WATCHED.1, counted(1))
    };
    is_sound(crowd(2, 0));
    for wrong in [crowd(3, 0), crowd(1, 0)] {
        assert_eq!(wrong.found()[0].kind, Kind::PresenceCount);
    }
}

#[test]
fn who_types_is_shown_within_a_second() {
    let late = |by| Quiet::new().shown_at(TYPES + 10, TYPES + BOUND + by);
    is_sound(late(0));
    is(Kind::TypingMissed, 0, PASSER, &late(1).found());
}

#[test]
fn nobody_is_shown_as_typing_who_does_not() {
    let never = Quiet::new().shows(TYPES + 20, typing(&[GHOST]));
    is(Kind::TypingPhantom, 0, GHOST, &never.found());
    let still = |by| Quiet::new().shows(TYPES + 5_000 + BOUND + by, typing(&[PASSER]));
    is_sound(still(0));
    is(Kind::TypingPhantom, 0, PASSER, &still(1).found());
}

#[test]
fn what_was_read_elsewhere_is_shown_within_a_second() {
    let late = |by| Quiet::new().shown_at(READS + 10, READS + BOUND + by);
    is_sound(late(0));
    is(Kind::ReadMissed, 0, WATCHER, &late(1).found());
}

#[test]
fn what_was_read_is_not_unread_again() {
    let back = Quiet::new().shows(READS + 20, read(6));
    let found = back.found();
    let kinds: Vec<_> = found.iter().map(|violation| violation.kind).collect();
    assert_eq!(kinds, [Kind::ReadWentBack, Kind::ReadMissed], "{found:#?}");
    assert_eq!(found[0].user, Some(user(WATCHER)));
}

#[test]
fn a_server_knows_what_was_read_a_second_ago() {
    let says = |at, number| {
        let mut quiet = Quiet::new();
        quiet.device.push((at, told(number)));
        quiet
    };
    is_sound(says(READS + BOUND - 1, 6));
    let late = says(READS + BOUND, 6).found();
    is(Kind::ReadLost, 2, WATCHER, &late);
}

#[test]
fn what_the_machine_held_up_may_come_so_much_later() {
    let late = |by| {
        let mut quiet = Quiet::new().shown_at(ENTERS + 10, ENTERS + BOUND + 500 + by);
        quiet.device.push((WATCHED.1, What::HeldUp { us: 500_000 }));
        quiet
    };
    is_sound(late(0));
    is(Kind::PresenceMissing, 0, PASSER, &late(1).found());
}
