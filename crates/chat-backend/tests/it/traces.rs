//! Traces: what the collector gets, what never leaves, and what becomes of the service without it.

use std::net::{SocketAddr, TcpListener};
use std::time::Instant;

use chat_testbed::Collector;
use chat_types::account::{CreateGuest, SignedIn};
use chat_types::id::RoomId;
use chat_types::room::{OpenPage, RoomSummary};
use chat_types::ws::SUBPROTOCOL;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::support::{PATIENCE, Program, Socket, handshake};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
/// Spans that wait, and that leave at once, at most.
const WAITING: usize = 2_048;
const BATCH: usize = 512;

/// A service that traces everything that nobody said not to.
fn traced(endpoint: &str, own: &[(&str, &str)]) -> (Program, SocketAddr, SocketAddr) {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_TRACES_SAMPLER", "parentbased_always_on"),
        ("CHAT_DRAIN_MS", "0"),
        ("CHAT_SITES", "blog=https://blog.example.com"),
        ("CHAT_LIMIT_READS", "100000/1s"),
    ];
    let program = Program::start(&[&variables, own].concat(), "true");
    let (api, admin) = program.serving_at();
    (program, api.parse().unwrap(), admin.parse().unwrap())
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

fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|it| it.key == key)?;
    match &found.value {
        Some(AnyValue {
            value: Some(Value::StringValue(text)),
        }) => Some(text.clone()),
        Some(AnyValue {
            value: Some(Value::IntValue(number)),
        }) => Some(number.to_string()),
        other => panic!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

async fn ask(api: SocketAddr, path: &str, parent: &str) -> u16 {
    let request = reqwest::Client::new().get(format!("http://{api}{path}"));
    let answer = request.header("traceparent", parent).send().await;
    answer.unwrap().status().as_u16()
}

/// Asks for so many spans.
async fn ask_often(api: SocketAddr, times: usize) {
    let http = reqwest::Client::new();
    for _ in 0..times {
        let answer = http.get(format!("http://{api}/v1/meta")).send().await;
        assert_eq!(answer.unwrap().status(), 200);
    }
}

/// Asks the program to end, and waits until it has.
fn end(mut program: Program) {
    program.terminate();
    assert!(program.child.wait().unwrap().success());
}

#[tokio::test]
async fn a_request_continues_the_trace_of_who_asks_and_the_log_names_it() {
    let collector = Collector::start().unwrap();
    let headers = [(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "authorization=Bearer%20of-the-collector",
    )];
    let (program, api, _) = traced(&collector.endpoint(), &headers);
    let parent = format!("00-{TRACE}-{PARENT}-01");
    assert_eq!(ask(api, "/v1/rooms/no-room/messages", &parent).await, 404);
    let line = program.says("request answered");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["span"]["trace_id"], TRACE);
    let nobodys = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
    assert_eq!(ask(api, "/v1/meta", nobodys).await, 200);
    let line = program.says("request answered");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let own = line["span"]["trace_id"].as_str().unwrap().to_owned();
    let not_recorded = format!("00-{}-{PARENT}-00", TRACE.replace('4', "5"));
    assert_eq!(ask(api, "/v1/nowhere", &not_recorded).await, 404);
    end(program);

    let spans = spans(&collector);
    let continued = find(&spans, "GET /v1/rooms/{room}/messages");
    assert_eq!(hex(&continued.trace_id), TRACE);
    assert_eq!(hex(&continued.parent_span_id), PARENT);
    let of = |span: &Span, key| attribute(&span.attributes, key);
    assert_eq!(
        of(continued, "http.route").as_deref(),
        Some("/v1/rooms/{room}/messages")
    );
    assert_eq!(of(continued, "http.response.status_code").unwrap(), "404");
    let begun = find(&spans, "GET /v1/meta");
    assert_eq!(hex(&begun.trace_id), own);
    assert!(begun.parent_span_id.is_empty());
    assert_eq!(spans.len(), 2, "who asks decides: {spans:#?}");

    let head = &collector.exports()[0].head;
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: Bearer of-the-collector\r\n"));
    let resource = received(&collector)[0].resource_spans[0].resource.clone();
    let resource = resource.unwrap().attributes;
    let name = attribute(&resource, "service.name");
    assert_eq!(name.as_deref(), Some("chat-backend"));
}

