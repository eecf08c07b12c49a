//! What travels over the WebSocket `GET /v1/ws`, subprotocol [`SUBPROTOCOL`].
//!
//! One text frame holds 1 to 64 JSON documents joined by `\n`. Every document has the tag `t`. A
//! request carries an `id`; the server answers each with exactly one document of that `id`
//! (`subbed`, `page`, `ok` or `err`). [`Command`] is what a client sends, [`ServerDoc`] what a server sends.

use serde::{Deserialize, Serialize};

use crate::event::{Change, Event, Message, SeqChange, User};
use crate::id::{ClientId, ConnectionId, Epoch, MessageId, Number, RequestId, RoomId, Seq};
use crate::limits::Limits;
use crate::problem::ErrorCode;
use crate::room::{Member, MembersSummary, Room, RoomSummary};
use crate::text::TextReason;
use crate::time::Timestamp;

/// The subprotocol's name (RFC 6455, section 1.9).
pub const SUBPROTOCOL: &str = "chat.v1.json";

/// A document from a client.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, debug_assertions, feature = "schema"), derive(Debug))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum Command {
    /// The first document of a connection. Answered by `welcome`, or by `err` with this id.
    Hello {
        /// The request's id.
        id: RequestId,
        /// An access token; absent: a visitor who reads public and page rooms.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// Optional abilities of this client, by name; unknown names are ignored.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        caps: Vec<String>,
        /// What connects.
        #[serde(deserialize_with = "crate::object::only")]
        client: ClientInfo,
    },
    /// A renewed token, or the first one of a visitor who has joined. Answered by `ok`.
    Auth {
        /// The request's id.
        id: RequestId,
        /// An access token of the same user, unless the connection was a visitor's.
        token: String,
    },
    /// Follow a room. Answered by `subbed`.
    Sub {
        /// The request's id.
        id: RequestId,
        /// Which room.
        room: RoomId,
        /// The history that `since` belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<Epoch>,
        /// Everything up to here is known: resume after it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Seq>,
        /// Without `since`, or when the resume is refused: how many of the newest messages to send,
        /// 0 to 100.
        #[serde(default)]
        tail: u32,
    },
    /// Follow a room no longer. Answered by `ok`.
    Unsub {
        /// The request's id.
        id: RequestId,
        /// Which room.
        room: RoomId,
    },
    /// Write a message. Answered by `ok` with `sent`, after it is committed.
    Send {
        /// The request's id.
        id: RequestId,
        /// To which room.
        room: RoomId,
        /// Chosen once, kept over every retry.
        client_id: ClientId,
        /// The text.
        body: String,
        /// The message that this one answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply_to: Option<MessageId>,
    },
    /// Give a message another text. Answered by `ok` with `seq`.
    Edit {
        /// The request's id.
        id: RequestId,
        /// In which room.
        room: RoomId,
        /// Which message.
        message_id: MessageId,
        /// The new text.
        body: String,
    },
    /// Delete a message. Answered by `ok` with `seq`.
    Delete {
        /// The request's id.
        id: RequestId,
        /// In which room.
        room: RoomId,
        /// Which message.
        message_id: MessageId,
    },
    /// Put an emoji under a message or take it away. Answered by `ok` with `seq`.
    React {
        /// The request's id.
        id: RequestId,
        /// In which room.
        room: RoomId,
        /// Which message.
        message_id: MessageId,
        /// One emoji.
        emoji: String,
        /// Put or take away.
        on: bool,
    },
    /// Pin a message or unpin it. Answered by `ok` with `seq`.
    Pin {
        /// The request's id.
        id: RequestId,
        /// In which room.
        room: RoomId,
        /// Which message.
        message_id: MessageId,
        /// Pin or unpin.
        on: bool,
    },
    /// Missed changes, oldest first, page by page, after a `resync`. Answered by `page`.
    Sync {
        /// The request's id.
        id: RequestId,
        /// In which room.
        room: RoomId,
        /// Changes after this place.
        after: Seq,
        /// How many, 1 to 100.
        limit: u32,
    },
    /// Read up to a message; only moves forward. Not answered.
    Read {
        /// In which room.
        room: RoomId,
        /// Up to this message.
        number: Number,
    },
    /// The user is typing. At most once in 3 seconds per room; readers forget it after 5. Not
    /// answered.
    Typing {
        /// In which room.
        room: RoomId,
    },
    /// Whether the page is hidden: an idle connection gets no ephemeral events. Not answered.
    Mode {
        /// Hidden or not.
        idle: bool,
    },
    /// Answers a `ping`. Not answered.
    Pong {},
    /// Asks for a `ping`, to find out whether the socket still lives. Answered by `ping`.
    Probe {},
    /// A command that this server does not know; answered by `err` when it has an id.
    #[serde(other)]
    Unknown,
}

