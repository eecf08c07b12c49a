//! TLS on a real port, with real clients and certificates that are made for the test.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chat_listener::{Settings, Tls, TlsError};
use chat_testbed::{Authority, Pair, Valid};
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;

use crate::{ASK, BIG, CLOSING, HALF, PATIENCE, Server, big, hello, rest, slow_headers};

/// How often the tests' servers look at the files.
const RELOAD: Duration = Duration::from_millis(20);
/// What a server answers to who asks for `hello`.
const HELLO: &str = "HTTP/1.1 200";

/// A server with a certificate, and who trusts it.
struct Secured {
    server: Server,
    authority: Authority,
    folder: tempfile::TempDir,
}

fn tls(pair: &Pair) -> Result<Option<Tls>, TlsError> {
    Tls::of_files(Some(&pair.certificate), Some(&pair.key), RELOAD)
}

impl Secured {
    async fn start(router: axum::Router, settings: Settings) -> Self {
        let authority = Authority::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let pair = authority.issue(Valid::Now, folder.path()).unwrap();
        let tls = tls(&pair).unwrap();
        Self {
            server: Server::start_with(router, settings, tls).await,
            authority,
            folder,
        }
    }

    /// Anew, so that no earlier connection is resumed.
    fn client(&self) -> Arc<ClientConfig> {
        self.authority.client()
    }

    async fn connect(&self) -> std::io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(self.server.address).await?;
        handshake(self.client(), tcp).await
    }

    async fn says(&self, bytes: &[u8]) -> TlsStream<TcpStream> {
        let mut stream = self.connect().await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    /// What the server answers, as soon as it has a place.
    async fn answer_to(&self, bytes: &[u8]) -> String {
        let asking = async {
            loop {
                let Ok(mut stream) = self.connect().await else {
                    continue;
                };
                if stream.write_all(bytes).await.is_ok() {
                    return rest(stream).await;
                }
            }
        };
        timeout(PATIENCE, asking).await.unwrap()
    }
}

async fn handshake(
    client: Arc<ClientConfig>,
    tcp: TcpStream,
) -> std::io::Result<TlsStream<TcpStream>> {
    let name = "localhost".try_into().unwrap();
    TlsConnector::from(client).connect(name, tcp).await
}

/// The certificate that the server showed.
fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    let certificates = stream.get_ref().1.peer_certificates().unwrap();
    certificates[0].to_vec()
}

#[tokio::test]
async fn an_answer_over_tls_tells_browsers_to_stay_with_it() {
    let secured = Secured::start(hello(), Settings::default()).await;
    let stream = secured.says(CLOSING).await;
    let protocol = stream.get_ref().1.alpn_protocol();
    assert_eq!(protocol, Some(&b"http/1.1"[..]));
    let answer = rest(stream).await;
    assert!(answer.starts_with(HELLO), "{answer}");
    let hsts = "strict-transport-security: max-age=31536000";
    assert!(answer.contains(hsts), "{answer}");
    assert!(answer.ends_with("hello"), "{answer}");

    let plain = Server::start(hello(), Settings::default()).await;
    let answer = plain.answer_to(CLOSING).await;
    assert!(!answer.contains("strict-transport-security"), "{answer}");
}

#[tokio::test]
async fn a_client_that_wants_another_protocol_is_refused() {
    let secured = Secured::start(hello(), Settings::default()).await;
    let mut client = ClientConfig::clone(&secured.client());
    client.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = TcpStream::connect(secured.server.address).await.unwrap();
    assert!(handshake(Arc::new(client), tcp).await.is_err());
}

#[tokio::test]
async fn a_big_answer_arrives_whole() {
    let secured = Secured::start(big(BIG), Settings::default()).await;
    let answer = secured.answer_to(CLOSING).await;
    assert!(answer.len() > BIG);
}

#[tokio::test]
async fn plain_http_on_the_port_of_tls_is_told_so() {
    let secured = Secured::start(hello(), Settings::default()).await;
    let answer = secured.server.answer_to(ASK).await;
    let expected = StatusCode::BAD_REQUEST.as_str();
    assert!(
        answer.starts_with(&format!("HTTP/1.1 {expected}")),
        "{answer}"
    );
    assert!(answer.ends_with("use https\n"), "{answer}");
}

