//! The outbox, and commands on messages.

use chat_client::{
    FailedCommand, Failure, Input, Notice, Place, RoomChange, RowKey, RowState, Session,
};
use chat_types::event::Change;
use chat_types::id::{ClientId, Number, RequestId};
use chat_types::problem::ErrorCode;
use chat_types::time::Timestamp;
use chat_types::ws::{Command, Ephemeral, ServerDoc};

use crate::support::{
    Bench, client_id, config, err, event, fresh, me, message, message_id, nth_room, ok, other,
    room_id, sent, signed_in, subbed, token, written,
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

/// What is sent while the server accepts one after the other.
fn all_sends(bench: &mut Bench) -> Vec<ClientId> {
    let mut all = Vec::new();
    while let Some((id, client_id)) = sends(bench).pop() {
        all.push(client_id);
        let number = 100 + u64::try_from(all.len()).expect("a small number");
        bench.say(ok(id, Some(sent(number))));
    }
    all
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
    for n in 2..=3 {
        let id = sends(&mut bench)[0].0;
        bench.say(ok(id, Some(sent(n))));
    }
    bench.say(event(2, written(message(2, me()))));
    bench.say(event(3, written(message(3, me()))));
    assert_eq!(bench.bodies(), ["message 1", "message 2", "message 3"]);
}

#[test]
fn what_was_not_acknowledged_is_sent_again_in_order_under_the_same_ids() {
    let mut bench = Bench::in_room(1);
    bench.send(2, "two");
    bench.send(3, "three");
    assert_eq!(sends(&mut bench)[0].1, client_id(2));
    bench.reconnect();
    assert_eq!(all_sends(&mut bench), [client_id(2), client_id(3)]);
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
    assert_eq!(all_sends(&mut reloaded), [client_id(2), client_id(3)]);
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
    let held = bench.room().held();
    bench.pass(3_999);
    let due = Timestamp(bench.now + 1);
    assert_eq!(held, Some((RowKey::Own(client_id(2)), due)));
    assert!(sends(&mut bench).is_empty());
    bench.pass(1);
    assert_eq!(sends(&mut bench).len(), 1);
}

#[test]
fn nothing_later_of_a_room_goes_out_before_a_message_that_was_refused_for_now() {
    let mut bench = Bench::in_room(1);
    bench.send(2, "two");
    bench.send(3, "three");
    let under_way = sends(&mut bench);
    assert_eq!(under_way.len(), 1, "the next one could overtake it");
    bench.say(err(under_way[0].0, ErrorCode::RateLimited, Some(4_000)));
    bench.send(4, "four");
    bench.pass(3_999);
    assert!(sends(&mut bench).is_empty());
    bench.pass(1);
    assert_eq!(
        all_sends(&mut bench),
        [client_id(2), client_id(3), client_id(4)]
    );
}

#[test]
fn a_message_that_failed_for_good_lets_the_next_one_go() {
    let mut bench = Bench::in_room(1);
    bench.send(2, "two");
    bench.send(3, "three");
    let id = sends(&mut bench)[0].0;
    bench.say(err(id, ErrorCode::Invalid, None));
    assert_eq!(sends(&mut bench)[0].1, client_id(3));
}

#[test]
fn another_room_does_not_wait_for_the_first() {
    let mut bench = Bench::in_room(1);
    bench.send(2, "two");
    bench.feed(Input::Send {
        room: nth_room(1),
        client_id: client_id(3),
        body: "elsewhere".to_owned(),
        reply_to: None,
    });
    assert_eq!(sends(&mut bench).len(), 2);
}

#[test]
fn a_burst_goes_at_once_and_the_rest_at_the_pace_that_the_server_told() {
    let mut bench = Bench::in_room(1);
    for n in 2..=9 {
        bench.send(n, "burst");
    }
    assert_eq!(
        all_sends(&mut bench).len(),
        5,
        "as many as the server lets through"
    );
    // 5 in 5 s is one each second, and a tenth more for clocks that disagree.
    bench.pass(1_099);
    assert!(sends(&mut bench).is_empty());
    bench.pass(1);
    assert_eq!(all_sends(&mut bench), [client_id(7)]);
    bench.pass(1_100);
    assert_eq!(all_sends(&mut bench), [client_id(8)]);
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
        body: None,
    });
    assert!(bench.notices.contains(&failed));
}

