//! A socket that is greeted, without the state machine: for clients that have to be cheap.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use chat_types::decode;
use chat_types::endpoint::Endpoint;
use chat_types::frame;
use chat_types::id::RequestId;
use chat_types::problem::ErrorCode;
use chat_types::ws::{ClientInfo, Command, ServerDoc};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::driver::Order;
use crate::history::History;
use crate::measure::Shared;
use crate::rng::Rng;
use crate::server::{Account, Api, ApiError, Server, Socket};

/// Opening and being greeted take no longer.
const GREETING: Duration = Duration::from_secs(10);
/// The same back-off as the protocol asks of every client.
const BACKOFF_BASE_MS: u64 = 500;
/// No back-off is longer.
const BACKOFF_CAP_MS: u64 = 30_000;
/// Nor is that of somebody who cannot wait.
const IMPATIENT_MS: u64 = 500;
/// The greeting's id; commands count on from there.
const HELLO: RequestId = RequestId(1);

/// Why a socket is not used any more.
pub(crate) enum End {
    /// It broke, or was closed.
    Lost,
    /// The run is at its end; the history goes there.
    Finish(Option<oneshot::Sender<History>>),
}

/// Who connects, and to where.
pub(crate) struct Raw {
    pub(crate) account: Account,
    pub(crate) servers: Arc<[Server]>,
    pub(crate) api: Api,
    pub(crate) source: Option<Ipv4Addr>,
    pub(crate) impatient: bool,
    pub(crate) rng: Rng,
    pub(crate) shared: Arc<Shared>,
    /// Commands in the same frame as the greeting.
    pub(crate) with_hello: Vec<Command>,
    /// What came in the same frame as the last welcome, behind it: a frame, if anything.
    pub(crate) with_welcome: Option<String>,
    /// Attempts since the last greeting.
    attempts: u32,
}

impl Raw {
    pub(crate) fn new(
        account: Account,
        servers: Arc<[Server]>,
        api: Api,
        source: Option<Ipv4Addr>,
        rng: Rng,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            account,
            servers,
            api,
            source,
            impatient: false,
            rng,
            shared,
            with_hello: Vec::new(),
            with_welcome: None,
            attempts: 0,
        }
    }

    /// A greeted socket, after as many attempts as it takes.
    pub(crate) async fn connect(&mut self) -> Box<Socket> {
        loop {
            tokio::time::sleep(self.pause()).await;
            self.attempts += 1;
            if let Some(socket) = self.try_to_connect().await {
                self.attempts = 0;
                return socket;
            }
        }
    }

    /// A greeted socket, if one attempt is enough.
    pub(crate) async fn try_to_connect(&mut self) -> Option<Box<Socket>> {
        let server = self.pick_server();
        let greeted = tokio::time::timeout(GREETING, self.greet(&server)).await;
        greeted.ok()?.ok()
    }

    /// Calls an endpoint of one of the servers once, as this user.
    pub(crate) async fn call<E: Endpoint>(
        &mut self,
        path: &[(&str, String)],
        query: &E::Query,
        body: &E::Body,
    ) -> Result<E::Response, ApiError> {
        let server = self.pick_server();
        let token = Some(self.account.token.as_str());
        let answer = self.api.call::<E>(&server, path, query, body, token).await;
        if let Err(ApiError::Problem(problem)) = &answer
            && problem.code == ErrorCode::TokenExpired
        {
            self.renew().await;
        }
        answer
    }

    /// Connects, and meanwhile does what cannot wait. Other orders are handed on.
    pub(crate) async fn connect_unless_told(
        &mut self,
        told: &mut mpsc::UnboundedReceiver<Order>,
        mut other: impl FnMut(Order),
    ) -> Result<Box<Socket>, End> {
        loop {
            {
                let connecting = self.connect();
                tokio::pin!(connecting);
                loop {
                    tokio::select! {
                        socket = &mut connecting => return Ok(socket),
                        order = told.recv() => match order {
                            None => return Err(End::Finish(None)),
                            Some(Order::Finish(to)) => return Err(End::Finish(Some(to))),
                            Some(Order::IsSettled { to, .. }) => {
                                // Who asks may have stopped waiting.
                                let _ = to.send(false);
                            }
                            Some(Order::Online) => break,
                            Some(order) => other(order),
                        },
                    }
                }
            }
            self.hurry();
        }
    }

    fn pick_server(&mut self) -> Server {
        self.servers[self.rng.index(self.servers.len())].clone()
    }

    fn pause(&mut self) -> Duration {
        if self.attempts == 0 {
            return Duration::ZERO;
        }
        let cap_ms = if self.impatient {
            IMPATIENT_MS
        } else {
            BACKOFF_CAP_MS
        };
        let longest_ms = BACKOFF_BASE_MS
            .saturating_mul(1 << (self.attempts - 1).min(16))
            .min(cap_ms);
        Duration::from_millis(self.rng.below(longest_ms + 1))
    }

    /// The next attempt waits for the back-off of a connection that was lost.
    pub(crate) fn lost(&mut self) {
        self.attempts = self.attempts.max(1);
    }

    /// The next attempt is made at once.
    fn hurry(&mut self) {
        self.attempts = 0;
    }

    async fn greet(&mut self, server: &Server) -> io::Result<Box<Socket>> {
        let mut socket = Box::new(server.open(self.source).await?);
        let hello = Command::Hello {
            id: HELLO,
            token: Some(self.account.token.clone()),
            caps: Vec::new(),
            client: ClientInfo {
                name: "load".to_owned(),
                build: env!("CARGO_PKG_VERSION").to_owned(),
            },
        };
        say_all(&mut socket, [&hello].into_iter().chain(&self.with_hello)).await?;
        loop {
            let text = next_text(&mut socket).await?;
            let mut documents = frame::split(&text).map_err(io::Error::other)?;
            while let Some(document) = documents.next() {
                match decode::from_text(document) {
                    Some(ServerDoc::Welcome(_)) => {
                        let rest: Vec<_> = documents.collect();
                        self.with_welcome = frame::join(&rest).ok();
                        return Ok(socket);
                    }
                    Some(ServerDoc::Err(error)) => {
                        if matches!(
                            error.code,
                            ErrorCode::TokenExpired | ErrorCode::Unauthorized
                        ) {
                            self.renew().await;
                        }
                        return Err(io::Error::other(error.message));
                    }
                    _ => {}
                }
            }
        }
    }

    /// Exchanges the refresh token; where that fails, the next greeting tries again.
    pub(crate) async fn renew(&mut self) {
        let server = self.pick_server();
        let clock = self.shared.clock;
        if let Ok(account) = self.account.renewed(&self.api, &server, clock).await {
            self.account = account;
        }
    }
}

/// Sends one document.
pub(crate) async fn say(socket: &mut Socket, command: &Command) -> io::Result<()> {
    say_all(socket, [command]).await
}

/// Sends documents in one frame.
async fn say_all(
    socket: &mut Socket,
    commands: impl IntoIterator<Item = &Command>,
) -> io::Result<()> {
    let documents = commands.into_iter().map(serde_json::to_string);
    let documents = documents.collect::<Result<Vec<_>, _>>()?;
    let text = frame::join(&documents).map_err(io::Error::other)?;
    socket
        .send(Message::text(text))
        .await
        .map_err(io::Error::other)
}

/// The next frame; an error when the socket has ended.
pub(crate) async fn next_text(socket: &mut Socket) -> io::Result<Utf8Bytes> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text),
            Some(Ok(Message::Close(_))) | None => {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(io::Error::other(error)),
        }
    }
}
