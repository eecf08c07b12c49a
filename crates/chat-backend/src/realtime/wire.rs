//! One WebSocket (RFC 6455) on a stream of TCP or TLS: the handshake's answer, frames in and out, and an end
//! that the other side really learns of.
//!
//! tungstenite is used directly rather than through axum's extractor: the same protocol code, but
//! the key is checked, a broken frame is answered with its close code, the socket lingers so that
//! the close frame is not lost to a reset, and hyper's wrappers do not stay in memory.

mod meter;

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Buf;
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};

use self::meter::{Allowance, Excess, Metered};
use chat_listener::{StallGuard, Stream};

/// Read and write buffers of a socket. Small, since most sockets are idle most of the time.
const BUFFER_BYTES: usize = 4096;
/// The longest head of an unmasked frame.
const HEAD_BYTES: usize = 10;
/// Above this the answers to a flood of pings are no longer kept.
const MAX_WRITE_BUFFER_BYTES: usize = 64 * 1024;
/// How long a socket that was closed still listens, and for how much, so that the operating system
/// does not reset the connection before the close frame is read.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;

/// The limits of one socket.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a message and of a frame from the other side.
    pub message_bytes: usize,
    /// Fragments of a message from the other side.
    pub message_fragments: u32,
    /// From the first byte of a message of the other side to its last. Looked at with every byte
    /// that comes; that nothing comes at all is for others to notice.
    pub message_time: Duration,
    /// A write that stalls this long ends the socket.
    pub write_stall: Duration,
}

/// What comes from the other side.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A text message.
    Text(Utf8Bytes),
    /// A binary message.
    Binary(Bytes),
    /// A ping or a pong of the WebSocket protocol; pings are answered already.
    Control,
    /// The other side has closed the socket.
    Closed,
    /// The other side is gone without a word.
    Gone,
    /// The other side broke the WebSocket protocol: close with this code.
    Broken(u16),
    /// The other side began a message and did not complete it in time.
    Unfinished,
}

/// Why a message could not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// The other side is gone.
    Gone,
    /// The other side takes nothing.
    Stalled,
}

/// Why a request is not a WebSocket handshake (RFC 6455, section 4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Not a request for the WebSocket protocol.
    #[error("this address speaks WebSocket")]
    NotAnUpgrade,
    /// Not version 13.
    #[error("the WebSocket version is not 13")]
    Version,
    /// The key is not 16 bytes in base64.
    #[error("the WebSocket key is not 16 bytes in base64")]
    Key,
}

/// A handshake that can be answered.
pub struct Handshake {
    response: http::response::Builder,
    upgrade: OnUpgrade,
}

impl Handshake {
    /// Reads the handshake from a request.
    ///
    /// # Errors
    /// [`HandshakeError`].
    pub fn read(request: &mut Request) -> Result<Self, HandshakeError> {
        let headers = request.headers();
        let asks = request.method() == Method::GET
            && has_token(headers, &header::CONNECTION, "upgrade")
            && has_token(headers, &header::UPGRADE, "websocket");
        if !asks {
            return Err(HandshakeError::NotAnUpgrade);
        }
        if headers.get(header::SEC_WEBSOCKET_VERSION) != Some(&HeaderValue::from_static("13")) {
            return Err(HandshakeError::Version);
        }
        let key = headers
            .get(header::SEC_WEBSOCKET_KEY)
            .map(HeaderValue::as_bytes)
            .filter(|key| BASE64_STANDARD.decode(key).is_ok_and(|key| key.len() == 16))
            .ok_or(HandshakeError::Key)?;
        let response = Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(header::CONNECTION, "upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_ACCEPT, derive_accept_key(key));
        Ok(Self {
            response,
            upgrade: hyper::upgrade::on(request),
        })
    }

    /// The answer, and the socket once the answer has been sent.
    ///
    /// # Panics
    /// Never: the response has only valid parts.
    pub fn accept(
        self,
        subprotocol: Option<HeaderValue>,
        limits: Limits,
    ) -> (
        Response,
        impl Future<Output = Option<Wire>> + Send + 'static,
    ) {
        let mut response = self
            .response
            .body(Body::empty())
            .expect("the parts of the response are constants");
        if let Some(subprotocol) = subprotocol {
            response
                .headers_mut()
                .insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
        }
        let upgrade = self.upgrade;
        (response, async move {
            let upgraded = upgrade.await.ok()?;
            let parts = upgraded.downcast::<TokioIo<StallGuard>>().ok()?;
            let stream = parts.io.into_inner().into_inner();
            Some(Wire::new(stream, parts.read_buf.to_vec(), limits).await)
        })
    }
}

/// One open WebSocket.
pub struct Wire {
    stream: WebSocketStream<Metered>,
    write_stall: Duration,
}

impl Wire {
    async fn new(stream: Stream, read: Vec<u8>, limits: Limits) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(BUFFER_BYTES)
            .max_write_buffer_size(MAX_WRITE_BUFFER_BYTES)
            .max_message_size(Some(limits.message_bytes))
            .max_frame_size(Some(limits.message_bytes));
        let allowance = Allowance {
            fragments: limits.message_fragments,
            time: limits.message_time,
        };
        let metered = Metered::new(stream, &read, allowance);
        let stream =
            WebSocketStream::from_partially_read(metered, read, Role::Server, Some(config)).await;
        Self {
            stream,
            write_stall: limits.write_stall,
        }
    }

