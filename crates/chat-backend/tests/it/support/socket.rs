//! A socket of a real client. `expect` waits for the document a test is about and fails, with what
//! came instead, when it does not come in time.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use chat_types::event::{Change, Content, Event};
use chat_types::id::{Epoch, RequestId, RoomId, Seq};
use chat_types::room::Sent;
use chat_types::ws::{ClientInfo, Command, SUBPROTOCOL, ServerDoc, Subbed, Welcome};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::{TestApp, new_client_id};

/// Longer than anything that works takes, also on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// One open socket, over TCP or over TLS.
pub struct Socket<S = TcpStream> {
    pub stream: WebSocketStream<S>,
    documents: VecDeque<String>,
    /// Events that came before what was waited for.
    kept: VecDeque<String>,
    next_id: u64,
}

/// A handshake for the socket of `address`, from the front end's origin.
pub fn handshake(address: SocketAddr, origin: Option<&str>, protocol: Option<&str>) -> Request {
    let url = format!("ws://{address}/v1/ws");
    let mut request = url.into_client_request().unwrap();
    let headers = request.headers_mut();
    if let Some(origin) = origin {
        headers.insert("origin", origin.parse().unwrap());
    }
    if let Some(protocol) = protocol {
        headers.insert("sec-websocket-protocol", protocol.parse().unwrap());
    }
    request
}

impl TestApp {
    /// A socket that has said nothing.
    pub async fn connect(&self) -> Socket {
        Socket::open(handshake(self.address, None, Some(SUBPROTOCOL))).await
    }

    /// A socket whose `hello` was accepted; a visitor's without a token.
    pub async fn socket(&self, token: Option<&str>) -> Socket {
        let mut socket = self.connect().await;
        socket.hello(token).await;
        socket
    }
}

