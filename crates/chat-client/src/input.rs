//! What a driver tells the client.

use chat_types::event::User;
use chat_types::id::{ClientId, MessageId, Number, RoomId};
use chat_types::room::History;

use crate::client::AccessToken;

/// One socket of this client, named when it asks for it. Whatever a driver reports about another
/// socket than the newest is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// One request for history, named when the client asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FetchId(pub u64);

/// Which part of a room's history to load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// The page before the first message that is held.
    Older,
    /// The page after the last message that is held, where newer ones were dropped.
    Newer,
    /// The messages around this one instead of those that are held (a permalink, the first unread).
    Around(Number),
    /// The newest messages instead of those that are held.
    Latest,
}

/// What happened.
pub enum Input {
    /// Connect, and stay connected. Also leaves a stop that a person wants to try again.
    Start,
    /// The socket is open, with the subprotocol accepted.
    Opened {
        /// Which socket.
        conn: ConnId,
    },
    /// A text frame arrived.
    Frame {
        /// On which socket.
        conn: ConnId,
        /// The frame.
        text: String,
    },
    /// The socket is closed, or could not be opened (1006, as browsers report it).
    Closed {
        /// Which socket.
        conn: ConnId,
        /// The close code.
        code: u16,
        /// The close reason.
        reason: String,
    },
    /// The time of [`Client::next_wake`](crate::Client::next_wake) has come. Early ones are harmless.
    Timer,
    /// The device says that it has a network.
    Online,
    /// The device says that it has none: a hint, not a proof.
    Offline,
    /// The page can be seen.
    Visible,
    /// The page cannot be seen.
    Hidden,
    /// `focus`, `pageshow`, or a person who wants to reconnect now.
    Wake,

    /// Somebody joined, registered or signed in on this device.
    SignedIn {
        /// Who.
        user: User,
        /// Their token.
        token: AccessToken,
    },
    /// A new access token of the same session, asked for or not.
    TokenRefreshed {
        /// The token.
        token: AccessToken,
    },
    /// The refresh token is not valid any more: the session has ended.
    TokenRefused,
    /// The refresh could not be done now.
    RefreshFailed {
        /// When the server said to try again.
        retry_after_ms: Option<u64>,
    },
    /// Signed out on this device: forget the session and what it had not sent.
    SignedOut,

    /// Follow a room.
    OpenRoom {
        /// Which room.
        room: RoomId,
        /// How many of its newest messages to load, 0 to 100.
        tail: u32,
        /// Its newest page where it is at hand already (fetched beside the start, or in the
        /// HTML): it shows at once, and the socket continues from it.
        page: Option<Box<History>>,
    },
    /// Follow it no longer and forget what is held of it. What waits to be sent is still sent.
    CloseRoom {
        /// Which room.
        room: RoomId,
    },
    /// Write a message.
    Send {
        /// To which room.
        room: RoomId,
        /// Made by the caller (UUIDv7), once per message.
        client_id: ClientId,
        /// The text.
        body: String,
        /// The message that it answers.
        reply_to: Option<MessageId>,
    },
    /// Send a failed message again, under the same id.
    Retry {
        /// Which message.
        client_id: ClientId,
    },
    /// Give up a message that is not sent yet. One that is on its way may still arrive.
    Discard {
        /// Which message.
        client_id: ClientId,
    },
    /// Give a message another text.
    Edit {
        /// In which room.
        room: RoomId,
        /// Which message.
        message_id: MessageId,
        /// The new text.
        body: String,
    },
    /// Delete a message.
    Delete {
        /// In which room.
        room: RoomId,
        /// Which message.
        message_id: MessageId,
    },
    /// Put an emoji under a message or take it away.
    React {
        /// In which room.
        room: RoomId,
        /// Which message.
        message_id: MessageId,
        /// One emoji.
        emoji: String,
        /// Put or take away.
        on: bool,
    },
    /// Pin a message or unpin it.
    Pin {
        /// In which room.
        room: RoomId,
        /// Which message.
        message_id: MessageId,
        /// Pin or unpin.
        on: bool,
    },
    /// Everything up to here was seen. Moves only forward; feed it as often as it comes.
    Read {
        /// In which room.
        room: RoomId,
        /// Up to this message.
        number: Number,
    },
    /// The user typed. Feed it at each key; what is sent is throttled here.
    Typing {
        /// In which room.
        room: RoomId,
    },
    /// Load more history. [`Span::Older`] and [`Span::Newer`] are ignored while a load of that room is
    /// under way or where there is none; the other two take its place.
    LoadHistory {
        /// Of which room.
        room: RoomId,
        /// Which part.
        span: Span,
    },
    /// The answer to [`Effect::FetchHistory`](crate::Effect::FetchHistory).
    HistoryLoaded {
        /// Which request.
        fetch: FetchId,
        /// The page.
        page: Box<History>,
    },
    /// The fetch failed. The person, or the next scroll, tries again.
    HistoryFailed {
        /// Which request.
        fetch: FetchId,
    },
}
