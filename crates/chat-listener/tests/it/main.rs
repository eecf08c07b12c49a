//! A real listener on a free port, and clients that do not play along.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod tls;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::routing::get;
use chat_listener::{Running, Served, Settings, Tls, serve};
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(20);
/// More than what a system buffers for one connection.
const BIG: usize = 32 * 1024 * 1024;
const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const HALF: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ";

struct Server {
    address: SocketAddr,
    running: Running,
}

impl Server {
    async fn start(router: Router, settings: Settings) -> Self {
        Self::start_with(router, settings, None).await
    }

    async fn start_with(router: Router, settings: Settings, tls: Option<Tls>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let running = Running::default();
        let served = Served {
            router,
            bad_host: || axum::response::IntoResponse::into_response(StatusCode::BAD_REQUEST),
            tls,
        };
        let serving = serve(listener, served, settings, running.clone());
        running.tasks.spawn(serving);
        Self { address, running }
    }

    async fn says(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    /// A client that asks and takes nothing of the answer.
    async fn deaf(&self) -> TcpStream {
        let mut stream = self.connect_deaf().await;
        stream.write_all(ASK).await.unwrap();
        stream
    }

    /// A connection whose client's system takes little.
    async fn connect_deaf(&self) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    async fn answer_to(&self, bytes: &[u8]) -> String {
        rest(self.says(bytes).await).await
    }

    fn drain(&self) {
        self.running.draining.cancel();
        self.running.tasks.close();
    }

    /// Waits until everything has ended.
    async fn ended(&self) {
        timeout(PATIENCE, self.running.tasks.wait()).await.unwrap();
    }
}

/// What still comes, up to the end of the connection.
async fn rest(mut stream: impl AsyncRead + Unpin) -> String {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes));
    // A server that did not read everything resets the connection after its answer.
    let _ = read.await.expect("the server ends it");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

fn big(bytes: usize) -> Router {
    let body = Bytes::from(vec![b'x'; bytes]);
    Router::new().route("/", get(move || async move { body }))
}

