//! One broken promise at a time: each is found, under its name, with the ids by which to look it up.

use chat_load::audit::{Kind, Violation, audit};
use chat_load::history::{Act, Places, Record, Row, Text, Way, What};
use chat_types::id::{ClientId, Epoch, MessageId, Number, RoomId, Seq, UserId};
use chat_types::problem::ErrorCode;
use uuid::Uuid;

use crate::model::{Evidence, Fate, Kind as Change, World};

/// Two people in two rooms. Of room 0 the messages are numbered 1 to 4; the first was edited by
/// client 0, the third deleted, and client 1 put an emoji under the second.
fn good() -> Evidence {
    let mut world = World::new(2, 2);
    world.send(0, 0, Fate::Answered);
    world.send(1, 0, Fate::AnswerLost);
    world.deliver(0, 0, 2);
    world.send(0, 0, Fate::RequestLost);
    world.send(0, 0, Fate::RefusedForNow);
    world.send(1, 1, Fate::Answered);
    world.send(0, 0, Fate::RefusedForGood);
    world.deliver(1, 0, 3);
    world.change(0, 0, 0, Change::Edit, Fate::Answered);
    world.change(0, 0, 0, Change::Edit, Fate::AnswerLost);
    world.change(0, 0, 2, Change::Delete, Fate::Answered);
    world.change(1, 0, 1, Change::React(true), Fate::Answered);
    world.end()
}

/// Breaks a promise in the good world; it has to be found under this name, in a room, and with the
/// message wherever there is one.
fn breaks(kind: Kind, break_it: impl FnOnce(&mut Evidence)) -> Violation {
    let mut evidence = good();
    break_it(&mut evidence);
    let found = audit(&evidence.histories, &evidence.readings);
    let list: Vec<_> = found.iter().map(ToString::to_string).collect();
    let first = found.into_iter().find(|violation| violation.kind == kind);
    let violation = first.unwrap_or_else(|| panic!("{kind} is not among {list:#?}"));
    let of_a_message = !matches!(
        kind,
        Kind::Gap
            | Kind::DeliveredTwice
            | Kind::WentBack
            | Kind::Unsubscribed
            | Kind::EpochChanged
            | Kind::NotConverged
            | Kind::Behind
            | Kind::UnreadWrong
    );
    assert!(violation.room.is_some(), "{violation}");
    if of_a_message {
        let named = violation.client_id.is_some() || violation.message.is_some();
        assert!(named, "{violation}");
    }
    violation
}

impl Evidence {
    fn room(&self) -> RoomId {
        self.readings[0].room
    }

    fn row(&self, at: usize) -> Row {
        self.readings[0].rows[at].clone()
    }

    /// Changes what every reading says of the room.
    fn stored(&mut self, change: impl Fn(&mut Vec<Row>)) {
        let room = self.room();
        for reading in &mut self.readings {
            if reading.room == room && reading.whole {
                change(&mut reading.rows);
            }
        }
        let rows = self.readings[0].rows.clone();
        for reading in &mut self.readings {
            if reading.room == room && !reading.whole {
                reading.rows = rows[rows.len().saturating_sub(3)..].to_vec();
            }
        }
    }

    /// Changes what the screens show of the room.
    fn shown(&mut self, client: usize, change: impl Fn(&mut Vec<Row>)) {
        let of = self.room();
        for record in &mut self.histories[client].records {
            if let What::Final {
                room,
                rows: Some(rows),
                ..
            } = &mut record.what
                && *room == of
            {
                change(rows);
            }
        }
    }

    fn records(&mut self, client: usize) -> &mut Vec<Record> {
        &mut self.histories[client].records
    }

    fn first(&mut self, client: usize, which: impl Fn(&What) -> bool) -> &mut Record {
        let mut records = self.records(client).iter_mut();
        records.find(|record| which(&record.what)).unwrap()
    }

    fn last(&mut self, client: usize, which: impl Fn(&What) -> bool) -> &mut Record {
        let mut records = self.records(client).iter_mut();
        records.rfind(|record| which(&record.what)).unwrap()
    }

