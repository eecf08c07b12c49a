//! What every request passes, in one place. The first layer here is the outermost.

mod log;
mod problem;
mod request_id;

use axum::Router;
use axum::middleware::{from_fn, map_response};
use axum::response::Response;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    RETRY_AFTER, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue, Method};
use std::time::Duration;
use tower::ServiceBuilder;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::config::Config;
use crate::state::AppState;

pub use request_id::RequestId;

/// The response header that carries the request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// For how long a browser may keep the answer of a preflight.
const PREFLIGHT_AGE: Duration = Duration::from_hours(1);

/// Wraps the public routes. Those to the socket have no answer to compress, and no page may read what
/// they refuse.
pub fn wrap(
    routes: Router<AppState>,
    socket: Router<AppState>,
    state: &AppState,
) -> Router<AppState> {
    let refusals = from_fn(problem::layer);
    let inner = ServiceBuilder::new()
        // Outside of the problems, so that a page may read them.
        .layer(cors(&state.config))
        .layer(CompressionLayer::new())
        .layer(refusals.clone());
    let outer = ServiceBuilder::new()
        // First of all, so that everything below is found under one id in the log.
        .layer(from_fn(request_id::layer))
        .layer(from_fn(log::layer))
        // Outside of CORS, so that the answers to preflights have them too.
        .layer(map_response(defend));
    let socket = socket.layer(refusals);
    routes.layer(inner).merge(socket).layer(outer)
}

/// What a browser is told of every answer, unless the answer says otherwise.
async fn defend(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in DEFENCES {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

const DEFENCES: [(HeaderName, &str); 6] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (CACHE_CONTROL, "no-store"),
];

/// The exact origins of the front end. No credentials: nothing here reads a cookie.
fn cors(config: &Config) -> CorsLayer {
    let origins = config.allowed_origins.iter();
    let origins = origins.filter_map(|origin| HeaderValue::from_str(origin.as_str()).ok());
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            HeaderName::from_static("last-event-id"),
        ])
        .expose_headers([RETRY_AFTER, REQUEST_ID])
        .max_age(PREFLIGHT_AGE)
}
