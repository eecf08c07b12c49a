//! The public listener: a hyper connection loop with what `axum::serve` lacks on an open port:
//! a time limit for headers, one for whole bodies and one for stalled writes, exactly one valid
//! `Host`, caps on connections, and an accept that survives running out of file descriptors.

mod body;
mod host;
mod slots;
mod stall;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::response::{IntoResponse, Response};
use chat_types::problem::ErrorCode;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

pub use body::BodyTimeout;
pub use slots::Slot;
pub use stall::StallGuard;

use self::body::DeadlineBody;
use self::host::has_one_valid_host;
use self::slots::Slots;
use crate::error::ApiError;
use crate::rate_limit::AddressKey;
use crate::shutdown::Lifecycle;

/// Bytes of a request's line and headers, and of the buffers of an HTTP connection.
const HEAD_BYTES: usize = 16 * 1024;
/// How long to wait before accepting again when that failed for lack of a resource.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long the refusal of a connection may take.
const REFUSAL: Duration = Duration::from_millis(500);
/// What a connection gets when there are too many.
const OVERLOADED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n\
    connection: close\r\ncontent-length: 0\r\n\r\n";

/// The times and limits of HTTP connections.
#[derive(Debug, Clone)]
pub struct Settings {
    /// From the first byte of a request, or from the answer before it, to the end of its headers.
    pub headers: Duration,
    /// From the end of the headers to the end of the body.
    pub body: Duration,
    /// A write that stalls this long ends the connection.
    pub write_stall: Duration,
    /// Connections at once, upgraded ones included.
    pub connections: usize,
    /// Connections of one address at once, upgraded ones included.
    pub connections_per_address: usize,
    /// The hosts that are served, with or without port; empty: any.
    pub hosts: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(5),
            body: Duration::from_secs(10),
            write_stall: Duration::from_secs(10),
            connections: 18_000,
            connections_per_address: 200,
            hosts: Vec::new(),
        }
    }
}

/// Serves `router` until the process drains, then lets requests under way finish. Connections are
/// tracked by `lifecycle`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    settings: Settings,
    lifecycle: Lifecycle,
) {
    let slots = Slots::new(settings.connections, settings.connections_per_address);
    let settings = Arc::new(settings);
    loop {
        let accepted = tokio::select! {
            () = lifecycle.draining() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(slot) = slots.take(AddressKey::from(address.ip())) else {
            lifecycle.tasks().spawn(refuse(stream));
            continue;
        };
        let connection = Connection {
            address,
            slot: Arc::new(slot),
            router: router.clone(),
            settings: settings.clone(),
            lifecycle: lifecycle.clone(),
        };
        lifecycle.tasks().spawn(connection.serve(stream));
    }
}

async fn refuse(mut stream: TcpStream) {
    let _ = timeout(REFUSAL, async {
        stream.write_all(OVERLOADED).await?;
        stream.shutdown().await
    })
    .await;
}

struct Connection {
    address: SocketAddr,
    slot: Arc<Slot>,
    router: Router,
    settings: Arc<Settings>,
    lifecycle: Lifecycle,
}

impl Connection {
    async fn serve(self, stream: TcpStream) {
        // Small frames must not wait for a full segment (RFC 896 against interactive traffic).
        let _ = stream.set_nodelay(true);
        let io = TokioIo::new(StallGuard::new(stream, self.settings.write_stall));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.settings.headers)
            .max_buf_size(HEAD_BYTES);
        let service = service_fn(|request| self.answer(request));
        let connection = http.serve_connection(io, service).with_upgrades();
        let mut connection = Box::pin(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            () = self.lifecycle.draining() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response, std::convert::Infallible> {
        if !has_one_valid_host(&request, &self.settings.hosts) {
            let refusal = ApiError::new(ErrorCode::Malformed)
                .detail("exactly one valid Host that is served here is needed");
            return Ok(refusal.into_response());
        }
        let deadline = self.settings.body;
        let mut request = request.map(|body| DeadlineBody::new(body, deadline).into_body());
        request.extensions_mut().insert(ConnectInfo(self.address));
        request.extensions_mut().insert(self.slot.clone());
        self.router.clone().oneshot(request).await
    }
}