    /// Live events of the room, put before the last look.
    fn live(&mut self, client: usize, first: u64, last: u64) {
        let room = self.room();
        let live = What::Live {
            room,
            first: Seq(first),
            last: Seq(last),
        };
        self.before_the_end(client, live);
    }

    fn before_the_end(&mut self, client: usize, what: What) {
        let records = self.records(client);
        let at_us = records.last().unwrap().at_us;
        let end = records
            .iter()
            .position(|record| matches!(record.what, What::Final { .. }))
            .unwrap();
        records.insert(end, Record { at_us, what });
    }
}

#[test]
fn the_good_world_is_good() {
    let evidence = good();
    let found = audit(&evidence.histories, &evidence.readings);
    assert!(found.is_empty(), "{}", found[0]);
}

#[test]
fn an_acknowledged_message_that_is_not_stored_is_lost() {
    let violation = breaks(Kind::Lost, |evidence| {
        evidence.stored(|rows| drop(rows.remove(3)));
    });
    assert_eq!(violation.client, Some(0));
}

#[test]
fn an_acknowledgement_has_to_agree_with_the_store() {
    breaks(Kind::AckDisagrees, |evidence| {
        let acked = evidence.first(0, |what| matches!(what, What::Acked { .. }));
        if let What::Acked { number, .. } = &mut acked.what {
            *number = Number(9);
        }
    });
}

/// Every acknowledgement of that message names another place.
fn acked_elsewhere(evidence: &mut Evidence, message: usize) {
    let stored = evidence.row(message).id;
    for record in evidence
        .histories
        .iter_mut()
        .flat_map(|history| &mut history.records)
    {
        if let What::Acked { id, seq, .. } = &mut record.what
            && *id == stored
        {
            *seq = Seq(seq.0 - 1);
        }
    }
}

#[test]
fn an_acknowledgement_names_the_place_of_a_message_that_nobody_changed() {
    breaks(Kind::AckDisagrees, |evidence| {
        acked_elsewhere(evidence, 3);
        for client in 0..2 {
            evidence.records(client).retain(|record| {
                !matches!(
                    record.what,
                    What::Seen {
                        way: Way::Live(_),
                        ..
                    }
                )
            });
        }
    });
}

#[test]
fn an_acknowledgement_names_the_place_at_which_the_message_was_delivered() {
    // It was changed since, so that the store does not have its first place any more.
    breaks(Kind::AckDisagrees, |evidence| acked_elsewhere(evidence, 2));
}

#[test]
fn two_acknowledgements_of_a_message_have_to_agree() {
    breaks(Kind::AckDisagrees, |evidence| {
        let acked = evidence.first(0, |what| matches!(what, What::Acked { .. }));
        let mut again = acked.clone();
        if let What::Acked { id, .. } = &mut again.what {
            *id = MessageId::from_uuid(Uuid::from_u128(1));
        }
        evidence.records(0).push(again);
    });
}

#[test]
fn a_message_is_not_both_acknowledged_and_refused() {
    breaks(Kind::OkAndFail, |evidence| {
        let client_id = evidence.row(0).client_id;
        let refused = What::Refused {
            client_id,
            code: ErrorCode::Forbidden,
            retry: false,
        };
        evidence.histories[0].push(1_000_000, refused);
    });
}

#[test]
fn every_message_has_an_outcome() {
    breaks(Kind::NoOutcome, |evidence| {
        let room = evidence.room();
        let client_id = ClientId::from_uuid(Uuid::from_u128(1));
        let body = 1;
        evidence.histories[0].push(
            1_000_000,
            What::Invoked {
                room,
                client_id,
                body,
            },
        );
        evidence.histories[0].push(1_000_001, What::Attempted { client_id });
    });
}

#[test]
fn a_message_that_waits_at_the_end_is_unanswered() {
    let violation = breaks(Kind::Unanswered, |evidence| {
        let client_id = evidence.row(3).client_id;
        let records = evidence.records(0);
        records.retain(
            |record| !matches!(record.what, What::Acked { client_id: of, .. } if of == client_id),
        );
        evidence.histories[0].push(1_000_000, What::Waiting { client_id });
    });
    assert!(violation.kind.is_late());
}

