//! Getting connected and staying so.

use std::collections::BTreeSet;

use chat_client::{ConnectionState, Input, Notice, StopReason};
use chat_types::limits::GREETING_ROOMS;
use chat_types::problem::ErrorCode;
use chat_types::ws::{Command, ServerDoc};

use crate::support::{
    Bench, client_id, config, err, event, fresh, me, message, message_id, nth_room, ok, other,
    room_id, sent, signed_in, subbed, token, welcome, written,
};

fn waits_until(bench: &Bench) -> u64 {
    match bench.client.connection() {
        ConnectionState::Reconnecting {
            retry_at: Some(at), ..
        } => at.0,
        state => panic!("it does not wait: {state:?}"),
    }
}

#[test]
fn it_does_nothing_before_it_is_started() {
    let mut bench = Bench::new(signed_in());
    bench.feed(Input::Wake);
    bench.pass(60_000);
    assert!(bench.connects.is_empty());
    let stopped = ConnectionState::Stopped(StopReason::NotStarted);
    assert_eq!(bench.client.connection(), &stopped);
}

#[test]
fn it_greets_with_the_token_and_is_online_when_welcomed() {
    let mut bench = Bench::new(signed_in());
    bench.feed(Input::Start);
    assert_eq!(bench.client.connection(), &ConnectionState::Connecting);
    let conn = bench.conn.expect("it connects");
    bench.feed(Input::Opened { conn });
    let commands = bench.commands();
    let [Command::Hello { id, token, .. }] = commands.as_slice() else {
        panic!("it greets: {commands:?}");
    };
    assert_eq!(token.as_deref(), Some("first"));
    bench.say(welcome(*id, Some(me())));
    assert_eq!(bench.client.connection(), &ConnectionState::Online);
}

#[test]
fn it_asks_for_rooms_with_the_greeting_and_for_more_than_a_few_after_the_welcome() {
    let mut bench = Bench::new(signed_in());
    for n in 0..=GREETING_ROOMS {
        bench.feed(Input::OpenRoom {
            room: nth_room(u64::try_from(n).unwrap()),
            tail: 50,
            page: None,
        });
    }
    bench.feed(Input::Start);
    let conn = bench.conn.expect("it connects");
    bench.feed(Input::Opened { conn });
    assert_eq!(bench.frames.len(), 1, "greeting and rooms are one frame");
    let commands = bench.commands();
    let [Command::Hello { id, .. }, asked @ ..] = commands.as_slice() else {
        panic!("it greets: {commands:?}");
    };
    assert_eq!(asked.len(), GREETING_ROOMS);
    bench.say(welcome(*id, Some(me())));
    let asked_later = bench.commands();
    let rooms = asked
        .iter()
        .chain(&asked_later)
        .map(|command| match command {
            Command::Sub { room, .. } => *room,
            other => panic!("it follows rooms: {other:?}"),
        });
    let rooms: BTreeSet<_> = rooms.collect();
    assert_eq!((asked_later.len(), rooms.len()), (1, GREETING_ROOMS + 1));
}

#[test]
fn rooms_that_were_asked_for_with_a_greeting_are_asked_for_again_on_the_next_connection() {
    let mut bench = Bench::new(signed_in());
    bench.open();
    bench.feed(Input::Start);
    bench.feed(Input::Opened {
        conn: bench.conn.expect("it connects"),
    });
    bench.close(1006, "");
    bench.frames.clear();
    bench.pass_until_connect();
    bench.greet(Some(me()));
    let commands = bench.commands();
    assert!(
        matches!(commands.as_slice(), [Command::Sub { .. }]),
        "{commands:?}"
    );
}

#[test]
fn a_room_that_is_closed_during_the_greeting_is_not_followed() {
    let mut bench = Bench::new(signed_in());
    bench.open();
    bench.feed(Input::Start);
    let conn = bench.conn.expect("it connects");
    bench.feed(Input::Opened { conn });
    let commands = bench.commands();
    let [Command::Hello { id, .. }, Command::Sub { id: sub, .. }] = commands.as_slice() else {
        panic!("it asks with the greeting: {commands:?}");
    };
    bench.feed(Input::CloseRoom { room: room_id() });
    bench.say(welcome(*id, Some(me())));
    bench.say(subbed(fresh(*sub, 1)));
    let commands = bench.commands();
    assert!(
        matches!(commands.as_slice(), [Command::Unsub { room, .. }] if *room == room_id()),
        "{commands:?}"
    );
}

