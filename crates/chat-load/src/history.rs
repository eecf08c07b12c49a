//! What one client did and saw, as an append-only list. [`crate::audit`] holds these lists against
//! each other and against the store.

use std::io::{self, Write};

use chat_types::event::{self, Change, Content, Message, SeqChange};
use chat_types::id::{ClientId, Epoch, MessageId, Number, RoomId, Seq, UserId};
use chat_types::problem::ErrorCode;
use serde::{Deserialize, Serialize};

/// How many rooms' live events may alternate and still become one record for each.
const ROOMS_AT_ONCE: usize = 16;

/// What one client did and saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Which client of the run.
    pub client: u32,
    /// Who it is; `None`: a visitor.
    pub user: Option<UserId>,
    /// Whether it has several messages of a room under way at once, so that those that are refused
    /// for now may be overtaken.
    pub pipelined: bool,
    /// What happened, oldest first.
    pub records: Vec<Record>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When, in microseconds since the run began; comparable between the clients of a run.
    pub at_us: u64,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened to a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// A socket was opened. What follows of live events is of this one.
    Connected,
    /// The socket was lost or given up.
    Lost {
        /// The close code.
        code: u16,
    },

    /// The user wrote a message.
    Invoked {
        /// To which room.
        room: RoomId,
        /// Its id over every attempt.
        client_id: ClientId,
        /// Its text's [`digest`].
        body: u64,
    },
    /// A `send` left for a server.
    Attempted {
        /// Of which message.
        client_id: ClientId,
    },
    /// A server acknowledged it.
    Acked {
        /// Which message.
        client_id: ClientId,
        /// The id that it was given.
        id: MessageId,
        /// Its place in the feed.
        seq: Seq,
        /// Its number.
        number: Number,
    },
    /// A server refused the attempt.
    Refused {
        /// Which message.
        client_id: ClientId,
        /// Why.
        code: ErrorCode,
        /// Whether another attempt may succeed.
        retry: bool,
    },
    /// The client did not even take it: too many wait already.
    NotTaken {
        /// Which message.
        client_id: ClientId,
    },

    /// An edit, a deletion or a reaction left for a server.
    ChangeAttempted {
        /// In which room.
        room: RoomId,
        /// Of which message.
        message: MessageId,
        /// What.
        act: Act,
    },
    /// A server acknowledged it.
    ChangeAcked {
        /// Of which message.
        message: MessageId,
        /// What.
        act: Act,
        /// Its place in the feed.
        seq: Seq,
    },
    /// A server refused it.
    ChangeRefused {
        /// Of which message.
        message: MessageId,
        /// What.
        act: Act,
        /// Why.
        code: ErrorCode,
    },

    /// A room is followed from here on.
    Subbed {
        /// Which room.
        room: RoomId,
        /// The cursor that the client named.
        since: Option<Seq>,
        /// The history.
        epoch: Epoch,
        /// The cursor now.
        head: Seq,
        /// Whether it was a resume.
        recovered: bool,
        /// Where the rows are that a resume brought.
        changes: Places,
    },
    /// Contiguous live events of a room.
    Live {
        /// Which room.
        room: RoomId,
        /// The first.
        first: Seq,
        /// The last.
        last: Seq,
    },
    /// The server said that this connection fell behind.
    Resync {
        /// In which room.
        room: RoomId,
    },
    /// A page of missed changes.
    Page {
        /// Of which room.
        room: RoomId,
        /// After which place it was asked for.
        after: Seq,
        /// The cursor after it.
        upto: Seq,
        /// Whether more follow.
        more: bool,
        /// Where the rows are that it brought.
        changes: Places,
    },
    /// The room is no longer followed.
    Unsubbed {
        /// Which room.
        room: RoomId,
    },
    /// A message came, whole.
    Seen {
        /// In which room.
        room: RoomId,
        /// How.
        way: Way,
        /// The message.
        row: Row,
    },
    /// A change of a message came.
    SeenChange {
        /// In which room.
        room: RoomId,
        /// Its place in the feed.
        seq: Seq,
        /// Of which message.
        message: MessageId,
        /// The text from then on.
        text: Text,
    },

    /// The user is about to become a member of a closed room: from here on they may read and write
    /// there.
    Admitted {
        /// Which room.
        room: RoomId,
    },
    /// A server acknowledged what ended that: the user has left, or their session has ended.
    RightEnded {
        /// To which room.
        room: RoomId,
    },
    /// A message to a closed room left for a server, whether or not its author may write there.
    Spoken {
        /// To which room.
        room: RoomId,
        /// Its id.
        client_id: ClientId,
    },
    /// The user was given a message of a closed room.
    Given {
        /// Of which room.
        room: RoomId,
        /// The message's id.
        client_id: ClientId,
        /// When it was asked for; `None`: it came by itself.
        asked_us: Option<u64>,
    },
    /// A server accepted a message of the user to a closed room.
    Accepted {
        /// To which room.
        room: RoomId,
        /// The message's id.
        client_id: ClientId,
        /// When it was sent.
        asked_us: u64,
    },

    /// The user looks at a room from here on; of what it has, this history says nothing.
    Entered {
        /// Which room.
        room: RoomId,
    },
    /// A server acknowledged that they do not any more.
    Gone {
        /// Which room.
        room: RoomId,
    },
    /// The user types from here on.
    Typed {
        /// In which room.
        room: RoomId,
    },
    /// The user has read everything up to a message, by this device of theirs.
    MarkedRead {
        /// In which room.
        room: RoomId,
        /// Up to which message.
        number: Number,
    },
    /// A server says how far the user has read.
    ReadTold {
        /// In which room.
        room: RoomId,
        /// Up to which message.
        read: Number,
    },
    /// The machine held up the run itself for so long.
    HeldUp {
        /// Microseconds.
        us: u64,
    },
    /// Who the screen shows as being there from here on. From the first to the last of these
    /// everything is written down that it shows of the room beside messages.
    Present {
        /// In which room.
        room: RoomId,
        /// How many.
        count: u32,
        /// Who; nobody in a crowd.
        users: Vec<UserId>,
    },
    /// Who the screen shows as typing from here on.
    Typing {
        /// In which room.
        room: RoomId,
        /// Who.
        users: Vec<UserId>,
    },
    /// How far the user has read by the screen, from here on.
    Read {
        /// In which room.
        room: RoomId,
        /// Up to which message.
        read: Number,
        /// How many messages are not read.
        unread: u64,
    },

    /// A row was put on the screen beside itself.
    Doubled {
        /// In which room.
        room: RoomId,
        /// Which message.
        client_id: ClientId,
    },
    /// What the client shows after everything has come to rest.
    Final {
        /// Which room.
        room: RoomId,
        /// Whether it is up to date by its own account.
        live: bool,
        /// Everything up to here was applied.
        cursor: Seq,
        /// Whether the room has messages before the first that is held.
        more_before: bool,
        /// What is shown; `None` from clients that only count.
        rows: Option<Vec<Row>>,
    },
    /// What still waited for an answer at the end.
    Waiting {
        /// Which message.
        client_id: ClientId,
    },
}

