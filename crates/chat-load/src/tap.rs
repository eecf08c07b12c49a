//! A witness on the wire: reads what a client sends and is sent, and writes its history. It trusts
//! neither the client's state machine nor the server.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use chat_types::decode;
use chat_types::event::{Change, Message};
use chat_types::frame;
use chat_types::id::{ClientId, MessageId, RequestId, RoomId, Seq};
use chat_types::problem::ErrorCode;
use chat_types::ws::{self, Command, ServerDoc};

use crate::driver::BROKEN;
use crate::faults::HELD_UP_US;
use crate::history::{Act, History, Places, Row, Text, Way, What, digest};
use crate::measure::Shared;
use crate::text;

/// How news begins that may be lost.
pub(crate) const EPHEMERAL: &str = r#"{"t":"eph","#;
/// Own messages that may still be changed, the newest ones.
const CHANGEABLE: usize = 32;

/// What waits for its answer on this connection.
enum Asked {
    Send { client_id: ClientId, at_us: u64 },
    Change { message: MessageId, act: Act },
    Sub { room: RoomId, since: Option<Seq> },
    Sync { room: RoomId, after: Seq },
    Unsub { room: RoomId },
}

/// The witness of one client.
pub(crate) struct Tap {
    pub(crate) history: History,
    shared: Arc<Shared>,
    /// From where the connection was opened.
    from: Option<SocketAddr>,
    asked: HashMap<RequestId, Asked>,
    /// When each message that is not acknowledged yet was due.
    due_us: HashMap<ClientId, u64>,
    rooms: HashMap<ClientId, RoomId>,
    /// When a connection broke under messages that waited, until one of them is acknowledged.
    broken_us: Option<u64>,
    /// Own messages that were acknowledged.
    pub(crate) own: Vec<(RoomId, MessageId)>,
}

impl Tap {
    pub(crate) fn new(history: History, shared: Arc<Shared>) -> Self {
        Self {
            history,
            shared,
            from: None,
            asked: HashMap::new(),
            due_us: HashMap::new(),
            rooms: HashMap::new(),
            broken_us: None,
            own: Vec::new(),
        }
    }

    fn note(&mut self, what: What) {
        let now_us = self.shared.clock.now_us();
        self.history.push(now_us, what);
    }

    /// The user wrote a message that was due then.
    pub(crate) fn invoked(&mut self, room: RoomId, client_id: ClientId, body: &str, due_us: u64) {
        self.due_us.insert(client_id, due_us);
        self.rooms.insert(client_id, room);
        self.shared.counters.sent.add(1);
        let body = digest(body);
        self.note(What::Invoked {
            room,
            client_id,
            body,
        });
    }

    /// The client did not take it.
    pub(crate) fn not_taken(&mut self, client_id: ClientId) {
        self.due_us.remove(&client_id);
        self.shared.counters.refused.add(1);
        self.note(What::NotTaken { client_id });
    }

