//! An id for each request: in the log, in the answer, in problems; and in the log the trace that it is a
//! part of, where somebody in front says one (W3C Trace Context).

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderValue;
use tracing::Instrument;
use tracing::field::Empty;
use uuid::Uuid;

use super::REQUEST_ID;

/// The header that names the trace.
const TRACEPARENT: &str = "traceparent";

/// The id of a request. Made here, never taken from the client: it is a key of our log.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Gives the request its id and everything that it logs a span with it.
pub(super) async fn layer(mut request: Request, next: Next) -> Response {
    let id = Uuid::new_v4().simple().to_string();
    let span = tracing::info_span!("request", request_id = %id, trace_id = Empty);
    let parent = request.headers().get(TRACEPARENT);
    if let Some(trace) = parent.and_then(|it| trace_id(it.to_str().ok()?)) {
        span.record("trace_id", trace);
    }
    let header = HeaderValue::from_str(&id).expect("hexadecimal digits are a header value");
    request.extensions_mut().insert(RequestId(id));
    let mut response = next.run(request).instrument(span).await;
    response.headers_mut().insert(REQUEST_ID, header);
    response
}

/// The trace's id in a `traceparent`: version, trace, parent and flags. It is the client's word, so it is
/// taken only if it is one.
fn trace_id(parent: &str) -> Option<&str> {
    let mut parts = parent.split('-');
    let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, digits| {
        text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_some = trace.bytes().any(|b| b != b'0');
    let is_read = is_hex(version, 2) && version != "ff" && is_hex(span, 16);
    (is_read && is_hex(trace, 32) && is_some).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_trace_is_taken_from_a_header_that_is_as_it_should_be() {
        let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
        assert_eq!(trace_id(&parent), Some(TRACE));
        let later = format!("cc-{TRACE}-00f067aa0ba902b7-01-what-comes");
        assert_eq!(trace_id(&later), Some(TRACE), "of a later version");
        for wrong in [
            String::new(),
            TRACE.to_owned(),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{TRACE}0-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-words-01"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
        ] {
            assert_eq!(trace_id(&wrong), None, "{wrong}");
        }
    }
}