#[test]
fn a_message_that_is_stored_twice_is_duplicated() {
    breaks(Kind::Duplicated, |evidence| {
        evidence.stored(|rows| {
            let mut again = rows[1].clone();
            again.number = Number(5);
            again.id = MessageId::from_uuid(Uuid::from_u128(1));
            rows.push(again);
        });
    });
}

#[test]
fn a_refused_message_is_not_stored() {
    breaks(Kind::FailedButStored, |evidence| {
        let refused = evidence.histories[0]
            .records
            .iter()
            .find_map(|record| match record.what {
                What::Refused {
                    client_id,
                    retry: false,
                    ..
                } => Some(client_id),
                _ => None,
            });
        let client_id = refused.unwrap();
        evidence.stored(|rows| {
            let mut row = rows[3].clone();
            row.client_id = client_id;
            row.number = Number(5);
            rows.push(row);
        });
    });
}

#[test]
fn a_stored_message_that_nobody_wrote_is_a_phantom() {
    breaks(Kind::Phantom, |evidence| {
        evidence.stored(|rows| {
            let mut row = rows[3].clone();
            row.client_id = ClientId::from_uuid(Uuid::from_u128(1));
            row.number = Number(5);
            rows.push(row);
        });
    });
}

#[test]
fn numbers_have_no_gap() {
    breaks(Kind::StoreGap, |evidence| {
        evidence.stored(|rows| rows[3].number = Number(5));
    });
}

#[test]
fn no_two_messages_share_a_place() {
    breaks(Kind::StoreGap, |evidence| {
        evidence.stored(|rows| rows[3].seq = rows[1].seq);
    });
}

#[test]
fn a_stored_text_is_one_that_was_written() {
    breaks(Kind::Corrupt, |evidence| {
        evidence.stored(|rows| rows[3].text = Text::Body(1));
    });
}

#[test]
fn a_message_that_nobody_deleted_keeps_its_text() {
    breaks(Kind::Corrupt, |evidence| {
        evidence.stored(|rows| rows[3].text = Text::Deleted);
    });
}

#[test]
fn a_message_is_in_the_room_to_which_it_was_written() {
    breaks(Kind::Misrouted, |evidence| {
        let moved = evidence.row(3);
        evidence.stored(|rows| drop(rows.remove(3)));
        for reading in &mut evidence.readings[1..2] {
            let mut row = moved.clone();
            row.number = Number(2);
            reading.rows.push(row);
        }
    });
}

#[test]
fn a_message_is_its_authors() {
    breaks(Kind::Impersonated, |evidence| {
        let other = UserId::from_uuid(Uuid::from_u128(1));
        evidence.stored(|rows| rows[3].author = other);
    });
}

#[test]
fn who_sends_after_an_acknowledgement_stands_after_it() {
    breaks(Kind::Reordered, |evidence| {
        evidence.stored(|rows| {
            // Client 1 sent the second one after the first was acknowledged.
            rows.swap(0, 1);
            rows[0].number = Number(1);
            rows[1].number = Number(2);
        });
    });
}

#[test]
fn the_messages_of_one_author_keep_their_order() {
    breaks(Kind::SenderReordered, |evidence| {
        evidence.stored(|rows| {
            rows.swap(2, 3);
            rows[2].number = Number(3);
            rows[3].number = Number(4);
        });
    });
}

#[test]
fn the_store_has_the_last_edit_that_was_acknowledged() {
    breaks(Kind::StaleEdit, |evidence| {
        let earlier = evidence.histories[0]
            .records
            .iter()
            .find_map(|record| match record.what {
                What::ChangeAcked {
                    act: Act::Edit { body },
                    seq,
                    ..
                } => Some((body, seq)),
                _ => None,
            });
        let (body, seq) = earlier.unwrap();
        evidence.stored(|rows| {
            rows[0].text = Text::Body(body);
            rows[0].seq = seq;
        });
    });
}