/// What connects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClientInfo {
    /// The program: `web`, `embed`, `load`.
    pub name: String,
    /// Its release.
    pub build: String,
}

/// A document from a server.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, debug_assertions, feature = "schema"), derive(Debug))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum ServerDoc {
    /// Answers `hello`.
    Welcome(Box<Welcome>),
    /// Answers a command that succeeded.
    Ok(Ok),
    /// Answers a command that did not; nothing of it happened.
    Err(Err),
    /// Answers `sub`. The events of the room follow, from `head + 1` on.
    Subbed(Box<Subbed>),
    /// Answers `sync`.
    Page(Page),
    /// The next change of a followed room. The only document that advances a cursor.
    Ev(Event),
    /// News that may be lost: the newest of its kind replaces the one before.
    Eph {
        /// In which room.
        room: RoomId,
        /// What.
        data: Ephemeral,
    },
    /// The connection fell too far behind in this room: `sync` from the own cursor until `more` is
    /// false. Events that arrive meanwhile and follow the cursor may be applied.
    Resync {
        /// Which room.
        room: RoomId,
    },
    /// The connection no longer follows this room, without having asked for it.
    Unsubbed {
        /// Which room.
        room: RoomId,
        /// Why.
        reason: UnsubReason,
    },
    /// The user has a room that was not in their list, from another device or by somebody's act.
    /// May be lost: the list is fetched afresh after each connect.
    RoomAdded {
        /// The room, as in the list.
        summary: Box<RoomSummary>,
    },
    /// Asks for a `pong`.
    Ping {
        /// The newest `seq` of followed rooms, so that a lost tail is found. May be a part of them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        heads: Vec<Head>,
    },
    /// The access token ends soon: send `auth` with a new one.
    AuthSoon {
        /// In how many milliseconds it ends.
        expires_in_ms: u64,
    },
    /// The server is about to close this connection: come back after `retry_ms`. Commands that are
    /// under way are still answered.
    GoingAway {
        /// Milliseconds to wait.
        retry_ms: u64,
    },
    /// Something for a person to read, from the operator.
    Notice {
        /// The text.
        text: String,
    },
    /// A document that this client does not know: ignore it.
    #[serde(other)]
    Unknown,
}

/// The state of a new connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Welcome {
    /// The `hello`'s id.
    pub id: RequestId,
    /// Names this connection in the server's log.
    pub connection: ConnectionId,
    /// Who is connected; absent for a visitor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    /// Optional abilities of this server, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<String>,
    /// The server's release.
    pub server: String,
    /// The oldest client release that it serves.
    pub oldest_client: String,
    /// The server's clock.
    pub now: Timestamp,
    /// The limits in force.
    pub limits: Limits,
    /// How often the server pings, in milliseconds; after 2.4 times as long without a sign of the
    /// other side, either side gives the connection up.
    pub ping_interval_ms: u64,
}

/// A command succeeded. Which fields there are depends on the command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ok {
    /// The command's id.
    pub id: RequestId,
    /// For a change: its place in the feed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
    /// For a `send`: the acknowledged message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<crate::room::Sent>,
}

/// A command failed, and nothing of it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Err {
    /// The command's id; absent when it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RequestId>,
    /// What a client acts on.
    pub code: ErrorCode,
    /// For people who read logs; not for the user interface.
    pub message: String,
    /// Whether the same command may succeed later.
    pub retry: bool,
    /// Milliseconds after which to try again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Why a text was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<TextReason>,
}