#[tokio::test]
async fn commands_are_traced_and_nothing_that_anybody_said_or_is() {
    const WORDS: &str = "words that only readers may see";
    let collector = Collector::start().unwrap();
    let (program, api, _) = traced(&collector.endpoint(), &[]);
    let http = reqwest::Client::new();
    let guest = CreateGuest {
        name: "secretive".to_owned(),
    };
    let post = http.post(format!("http://{api}/v1/guests")).json(&guest);
    let guest: SignedIn = post.send().await.unwrap().json().await.unwrap();
    let page = OpenPage {
        site: "blog".parse().unwrap(),
        page: "/hidden-page".parse().unwrap(),
        title: None,
    };
    let token = &guest.tokens.access_token;
    let post = http.post(format!("http://{api}/v1/pages")).json(&page);
    let opened = post.bearer_auth(token).send().await.unwrap();
    let opened: RoomSummary = opened.json().await.unwrap();
    let room = opened.room.id;
    let mut socket = Socket::open(handshake(api, None, Some(SUBPROTOCOL))).await;
    socket.hello(Some(token)).await;
    socket.follow(room).await;
    let sent = socket.say(room, WORDS).await;
    let refused = socket.say_later(RoomId::from_uuid(*guest.user.id.as_uuid()), WORDS);
    let refused = refused.await;
    socket.refusal(refused).await;
    drop(socket);
    let path = format!("/v1/rooms/{room}/messages?limit=7");
    assert_eq!(ask(api, &path, "").await, 200);
    end(program);

    let text = format!("{:#?}", received(&collector));
    for secret in [
        "secretive",
        "hidden-page",
        "blog",
        "127.0.0.1",
        "limit=7",
        WORDS,
        token,
        &guest.tokens.refresh_token,
        &room.to_string(),
        &guest.user.id.to_string(),
        &sent.id.to_string(),
    ] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let spans = spans(&collector);
    for name in [
        "POST /v1/guests",
        "POST /v1/pages",
        "GET /v1/ws",
        "sub",
        "GET /v1/rooms/{room}/messages",
    ] {
        find(&spans, name);
    }
    let sends = spans.iter().filter(|span| span.name == "send");
    let why = sends.map(|span| attribute(&span.attributes, "error.type"));
    let mut why: Vec<_> = why.collect();
    why.sort();
    assert_eq!(why, [None, Some("not_found".to_owned())]);
}

#[tokio::test]
async fn a_collector_that_never_answers_holds_up_nobody() {
    // Connections are made, and nobody reads them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let (mut program, api, admin) = traced(&endpoint, &[("OTEL_EXPORTER_OTLP_TIMEOUT", "60000")]);
    ask_often(api, WAITING + 2 * BATCH).await;
    let metrics = reqwest::get(format!("http://{admin}/metrics")).await;
    let metrics = metrics.unwrap().text().await.unwrap();
    assert!(metrics.contains("traces_spans_total{result=\"sent\"} 0\n"));
    program.terminate();
    let told = Instant::now();
    program.says("the last traces were not taken");
    assert!(program.child.wait().unwrap().success());
    assert!(told.elapsed() < PATIENCE, "{:?}", told.elapsed());
}

#[tokio::test]
async fn a_collector_that_refuses_is_told_of_once_and_when_that_is_over() {
    let collector = Collector::start().unwrap();
    collector.answer(400);
    let (program, api, admin) = traced(&collector.endpoint(), &[]);
    ask_often(api, BATCH).await;
    program.says("the collector takes no traces");
    ask_often(api, BATCH).await;
    collector.answer(200);
    ask_often(api, BATCH).await;
    loop {
        let line = program.log.recv_timeout(PATIENCE).unwrap();
        assert!(!line.contains("takes no traces"), "told of again: {line}");
        if line.contains("the collector takes traces again") {
            break;
        }
    }
    let metrics = reqwest::get(format!("http://{admin}/metrics")).await;
    let metrics = metrics.unwrap().text().await.unwrap();
    for result in ["lost", "sent"] {
        let nothing = format!("traces_spans_total{{result=\"{result}\"}} 0\n");
        assert!(!metrics.contains(&nothing), "{metrics}");
    }
    end(program);
}

#[test]
fn a_wrong_collector_is_told_before_anything_listens() {
    for (variable, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_TRACES_SAMPLER_ARG", "5"),
    ] {
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
            (variable, value),
        ];
        let mut program = Program::start(&variables, "true");
        program.says(variable);
        assert!(!program.child.wait().unwrap().success(), "{variable}");
    }
}
