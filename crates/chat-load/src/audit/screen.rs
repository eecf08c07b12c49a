//! What clients show after everything has come to rest: what a fresh reader is given.

use std::collections::{HashMap, HashSet};

use chat_types::id::{RoomId, Seq};

use super::book::Book;
use super::{Found, Kind, Reading, Truth};
use crate::history::{History, Row, What};

/// The last look at every screen.
pub(super) fn shows_a_fresh_load(
    histories: &[History],
    book: &Book,
    truth: &Truth<'_>,
    found: &mut Found,
) {
    for history in histories {
        for record in &history.records {
            match &record.what {
                What::Doubled { room, client_id } => {
                    found
                        .add(Kind::Doubled, "a row was put beside itself")
                        .room(*room)
                        .client(history.client)
                        .client_id(*client_id);
                }
                What::Final {
                    room,
                    live,
                    cursor,
                    more_before,
                    rows,
                } => {
                    let Some(reading) = truth.rooms.get(room) else {
                        continue;
                    };
                    let screen = Screen {
                        client: history.client,
                        room: *room,
                        reading,
                        book,
                    };
                    if screen.is_at_the_head(*live, *cursor, found)
                        && let Some(rows) = rows
                    {
                        screen.compare(rows, *more_before, found);
                    }
                }
                _ => {}
            }
        }
    }
}

struct Screen<'a> {
    client: u32,
    room: RoomId,
    reading: &'a Reading,
    book: &'a Book,
}

impl Screen<'_> {
    fn is_at_the_head(&self, live: bool, cursor: Seq, found: &mut Found) -> bool {
        let head = self.reading.head;
        if !live {
            let detail = format!("not up to date, at {cursor} of {head}");
            self.say(Kind::NotConverged, None, detail, found);
        } else if cursor != head {
            let kind = if cursor < head {
                Kind::Behind
            } else {
                Kind::Vanished
            };
            let detail = format!("up to date by its own account at {cursor} of {head}");
            self.say(kind, None, detail, found);
        }
        live && cursor == head
    }

    fn compare(&self, rows: &[Row], more_before: bool, found: &mut Found) {
        self.no_row_twice(rows, found);
        let shown: HashMap<_, _> = rows.iter().map(|row| (row.number, row)).collect();
        let first = rows.iter().map(|row| row.number).min();
        for stored in &self.reading.rows {
            let expected = first.is_some_and(|first| stored.number >= first) || !more_before;
            match shown.get(&stored.number) {
                None if expected => {
                    let detail = format!("number {} is not shown", stored.number);
                    self.say(Kind::Undelivered, Some(stored), detail, found);
                }
                Some(row) if *row != stored => self.differs(row, stored, found),
                _ => {}
            }
        }
        let last = self.reading.rows.last().map(|row| row.number);
        for row in rows.iter().filter(|row| Some(row.number) > last) {
            let kind = if self.book.sends.contains_key(&row.client_id) {
                Kind::Vanished
            } else {
                Kind::DeliveredPhantom
            };
            let detail = format!("number {} is shown, and not stored", row.number);
            self.say(kind, Some(row), detail, found);
        }
    }

    fn no_row_twice(&self, rows: &[Row], found: &mut Found) {
        let mut shown = HashSet::new();
        for row in rows {
            if !shown.insert((row.author, row.client_id)) {
                let detail = format!("number {} is shown twice", row.number);
                self.say(Kind::Doubled, Some(row), detail, found);
            }
        }
    }

    fn differs(&self, row: &Row, stored: &Row, found: &mut Found) {
        let kind = if row.id == stored.id && row.seq < stored.seq {
            Kind::StaleEdit
        } else {
            Kind::Divergent
        };
        let detail = format!("shows {row:?}, a fresh load {stored:?}");
        self.say(kind, Some(stored), detail, found);
    }

    fn say(&self, kind: Kind, row: Option<&Row>, detail: String, found: &mut Found) {
        let violation = found.add(kind, detail).room(self.room).client(self.client);
        if let Some(row) = row {
            violation.row(row);
        }
    }
}
