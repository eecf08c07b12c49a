//! The outbox, and commands on messages.

use chat_client::{FailedCommand, Failure, Input, Notice, Place, RoomChange, RowKey, RowState};
use chat_types::event::Change;
use chat_types::id::{ClientId, Number, RequestId};
use chat_types::problem::ErrorCode;
use chat_types::ws::Command;

use crate::support::{
    Bench, client_id, config, err, event, fresh, me, message, message_id, ok, other, room_id, sent,
    signed_in, subbed, written,
};

fn sends(bench: &mut Bench) -> Vec<(RequestId, ClientId)> {
    let commands = bench.commands().into_iter();
    commands
        .filter_map(|command| match command {
            Command::Send { id, client_id, .. } => Some((id, client_id)),
            _ => None,
        })
        .collect()
}

fn states(bench: &Bench) -> Vec<RowState> {
    bench.room().rows().map(|row| row.state()).collect()
}

#[test]
fn a_message_is_shown_at_once_as_sending() {
    let mut bench = Bench::in_room(1);
    bench.send(2, "hello");
    assert_eq!(bench.bodies(), ["message 1", "hello"]);
    assert_eq!(states(&bench), [RowState::Sent, RowState::Sending]);
    let keys = vec![RowKey::Own(client_id(2))];
    let place = Place::Own;
    assert_eq!(bench.changes(), [RoomChange::Inserted { keys, place }]);
}

#[test]
fn acknowledgement_then_event_is_one_row_with_one_key() {
    let mut bench = Bench::in_room(1);
    bench.send(2, "message 2");
    let id = sends(&mut bench)[0].0;
    bench.say(ok(id, Some(sent(2))));
    assert_eq!(states(&bench), [RowState::Sent, RowState::Sent]);
    bench.say(event(2, written(message(2, me()))));
    assert_eq!(bench.bodies(), ["message 1", "message 2"]);
    let key = RowKey::Own(client_id(2));
    let row = bench.room().row(key).expect("the row keeps its key");
    assert_eq!(row.number(), Some(Number(2)));
    assert!(bench.client.outbox().is_empty());
}

#[test]
fn event_then_acknowledgement_is_one_row_too() {
    let mut bench = Bench::in_room(1);
    bench.send(2, "message 2");
    let id = sends(&mut bench)[0].0;
    bench.say(event(2, written(message(2, me()))));
    assert_eq!(states(&bench), [RowState::Sent, RowState::Sent]);
    bench.say(ok(id, Some(sent(2))));
    assert_eq!(bench.bodies(), ["message 1", "message 2"]);
}

#[test]
fn rows_of_others_come_before_what_is_still_being_sent() {
    let mut bench = Bench::in_room(1);
    bench.send(9, "mine");
    bench.say(event(2, written(message(2, other()))));
    assert_eq!(bench.bodies(), ["message 1", "message 2", "mine"]);
}

#[test]
fn regression_03_the_same_word_sent_twice_is_two_messages() {
    let mut bench = Bench::in_room(1);
    bench.send(2, "again");
    bench.send(3, "again");
    let ids = sends(&mut bench);
    bench.say(ok(ids[0].0, Some(sent(2))));
    bench.say(ok(ids[1].0, Some(sent(3))));
    bench.say(event(2, written(message(2, me()))));
    bench.say(event(3, written(message(3, me()))));
    assert_eq!(bench.bodies(), ["message 1", "message 2", "message 3"]);
}

#[test]
fn what_was_not_acknowledged_is_sent_again_in_order_under_the_same_ids() {
    let mut bench = Bench::in_room(1);
    bench.send(2, "two");
    bench.send(3, "three");
    let first: Vec<_> = sends(&mut bench).into_iter().map(|(_, id)| id).collect();
    bench.reconnect();
    let second: Vec<_> = sends(&mut bench).into_iter().map(|(_, id)| id).collect();
    assert_eq!(first, [client_id(2), client_id(3)]);
    assert_eq!(first, second);
}

