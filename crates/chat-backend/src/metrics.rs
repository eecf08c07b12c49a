//! What the service measures beside what every server does ([`chat_listener::metrics`]): each name
//! with its help, and each measurement that is made often. Labels come from bounded sets, never from
//! what a user typed, and every series is there from the start, so that a first increase is one.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::response::Response;
use chat_store::StoreError;
use chat_types::close::CloseCode;
use chat_types::problem::ErrorCode;
use chat_types::room::Sent;
use metrics::{
    Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::time::Instant;

use crate::error::ApiError;
use crate::realtime::broker::Status;
use crate::state::AppState;

const GAUGES: [(&str, &str); 15] = [
    ("chat_connections", "Open sockets and event streams."),
    (
        "chat_connections_limit",
        "Connections that this node takes at most.",
    ),
    ("chat_users_online", "Users with an open socket."),
    ("chat_active_rooms", "Rooms that somebody reads here."),
    ("chat_ring_bytes", "Recent events in memory."),
    (
        "chat_ring_limit_bytes",
        "Recent events that memory is meant for.",
    ),
    (
        "chat_bus_up",
        "1 while this node and the others hear each other through the bus, or when there is none.",
    ),
    ("chat_other_nodes", "Other nodes heard lately."),
    (
        "chat_store_connections",
        "Connections of the pool to the database that are open.",
    ),
    (
        "chat_store_connections_idle",
        "Those of them that nobody uses.",
    ),
    (
        "chat_store_connections_limit",
        "Connections of the pool at most.",
    ),
    (
        "chat_store_writes_waiting",
        "Writes that wait for a writer of the store.",
    ),
    (
        "chat_password_hashes_running",
        "Passwords that are being hashed.",
    ),
    (
        "chat_password_hashes_waiting",
        "Passwords that wait to be hashed.",
    ),
    (
        "chat_password_hashes_limit",
        "Passwords that may be hashed or wait; one more is refused.",
    ),
];

const HISTOGRAMS: [(&str, &str); 5] = [
    (
        "chat_commit_duration_seconds",
        "From a message's entry into the store's queue to the answer that it is committed.",
    ),
    (
        "chat_fanout_duration_seconds",
        "From news of a room to the waking of the last of its readers on this node.",
    ),
    (
        "chat_delivery_duration_seconds",
        "From an event's arrival in a room of this node to its going out to a reader; of a sample.",
    ),
    (
        "chat_bus_round_trip_seconds",
        "The bus's answer to a question, once a second.",
    ),
    (
        "chat_store_acquire_duration_seconds",
        "Waiting for a connection to PostgreSQL.",
    ),
];

/// Counters without labels.
const COUNTERS: [(&str, &str); 11] = [
    ("chat_sockets_opened_total", "Sockets that were opened."),
    (
        "chat_events_delivered_total",
        "Events that went out, once for each reader.",
    ),
    (
        "chat_resyncs_total",
        "Readers sent to the store because they were too far behind.",
    ),
    ("chat_bus_published_total", "Messages to other nodes."),
    ("chat_bus_received_total", "Messages of other nodes."),
    (
        "chat_bus_lost_total",
        "Messages of other nodes that were dropped because a subject's backlog was full.",
    ),
    (
        "chat_bus_not_understood_total",
        "Messages of other nodes that this release does not understand.",
    ),
    (
        "chat_bus_head_polls_total",
        "Comparisons of heads because other nodes could not be heard.",
    ),
    ("chat_gaps_total", "Gaps in a room's feed."),
    (
        "chat_gap_repairs_total",
        "Reads of the store to close a gap.",
    ),
    (
        "chat_connections_shed_total",
        "Connections sent to other nodes because this one had too many.",
    ),
];

/// Counters with one label, and its values.
const LABELLED: [(&str, &str, &str, &[&str]); 7] = [
    (
        "chat_sockets_closed_total",
        "Sockets that ended, by why: the close code's name, or that the other side closed, was gone without a word, or broke the protocol.",
        "reason",
        &[LEFT, GONE, BROKEN],
    ),
    (
        "chat_socket_refusals_total",
        "Commands over sockets that were refused, by the error's code.",
        "code",
        &[],
    ),
    (
        "chat_resumes_total",
        "Rooms that were followed, by what from: the newest messages, where the reader was, or the newest again because that was too long ago.",
        "result",
        &[FRESH, RESUMED, RESTARTED],
    ),
    (
        "chat_messages_received_total",
        "Messages that were sent, by what became of them: committed, there already, or the error's code.",
        "result",
        &[COMMITTED, DUPLICATE],
    ),
    (
        "chat_rate_limited_total",
        "What was refused for its rate, by the limit.",
        "limit",
        &["frames", "documents"],
    ),
    (
        "chat_bus_dropped_total",
        "Messages to other nodes that were dropped here, by why.",
        "why",
        &["down", "full", "ephemeral", "refused"],
    ),
    (
        "chat_store_failures_total",
        "Calls of the store that failed through no fault of the caller, by how.",
        "kind",
        &[UNAVAILABLE, DAMAGED],
    ),
];

const LEFT: &str = "left";
const GONE: &str = "gone";
const BROKEN: &str = "broken";
const FRESH: &str = "fresh";
const RESUMED: &str = "resumed";
const RESTARTED: &str = "restarted";
const COMMITTED: &str = "committed";
const DUPLICATE: &str = "duplicate";
const UNAVAILABLE: &str = "unavailable";
const DAMAGED: &str = "damaged";

/// Of so many events that go out, the time of one is taken.
const SAMPLED: u64 = 16;

/// Events that went out: counted for every reader's frame, so by no more than an addition.
static DELIVERED: AtomicU64 = AtomicU64::new(0);

/// Looked up once: it is used under the lock of a room.
static FANOUT: LazyLock<Histogram> = LazyLock::new(|| {
    handle();
    histogram!("chat_fanout_duration_seconds")
});

/// The process's recorder, installed by the first call with every series of the service.
///
/// # Panics
/// When something else has installed a recorder before.
pub fn handle() -> &'static PrometheusHandle {
    static HANDLE: LazyLock<&'static PrometheusHandle> = LazyLock::new(|| {
        let handle = chat_listener::metrics::install();
        describe();
        handle
    });
    *HANDLE
}

