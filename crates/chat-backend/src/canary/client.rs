//! The API as the canary reaches it: requests and sockets, over http or https, each over a connection
//! of its own, so that what is between is tried every time.

use std::collections::VecDeque;

use bytes::Bytes;
use chat_listener::client;
use chat_types::endpoint::{Endpoint, SOCKET_PATH};
use chat_types::frame;
use chat_types::id::RequestId;
use chat_types::problem::Problem as Refusal;
use chat_types::ws::{Command, SUBPROTOCOL, ServerDoc};
use futures_util::{SinkExt, StreamExt};
use http::header::{AUTHORIZATION, CONTENT_TYPE, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};
use tower::ServiceExt;

use crate::failure::Failure;

/// How long an answer may be.
const ANSWER_BYTES: usize = 256 * 1024;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The server refused it.
    #[error("refused as {code}")]
    Refused {
        /// The error's code.
        code: &'static str,
        /// Whether it would be refused again.
        is_final: bool,
    },
    /// It answered nothing that makes sense.
    #[error("the answer makes no sense")]
    Senseless,
    /// It closed the socket.
    #[error("the socket was closed: {0}")]
    Closed(String),
    /// It took too long.
    #[error("it took too long")]
    Slow,
    /// The way to the server.
    #[error("{0}")]
    Way(#[source] Cause),
}

impl Problem {
    /// Whether the same would be refused again.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Refused { is_final: true, .. })
    }

    fn way(cause: impl Into<Cause>) -> Self {
        Self::Way(cause.into())
    }
}

/// The API.
pub(super) struct Client {
    server: Uri,
    connector: HttpsConnector<HttpConnector>,
    requests: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Client {
    pub(super) fn new(server: Uri) -> Result<Self, Failure> {
        let connector = client::connector(server.scheme_str() == Some("https"))?;
        let requests = legacy::Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(connector.clone());
        Ok(Self {
            server,
            connector,
            requests,
        })
    }

    /// A request to an endpoint without parameters in its path.
    pub(super) async fn call<E: Endpoint>(
        &self,
        token: Option<&str>,
        body: &E::Body,
    ) -> Result<E::Response, Problem> {
        let body = serde_json::to_vec(body).map_err(Problem::way)?;
        let mut request = Request::builder()
            .method(E::METHOD.as_str())
            .uri(self.address(E::PATH))
            .header(CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Full::from(body)).map_err(Problem::way)?;
        let answer = self.requests.request(request).await.map_err(Problem::way)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES)
            .collect()
            .await;
        let body = body.map_err(Problem::Way)?.to_bytes();
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| Problem::Senseless);
        }
        Err(refused(status, &body))
    }

    /// A socket that has said nothing yet.
    pub(super) async fn socket(&self) -> Result<Socket, Problem> {
        let connecting = self.connector.clone().oneshot(self.server.clone());
        let stream = TokioIo::new(connecting.await.map_err(Problem::Way)?);
        // `ws` is to `http` what `wss` is to `https`.
        let address = self.address(SOCKET_PATH).replacen("http", "ws", 1);
        let mut request = address.into_client_request().map_err(Problem::way)?;
        let protocol = HeaderValue::from_static(SUBPROTOCOL);
        request
            .headers_mut()
            .insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        let (stream, _) = client_async(request, stream).await.map_err(Problem::way)?;
        Ok(Socket {
            stream: Box::new(stream),
            heard: VecDeque::new(),
        })
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.server.to_string().trim_end_matches('/'))
    }
}

fn refused(status: StatusCode, body: &[u8]) -> Problem {
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => Problem::Refused {
            code: refusal.code.name(),
            is_final: !refusal.retry,
        },
        Err(_) => Problem::way(format!("the answer is {status}, and not the API's")),
    }
}

/// An open socket.
pub(super) struct Socket {
    stream: Box<WebSocketStream<TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>>>,
    heard: VecDeque<ServerDoc>,
}

impl Socket {
    /// Sends a command.
    pub(super) async fn say(&mut self, command: &Command) -> Result<(), Problem> {
        let text = serde_json::to_string(command).map_err(Problem::way)?;
        let sent = self.stream.send(Message::text(text)).await;
        sent.map_err(Problem::way)
    }

    /// The next document.
    pub(super) async fn hear(&mut self) -> Result<ServerDoc, Problem> {
        loop {
            if let Some(doc) = self.heard.pop_front() {
                return Ok(doc);
            }
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => {
                    let documents = frame::split(&text).map_err(|_| Problem::Senseless)?;
                    for document in documents {
                        let doc = serde_json::from_str(document);
                        self.heard.push_back(doc.map_err(|_| Problem::Senseless)?);
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    let reason = frame.map(|frame| frame.to_string());
                    return Err(Problem::Closed(reason.unwrap_or_default()));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(Problem::way(error)),
                None => return Err(Problem::Closed(String::new())),
            }
        }
    }

    /// The answer to a command. What comes before it is not waited for by anybody.
    pub(super) async fn answer(&mut self, to: RequestId) -> Result<ServerDoc, Problem> {
        loop {
            let doc = self.hear().await?;
            match &doc {
                ServerDoc::Welcome(welcome) if welcome.id == to => return Ok(doc),
                ServerDoc::Subbed(subbed) if subbed.id == to => return Ok(doc),
                ServerDoc::Ok(ok) if ok.id == to => return Ok(doc),
                ServerDoc::Err(err) if err.id == Some(to) => {
                    return Err(Problem::Refused {
                        code: err.code.name(),
                        is_final: !err.retry,
                    });
                }
                _ => {}
            }
        }
    }

    /// Closes the socket.
    pub(super) async fn close(mut self) {
        let _ = self.stream.send(Message::Close(None)).await;
        // Until the server has closed as well.
        while let Some(Ok(_)) = self.stream.next().await {}
    }
}