#[test]
fn a_deletion_that_was_acknowledged_stays() {
    breaks(Kind::StaleEdit, |evidence| {
        let written = evidence.histories[0]
            .records
            .iter()
            .filter_map(|record| match record.what {
                What::Invoked { body, .. } => Some(body),
                _ => None,
            });
        let body = written.collect::<Vec<_>>()[1];
        evidence.stored(|rows| rows[2].text = Text::Body(body));
    });
}

#[test]
fn a_screen_shows_the_last_edit() {
    breaks(Kind::StaleEdit, |evidence| {
        evidence.shown(1, |rows| rows[0].seq = Seq(1));
    });
}

#[test]
fn reactions_are_counted_once_each() {
    breaks(Kind::Reaction, |evidence| {
        evidence.stored(|rows| rows[1].reactions[0].1 = 2);
    });
    breaks(Kind::Reaction, |evidence| {
        evidence.stored(|rows| rows[1].reactions.clear());
    });
}

#[test]
fn an_event_that_is_left_out_is_a_gap() {
    breaks(Kind::Gap, |evidence| {
        let head = evidence.readings[0].head.0;
        evidence.live(1, head + 2, head + 2);
    });
}

#[test]
fn a_resume_begins_where_the_client_was() {
    breaks(Kind::Gap, |evidence| {
        let resumed = evidence.first(1, |what| {
            matches!(
                what,
                What::Subbed {
                    recovered: true,
                    ..
                }
            )
        });
        if let What::Subbed { since, .. } = &mut resumed.what {
            *since = Some(Seq(99));
        }
    });
}

/// Client 1 subscribes anew one place before the head, and is given the last change once more.
fn subscribe_behind(evidence: &mut Evidence, since: Option<Seq>) {
    let (room, head) = (evidence.room(), evidence.readings[0].head.0);
    let subbed = What::Subbed {
        room,
        since,
        epoch: evidence.readings[0].epoch.clone(),
        head: Seq(head - 1),
        recovered: since.is_some(),
        changes: Places::default(),
    };
    evidence.before_the_end(1, subbed);
    evidence.live(1, head, head);
}

#[test]
fn nobody_goes_back_in_time() {
    breaks(Kind::WentBack, |evidence| subscribe_behind(evidence, None));
    breaks(Kind::WentBack, |evidence| {
        let since = Seq(evidence.readings[0].head.0 - 2);
        subscribe_behind(evidence, Some(since));
    });
}

#[test]
fn another_history_begins_anew() {
    let mut evidence = good();
    subscribe_behind(&mut evidence, None);
    let epoch = Epoch("second".to_owned());
    let behind = Seq(evidence.readings[0].head.0 - 1);
    let subbed = evidence.last(
        1,
        |what| matches!(what, What::Subbed { head, .. } if *head == behind),
    );
    if let What::Subbed { epoch: of, .. } = &mut subbed.what {
        *of = epoch;
    }
    let found = audit(&evidence.histories, &evidence.readings);
    let kinds: Vec<_> = found.iter().map(|violation| violation.kind).collect();
    assert_eq!(kinds, [Kind::EpochChanged]);
}

/// Client 1 is told of everything that it missed, in a resume or a page, but for those rows.
fn catch_up(evidence: &mut Evidence, in_a_page: bool, but_for: &[usize]) {
    let reading = evidence.readings[0].clone();
    let rows = reading.rows.iter().enumerate();
    let told = rows.filter(|(at, _)| !but_for.contains(at));
    let changes: Places = told.map(|(_, row)| row.seq).collect();
    let (room, after, upto) = (reading.room, Seq(1), reading.head);
    evidence.before_the_end(
        1,
        if in_a_page {
            What::Page {
                room,
                after,
                upto,
                more: false,
                changes,
            }
        } else {
            What::Subbed {
                room,
                since: Some(after),
                epoch: reading.epoch,
                head: upto,
                recovered: true,
                changes,
            }
        },
    );
}

