//! Closed rooms: what is given there, and what is accepted there, is a member's.

use std::collections::HashMap;

use chat_types::id::ClientId;

use super::{Found, Kind};
use crate::history::{History, What};

/// Within so many microseconds the end of a right has its effect everywhere (the seventh of the
/// promises in ARCHITECTURE.md).
pub const GRACE_US: u64 = 1_000_000;

/// What is known of somebody's right to a room.
#[derive(Clone, Copy)]
enum Right {
    Has,
    EndedAt(u64),
}

/// Nobody reads or writes in a closed room who has no right to, and nobody whose right has ended.
pub(super) fn are_kept_everywhere(histories: &[History], found: &mut Found) {
    let spoken = spoken(histories);
    for history in histories {
        let mut rights = HashMap::new();
        for record in &history.records {
            let at_us = record.at_us;
            match &record.what {
                What::Admitted { room } => {
                    rights.insert(*room, Right::Has);
                }
                What::RightEnded { room } => {
                    rights.insert(*room, Right::EndedAt(at_us));
                }
                What::Given {
                    room,
                    client_id,
                    asked_us,
                } => {
                    // A live event was decided on when its message was written, or later.
                    let written_us = || spoken.get(client_id).copied();
                    let decided_us = asked_us.or_else(written_us).unwrap_or(at_us);
                    if let Some(why) = is_wrong(rights.get(room), decided_us) {
                        found
                            .add(Kind::DeliverRevoked, format!("given to who {why}"))
                            .room(*room)
                            .client(history.client)
                            .client_id(*client_id);
                    }
                }
                What::Accepted {
                    room,
                    client_id,
                    asked_us,
                } => {
                    if let Some(why) = is_wrong(rights.get(room), *asked_us) {
                        found
                            .add(Kind::AcceptedRevoked, format!("accepted of who {why}"))
                            .room(*room)
                            .client(history.client)
                            .client_id(*client_id);
                    }
                }
                _ => {}
            }
        }
    }
}

/// When each message of a closed room first left for a server.
fn spoken(histories: &[History]) -> HashMap<ClientId, u64> {
    let mut spoken = HashMap::new();
    for record in histories.iter().flat_map(|history| &history.records) {
        if let What::Spoken { client_id, .. } = &record.what {
            let first = spoken.entry(*client_id).or_insert(record.at_us);
            *first = record.at_us.min(*first);
        }
    }
    spoken
}

/// Why somebody may not be given, at the end of the run so far, what was decided on at this time at
/// the earliest. `None`: they may.
fn is_wrong(right: Option<&Right>, decided_us: u64) -> Option<String> {
    match right {
        None => Some("was never a member".to_owned()),
        Some(Right::Has) => None,
        Some(Right::EndedAt(ended_us)) => {
            let late_us = decided_us.saturating_sub(*ended_us);
            let is_late = late_us > GRACE_US;
            is_late.then(|| format!("had been none for {} ms", late_us / 1_000))
        }
    }
}
