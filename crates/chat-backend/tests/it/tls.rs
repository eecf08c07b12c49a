//! The API and its sockets over TLS, and the health check beside them.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use chat_backend::shutdown::Settings;
use chat_store_sqlite::SqliteStore;
use chat_testbed::{Authority, Pair, Valid};
use chat_types::ws::SUBPROTOCOL;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{ORIGIN, PATIENCE, Program, Socket, TestApp, handshake};

/// The files of a certificate that is valid now.
fn pair(authority: &Authority, folder: &Path) -> (String, String) {
    let Pair { certificate, key } = authority.issue(Valid::Now, folder).unwrap();
    let text = |path: std::path::PathBuf| path.to_str().unwrap().to_owned();
    (text(certificate), text(key))
}

/// A node over TLS and one without, on one store.
struct Secured {
    app: TestApp,
    plain: TestApp,
    authority: Authority,
    _folder: tempfile::TempDir,
}

impl Secured {
    async fn start(own: &[(&str, &str)]) -> Self {
        let authority = Authority::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = pair(&authority, folder.path());
        let mut arguments = vec![
            ("--tls-cert-file", certificate.as_str()),
            ("--tls-key-file", key.as_str()),
        ];
        arguments.extend(own);
        let store = Arc::new(SqliteStore::open_temporary().await.unwrap());
        Self {
            app: TestApp::start_on(store.clone(), &arguments).await,
            plain: TestApp::start_on(store, &[]).await,
            authority,
            _folder: folder,
        }
    }

    async fn connect(&self) -> TlsStream<TcpStream> {
        let tcp = TcpStream::connect(self.app.address).await.unwrap();
        let connector = TlsConnector::from(self.authority.client());
        let name = "localhost".try_into().unwrap();
        connector.connect(name, tcp).await.unwrap()
    }

    async fn socket(&self, token: Option<&str>) -> Socket<TlsStream<TcpStream>> {
        let request = handshake(self.app.address, Some(ORIGIN), Some(SUBPROTOCOL));
        let mut socket = Socket::open_on(self.connect().await, request).await;
        socket.hello(token).await;
        socket
    }
}

#[tokio::test]
async fn the_api_answers_over_tls_and_browsers_stay_with_it() {
    let secured = Secured::start(&[]).await;
    let mut stream = secured.connect().await;
    let ask = b"GET /v1/meta HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(ask).await.unwrap();
    let mut answer = String::new();
    let reading = stream.read_to_string(&mut answer);
    timeout(PATIENCE, reading).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("strict-transport-security"), "{answer}");
    let plain = secured.plain.http.get(secured.plain.url("/v1/meta"));
    let plain = plain.send().await.unwrap();
    assert!(!plain.headers().contains_key("strict-transport-security"));
}

#[tokio::test]
async fn people_talk_over_tls_until_the_drain_tells_them_to_come_back() {
    let secured = Secured::start(&[]).await;
    let mina = secured.plain.guest("mina").await;
    let room = mina.open_page("blog", "/tls").await.room.id;
    let mut writer = secured.socket(Some(mina.token())).await;
    let mut reader = secured.socket(None).await;
    writer.follow(room).await;
    reader.follow(room).await;
    let long = "사랑방 ".repeat(400);
    for n in 0..20 {
        let text = format!("{n} {long}").trim_end().to_owned();
        writer.say(room, &text).await;
        assert_eq!(reader.heard(room).await, text);
    }
    // Many times what a session keeps: the end of it has to be flushed.
    let mut late = secured.socket(None).await;
    assert_eq!(late.follow(room).await.messages.len(), 20);
    let state = secured.app.state.clone();
    let ending = tokio::spawn(async move {
        let settings = Settings {
            window: std::time::Duration::from_millis(300),
            grace: PATIENCE,
            ..Settings::default()
        };
        state.lifecycle.shut_down(&state.hub, &settings).await
    });
    for socket in [&mut writer, &mut reader, &mut late] {
        assert_eq!(socket.close_code().await, 1012);
    }
    drop((writer, reader, late));
    assert!(ending.await.unwrap(), "every task has ended");
}

#[tokio::test]
async fn a_socket_keeps_the_place_of_its_connection() {
    let secured = Secured::start(&[("--limit-connections", "1")]).await;
    let socket = secured.socket(None).await;
    let refused = async {
        let tcp = TcpStream::connect(secured.app.address).await?;
        let name = "localhost".try_into().unwrap();
        TlsConnector::from(secured.authority.client())
            .connect(name, tcp)
            .await
    };
    assert!(refused.await.is_err(), "one too many");
    drop(socket);
    let again = async {
        loop {
            let tcp = TcpStream::connect(secured.app.address).await.unwrap();
            let name = "localhost".try_into().unwrap();
            let connector = TlsConnector::from(secured.authority.client());
            if connector.connect(name, tcp).await.is_ok() {
                return;
            }
        }
    };
    timeout(PATIENCE, again).await.unwrap();
}

/// Runs the health check of the program with this admin address.
fn healthcheck(admin: &str) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_chat-backend"));
    program.env_clear().env("CHAT_ADMIN_ADDR", admin);
    program.arg("healthcheck").output().unwrap()
}

#[test]
fn the_health_check_says_by_its_exit_code_whether_the_service_is_ready() {
    let authority = Authority::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = pair(&authority, folder.path());
    let tls = [
        ("TLS_CERT_FILE", certificate.as_str()),
        ("TLS_KEY_FILE", key.as_str()),
    ];
    for secured in [&[][..], &tls] {
        let long_drain = [("CHAT_DRAIN_DELAY_MS", "60000")];
        let program = Program::start(&[secured, &long_drain].concat(), "true");
        let (_, admin) = program.serving_at();
        assert_eq!(healthcheck(&admin).status.code(), Some(0));
        program.terminate();
        program.says("draining");
        let drained = healthcheck(&admin);
        assert_eq!(drained.status.code(), Some(1));
        let said = String::from_utf8_lossy(&drained.stderr).into_owned();
        assert!(said.contains("is not ready: draining"), "{said}");
    }
}
