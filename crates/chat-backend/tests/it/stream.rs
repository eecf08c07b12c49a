//! The event stream, for where WebSockets are blocked.

use chat_types::account::Empty;
use chat_types::endpoint::SignOutEverywhere;
use chat_types::id::{RoomId, Seq};
use chat_types::room::RoomKind;
use chat_types::ws::ServerDoc;
use tokio::time::timeout;

use crate::support::{PATIENCE, TestApp, body_of};

struct Stream {
    response: reqwest::Response,
    text: String,
}

impl Stream {
    async fn open(app: &TestApp, room: RoomId, token: Option<&str>, since: Option<Seq>) -> Self {
        let mut request = app.http.get(app.url(&format!("/v1/rooms/{room}/stream")));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(since) = since {
            request = request.header("last-event-id", since.to_string());
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            text: String::new(),
        }
    }

    /// The next block of the stream that `wanted` picks; `None` at its end.
    async fn next<T>(&mut self, wanted: impl Fn(&str) -> Option<T>) -> Option<T> {
        timeout(PATIENCE, async {
            loop {
                while let Some((block, rest)) = self.text.split_once("\n\n") {
                    let (picked, rest) = (wanted(block), rest.to_owned());
                    self.text = rest;
                    if picked.is_some() {
                        return picked;
                    }
                }
                let chunk = self.response.chunk().await.ok().flatten()?;
                self.text.push_str(std::str::from_utf8(&chunk).unwrap());
            }
        })
        .await
        .expect("the stream goes on")
    }

    async fn event(&mut self) -> (Seq, String) {
        self.next(|block| {
            let (id, data) = block.strip_prefix("id: ")?.split_once("\ndata: ")?;
            Some((Seq(id.parse().unwrap()), data.to_owned()))
        })
        .await
        .expect("an event")
    }
}

fn body(data: &str) -> String {
    match serde_json::from_str(data).unwrap() {
        ServerDoc::Ev(event) => body_of(&event.change).expect("a message"),
        _ => panic!("{data}"),
    }
}

#[tokio::test]
async fn the_stream_has_the_documents_of_the_socket_and_the_seq_as_id() {
    let app = TestApp::start().await;
    let mina = app.account("mina").await;
    let room = mina.room(RoomKind::Public, "open").await;
    let mut socket = app.socket(None).await;
    socket.follow(room).await;
    let mut stream = Stream::open(&app, room, None, None).await;
    let sent = mina.send(room, "both").await.unwrap();
    let (id, data) = stream.event().await;
    assert_eq!(id, sent.seq);
    assert_eq!(body(&data), "both");
    loop {
        let text = socket.next_text().await;
        if matches!(serde_json::from_str(&text).unwrap(), ServerDoc::Ev(_)) {
            assert_eq!(text, data, "byte for byte");
            break;
        }
    }
}

#[tokio::test]
async fn a_stream_resumes_after_its_last_event() {
    let app = TestApp::start().await;
    let mina = app.account("mina").await;
    let room = mina.room(RoomKind::Public, "open").await;
    let known = mina.send(room, "known").await.unwrap();
    mina.send(room, "missed").await.unwrap();
    let mut stream = Stream::open(&app, room, None, Some(known.seq)).await;
    assert_eq!(body(&stream.event().await.1), "missed");
    mina.send(room, "live").await.unwrap();
    assert_eq!(body(&stream.event().await.1), "live");
}

#[tokio::test]
async fn a_place_that_cannot_be_resumed_is_told() {
    let app = TestApp::start().await;
    let mina = app.account("mina").await;
    let room = mina.room(RoomKind::Public, "open").await;
    let mut stream = Stream::open(&app, room, None, Some(Seq(9_999))).await;
    let resync = stream
        .next(|block| block.starts_with("event: resync\n").then_some(()))
        .await;
    assert!(resync.is_some());
    let sent = mina.send(room, "after").await.unwrap();
    assert_eq!(stream.event().await.0, sent.seq);
}

#[tokio::test]
async fn a_private_room_streams_to_its_members_until_their_session_ends() {
    let app = TestApp::start().await;
    let mina = app.account("mina").await;
    let room = mina.room(RoomKind::Private, "ours").await;
    let url = app.url(&format!("/v1/rooms/{room}/stream"));
    assert_eq!(app.http.get(&url).send().await.unwrap().status(), 404);
    let mut stream = Stream::open(&app, room, Some(mina.token()), None).await;
    mina.send(room, "secret").await.unwrap();
    assert_eq!(body(&stream.event().await.1), "secret");
    mina.call::<SignOutEverywhere>(&[], Empty {}).await.unwrap();
    let end = stream
        .next(|block| block.starts_with("id: ").then_some(()))
        .await;
    assert!(end.is_none());
}

#[tokio::test]
async fn a_quiet_stream_is_kept_alive() {
    let app = TestApp::start_with(&[("--ping-ms", "100")]).await;
    let mina = app.account("mina").await;
    let room = mina.room(RoomKind::Public, "open").await;
    let mut stream = Stream::open(&app, room, None, None).await;
    for _ in 0..3 {
        assert!(
            stream
                .next(|block| block.starts_with(':').then_some(()))
                .await
                .is_some()
        );
    }
}
