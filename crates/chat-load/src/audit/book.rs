//! Every message that was written, and what became of it by its author's account.

use std::collections::{BTreeSet, HashMap};

use chat_types::id::{ClientId, MessageId, Number, RoomId, Seq, UserId};
use chat_types::problem::ErrorCode;

use super::{Found, Kind};
use crate::history::{Act, History, Way, What};

/// A message as its author knows it.
pub(super) struct Send {
    pub(super) client: u32,
    pub(super) author: Option<UserId>,
    pub(super) room: RoomId,
    pub(super) body: u64,
    /// When the first attempt left; no server knew of it before.
    pub(super) attempted_us: Option<u64>,
    pub(super) attempts: u32,
    pub(super) refusals: u32,
    pub(super) acks: Vec<Ack>,
    /// When the first acknowledgement came.
    pub(super) acked_us: Option<u64>,
    /// Refused for good.
    pub(super) refused: Option<ErrorCode>,
    /// The feed brought it back to its author: as good as an acknowledgement, which may be lost.
    pub(super) seen: bool,
    pub(super) waiting: bool,
    pub(super) not_taken: bool,
}

/// What a server promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ack {
    pub(super) id: MessageId,
    pub(super) seq: Seq,
    pub(super) number: Number,
}

impl Send {
    /// Whether every attempt was refused: then nothing of it may be in the store.
    pub(super) fn is_failed(&self) -> bool {
        let refused = self.acks.is_empty() && self.refused.is_some();
        self.attempts == 0 || (refused && self.refusals == self.attempts)
    }
}

/// All messages, and in which order each client wrote them.
pub(super) struct Book {
    pub(super) sends: HashMap<ClientId, Send>,
    /// For each client that waits for one answer before it sends the next: its messages in order.
    pub(super) written: Vec<(u32, Vec<ClientId>)>,
    /// Every text that a message was ever given by somebody, by its id in the store.
    pub(super) edits: HashMap<MessageId, BTreeSet<u64>>,
    /// Messages that somebody tried to delete.
    pub(super) deletions: BTreeSet<MessageId>,
    /// Messages that somebody tried to change in any way: their place may be a later one.
    pub(super) touched: BTreeSet<MessageId>,
    /// At which place each message was written, by the first live event that told of it.
    pub(super) written_at: HashMap<MessageId, Seq>,
}

impl Book {
    pub(super) fn open(histories: &[History], found: &mut Found) -> Self {
        let mut book = Self {
            sends: HashMap::new(),
            written: Vec::new(),
            edits: HashMap::new(),
            deletions: BTreeSet::new(),
            touched: BTreeSet::new(),
            written_at: HashMap::new(),
        };
        for history in histories {
            book.read(history, found);
        }
        book
    }

    fn read(&mut self, history: &History, found: &mut Found) {
        let mut written = Vec::new();
        for record in &history.records {
            let at_us = record.at_us;
            match &record.what {
                What::Invoked {
                    room,
                    client_id,
                    body,
                } => {
                    written.push(*client_id);
                    self.sends.insert(
                        *client_id,
                        Send {
                            client: history.client,
                            author: history.user,
                            room: *room,
                            body: *body,
                            attempted_us: None,
                            attempts: 0,
                            refusals: 0,
                            acks: Vec::new(),
                            acked_us: None,
                            refused: None,
                            seen: false,
                            waiting: false,
                            not_taken: false,
                        },
                    );
                }
                What::ChangeAttempted { message, act, .. } => self.attempted(*message, act),
                What::Seen { way, row, .. } => {
                    if let Way::Live(seq) = way {
                        self.written_at.entry(row.id).or_insert(*seq);
                    }
                    if Some(row.author) == history.user
                        && let Some(send) = self.sends.get_mut(&row.client_id)
                    {
                        send.seen = true;
                    }
                }
                what => self.outcome(at_us, what, history.client, found),
            }
        }
        if !history.pipelined {
            self.written.push((history.client, written));
        }
    }

    fn attempted(&mut self, message: MessageId, act: &Act) {
        self.touched.insert(message);
        match act {
            Act::Edit { body } => {
                self.edits.entry(message).or_default().insert(*body);
            }
            Act::Delete => {
                self.deletions.insert(message);
            }
            Act::React { .. } => {}
        }
    }

    fn outcome(&mut self, at_us: u64, what: &What, client: u32, found: &mut Found) {
        let (What::Attempted { client_id }
        | What::Acked { client_id, .. }
        | What::Refused { client_id, .. }
        | What::NotTaken { client_id }
        | What::Waiting { client_id }) = what
        else {
            return;
        };
        let Some(send) = self.sends.get_mut(client_id) else {
            found
                .add(Kind::Phantom, "answered, and never written")
                .client(client)
                .client_id(*client_id);
            return;
        };
        match what {
            What::Attempted { .. } => {
                send.attempts += 1;
                send.attempted_us = send.attempted_us.or(Some(at_us));
            }
            What::Acked {
                id, seq, number, ..
            } => {
                send.acks.push(Ack {
                    id: *id,
                    seq: *seq,
                    number: *number,
                });
                send.acked_us = send.acked_us.or(Some(at_us));
            }
            What::Refused { code, retry, .. } => {
                send.refusals += 1;
                if !retry {
                    send.refused = Some(*code);
                }
            }
            What::NotTaken { .. } => send.not_taken = true,
            What::Waiting { .. } => send.waiting = true,
            _ => {}
        }
    }
}
