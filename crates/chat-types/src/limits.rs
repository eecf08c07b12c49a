//! The first limits of the service. Each is told to clients in `welcome` and by `GET /v1/meta`;
//! the constants are the defaults and the bounds that text types enforce.

use serde::{Deserialize, Serialize};

/// Characters (Unicode scalar values) in a message body.
pub const MESSAGE_CHARS: usize = 4_000;
/// Blank lines in a row in a message body: lines that show nothing. More of them go.
pub const BLANK_LINES: usize = 10;
/// Combining marks on one letter of a message body: more than any script needs in a row, few enough
/// that they stay near their line.
pub const BODY_MARKS: usize = 8;
/// Combining marks on one letter of a name or topic: enough for every living orthography.
pub const NAME_MARKS: usize = 2;
/// Bytes of the first frame of a connection, whose `hello` says whose it is.
pub const GREETING_BYTES: usize = 4 * 1024;
/// Rooms that a client asks for in the same frame as its `hello`: whatever their cursors are, they fit
/// into [`GREETING_BYTES`] beside a token. Their answers come with the welcome, a round trip earlier.
pub const GREETING_ROOMS: usize = 8;
/// Bytes of one frame from a client.
pub const FRAME_BYTES: usize = 16 * 1024;
/// Fragments of one message from a client: WebSocket frames that make up what is called a frame
/// here. Browsers send one.
pub const MESSAGE_FRAGMENTS: u32 = 64;
/// Documents in one frame from a client.
pub const FRAME_DOCUMENTS: usize = 64;
/// Bytes after which a server closes an outgoing frame and starts the next.
pub const OUT_FRAME_BYTES: usize = 64 * 1024;
/// Documents in one outgoing frame.
pub const OUT_FRAME_DOCUMENTS: usize = 64;
/// Rooms that one connection may subscribe to.
pub const ROOMS_PER_CONNECTION: usize = 128;
/// Public, private and page rooms that one user may be a member of. Direct rooms do not count: one of
/// them takes two users, and nobody may use up another's.
pub const ROOMS_PER_USER: usize = 500;
/// Live sessions of one user; one more ends the one that was used longest ago.
pub const SESSIONS_PER_USER: usize = 50;
/// Messages in the newest page of a `subbed`.
pub const TAIL: u32 = 100;
/// Changes in one `page`.
pub const SYNC_PAGE: u32 = 100;
/// Changes that a resume replays before it starts from a fresh page instead.
pub const REPLAY: u32 = 500;
/// Bytes of message text that a resume replays before it starts from a fresh page instead.
pub const REPLAY_BYTES: usize = 256 * 1024;
/// Messages in one page of history over HTTP.
pub const HISTORY_PAGE: u32 = 100;
/// Members in one page, and in the summary of a `subbed`.
pub const MEMBERS_PAGE: u32 = 100;
/// Rooms in one page of a list.
pub const ROOMS_PAGE: u32 = 100;
/// Different emoji under one message.
pub const REACTIONS_PER_MESSAGE: usize = 20;
/// Bytes of one reaction emoji; the longest in use has 35.
pub const EMOJI_BYTES: usize = 40;
/// Characters of a nickname after normalisation: the least.
pub const NICKNAME_MIN_CHARS: usize = 2;
/// Characters of a nickname after normalisation: the most.
pub const NICKNAME_MAX_CHARS: usize = 15;
/// Characters of a room name.
pub const ROOM_NAME_CHARS: usize = 60;
/// Characters of a room topic.
pub const TOPIC_CHARS: usize = 200;
/// Characters of a username: the least.
pub const USERNAME_MIN_CHARS: usize = 3;
/// Characters of a username: the most.
pub const USERNAME_MAX_CHARS: usize = 30;
/// Characters of a password: the least (NIST SP 800-63B-4, single factor).
pub const PASSWORD_MIN_CHARS: usize = 15;
/// Characters of a password: the most.
pub const PASSWORD_MAX_CHARS: usize = 256;
/// Bytes of an HTTP request body.
pub const BODY_BYTES: usize = 64 * 1024;

/// The limits in force on this server, as told to clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Limits {
    /// Characters in a message body.
    pub message_chars: u32,
    /// Bytes of one frame from the client.
    pub frame_bytes: u32,
    /// Rooms that one connection may subscribe to.
    pub rooms_per_connection: u32,
    /// Frames per second that a connection may send over time.
    pub frames_per_second: u32,
    /// Frames that may come at once.
    pub frames_burst: u32,
    /// Messages that a user may send to one room within `send_window_ms`.
    pub sends_per_window: u32,
    /// The window of `sends_per_window`, in milliseconds.
    pub send_window_ms: u64,
}
