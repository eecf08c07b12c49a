//! A reader that only counts: it checks that places follow each other and measures how long
//! messages took, without keeping any. Thousands of them cost little, so that a measured fan-out is
//! the server's.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;

use chat_types::decode;
use chat_types::frame;
use chat_types::id::{Epoch, RequestId, RoomId, Seq};
use chat_types::limits::{GREETING_ROOMS, SYNC_PAGE};
use chat_types::ws::{Command, ServerDoc, Subbed};
use tokio::sync::mpsc;

use crate::driver::{Handle, Order};
use crate::history::{History, Places, What};
use crate::measure::Liveness;
use crate::raw::{End, Raw, next_text, say};
use crate::server::{Socket, address_of};
use crate::tap::EPHEMERAL;
use crate::text;

/// Latencies that are collected before they are told, so that readers do not wait for each other.
const COLLECTED: usize = 64;
/// How every event begins that a server sends.
const EVENT: &str = r#"{"t":"ev","room":""#;
/// What stands between a room and a place.
const SEQ: &str = r#"","seq":"#;
/// What stands before a text.
const BODY: &str = r#""body":""#;
/// Characters of a room's id.
const ID_CHARS: usize = 36;

/// What is known of a room.
#[derive(Default)]
struct Place {
    epoch: Option<Epoch>,
    cursor: Option<Seq>,
    live: bool,
}

struct Reader {
    raw: Raw,
    history: History,
    rooms: HashMap<RoomId, Place>,
    next_id: u64,
    /// What waits for its answer on this connection: of which room, after which cursor.
    asked: HashMap<RequestId, (RoomId, Option<Seq>)>,
    latencies: Vec<u64>,
    live: Liveness,
    /// From where the connection was opened.
    from: Option<SocketAddr>,
}

/// Starts a reader of these rooms.
pub(crate) fn start(client: u32, raw: Raw, rooms: &[RoomId]) -> Handle {
    let (orders, told) = mpsc::unbounded_channel();
    raw.shared.client_began();
    let reader = Reader {
        history: History::new(client, Some(raw.account.user.id)),
        raw,
        rooms: rooms.iter().map(|room| (*room, Place::default())).collect(),
        next_id: 1,
        asked: HashMap::new(),
        latencies: Vec::new(),
        live: Liveness::default(),
        from: None,
    };
    tokio::spawn(reader.run(told));
    Handle { orders }
}

impl Reader {
    async fn run(mut self, mut told: mpsc::UnboundedReceiver<Order>) {
        loop {
            self.ask_with_hello();
            let end = match self.raw.connect_unless_told(&mut told, |_| {}).await {
                Ok(mut socket) => self.serve(&mut socket, &mut told).await,
                Err(end) => end,
            };
            match end {
                End::Lost => self.lost(),
                End::Finish(to) => {
                    self.finish();
                    if let Some(to) = to {
                        // Nobody waits for the history of a run that was given up.
                        let _ = to.send(self.history);
                    }
                    return;
                }
            }
        }
    }

    async fn serve(
        &mut self,
        socket: &mut Socket,
        told: &mut mpsc::UnboundedReceiver<Order>,
    ) -> End {
        self.from = address_of(socket);
        self.note(What::Connected);
        self.raw.shared.counters.connects.add(1);
        if self.begin(socket).await.is_err() {
            return End::Lost;
        }
        loop {
            tokio::select! {
                text = next_text(socket) => {
                    let Ok(text) = text else { return End::Lost };
                    if self.receives(&text, socket).await.is_err() {
                        return End::Lost;
                    }
                }
                order = told.recv() => match order {
                    None => return End::Finish(None),
                    Some(Order::Finish(to)) => return End::Finish(Some(to)),
                    Some(Order::IsSettled { heads, to }) => {
                        let mut rooms = self.rooms.iter();
                        let is_there = |(room, place): (&RoomId, &Place)| {
                            place.cursor >= heads.get(room).copied()
                        };
                        // Who asks may have stopped waiting.
                        let _ = to.send(self.live.is_live() && rooms.all(is_there));
                    }
                    Some(_) => {}
                },
            }
        }
    }

    fn note(&mut self, what: What) {
        let now_us = self.raw.shared.clock.now_us();
        self.history.push(now_us, what);
    }

