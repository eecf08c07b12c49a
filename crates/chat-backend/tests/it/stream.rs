//! The event stream, for where WebSockets are blocked.

use chat_types::account::Empty;
use chat_types::endpoint::SignOutEverywhere;
use chat_types::id::RoomId;
use chat_types::room::RoomKind;
use chat_types::ws::ServerDoc;
use tokio::time::timeout;

use crate::support::{PATIENCE, TestApp, body_of};

struct Stream {
    response: reqwest::Response,
    text: String,
}

impl Stream {
    async fn open(app: &TestApp, room: RoomId, token: Option<&str>, after: Option<&str>) -> Self {
        let mut request = app.http.get(app.url(&format!("/v1/rooms/{room}/stream")));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(after) = after {
            request = request.header("last-event-id", after);
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

    /// The id and the data of the next event.
    async fn event(&mut self) -> (String, String) {
        self.next(|block| {
            let (id, data) = block.strip_prefix("id: ")?.split_once("\ndata: ")?;
            Some((id.to_owned(), data.to_owned()))
        })
        .await
        .expect("an event")
    }

    /// Whether the stream begins with the word to load the room afresh.
    async fn is_told_to_load_afresh(&mut self) -> bool {
        let first = self.next(|block| (!block.starts_with("retry: ")).then(|| block.to_owned()));
        let is_resync = |block: String| block.starts_with("event: resync\n");
        first.await.is_some_and(is_resync)
    }
}

fn body(data: &str) -> String {
    match serde_json::from_str(data).unwrap() {
        ServerDoc::Ev(event) => body_of(&event.change).expect("a message"),
        _ => panic!("{data}"),
    }
}

#[tokio::test]
async fn the_stream_has_the_documents_of_the_socket_and_cursors_as_ids() {
    let app = TestApp::start().await;
    let mina = app.account("mina").await;
    let room = mina.room(RoomKind::Public, "open").await;
    let mut socket = app.socket(None).await;
    let epoch = socket.follow(room).await.epoch.0;
    let mut stream = Stream::open(&app, room, None, None).await;
    let sent = mina.send(room, "both").await.unwrap();
    let (id, data) = stream.event().await;
    assert_eq!(id, format!("{}.{epoch}", sent.seq));
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
    let mut stream = Stream::open(&app, room, None, None).await;
    mina.send(room, "known").await.unwrap();
    let (known, _) = stream.event().await;
    drop(stream);
    mina.send(room, "missed").await.unwrap();
    let mut stream = Stream::open(&app, room, None, Some(&known)).await;
    assert_eq!(body(&stream.event().await.1), "missed");
    mina.send(room, "live").await.unwrap();
    assert_eq!(body(&stream.event().await.1), "live");
}

#[tokio::test]
async fn a_place_that_cannot_be_resumed_is_told() {
    let app = TestApp::start().await;
    let mina = app.account("mina").await;
    let room = mina.room(RoomKind::Public, "open").await;
    let known = mina.send(room, "known").await.unwrap().seq;
    let epoch = mina.history(room).await.unwrap().epoch.0;
    let mut last = None;
    for id in [
        format!("9999.{epoch}"),
        format!("{known}.another"),
        known.to_string(),
    ] {
        let mut stream = Stream::open(&app, room, None, Some(&id)).await;
        assert!(stream.is_told_to_load_afresh().await, "{id}");
        last = Some(stream);
    }
    mina.send(room, "after").await.unwrap();
    assert_eq!(body(&last.unwrap().event().await.1), "after");
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
