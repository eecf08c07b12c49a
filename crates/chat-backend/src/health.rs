//! The admin port: health, readiness, metrics.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;

use crate::metrics;
use crate::realtime::broker::Status;
use crate::state::AppState;

/// The routes of the admin port.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(export_metrics))
}

/// The process lives and can still serve: when the store has ended, only a restart helps.
async fn healthz(State(state): State<AppState>) -> Response {
    if state.store.is_usable() {
        return "ok\n".into_response();
    }
    let why = "the store has ended; the process must be restarted\n";
    (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
}

/// Requests should come here: not draining, and the store reads and writes.
async fn readyz(State(state): State<AppState>) -> Response {
    let refuse = |why: &'static str| (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    if !state.lifecycle.is_ready() {
        return refuse("draining\n");
    }
    match state.store.check().await {
        // Chat goes on without the bus, more slowly: to send everybody away would help nobody.
        Ok(()) if state.hub.bus() == Status::Down => {
            "ready; the bus is down, so messages of other nodes come by polling the database\n"
                .into_response()
        }
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            metrics::store_failed(&error);
            tracing::warn!(%error, "not ready");
            refuse("the database is not available\n")
        }
    }
}

async fn export_metrics(State(state): State<AppState>) -> Response {
    metrics::export(&state)
}
