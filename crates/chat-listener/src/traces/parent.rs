//! The header by which somebody in front says which trace a request belongs to (W3C Trace Context).

use http::HeaderMap;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// The header that names the trace.
pub const TRACEPARENT: &str = "traceparent";

/// The trace that a request belongs to, and its part that asks. It is the client's word, so it is taken
/// only if it is exactly as the recommendation has it; what is not, or is said twice, begins a new trace.
pub(super) fn parent(headers: &HeaderMap) -> Option<SpanContext> {
    let mut said = headers.get_all(TRACEPARENT).iter();
    let parent = read(said.next()?.to_str().ok()?)?;
    said.next().is_none().then_some(parent)
}

fn read(text: &str) -> Option<SpanContext> {
    let (version, rest) = text.split_once('-')?;
    let (trace, rest) = rest.split_once('-')?;
    let (span, rest) = rest.split_once('-')?;
    // A later version may have more, behind a dash.
    let (flags, is_longer) = match rest.split_once('-') {
        Some((flags, _)) => (flags, true),
        None => (rest, false),
    };
    let version = hex(version, 2).filter(|version| *version != 0xff)?;
    if version == 0 && is_longer {
        return None;
    }
    let trace = TraceId::from(hex(trace, 32)?);
    let span = SpanId::from(u64::try_from(hex(span, 16)?).ok()?);
    let flags = TraceFlags::new(u8::try_from(hex(flags, 2)?).ok()?);
    // Nothing is forwarded of what the recommendation leaves to vendors.
    let sampled = flags & TraceFlags::SAMPLED;
    let parent = SpanContext::new(trace, span, sampled, true, TraceState::NONE);
    parent.is_valid().then_some(parent)
}

/// So many digits, none of them a capital.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_hex = text.len() == digits && text.bytes().all(is_digit);
    is_hex.then(|| u128::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn a_trace_is_taken_from_a_header_that_is_as_it_should_be() {
        for (text, sampled) in [
            (format!("00-{TRACE}-{SPAN}-01"), true),
            (format!("00-{TRACE}-{SPAN}-00"), false),
            (format!("00-{TRACE}-{SPAN}-03"), true),
            (format!("cc-{TRACE}-{SPAN}-01-what-comes"), true),
            (format!("cc-{TRACE}-{SPAN}-01"), true),
        ] {
            let parent = read(&text).expect(&text);
            assert_eq!(parent.trace_id().to_string(), TRACE);
            assert_eq!(parent.span_id().to_string(), SPAN);
            assert_eq!(parent.is_sampled(), sampled, "{text}");
            assert!(parent.is_remote());
        }
    }

    #[test]
    fn what_is_not_as_it_should_be_names_no_trace() {
        let zeros = |digits| "0".repeat(digits);
        for wrong in [
            String::new(),
            TRACE.to_owned(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-0g"),
            format!("00-{TRACE}-{SPAN}-01-"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("cc-{TRACE}-{SPAN}-01.more"),
            format!("00-{}-{SPAN}-01", zeros(32)),
            format!("00-{TRACE}-{}-01", zeros(16)),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{}-01", SPAN.to_uppercase()),
            format!("00-{TRACE}0-{SPAN}-01"),
            format!("00-+{}-{SPAN}-01", &TRACE[1..]),
            format!("00-{TRACE}-words-01"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("FE-{TRACE}-{SPAN}-01"),
            format!("0-{TRACE}-{SPAN}-01"),
            format!(" 00-{TRACE}-{SPAN}-01"),
        ] {
            assert!(read(&wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn who_names_two_traces_names_none() {
        let header = format!("00-{TRACE}-{SPAN}-01").parse().unwrap();
        let mut headers = HeaderMap::new();
        assert!(parent(&headers).is_none());
        headers.append(TRACEPARENT, header);
        assert!(parent(&headers).is_some());
        headers.append(TRACEPARENT, headers[TRACEPARENT].clone());
        assert!(parent(&headers).is_none());
    }
}