#[test]
fn what_is_called_complete_leaves_no_row_out() {
    for in_a_page in [false, true] {
        let mut whole = good();
        catch_up(&mut whole, in_a_page, &[]);
        let found = audit(&whole.histories, &whole.readings);
        assert!(found.is_empty(), "{}", found[0]);
        for row in 0..4 {
            let violation = breaks(Kind::Incomplete, |evidence| {
                catch_up(evidence, in_a_page, &[row]);
            });
            assert_eq!(violation.message, Some(good().row(row).id));
        }
    }
}

#[test]
fn a_reader_who_only_counts_notices_a_row_that_is_left_out() {
    breaks(Kind::Incomplete, |evidence| {
        catch_up(evidence, false, &[3]);
        let records = evidence.records(1);
        records.retain(|record| !matches!(record.what, What::Seen { .. }));
    });
}

#[test]
fn a_page_begins_where_the_client_was() {
    breaks(Kind::Gap, |evidence| {
        let head = evidence.readings[0].head;
        let page = What::Page {
            room: evidence.room(),
            after: head.next(),
            upto: head.next(),
            more: false,
            changes: Places::default(),
        };
        evidence.before_the_end(1, page);
    });
}

#[test]
fn an_event_that_comes_again_is_delivered_twice() {
    breaks(Kind::DeliveredTwice, |evidence| {
        let head = evidence.readings[0].head.0;
        evidence.live(1, head, head);
    });
}

#[test]
fn who_does_not_follow_a_room_gets_none_of_its_events() {
    breaks(Kind::Unsubscribed, |evidence| {
        let head = evidence.readings[0].head.0;
        let room = evidence.room();
        evidence.before_the_end(1, What::Unsubbed { room });
        evidence.live(1, head + 1, head + 1);
    });
}

#[test]
fn a_delivered_message_that_nobody_wrote_is_a_phantom() {
    breaks(Kind::DeliveredPhantom, |evidence| {
        let seen = evidence.first(1, |what| matches!(what, What::Seen { .. }));
        if let What::Seen { row, .. } = &mut seen.what {
            row.client_id = ClientId::from_uuid(Uuid::from_u128(1));
        }
    });
}

#[test]
fn a_message_is_not_delivered_before_it_was_sent() {
    breaks(Kind::DeliveredBeforeSend, |evidence| {
        evidence
            .first(1, |what| matches!(what, What::Seen { .. }))
            .at_us = 0;
    });
}

#[test]
fn a_delivered_text_is_the_authors() {
    breaks(Kind::DeliveredCorrupt, |evidence| {
        let seen = evidence.first(1, |what| matches!(what, What::Seen { .. }));
        if let What::Seen { row, .. } = &mut seen.what {
            row.text = Text::Body(1);
        }
    });
}

#[test]
fn a_message_that_was_shown_does_not_vanish() {
    breaks(Kind::Vanished, |evidence| {
        // It was never acknowledged, so that nothing but its readers speak for it.
        let gone = evidence.row(3).client_id;
        evidence.records(0).retain(
            |record| !matches!(record.what, What::Acked { client_id, .. } if client_id == gone),
        );
        evidence.stored(|rows| drop(rows.remove(3)));
    });
}

#[test]
fn an_event_names_the_place_of_its_message() {
    breaks(Kind::Misplaced, |evidence| {
        let seen = evidence.first(1, |what| matches!(what, What::Seen { .. }));
        if let What::Seen { way, row, .. } = &mut seen.what {
            *way = Way::Missed(row.seq.next());
        }
    });
}

#[test]
fn a_message_is_told_of_as_new_at_one_place() {
    breaks(Kind::Misplaced, |evidence| {
        let is_live = |what: &What| {
            matches!(
                what,
                What::Seen {
                    way: Way::Live(_),
                    ..
                }
            )
        };
        let mut again = evidence.first(1, is_live).clone();
        if let What::Seen { way, row, .. } = &mut again.what {
            row.seq = evidence.readings[0].head;
            *way = Way::Live(row.seq);
        }
        evidence.before_the_end(1, again.what);
    });
}

