//! What readers were given, message by message: what was written, by whom it was written, not
//! before it was written, and the same for everybody.

use std::collections::HashMap;

use chat_types::id::{MessageId, RoomId, Seq};

use super::book::Book;
use super::store::{was_changed_to, was_given};
use super::{Found, Kind, Truth};
use crate::history::{History, Row, Text, Way, What};

/// Who was the first to be given something, and what.
type First = HashMap<(RoomId, Seq), (u32, MessageId, Text)>;

/// Every message and every change that came to anybody.
pub(super) fn what_readers_were_given(
    histories: &[History],
    book: &Book,
    truth: &Truth<'_>,
    found: &mut Found,
) {
    let mut first = First::new();
    for history in histories {
        for record in &history.records {
            match &record.what {
                What::Seen { room, way, row } => {
                    let seen = Seen {
                        at_us: record.at_us,
                        client: history.client,
                        room: *room,
                        way: *way,
                        row,
                    };
                    seen.judge(book, truth, found);
                    let fact = (row.seq, row.id, row.text);
                    agree(&mut first, history.client, *room, fact, found);
                }
                What::SeenChange {
                    room,
                    seq,
                    message,
                    text,
                } => {
                    let fact = (*seq, *message, *text);
                    if !was_changed_to(book, *message, *text) {
                        found
                            .add(Kind::DeliveredCorrupt, format!("{text:?} at {seq}"))
                            .room(*room)
                            .client(history.client)
                            .message(*message);
                    }
                    agree(&mut first, history.client, *room, fact, found);
                    newest_in_the_store(history.client, *room, fact, truth, found);
                }
                _ => {}
            }
        }
    }
}

struct Seen<'a> {
    at_us: u64,
    client: u32,
    room: RoomId,
    way: Way,
    row: &'a Row,
}

impl Seen<'_> {
    fn judge(&self, book: &Book, truth: &Truth<'_>, found: &mut Found) {
        let row = self.row;
        let Some(send) = book.sends.get(&row.client_id) else {
            return self.say(Kind::DeliveredPhantom, format!("{row:?}"), found);
        };
        if send.room != self.room || send.author != Some(row.author) {
            let detail = format!("{row:?}, written by {:?} to {}", send.author, send.room);
            self.say(Kind::DeliveredPhantom, detail, found);
        }
        if send.attempted_us.is_none_or(|sent_us| self.at_us < sent_us) {
            let detail = format!("at {} µs, sent at {:?}", self.at_us, send.attempted_us);
            self.say(Kind::DeliveredBeforeSend, detail, found);
        }
        if !was_given(book, send, row) {
            self.say(Kind::DeliveredCorrupt, format!("{:?}", row.text), found);
        }
        self.is_at_its_place(book, found);
        match truth.by_id.get(&row.id) {
            None => {
                let detail = format!("number {} at {}", row.number, row.seq);
                self.say(Kind::Vanished, detail, found);
            }
            Some((room, stored)) => {
                if *room != self.room || stored.number != row.number {
                    let detail = format!("given as {}, stored as {}", row.number, stored.number);
                    self.say(Kind::Divergent, detail, found);
                }
                newest_in_the_store(
                    self.client,
                    self.room,
                    (row.seq, row.id, row.text),
                    truth,
                    found,
                );
            }
        }
    }

    /// What carries a message names its place, and a message is written at one place only.
    fn is_at_its_place(&self, book: &Book, found: &mut Found) {
        let row = self.row;
        if let Some(seq) = self.way.seq().filter(|seq| *seq != row.seq) {
            let detail = format!("given at {seq}, and says of itself {}", row.seq);
            self.say(Kind::Misplaced, detail, found);
        }
        if let Way::Live(seq) = self.way
            && let Some(first) = book.written_at.get(&row.id).filter(|first| **first != seq)
        {
            let detail = format!("told of as new at {first} and at {seq}");
            self.say(Kind::Misplaced, detail, found);
        }
    }

    fn say(&self, kind: Kind, detail: String, found: &mut Found) {
        found
            .add(kind, detail)
            .room(self.room)
            .client(self.client)
            .row(self.row);
    }
}

/// At one place of one feed is one change.
fn agree(
    first: &mut First,
    client: u32,
    room: RoomId,
    (seq, message, text): (Seq, MessageId, Text),
    found: &mut Found,
) {
    let (who, other, said) = *first.entry((room, seq)).or_insert((client, message, text));
    if other != message || said != text {
        let detail = format!("{text:?} at {seq}, client {who} was given {said:?} of {other}");
        found
            .add(Kind::Divergent, detail)
            .room(room)
            .client(client)
            .message(message);
    }
}

/// The store has what somebody was given, or something newer.
fn newest_in_the_store(
    client: u32,
    room: RoomId,
    (seq, message, text): (Seq, MessageId, Text),
    truth: &Truth<'_>,
    found: &mut Found,
) {
    let Some((_, stored)) = truth.by_id.get(&message) else {
        return;
    };
    let kind = match stored.seq {
        newest if newest < seq => Kind::StaleEdit,
        newest if newest == seq && stored.text != text => Kind::Divergent,
        _ => return,
    };
    let detail = format!(
        "given {text:?} at {seq}, the store has {:?} at {}",
        stored.text, stored.seq
    );
    found
        .add(kind, detail)
        .room(room)
        .client(client)
        .row(stored);
}
