//! An id for each request: in the log, in the answer, in problems; and in the log the trace that it is a
//! part of.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use chat_listener::traces::Span;
use http::HeaderValue;
use tracing::Instrument;
use tracing::field::{Empty, display};
use uuid::Uuid;

use super::REQUEST_ID;

/// The id of a request. Made here, never taken from the client: it is a key of our log.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Traces the request, gives it its id, and everything that it logs a span with both.
pub(super) async fn layer(mut request: Request, next: Next) -> Response {
    let id = Uuid::new_v4().simple().to_string();
    let (traced, trace) = Span::request(&request);
    let span = tracing::info_span!("request", request_id = %id, trace_id = Empty);
    if let Some(trace) = trace {
        span.record("trace_id", display(trace));
    }
    let header = HeaderValue::from_str(&id).expect("hexadecimal digits are a header value");
    request.extensions_mut().insert(RequestId(id));
    let mut response = next.run(request).instrument(span).await;
    response.headers_mut().insert(REQUEST_ID, header);
    traced.answered(response.status());
    response
}