fn is_edit(what: &What) -> bool {
    matches!(
        what,
        What::SeenChange {
            text: Text::Body(_),
            ..
        }
    )
}

#[test]
fn a_delivered_edit_is_one_that_was_made() {
    breaks(Kind::DeliveredCorrupt, |evidence| {
        if let What::SeenChange { text, .. } = &mut evidence.first(1, is_edit).what {
            *text = Text::Body(1);
        }
    });
}

#[test]
fn two_readers_are_given_the_same() {
    breaks(Kind::Divergent, |evidence| {
        if let What::SeenChange { text, .. } = &mut evidence.last(1, is_edit).what {
            *text = Text::Body(1);
        }
    });
}

#[test]
fn who_lost_the_acknowledgement_and_was_given_the_message_knows_the_outcome() {
    let mut evidence = good();
    let client_id = evidence.row(0).client_id;
    evidence.records(0).retain(
        |record| !matches!(record.what, What::Acked { client_id: of, .. } if of == client_id),
    );
    let found = audit(&evidence.histories, &evidence.readings);
    assert!(found.is_empty(), "{}", found[0]);
}

#[test]
fn every_server_gives_the_same() {
    breaks(Kind::Divergent, |evidence| {
        let mut other = evidence.readings[0].clone();
        other.source = "another over HTTP".to_owned();
        other.rows[1].reactions.clear();
        evidence.readings.push(other);
    });
}

#[test]
fn screens_show_the_same() {
    breaks(Kind::Divergent, |evidence| {
        evidence.shown(1, |rows| rows[3].text = Text::Body(1));
    });
}

#[test]
fn the_history_of_a_room_does_not_change_under_its_readers() {
    breaks(Kind::EpochChanged, |evidence| {
        let subbed = evidence.first(1, |what| matches!(what, What::Subbed { .. }));
        if let What::Subbed { epoch, .. } = &mut subbed.what {
            *epoch = Epoch("second".to_owned());
        }
    });
}

#[test]
fn a_screen_shows_a_message_once() {
    breaks(Kind::Doubled, |evidence| {
        evidence.shown(1, |rows| rows.push(rows[1].clone()));
    });
    breaks(Kind::Doubled, |evidence| {
        let (room, client_id) = (evidence.room(), evidence.row(1).client_id);
        evidence.histories[1].push(1_000_000, What::Doubled { room, client_id });
    });
}

#[test]
fn who_followed_to_the_end_has_everything() {
    breaks(Kind::Undelivered, |evidence| {
        evidence.shown(1, |rows| drop(rows.pop()));
    });
    breaks(Kind::Undelivered, |evidence| {
        evidence.shown(1, |rows| drop(rows.remove(1)));
    });
}

#[test]
fn who_is_up_to_date_by_their_own_account_only_is_behind() {
    breaks(Kind::Behind, |evidence| {
        let last = evidence.first(1, |what| matches!(what, What::Final { .. }));
        if let What::Final { cursor, .. } = &mut last.what {
            *cursor = Seq(cursor.0 - 1);
        }
    });
}

#[test]
fn who_does_not_come_to_rest_is_named() {
    let violation = breaks(Kind::NotConverged, |evidence| {
        let last = evidence.first(1, |what| matches!(what, What::Final { .. }));
        if let What::Final { live, .. } = &mut last.what {
            *live = false;
        }
    });
    assert_eq!(violation.client, Some(1));
}

#[test]
fn unread_is_what_the_room_has_beyond_what_is_read() {
    let counts = |evidence: &mut Evidence, unread| {
        let (room, read) = (evidence.room(), Number(1));
        evidence.before_the_end(0, What::Read { room, read, unread });
    };
    let mut right = good();
    counts(&mut right, 3);
    assert!(audit(&right.histories, &right.readings).is_empty());
    let violation = breaks(Kind::UnreadWrong, |evidence| counts(evidence, 4));
    assert_eq!(violation.client, Some(0));
}