/// Places of a feed, as runs without a gap: a reader who only counts keeps little of an answer, and
/// still says which rows it brought.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Places(Vec<(Seq, Seq)>);

impl Places {
    /// Where the messages of an answer are. One that is not at its item's place is at none.
    pub fn of(changes: &[SeqChange]) -> Self {
        let messages = changes.iter().filter(|item| match &item.change {
            Change::Message { message } => message.seq == item.seq,
            _ => false,
        });
        messages.map(|item| item.seq).collect()
    }

    /// Whether this is one of them.
    pub fn contains(&self, seq: Seq) -> bool {
        let before = self.0.partition_point(|(first, _)| *first <= seq);
        before > 0 && seq <= self.0[before - 1].1
    }
}

impl FromIterator<Seq> for Places {
    fn from_iter<I: IntoIterator<Item = Seq>>(places: I) -> Self {
        let mut places: Vec<_> = places.into_iter().collect();
        places.sort_unstable();
        let mut runs: Vec<(Seq, Seq)> = Vec::new();
        for seq in places {
            match runs.last_mut() {
                Some((_, last)) if seq <= last.next() => *last = seq,
                _ => runs.push((seq, seq)),
            }
        }
        Self(runs)
    }
}

/// How a message came to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// As the live event of that place: the one that tells of its being written.
    Live(Seq),
    /// Among what a reader had missed, as the item of that place: the message as it was then.
    Missed(Seq),
    /// In a fresh load, which names no place beside the message's own.
    Loaded,
}

