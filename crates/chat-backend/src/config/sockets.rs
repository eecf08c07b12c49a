//! The times and limits of connections, in words of the environment.

use std::time::Duration;

use clap::Args;

use crate::realtime::Caps;
use crate::{realtime, shutdown};

/// The times and limits of connections.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_field_names, reason = "a field is named as its option")]
pub struct Sockets {
    /// Connections at once, of sockets and of HTTP; fewer, with a warning, where the limit of open
    /// files leaves fewer.
    #[arg(
        long = "limit-connections",
        env = "CHAT_LIMIT_CONNECTIONS",
        default_value_t = 18_000
    )]
    pub connections: usize,
    /// HTTP connections and sockets of one address at once. Behind trusted proxies connections are
    /// theirs and only counted in all; sockets are counted by the address that they forward.
    #[arg(
        long = "limit-connections-per-address",
        env = "CHAT_LIMIT_CONNECTIONS_PER_ADDRESS",
        default_value_t = 300
    )]
    pub connections_per_address: usize,
    /// Sockets of one user.
    #[arg(
        long = "limit-sockets-per-user",
        env = "CHAT_LIMIT_SOCKETS_PER_USER",
        default_value_t = 10
    )]
    pub sockets_per_user: usize,
    /// Sockets of one address, signed in.
    #[arg(
        long = "limit-sockets-per-address",
        env = "CHAT_LIMIT_SOCKETS_PER_ADDRESS",
        default_value_t = 100
    )]
    pub sockets_per_address: usize,
    /// Sockets of one address, as visitors. They take no room from those who are signed in.
    #[arg(
        long = "limit-visitors-per-address",
        env = "CHAT_LIMIT_VISITORS_PER_ADDRESS",
        default_value_t = 100
    )]
    pub visitors_per_address: usize,
    /// Sockets of one address, before `hello`; for one more the oldest of them is closed.
    #[arg(
        long = "limit-greeting-per-address",
        env = "CHAT_LIMIT_GREETING_PER_ADDRESS",
        default_value_t = 50
    )]
    pub greeting_per_address: usize,
    /// Frames per second that a socket may send over time.
    #[arg(long = "limit-frames", env = "CHAT_LIMIT_FRAMES", default_value_t = 20)]
    pub frames_per_second: u32,
    /// Frames of a socket that may come at once.
    #[arg(
        long = "limit-frames-burst",
        env = "CHAT_LIMIT_FRAMES_BURST",
        default_value_t = 40
    )]
    pub frames_burst: u32,
    /// Documents per second that a socket may send over time; a frame holds up to 64.
    #[arg(
        long = "limit-documents",
        env = "CHAT_LIMIT_DOCUMENTS",
        default_value_t = 50
    )]
    pub documents_per_second: u32,
    /// Documents of a socket that may come at once.
    #[arg(
        long = "limit-documents-burst",
        env = "CHAT_LIMIT_DOCUMENTS_BURST",
        default_value_t = 300
    )]
    pub documents_burst: u32,
    /// Bytes of recent events that all rooms may hold together.
    #[arg(
        long = "ring-bytes",
        env = "CHAT_RING_BYTES",
        default_value_t = 67_108_864
    )]
    pub ring_bytes: usize,
    /// Milliseconds for the headers of a request, and for an idle HTTP connection; behind a proxy that keeps
    /// its connections, longer than it keeps them.
    #[arg(long = "headers-ms", env = "CHAT_HEADERS_MS", default_value = "5000", value_parser = milliseconds)]
    pub headers: Duration,
    /// Milliseconds for the whole body of a request.
    #[arg(long = "body-ms", env = "CHAT_BODY_MS", default_value = "10000", value_parser = milliseconds)]
    pub body: Duration,
    /// Milliseconds that a write may stall.
    #[arg(long = "write-stall-ms", env = "CHAT_WRITE_STALL_MS", default_value = "10000", value_parser = milliseconds)]
    pub write_stall: Duration,
    /// Milliseconds from the first byte of a socket's message to its last.
    #[arg(long = "message-ms", env = "CHAT_MESSAGE_MS", default_value = "10000", value_parser = milliseconds)]
    pub message: Duration,
    /// Milliseconds from the opening of a socket to its `hello`.
    #[arg(long = "hello-ms", env = "CHAT_HELLO_MS", default_value = "5000", value_parser = milliseconds)]
    pub hello: Duration,
    /// Milliseconds between pings; a socket without a sign of life for 2.4 times as long is closed.
    #[arg(long = "ping-ms", env = "CHAT_PING_MS", default_value = "25000", value_parser = milliseconds)]
    pub ping: Duration,
    /// Milliseconds after which a socket's session and rooms are looked up again.
    #[arg(long = "recheck-ms", env = "CHAT_RECHECK_MS", default_value = "60000", value_parser = milliseconds)]
    pub recheck: Duration,
    /// Milliseconds after which the heads of active rooms are compared with the database.
    #[arg(long = "heads-ms", env = "CHAT_HEADS_MS", default_value = "5000", value_parser = milliseconds)]
    pub compare_heads: Duration,
    /// The same while other nodes cannot be heard.
    #[arg(long = "poll-heads-ms", env = "CHAT_POLL_HEADS_MS", default_value = "500", value_parser = milliseconds)]
    pub poll_heads: Duration,
    /// Milliseconds after which nodes tell each other again who is in a room. A node that says nothing
    /// for three times as long has nobody any more.
    #[arg(long = "presence-ms", env = "CHAT_PRESENCE_MS", default_value = "10000", value_parser = milliseconds)]
    pub presence: Duration,
    /// The age in milliseconds at which a socket is asked to come back, give or take 20 %.
    #[arg(long = "socket-age-ms", env = "CHAT_SOCKET_AGE_MS", default_value = "21600000", value_parser = milliseconds)]
    pub age: Duration,
    /// At the end of the process: milliseconds from "not ready" to the end of accepting, for a load
    /// balancer to notice.
    #[arg(long = "drain-delay-ms", env = "CHAT_DRAIN_DELAY_MS", default_value = "0", value_parser = milliseconds)]
    pub drain_delay: Duration,
    /// At the end of the process: milliseconds over which sockets are closed.
    #[arg(long = "drain-ms", env = "CHAT_DRAIN_MS", default_value = "5000", value_parser = milliseconds)]
    pub drain: Duration,
    /// At the end of the process: milliseconds for what is then still under way.
    #[arg(long = "grace-ms", env = "CHAT_GRACE_MS", default_value = "10000", value_parser = milliseconds)]
    pub grace: Duration,
}

