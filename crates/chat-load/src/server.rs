//! A server under load: its address, its sockets and its HTTP API.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::str::FromStr;
use std::time::Duration;

use chat_types::account::{CreateGuest, Empty, Refresh, SignedIn};
use chat_types::endpoint::{Endpoint, JoinAsGuest, Method, RefreshSession, SOCKET_PATH};
use chat_types::event::User;
use chat_types::problem::{ErrorCode, Problem};
use chat_types::ws::SUBPROTOCOL;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::clock::{Clock, millis};

/// A request whose answer has not come by then has failed.
const REQUEST: Duration = Duration::from_secs(15);
/// How long a request is tried again that another attempt may make succeed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// An open WebSocket.
pub(crate) type Socket = WebSocketStream<TcpStream>;

/// From where a socket was opened.
pub(crate) fn address_of(socket: &Socket) -> Option<SocketAddr> {
    socket.get_ref().local_addr().ok()
}

/// A server under load, `http://host:port`. TLS is not spoken: measure behind what ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    authority: String,
    address: SocketAddr,
}

/// Why a text does not name a server.
#[derive(Debug, thiserror::Error)]
pub enum InvalidServer {
    /// Not of the form `http://host:port`.
    #[error("a server is named as `http://host:port`")]
    Form,
    /// The host has no address.
    #[error("the host has no address: {0}")]
    Unknown(#[from] io::Error),
}

impl FromStr for Server {
    type Err = InvalidServer;

    fn from_str(text: &str) -> Result<Self, InvalidServer> {
        let authority = text.strip_prefix("http://").ok_or(InvalidServer::Form)?;
        let authority = authority.trim_end_matches('/');
        if authority.contains('/') || !authority.contains(':') {
            return Err(InvalidServer::Form);
        }
        let address = authority.to_socket_addrs()?.next();
        Ok(Self {
            authority: authority.to_owned(),
            address: address.ok_or(InvalidServer::Form)?,
        })
    }
}

impl Server {
    /// The server at an address.
    pub fn at(address: SocketAddr) -> Self {
        Self {
            authority: address.to_string(),
            address,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its name.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Opens a socket from an address of this machine.
    pub(crate) async fn open(&self, source: Option<Ipv4Addr>) -> io::Result<Socket> {
        let tcp = match source {
            None => TcpStream::connect(self.address).await?,
            Some(source) => {
                let socket = TcpSocket::new_v4()?;
                socket.bind((source, 0).into())?;
                socket.connect(self.address).await?
            }
        };
        tcp.set_nodelay(true)?;
        let url = format!("ws://{}{SOCKET_PATH}", self.authority);
        let mut request = url.into_client_request().map_err(io::Error::other)?;
        let protocol = HeaderValue::from_static(SUBPROTOCOL);
        request
            .headers_mut()
            .insert("sec-websocket-protocol", protocol);
        // Thousands of sockets live in one process: small buffers.
        let config = WebSocketConfig::default()
            .read_buffer_size(4096)
            .write_buffer_size(0);
        let opened = client_async_with_config(request, tcp, Some(config)).await;
        Ok(opened.map_err(io::Error::other)?.0)
    }
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No answer, or none that the API promises.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// The server's own words.
    #[error("{}", in_words(.0))]
    Problem(Box<Problem>),
}

fn in_words(problem: &Problem) -> String {
    let more = [&problem.field, &problem.reason, &problem.detail];
    let more = more.into_iter().flatten().map(String::as_str);
    let words: Vec<_> = [problem.title.as_str()].into_iter().chain(more).collect();
    words.join(", ")
}

impl ApiError {
    fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Problem(problem) => problem.retry,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unreachable(_) => None,
            Self::Problem(problem) => problem.retry_after_ms.map(Duration::from_millis),
        }
    }
}

impl From<reqwest::Error> for ApiError {
    fn from(error: reqwest::Error) -> Self {
        Self::Unreachable(error.to_string())
    }
}

/// HTTP from one address of this machine.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
}

