//! Traces: what the collector gets of pages, and of what the API is asked for them.

use chat_testbed::Collector;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::support::FrontEnd;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// What the collector got.
fn received(collector: &Collector) -> Vec<ExportTraceServiceRequest> {
    let exports = collector.exports().into_iter();
    let decode = |body: Vec<u8>| ExportTraceServiceRequest::decode(&*body).unwrap();
    exports.map(|export| decode(export.body)).collect()
}

fn spans(collector: &Collector) -> Vec<Span> {
    let resources = received(collector).into_iter();
    let scopes = resources.flat_map(|it| it.resource_spans);
    let scopes = scopes.flat_map(|it| it.scope_spans);
    scopes.flat_map(|it| it.spans).collect()
}

fn find<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found = spans.iter().find(|span| span.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {spans:#?}"))
}

#[test]
fn pages_are_traced_by_their_route_and_the_api_is_told_the_trace_of_its_question() {
    let collector = Collector::start().unwrap();
    // It only keeps what it is asked, which is all that this is about.
    let api = Collector::start().unwrap();
    let front_end = FrontEnd::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint()),
        ("OTEL_TRACES_SAMPLER", "parentbased_always_on"),
        ("CHAT_FRONTEND_API_INTERNAL_URL", &api.endpoint()),
    ]);
    let parent = format!("traceparent: 00-{TRACE}-00f067aa0ba902b7-01");
    front_end.get("/embed/secret-blog/secret-page?theme=dark", &parent);
    front_end.get("/nobody/knows/this", "");
    let (status, _) = front_end.terminate();
    assert!(status.success());

    let text = format!("{:#?}", received(&collector));
    for secret in ["secret", "127.0.0.1", "theme", "nobody", "chat.example"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(text.contains("\"chat-frontend\""), "{text}");
    let spans = spans(&collector);
    let page = find(&spans, "GET /embed/{site}/{page}");
    assert_eq!(hex(&page.trace_id), TRACE);
    find(&spans, "GET none");
    let question = find(&spans, "GET /v1/sites/{site}");
    let (trace, span) = (hex(&question.trace_id), hex(&question.span_id));
    let head = &api.exports()[0].head;
    let told = format!("traceparent: 00-{trace}-{span}-01\r\n");
    assert!(head.contains(&told), "{told} in {head}");
}

#[test]
fn a_line_of_the_log_names_the_trace_of_the_question_that_it_is_about() {
    let collector = Collector::start().unwrap();
    // Nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", port.local_addr().unwrap());
    drop(port);
    let front_end = FrontEnd::start(&[
        ("CHAT_LOG_FORMAT", "json"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint()),
        ("OTEL_TRACES_SAMPLER", "always_on"),
        ("CHAT_FRONTEND_API_INTERNAL_URL", &nobody),
    ]);
    front_end.get("/embed/blog/page", "");
    let log = front_end.log();
    let line = log.lines().find(|line| line.contains("cannot be asked"));
    let line: serde_json::Value = serde_json::from_str(line.expect("a line")).unwrap();
    let said = line["span"]["trace_id"].as_str().unwrap().to_owned();
    let (status, _) = front_end.terminate();
    assert!(status.success());
    let spans = spans(&collector);
    let question = find(&spans, "GET /v1/sites/{site}");
    assert_eq!(hex(&question.trace_id), said);
}

#[test]
fn a_wrong_collector_is_told_before_anything_listens() {
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_chat-frontend"));
    program.env("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317");
    let output = program.output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("OTEL_EXPORTER_OTLP_ENDPOINT must be"),
        "{said}"
    );
}