#[test]
fn what_was_written_offline_is_sent_once_when_online() {
    let mut bench = Bench::in_room(1);
    bench.close(1006, "");
    bench.send(2, "offline");
    assert!(bench.frames.is_empty());
    bench.pass_until_connect();
    bench.greet(Some(me()));
    assert_eq!(sends(&mut bench).len(), 1);
}

#[test]
fn the_outbox_survives_a_reload_with_its_ids() {
    let mut bench = Bench::in_room(1);
    bench.send(2, "two");
    bench.send(3, "three");
    let outbox = bench.outbox.clone();
    let mut reloaded = Bench::with(config(signed_in(), outbox));
    reloaded.feed(Input::Start);
    reloaded.open();
    assert_eq!(reloaded.bodies(), ["two", "three"]);
    reloaded.greet(Some(me()));
    let ids: Vec<_> = sends(&mut reloaded).into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, [client_id(2), client_id(3)]);
}

#[test]
fn an_acknowledged_message_is_not_kept_for_the_next_start() {
    let mut bench = Bench::in_room(1);
    bench.send(2, "two");
    let id = sends(&mut bench)[0].0;
    bench.say(ok(id, Some(sent(2))));
    let outbox = bench.outbox.clone();
    let reloaded = Bench::with(config(signed_in(), outbox));
    assert!(reloaded.client.outbox().is_empty());
}

#[test]
fn a_snapshot_that_cannot_be_read_counts_as_empty() {
    let bench = Bench::with(config(signed_in(), Some("{".to_owned())));
    assert!(bench.client.outbox().is_empty());
}

#[test]
fn a_rate_limit_keeps_the_row_sending_and_waits_as_told() {
    let mut bench = Bench::in_room(1);
    bench.send(2, "two");
    let id = sends(&mut bench)[0].0;
    bench.say(err(id, ErrorCode::RateLimited, Some(4_000)));
    assert_eq!(states(&bench), [RowState::Sent, RowState::Sending]);
    bench.pass(3_999);
    assert!(sends(&mut bench).is_empty());
    bench.pass(1);
    assert_eq!(sends(&mut bench).len(), 1);
}

#[test]
fn no_more_are_under_way_than_the_rate_limit_lets_through() {
    let mut bench = Bench::in_room(1);
    for n in 2..12 {
        bench.send(n, "burst");
    }
    let ids = sends(&mut bench);
    assert_eq!(ids.len(), 5);
    bench.say(ok(ids[0].0, Some(sent(2))));
    assert_eq!(sends(&mut bench)[0].1, client_id(7));
}

#[test]
fn a_refusal_for_good_shows_why_and_is_not_repeated() {
    let mut bench = Bench::in_room(1);
    bench.send(2, "two");
    let id = sends(&mut bench)[0].0;
    bench.say(err(id, ErrorCode::ReadOnly, None));
    let failed = RowState::Failed {
        code: ErrorCode::ReadOnly,
        reason: None,
    };
    assert_eq!(states(&bench), [RowState::Sent, failed]);
    bench.reconnect();
    assert!(sends(&mut bench).is_empty());
    bench.feed(Input::Retry {
        client_id: client_id(2),
    });
    assert_eq!(sends(&mut bench)[0].1, client_id(2));
}

#[test]
fn a_discarded_message_is_gone() {
    let mut bench = Bench::in_room(1);
    bench.close(1006, "");
    bench.send(2, "two");
    bench.feed(Input::Discard {
        client_id: client_id(2),
    });
    assert_eq!(bench.bodies(), ["message 1"]);
    bench.pass_until_connect();
    bench.greet(Some(me()));
    assert!(sends(&mut bench).is_empty());
}

