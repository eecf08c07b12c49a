//! What events, pages and snapshots do to the rows.

use chat_client::{Place, RoomChange, RoomStatus, RowKey};
use chat_types::event::{Change, Reaction, ReplyPreview};
use chat_types::id::{Epoch, Number, RequestId, Seq};
use chat_types::problem::ErrorCode;
use chat_types::room::{Member, Role};
use chat_types::time::Timestamp;
use chat_types::ws::{Command, Ephemeral, Head, Page, ServerDoc, Subbed, UnsubReason};

use crate::support::{
    Bench, err, event, fresh, me, message, message_id, other, room_id, seq_change, subbed, written,
};

fn page(id: RequestId, changes: Vec<(u64, Change)>, upto: u64, more: bool) -> ServerDoc {
    ServerDoc::Page(Page {
        id,
        room: room_id(),
        epoch: Epoch("one".to_owned()),
        changes: changes
            .into_iter()
            .map(|(seq, change)| seq_change(seq, change))
            .collect(),
        upto: Seq(upto),
        head: Seq(upto),
        more,
    })
}

fn sync(bench: &mut Bench) -> (RequestId, Seq) {
    let commands = bench.commands();
    let found = commands.iter().find_map(|command| match command {
        Command::Sync { id, after, .. } => Some((*id, *after)),
        _ => None,
    });
    found.expect("it asks for what is missing")
}

fn sub(bench: &mut Bench) -> (RequestId, Option<Seq>) {
    let commands = bench.commands();
    let found = commands.iter().find_map(|command| match command {
        Command::Sub { id, since, .. } => Some((*id, *since)),
        _ => None,
    });
    found.expect("it subscribes")
}

fn deleted(n: u64) -> Change {
    Change::Deleted {
        message_id: message_id(n),
        at: Timestamp(1),
        by_moderator: false,
    }
}

fn edited(n: u64, body: &str) -> Change {
    Change::Edited {
        message_id: message_id(n),
        body: body.to_owned(),
        edited_at: Timestamp(1),
    }
}

fn answer(number: u64, to: u64) -> Change {
    let mut answer = message(number, other());
    answer.reply_to = Some(ReplyPreview {
        id: message_id(to),
        number: Number(to),
        author: "user 2".to_owned(),
        excerpt: format!("message {to}"),
    });
    written(answer)
}

fn excerpt(bench: &Bench, n: u64) -> String {
    let message = bench.room().message(message_id(n)).expect("it is shown");
    let preview = message.reply_to.as_ref().expect("it is an answer");
    preview.excerpt.clone()
}

#[test]
fn the_next_event_is_applied() {
    let mut bench = Bench::in_room(2);
    bench.say(event(3, written(message(3, other()))));
    assert_eq!(bench.bodies(), ["message 1", "message 2", "message 3"]);
    let keys = vec![RowKey::Other(message_id(3))];
    let place = Place::New;
    assert_eq!(bench.changes()[0], RoomChange::Inserted { keys, place });
}

#[test]
fn an_event_that_was_seen_before_is_ignored() {
    let mut bench = Bench::in_room(2);
    bench.say(event(3, edited(1, "new")));
    bench.changes();
    bench.say(event(3, edited(1, "newer")));
    bench.say(event(2, deleted(1)));
    assert!(bench.changes().is_empty());
    assert_eq!(bench.bodies(), ["new", "message 2"]);
}

#[test]
fn a_gap_is_repaired_from_the_own_cursor_before_anything_later_shows() {
    let mut bench = Bench::in_room(2);
    bench.say(event(4, written(message(4, other()))));
    bench.say(event(5, written(message(5, other()))));
    assert_eq!(bench.bodies().len(), 2);
    let (id, after) = sync(&mut bench);
    assert_eq!(after, Seq(2));
    let missing = vec![
        (3, written(message(3, other()))),
        (4, written(message(4, other()))),
    ];
    bench.say(page(id, missing, 4, false));
    assert_eq!(bench.room().cursor(), Some(Seq(5)));
    assert_eq!(bench.bodies().len(), 5);
    assert!(bench.commands().is_empty());
}

