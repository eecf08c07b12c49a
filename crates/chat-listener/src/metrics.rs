//! What every server measures, for Prometheus: its requests by route, its process and its runtime, its
//! release, its certificate. Labels come from bounded sets, never from what somebody sent.

use std::sync::OnceLock;
use std::time::Duration;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::runtime::Handle;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_rustls::rustls::pki_types::UnixTime;

use crate::traces;

/// Upper bounds of every duration, in seconds: what is fast, what is noticed, what is given up.
const SECONDS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// How often the values of durations are counted into those: until then each takes memory.
const UPKEEP: Duration = Duration::from_secs(5);
/// The route of a request that none was found for.
pub(crate) const NO_ROUTE: &str = "none";

/// The process's recorder, installed by the first call.
///
/// # Panics
/// When something else has installed a recorder before.
pub fn install() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let recorder = PrometheusBuilder::new()
            .set_buckets(&SECONDS)
            .expect("there are buckets")
            .build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).expect("nobody else installs a recorder");
        describe();
        gauge!("process_start_time_seconds").set(seconds(UnixTime::now()));
        for result in [traces::SENT, traces::LOST] {
            counter!(traces::SPANS, "result" => result).absolute(0);
        }
        handle
    })
}

/// Names the release, and the commit that it was built from.
pub fn built(release: &'static str, revision: &str) {
    gauge!("build_info", "version" => release, "revision" => revision.to_owned()).set(1.0);
}

fn describe() {
    describe_histogram!(
        "http_request_duration_seconds",
        Unit::Seconds,
        "From a request's head to its answer's head."
    );
    describe_counter!(
        traces::SPANS,
        "Spans of recorded traces that left for the collector, by whether it took them."
    );
    describe_gauge!(
        "build_info",
        "1, with the release and the commit that it was built from as labels."
    );
    describe_gauge!(
        "process_start_time_seconds",
        Unit::Seconds,
        "When the process began, since 1970."
    );
    describe_gauge!(
        "process_resident_memory_bytes",
        Unit::Bytes,
        "Memory that the process has."
    );
    describe_gauge!("process_open_fds", "Files and sockets that are open.");
    describe_gauge!("tokio_workers", "Threads that work on tasks.");
    describe_gauge!(
        "tokio_workers_busy_seconds",
        Unit::Seconds,
        "For how long they have been busy since the start, all together."
    );
    describe_gauge!("tokio_alive_tasks", "Tasks that have begun and not ended.");
    describe_gauge!(
        "tokio_global_queue_depth",
        "Tasks that wait for whichever worker is free first."
    );
    describe_gauge!(
        "tls_certificate_expiry_timestamp_seconds",
        Unit::Seconds,
        "When the certificate of new connections ends, since 1970; only where TLS is served."
    );
}

/// Counts the values of durations now and then, for ever.
pub async fn keep_up(handle: &'static PrometheusHandle) {
    let mut tick = interval(UPKEEP);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        handle.run_upkeep();
    }
}

/// Everything that was measured, as Prometheus reads it.
pub fn export(handle: &PrometheusHandle) -> Response {
    measure_process();
    measure_runtime();
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4")],
        handle.render(),
    )
        .into_response()
}

/// Measures requests: a layer of routes, where their templates are known.
pub async fn measured(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    self::request(&method, route, response.status(), began.elapsed());
    response
}

/// Counts one request. `route` is a template, never a path.
pub fn request(method: &Method, route: &str, status: StatusCode, elapsed: Duration) {
    let labels = [
        ("method", known(method).to_owned()),
        ("route", route.to_owned()),
        ("status", status.as_str().to_owned()),
    ];
    histogram!("http_request_duration_seconds", &labels).record(elapsed);
}

/// A client may invent methods; the label's values are bounded.
pub(crate) fn known(method: &Method) -> &str {
    match method.as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known,
        _ => "other",
    }
}

/// Tells when the certificate that new connections get ends.
pub(crate) fn certificate_ends(at: UnixTime) {
    gauge!("tls_certificate_expiry_timestamp_seconds").set(seconds(at));
}

/// What the system says of the process, where there is `/proc`.
#[expect(
    clippy::cast_precision_loss,
    reason = "no gauge needs more than 52 bits"
)]
fn measure_process() {
    if let Ok(pages) = std::fs::read_to_string("/proc/self/statm")
        && let Some(resident) = pages
            .split(' ')
            .nth(1)
            .and_then(|it| it.parse::<u64>().ok())
    {
        let bytes = resident * rustix::param::page_size() as u64;
        gauge!("process_resident_memory_bytes").set(bytes as f64);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        gauge!("process_open_fds").set(open.count() as f64);
    }
}

/// What the runtime says that works on this request, of what tokio counts without `tokio_unstable`.
#[expect(
    clippy::cast_precision_loss,
    reason = "no gauge needs more than 52 bits"
)]
fn measure_runtime() {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    let runtime = runtime.metrics();
    let workers = runtime.num_workers();
    let busy = (0..workers).map(|worker| runtime.worker_total_busy_duration(worker));
    let busy: Duration = busy.sum();
    gauge!("tokio_workers").set(workers as f64);
    gauge!("tokio_workers_busy_seconds").set(busy.as_secs_f64());
    gauge!("tokio_alive_tasks").set(runtime.num_alive_tasks() as f64);
    gauge!("tokio_global_queue_depth").set(runtime.global_queue_depth() as f64);
}

#[expect(
    clippy::cast_precision_loss,
    reason = "seconds since 1970 have 31 bits"
)]
fn seconds(time: UnixTime) -> f64 {
    time.as_secs() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_that_a_client_invents_are_one_label() {
        assert_eq!(known(&Method::PATCH), "PATCH");
        assert_eq!(known(&"BREW".parse().expect("a token")), "other");
    }
}