fn describe() {
    for (name, help) in GAUGES {
        describe_gauge!(name, help);
    }
    for (name, help) in HISTOGRAMS {
        describe_histogram!(name, help);
        let _ = histogram!(name);
    }
    for (name, help) in COUNTERS {
        describe_counter!(name, help);
        counter!(name).absolute(0);
    }
    for (name, help, label, values) in LABELLED {
        describe_counter!(name, help);
        for value in values {
            counter!(name, label => *value).absolute(0);
        }
    }
    for code in CloseCode::ALL {
        counter!("chat_sockets_closed_total", "reason" => code.name()).absolute(0);
    }
    for code in ErrorCode::ALL {
        counter!("chat_socket_refusals_total", "code" => code.name()).absolute(0);
        counter!("chat_messages_received_total", "result" => code.name()).absolute(0);
    }
}

/// Everything that was measured, and what there is now.
pub fn export(state: &AppState) -> Response {
    let handle = handle();
    measure(state);
    chat_listener::metrics::export(handle)
}

fn measure(state: &AppState) {
    let (hub, store, hashes) = (&state.hub, state.store.load(), state.passwords.load());
    counter!("chat_events_delivered_total").absolute(DELIVERED.load(Ordering::Relaxed));
    let is_bus_up = hub.bus() != Status::Down;
    for (name, value) in [
        ("chat_connections", hub.connections()),
        ("chat_connections_limit", state.config.sockets.connections),
        ("chat_users_online", hub.users_online()),
        ("chat_active_rooms", hub.active_rooms()),
        ("chat_ring_bytes", hub.ring_bytes()),
        ("chat_ring_limit_bytes", hub.settings().ring_bytes),
        ("chat_bus_up", usize::from(is_bus_up)),
        ("chat_other_nodes", hub.other_nodes()),
        ("chat_store_connections", store.connections),
        ("chat_store_connections_idle", store.idle),
        ("chat_store_connections_limit", store.limit),
        ("chat_store_writes_waiting", store.waiting),
        ("chat_password_hashes_running", hashes.running),
        ("chat_password_hashes_waiting", hashes.waiting),
        ("chat_password_hashes_limit", hashes.limit),
    ] {
        set(name, value);
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "no gauge needs more than 52 bits"
)]
fn set(name: &'static str, value: usize) {
    gauge!(name).set(value as f64);
}