#[test]
fn the_hundred_and_first_message_is_refused() {
    let mut bench = Bench::in_room(1);
    bench.close(1006, "");
    for n in 0..101 {
        bench.send(100 + n, "many");
    }
    assert_eq!(bench.client.outbox().len(), 100);
    let refused = bench.notices.iter().any(|notice| {
        matches!(notice, Notice::CommandFailed(Failure { command, code, .. })
            if *command == FailedCommand::Send(client_id(200)) && *code == ErrorCode::LimitReached)
    });
    assert!(refused);
}

#[test]
fn a_message_larger_than_a_frame_fails_instead_of_closing_the_connection() {
    let mut bench = Bench::in_room(1);
    bench.send(2, &"\u{1}".repeat(4_000));
    assert!(sends(&mut bench).is_empty());
    assert!(matches!(
        states(&bench)[1],
        RowState::Failed {
            code: ErrorCode::TooLarge,
            ..
        }
    ));
}

#[test]
fn rows_on_their_way_survive_a_reset_of_the_room() {
    let mut bench = Bench::in_room(3);
    bench.send(9, "mine");
    bench.reconnect();
    let commands = bench.commands();
    let id = commands
        .iter()
        .find_map(|command| match command {
            Command::Sub { id, .. } => Some(*id),
            _ => None,
        })
        .expect("it subscribes");
    bench.say(subbed(fresh(id, 1)));
    assert_eq!(bench.bodies(), ["message 1", "mine"]);
}

#[test]
fn a_command_waits_for_the_connection_and_is_repeated_until_answered() {
    let mut bench = Bench::in_room(1);
    bench.feed(Input::React {
        room: room_id(),
        message_id: message_id(1),
        emoji: "👍".to_owned(),
        on: true,
    });
    assert_eq!(bench.commands().len(), 1);
    bench.reconnect();
    let again = bench.commands();
    assert!(again.iter().any(|c| matches!(c, Command::React { .. })));
}

#[test]
fn a_command_that_fails_says_which_and_why() {
    let mut bench = Bench::in_room(1);
    bench.feed(Input::Delete {
        room: room_id(),
        message_id: message_id(1),
    });
    let id = bench.only_id();
    bench.say(err(id, ErrorCode::Forbidden, None));
    let failed = Notice::CommandFailed(Failure {
        command: FailedCommand::Delete(message_id(1)),
        room: room_id(),
        code: ErrorCode::Forbidden,
        reason: None,
        retry_after_ms: None,
    });
    assert!(bench.notices.contains(&failed));
}

#[test]
fn writing_marks_the_room_read_and_reading_is_sent_once_a_second() {
    let mut bench = Bench::in_room(1);
    bench.say(event(2, written(message(2, other()))));
    assert_eq!(bench.room().unread_count(), 1);
    bench.feed(Input::Read {
        room: room_id(),
        number: Number(2),
    });
    assert_eq!(bench.room().unread_count(), 0);
    let read = |n| Command::Read {
        room: room_id(),
        number: Number(n),
    };
    assert_eq!(bench.commands(), [read(2)]);
    bench.say(event(3, written(message(3, me()))));
    assert_eq!(bench.room().unread_count(), 0);
    assert!(bench.commands().is_empty());
    bench.pass(1_000);
    assert_eq!(bench.commands(), [read(3)]);
}

#[test]
fn typing_is_sent_once_in_three_seconds() {
    let mut bench = Bench::in_room(1);
    for _ in 0..10 {
        bench.feed(Input::Typing { room: room_id() });
        bench.pass(500);
    }
    assert_eq!(bench.commands().len(), 2);
}

#[test]
fn an_edit_of_ones_own_message_shows_when_it_is_accepted() {
    let mut bench = Bench::in_room(1);
    bench.say(event(2, written(message(2, me()))));
    bench.feed(Input::Edit {
        room: room_id(),
        message_id: message_id(2),
        body: "better".to_owned(),
    });
    bench.say(event(
        3,
        Change::Edited {
            message_id: message_id(2),
            body: "better".to_owned(),
            edited_at: chat_types::time::Timestamp(3),
        },
    ));
    assert_eq!(bench.bodies(), ["message 1", "better"]);
}
