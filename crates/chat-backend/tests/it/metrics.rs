//! What the service measures.

use std::path::Path;

use chat_testbed::{Authority, Valid, outline};
use chat_types::close::CloseCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::support::{PATIENCE, Program, TestApp};

impl TestApp {
    async fn measured(&self) -> String {
        let answer = self
            .http
            .get(format!("http://{}/metrics", self.admin_address));
        answer.send().await.unwrap().text().await.unwrap()
    }

    /// The value of a series, which is there from the start.
    async fn value_of(&self, series: &str) -> f64 {
        let text = self.measured().await;
        let of = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        let value = text.lines().find_map(of);
        value.unwrap_or_else(|| panic!("there is no {series} in\n{text}"))
    }

    /// Waits until a series is greater than it was by so much.
    async fn grows(&self, series: &str, before: f64, by: f64) {
        let grown = async {
            while self.value_of(series).await < before + by {
                tokio::task::yield_now().await;
            }
        };
        let in_time = timeout(PATIENCE, grown).await;
        assert!(in_time.is_ok(), "{series} does not grow by {by}");
    }
}

fn closed(code: CloseCode) -> String {
    format!("chat_sockets_closed_total{{reason=\"{}\"}}", code.name())
}

#[tokio::test]
async fn the_committed_list_of_metrics_is_what_is_exported() {
    let authority = Authority::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let pair = authority.issue(Valid::Now, folder.path()).unwrap();
    let files = [
        ("TLS_CERT_FILE", pair.certificate.to_str().unwrap()),
        ("TLS_KEY_FILE", pair.key.to_str().unwrap()),
    ];
    let program = Program::start(&files, "true");
    let (api, admin) = program.serving_at();
    let tcp = TcpStream::connect(api).await.unwrap();
    let connector = TlsConnector::from(authority.client());
    let name = "localhost".try_into().unwrap();
    let mut stream = connector.connect(name, tcp).await.unwrap();
    let ask = b"GET /v1/meta HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(ask).await.unwrap();
    stream.read_to_end(&mut Vec::new()).await.unwrap();
    let exported = reqwest::get(format!("http://{admin}/metrics")).await;
    let exported = exported.unwrap().text().await.unwrap();
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics/backend.prom");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    outline::compare(&outline::outline(&exported), &committed, folder).unwrap();
}

#[tokio::test]
async fn a_message_is_measured_from_its_sender_to_its_readers() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let room = mina.open_page("blog", "/measured").await.room.id;
    let (mut writer, mut reader) = (app.socket(Some(mina.token())).await, app.socket(None).await);
    reader.follow(room).await;
    let committed = "chat_messages_received_total{result=\"committed\"}";
    let commits = "chat_commit_duration_seconds_count";
    let fanned_out = "chat_fanout_duration_seconds_count";
    let delivered = "chat_events_delivered_total";
    let sampled = "chat_delivery_duration_seconds_count";
    let mut before = Vec::new();
    for series in [committed, commits, fanned_out, delivered, sampled] {
        before.push(app.value_of(series).await);
    }
    // Of so many at least one is in the sample.
    for _ in 0..16 {
        writer.say(room, "hello").await;
        reader.heard(room).await;
    }
    app.grows(committed, before[0], 16.0).await;
    app.grows(commits, before[1], 16.0).await;
    app.grows(fanned_out, before[2], 16.0).await;
    app.grows(delivered, before[3], 16.0).await;
    app.grows(sampled, before[4], 1.0).await;
}

#[tokio::test]
async fn sockets_are_counted_when_they_open_and_by_why_they_end() {
    let app = TestApp::start().await;
    let opened = "chat_sockets_opened_total";
    let gone = "chat_sockets_closed_total{reason=\"gone\"}";
    let left = "chat_sockets_closed_total{reason=\"left\"}";
    let violation = closed(CloseCode::ProtocolViolation);
    let before = [
        app.value_of(opened).await,
        app.value_of(gone).await,
        app.value_of(&violation).await,
        app.value_of(left).await,
    ];
    let vanishes = app.socket(None).await;
    let mut leaves = app.socket(None).await;
    let mut breaks = app.socket(None).await;
    app.grows(opened, before[0], 3.0).await;
    leaves.stream.close(None).await.unwrap();
    app.grows(left, before[3], 1.0).await;
    drop(vanishes);
    app.grows(gone, before[1], 1.0).await;
    breaks.send_text("a\n\n").await;
    breaks.closed().await;
    app.grows(&violation, before[2], 1.0).await;
}

