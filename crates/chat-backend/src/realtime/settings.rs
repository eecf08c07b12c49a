//! The times and limits of sockets, each with a name.

use std::time::Duration;

use super::registry::Caps;

/// The times and limits of sockets on this node.
#[derive(Debug, Clone)]
pub struct Settings {
    /// From the upgrade to a `hello` that is accepted.
    pub hello: Duration,
    /// Between pings; each connection deviates by up to 10 %.
    pub ping: Duration,
    /// Without a sign of the other side for this long, it is given up.
    pub dead: Duration,
    /// From the first byte of a client's message to its last.
    pub message: Duration,
    /// A write that stalls this long closes the connection.
    pub write_stall: Duration,
    /// How long before its end an access token is asked to be renewed.
    pub auth_soon: Duration,
    /// How often the session and the rooms of a connection are looked up again, in case the notice
    /// of a revocation was lost.
    pub recheck: Duration,
    /// The age at which a connection is asked to come back, give or take 20 %.
    pub age: Duration,
    /// How often the heads of active rooms are compared with the store's.
    pub compare_heads: Duration,
    /// The same while other nodes cannot be heard.
    pub poll_heads: Duration,
    /// How often the other nodes are told who is here; one that says nothing for three times as long
    /// has nobody.
    pub presence: Duration,
    /// How long an event that came too early waits before the store is asked for those before it.
    pub gap_wait: Duration,
    /// Frames per second that a connection may send over time.
    pub frames_per_second: u32,
    /// Frames that may come at once.
    pub frames_burst: u32,
    /// Documents per second that a connection may send over time.
    pub documents_per_second: u32,
    /// Documents that may come at once.
    pub documents_burst: u32,
    /// Rooms that one connection may follow.
    pub rooms_per_connection: usize,
    /// Bytes that the rings of all rooms may hold together.
    pub ring_bytes: usize,
    /// How many connections there may be.
    pub caps: Caps,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hello: Duration::from_secs(5),
            ping: Duration::from_secs(25),
            dead: Duration::from_mins(1),
            message: Duration::from_secs(10),
            write_stall: Duration::from_secs(10),
            auth_soon: Duration::from_mins(1),
            recheck: Duration::from_mins(1),
            age: Duration::from_hours(6),
            compare_heads: Duration::from_secs(5),
            poll_heads: Duration::from_millis(500),
            presence: Duration::from_secs(10),
            gap_wait: Duration::from_millis(30),
            frames_per_second: 20,
            frames_burst: 40,
            documents_per_second: 50,
            documents_burst: 300,
            rooms_per_connection: chat_types::limits::ROOMS_PER_CONNECTION,
            ring_bytes: 64 * 1024 * 1024,
            caps: Caps::default(),
        }
    }
}

/// Words of presence that may be lost before a node counts as gone.
const PRESENCE_LOST: u32 = 3;

impl Settings {
    /// After which silence another node has nobody any more.
    pub(super) fn presence_age(&self) -> Duration {
        self.presence * PRESENCE_LOST
    }
}