#[test]
fn events_wait_while_a_compacted_list_is_half_applied() {
    let mut bench = Bench::in_room(2);
    bench.say(ServerDoc::Resync { room: room_id() });
    let (id, _) = sync(&mut bench);
    // Message 3 was created at 3 and edited at 6, so it comes with the second page.
    bench.say(page(id, vec![(4, written(message(4, other())))], 4, true));
    let (id, after) = sync(&mut bench);
    assert_eq!(after, Seq(4));
    bench.say(event(5, deleted(3)));
    assert_eq!(bench.room().cursor(), Some(Seq(4)));
    let mut third = message(3, other());
    third.seq = Seq(6);
    bench.say(page(id, vec![(6, written(third))], 6, false));
    let bodies = ["message 1", "message 2", "message 3", "message 4"];
    assert_eq!(bench.bodies(), bodies);
    assert_eq!(bench.room().status(), RoomStatus::Live);
}

#[test]
fn a_head_in_a_ping_reveals_a_lost_tail() {
    let mut bench = Bench::in_room(2);
    let head = |seq| Head {
        room: room_id(),
        seq: Seq(seq),
    };
    bench.say(ServerDoc::Ping {
        heads: vec![head(2)],
    });
    assert_eq!(bench.commands(), [Command::Pong {}]);
    bench.say(ServerDoc::Ping {
        heads: vec![head(3)],
    });
    assert_eq!(sync(&mut bench).1, Seq(2));
}

#[test]
fn a_reconnect_resumes_after_the_cursor() {
    let mut bench = Bench::in_room(2);
    bench.reconnect();
    let (id, since) = sub(&mut bench);
    assert_eq!(since, Some(Seq(2)));
    let mut first = message(1, other());
    first.seq = Seq(4);
    first.content = chat_types::event::Content::Deleted {
        at: Timestamp(1),
        by_moderator: false,
    };
    bench.say(subbed(Subbed {
        recovered: true,
        head: Seq(4),
        messages: Vec::new(),
        changes: vec![
            seq_change(3, written(message(3, other()))),
            seq_change(4, written(first)),
        ],
        last_number: Number(3),
        ..fresh(id, 2)
    }));
    assert_eq!(bench.bodies(), ["-", "message 2", "message 3"]);
    assert_eq!(bench.room().cursor(), Some(Seq(4)));
}

#[test]
fn a_room_that_is_refused_for_the_rate_is_followed_when_the_server_says() {
    let mut bench = Bench::online();
    bench.open();
    let id = bench.only_id();
    bench.say(err(id, ErrorCode::RateLimited, Some(40_000)));
    bench.pass(39_999);
    let commands = bench.commands();
    assert!(commands.iter().all(|it| it.request_id().is_none()), "early");
    bench.pass(1);
    let id = bench.only_id();
    bench.say(subbed(fresh(id, 2)));
    assert_eq!(bench.bodies(), ["message 1", "message 2"]);
}

#[test]
fn a_resume_that_is_refused_for_the_rate_keeps_what_is_shown_and_its_place() {
    let mut bench = Bench::in_room(2);
    bench.reconnect();
    let (id, _) = sub(&mut bench);
    bench.say(err(id, ErrorCode::RateLimited, Some(40_000)));
    assert_eq!(bench.bodies(), ["message 1", "message 2"]);
    bench.pass(40_000);
    let (_, since) = sub(&mut bench);
    assert_eq!(since, Some(Seq(2)));
}

#[test]
fn a_resume_that_is_refused_starts_the_timeline_over() {
    let mut bench = Bench::in_room(2);
    bench.reconnect();
    let (id, _) = sub(&mut bench);
    bench.changes();
    let mut start = fresh(id, 60);
    start.messages.drain(..10);
    start.more_before = true;
    bench.say(subbed(start));
    assert_eq!(bench.room().accepted_len(), 50);
    assert!(bench.room().more_before());
    assert!(bench.changes().contains(&RoomChange::Reset));
}