#[tokio::test]
async fn a_handshake_that_does_not_end_holds_no_place_for_longer_than_headers_may() {
    let settings = Settings {
        headers: Duration::from_millis(200),
        connections: 1,
        ..Settings::default()
    };
    let secured = Secured::start(hello(), settings).await;
    // Nothing; the head of a record that does not come; a record that says it is long.
    for begun in [&b""[..], &[22], &[22, 3, 1, 2, 0, 1, 0, 1, 252]] {
        let held = secured.server.says(begun).await;
        assert_eq!(rest(held).await, "", "cut by the server");
        assert!(secured.answer_to(CLOSING).await.starts_with(HELLO));
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut_in_time() {
    let settings = Settings {
        headers: Duration::from_millis(200),
        ..Settings::default()
    };
    let secured = Secured::start(hello(), settings).await;
    for started in [&b""[..], HALF] {
        let answer = rest(secured.says(started).await).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"));
    }
}

#[tokio::test]
async fn handshakes_and_requests_share_the_places() {
    let settings = Settings {
        connections: 2,
        ..slow_headers()
    };
    let secured = Secured::start(hello(), settings).await;
    let half_open = secured.server.says(&[22, 3, 1]).await;
    let mut asked = secured.says(ASK).await;
    assert!(asked.read(&mut [0; 512]).await.unwrap() > 0);
    assert!(secured.connect().await.is_err(), "one too many");
    drop(half_open);
    assert!(secured.answer_to(CLOSING).await.starts_with(HELLO));
}

#[tokio::test]
async fn a_reader_that_takes_nothing_loses_its_place() {
    let settings = Settings {
        write_stall: Duration::from_millis(200),
        connections: 1,
        ..Settings::default()
    };
    let secured = Secured::start(big(BIG), settings).await;
    let tcp = secured.server.connect_deaf().await;
    let mut deaf = handshake(secured.client(), tcp).await.unwrap();
    deaf.write_all(ASK).await.unwrap();
    assert!(secured.answer_to(CLOSING).await.len() > BIG);
}

#[tokio::test]
async fn a_drain_ends_handshakes_at_once_and_answers_before_it_closes() {
    let secured = Secured::start(big(BIG), slow_headers()).await;
    let half_open = secured.server.says(&[22, 3, 1]).await;
    let mut reading = secured.says(ASK).await;
    assert!(reading.read(&mut [0; 512]).await.unwrap() > 0);
    secured.server.drain();
    assert!(rest(reading).await.len() > BIG - 512);
    assert_eq!(rest(half_open).await, "");
    secured.server.ended().await;
}

/// Connects until the server shows another certificate than this one.
async fn renewed(secured: &Secured, before: &[u8]) -> TlsStream<TcpStream> {
    let renewing = async {
        loop {
            let stream = secured.connect().await.unwrap();
            if shown(&stream) != before {
                return stream;
            }
        }
    };
    timeout(PATIENCE, renewing).await.unwrap()
}

#[tokio::test]
async fn a_renewed_certificate_is_for_new_connections_and_cuts_no_open_one() {
    let secured = Secured::start(hello(), slow_headers()).await;
    let mut open = secured.says(ASK).await;
    assert!(open.read(&mut [0; 512]).await.unwrap() > 0);
    let before = shown(&open);
    let folder = secured.folder.path();
    secured.authority.issue(Valid::Now, folder).unwrap();
    let mut fresh = renewed(&secured, &before).await;
    for stream in [&mut open, &mut fresh] {
        stream.write_all(ASK).await.unwrap();
        assert!(stream.read(&mut [0; 512]).await.unwrap() > 0);
    }
}

/// A renewal of which only the key is there yet.
fn swap_key(authority: &Authority, folder: &Path) {
    let pair = authority.issue(Valid::Now, folder).unwrap();
    let certificate = std::fs::read(&pair.certificate).unwrap();
    authority.issue(Valid::Now, folder).unwrap();
    std::fs::write(&pair.certificate, certificate).unwrap();
}

#[test]
fn files_that_cannot_be_used_are_refused_with_an_instruction() {
    let authority = Authority::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let issue = |valid| authority.issue(valid, folder.path()).unwrap();
    let refusal = |pair: &Pair| tls(pair).err().expect("it is refused").to_string();
    let says = |pair: &Pair, words: &[&str]| {
        let said = refusal(pair);
        for words in words {
            assert!(said.contains(words), "expected `{words}` in: {said}");
        }
    };

    says(
        &issue(Valid::Before),
        &["TLS_CERT_FILE expired", "renew it"],
    );
    says(&issue(Valid::Later), &["not valid yet", "clock"]);
    let pair = issue(Valid::Now);
    assert!(tls(&pair).unwrap().is_some());
    let swapped = Pair {
        certificate: pair.key.clone(),
        key: pair.certificate.clone(),
    };
    says(&swapped, &["TLS_CERT_FILE holds no certificate"]);
    let no_key = Pair {
        key: pair.certificate.clone(),
        ..pair.clone()
    };
    says(
        &no_key,
        &["TLS_KEY_FILE holds no private key", "not encrypted"],
    );
    swap_key(&authority, folder.path());
    says(&pair, &["is not that of", "name the two files"]);
    std::fs::remove_file(&pair.key).unwrap();
    says(&pair, &["TLS_KEY_FILE cannot be read", "tls.key"]);
}

#[test]
fn one_file_without_the_other_is_refused_and_neither_is_plain_http() {
    let file = Path::new("tls.pem");
    for (certificate, key) in [(Some(file), None), (None, Some(file))] {
        let refused = Tls::of_files(certificate, key, RELOAD);
        assert!(matches!(refused, Err(TlsError::Half)));
    }
    assert!(Tls::of_files(None, None, RELOAD).unwrap().is_none());
}