#[tokio::test]
async fn rooms_are_counted_by_where_readers_go_on_from() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let room = mina.open_page("blog", "/resumed").await.room.id;
    let series = |result: &str| format!("chat_resumes_total{{result=\"{result}\"}}");
    let fresh = app.value_of(&series("fresh")).await;
    let resumed = app.value_of(&series("resumed")).await;
    let restarted = app.value_of(&series("restarted")).await;
    let mut socket = app.socket(None).await;
    let start = socket.follow(room).await;
    socket.resume(room, &start.epoch, start.head).await;
    let other = chat_types::id::Epoch("of another history".to_owned());
    socket.resume(room, &other, start.head).await;
    app.grows(&series("fresh"), fresh, 1.0).await;
    app.grows(&series("resumed"), resumed, 1.0).await;
    app.grows(&series("restarted"), restarted, 1.0).await;
}

#[tokio::test]
async fn what_is_refused_is_counted_by_why() {
    let app = TestApp::start_with(&[("--limit-sends", "1/1h")]).await;
    let mina = app.guest("mina").await;
    let room = mina.open_page("blog", "/refused").await.room.id;
    let mut socket = app.socket(Some(mina.token())).await;
    let limited = "chat_rate_limited_total{limit=\"sends\"}";
    let refused = "chat_messages_received_total{result=\"rate_limited\"}";
    let told = "chat_socket_refusals_total{code=\"rate_limited\"}";
    let before = [
        app.value_of(limited).await,
        app.value_of(refused).await,
        app.value_of(told).await,
    ];
    socket.say(room, "one").await;
    let id = socket.say_later(room, "two").await;
    socket.refusal(id).await;
    app.grows(limited, before[0], 1.0).await;
    app.grows(refused, before[1], 1.0).await;
    app.grows(told, before[2], 1.0).await;
}

#[tokio::test]
async fn failures_of_the_store_are_counted_also_where_nobody_waits() {
    let app = TestApp::start_with(&[("--heads-ms", "100")]).await;
    let mina = app.guest("mina").await;
    let room = mina.open_page("blog", "/no-store").await.room.id;
    let mut socket = app.socket(None).await;
    socket.follow(room).await;
    let failures = "chat_store_failures_total{kind=\"unavailable\"}";
    let before = app.value_of(failures).await;
    // From now on only the comparison of heads asks it.
    app.store.close().await;
    app.grows(failures, before, 1.0).await;
}

#[tokio::test]
async fn the_release_is_told_with_the_commit_that_it_was_built_from() {
    let app = TestApp::start_with(&[("--revision", "4bf92f35")]).await;
    let version = env!("CARGO_PKG_VERSION");
    let series = format!("build_info{{version=\"{version}\",revision=\"4bf92f35\"}} 1\n");
    let measured = app.measured().await;
    assert!(measured.contains(&series), "{series} in\n{measured}");
}

#[tokio::test]
async fn how_busy_the_runtime_is_is_told() {
    let app = TestApp::start().await;
    assert!(app.value_of("tokio_workers").await >= 1.0);
    assert!(app.value_of("tokio_alive_tasks").await >= 1.0);
    assert!(app.value_of("tokio_global_queue_depth").await >= 0.0);
    let busy = app.value_of("tokio_workers_busy_seconds").await;
    app.grows("tokio_workers_busy_seconds", busy, 0.001).await;
}

#[tokio::test]
async fn how_busy_store_and_passwords_are_is_told() {
    let app = TestApp::start().await;
    app.account("mina").await;
    assert!(app.value_of("chat_store_connections_limit").await >= 1.0);
    assert!(app.value_of("chat_store_writes_waiting").await < 1.0);
    assert!(app.value_of("chat_password_hashes_limit").await >= 17.0);
    assert!(app.value_of("chat_password_hashes_running").await < 1.0);
    app.guest("nari").await;
    let limit = app.value_of("chat_connections_limit").await;
    assert!((limit - 18_000.0).abs() < f64::EPSILON, "{limit}");
}
