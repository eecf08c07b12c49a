//! WebSocket close codes (RFC 6455, section 7.4). The range is the verdict, so a client obeys codes
//! that it does not know: 4000–4499 means reconnect with back-off, 4500–4999 means stop.

/// What a client does after a close code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Connect again, after the back-off or the time that the reason names.
    Reconnect,
    /// Do not connect again by itself.
    Stop,
}

/// Why a socket was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// The client is done (RFC 6455).
    Normal = 1000,
    /// A frame was larger than the limit (RFC 6455).
    TooBig = 1009,
    /// The server restarts (IANA registry).
    ServiceRestart = 1012,
    /// The server is overloaded (IANA registry).
    TryAgainLater = 1013,
    /// A fault of the server.
    Internal = 4000,
    /// No `hello` within its time limit.
    HelloTimeout = 4001,
    /// The access token ended and was not renewed.
    TokenExpired = 4002,
    /// The reader did not take what was sent to it within the write time limit.
    SlowReader = 4003,
    /// No sign of life within the heartbeat's time limit.
    HeartbeatLost = 4004,
    /// Moved to even out load between servers, or because the connection reached its maximum age.
    Rebalance = 4005,
    /// The history changed under the connection.
    EpochReset = 4006,
    /// More frames than the limit.
    RateLimited = 4007,
    /// More connections than the limit of this user or address.
    TooManyConnections = 4008,
    /// A document that breaks the protocol.
    ProtocolViolation = 4500,
    /// The session was revoked.
    Revoked = 4501,
    /// The user was banned.
    Banned = 4502,
    /// The subprotocol or version is not served here.
    UnsupportedVersion = 4503,
    /// The page's origin may not connect.
    OriginRefused = 4504,
    /// Signed out on this device.
    SignedOut = 4505,
}

impl CloseCode {
    /// Every code that this protocol uses.
    pub const ALL: [Self; 19] = [
        Self::Normal,
        Self::TooBig,
        Self::ServiceRestart,
        Self::TryAgainLater,
        Self::Internal,
        Self::HelloTimeout,
        Self::TokenExpired,
        Self::SlowReader,
        Self::HeartbeatLost,
        Self::Rebalance,
        Self::EpochReset,
        Self::RateLimited,
        Self::TooManyConnections,
        Self::ProtocolViolation,
        Self::Revoked,
        Self::Banned,
        Self::UnsupportedVersion,
        Self::OriginRefused,
        Self::SignedOut,
    ];

    /// The number on the wire.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The name in the close reason, `name` or `name;retry_ms=n`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::TooBig => "too_big",
            Self::ServiceRestart => "service_restart",
            Self::TryAgainLater => "try_again_later",
            Self::Internal => "internal",
            Self::HelloTimeout => "hello_timeout",
            Self::TokenExpired => "token_expired",
            Self::SlowReader => "slow_reader",
            Self::HeartbeatLost => "heartbeat_lost",
            Self::Rebalance => "rebalance",
            Self::EpochReset => "epoch_reset",
            Self::RateLimited => "rate_limited",
            Self::TooManyConnections => "too_many_connections",
            Self::ProtocolViolation => "protocol_violation",
            Self::Revoked => "revoked",
            Self::Banned => "banned",
            Self::UnsupportedVersion => "unsupported_version",
            Self::OriginRefused => "origin_refused",
            Self::SignedOut => "signed_out",
        }
    }

    /// The close reason, with the time after which to come back where there is one. At most 123
    /// bytes, the room that RFC 6455 leaves in a control frame.
    pub fn reason(self, retry_ms: Option<u64>) -> String {
        match retry_ms {
            Some(ms) => format!("{};retry_ms={ms}", self.name()),
            None => self.name().to_owned(),
        }
    }
}

/// What any close code, known or not, tells the client to do.
pub const fn verdict(code: u16) -> Verdict {
    match code {
        4500..=4999 => Verdict::Stop,
        _ => Verdict::Reconnect,
    }
}

/// The time after which to come back that a close reason names, in milliseconds.
pub fn retry_ms(reason: &str) -> Option<u64> {
    reason
        .split(';')
        .find_map(|part| part.strip_prefix("retry_ms=")?.parse().ok())
}
