//! One connection: its requests one after the other, and its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::ConnectInfo;
use axum::response::Response;
use http::{HeaderValue, Request, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::body::DeadlineBody;
use crate::host::has_one_valid_host;
use crate::slots::Slot;
use crate::stall::StallGuard;
use crate::{Served, Settings, Stream};

/// Bytes of a request's line and headers, and of the buffers of an HTTP connection.
const HEAD_BYTES: usize = 16 * 1024;
/// With TLS a browser is told to come by TLS only, for a year (RFC 6797).
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

pub(crate) struct Connection {
    peer: SocketAddr,
    slot: Arc<Slot>,
    served: Served,
    settings: Arc<Settings>,
    draining: CancellationToken,
    /// Whether a request has arrived whole.
    has_asked: AtomicBool,
}

impl Connection {
    pub(crate) fn new(
        peer: SocketAddr,
        slot: Slot,
        served: Served,
        settings: Arc<Settings>,
        draining: CancellationToken,
    ) -> Self {
        Self {
            peer,
            slot: Arc::new(slot),
            served,
            settings,
            draining,
            has_asked: AtomicBool::new(false),
        }
    }

    pub(crate) async fn serve(self, tcp: TcpStream) {
        // Small frames must not wait for a full segment (RFC 896 against interactive traffic).
        let _ = tcp.set_nodelay(true);
        bound_untaken(&tcp, &self.settings);
        let Some(stream) = self.begin(tcp).await else {
            return;
        };
        let io = TokioIo::new(StallGuard::new(stream, self.settings.write_stall));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.settings.headers)
            .max_buf_size(HEAD_BYTES);
        let service = service_fn(|request| self.answer(request));
        let connection = http.serve_connection(io, service).with_upgrades();
        let mut connection = Box::pin(connection);
        tokio::select! {
            // First, so that a request that has arrived is still answered.
            biased;
            _ = connection.as_mut() => return,
            () = self.draining.cancelled() => connection.as_mut().graceful_shutdown(),
            () = self.overdue() => return,
        }
        // That closed a connection that waits for its next request. One that waits for its first
        // counts as under way with hyper, and would be waited for until its headers are overdue.
        if self.has_asked.load(Ordering::Relaxed) {
            let _ = connection.await;
        }
    }

    /// Returns when the first request should have arrived, if it has not.
    async fn overdue(&self) {
        if self.settings.beginning < self.settings.headers {
            sleep(self.settings.beginning).await;
            if !self.has_asked.load(Ordering::Relaxed) {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    /// What requests come over: with TLS, once the handshake is done. It is cut when it takes longer
    /// than headers may, and by a drain.
    async fn begin(&self, tcp: TcpStream) -> Option<Stream> {
        let Some(tls) = &self.served.tls else {
            return Some(Stream::Plain(tcp));
        };
        // On the heap, where it does not stay in the memory of the connection.
        let time = self.settings.headers.min(self.settings.beginning);
        let handshake = Box::pin(timeout(time, tls.accept(tcp)));
        let begun = self.draining.run_until_cancelled(handshake).await?;
        let refused = match begun {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => error.to_string(),
            Err(late) => late.to_string(),
        };
        tracing::debug!(peer = %self.peer, refused, "no TLS handshake");
        None
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response, Infallible> {
        self.has_asked.store(true, Ordering::Relaxed);
        let mut response = self.route(request).await?;
        if self.served.tls.is_some() {
            let headers = response.headers_mut();
            headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
        }
        Ok(response)
    }

    async fn route(&self, request: Request<Incoming>) -> Result<Response, Infallible> {
        if !has_one_valid_host(&request, &self.settings.hosts) {
            return Ok((self.served.bad_host)());
        }
        let deadline = self.settings.body;
        let mut request = request.map(|body| DeadlineBody::new(body, deadline).into_body());
        request.extensions_mut().insert(ConnectInfo(self.peer));
        request.extensions_mut().insert(self.slot.clone());
        self.served.router.clone().oneshot(request).await
    }
}

/// Bounds what the system holds for a peer that takes little or nothing. Elsewhere than on Linux its
/// own, longer patience holds.
fn bound_untaken(stream: &TcpStream, settings: &Settings) {
    #[cfg(target_os = "linux")]
    {
        let socket = socket2::SockRef::from(stream);
        // They fail for no open stream, and then the write limit is left.
        let _ = socket.set_tcp_user_timeout(Some(settings.untaken));
        if let Some(bytes) = settings.unsent_bytes {
            let _ = socket.set_tcp_notsent_lowat(bytes);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (stream, settings);
}
