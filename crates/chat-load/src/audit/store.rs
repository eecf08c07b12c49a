//! The store against what was promised and against what was written.

use std::collections::HashMap;

use chat_types::id::{MessageId, Number};

use super::book::{Ack, Book, Send};
use super::{Found, Kind, Reading, Truth};
use crate::history::{Row, Text};

/// Every reader is given the same, whichever server they ask.
pub(super) fn readings_agree(truth: &Truth<'_>, readings: &[Reading], found: &mut Found) {
    for reading in readings {
        let Some(first) = truth.rooms.get(&reading.room) else {
            let detail = format!("{} gave a part, and nobody the whole", reading.source);
            found.add(Kind::Divergent, detail).room(reading.room);
            continue;
        };
        if reading.epoch != first.epoch || reading.head != first.head {
            let detail = format!(
                "{} says {:?} at {}, {} says {:?} at {}",
                first.source,
                first.epoch.0,
                first.head,
                reading.source,
                reading.epoch.0,
                reading.head
            );
            found.add(Kind::Divergent, detail).room(reading.room);
        }
        let skipped = if reading.whole {
            0
        } else {
            first.rows.len().saturating_sub(reading.rows.len())
        };
        let expected = &first.rows[skipped..];
        if expected.len() != reading.rows.len() {
            let detail = format!(
                "{} gave {} messages, {} gave {}",
                first.source,
                first.rows.len(),
                reading.source,
                reading.rows.len()
            );
            found.add(Kind::Divergent, detail).room(reading.room);
        }
        for (one, other) in expected.iter().zip(&reading.rows) {
            if one != other {
                let detail = format!(
                    "{} gave {one:?}, {} gave {other:?}",
                    first.source, reading.source
                );
                found
                    .add(Kind::Divergent, detail)
                    .room(reading.room)
                    .row(one);
                break;
            }
        }
    }
}

/// What was acknowledged is there, once and as promised; what was refused is not.
pub(super) fn promises_are_kept(book: &Book, truth: &Truth<'_>, found: &mut Found) {
    for (client_id, send) in &book.sends {
        let stored = truth.stored(*client_id);
        let mut say = |kind, detail: String| {
            found
                .add(kind, detail)
                .client(send.client)
                .room(send.room)
                .client_id(*client_id);
        };
        if let (Some(first), Some(other)) = (
            send.acks.first(),
            send.acks.iter().find(|ack| **ack != send.acks[0]),
        ) {
            let (first, other) = (first.number, other.number);
            say(
                Kind::AckDisagrees,
                format!("acknowledged as {first} and as {other}"),
            );
        }
        if !send.acks.is_empty()
            && let Some(code) = send.refused
        {
            say(Kind::OkAndFail, format!("refused as {code:?} as well"));
        }
        if stored.len() > 1 {
            let numbers: Vec<_> = stored.iter().map(|(_, row)| row.number.0).collect();
            say(Kind::Duplicated, format!("stored as {numbers:?}"));
        }
        match (send.acks.first(), stored.first()) {
            (Some(ack), None) => say(
                Kind::Lost,
                format!("acknowledged as number {} at {}", ack.number, ack.seq),
            ),
            (Some(ack), Some(_)) => {
                if !stored.iter().any(|(_, row)| is_kept(book, ack, row)) {
                    say(
                        Kind::AckDisagrees,
                        format!("acknowledged as {ack:?}, stored otherwise: {stored:?}"),
                    );
                }
                if let Some(seq) = book.written_at.get(&ack.id).filter(|seq| **seq != ack.seq) {
                    let detail = format!("acknowledged at {}, delivered at {seq}", ack.seq);
                    say(Kind::AckDisagrees, detail);
                }
            }
            (None, Some((_, row))) if send.is_failed() => say(
                Kind::FailedButStored,
                format!("stored as {}, refused as {:?}", row.number, send.refused),
            ),
            _ => {}
        }
        if send.acks.is_empty() && (send.waiting || !has_outcome(send)) {
            let kind = if send.waiting {
                Kind::Unanswered
            } else {
                Kind::NoOutcome
            };
            say(
                kind,
                format!("{} attempts, {} refusals", send.attempts, send.refusals),
            );
        }
    }
}

/// Whether the store has what was acknowledged. A change gives a message a later place; one that
/// nobody changed still has its first.
fn is_kept(book: &Book, ack: &Ack, row: &Row) -> bool {
    let at_its_place = if book.touched.contains(&row.id) {
        row.seq >= ack.seq
    } else {
        row.seq == ack.seq
    };
    row.id == ack.id && row.number == ack.number && at_its_place
}

fn has_outcome(send: &Send) -> bool {
    send.refused.is_some() || send.not_taken || send.seen
}

/// Each row was written by its author, to its room, with its text; numbers and places are sound.
pub(super) fn nothing_else_is_there(book: &Book, truth: &Truth<'_>, found: &mut Found) {
    for reading in truth.rooms.values() {
        numbers_are_whole(reading, found);
        for row in &reading.rows {
            let Some(send) = book.sends.get(&row.client_id) else {
                found
                    .add(Kind::Phantom, format!("number {}", row.number))
                    .room(reading.room)
                    .row(row);
                continue;
            };
            if send.room != reading.room {
                found
                    .add(Kind::Misrouted, format!("written to {}", send.room))
                    .room(reading.room)
                    .client(send.client)
                    .row(row);
            }
            if send.author != Some(row.author) {
                let detail = format!("stored as {}'s, written by {:?}", row.author, send.author);
                found
                    .add(Kind::Impersonated, detail)
                    .room(reading.room)
                    .client(send.client)
                    .row(row);
            }
            if !was_given(book, send, row) {
                found
                    .add(Kind::Corrupt, format!("{:?}", row.text))
                    .room(reading.room)
                    .client(send.client)
                    .row(row);
            }
        }
    }
}

/// Whether somebody gave the message what it says.
pub(super) fn was_given(book: &Book, send: &Send, row: &Row) -> bool {
    row.text == Text::Body(send.body) || was_changed_to(book, row.id, row.text)
}

/// Whether somebody changed the message to this.
pub(super) fn was_changed_to(book: &Book, message: MessageId, text: Text) -> bool {
    match text {
        Text::Body(body) => {
            let edits = book.edits.get(&message);
            edits.is_some_and(|edits| edits.contains(&body))
        }
        Text::Deleted => book.deletions.contains(&message),
        Text::Unknown => false,
    }
}

fn numbers_are_whole(reading: &Reading, found: &mut Found) {
    let mut places = HashMap::new();
    for (at, row) in reading.rows.iter().enumerate() {
        let expected = Number(u64::try_from(at).unwrap_or(u64::MAX).saturating_add(1));
        if row.number != expected {
            let detail = format!("number {} where {expected} belongs", row.number);
            found
                .add(Kind::StoreGap, detail)
                .room(reading.room)
                .row(row);
            break;
        }
        if let Some(other) = places.insert(row.seq, row.number) {
            let detail = format!("{} and {other} share place {}", row.number, row.seq);
            found
                .add(Kind::StoreGap, detail)
                .room(reading.room)
                .row(row);
        }
        if row.seq > reading.head {
            let detail = format!("place {} beyond the head {}", row.seq, reading.head);
            found
                .add(Kind::StoreGap, detail)
                .room(reading.room)
                .row(row);
        }
    }
}