fn slow_headers() -> Settings {
    Settings {
        headers: PATIENCE * 2,
        ..Settings::default()
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut_in_time() {
    let settings = Settings {
        headers: Duration::from_millis(200),
        ..Settings::default()
    };
    let server = Server::start(hello(), settings).await;
    for started in [&b""[..], b"GET / HT", HALF] {
        let answer = server.answer_to(started).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"));
    }
}

#[tokio::test]
async fn who_asks_for_nothing_has_less_time_than_who_comes_again() {
    let settings = Settings {
        beginning: Duration::from_millis(200),
        ..slow_headers()
    };
    let server = Server::start(hello(), settings).await;
    let mut kept = server.says(ASK).await;
    let mut answer = [0; 512];
    assert!(kept.read(&mut answer).await.unwrap() > 0);
    for started in [&b""[..], b"GET / HT", HALF] {
        assert_eq!(server.answer_to(started).await, "");
    }
    kept.write_all(ASK).await.unwrap();
    assert!(kept.read(&mut answer).await.unwrap() > 0, "it was cut");
}

#[tokio::test]
async fn connections_are_bounded_and_places_are_given_back() {
    let settings = Settings {
        connections: 2,
        ..Settings::default()
    };
    let server = Server::start(hello(), settings).await;
    let first = server.says(HALF).await;
    let _second = server.says(HALF).await;
    let refusal = server.answer_to(b"").await;
    assert!(refusal.starts_with("HTTP/1.1 503"), "{refusal}");
    assert!(refusal.contains("retry-after"), "{refusal}");
    drop(first);
    let again = async { while !server.answer_to(CLOSING).await.starts_with("HTTP/1.1 200") {} };
    timeout(PATIENCE, again).await.unwrap();
}

const CLOSING: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_reader_that_takes_nothing_of_a_big_answer_loses_its_place() {
    let settings = Settings {
        write_stall: Duration::from_millis(200),
        connections: 1,
        ..Settings::default()
    };
    let server = Server::start(big(BIG), settings).await;
    let _deaf = server.deaf().await;
    let again = async { while server.answer_to(CLOSING).await.len() < BIG {} };
    timeout(PATIENCE, again).await.unwrap();
}

/// Whether the system still has the server's end of a connection.
#[cfg(target_os = "linux")]
fn system_has(server: SocketAddr, client: SocketAddr) -> bool {
    let of = |address: SocketAddr| format!(":{:04X} ", address.port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let (server, client) = (of(server), of(client));
    let is_it = |line: &str| {
        let mut columns = line.split_whitespace().skip(1).take(2);
        let mut ends_with = |port: &str| {
            let column = columns.next().unwrap_or_default();
            column.ends_with(port.trim_end())
        };
        ends_with(&server) && ends_with(&client)
    };
    table.lines().any(is_it)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_reader_that_only_sips_loses_its_place() {
    let settings = Settings {
        write_stall: Duration::from_millis(500),
        unsent_bytes: Some(64 * 1024),
        connections: 1,
        ..slow_headers()
    };
    // It would fit into the system's buffers.
    let bytes = 1024 * 1024;
    let server = Server::start(big(bytes), settings).await;
    let mut reader = server.deaf().await;
    let sip = async {
        let mut sips = tokio::time::interval(Duration::from_millis(20));
        while matches!(reader.read(&mut [0; 64]).await, Ok(1..)) {
            sips.tick().await;
        }
    };
    let again = async { while server.answer_to(CLOSING).await.len() < bytes {} };
    let place = timeout(PATIENCE, async {
        tokio::select! {
            () = again => {}
            () = async { sip.await; std::future::pending().await } => {}
        }
    });
    place.await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_answer_that_nobody_takes_leaves_the_systems_buffers_too() {
    let settings = Settings {
        headers: Duration::from_millis(100),
        untaken: Duration::from_millis(500),
        ..Settings::default()
    };
    // It fits into the buffers: for the process it is written, and the connection idle.
    let server = Server::start(big(256 * 1024), settings).await;
    let deaf = server.deaf().await;
    let client = deaf.local_addr().unwrap();
    assert!(system_has(server.address, client));
    let gone = async {
        let mut looks = tokio::time::interval(Duration::from_millis(20));
        while system_has(server.address, client) {
            looks.tick().await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
}

#[tokio::test]
async fn a_drain_closes_connections_without_a_request_at_once() {
    let server = Server::start(hello(), slow_headers()).await;
    let mut between = server.says(ASK).await;
    let mut answer = [0; 512];
    assert!(between.read(&mut answer).await.unwrap() > 0);
    let mut half_again = server.says(ASK).await;
    assert!(half_again.read(&mut answer).await.unwrap() > 0);
    half_again.write_all(HALF).await.unwrap();
    let half = server.says(HALF).await;
    let silent = server.says(b"").await;
    // Accepted in order: once this one is answered, the others are being served.
    server.answer_to(CLOSING).await;

    let begun = Instant::now();
    server.drain();
    server.ended().await;
    assert!(
        begun.elapsed() < PATIENCE / 2,
        "the headers' time is longer"
    );
    for stream in [between, half_again, half, silent] {
        assert_eq!(rest(stream).await, "");
    }
}

#[tokio::test]
async fn a_drain_lets_an_answer_under_way_finish_and_closes_then() {
    let (arrived, arrival) = oneshot::channel();
    let (release, released) = oneshot::channel::<()>();
    let once = std::sync::Arc::new(std::sync::Mutex::new(Some((arrived, released))));
    let wait = move || async move {
        let taken = once.lock().unwrap().take();
        let (arrived, released) = taken.unwrap();
        arrived.send(()).unwrap();
        released.await.unwrap();
        "done"
    };
    let router = Router::new().route("/", get(wait));
    let server = Server::start(router, slow_headers()).await;
    let asking = server.says(ASK).await;
    arrival.await.unwrap();
    server.drain();
    release.send(()).unwrap();
    let answer = rest(asking).await;
    assert!(answer.ends_with("done"), "{answer}");
    server.ended().await;
}

#[tokio::test]
async fn a_drain_lets_a_slow_reader_have_the_whole_answer() {
    let server = Server::start(big(BIG), slow_headers()).await;
    let mut slow = server.deaf().await;
    let mut begin = [0; 512];
    assert!(slow.read(&mut begin).await.unwrap() > 0);
    server.drain();
    let answer = rest(slow).await;
    assert!(answer.len() + begin.len() > BIG);
    server.ended().await;
}