#[test]
fn what_was_asked_for_with_the_greeting_as_another_user_is_asked_for_anew() {
    let mut bench = Bench::in_room(3);
    bench.close(1006, "");
    bench.frames.clear();
    bench.pass_until_connect();
    bench.greet(Some(other()));
    let commands = bench.commands();
    let [
        Command::Sub { since: Some(_), .. },
        Command::Sub {
            id, since: None, ..
        },
    ] = commands.as_slice()
    else {
        panic!("it begins anew: {commands:?}");
    };
    bench.say(subbed(fresh(*id, 2)));
    assert_eq!(bench.bodies().len(), 2);
}

#[test]
fn back_off_has_full_jitter_from_half_a_second_to_thirty() {
    let mut bench = Bench::online();
    let mut longest = 0;
    for attempt in 0..20 {
        bench.close(1006, "");
        let wait = waits_until(&bench) - bench.now;
        assert!(
            wait <= (500 << attempt.min(10)).min(30_000),
            "{attempt}: {wait}"
        );
        longest = longest.max(wait);
        bench.pass_until_connect();
    }
    assert!(longest > 15_000, "it backs off: {longest}");
}

#[test]
fn back_off_starts_over_after_a_minute_of_health() {
    let mut bench = Bench::online();
    for _ in 0..12 {
        bench.close(1006, "");
        bench.pass_until_connect();
    }
    bench.greet(Some(me()));
    for _ in 0..3 {
        bench.pass(20_000);
        bench.say(ServerDoc::Ping { heads: Vec::new() });
    }
    bench.close(1006, "");
    assert!(waits_until(&bench) - bench.now <= 500);
}

#[test]
fn a_greeting_that_is_refused_for_the_rate_is_said_again_when_the_server_says() {
    let mut bench = Bench::new(signed_in());
    bench.feed(Input::Start);
    let conn = bench.conn.expect("it connects");
    bench.feed(Input::Opened { conn });
    let id = bench.only_id();
    bench.say(err(id, ErrorCode::RateLimited, Some(40_000)));
    assert!(waits_until(&bench) - bench.now >= 40_000);
    bench.pass_until_connect();
    bench.greet(Some(me()));
    assert_eq!(bench.client.connection(), &ConnectionState::Online);
}

#[test]
fn the_servers_retry_time_is_obeyed_even_against_impatience() {
    let mut bench = Bench::online();
    bench.close(1012, "service_restart;retry_ms=20000");
    assert!(waits_until(&bench) - bench.now >= 20_000);
    bench.pass(5_000);
    bench.feed(Input::Wake);
    bench.feed(Input::Online);
    assert!(waits_until(&bench) - bench.now >= 15_000);
}

#[test]
fn going_away_names_the_retry_time_of_a_close_without_one() {
    let mut bench = Bench::online();
    bench.say(ServerDoc::GoingAway { retry_ms: 9_000 });
    bench.close(1006, "");
    assert!(waits_until(&bench) - bench.now >= 9_000);
}

#[test]
fn codes_from_4500_stop_known_or_not() {
    for (code, reason) in [
        (4501, StopReason::SignedOut),
        (4502, StopReason::Banned),
        (4504, StopReason::OriginRefused),
        (4777, StopReason::Refused(4777)),
    ] {
        let mut bench = Bench::online();
        bench.close(code, "");
        bench.pass(3_600_000);
        bench.feed(Input::Wake);
        assert_eq!(bench.connects.len(), 1, "{code}");
        assert_eq!(bench.client.connection(), &ConnectionState::Stopped(reason));
    }
}

#[test]
fn a_code_that_is_not_known_below_4500_reconnects() {
    let mut bench = Bench::online();
    bench.close(4321, "");
    bench.pass_until_connect();
    assert_eq!(bench.connects.len(), 2);
}

#[test]
fn an_unsupported_version_asks_for_an_upgrade() {
    let mut bench = Bench::online();
    bench.close(4503, "unsupported_version");
    assert!(bench.notices.contains(&Notice::UpgradeNeeded));
}