#[test]
fn another_epoch_starts_the_timeline_over_even_when_it_claims_to_resume() {
    let mut bench = Bench::in_room(2);
    bench.reconnect();
    let (id, _) = sub(&mut bench);
    bench.say(subbed(Subbed {
        recovered: true,
        epoch: Epoch("two".to_owned()),
        ..fresh(id, 1)
    }));
    assert_eq!(bench.bodies(), ["message 1"]);
    assert_eq!(bench.room().cursor(), Some(Seq(1)));
}

#[test]
fn a_page_of_another_epoch_is_not_applied() {
    let mut bench = Bench::in_room(2);
    bench.say(ServerDoc::Resync { room: room_id() });
    let (id, _) = sync(&mut bench);
    let mut other_history = page(id, vec![(3, deleted(1))], 3, false);
    if let ServerDoc::Page(page) = &mut other_history {
        page.epoch = Epoch("two".to_owned());
    }
    bench.say(other_history);
    assert_eq!(bench.bodies(), ["message 1", "message 2"]);
    assert_eq!(sub(&mut bench).1, None, "it starts from the newest page");
}

#[test]
fn an_epoch_reset_subscribes_afresh_after_a_moment() {
    let mut bench = Bench::in_room(2);
    let reason = UnsubReason::EpochReset;
    bench.say(ServerDoc::Unsubbed {
        room: room_id(),
        reason,
    });
    bench.pass(1_000);
    assert_eq!(sub(&mut bench).1, None);
}

#[test]
fn a_room_that_the_user_was_removed_from_is_not_followed_again() {
    let mut bench = Bench::in_room(2);
    let reason = UnsubReason::Removed;
    bench.say(ServerDoc::Unsubbed {
        room: room_id(),
        reason,
    });
    assert_eq!(bench.room().status(), RoomStatus::Ended(reason));
    bench.reconnect();
    assert!(bench.commands().is_empty());
}

#[test]
fn a_subscription_that_is_refused_for_now_is_tried_again() {
    let mut bench = Bench::online();
    bench.open();
    let (id, _) = sub(&mut bench);
    bench.say(err(id, ErrorCode::Unavailable, Some(700)));
    bench.pass(699);
    assert!(bench.commands().is_empty());
    bench.pass(1);
    let (id, _) = sub(&mut bench);
    bench.say(err(id, ErrorCode::Forbidden, None));
    let refused = RoomStatus::Refused(ErrorCode::Forbidden);
    assert_eq!(bench.room().status(), refused);
}

#[test]
fn a_deleted_message_loses_text_reactions_and_pin_and_clears_its_previews() {
    let mut bench = Bench::in_room(2);
    bench.say(event(3, answer(3, 1)));
    bench.say(event(
        4,
        Change::Pinned {
            message_id: message_id(1),
            on: true,
        },
    ));
    bench.say(event(5, deleted(1)));
    let message = bench.room().message(message_id(1)).expect("a tombstone");
    assert!(!message.pinned && message.reactions.is_empty());
    assert_eq!(bench.bodies()[0], "-");
    assert_eq!(excerpt(&bench, 3), "");
}

#[test]
fn an_edit_shows_in_the_previews_of_its_answers() {
    let mut bench = Bench::in_room(1);
    bench.say(event(2, answer(2, 1)));
    bench.say(event(3, edited(1, "new words")));
    assert_eq!(excerpt(&bench, 2), "new words");
}

#[test]
fn reaction_counts_are_absolute_and_mine_is_the_users_own() {
    let mut bench = Bench::in_room(1);
    let react = |user_id, on, count| Change::Reacted {
        message_id: message_id(1),
        user_id,
        emoji: "👍".to_owned(),
        on,
        count,
    };
    let shown = |bench: &Bench| {
        let message = bench.room().message(message_id(1)).expect("it is shown");
        message.reactions.clone()
    };
    let reaction = |count, mine| Reaction {
        emoji: "👍".to_owned(),
        count,
        mine,
    };
    bench.say(event(2, react(other().id, true, 1)));
    assert_eq!(shown(&bench), [reaction(1, false)]);
    bench.say(event(3, react(me().id, true, 2)));
    assert_eq!(shown(&bench), [reaction(2, true)]);
    bench.say(event(4, react(other().id, false, 1)));
    assert_eq!(shown(&bench), [reaction(1, true)]);
    bench.say(event(5, react(me().id, false, 0)));
    assert!(shown(&bench).is_empty());
}

