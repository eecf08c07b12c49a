//! One connection: its requests one after the other, and its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::body::DeadlineBody;
use crate::host::has_one_valid_host;
use crate::slots::Slot;
use crate::stall::StallGuard;
use crate::{Served, Settings};

/// Bytes of a request's line and headers, and of the buffers of an HTTP connection.
const HEAD_BYTES: usize = 16 * 1024;

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

    pub(crate) async fn serve(self, stream: TcpStream) {
        // Small frames must not wait for a full segment (RFC 896 against interactive traffic).
        let _ = stream.set_nodelay(true);
        give_up_untaken(&stream, self.settings.untaken);
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
        }
        // That closed a connection that waits for its next request. One that waits for its first
        // counts as under way with hyper, and would be waited for until its headers are overdue.
        if self.has_asked.load(Ordering::Relaxed) {
            let _ = connection.await;
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response, Infallible> {
        self.has_asked.store(true, Ordering::Relaxed);
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

/// Lets the system give the connection up when the peer takes nothing for so long. Elsewhere than on
/// Linux its own, longer patience holds.
fn give_up_untaken(stream: &TcpStream, patience: Duration) {
    #[cfg(target_os = "linux")]
    {
        let patience_ms = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
        // It fails for no open stream, and then the write limit is left.
        let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, patience_ms);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (stream, patience);
}