#[test]
fn a_ping_is_answered() {
    let mut bench = Bench::online();
    bench.say(ServerDoc::Ping { heads: Vec::new() });
    assert_eq!(bench.commands(), [Command::Pong {}]);
}

#[test]
fn a_silent_connection_is_given_up_after_sixty_seconds() {
    let mut bench = Bench::online();
    bench.pass(59_999);
    assert_eq!(bench.client.connection(), &ConnectionState::Online);
    bench.pass(1);
    assert_eq!(bench.closed, [1000]);
}

#[test]
fn a_probe_without_an_answer_replaces_the_socket_after_two_seconds() {
    for input in [Input::Visible, Input::Online, Input::Wake] {
        let mut bench = Bench::online();
        bench.pass(30_000);
        bench.feed(input);
        assert_eq!(bench.commands(), [Command::Probe {}]);
        bench.pass(1_999);
        assert_eq!(bench.connects.len(), 1);
        bench.pass(1);
        assert_eq!(bench.connects.len(), 2);
    }
}

#[test]
fn a_probe_with_an_answer_keeps_the_socket() {
    let mut bench = Bench::online();
    bench.feed(Input::Wake);
    bench.say(ServerDoc::Ping { heads: Vec::new() });
    bench.pass(10_000);
    assert_eq!(bench.connects.len(), 1);
}

#[test]
fn waking_ends_a_long_back_off() {
    let mut bench = Bench::online();
    for _ in 0..12 {
        bench.close(1006, "");
        bench.pass_until_connect();
    }
    bench.close(1006, "");
    bench.pass(1_000);
    let connects = bench.connects.len();
    bench.feed(Input::Wake);
    assert!(bench.connects.len() > connects);
}

#[test]
fn impatience_never_makes_more_than_one_attempt_a_second() {
    let mut bench = Bench::online();
    for _ in 0..100 {
        bench.close(1006, "");
        bench.feed(Input::Wake);
        bench.pass(10);
    }
    let spread = bench.connects.windows(2).map(|pair| pair[1] - pair[0]);
    // The first attempts may be closer, when the dice of the back-off say so.
    assert!(
        bench.connects.len() < 10,
        "{:?}",
        spread.collect::<Vec<_>>()
    );
}

#[test]
fn a_socket_that_does_not_open_is_given_up() {
    let mut bench = Bench::new(signed_in());
    bench.feed(Input::Start);
    bench.pass(10_000);
    assert_eq!(bench.closed, [1000]);
    bench.pass_until_connect();
}

#[test]
fn news_of_an_old_socket_is_ignored() {
    let mut bench = Bench::online();
    let old = bench.conn.expect("a socket");
    bench.reconnect();
    bench.feed(Input::Closed {
        conn: old,
        code: 4502,
        reason: String::new(),
    });
    assert_eq!(bench.client.connection(), &ConnectionState::Online);
}

#[test]
fn hidden_for_a_minute_is_idle_and_for_fifteen_is_closed_until_visible() {
    let mut bench = Bench::online();
    bench.feed(Input::Hidden);
    bench.pass(59_000);
    bench.say(ServerDoc::Ping { heads: Vec::new() });
    bench.commands();
    bench.pass(1_000);
    assert_eq!(bench.commands(), [Command::Mode { idle: true }]);
    while bench.client.connection() == &ConnectionState::Online {
        bench.pass(20_000);
        if bench.closed.is_empty() {
            bench.say(ServerDoc::Ping { heads: Vec::new() });
        }
    }
    assert_eq!(bench.client.connection(), &ConnectionState::Paused);
    assert_eq!(bench.client.next_wake(), None);
    bench.feed(Input::Visible);
    assert_eq!(bench.refreshes, 1, "its token has ended meanwhile");
    let token = token("second");
    bench.feed(Input::TokenRefreshed { token });
    assert_eq!(bench.connects.len(), 2);
}

#[test]
fn seeing_the_page_again_ends_idle_mode() {
    let mut bench = Bench::online();
    bench.feed(Input::Hidden);
    bench.pass(50_000);
    bench.say(ServerDoc::Ping { heads: Vec::new() });
    bench.pass(15_000);
    bench.commands();
    bench.feed(Input::Visible);
    let commands = bench.commands();
    assert_eq!(commands.first(), Some(&Command::Mode { idle: false }));
}

