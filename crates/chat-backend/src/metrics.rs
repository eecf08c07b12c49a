//! Measurements for Prometheus, named with their units. Labels come from bounded sets, never from
//! what a user typed.

use std::sync::OnceLock;
use std::time::Duration;

use http::{Method, StatusCode};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::realtime::Hub;
use crate::realtime::broker::Status;

/// Upper bounds of the request durations in seconds.
const SECONDS: [f64; 11] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// The process's recorder, installed by the first call.
///
/// # Panics
/// When something else has installed a recorder before.
pub fn handle() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let recorder = PrometheusBuilder::new()
            .set_buckets(&SECONDS)
            .expect("there are buckets")
            .build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).expect("nobody else installs a recorder");
        metrics::describe_histogram!(
            "http_request_duration_seconds",
            metrics::Unit::Seconds,
            "From the request's head to the answer's head."
        );
        metrics::describe_gauge!("chat_connections", "Open sockets and event streams.");
        metrics::describe_gauge!("chat_users_online", "Users with an open socket.");
        metrics::describe_gauge!("chat_active_rooms", "Rooms that somebody reads here.");
        metrics::describe_gauge!(
            "chat_ring_bytes",
            metrics::Unit::Bytes,
            "Recent events in memory."
        );
        describe_bus();
        metrics::describe_gauge!("build_info", "1, with the release as a label.");
        metrics::gauge!("build_info", "version" => crate::VERSION).set(1.0);
        handle
    })
}

fn describe_bus() {
    metrics::describe_gauge!(
        "chat_bus_up",
        "1 while this node and the others hear each other through the bus, or when there is none."
    );
    metrics::describe_gauge!("chat_other_nodes", "Other nodes heard lately.");
    metrics::describe_counter!("chat_bus_published_total", "Messages to other nodes.");
    metrics::describe_counter!("chat_bus_received_total", "Messages of other nodes.");
    metrics::describe_counter!(
        "chat_bus_dropped_total",
        "Messages to other nodes that were dropped here, by why."
    );
    metrics::describe_counter!(
        "chat_bus_lost_total",
        "Messages of other nodes that were dropped because a subject's backlog was full."
    );
    metrics::describe_counter!(
        "chat_bus_not_understood_total",
        "Messages of other nodes that this release does not understand."
    );
    metrics::describe_counter!(
        "chat_bus_head_polls_total",
        "Comparisons of heads because other nodes could not be heard."
    );
    metrics::describe_counter!(
        "chat_gap_repairs_total",
        "Reads of the store to close a gap."
    );
    metrics::describe_counter!(
        "chat_connections_shed_total",
        "Connections sent to other nodes because this one had too many."
    );
}

/// Measures what is connected now.
#[expect(
    clippy::cast_precision_loss,
    reason = "no gauge needs more than 52 bits"
)]
pub fn sockets(hub: &Hub) {
    metrics::gauge!("chat_connections").set(hub.connections() as f64);
    metrics::gauge!("chat_users_online").set(hub.users_online() as f64);
    metrics::gauge!("chat_active_rooms").set(hub.active_rooms() as f64);
    let is_bus_up = hub.bus() != Status::Down;
    metrics::gauge!("chat_bus_up").set(f64::from(u8::from(is_bus_up)));
    metrics::gauge!("chat_other_nodes").set(hub.other_nodes() as f64);
    metrics::gauge!("chat_ring_bytes").set(hub.ring_bytes() as f64);
}

/// Counts one request.
pub fn request(method: &Method, route: &str, status: StatusCode, elapsed: Duration) {
    let labels = [
        ("method", known(method).to_owned()),
        ("route", route.to_owned()),
        ("status", status.as_str().to_owned()),
    ];
    metrics::histogram!("http_request_duration_seconds", &labels).record(elapsed.as_secs_f64());
}

/// A client may invent methods; the label's values are bounded.
fn known(method: &Method) -> &str {
    match method.as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known,
        _ => "other",
    }
}