impl Way {
    /// The place that what carried the message names.
    pub const fn seq(self) -> Option<Seq> {
        match self {
            Self::Live(seq) | Self::Missed(seq) => Some(seq),
            Self::Loaded => None,
        }
    }
}

/// What somebody does to a message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// Gives it a text.
    Edit {
        /// The text's [`digest`].
        body: u64,
    },
    /// Deletes it.
    Delete,
    /// Puts an emoji or takes it away.
    React {
        /// Which.
        emoji: String,
        /// Put or take away.
        on: bool,
    },
}

/// A message's text, as far as it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Text {
    /// The [`digest`] of the text.
    Body(u64),
    /// There is none any more.
    Deleted,
    /// Something that this build does not know.
    Unknown,
}

impl Text {
    /// The text of what a message says.
    pub fn of(content: &Content) -> Self {
        match content {
            Content::Text { body } => Self::Body(digest(body)),
            Content::Deleted { .. } => Self::Deleted,
            Content::Unknown => Self::Unknown,
        }
    }
}

/// A message as somebody has it: a store, an event, a screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its number in the room.
    pub number: Number,
    /// The place of its newest change.
    pub seq: Seq,
    /// Its id.
    pub id: MessageId,
    /// Who wrote it.
    pub author: UserId,
    /// The author's id for it.
    pub client_id: ClientId,
    /// What it says.
    pub text: Text,
    /// How often each emoji is under it, in the order of the emoji.
    pub reactions: Vec<(String, u32)>,
}

impl Row {
    /// What is compared of a message.
    pub fn of(message: &Message) -> Self {
        Self {
            number: message.number,
            seq: message.seq,
            id: message.id,
            author: message.author.id,
            client_id: message.client_id,
            text: Text::of(&message.content),
            reactions: counts(&message.reactions),
        }
    }
}

fn counts(reactions: &[event::Reaction]) -> Vec<(String, u32)> {
    let counts = reactions.iter().map(|r| (r.emoji.clone(), r.count));
    let mut counts: Vec<_> = counts.collect();
    counts.sort();
    counts
}

/// 64 bits that stand for a text (FNV-1a). Texts of a run differ in more than chance could hide.
pub fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl History {
    /// A client of which nothing has happened.
    pub fn new(client: u32, user: Option<UserId>) -> Self {
        Self {
            client,
            user,
            pipelined: false,
            records: Vec::new(),
        }
    }

    /// Something happened.
    pub fn push(&mut self, at_us: u64, what: What) {
        self.records.push(Record { at_us, what });
    }

    /// A live event came. Contiguous ones become one record, so that a reader who only counts costs
    /// no memory for each.
    pub fn live(&mut self, at_us: u64, room: RoomId, seq: Seq) {
        for record in self.records.iter_mut().rev().take(ROOMS_AT_ONCE) {
            match &mut record.what {
                What::Live { room: of, last, .. } if *of == room => {
                    if seq == last.next() {
                        *last = seq;
                        return;
                    }
                    break;
                }
                What::Live { .. } => {}
                _ => break,
            }
        }
        let (first, last) = (seq, seq);
        self.push(at_us, What::Live { room, first, last });
    }

    /// Writes the records, one JSON document a line, each with the client's number.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        for record in &self.records {
            let line = Line {
                client: self.client,
                user: self.user,
                record,
            };
            serde_json::to_writer(&mut to, &line)?;
            to.write_all(b"\n")?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Line<'a> {
    client: u32,
    user: Option<UserId>,
    #[serde(flatten)]
    record: &'a Record,
}