    /// Asks for rooms with the greeting, as the client does.
    fn ask_with_hello(&mut self) {
        self.asked.clear();
        let rooms: Vec<RoomId> = self.rooms.keys().copied().take(GREETING_ROOMS).collect();
        self.raw.with_hello = rooms.into_iter().map(|room| self.sub(room)).collect();
    }

    /// Takes what came with the welcome, and asks for the other rooms.
    async fn begin(&mut self, socket: &mut Socket) -> io::Result<()> {
        let others: Vec<RoomId> = self.rooms.keys().copied().skip(GREETING_ROOMS).collect();
        for room in others {
            self.follow(room, socket).await?;
        }
        match self.raw.with_welcome.take() {
            Some(frame) => self.receives(&frame, socket).await,
            None => Ok(()),
        }
    }

    async fn follow(&mut self, room: RoomId, socket: &mut Socket) -> io::Result<()> {
        let command = self.sub(room);
        say(socket, &command).await
    }

    fn sub(&mut self, room: RoomId) -> Command {
        let place = self.rooms.entry(room).or_default();
        place.live = false;
        let since = place.cursor;
        let epoch = since.and(place.epoch.clone());
        let id = self.ask(room, since);
        self.count_live();
        Command::Sub {
            id,
            room,
            epoch,
            since,
            tail: 0,
        }
    }

    fn ask(&mut self, room: RoomId, cursor: Option<Seq>) -> RequestId {
        self.next_id += 1;
        let id = RequestId(self.next_id);
        self.asked.insert(id, (room, cursor));
        id
    }

    async fn receives(&mut self, text: &str, socket: &mut Socket) -> io::Result<()> {
        let now_us = self.raw.shared.clock.now_us();
        let mut events = 0;
        for document in frame::split(text).map_err(io::Error::other)? {
            // In a crowd each join brings everybody a list of names.
            if document.starts_with(EPHEMERAL) {
                continue;
            }
            match event(document) {
                Some((room, seq)) => {
                    events += 1;
                    self.history.live(now_us, room, seq);
                    self.measure(document, now_us);
                    self.advance(room, seq, socket).await?;
                }
                None => {
                    if let Some(document) = decode::from_text(document) {
                        self.hears(document, socket).await?;
                    }
                }
            }
        }
        self.raw.shared.counters.deliveries.add(events);
        Ok(())
    }

    fn measure(&mut self, document: &str, now_us: u64) {
        let body = document.split_once(BODY).map(|(_, body)| body);
        let body = body.and_then(|body| body.split('"').next());
        let label = body.and_then(|body| text::read(body, self.raw.shared.run));
        if let Some(label) = label {
            self.latencies.push(now_us.saturating_sub(label.due_us));
        }
        if self.latencies.len() >= COLLECTED {
            self.tell_latencies();
        }
    }

    fn tell_latencies(&mut self) {
        self.raw.shared.to_reader.record_all(&self.latencies);
        self.latencies.clear();
    }

    /// An event is applied when it is the next one; behind a gap the room is followed anew.
    async fn advance(&mut self, room: RoomId, seq: Seq, socket: &mut Socket) -> io::Result<()> {
        let Some(place) = self.rooms.get_mut(&room) else {
            return Ok(());
        };
        let Some(cursor) = place.cursor.filter(|_| place.live) else {
            return Ok(());
        };
        if seq == cursor.next() {
            place.cursor = Some(seq);
        } else if seq > cursor {
            self.follow(room, socket).await?;
        }
        Ok(())
    }

    async fn hears(&mut self, document: ServerDoc, socket: &mut Socket) -> io::Result<()> {
        match document {
            ServerDoc::Subbed(subbed) => self.subbed(*subbed),
            ServerDoc::Page(page) => {
                let Some((room, after)) = self.asked.remove(&page.id) else {
                    return Ok(());
                };
                self.note(What::Page {
                    room,
                    after: after.unwrap_or(Seq::ZERO),
                    upto: page.upto,
                    more: page.more,
                    changes: Places::of(&page.changes),
                });
                self.raw.shared.counters.pages.add(1);
                let place = self.rooms.entry(room).or_default();
                place.cursor = place.cursor.max(Some(page.upto));
                place.live = !page.more;
                self.count_live();
                if page.more {
                    self.sync(room, socket).await?;
                }
            }
            ServerDoc::Resync { room } => {
                self.raw.shared.counters.resyncs.add(1);
                self.note(What::Resync { room });
                self.sync(room, socket).await?;
            }
            ServerDoc::Unsubbed { room, .. } => {
                self.note(What::Unsubbed { room });
                self.follow(room, socket).await?;
            }
            ServerDoc::Ping { heads } => {
                say(socket, &Command::Pong {}).await?;
                for head in heads {
                    self.lost_tail(head.room, head.seq, socket).await?;
                }
            }
            ServerDoc::AuthSoon { .. } => {
                self.raw.renew().await;
                let token = self.raw.account.token.clone();
                self.next_id += 1;
                let id = RequestId(self.next_id);
                say(socket, &Command::Auth { id, token }).await?;
            }
            // It is asked again on another connection, after its back-off.
            ServerDoc::Err(error) if error.id.is_some_and(|id| self.asked.contains_key(&id)) => {
                return Err(io::Error::other(error.message));
            }
            _ => {}
        }
        Ok(())
    }