impl Socket {
    pub async fn open(request: Request) -> Self {
        let port = request.uri().port_u16().unwrap();
        let tcp = TcpStream::connect((request.uri().host().unwrap(), port)).await;
        Self::open_on(tcp.unwrap(), request).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    pub async fn open_on(stream: S, request: Request) -> Self {
        let (stream, _) = client_async(request, stream).await.unwrap();
        Self {
            stream,
            documents: VecDeque::new(),
            kept: VecDeque::new(),
            next_id: 1,
        }
    }

    pub fn id(&mut self) -> RequestId {
        self.next_id += 1;
        RequestId(self.next_id)
    }

    pub async fn send(&mut self, command: &Command) {
        self.send_text(&serde_json::to_string(command).unwrap())
            .await;
    }

    pub async fn send_text(&mut self, text: &str) {
        self.stream.send(Message::text(text)).await.unwrap();
    }

    pub async fn hello(&mut self, token: Option<&str>) -> Box<Welcome> {
        let hello = hello(token);
        self.send(&hello).await;
        self.expect("welcome", |doc| match doc {
            ServerDoc::Welcome(welcome) => Some(welcome),
            _ => None,
        })
        .await
    }

    /// Follows a room from its newest 100 messages.
    pub async fn follow(&mut self, room: RoomId) -> Box<Subbed> {
        self.subscribe(room, None, 100).await
    }

    /// Follows a room again, after what is known.
    pub async fn resume(&mut self, room: RoomId, epoch: &Epoch, since: Seq) -> Box<Subbed> {
        self.subscribe(room, Some((epoch.clone(), since)), 0).await
    }

    async fn subscribe(
        &mut self,
        room: RoomId,
        cursor: Option<(Epoch, Seq)>,
        tail: u32,
    ) -> Box<Subbed> {
        let id = self.id();
        let (epoch, since) = cursor.unzip();
        self.send(&Command::Sub {
            id,
            room,
            epoch,
            since,
            tail,
        })
        .await;
        let subbed = self.expect("subbed", |doc| match doc {
            ServerDoc::Subbed(subbed) if subbed.id == id => Some(subbed),
            ServerDoc::Err(err) if err.id == Some(id) => panic!("{err:?}"),
            _ => None,
        });
        let subbed = subbed.await;
        // What came before belongs to the reading before.
        self.kept.clear();
        subbed
    }

    /// Sends a message and waits for its acknowledgement.
    pub async fn say(&mut self, room: RoomId, body: &str) -> Sent {
        let id = self.say_later(room, body).await;
        self.expect("ok", |doc| match doc {
            ServerDoc::Ok(ok) if ok.id == id => ok.sent,
            ServerDoc::Err(err) if err.id == Some(id) => panic!("{err:?}"),
            _ => None,
        })
        .await
    }

    /// Sends a message and waits for nothing.
    pub async fn say_later(&mut self, room: RoomId, body: &str) -> RequestId {
        let id = self.id();
        self.send(&Command::Send {
            id,
            room,
            client_id: new_client_id(),
            body: body.to_owned(),
            reply_to: None,
        })
        .await;
        id
    }

    /// The error that answers a request.
    pub async fn refusal(&mut self, id: RequestId) -> chat_types::ws::Err {
        self.expect("err", |doc| match doc {
            ServerDoc::Err(err) if err.id == Some(id) => Some(err),
            ServerDoc::Ok(ok) if ok.id == id => panic!("it was accepted"),
            _ => None,
        })
        .await
    }

    /// The next room that is new in the user's list.
    pub async fn added(&mut self) -> RoomId {
        self.expect("room_added", |doc| match doc {
            ServerDoc::RoomAdded { summary } => Some(summary.room.id),
            _ => None,
        })
        .await
    }

    /// The next event of a room.
    pub async fn event(&mut self, room: RoomId) -> Event {
        self.expect("ev", |doc| match doc {
            ServerDoc::Ev(event) if event.room == room => Some(event),
            _ => None,
        })
        .await
    }

    /// The body of the next new message of a room.
    pub async fn heard(&mut self, room: RoomId) -> String {
        loop {
            if let Some(body) = body_of(&self.event(room).await.change) {
                return body;
            }
        }
    }

    /// What `wanted` picks from the documents. Events before it are kept for later, everything else
    /// is dropped.
    pub async fn expect<T>(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(ServerDoc) -> Option<T>,
    ) -> T {
        let mut before = Vec::new();
        let picked = timeout(PATIENCE, async {
            let kept = std::mem::take(&mut self.kept);
            self.documents = kept.into_iter().chain(self.documents.drain(..)).collect();
            loop {
                let text = self.next_text().await;
                let doc: ServerDoc = serde_json::from_str(&text).unwrap();
                let is_event = matches!(doc, ServerDoc::Ev(_));
                if let Some(picked) = wanted(doc) {
                    return picked;
                }
                if is_event {
                    self.kept.push_back(text.clone());
                }
                before.push(text);
            }
        })
        .await;
        picked.unwrap_or_else(|_| panic!("no `{what}` came, only {before:#?}"))
    }

    /// The next document as it came.
    pub async fn next_text(&mut self) -> String {
        loop {
            if let Some(text) = self.documents.pop_front() {
                return text;
            }
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => {
                    self.documents.extend(text.split('\n').map(str::to_owned));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("the socket ended: {other:?}"),
            }
        }
    }

    /// The close frame with which the server ends the socket.
    pub async fn closed(&mut self) -> CloseFrame {
        let frame = timeout(PATIENCE, async {
            loop {
                match self.stream.next().await {
                    Some(Ok(Message::Close(frame))) => return frame.expect("a close code"),
                    Some(Ok(_)) => {}
                    other => panic!("the socket ended without a close frame: {other:?}"),
                }
            }
        })
        .await;
        frame.expect("the server closes the socket")
    }

    pub async fn close_code(&mut self) -> u16 {
        self.closed().await.code.into()
    }
}

/// A `hello` of the tests' client.
pub fn hello(token: Option<&str>) -> Command {
    Command::Hello {
        id: RequestId(1),
        token: token.map(str::to_owned),
        caps: Vec::new(),
        client: ClientInfo {
            name: "test".to_owned(),
            build: "0".to_owned(),
        },
    }
}

/// The text of a new message.
pub fn body_of(change: &Change) -> Option<String> {
    match change {
        Change::Message { message } => match &message.content {
            Content::Text { body } => Some(body.clone()),
            _ => None,
        },
        _ => None,
    }
}