    /// The messages without an answer.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = ClientId> {
        self.due_us.keys().copied()
    }

    /// Writes down what has no answer at the end.
    pub(crate) fn end(&mut self) {
        let waiting: Vec<_> = self.waiting().collect();
        for client_id in waiting {
            self.note(What::Waiting { client_id });
        }
    }

    pub(crate) fn connected(&mut self, from: Option<SocketAddr>) {
        self.from = from;
        self.asked.clear();
        self.shared.counters.connects.add(1);
        self.note(What::Connected);
    }

    pub(crate) fn lost(&mut self, code: u16) {
        self.asked.clear();
        self.shared.lost(self.from.take());
        let now_us = self.shared.clock.now_us();
        if code == BROKEN && !self.due_us.is_empty() {
            self.broken_us = self.broken_us.or(Some(now_us));
        }
        self.note(What::Lost { code });
    }

    /// A frame leaves.
    pub(crate) fn sends(&mut self, frame: &str) {
        for document in frame.split('\n') {
            if let Ok(command) = serde_json::from_str(document) {
                self.asks(command);
            }
        }
    }

    fn asks(&mut self, command: Command) {
        let (id, asked) = match command {
            Command::Send { id, client_id, .. } => {
                self.note(What::Attempted { client_id });
                let at_us = self.shared.clock.now_us();
                (id, Asked::Send { client_id, at_us })
            }
            Command::Sub {
                id, room, since, ..
            } => (id, Asked::Sub { room, since }),
            Command::Sync {
                id, room, after, ..
            } => (id, Asked::Sync { room, after }),
            Command::Unsub { id, room } => (id, Asked::Unsub { room }),
            Command::Edit {
                id,
                room,
                message_id,
                body,
            } => {
                let body = digest(&body);
                (id, self.changes(room, message_id, Act::Edit { body }))
            }
            Command::Delete {
                id,
                room,
                message_id,
            } => (id, self.changes(room, message_id, Act::Delete)),
            Command::React {
                id,
                room,
                message_id,
                emoji,
                on,
            } => (id, self.changes(room, message_id, Act::React { emoji, on })),
            _ => return,
        };
        self.asked.insert(id, asked);
    }

    fn changes(&mut self, room: RoomId, message: MessageId, act: Act) -> Asked {
        self.note(What::ChangeAttempted {
            room,
            message,
            act: act.clone(),
        });
        Asked::Change { message, act }
    }

    /// A frame came.
    pub(crate) fn receives(&mut self, text: &str) {
        let Ok(documents) = frame::split(text) else {
            return;
        };
        for document in documents {
            // News that may be lost proves nothing, and there is much of it.
            if document.starts_with(EPHEMERAL) {
                continue;
            }
            if let Some(document) = decode::from_text(document) {
                self.hears(document);
            }
        }
    }

    fn hears(&mut self, document: ServerDoc) {
        match document {
            ServerDoc::Ok(ok) => self.succeeded(&ok),
            ServerDoc::Err(error) => self.failed(&error),
            ServerDoc::Subbed(subbed) => self.subbed(*subbed),
            ServerDoc::Page(page) => self.page(page),
            ServerDoc::Ev(event) => {
                self.shared.counters.deliveries.add(1);
                let now_us = self.shared.clock.now_us();
                self.history.live(now_us, event.room, event.seq);
                if let Change::Message { message } = &event.change {
                    self.measure(message, now_us);
                }
                self.saw(event.room, Way::Live(event.seq), event.seq, event.change);
            }
            ServerDoc::Resync { room } => {
                self.shared.counters.resyncs.add(1);
                self.note(What::Resync { room });
            }
            ServerDoc::Unsubbed { room, .. } => self.note(What::Unsubbed { room }),
            _ => {}
        }
    }

    fn measure(&self, message: &Message, now_us: u64) {
        if let chat_types::event::Content::Text { body } = &message.content
            && let Some(label) = text::read(body, self.shared.run)
        {
            let taken_us = now_us.saturating_sub(label.due_us);
            self.shared.to_reader.record(taken_us);
        }
    }

    fn succeeded(&mut self, ok: &ws::Ok) {
        match self.asked.remove(&ok.id) {
            Some(Asked::Send { client_id, at_us }) => {
                let Some(sent) = &ok.sent else { return };
                self.note(What::Acked {
                    client_id,
                    id: sent.id,
                    seq: sent.seq,
                    number: sent.number,
                });
                let now_us = self.shared.clock.now_us();
                if now_us.saturating_sub(at_us) >= HELD_UP_US {
                    self.shared.log.felt(now_us);
                }
                self.accepted(client_id, sent.id, now_us);
            }
            Some(Asked::Change { message, act }) => {
                if let Some(seq) = ok.seq {
                    self.note(What::ChangeAcked { message, act, seq });
                }
            }
            Some(Asked::Unsub { room }) => self.note(What::Unsubbed { room }),
            _ => {}
        }
    }

    /// The author knows that the message is in the room: by an acknowledgement, or because the feed
    /// brought it where the acknowledgement was lost.
    fn accepted(&mut self, client_id: ClientId, id: MessageId, now_us: u64) {
        let Some(due_us) = self.due_us.remove(&client_id) else {
            return;
        };
        self.shared.counters.acked.add(1);
        self.shared.to_ack.record(now_us.saturating_sub(due_us));
        if let Some(broken_us) = self.broken_us.take_if(|broken_us| due_us <= *broken_us) {
            let taken_us = now_us.saturating_sub(broken_us);
            self.shared.crash_to_ack.record(taken_us);
        }
        if let Some(room) = self.rooms.remove(&client_id) {
            if self.own.len() >= CHANGEABLE {
                self.own.remove(0);
            }
            self.own.push((room, id));
        }
    }

    fn failed(&mut self, error: &ws::Err) {
        let Some(id) = error.id else { return };
        match self.asked.remove(&id) {
            Some(Asked::Send { client_id, .. }) => {
                let counters = &self.shared.counters;
                if error.retry {
                    counters.retried.add(1);
                    if error.code == ErrorCode::Unavailable {
                        self.shared.log.felt(self.shared.clock.now_us());
                    }
                } else {
                    self.due_us.remove(&client_id);
                    counters.refused.add(1);
                }
                self.note(What::Refused {
                    client_id,
                    code: error.code,
                    retry: error.retry,
                });
            }
            Some(Asked::Change { message, act }) => self.note(What::ChangeRefused {
                message,
                act,
                code: error.code,
            }),
            _ => {}
        }
    }

    fn subbed(&mut self, subbed: ws::Subbed) {
        let Some(Asked::Sub { room, since }) = self.asked.remove(&subbed.id) else {
            return;
        };
        let counters = &self.shared.counters;
        if subbed.recovered {
            counters.resumes.add(1);
        } else {
            counters.fresh.add(1);
        }
        self.note(What::Subbed {
            room,
            since,
            epoch: subbed.epoch,
            head: subbed.head,
            recovered: subbed.recovered,
            changes: Places::of(&subbed.changes),
        });
        for change in subbed.changes {
            self.saw(room, Way::Missed(change.seq), change.seq, change.change);
        }
        for message in &subbed.messages {
            self.saw_message(room, Way::Loaded, message);
        }
    }

    fn page(&mut self, page: ws::Page) {
        let Some(Asked::Sync { room, after }) = self.asked.remove(&page.id) else {
            return;
        };
        self.shared.counters.pages.add(1);
        self.note(What::Page {
            room,
            after,
            upto: page.upto,
            more: page.more,
            changes: Places::of(&page.changes),
        });
        for change in page.changes {
            self.saw(room, Way::Missed(change.seq), change.seq, change.change);
        }
    }

    fn saw(&mut self, room: RoomId, way: Way, seq: Seq, change: Change) {
        match change {
            Change::Message { message } => self.saw_message(room, way, &message),
            Change::Edited {
                message_id, body, ..
            } => self.note(What::SeenChange {
                room,
                seq,
                message: message_id,
                text: Text::Body(digest(&body)),
            }),
            Change::Deleted { message_id, .. } => self.note(What::SeenChange {
                room,
                seq,
                message: message_id,
                text: Text::Deleted,
            }),
            _ => {}
        }
    }

    fn saw_message(&mut self, room: RoomId, way: Way, message: &Message) {
        let row = Row::of(message);
        let now_us = self.shared.clock.now_us();
        if Some(row.author) == self.history.user {
            self.accepted(row.client_id, row.id, now_us);
        }
        self.history.push(now_us, What::Seen { room, way, row });
    }
}
