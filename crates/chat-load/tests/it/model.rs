//! A small world that keeps every promise, and writes the histories of those who live in it.

use chat_load::audit::Reading;
use chat_load::history::{Act, History, Places, Row, Text, Way, What};
use chat_types::id::{ClientId, Epoch, MessageId, Number, RoomId, Seq, UserId};
use chat_types::problem::ErrorCode;
use uuid::Uuid;

/// What happens next. Numbers beyond what there is wrap around.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Send {
        client: usize,
        room: usize,
        fate: Fate,
    },
    Change {
        client: usize,
        room: usize,
        message: usize,
        kind: Kind,
        fate: Fate,
    },
    /// Some of the events that wait reach a client.
    Deliver {
        client: usize,
        room: usize,
        events: usize,
    },
    Reconnect {
        client: usize,
        recovered: bool,
    },
    FallBehind {
        client: usize,
        room: usize,
    },
}

/// What somebody does to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Edit,
    Delete,
    React(bool),
}

/// How a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Answered,
    /// Carried out, but the connection was lost before its answer came; asked again.
    AnswerLost,
    /// Lost on its way; asked again.
    RequestLost,
    RefusedForNow,
    RefusedForGood,
}

/// What there is to judge.
#[derive(Clone)]
pub(crate) struct Evidence {
    pub(crate) histories: Vec<History>,
    pub(crate) readings: Vec<Reading>,
}

#[derive(Clone)]
enum Entry {
    Message(Row),
    Text(MessageId, Text),
    Other,
}

struct Room {
    id: RoomId,
    rows: Vec<Row>,
    feed: Vec<Entry>,
}

impl Room {
    fn head(&self) -> Seq {
        Seq(self.feed.len() as u64)
    }

    fn next(&self) -> Seq {
        self.head().next()
    }
}

struct Person {
    user: UserId,
    history: History,
    cursors: Vec<Seq>,
}

pub(crate) struct World {
    now_us: u64,
    next_id: u128,
    rooms: Vec<Room>,
    people: Vec<Person>,
}

/// Rows of a page of what was missed.
const PAGE: usize = 2;

fn epoch() -> Epoch {
    Epoch("first".to_owned())
}

impl World {
    pub(crate) fn new(people: usize, rooms: usize) -> Self {
        let room = |n: usize| Room {
            id: RoomId::from_uuid(Uuid::from_u128(1_000 + n as u128)),
            rows: Vec::new(),
            feed: Vec::new(),
        };
        let person = |n: usize| {
            let user = UserId::from_uuid(Uuid::from_u128(2_000 + n as u128));
            Person {
                user,
                history: History::new(u32::try_from(n).unwrap(), Some(user)),
                cursors: vec![Seq::ZERO; rooms],
            }
        };
        let mut world = Self {
            now_us: 0,
            next_id: 10_000,
            rooms: (0..rooms).map(room).collect(),
            people: (0..people).map(person).collect(),
        };
        for client in 0..people {
            world.note(client, What::Connected);
            for room in 0..rooms {
                world.subscribe(client, room, None, false);
            }
        }
        world
    }

    fn note(&mut self, client: usize, what: What) {
        self.now_us += 10;
        self.people[client].history.push(self.now_us, what);
    }

    fn id(&mut self) -> Uuid {
        self.next_id += 1;
        Uuid::from_u128(self.next_id)
    }

    pub(crate) fn step(&mut self, step: &Step) {
        let (people, rooms) = (self.people.len(), self.rooms.len());
        match *step {
            Step::Send { client, room, fate } => {
                self.send(client % people, room % rooms, fate);
            }
            Step::Change {
                client,
                room,
                message,
                kind,
                fate,
            } => {
                let (client, room) = (client % people, room % rooms);
                let len = self.rooms[room].rows.len();
                if let Some(at) = message.checked_rem(len) {
                    self.change(client, room, at, kind, fate);
                }
            }
            Step::Deliver {
                client,
                room,
                events,
            } => self.deliver(client % people, room % rooms, events),
            Step::Reconnect { client, recovered } => self.reconnect(client % people, recovered),
            Step::FallBehind { client, room } => self.fall_behind(client % people, room % rooms),
        }
    }