    fn subbed(&mut self, subbed: Subbed) {
        let Some((room, since)) = self.asked.remove(&subbed.id) else {
            return;
        };
        let counters = &self.raw.shared.counters;
        if subbed.recovered {
            counters.resumes.add(1);
        } else {
            counters.fresh.add(1);
        }
        let changes = u64::try_from(subbed.changes.len()).unwrap_or(0);
        counters.deliveries.add(changes);
        self.note(What::Subbed {
            room,
            since,
            epoch: subbed.epoch.clone(),
            head: subbed.head,
            recovered: subbed.recovered,
            changes: Places::of(&subbed.changes),
        });
        self.rooms.insert(
            room,
            Place {
                epoch: Some(subbed.epoch),
                cursor: Some(subbed.head),
                live: true,
            },
        );
        self.count_live();
    }

    async fn sync(&mut self, room: RoomId, socket: &mut Socket) -> io::Result<()> {
        let place = self.rooms.entry(room).or_default();
        place.live = false;
        let cursor = place.cursor;
        let command = Command::Sync {
            id: self.ask(room, cursor),
            room,
            after: cursor.unwrap_or(Seq::ZERO),
            limit: SYNC_PAGE,
        };
        self.count_live();
        say(socket, &command).await
    }

    async fn lost_tail(&mut self, room: RoomId, seq: Seq, socket: &mut Socket) -> io::Result<()> {
        let place = self.rooms.get(&room);
        let behind = place.is_some_and(|place| place.live && Some(seq) > place.cursor);
        if behind {
            self.sync(room, socket).await?;
        }
        Ok(())
    }

    fn count_live(&mut self) {
        let live = self.rooms.values().all(|place| place.live);
        self.live.turn(live, &self.raw.shared);
    }

    fn lost(&mut self) {
        self.raw.shared.lost(self.from.take());
        self.note(What::Lost { code: 1006 });
        for place in self.rooms.values_mut() {
            place.live = false;
        }
        self.count_live();
        self.raw.lost();
    }

    fn finish(&mut self) {
        self.tell_latencies();
        for (room, place) in std::mem::take(&mut self.rooms) {
            self.note(What::Final {
                room,
                live: place.live,
                cursor: place.cursor.unwrap_or(Seq::ZERO),
                more_before: true,
                rows: None,
            });
        }
    }
}

/// The room and place of an event, without reading the rest of it. `None`: something else, or
/// written otherwise.
fn event(document: &str) -> Option<(RoomId, Seq)> {
    let rest = document.strip_prefix(EVENT)?;
    let (room, rest) = rest.split_at_checked(ID_CHARS)?;
    let rest = rest.strip_prefix(SEQ)?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((room.parse().ok()?, Seq(digits.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use chat_types::event::{Change, Event};
    use chat_types::id::UserId;
    use chat_types::time::Timestamp;

    use super::*;

    #[test]
    fn an_event_is_recognised_as_servers_write_it() {
        let room = "7d9f2b52-6c1e-4d53-9f0a-3b8f3c1d2e4f".parse().unwrap();
        let event_document = ServerDoc::Ev(Event {
            room,
            seq: Seq(4711),
            at: Timestamp(1),
            change: Change::MemberLeft {
                user_id: "3f0e8a6c-2b4d-4e6f-8a0b-1c2d3e4f5a6b"
                    .parse::<UserId>()
                    .unwrap(),
            },
        });
        let text = serde_json::to_string(&event_document).unwrap();
        assert_eq!(event(&text), Some((room, Seq(4711))));
        assert_eq!(event(r#"{"t":"pong"}"#), None);
        assert_eq!(event(EVENT), None);
    }
}