/// How a socket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// The other side has closed.
    Left,
    /// The other side is gone without a word.
    Gone,
    /// It broke the WebSocket protocol.
    Broken,
    /// This side closed.
    Code(CloseCode),
}

/// Counts a socket that ended.
pub fn socket_closed(how: Closed) {
    let reason = match how {
        Closed::Left => LEFT,
        Closed::Gone => GONE,
        Closed::Broken => BROKEN,
        Closed::Code(code) => code.name(),
    };
    counter!("chat_sockets_closed_total", "reason" => reason).increment(1);
}

/// Counts a message by what became of it.
pub fn message_received(answer: &Result<Sent, ApiError>) {
    let result = match answer {
        Ok(sent) if sent.duplicate => DUPLICATE,
        Ok(_) => COMMITTED,
        Err(refused) => refused.code.name(),
    };
    counter!("chat_messages_received_total", "result" => result).increment(1);
}

/// Counts a command that was refused over a socket.
pub fn socket_refused(code: ErrorCode) {
    counter!("chat_socket_refusals_total", "code" => code.name()).increment(1);
}

/// Counts a room that is followed, by whether the reader named a place in it and goes on from there.
pub fn followed(had_place: bool, recovered: bool) {
    let result = match (had_place, recovered) {
        (false, _) => FRESH,
        (true, true) => RESUMED,
        (true, false) => RESTARTED,
    };
    counter!("chat_resumes_total", "result" => result).increment(1);
}

/// Counts a call of the store that failed, unless the caller was at fault.
pub fn store_failed(error: &StoreError) {
    let kind = match error {
        StoreError::Unavailable(_) => UNAVAILABLE,
        StoreError::Damaged(_) => DAMAGED,
        StoreError::NotFound(_) | StoreError::Conflict(_) | StoreError::LimitReached(_) => return,
    };
    counter!("chat_store_failures_total", "kind" => kind).increment(1);
}

/// Counts a reader who was too far behind.
pub fn resynced() {
    counter!("chat_resyncs_total").increment(1);
}

/// Makes a limit known before it refuses anything.
pub fn has_limit(limit: &'static str) {
    counter!("chat_rate_limited_total", "limit" => limit).absolute(0);
}

/// Counts a refusal for a rate.
pub fn rate_limited(limit: &'static str) {
    counter!("chat_rate_limited_total", "limit" => limit).increment(1);
}

/// Measures how long a message took to be committed.
pub fn committed(elapsed: Duration) {
    histogram!("chat_commit_duration_seconds").record(elapsed);
}

/// Measures how long it took to wake the last reader of a room.
pub fn fanned_out(elapsed: Duration) {
    FANOUT.record(elapsed);
}

/// Counts events that go out to one reader. Of some the time is taken since the first of them came.
pub fn delivered(events: u64, came_at: impl FnOnce() -> Option<Instant>) {
    let before = DELIVERED.fetch_add(events, Ordering::Relaxed);
    let is_sampled = before.div_ceil(SAMPLED) != (before + events).div_ceil(SAMPLED);
    if is_sampled && let Some(at) = came_at() {
        histogram!("chat_delivery_duration_seconds").record(at.elapsed());
    }
}