/// A room is followed now. All of it is read from one snapshot of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Subbed {
    /// The `sub`'s id.
    pub id: RequestId,
    /// The room as it is now.
    pub room: Room,
    /// Which history `head` belongs to.
    pub epoch: Epoch,
    /// The cursor after this document.
    pub head: Seq,
    /// True: `changes` is everything after `since`. False: forget what was known and start from
    /// `messages`.
    pub recovered: bool,
    /// With `recovered`: current rows that changed after `since`, by rising `seq`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<SeqChange>,
    /// Without `recovered`: the newest messages, in rising number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
    /// Without `recovered`: whether there are older messages.
    #[serde(default)]
    pub more_before: bool,
    /// The number of the newest message; 0 when there is none.
    pub last_number: Number,
    /// Up to which message the user has read; 0 for a visitor.
    #[serde(default)]
    pub read: Number,
    /// The user's own membership.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub me: Option<Member>,
    /// Who belongs to the room.
    pub members: MembersSummary,
}

/// Missed changes of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Page {
    /// The `sync`'s id.
    pub id: RequestId,
    /// Which room.
    pub room: RoomId,
    /// Which history this is; another one than the reader's means: subscribe afresh.
    pub epoch: Epoch,
    /// Current rows that changed after `after`, by rising `seq`.
    pub changes: Vec<SeqChange>,
    /// The cursor after this page.
    pub upto: Seq,
    /// The newest place in the feed.
    pub head: Seq,
    /// Whether more pages follow.
    pub more: bool,
}

/// The newest place of a room's feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Head {
    /// Which room.
    pub room: RoomId,
    /// Its newest `seq`.
    pub seq: Seq,
}

/// News that may be lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Ephemeral {
    /// A user is typing; forget it after 5 seconds, or at their next message.
    Typing {
        /// Who.
        user: User,
    },
    /// Who looks at the room now.
    Presence {
        /// How many users and visitors.
        count: u32,
        /// The users among them, at most 200; empty above that.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        users: Vec<User>,
    },
    /// The reader's own read position moved, on another of their devices. Sent to nobody else.
    Read {
        /// Up to this message.
        number: Number,
    },
    /// News that this client does not know: ignore it.
    #[serde(other)]
    Unknown,
}

/// Why a room is no longer followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum UnsubReason {
    /// The user left the room, perhaps on another device.
    Left,
    /// The user was removed or banned.
    Removed,
    /// The user may no longer read it.
    Forbidden,
    /// The room's history was restored or reset: subscribe afresh.
    EpochReset,
    /// A reason that this client does not know.
    #[serde(other)]
    Unknown,
}

impl Command {
    /// The tag of its document.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "hello",
            Self::Auth { .. } => "auth",
            Self::Sub { .. } => "sub",
            Self::Unsub { .. } => "unsub",
            Self::Send { .. } => "send",
            Self::Edit { .. } => "edit",
            Self::Delete { .. } => "delete",
            Self::React { .. } => "react",
            Self::Pin { .. } => "pin",
            Self::Sync { .. } => "sync",
            Self::Read { .. } => "read",
            Self::Typing { .. } => "typing",
            Self::Mode { .. } => "mode",
            Self::Pong {} => "pong",
            Self::Probe {} => "probe",
            Self::Unknown => "unknown",
        }
    }

    /// The id under which this command is answered; absent for those that are not.
    pub const fn request_id(&self) -> Option<RequestId> {
        match self {
            Self::Hello { id, .. }
            | Self::Auth { id, .. }
            | Self::Sub { id, .. }
            | Self::Unsub { id, .. }
            | Self::Send { id, .. }
            | Self::Edit { id, .. }
            | Self::Delete { id, .. }
            | Self::React { id, .. }
            | Self::Pin { id, .. }
            | Self::Sync { id, .. } => Some(*id),
            Self::Read { .. }
            | Self::Typing { .. }
            | Self::Mode { .. }
            | Self::Pong {}
            | Self::Probe {}
            | Self::Unknown => None,
        }
    }
}

impl SeqChange {
    /// The live form of this change.
    pub fn into_event(self, room: RoomId, at: Timestamp) -> Event {
        Event {
            room,
            seq: self.seq,
            at,
            change: self.change,
        }
    }
}

impl Change {
    /// Whether this reader knows the change.
    pub const fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown)
    }
}
