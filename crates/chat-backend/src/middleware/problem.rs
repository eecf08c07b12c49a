//! Every refusal leaves as `application/problem+json` (RFC 9457) with the request's id.

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderValue;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};

use super::RequestId;
use crate::error::ApiError;

/// Writes the body of a refusal.
pub(super) async fn layer(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().cloned();
    let mut response = next.run(request).await;
    match response.extensions_mut().remove::<ApiError>() {
        Some(error) => write(response, &error, id),
        None => response,
    }
}

fn write(mut response: Response, error: &ApiError, id: Option<RequestId>) -> Response {
    log(error);
    let problem = error.to_problem(id.map(|id| id.0));
    let body = serde_json::to_vec(&problem).expect("a problem is plain data");
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    if problem.status == 401 {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(ms) = error.retry_after_ms {
        headers.insert(RETRY_AFTER, HeaderValue::from(ms.div_ceil(1_000)));
    }
    *response.body_mut() = Body::from(body);
    response
}

/// A fault with its cause, once; what the caller did wrong only when asked for.
fn log(error: &ApiError) {
    let cause = error.cause.as_deref().unwrap_or("none");
    if error.status().is_server_error() {
        tracing::error!(code = error.code.name(), cause, "request failed");
    } else {
        tracing::debug!(
            code = error.code.name(),
            detail = error.detail.as_deref(),
            "request refused"
        );
    }
}
