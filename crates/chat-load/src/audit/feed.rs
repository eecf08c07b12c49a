//! What a connection was given: every change once, in order, or an honest word that it was not.

use std::collections::HashMap;

use chat_types::id::{RoomId, Seq};

use super::{Found, Kind, Truth};
use crate::history::{History, What};

/// A connection's place in a room's feed.
#[derive(Clone, Copy)]
struct Place {
    last: Seq,
    /// Since `resync` and until the last page no live event comes.
    paused: bool,
}

struct Reader<'a> {
    history: &'a History,
    places: HashMap<RoomId, Place>,
    /// What the client may say it knows, over all connections.
    applied: HashMap<RoomId, Seq>,
}

/// The feed of every connection of every client.
pub(super) fn without_gap_or_repeat(histories: &[History], truth: &Truth<'_>, found: &mut Found) {
    for history in histories {
        let mut reader = Reader {
            history,
            places: HashMap::new(),
            applied: HashMap::new(),
        };
        for record in &history.records {
            reader.read(&record.what, truth, found);
        }
    }
}

impl Reader<'_> {
    fn read(&mut self, what: &What, truth: &Truth<'_>, found: &mut Found) {
        match what {
            What::Connected | What::Lost { .. } => self.places.clear(),
            What::Subbed {
                room,
                since,
                epoch,
                head,
                recovered,
            } => {
                if let Some(reading) = truth.rooms.get(room)
                    && reading.epoch != *epoch
                {
                    self.say(
                        Kind::EpochChanged,
                        *room,
                        format!("to {:?}", epoch.0),
                        found,
                    );
                }
                if *recovered {
                    self.resumed(*room, *since, *head, found);
                }
                self.advance(*room, *head);
                let place = Place {
                    last: *head,
                    paused: false,
                };
                self.places.insert(*room, place);
            }
            What::Live { room, first, last } => self.live(*room, *first, *last, found),
            What::Resync { room } => {
                if let Some(place) = self.places.get_mut(room) {
                    place.paused = true;
                }
            }
            What::Page {
                room, upto, more, ..
            } => {
                self.advance(*room, *upto);
                if let Some(place) = self.places.get_mut(room)
                    && place.paused
                    && !more
                {
                    place.paused = false;
                    place.last = *upto;
                }
            }
            What::Unsubbed { room } => {
                self.places.remove(room);
            }
            _ => {}
        }
    }

    fn resumed(&mut self, room: RoomId, since: Option<Seq>, head: Seq, found: &mut Found) {
        let known = self.applied.get(&room).copied();
        match since {
            None => self.say(
                Kind::Gap,
                room,
                "called a resume, and no cursor was named".to_owned(),
                found,
            ),
            Some(since) if known.is_none_or(|known| since > known) => {
                let detail = format!("resumed after {since}, and had reached {known:?}");
                self.say(Kind::Gap, room, detail, found);
            }
            Some(since) if head < since => {
                let detail = format!("resumed after {since}, and the head is {head}");
                self.say(Kind::Gap, room, detail, found);
            }
            Some(_) => {}
        }
    }

    fn live(&mut self, room: RoomId, first: Seq, last: Seq, found: &mut Found) {
        let Some(place) = self.places.get(&room).copied() else {
            let detail = format!("{first} to {last}");
            return self.say(Kind::Unsubscribed, room, detail, found);
        };
        let next = place.last.next();
        if place.paused {
            let detail = format!("{first} came between `resync` and the last page");
            self.say(Kind::Gap, room, detail, found);
        } else if first > next {
            let detail = format!("{first} came after {}", place.last);
            self.say(Kind::Gap, room, detail, found);
        } else if first < next {
            let detail = format!("{first} came again after {}", place.last);
            self.say(Kind::DeliveredTwice, room, detail, found);
        }
        self.advance(room, last);
        if let Some(place) = self.places.get_mut(&room) {
            place.last = place.last.max(last);
        }
    }

    fn advance(&mut self, room: RoomId, to: Seq) {
        let applied = self.applied.entry(room).or_insert(to);
        *applied = to.max(*applied);
    }

    fn say(&self, kind: Kind, room: RoomId, detail: String, found: &mut Found) {
        found
            .add(kind, detail)
            .room(room)
            .client(self.history.client);
    }
}