#[test]
fn an_edit_is_open_until_it_is_answered_and_its_text_comes_back_when_it_is_refused() {
    let mut bench = Bench::in_room(1);
    bench.feed(Input::Edit {
        room: room_id(),
        message_id: message_id(1),
        body: "better".to_owned(),
    });
    assert!(bench.room().is_changing(message_id(1)));
    let row = RowKey::Other(message_id(1));
    assert_eq!(bench.changes(), [RoomChange::Updated(row)]);
    bench.reconnect();
    assert!(bench.room().is_changing(message_id(1)), "it is asked again");
    let commands = bench.commands();
    let edit = |command: &Command| matches!(command, Command::Edit { .. });
    let id = commands.iter().find(|command| edit(command));
    let id = id.and_then(Command::request_id).expect("it is asked again");
    bench.notices.clear();
    bench.say(err(id, ErrorCode::Invalid, None));
    assert!(!bench.room().is_changing(message_id(1)));
    let text = bench.notices.iter().find_map(|notice| match notice {
        Notice::CommandFailed(failure) => failure.body.clone(),
        _ => None,
    });
    assert_eq!(text.as_deref(), Some("better"));
    assert!(bench.changes().contains(&RoomChange::Updated(row)));
}

#[test]
fn a_reaction_is_open_until_it_is_answered() {
    let mut bench = Bench::in_room(1);
    bench.feed(Input::React {
        room: room_id(),
        message_id: message_id(1),
        emoji: "👍".to_owned(),
        on: true,
    });
    let id = bench.only_id();
    assert!(bench.room().is_changing(message_id(1)));
    bench.say(ok(id, None));
    assert!(!bench.room().is_changing(message_id(1)));
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

fn types(user: chat_types::event::User) -> ServerDoc {
    let data = Ephemeral::Typing { user };
    let room = room_id();
    ServerDoc::Eph { room, data }
}

fn typists(bench: &Bench) -> Vec<String> {
    bench
        .room()
        .typing()
        .map(|user| user.name.clone())
        .collect()
}

#[test]
fn typing_expires_by_the_clients_own_timer_though_the_server_says_no_more() {
    let mut bench = Bench::in_room(1);
    bench.say(types(other()));
    assert_eq!(typists(&bench), ["user 2"]);
    bench.notices.clear();
    bench.pass(4_999);
    assert_eq!(typists(&bench), ["user 2"]);
    bench.pass(1);
    assert!(typists(&bench).is_empty());
    assert!(bench.changes().contains(&RoomChange::Typing));
}

#[test]
fn typing_expires_while_the_connection_is_gone() {
    let mut bench = Bench::in_room(1);
    bench.say(types(other()));
    bench.close(1006, "");
    bench.pass(5_000);
    assert!(typists(&bench).is_empty());
}

#[test]
fn a_typing_that_its_own_message_overtook_is_not_shown() {
    let mut bench = Bench::in_room(1);
    bench.say(event(2, written(message(2, other()))));
    bench.pass(999);
    bench.say(types(other()));
    assert!(typists(&bench).is_empty());
    bench.pass(1);
    bench.say(types(other()));
    assert_eq!(typists(&bench), ["user 2"]);
}

#[test]
fn nobody_sees_themselves_typing_even_if_they_only_just_signed_in() {
    let mut bench = Bench::new(Session::Visitor);
    bench.feed(Input::Start);
    bench.greet(None);
    bench.open();
    let id = bench.only_id();
    bench.say(subbed(fresh(id, 1)));
    bench.say(types(me()));
    assert_eq!(typists(&bench), ["user 1"]);
    bench.feed(Input::SignedIn {
        user: me(),
        token: token("first"),
    });
    bench.say(types(me()));
    assert!(typists(&bench).is_empty());
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