    pub(crate) fn send(&mut self, client: usize, room: usize, fate: Fate) {
        let client_id = ClientId::from_uuid(self.id());
        let body = u64::try_from(self.next_id).unwrap();
        let to = self.rooms[room].id;
        let invoked = What::Invoked {
            room: to,
            client_id,
            body,
        };
        self.note(client, invoked);
        self.note(client, What::Attempted { client_id });
        let refused = |retry| What::Refused {
            client_id,
            code: ErrorCode::Unavailable,
            retry,
        };
        let mut stored = None;
        match fate {
            Fate::Answered => {}
            Fate::AnswerLost => {
                stored = Some(self.store(client, room, client_id, body));
                self.reconnect(client, true);
                self.note(client, What::Attempted { client_id });
            }
            Fate::RequestLost => {
                self.reconnect(client, true);
                self.note(client, What::Attempted { client_id });
            }
            Fate::RefusedForNow => {
                self.note(client, refused(true));
                self.note(client, What::Attempted { client_id });
            }
            Fate::RefusedForGood => return self.note(client, refused(false)),
        }
        let row = stored.unwrap_or_else(|| self.store(client, room, client_id, body));
        self.note(
            client,
            What::Acked {
                client_id,
                id: row.id,
                seq: row.seq,
                number: row.number,
            },
        );
    }

    fn store(&mut self, client: usize, room: usize, client_id: ClientId, body: u64) -> Row {
        let id = MessageId::from_uuid(self.id());
        let author = self.people[client].user;
        let room = &mut self.rooms[room];
        let row = Row {
            number: Number(room.rows.len() as u64 + 1),
            seq: room.next(),
            id,
            author,
            client_id,
            text: Text::Body(body),
            reactions: Vec::new(),
        };
        room.rows.push(row.clone());
        room.feed.push(Entry::Message(row.clone()));
        row
    }

    pub(crate) fn change(&mut self, client: usize, room: usize, at: usize, kind: Kind, fate: Fate) {
        let row = self.rooms[room].rows[at].clone();
        let is_own = row.author == self.people[client].user;
        if row.text == Text::Deleted || (!is_own && !matches!(kind, Kind::React(_))) {
            return;
        }
        let act = match kind {
            Kind::Edit => {
                self.id();
                let body = u64::try_from(self.next_id).unwrap();
                Act::Edit { body }
            }
            Kind::Delete => Act::Delete,
            Kind::React(on) => Act::React {
                emoji: format!("by {client}"),
                on,
            },
        };
        let (message, to) = (row.id, self.rooms[room].id);
        let attempted = What::ChangeAttempted {
            room: to,
            message,
            act: act.clone(),
        };
        self.note(client, attempted.clone());
        let mut seq = None;
        match fate {
            Fate::Answered => {}
            Fate::AnswerLost => {
                seq = Some(self.carry_out(room, at, &act));
                self.reconnect(client, true);
                self.note(client, attempted);
            }
            Fate::RequestLost => {
                self.reconnect(client, true);
                self.note(client, attempted);
            }
            Fate::RefusedForNow | Fate::RefusedForGood => {
                let code = ErrorCode::Unavailable;
                return self.note(client, What::ChangeRefused { message, act, code });
            }
        }
        let seq = seq.unwrap_or_else(|| self.carry_out(room, at, &act));
        self.note(client, What::ChangeAcked { message, act, seq });
    }

    fn carry_out(&mut self, room: usize, at: usize, act: &Act) -> Seq {
        let room = &mut self.rooms[room];
        let seq = room.next();
        let row = &mut room.rows[at];
        row.seq = seq;
        let entry = match act {
            Act::Edit { body } => {
                row.text = Text::Body(*body);
                Entry::Text(row.id, row.text)
            }
            Act::Delete => {
                row.text = Text::Deleted;
                row.reactions.clear();
                Entry::Text(row.id, row.text)
            }
            Act::React { emoji, on } => {
                row.reactions.retain(|(other, _)| other != emoji);
                if *on {
                    row.reactions.push((emoji.clone(), 1));
                    row.reactions.sort();
                }
                Entry::Other
            }
        };
        room.feed.push(entry);
        seq
    }

