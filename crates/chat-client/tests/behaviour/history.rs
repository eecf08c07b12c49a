//! Loading what the window does not hold.

use chat_client::{HistoryState, Input, Span};
use chat_types::event::{Change, Message};
use chat_types::id::{Epoch, Number, Seq};
use chat_types::room::History;
use chat_types::time::Timestamp;

use crate::support::{Bench, event, fresh, message, message_id, other, room_id, subbed, written};

/// A room of messages 1 to `last` that holds the last ten.
fn scrolled_to_the_end(last: u64) -> Bench {
    let mut bench = Bench::online();
    bench.open();
    let id = bench.only_id();
    let mut start = fresh(id, last);
    let older = usize::try_from(last - 10).expect("a small number");
    start.messages.drain(..older);
    start.more_before = true;
    bench.say(subbed(start));
    bench
}

fn load(bench: &mut Bench, span: Span) {
    let room = room_id();
    bench.feed(Input::LoadHistory { room, span });
}

fn history(first: u64, last: u64, newest: u64, head: u64) -> History {
    let messages: Vec<Message> = (first..=last).map(|n| message(n, other())).collect();
    History {
        epoch: Epoch("one".to_owned()),
        head: Seq(head),
        messages,
        more_before: first > 1,
        more_after: last < newest,
    }
}

fn numbers(bench: &Bench) -> Vec<u64> {
    let rows = bench.room().rows();
    rows.filter_map(|row| row.number()).map(|n| n.0).collect()
}

#[test]
fn older_history_joins_the_window_without_a_gap() {
    let mut bench = scrolled_to_the_end(40);
    load(&mut bench, Span::Older);
    let (fetch, query) = bench.fetches[0].clone();
    assert_eq!(query.before, Some(Number(31)));
    let page = history(11, 30, 40, 40);
    bench.feed(Input::HistoryLoaded {
        fetch,
        page: Box::new(page),
    });
    assert_eq!(numbers(&bench), (11..=40).collect::<Vec<_>>());
    assert!(bench.room().more_before());
    assert_eq!(bench.room().history(), HistoryState::Idle);
}

#[test]
fn a_change_that_came_while_a_page_was_under_way_shows_on_the_page() {
    let mut bench = scrolled_to_the_end(40);
    load(&mut bench, Span::Older);
    let edit = Change::Edited {
        message_id: message_id(20),
        body: "edited meanwhile".to_owned(),
        edited_at: Timestamp(1),
    };
    bench.say(event(41, edit));
    let fetch = bench.fetches[0].0;
    let page = history(11, 30, 40, 40);
    bench.feed(Input::HistoryLoaded {
        fetch,
        page: Box::new(page),
    });
    let row = bench.room().accepted(Number(20)).next();
    assert_eq!(row.and_then(|row| row.body()), Some("edited meanwhile"));
}

#[test]
fn a_page_that_is_newer_than_the_cursor_is_not_set_back_by_older_events() {
    let mut bench = scrolled_to_the_end(40);
    load(&mut bench, Span::Older);
    let fetch = bench.fetches[0].0;
    let mut page = history(11, 30, 40, 42);
    page.messages[9].seq = Seq(42);
    bench.feed(Input::HistoryLoaded {
        fetch,
        page: Box::new(page),
    });
    let edit = Change::Edited {
        message_id: message_id(20),
        body: "an older text".to_owned(),
        edited_at: Timestamp(1),
    };
    bench.say(event(41, edit));
    let row = bench.room().accepted(Number(20)).next();
    assert_eq!(row.and_then(|row| row.body()), Some("message 20"));
}

#[test]
fn one_page_is_loaded_at_a_time_and_none_beyond_the_beginning() {
    let mut bench = scrolled_to_the_end(40);
    load(&mut bench, Span::Older);
    load(&mut bench, Span::Older);
    assert_eq!(bench.fetches.len(), 1);
    let fetch = bench.fetches[0].0;
    let page = history(1, 30, 40, 40);
    bench.feed(Input::HistoryLoaded {
        fetch,
        page: Box::new(page),
    });
    load(&mut bench, Span::Older);
    assert_eq!(bench.fetches.len(), 1);
    assert!(!bench.room().more_before());
}

#[test]
fn a_failed_load_says_so_and_may_be_repeated() {
    let mut bench = scrolled_to_the_end(40);
    load(&mut bench, Span::Older);
    let fetch = bench.fetches[0].0;
    bench.feed(Input::HistoryFailed { fetch });
    assert_eq!(bench.room().history(), HistoryState::Failed);
    load(&mut bench, Span::Older);
    assert_eq!(bench.fetches.len(), 2);
}

#[test]
fn away_from_the_end_new_messages_are_counted_and_not_shown() {
    let mut bench = scrolled_to_the_end(40);
    load(&mut bench, Span::Around(Number(8)));
    let fetch = bench.fetches[0].0;
    let page = history(3, 12, 40, 40);
    bench.feed(Input::HistoryLoaded {
        fetch,
        page: Box::new(page),
    });
    assert!(bench.room().more_after());
    bench.say(event(41, written(message(41, other()))));
    assert_eq!(numbers(&bench), (3..=12).collect::<Vec<_>>());
    assert_eq!(bench.room().unread_count(), 1);

    load(&mut bench, Span::Latest);
    let fetch = bench.fetches[1].0;
    let page = history(32, 41, 41, 41);
    bench.feed(Input::HistoryLoaded {
        fetch,
        page: Box::new(page),
    });
    assert!(!bench.room().more_after());
    bench.say(event(42, written(message(42, other()))));
    assert_eq!(numbers(&bench).last(), Some(&42));
}

#[test]
fn a_jump_takes_the_place_of_a_page_that_is_under_way() {
    let mut bench = scrolled_to_the_end(40);
    load(&mut bench, Span::Older);
    load(&mut bench, Span::Around(Number(8)));
    assert_eq!(bench.fetches.len(), 2);
    assert_eq!(bench.fetches[1].1.around, Some(Number(8)));
    let older = bench.fetches[0].0;
    bench.feed(Input::HistoryLoaded {
        fetch: older,
        page: Box::new(history(11, 30, 40, 40)),
    });
    assert_eq!(numbers(&bench), (31..=40).collect::<Vec<_>>());
    let around = bench.fetches[1].0;
    bench.feed(Input::HistoryLoaded {
        fetch: around,
        page: Box::new(history(3, 12, 40, 40)),
    });
    assert_eq!(numbers(&bench), (3..=12).collect::<Vec<_>>());
    assert_eq!(bench.room().history(), HistoryState::Idle);
}

#[test]
fn a_jump_that_fails_leaves_what_was_held() {
    let mut bench = scrolled_to_the_end(40);
    load(&mut bench, Span::Around(Number(8)));
    let fetch = bench.fetches[0].0;
    bench.feed(Input::HistoryFailed { fetch });
    assert_eq!(numbers(&bench), (31..=40).collect::<Vec<_>>());
    assert_eq!(bench.room().history(), HistoryState::Failed);
}

#[test]
fn a_page_from_before_the_socket_shows_at_once_and_is_continued_from() {
    let mut bench = Bench::online();
    bench.feed(Input::OpenRoom {
        room: room_id(),
        tail: 50,
        page: Some(Box::new(history(1, 3, 3, 3))),
    });
    assert_eq!(numbers(&bench), [1, 2, 3]);
    let commands = bench.commands();
    assert!(matches!(
        commands.as_slice(),
        [chat_types::ws::Command::Sub {
            since: Some(Seq(3)),
            epoch: Some(_),
            ..
        }]
    ));
}