#[test]
fn a_clock_that_is_set_back_stops_no_timer() {
    let mut bench = Bench::online();
    bench.close(1006, "");
    bench.now -= 3_600_000;
    bench.feed(Input::Timer);
    bench.pass(500);
    assert_eq!(bench.connects.len(), 2);
}

#[test]
fn a_request_without_an_answer_ends_the_connection() {
    let mut bench = Bench::online();
    bench.open();
    for _ in 0..3 {
        bench.pass(10_000);
        bench.feed(Input::Timer);
        if bench.closed.is_empty() {
            bench.say(ServerDoc::Ping { heads: Vec::new() });
        }
    }
    assert_eq!(bench.closed, [1000]);
}

#[test]
fn documents_share_frames_within_the_limits_of_size_and_number() {
    let mut bench = Bench::new(signed_in());
    bench.feed(Input::Start);
    for n in 0..128 {
        let (room, page) = (nth_room(n), None);
        bench.feed(Input::OpenRoom {
            room,
            tail: 50,
            page,
        });
    }
    bench.greet(Some(me()));
    assert_eq!(bench.frames.len(), 2);
    for frame in &bench.frames {
        assert!(frame.len() <= 16_384 && frame.lines().count() <= 64);
    }
}

#[test]
fn frames_leave_no_faster_than_the_server_takes_them() {
    let mut bench = Bench::online();
    for n in 0..100 {
        let (room, page) = (nth_room(n), None);
        bench.feed(Input::OpenRoom {
            room,
            tail: 0,
            page,
        });
    }
    assert!(bench.frames.len() <= 40, "{}", bench.frames.len());
    bench.pass(1_000);
    assert_eq!(bench.commands().len(), 100, "none is dropped");
}

#[test]
fn a_server_that_serves_only_newer_builds_asks_for_an_upgrade() {
    let mut bench = Bench::new(signed_in());
    bench.feed(Input::Start);
    let conn = bench.conn.expect("it connects");
    bench.feed(Input::Opened { conn });
    let ServerDoc::Welcome(mut newer) = welcome(bench.only_id(), Some(me())) else {
        panic!("a welcome");
    };
    newer.oldest_client = "0.10.0".to_owned();
    bench.say(ServerDoc::Welcome(newer));
    assert!(bench.notices.contains(&Notice::UpgradeNeeded));
}

/// A message under way, and nothing else.
fn with_something_unanswered() -> Bench {
    let mut bench = Bench::in_room(1);
    bench.pass(60_000 - 1);
    bench.say(ServerDoc::Ping { heads: Vec::new() });
    bench.send(2, "two");
    bench.commands();
    bench
}

#[test]
fn what_breaks_soon_after_an_announced_move_breaks_for_the_first_time() {
    let mut bench = Bench::in_room(1);
    bench.pass(20_000);
    bench.say(ServerDoc::GoingAway { retry_ms: 300 });
    bench.close(1012, "");
    bench.frames.clear();
    bench.pass_until_connect();
    bench.greet(Some(me()));
    let sub = bench.only_id();
    bench.say(subbed(fresh(sub, 1)));
    bench.pass(2_000);
    bench.send(2, "two");
    bench.close(1006, "");
    let wait = waits_until(&bench) - bench.now;
    assert!(wait <= 100, "{wait}");
}

#[test]
fn a_server_that_owes_an_answer_and_is_silent_is_probed_after_four_seconds_and_left_after_six() {
    let mut bench = with_something_unanswered();
    bench.pass(3_999);
    assert!(bench.commands().is_empty());
    bench.pass(1);
    assert_eq!(bench.commands(), [Command::Probe {}]);
    bench.pass(1_999);
    assert_eq!(bench.connects.len(), 1);
    bench.pass(1);
    assert_eq!(bench.connects.len(), 2, "it looks for another one at once");
    bench.greet(Some(me()));
    let again = bench.commands();
    let is_again = |command: &Command| matches!(command, Command::Send { client_id: id, .. } if *id == client_id(2));
    assert!(again.iter().any(is_again), "{again:?}");
}

