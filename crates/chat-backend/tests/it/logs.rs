//! What the service writes into its log, and what it never does.

use std::io::Write;
use std::sync::{Arc, Mutex};

use chat_types::account::{Empty, Refresh, Register, SignIn};
use chat_types::endpoint::{
    CreateSession, DeleteMessage, GetMe, ListRooms, ListSessions, PatchMessage, RefreshSession,
    RegisterAccount, SignOutEverywhere,
};
use chat_types::room::{EditMessage, ListQuery};
use chat_types::ws::SUBPROTOCOL;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::support::{PASSWORD, Socket, TestApp, handshake};

/// A log that a test can read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");
const ADDRESS: &str = "203.0.113.77";
const WORDS: &str = "words that only readers of the room may see";

#[tokio::test]
async fn no_text_password_token_or_address_is_in_the_log() {
    let mut app = TestApp::start_with(&[("--trusted-proxies", "1")]).await;
    let forwarded = HeaderMap::from_iter([(FORWARDED, HeaderValue::from_static(ADDRESS))]);
    let client = reqwest::Client::builder().default_headers(forwarded);
    app.http = client.build().unwrap();
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(move || writer.clone())
        .finish();
    // Server and clients run on the thread of this test; others only hash passwords and run the
    // database's statements, and log nothing.
    let _logged = tracing::subscriber::set_default(subscriber);

    let mut secrets = vec![ADDRESS.to_owned(), WORDS.to_owned(), PASSWORD.to_owned()];
    let guest = app.guest("mina").await;
    let register = Register {
        username: "mina_kim".to_owned(),
        password: PASSWORD.to_owned(),
        name: None,
    };
    let mina = guest.call::<RegisterAccount>(&[], register).await.unwrap();
    let mina = guest.signed_in(mina);
    let wrong = SignIn {
        username: "mina_kim".to_owned(),
        password: WORDS.to_owned(),
    };
    app.visitor()
        .call::<CreateSession>(&[], wrong)
        .await
        .err()
        .unwrap();

    let room = mina.open_page("blog", "/log").await.room.id;
    let mut request = handshake(app.address, None, Some(SUBPROTOCOL));
    let headers = request.headers_mut();
    headers.insert(FORWARDED, HeaderValue::from_static(ADDRESS));
    let mut socket = Socket::open(request).await;
    socket.hello(Some(mina.token())).await;
    socket.follow(room).await;
    let sent = socket.say(room, WORDS).await;
    let edit = EditMessage {
        body: format!("{WORDS}!"),
    };
    mina.call::<PatchMessage>(&[&room, &sent.id], edit)
        .await
        .unwrap();
    mina.history(room).await.unwrap();
    mina.call::<DeleteMessage>(&[&room, &sent.id], Empty {})
        .await
        .unwrap();
    socket.send_text(&format!(r#"{{"t":"{WORDS}"}}"#)).await;
    for path in ["/v1/guests", "/v1/sessions"] {
        let request = app.http.post(app.url(path)).body(WORDS);
        let request = request.header("content-type", "application/json");
        request.send().await.unwrap();
    }
    mina.call::<GetMe>(&[], Empty {}).await.unwrap();
    mina.call::<ListSessions>(&[], Empty {}).await.unwrap();
    mina.request::<ListRooms>(&[], ListQuery::default(), Empty {})
        .await
        .unwrap();

    let mut token = mina.login().tokens.refresh_token.clone();
    for login in [&guest, &mina] {
        secrets.push(login.token().to_owned());
        secrets.push(login.login().tokens.refresh_token.clone());
    }
    let first = token.clone();
    for _ in 0..2 {
        let refresh = Refresh {
            refresh_token: token,
        };
        let renewed = mina.call::<RefreshSession>(&[], refresh).await.unwrap();
        token = renewed.tokens.refresh_token;
        secrets.push(renewed.tokens.access_token);
        secrets.push(token.clone());
    }
    let reused = Refresh {
        refresh_token: first,
    };
    mina.call::<RefreshSession>(&[], reused)
        .await
        .err()
        .unwrap();
    socket.close_code().await;
    mina.call::<SignOutEverywhere>(&[], Empty {})
        .await
        .err()
        .unwrap();

    let text = log.text();
    assert!(text.matches("request answered").count() > 12, "{text}");
    assert!(text.contains("used twice") && text.contains("request refused"));
    for secret in secrets {
        assert!(!text.contains(&secret), "`{secret}` is in the log");
    }
}

#[tokio::test]
async fn a_request_is_found_by_the_trace_that_it_belongs_to() {
    let app = TestApp::start().await;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::INFO)
        .with_writer(move || writer.clone())
        .finish();
    let _logged = tracing::subscriber::set_default(subscriber);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let ask = app.http.get(app.url("/v1/meta"));
    let answer = ask.header("traceparent", parent).send().await.unwrap();
    let id = answer.headers()["x-request-id"].to_str().unwrap();
    let text = log.text();
    let line = text.lines().find(|line| line.contains("request answered"));
    let line: serde_json::Value = serde_json::from_str(line.expect("a line")).unwrap();
    assert_eq!(line["span"]["request_id"], id);
    assert_eq!(line["span"]["trace_id"], trace);
}
