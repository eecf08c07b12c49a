//! The canary, against a real service.

use std::path::Path;
use std::time::Duration;

use chat_backend::canary::{Canary, Step};
use chat_backend::config::{self, Cli, Command};
use chat_testbed::outline;
use chat_types::room::RoomKind;
use clap::Parser;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::{PATIENCE, Program, TestApp};

/// Longer than a session lasts that nobody renews.
const YEAR_MS: u64 = 365 * 24 * 60 * 60 * 1_000;

fn settings(server: &str, patience_ms: &str) -> config::Canary {
    let words = ["chat-backend", "canary", "--server", server];
    let words = words.into_iter().chain(["--patience-ms", patience_ms]);
    match Cli::try_parse_from(words).unwrap().command {
        Some(Command::Canary(settings)) => settings,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn its_messages_arrive_in_one_room_and_its_sockets_end() {
    let app = TestApp::start().await;
    let mut canary = Canary::new(&settings(&app.url(""), "20000")).unwrap();
    for _ in 0..3 {
        let times = canary.round().await.unwrap();
        assert!(Duration::ZERO < times.acknowledged);
        assert!(times.acknowledged <= times.delivered);
    }
    let closed = async {
        while app.state.hub.connections() > 0 {
            tokio::task::yield_now().await;
        }
    };
    assert!(timeout(PATIENCE, closed).await.is_ok(), "a socket stays");
}

#[tokio::test]
async fn it_begins_anew_when_the_server_knows_it_no_more() {
    let app = TestApp::start().await;
    let mut canary = Canary::new(&settings(&app.url(""), "20000")).unwrap();
    canary.round().await.unwrap();
    app.clock.advance_ms(YEAR_MS);
    let failed = canary.round().await.unwrap_err();
    assert_eq!(failed.step, Step::Session, "{failed}");
    canary.round().await.unwrap();
}

#[tokio::test]
async fn it_stays_the_same_guest_while_it_has_no_room() {
    let limits = [("--limit-guests", "2/1h"), ("--limit-guest-rooms", "1/1h")];
    let app = TestApp::start_with(&limits).await;
    let other = app.guest("other").await;
    other.room(RoomKind::Private, "the only one").await;
    let mut canary = Canary::new(&settings(&app.url(""), "20000")).unwrap();
    for _ in 0..2 {
        let failed = canary.round().await.unwrap_err();
        assert_eq!(failed.to_string(), "room: refused as rate_limited");
    }
}

#[tokio::test]
async fn it_says_which_step_failed() {
    // Nobody accepts.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let mut canary = Canary::new(&settings(&address, "100")).unwrap();
    let failed = canary.round().await.unwrap_err();
    assert_eq!(failed.to_string(), "session: it took too long");
    let app = TestApp::start_with(&[("--limit-guest-sends", "1/1h")]).await;
    let mut canary = Canary::new(&settings(&app.url(""), "20000")).unwrap();
    canary.round().await.unwrap();
    let failed = canary.round().await.unwrap_err();
    assert_eq!(failed.to_string(), "send: refused as rate_limited");
}

#[tokio::test]
async fn the_program_tells_what_it_measured() {
    let app = TestApp::start().await;
    let server = app.url("");
    let variables = [("CANARY_SERVER", server.as_str())];
    let canary = Program::start_as(&["canary"], &variables, "true");
    let singing: serde_json::Value = serde_json::from_str(&canary.says("singing")).unwrap();
    let metrics = format!("http://{}/metrics", singing["admin"].as_str().unwrap());
    let arrived = async {
        loop {
            let text = reqwest::get(&metrics).await.unwrap().text().await.unwrap();
            if text.contains("chat_canary_delivery_duration_seconds_count 1\n") {
                return text;
            }
        }
    };
    let text = timeout(PATIENCE, arrived).await.expect("a message arrives");
    assert!(text.contains("chat_canary_rounds_total 1\n"), "{text}");
    assert!(text.contains("chat_canary_failures_total{step=\"delivery\"} 0\n"));
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics/canary.prom");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    outline::compare(&outline::outline(&text), &committed, folder).unwrap();
}

#[tokio::test]
async fn its_admin_port_takes_only_whole_requests() {
    let canary = Program::start_as(
        &["canary"],
        &[("CANARY_SERVER", "http://127.0.0.1:9")],
        "true",
    );
    let singing: serde_json::Value = serde_json::from_str(&canary.says("singing")).unwrap();
    let admin = singing["admin"].as_str().unwrap();
    let mut stream = TcpStream::connect(admin).await.unwrap();
    let nameless = b"GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n";
    stream.write_all(nameless).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}
