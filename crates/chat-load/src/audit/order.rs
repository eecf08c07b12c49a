//! The order of messages.

use super::book::Book;
use super::{Found, Kind, Truth};

/// Who sent after another message was acknowledged stands after it.
pub(super) fn in_real_time(book: &Book, truth: &Truth<'_>, found: &mut Found) {
    for reading in truth.rooms.values() {
        // From the last number to the first: the earliest acknowledgement among later numbers.
        let mut earliest: Option<(u64, _)> = None;
        for row in reading.rows.iter().rev() {
            let Some(send) = book.sends.get(&row.client_id) else {
                continue;
            };
            if let (Some(sent_us), Some((acked_us, later))) = (send.attempted_us, earliest)
                && acked_us < sent_us
            {
                let detail = format!(
                    "number {} was sent {} µs after number {later} was acknowledged",
                    row.number,
                    sent_us - acked_us
                );
                found
                    .add(Kind::Reordered, detail)
                    .room(reading.room)
                    .client(send.client)
                    .row(row);
            }
            if let Some(acked_us) = send.acked_us
                && earliest.is_none_or(|(earliest_us, _)| acked_us < earliest_us)
            {
                earliest = Some((acked_us, row.number));
            }
        }
    }
}

/// The messages of one client in one room stand in the order in which they were written.
pub(super) fn of_each_sender(book: &Book, truth: &Truth<'_>, found: &mut Found) {
    for (client, written) in &book.written {
        let mut last = std::collections::HashMap::new();
        for client_id in written {
            let Some((room, row)) = truth.stored(*client_id).first() else {
                continue;
            };
            if let Some(before) = last.insert(*room, row.number)
                && before > row.number
            {
                let detail = format!("number {} was written after number {before}", row.number);
                found
                    .add(Kind::SenderReordered, detail)
                    .room(*room)
                    .client(*client)
                    .row(row);
            }
        }
    }
}