/// After how many pings without an answer a socket is given up, as clients are promised.
const DEAD_AFTER_PINGS: f64 = 2.4;

/// A duration as it is written in the environment.
pub(super) fn milliseconds(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_millis)
}

impl Sockets {
    /// For the listener, which serves `hosts`, perhaps behind proxies.
    pub(super) fn listener(
        &self,
        hosts: Vec<String>,
        trusted_proxies: u8,
    ) -> chat_listener::Settings {
        // A proxy's connections carry everybody's requests: its address has no share of its own.
        let connections_per_address = match trusted_proxies {
            0 => self.connections_per_address,
            _ => self.connections,
        };
        chat_listener::Settings {
            headers: self.headers,
            body: self.body,
            write_stall: self.write_stall,
            connections: self.connections,
            connections_per_address,
            hosts,
            ..chat_listener::Settings::default()
        }
    }

    /// For the sockets.
    pub(super) fn realtime(&self) -> realtime::Settings {
        realtime::Settings {
            hello: self.hello,
            ping: self.ping,
            dead: self.ping.mul_f64(DEAD_AFTER_PINGS),
            message: self.message,
            write_stall: self.write_stall,
            recheck: self.recheck,
            age: self.age,
            compare_heads: self.compare_heads,
            poll_heads: self.poll_heads,
            presence: self.presence,
            frames_per_second: self.frames_per_second,
            frames_burst: self.frames_burst,
            documents_per_second: self.documents_per_second,
            documents_burst: self.documents_burst,
            ring_bytes: self.ring_bytes,
            caps: Caps {
                per_user: self.sockets_per_user,
                per_address: self.sockets_per_address,
                visitors_per_address: self.visitors_per_address,
                greeting_per_address: self.greeting_per_address,
            },
            ..realtime::Settings::default()
        }
    }

    /// For the end of the process.
    pub(super) fn shutdown(&self) -> shutdown::Settings {
        shutdown::Settings {
            delay: self.drain_delay,
            window: self.drain,
            grace: self.grace,
        }
    }
}