#[test]
fn a_change_without_an_answer_is_doubted_as_a_message_is() {
    let mut bench = Bench::in_room(1);
    let (room, message_id, on) = (room_id(), message_id(1), true);
    let emoji = "👍".to_owned();
    bench.feed(Input::React {
        room,
        message_id,
        emoji,
        on,
    });
    bench.commands();
    bench.pass(4_000);
    assert_eq!(bench.commands(), [Command::Probe {}]);
    bench.pass(2_000);
    assert_eq!(bench.connects.len(), 2);
}

#[test]
fn a_slow_server_that_answers_the_probe_is_not_left() {
    let mut bench = with_something_unanswered();
    for _ in 0..5 {
        bench.pass(4_000);
        assert_eq!(bench.commands(), [Command::Probe {}]);
        bench.pass(1_900);
        bench.say(ServerDoc::Ping { heads: Vec::new() });
        bench.commands();
    }
    assert_eq!(bench.connects.len(), 1);
    assert!(bench.closed.is_empty());
}

#[test]
fn a_server_that_is_heard_and_one_that_owes_nothing_are_not_doubted() {
    let mut bench = with_something_unanswered();
    for seq in 2..8 {
        bench.pass(3_999);
        bench.say(event(seq, written(message(seq, other()))));
    }
    assert!(bench.commands().is_empty());
    let mut bench = Bench::in_room(1);
    bench.send(2, "two");
    let id = bench.only_id();
    bench.say(ok(id, Some(sent(2))));
    bench.pass(20_000);
    assert!(bench.commands().is_empty());
}

#[test]
fn a_page_takes_as_long_as_the_link_needs() {
    let mut bench = Bench::in_room(1);
    bench.reconnect();
    bench.send(2, "two");
    let waits = bench.commands();
    assert!(
        waits
            .iter()
            .any(|command| matches!(command, Command::Sub { .. }))
    );
    bench.pass(29_000);
    assert!(bench.commands().is_empty());
    assert!(bench.closed.is_empty());
}

/// How long each of many clients waits that lose their connection.
fn waits_of_a_crowd(lose: impl Fn(&mut Bench)) -> Vec<u64> {
    let crowd = (0..200).map(|seed| {
        let mut config = config(signed_in(), None);
        config.seed = seed;
        let mut bench = Bench::with(config);
        bench.feed(Input::Start);
        bench.greet(Some(me()));
        lose(&mut bench);
        match bench.client.connection() {
            ConnectionState::Reconnecting { retry_at, .. } => {
                // Without a time it is trying already.
                retry_at.map_or(0, |at| at.0 - bench.now)
            }
            state => panic!("it does not come back: {state:?}"),
        }
    });
    crowd.collect()
}

#[test]
fn who_waits_for_an_answer_comes_back_within_a_tenth_of_a_second_and_the_crowd_in_half_a_second() {
    let waiting = waits_of_a_crowd(|bench| {
        bench.pass(1_000);
        bench.send(2, "two");
        bench.close(1006, "");
    });
    assert!(waiting.iter().all(|wait| *wait <= 100), "{waiting:?}");
    let spread = waits_of_a_crowd(|bench| {
        bench.pass(1_000);
        bench.close(1006, "");
    });
    let late = spread.iter().filter(|wait| **wait > 100).count();
    assert!((130..190).contains(&late), "four of five: {spread:?}");
}

#[test]
fn haste_is_for_the_first_attempt_of_a_series_after_a_connection_that_lasted() {
    let second = waits_of_a_crowd(|bench| {
        bench.pass(1_000);
        bench.send(2, "two");
        bench.close(1006, "");
        if bench.connects.len() == 1 {
            bench.pass_until_connect();
        }
        bench.close(1006, "");
    });
    assert!(second.iter().any(|wait| *wait > 800), "{second:?}");
    assert!(second.iter().all(|wait| *wait <= 1_000), "{second:?}");
    let short = waits_of_a_crowd(|bench| {
        bench.pass(999);
        bench.send(2, "two");
        bench.close(1006, "");
    });
    assert!(short.iter().any(|wait| *wait > 400), "{short:?}");
}

#[test]
fn haste_obeys_the_servers_retry_time() {
    let waiting = waits_of_a_crowd(|bench| {
        bench.pass(1_000);
        bench.send(2, "two");
        bench.close(1012, "service_restart;retry_ms=3000");
    });
    assert!(waiting.iter().all(|wait| *wait >= 3_000), "{waiting:?}");
}