impl Api {
    pub(crate) fn new(source: Option<Ipv4Addr>) -> Result<Self, ApiError> {
        let http = reqwest::Client::builder()
            .local_address(source.map(IpAddr::V4))
            .timeout(REQUEST)
            .build()?;
        Ok(Self { http })
    }

    /// Calls an endpoint once.
    pub(crate) async fn call<E: Endpoint>(
        &self,
        server: &Server,
        path: &[(&str, String)],
        query: &E::Query,
        body: &E::Body,
        token: Option<&str>,
    ) -> Result<E::Response, ApiError> {
        let fill = |path: String, (name, value): &(&str, String)| {
            path.replace(&format!("{{{name}}}"), value)
        };
        let path = path.iter().fold(E::PATH.to_owned(), fill);
        let query = serde_urlencoded::to_string(query)
            .map_err(|error| ApiError::Unreachable(error.to_string()))?;
        let mark = if query.is_empty() { "" } else { "?" };
        let url = format!("http://{}{path}{mark}{query}", server.authority);
        let mut request = match E::METHOD {
            Method::Get => self.http.get(url),
            Method::Delete => self.http.delete(url),
            Method::Post => self.http.post(url).json(body),
            Method::Put => self.http.put(url).json(body),
            Method::Patch => self.http.patch(url).json(body),
        };
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await?;
        if answer.status().is_success() {
            return Ok(answer.json().await?);
        }
        Err(ApiError::Problem(Box::new(answer.json().await?)))
    }

    /// Calls an endpoint until it succeeds, fails for good, or [`PATIENCE`] is at its end.
    pub(crate) async fn call_patiently<E: Endpoint>(
        &self,
        server: &Server,
        path: &[(&str, String)],
        query: &E::Query,
        body: &E::Body,
    ) -> Result<E::Response, ApiError> {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let failed = match self.call::<E>(server, path, query, body, None).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            if !failed.may_pass() || tokio::time::Instant::now() >= until {
                return Err(failed);
            }
            tokio::time::sleep(failed.retry_after().unwrap_or(PAUSE).max(PAUSE)).await;
        }
    }
}

/// A guest's login.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) user: User,
    pub(crate) token: String,
    /// When the token ends, in microseconds since the run began.
    ends_us: u64,
    refresh: String,
}

impl Account {
    pub(crate) async fn join(
        api: &Api,
        server: &Server,
        clock: Clock,
        name: String,
    ) -> Result<Self, ApiError> {
        let guest = CreateGuest { name };
        let signed_in = api
            .call_patiently::<JoinAsGuest>(server, &[], &Empty {}, &guest)
            .await?;
        Ok(Self::of(signed_in, clock))
    }

    fn of(signed_in: SignedIn, clock: Clock) -> Self {
        let lifetime_us = signed_in.tokens.expires_in_ms.saturating_mul(1_000);
        Self {
            user: signed_in.user,
            token: signed_in.tokens.access_token,
            ends_us: clock.now_us().saturating_add(lifetime_us),
            refresh: signed_in.tokens.refresh_token,
        }
    }

    /// For how long the token is still good.
    pub(crate) fn lasts_ms(&self, clock: Clock) -> u64 {
        self.ends_us.saturating_sub(clock.now_us()) / 1_000
    }

    /// Exchanges the refresh token.
    pub(crate) async fn renewed(
        &self,
        api: &Api,
        server: &Server,
        clock: Clock,
    ) -> Result<Self, RenewError> {
        let refresh = Refresh {
            refresh_token: self.refresh.clone(),
        };
        let answer = api
            .call::<RefreshSession>(server, &[], &Empty {}, &refresh, None)
            .await;
        match answer {
            Ok(signed_in) => Ok(Self::of(signed_in, clock)),
            Err(ApiError::Problem(problem)) if problem.code == ErrorCode::Unauthorized => {
                Err(RenewError::Refused)
            }
            Err(error) => Err(RenewError::Later {
                retry_after_ms: error.retry_after().map(millis),
            }),
        }
    }
}

/// Why a token was not renewed.
#[derive(Debug)]
pub(crate) enum RenewError {
    /// The session has ended.
    Refused,
    /// Not now.
    Later { retry_after_ms: Option<u64> },
}
