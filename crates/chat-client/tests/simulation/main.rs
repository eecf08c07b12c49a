//! Several clients against a model server over a network that cuts, delays, loses and repeats,
//! with restarts, restored backups, expiring tokens and jumping clocks.
//!
//! Each seed is one world and replays exactly. A failing seed is printed; run it alone with
//! `CHAT_SIM_SEED=… cargo test -p chat-client --test simulation -- --nocapture`, which also tells
//! everything that happens. `CHAT_SIM_SEEDS` sets how many seeds are run.

mod actor;
mod checks;
mod dice;
mod server;
mod store;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use server::Broken;
use world::{Violation, World};

const SEEDS: u64 = 3_000;
const THREADS: usize = 2;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn run(seed: u64, broken: Broken) -> Result<(), Violation> {
    World::new(seed, broken, false).run()
}

#[test]
fn nothing_is_lost_doubled_or_reordered_at_any_seed() {
    if let Some(seed) = variable("CHAT_SIM_SEED") {
        let world = World::new(seed, Broken::No, true);
        world
            .run()
            .unwrap_or_else(|Violation(text)| panic!("seed {seed}: {text}"));
        return;
    }
    let seeds = variable("CHAT_SIM_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        return;
                    }
                    if let Err(Violation(text)) = run(seed, Broken::No) {
                        panic!("CHAT_SIM_SEED={seed} replays this: {text}");
                    }
                }
            });
        }
    });
}

/// Runs seeds until the checker notices what is broken.
fn notices(broken: Broken) -> Option<Violation> {
    (0..200).find_map(|seed| run(seed, broken).err())
}

#[test]
fn an_event_without_its_content_is_noticed() {
    assert!(notices(Broken::SkipsEvents).is_some());
}

#[test]
fn an_acknowledgement_before_the_commit_is_noticed() {
    assert!(notices(Broken::AcksBeforeCommit).is_some());
}

#[test]
fn a_retry_that_is_stored_twice_is_noticed() {
    assert!(notices(Broken::ForgetsClientIds).is_some());
}

#[test]
fn a_partial_recovery_called_complete_is_noticed() {
    assert!(notices(Broken::RecoversPartly).is_some());
}

#[test]
fn a_resume_into_another_history_is_noticed() {
    assert!(notices(Broken::IgnoresEpochs).is_some());
}

#[test]
fn a_resync_that_ends_early_is_noticed() {
    assert!(notices(Broken::EndsSyncEarly).is_some());
}
