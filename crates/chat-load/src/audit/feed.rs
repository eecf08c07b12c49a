//! What a connection was given: every change once, in order, or an honest word that it was not.

use std::collections::HashMap;

use chat_types::id::{Epoch, RoomId, Seq};

use super::{Found, Kind, Truth};
use crate::history::{History, Places, What};

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
    /// What the client may say it knows, over all connections: of which history, and up to where.
    applied: HashMap<RoomId, (Epoch, Seq)>,
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
                changes,
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
                    self.resumed(*room, *since, found);
                    let after = since.unwrap_or(Seq::ZERO);
                    if truth.rooms.get(room).is_some_and(|it| it.epoch == *epoch) {
                        self.is_complete(*room, (after, *head), changes, truth, found);
                    }
                }
                self.never_back(*room, epoch, *head, found);
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
                room,
                after,
                upto,
                more,
                changes,
            } => {
                self.resumed(*room, Some(*after), found);
                self.is_complete(*room, (*after, *upto), changes, truth, found);
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

    fn resumed(&mut self, room: RoomId, since: Option<Seq>, found: &mut Found) {
        let known = self.applied.get(&room).map(|(_, known)| *known);
        match since {
            None => self.say(
                Kind::Gap,
                room,
                "called a resume, and no cursor was named".to_owned(),
                found,
            ),
            Some(since) if known.is_none_or(|known| since > known) => {
                let detail = format!("went on after {since}, and had reached {known:?}");
                self.say(Kind::Gap, room, detail, found);
            }
            Some(_) => {}
        }
    }

    /// An answer has every row whose newest change lies between the two places. One that changed
    /// again later may have been told of then.
    fn is_complete(
        &self,
        room: RoomId,
        (after, upto): (Seq, Seq),
        changes: &Places,
        truth: &Truth<'_>,
        found: &mut Found,
    ) {
        let rows = truth.between(room, after, upto).iter();
        let mut missing = rows.filter(|row| !changes.contains(row.seq));
        if let Some(first) = missing.next() {
            let detail = format!(
                "everything after {after} up to {upto}, without place {} and {} others",
                first.seq,
                missing.count()
            );
            let violation = found.add(Kind::Incomplete, detail);
            violation.room(room).client(self.history.client).row(first);
        }
    }

    /// A snapshot has everything that was delivered before, whether or not it is a resume: what is
    /// applied from an older one would be delivered again, or lost. Another history begins anew.
    fn never_back(&mut self, room: RoomId, epoch: &Epoch, head: Seq, found: &mut Found) {
        match self.applied.get(&room) {
            Some((of, known)) if of == epoch && head < *known => {
                let detail = format!("subscribed at {head}, and had reached {known}");
                self.say(Kind::WentBack, room, detail, found);
            }
            Some((of, _)) if of == epoch => {}
            _ => {
                self.applied.insert(room, (epoch.clone(), head));
            }
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
        if let Some((_, applied)) = self.applied.get_mut(&room) {
            *applied = to.max(*applied);
        }
    }

    fn say(&self, kind: Kind, room: RoomId, detail: String, found: &mut Found) {
        found
            .add(kind, detail)
            .room(room)
            .client(self.history.client);
    }
}