    /// What comes next. Nothing is lost when the future is dropped.
    pub async fn receive(&mut self) -> Incoming {
        match self.stream.next().await {
            Some(Ok(Message::Text(text))) => Incoming::Text(text),
            Some(Ok(Message::Binary(bytes))) => Incoming::Binary(bytes),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Incoming::Control,
            Some(Ok(Message::Close(_))) => {
                // The answer to the close frame is waiting in the write buffer.
                let _ = timeout(LINGER, self.stream.flush()).await;
                Incoming::Closed
            }
            Some(Err(Error::Capacity(_))) => Incoming::Broken(1009),
            Some(Err(Error::Utf8(_))) => Incoming::Broken(1007),
            Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) => {
                Incoming::Gone
            }
            Some(Err(Error::Protocol(_))) => Incoming::Broken(1002),
            Some(Err(Error::Io(error))) => match Excess::of(&error) {
                Some(Excess::Fragments) => Incoming::Broken(1009),
                Some(Excess::Time) => Incoming::Unfinished,
                None => Incoming::Gone,
            },
            Some(Err(_)) | None => Incoming::Gone,
        }
    }

    /// Sends a text message.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send_text(&mut self, text: Utf8Bytes) -> Result<(), SendError> {
        self.send(Data::Text, text.into()).await
    }

    /// Sends a binary message.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send_binary(&mut self, bytes: Bytes) -> Result<(), SendError> {
        self.send(Data::Binary, bytes).await
    }

    /// Writes a message as one frame, straight to the stream: what a server sends is not masked, so the
    /// bytes stay those that all readers share, and one system call takes as much of them as fits. What
    /// the protocol's code has to say itself, such as a pong, goes first.
    async fn send(&mut self, kind: Data, bytes: Bytes) -> Result<(), SendError> {
        within(self.write_stall, async {
            self.stream.flush().await.map_err(io::Error::other)
        })
        .await?;
        let mut frame = head(kind, bytes.len()).chain(bytes);
        while frame.has_remaining() {
            let stream = self.stream.get_mut();
            let written = within(self.write_stall, stream.write_buf(&mut frame)).await?;
            if written == 0 {
                return Err(SendError::Gone);
            }
        }
        // TLS keeps the end of it otherwise.
        within(self.write_stall, self.stream.get_mut().flush()).await
    }

    /// Closes the socket with this code and reason.
    pub async fn close(mut self, code: u16, reason: String) {
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        let _ = timeout(LINGER, async {
            self.stream.send(Message::Close(Some(frame))).await.ok()?;
            let mut stream = self.stream.into_inner().into_inner();
            stream.shutdown().await.ok()?;
            let mut discarded = 0;
            let mut buffer = [0; 1024];
            while discarded < LINGER_BYTES {
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(read) => discarded += read,
                }
            }
            Some(())
        })
        .await;
    }
}

/// The head of an unmasked frame that is a whole message (RFC 6455, section 5.2).
fn head(kind: Data, length: usize) -> Bytes {
    let header = FrameHeader {
        opcode: OpCode::Data(kind),
        ..FrameHeader::default()
    };
    let mut head = Vec::with_capacity(HEAD_BYTES);
    let formatted = header.format(length as u64, &mut head);
    formatted.expect("a vector takes what is written to it");
    head.into()
}

/// Work that has to come on within `time`.
async fn within<T>(
    time: Duration,
    work: impl Future<Output = io::Result<T>>,
) -> Result<T, SendError> {
    match timeout(time, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) => Err(SendError::Gone),
        Err(_) => Err(SendError::Stalled),
    }
}

fn has_token(headers: &HeaderMap, name: &http::HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter();
    let mut tokens = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    tokens.any(|it| it.trim().eq_ignore_ascii_case(token))
}
