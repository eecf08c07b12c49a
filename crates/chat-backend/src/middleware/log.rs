//! One line and one measurement per request. Never a body, a query string, a token or an address.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;

use chat_listener::metrics;

/// Logs and measures the request.
pub(super) async fn layer(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let (status, elapsed) = (response.status(), began.elapsed());
    metrics::request(&method, route, status, elapsed);
    tracing::info!(
        http.method = %method,
        http.route = route,
        http.status = status.as_u16(),
        duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        "request answered"
    );
    response
}
