//! The purge: now and then, what nobody can see or use any more is taken away. It is done in small
//! parts, between which messages are stored as always.

use std::time::Duration;

use chat_store::{Purge, StoreError};
use chat_types::time::Timestamp;
use tokio::time::sleep;

use crate::metrics;
use crate::state::AppState;

/// Rows of each kind in one part.
const PART: u32 = 200;

/// How often, and how long things are kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// From one purge to the next.
    pub every: Duration,
    /// A session, after its end.
    pub ended_sessions: Duration,
    /// An invite, after its end.
    pub ended_invites: Duration,
    /// A page room in which nothing ever happened, after it was last opened.
    pub empty_pages: Duration,
}

/// Purges until the process ends.
pub async fn run(state: AppState) {
    let settings = state.config.purge();
    loop {
        tokio::select! {
            () = state.lifecycle.ended() => return,
            () = sleep(settings.every) => {}
        }
        if let Err(error) = purge(&state, &settings).await {
            metrics::store_failed(&error);
            tracing::warn!(%error, "the purge waits for its next time");
        }
    }
}

/// Takes everything away that is old enough, part by part.
async fn purge(state: &AppState, settings: &Settings) -> Result<(), StoreError> {
    loop {
        let purged = state.store.purge(part(state, settings)).await?;
        tracing::debug!(?purged, "purged");
        if !purged.more || state.lifecycle.is_draining() {
            return Ok(());
        }
    }
}

/// What is kept for so long is older than this when it goes.
pub(crate) fn before(now: Timestamp, kept: Duration) -> Timestamp {
    let kept_ms = u64::try_from(kept.as_millis()).unwrap_or(u64::MAX);
    Timestamp(now.0.saturating_sub(kept_ms))
}

fn part(state: &AppState, settings: &Settings) -> Purge {
    let now = state.now();
    let before = |kept| before(now, kept);
    Purge {
        sessions_ended_before: before(settings.ended_sessions),
        invites_ended_before: before(settings.ended_invites),
        pages_opened_before: before(settings.empty_pages),
        now,
        open_rooms: state.hub.open_rooms(),
        limit: PART,
    }
}
