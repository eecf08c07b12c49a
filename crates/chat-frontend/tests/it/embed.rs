//! What stands in the frame of another site's page.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use chat_testbed::{Authority, Valid};

use crate::support::FrontEnd;

/// An API that knows the site `blog`, on a thread that ends with the test's process.
fn api() -> String {
    let address = serve(Ok);
    format!("http://{address}")
}

/// Such an API over what `secure` makes of each connection.
fn serve<S: Read + Write>(
    secure: impl Fn(TcpStream) -> std::io::Result<S> + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // Who does not trust it goes away.
            let _ = secure(stream.unwrap()).and_then(answer);
        }
    });
    address
}

fn answer(stream: impl Read + Write) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let (status, body) = if line.contains("/v1/sites/blog ") {
        (
            "200 OK",
            r#"{"key":"blog","origins":["https://blog.example"]}"#,
        )
    } else {
        ("404 Not Found", "{}")
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close");
    let stream = stream.get_mut();
    write!(
        stream,
        "{head}\r\ncontent-type: application/json\r\n\r\n{body}"
    )?;
    stream.flush()
}

fn start(api: &str, own: &[(&str, &str)]) -> FrontEnd {
    let api = [("CHAT_FRONTEND_API_INTERNAL_URL", api)];
    FrontEnd::start(&[&api, own].concat())
}

/// Nobody listens there.
const NO_API: &str = "http://127.0.0.1:9";

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let (head, _) = answer.split_once("\r\n\r\n").unwrap();
    head.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn a_known_site_may_frame_its_rooms() {
    let front_end = start(&api(), &[]);
    let answer = front_end.get("/embed/blog/x", "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let policy = header(&answer, "content-security-policy").unwrap();
    assert!(
        policy.contains("frame-ancestors https://blog.example;"),
        "{policy}"
    );
}

#[test]
fn an_api_over_tls_is_asked_where_its_authority_is_trusted() {
    let authority = Authority::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let pair = authority.issue(Valid::Now, folder.path()).unwrap();
    let config = pair.server().unwrap();
    let port = serve(move |tcp| chat_testbed::accept(&config, tcp)).port();
    let api = format!("https://localhost:{port}");
    let root = folder.path().join("root.crt");
    std::fs::write(&root, authority.certificate()).unwrap();
    let stranger = folder.path().join("stranger.crt");
    std::fs::write(&stranger, Authority::new().unwrap().certificate()).unwrap();
    for (trusted, status) in [(root, "HTTP/1.1 200"), (stranger, "HTTP/1.1 503")] {
        let trusting = [("SSL_CERT_FILE", trusted.to_str().unwrap())];
        let answer = start(&api, &trusting).get("/embed/blog/x", "");
        assert!(answer.starts_with(status), "{answer}");
    }
}

#[test]
fn a_frame_without_a_room_says_why_in_the_readers_language_and_theme() {
    let front_end = start(&api(), &[]);
    for (path, language, tag, words) in [
        (
            "/embed/nope/x",
            "ko-KR,ko",
            "ko",
            "이 주소에는 대화방이 없어요.",
        ),
        (
            "/embed/nope/x",
            "en-US",
            "en",
            "There is no room at this address.",
        ),
        (
            "/embed/No%20key/x",
            "en",
            "en",
            "There is no room at this address.",
        ),
    ] {
        let answer = front_end.get(path, &format!("Accept-Language: {language}"));
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        assert!(answer.contains(words), "{answer}");
        assert!(!answer.contains("<!></title>"), "a title is text: {answer}");
        assert!(
            answer.contains(&format!("<html lang=\"{tag}\"")),
            "{answer}"
        );
        assert!(answer.contains("href=\"/assets/style.css\""), "{answer}");
        assert!(
            header(&answer, "content-type")
                .unwrap()
                .starts_with("text/html")
        );
        assert_eq!(header(&answer, "refresh"), None, "it would not help");
    }
    let dark = front_end.get("/embed/nope/x?theme=dark", "");
    assert!(dark.contains("data-theme=\"dark\""), "{dark}");
}

#[test]
fn a_frame_whose_api_is_away_tries_again_by_itself_without_a_script() {
    let front_end = start(NO_API, &[]);
    let answer = front_end.get("/embed/blog/x", "Accept-Language: ko");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("방을 열지 못했어요"), "{answer}");
    for name in ["refresh", "retry-after"] {
        let seconds: u64 = header(&answer, name).unwrap().parse().unwrap();
        assert!((20..40).contains(&seconds), "{name} {seconds}");
    }
    assert_eq!(header(&answer, "cache-control"), Some("no-store"));
    let policy = header(&answer, "content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors *"));
    assert!(
        !policy.contains("script-src") && !answer.contains("<script"),
        "{answer}"
    );
}

#[test]
fn guessed_keys_cost_an_address_its_lookups_and_nobody_their_room() {
    let front_end = start(&api(), &[("CHAT_FRONTEND_LIMIT_LOOKUPS", "2")]);
    for (site, status) in [
        ("blog", 200),
        ("a", 404),
        ("b", 404),
        ("c", 429),
        ("blog", 200),
    ] {
        let answer = front_end.get(&format!("/embed/{site}/x"), "");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{site}: {answer}"
        );
    }
}

#[test]
fn behind_a_proxy_lookups_are_counted_by_the_visitor() {
    let own = [
        ("CHAT_FRONTEND_LIMIT_LOOKUPS", "1"),
        ("CHAT_FRONTEND_TRUSTED_PROXIES", "1"),
    ];
    let front_end = start(&api(), &own);
    for (site, visitor, status) in [
        ("a", "192.0.2.1", 404),
        ("b", "192.0.2.1", 429),
        ("b", "192.0.2.2", 404),
    ] {
        let path = format!("/embed/{site}/x");
        let answer = front_end.get(&path, &format!("X-Forwarded-For: {visitor}"));
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{visitor}: {answer}"
        );
    }
}
