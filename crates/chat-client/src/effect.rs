//! What the client asks of its driver.

use chat_types::event::User;
use chat_types::id::{ClientId, MessageId, RoomId};
use chat_types::problem::ErrorCode;
use chat_types::room::{HistoryQuery, RoomSummary};
use chat_types::text::TextReason;
use chat_types::time::Timestamp;

use crate::input::{ConnId, FetchId};
use crate::row::RowKey;

/// Something for the driver to do, in the order in which it is polled.
#[derive(Clone, PartialEq, Eq)]
pub enum Effect {
    /// Open a WebSocket with the subprotocol [`SUBPROTOCOL`](chat_types::ws::SUBPROTOCOL).
    Connect {
        /// The name of the new socket.
        conn: ConnId,
    },
    /// Send a text frame.
    SendFrame {
        /// On which socket.
        conn: ConnId,
        /// The frame. It may carry a token: never log it.
        text: String,
    },
    /// Close the socket, or stop opening it. Nothing more is heard from it.
    Disconnect {
        /// Which socket.
        conn: ConnId,
        /// The close code, one that browsers allow: 1000, or 3000 to 4999.
        code: u16,
    },
    /// Exchange the refresh token, then feed [`Input::TokenRefreshed`](crate::Input::TokenRefreshed),
    /// [`TokenRefused`](crate::Input::TokenRefused) or [`RefreshFailed`](crate::Input::RefreshFailed).
    RefreshToken,
    /// `GET /v1/rooms/{room}/messages`, then feed
    /// [`Input::HistoryLoaded`](crate::Input::HistoryLoaded) or
    /// [`HistoryFailed`](crate::Input::HistoryFailed).
    FetchHistory {
        /// The name of this request.
        fetch: FetchId,
        /// Of which room.
        room: RoomId,
        /// The query.
        query: HistoryQuery,
    },
    /// Keep this text for [`Config::outbox`](crate::Config::outbox) of the next start, in place of
    /// the one before. Keep one per tab.
    PersistOutbox(String),
    /// Show a change.
    Notify(Notice),
}

/// What changed in what there is to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The connection.
    Connection(ConnectionState),
    /// Who the server says the user is; `None`: a visitor. Told after each connect and sign-in.
    Identity(Option<User>),
    /// The session ended without being asked to: the user has to sign in again. Reading continues
    /// as a visitor; unsent messages are kept for the same user.
    SessionEnded,
    /// A followed room.
    Room {
        /// Which room.
        room: RoomId,
        /// What of it.
        change: RoomChange,
    },
    /// The user has another room, from another device or by somebody's act.
    RoomAdded(Box<RoomSummary>),
    /// A command of the user failed for good.
    CommandFailed(Failure),
    /// Words of the operator.
    ServerNotice(String),
    /// This build is older than the server serves: the page has to be loaded again.
    UpgradeNeeded,
}

/// What changed in a room. Rows are named by key; look them up with
/// [`RoomView::row`](crate::RoomView::row).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomChange {
    /// All of it: read everything anew.
    Reset,
    /// Rows are there that were not, in the order of the timeline.
    Inserted {
        /// Which rows.
        keys: Vec<RowKey>,
        /// Where.
        place: Place,
    },
    /// A row looks different.
    Updated(RowKey),
    /// An own row was accepted and took its place among the others. Usually it does not move.
    Confirmed(RowKey),
    /// A row is gone: discarded, or dropped at the far end to bound memory.
    Removed(RowKey),
    /// There is more, or no more, before or after the rows; or a load began, ended or failed.
    History,
    /// Who belongs to the room, or the own membership.
    Members,
    /// Who is typing.
    Typing,
    /// Who is here.
    Presence,
    /// The read position or the number of unread messages.
    Read,
    /// Its name, topic or state.
    Meta,
    /// Whether it is followed: see [`RoomView::status`](crate::RoomView::status).
    Status,
}

/// Where rows were put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At the beginning: older history.
    Start,
    /// In the middle: a repaired gap.
    Middle,
    /// At the end of the accepted rows: newer history that was loaded by a scroll.
    End,
    /// At the end, and new: somebody wrote them.
    New,
    /// At the very end: a row of the user that is being sent.
    Own,
}

/// The connection as a person should see it. Show a banner once `since` is 2 s ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionState {
    /// For the first time.
    Connecting,
    /// Connected and greeted.
    Online,
    /// Lost. A try is under way, or the next begins at `retry_at`.
    Reconnecting {
        /// When the next try begins; `None`: it is under way.
        retry_at: Option<Timestamp>,
        /// When the connection was lost.
        since: Timestamp,
    },
    /// Closed because nobody looks; comes back with the page.
    Paused,
    /// It does not connect by itself.
    Stopped(StopReason),
}

/// Why there is no connection and none is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Not started yet.
    NotStarted,
    /// Signed out on this device or elsewhere, or the session was revoked.
    SignedOut,
    /// The user is banned.
    Banned,
    /// The server does not serve this build.
    UnsupportedVersion,
    /// The page's origin may not connect.
    OriginRefused,
    /// Another code of the range that says stop.
    Refused(u16),
}

/// A command that failed for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which command.
    pub command: FailedCommand,
    /// In which room.
    pub room: RoomId,
    /// What a program acts on.
    pub code: ErrorCode,
    /// Why a text was refused.
    pub reason: Option<TextReason>,
    /// After how many milliseconds another attempt makes sense.
    pub retry_after_ms: Option<u64>,
    /// The text of an edit or a message that was not taken, for its author.
    pub body: Option<String>,
}

/// Which command failed. The row of a failed message says so itself ([`RowState`](crate::RowState)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedCommand {
    /// Not even taken into the outbox, which is full, or whose room is not open.
    Send(ClientId),
    /// An edit.
    Edit(MessageId),
    /// A deletion.
    Delete(MessageId),
    /// A reaction.
    React(MessageId),
    /// A pin.
    Pin(MessageId),
}
