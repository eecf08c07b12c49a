//! Between which values a number of the configuration lies. What is outside would divide by zero,
//! loop for ever or overflow a clock, so it is refused before anything listens.

use std::time::Duration;

use super::Config;

/// A setting that is a number, and what it may be.
pub(super) struct Bounds {
    /// The variable that sets it.
    pub(super) variable: &'static str,
    /// The least value.
    pub(super) least: u64,
    /// The greatest value.
    pub(super) most: u64,
    /// What it is set to.
    value: fn(&Config) -> u64,
}

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Every setting that is a number.
pub(super) const BOUNDS: [Bounds; 35] = [
    at("CHAT_DATABASE_CONNECTIONS", 6, 1_000, |c| {
        c.database.connections.into()
    }),
    at("CHAT_DATABASE_WAIT_MS", 100, MINUTE_MS, |c| {
        ms(c.database.wait)
    }),
    at("CHAT_DATABASE_STATEMENT_MS", 100, MINUTE_MS, |c| {
        ms(c.database.statement)
    }),
    at("CHAT_TRUSTED_PROXIES", 0, 16, |c| c.trusted_proxies.into()),
    at("CHAT_ACCESS_TOKEN_MS", SECOND_MS, HOUR_MS, |c| {
        c.access_token_ms
    }),
    at("CHAT_LIMIT_CONNECTIONS", 1, 1_000_000, |c| {
        count(c.sockets.connections)
    }),
    at("CHAT_LIMIT_CONNECTIONS_PER_ADDRESS", 1, 1_000_000, |c| {
        count(c.sockets.connections_per_address)
    }),
    at("CHAT_LIMIT_SOCKETS_PER_USER", 1, 1_000_000, |c| {
        count(c.sockets.sockets_per_user)
    }),
    at("CHAT_LIMIT_SOCKETS_PER_ADDRESS", 1, 1_000_000, |c| {
        count(c.sockets.sockets_per_address)
    }),
    at("CHAT_LIMIT_VISITORS_PER_ADDRESS", 1, 1_000_000, |c| {
        count(c.sockets.visitors_per_address)
    }),
    at("CHAT_LIMIT_GREETING_PER_ADDRESS", 1, 1_000_000, |c| {
        count(c.sockets.greeting_per_address)
    }),
    at("CHAT_LIMIT_FRAMES", 1, 10_000, |c| {
        c.sockets.frames_per_second.into()
    }),
    at("CHAT_LIMIT_FRAMES_BURST", 1, 100_000, |c| {
        c.sockets.frames_burst.into()
    }),
    at("CHAT_LIMIT_DOCUMENTS", 1, 10_000, |c| {
        c.sockets.documents_per_second.into()
    }),
    at("CHAT_LIMIT_DOCUMENTS_BURST", 64, 100_000, |c| {
        c.sockets.documents_burst.into()
    }),
    at("CHAT_RING_BYTES", 1 << 16, 1 << 36, |c| {
        count(c.sockets.ring_bytes)
    }),
    at("CHAT_HEADERS_MS", 100, 15 * MINUTE_MS, |c| {
        ms(c.sockets.headers)
    }),
    at("CHAT_BODY_MS", 100, 5 * MINUTE_MS, |c| ms(c.sockets.body)),
    at("CHAT_WRITE_STALL_MS", 100, 5 * MINUTE_MS, |c| {
        ms(c.sockets.write_stall)
    }),
    at("CHAT_MESSAGE_MS", 100, 5 * MINUTE_MS, |c| {
        ms(c.sockets.message)
    }),
    at("CHAT_HELLO_MS", 100, 5 * MINUTE_MS, |c| ms(c.sockets.hello)),
    at("CHAT_PING_MS", SECOND_MS, 5 * MINUTE_MS, |c| {
        ms(c.sockets.ping)
    }),
    at("CHAT_RECHECK_MS", SECOND_MS, DAY_MS, |c| {
        ms(c.sockets.recheck)
    }),
    at("CHAT_HEADS_MS", 100, HOUR_MS, |c| {
        ms(c.sockets.compare_heads)
    }),
    at("CHAT_POLL_HEADS_MS", 100, MINUTE_MS, |c| {
        ms(c.sockets.poll_heads)
    }),
    at("CHAT_PRESENCE_MS", 100, HOUR_MS, |c| ms(c.sockets.presence)),
    at("CHAT_SOCKET_AGE_MS", SECOND_MS, 30 * DAY_MS, |c| {
        ms(c.sockets.age)
    }),
    at("CHAT_DRAIN_DELAY_MS", 0, HOUR_MS, |c| {
        ms(c.sockets.drain_delay)
    }),
    at("CHAT_DRAIN_MS", 0, HOUR_MS, |c| ms(c.sockets.drain)),
    at("CHAT_GRACE_MS", 0, HOUR_MS, |c| ms(c.sockets.grace)),
    at("CHAT_PURGE_MS", SECOND_MS, DAY_MS, |c| ms(c.keeping.every)),
    at(
        "CHAT_KEEP_ENDED_SESSIONS_MS",
        HOUR_MS,
        3_650 * DAY_MS,
        |c| ms(c.keeping.ended_sessions),
    ),
    at("CHAT_KEEP_USED_TOKENS_MS", HOUR_MS, 3_650 * DAY_MS, |c| {
        ms(c.keeping.used_tokens)
    }),
    at("CHAT_KEEP_ENDED_INVITES_MS", 0, 3_650 * DAY_MS, |c| {
        ms(c.keeping.ended_invites)
    }),
    at("CHAT_KEEP_EMPTY_PAGES_MS", DAY_MS, 3_650 * DAY_MS, |c| {
        ms(c.keeping.empty_pages)
    }),
];

const fn at(variable: &'static str, least: u64, most: u64, value: fn(&Config) -> u64) -> Bounds {
    Bounds {
        variable,
        least,
        most,
        value,
    }
}

fn count(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

fn ms(value: Duration) -> u64 {
    u64::try_from(value.as_millis()).unwrap_or(u64::MAX)
}

impl Bounds {
    /// Why the configured value is refused, if it is.
    fn problem(&self, config: &Config) -> Option<String> {
        let Self {
            variable,
            least,
            most,
            value,
        } = self;
        let value = value(config);
        let inside = (*least..=*most).contains(&value);
        (!inside).then(|| format!("{variable} is {value}; it must be {least} to {most}."))
    }
}

/// Every number of the configuration that is out of its bounds, in a sentence each.
pub(super) fn problems(config: &Config) -> impl Iterator<Item = String> {
    BOUNDS.iter().filter_map(|bounds| bounds.problem(config))
}