#[test]
fn a_members_new_name_shows_on_their_messages_and_above_answers_to_them() {
    let mut bench = Bench::in_room(1);
    bench.say(event(2, answer(2, 1)));
    let mut user = other();
    user.name = "new name".to_owned();
    let member = Member {
        user,
        role: Role::Member,
        joined_at: Timestamp(1),
    };
    bench.say(event(3, Change::Member { member }));
    let names: Vec<_> = bench
        .room()
        .rows()
        .filter_map(|row| row.author())
        .map(|author| author.name.as_str())
        .collect();
    assert_eq!(names, ["new name", "new name"]);
    let message = bench.room().message(message_id(2)).expect("it is shown");
    let preview = message.reply_to.as_ref().expect("it is an answer");
    assert_eq!(preview.author, "new name");
}

#[test]
fn a_change_that_is_not_known_moves_the_cursor_only() {
    let mut bench = Bench::in_room(1);
    let conn = bench.conn.expect("online");
    let text = format!(
        r#"{{"t":"ev","room":"{}","seq":2,"at":1,"change":{{"kind":"of_tomorrow"}}}}"#,
        room_id()
    );
    bench.feed(chat_client::Input::Frame { conn, text });
    assert_eq!(bench.room().cursor(), Some(Seq(2)));
    assert_eq!(bench.bodies(), ["message 1"]);
}

#[test]
fn a_document_that_cannot_be_read_does_not_harm_its_neighbours() {
    let mut bench = Bench::in_room(1);
    let conn = bench.conn.expect("online");
    let next = serde_json::to_string(&event(2, written(message(2, other())))).expect("JSON");
    let text = format!("{{\"t\":\"ev\",\"seq\":-1}}\nnot JSON\n{next}");
    bench.feed(chat_client::Input::Frame { conn, text });
    assert_eq!(bench.bodies(), ["message 1", "message 2"]);
}

#[test]
fn at_most_ten_thousand_messages_are_held() {
    let mut bench = Bench::in_room(1);
    for n in 2..=10_010 {
        let conn = bench.conn.expect("online");
        let text = serde_json::to_string(&event(n, written(message(n, other())))).expect("JSON");
        bench.feed(chat_client::Input::Frame { conn, text });
        bench.notices.clear();
    }
    assert_eq!(bench.room().accepted_len(), 10_000);
    assert!(bench.room().more_before());
    let first = bench.room().rows().next().and_then(|row| row.number());
    assert_eq!(first, Some(Number(11)));
}

#[test]
fn typing_is_forgotten_after_five_seconds_or_with_the_message() {
    let mut bench = Bench::in_room(1);
    let typing = |user| ServerDoc::Eph {
        room: room_id(),
        data: Ephemeral::Typing { user },
    };
    bench.say(typing(me()));
    assert_eq!(bench.room().typing().count(), 0, "not the user themselves");
    bench.say(typing(other()));
    assert_eq!(bench.room().typing().count(), 1);
    bench.pass(5_000);
    assert_eq!(bench.room().typing().count(), 0);
    bench.say(typing(other()));
    bench.say(event(2, written(message(2, other()))));
    assert_eq!(bench.room().typing().count(), 0);
}

#[test]
fn the_read_position_of_another_device_moves_only_forward() {
    let mut bench = Bench::in_room(1);
    for n in 2..=4 {
        bench.say(event(n, written(message(n, other()))));
    }
    let read = |number| ServerDoc::Eph {
        room: room_id(),
        data: Ephemeral::Read {
            number: Number(number),
        },
    };
    bench.say(read(3));
    assert_eq!(bench.room().unread_count(), 1);
    bench.say(read(2));
    assert_eq!(bench.room().unread_count(), 1);
}