    pub(crate) fn deliver(&mut self, client: usize, room: usize, events: usize) {
        for _ in 0..events {
            let cursor = self.people[client].cursors[room];
            let at = usize::try_from(cursor.0).unwrap();
            let Some(entry) = self.rooms[room].feed.get(at).cloned() else {
                return;
            };
            let (id, seq) = (self.rooms[room].id, cursor.next());
            self.people[client].cursors[room] = seq;
            self.now_us += 10;
            self.people[client].history.live(self.now_us, id, seq);
            match entry {
                Entry::Message(row) => {
                    let way = Way::Live(seq);
                    self.note(client, What::Seen { room: id, way, row });
                }
                Entry::Text(message, text) => self.note(
                    client,
                    What::SeenChange {
                        room: id,
                        seq,
                        message,
                        text,
                    },
                ),
                Entry::Other => {}
            }
        }
    }

    pub(crate) fn reconnect(&mut self, client: usize, recovered: bool) {
        self.note(client, What::Lost { code: 1006 });
        self.note(client, What::Connected);
        for room in 0..self.rooms.len() {
            let since = self.people[client].cursors[room];
            self.subscribe(client, room, Some(since), recovered);
        }
    }

    fn subscribe(&mut self, client: usize, room: usize, since: Option<Seq>, recovered: bool) {
        let head = self.rooms[room].head();
        let id = self.rooms[room].id;
        let resumed = since.filter(|_| recovered);
        let changes = resumed.map(|since| self.changed(room, since));
        let changes = changes.iter().flatten().map(|row| row.seq).collect();
        let subbed = What::Subbed {
            room: id,
            since,
            epoch: epoch(),
            head,
            recovered,
            changes,
        };
        self.note(client, subbed);
        self.people[client].cursors[room] = head;
        let rows = self.changed(room, resumed.unwrap_or(Seq::ZERO));
        for row in rows {
            let way = resumed.map_or(Way::Loaded, |_| Way::Missed(row.seq));
            self.note(client, What::Seen { room: id, way, row });
        }
    }

    /// Every row that changed after a place, by the place of its newest change.
    fn changed(&self, room: usize, after: Seq) -> Vec<Row> {
        let rows = self.rooms[room].rows.iter().filter(|row| row.seq > after);
        let mut rows: Vec<_> = rows.cloned().collect();
        rows.sort_by_key(|row| row.seq);
        rows
    }

    fn fall_behind(&mut self, client: usize, room: usize) {
        let id = self.rooms[room].id;
        self.note(client, What::Resync { room: id });
        let mut more = true;
        while more {
            let after = self.people[client].cursors[room];
            let mut rows = self.changed(room, after);
            more = rows.len() > PAGE;
            rows.truncate(PAGE);
            let upto = match rows.last() {
                Some(last) if more => last.seq,
                _ => self.rooms[room].head(),
            };
            let page = What::Page {
                room: id,
                after,
                upto,
                more,
                changes: rows.iter().map(|row| row.seq).collect::<Places>(),
            };
            self.note(client, page);
            self.people[client].cursors[room] = upto;
            for row in rows {
                let way = Way::Missed(row.seq);
                self.note(client, What::Seen { room: id, way, row });
            }
        }
    }

    /// Everything comes to rest, and is looked at.
    pub(crate) fn end(mut self) -> Evidence {
        for client in 0..self.people.len() {
            for room in 0..self.rooms.len() {
                self.deliver(client, room, usize::MAX);
                let last = What::Final {
                    room: self.rooms[room].id,
                    live: true,
                    cursor: self.people[client].cursors[room],
                    more_before: false,
                    rows: Some(self.rooms[room].rows.clone()),
                };
                self.note(client, last);
            }
        }
        let whole = self.rooms.iter().map(|room| Reading {
            source: "one over HTTP".to_owned(),
            room: room.id,
            epoch: epoch(),
            head: room.head(),
            rows: room.rows.clone(),
            whole: true,
        });
        let newest = self.rooms.iter().map(|room| Reading {
            source: "one over a fresh socket".to_owned(),
            room: room.id,
            epoch: epoch(),
            head: room.head(),
            rows: room.rows[room.rows.len().saturating_sub(3)..].to_vec(),
            whole: false,
        });
        Evidence {
            readings: whole.chain(newest).collect(),
            histories: self
                .people
                .into_iter()
                .map(|person| person.history)
                .collect(),
        }
    }
}
