//! How long is kept what nobody can see or use any more, in words of the environment.

use std::time::Duration;

use clap::Args;

use super::sockets::milliseconds;
use crate::purge;

/// How long is kept what nobody can see or use any more.
#[derive(Debug, Clone, Args)]
pub struct Keeping {
    /// Milliseconds from one purge of the database to the next; less than half of
    /// `CHAT_KEEP_EMPTY_PAGES_MS`.
    #[arg(long = "purge-ms", env = "CHAT_PURGE_MS", default_value = "600000", value_parser = milliseconds)]
    pub every: Duration,
    /// Milliseconds for which a session is kept after its end. With the last session of a guest who
    /// never wrote, reacted or joined a room goes the guest, and the name is free.
    #[arg(long = "keep-ended-sessions-ms", env = "CHAT_KEEP_ENDED_SESSIONS_MS", default_value = "86400000", value_parser = milliseconds)]
    pub ended_sessions: Duration,
    /// Milliseconds for which a used refresh token is kept, to notice that it is used twice, which
    /// ends its session; later it is merely refused. It goes when its session is renewed, or with it.
    #[arg(long = "keep-used-tokens-ms", env = "CHAT_KEEP_USED_TOKENS_MS", default_value = "604800000", value_parser = milliseconds)]
    pub used_tokens: Duration,
    /// Milliseconds for which an invite is kept after its end.
    #[arg(long = "keep-ended-invites-ms", env = "CHAT_KEEP_ENDED_INVITES_MS", default_value = "86400000", value_parser = milliseconds)]
    pub ended_invites: Duration,
    /// Milliseconds for which a page room in which nothing ever happened is kept after it was last
    /// opened; the next visit makes it anew.
    #[arg(long = "keep-empty-pages-ms", env = "CHAT_KEEP_EMPTY_PAGES_MS", default_value = "2592000000", value_parser = milliseconds)]
    pub empty_pages: Duration,
}

impl Keeping {
    /// Why the purge comes too seldom, if it does: an empty page that is open stays only if its node
    /// says so once it has been kept for half of its time and before the whole of it is over.
    pub(super) fn problem(&self) -> Option<String> {
        let seldom = self.every >= self.empty_pages / 2;
        seldom.then(|| {
            format!(
                "CHAT_PURGE_MS is {}; it must be less than half of CHAT_KEEP_EMPTY_PAGES_MS, which is {}: \
                 between two purges a page that somebody has open would go.",
                self.every.as_millis(),
                self.empty_pages.as_millis()
            )
        })
    }

    /// For the purge.
    pub(super) fn purge(&self) -> purge::Settings {
        purge::Settings {
            every: self.every,
            ended_sessions: self.ended_sessions,
            ended_invites: self.ended_invites,
            empty_pages: self.empty_pages,
        }
    }
}
