//! Accept loop and HTTP/1 connections with what `axum::serve` lacks on an open port: a time limit
//! for headers, one for whole bodies and one for readers that do not read, exactly one valid `Host`,
//! caps on connections, an accept that survives running out of file descriptors, and an orderly end.
//!
//! [`serve`] runs a [`Router`] on a port; [`Running`] is where its connections run and how they are
//! told to end. Nothing here knows a route or a protocol: what a server says to a request without a
//! valid host is its own ([`Served::bad_host`]), and a handler that keeps a connection beyond its
//! answer finds the connection's [`Slot`] and peer among the request's extensions. What every server
//! measures is in [`metrics`], what it traces in [`traces`], how it logs in [`logs`].

#![warn(missing_docs)]

mod address;
mod body;
pub mod client;
mod connection;
mod host;
pub mod logs;
pub mod metrics;
pub mod open_files;
pub mod probe;
mod slots;
mod stall;
mod stream;
mod tls;
pub mod traces;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use address::{AddressKey, client_ip};
pub use body::BodyTimeout;
pub use slots::Slot;
pub use stall::StallGuard;
pub use stream::Stream;
pub use tls::{RELOAD, Tls, TlsError};

use self::connection::Connection;
use self::slots::Slots;

/// How long to wait before accepting again when that failed for lack of a resource.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long the refusal of a connection may take.
const REFUSAL: Duration = Duration::from_millis(500);
/// What a connection gets when there are too many.
const OVERLOADED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n\
    connection: close\r\ncontent-length: 0\r\n\r\n";

/// The times and limits of connections.
#[derive(Debug, Clone)]
pub struct Settings {
    /// From the first byte of a request, or from the answer before it, to the end of its headers.
    pub headers: Duration,
    /// The same for the first request of a connection, where that is less; a TLS handshake has as much for
    /// itself. Behind a proxy that keeps its connections `headers` is long, and nobody is to hold a place
    /// for so long without having asked for anything.
    pub beginning: Duration,
    /// From the end of the headers to the end of the body.
    pub body: Duration,
    /// A write that stalls this long ends the connection.
    pub write_stall: Duration,
    /// What the system has sent or would send, and the peer has not taken for this long, ends the
    /// connection: also when the whole answer fits into the system's buffers, and also after the
    /// connection was closed here. Longer than a phone is without network on an ordinary day.
    pub untaken: Duration,
    /// Bytes that the system holds for a connection beyond what is on the way; `None`: as many as it
    /// likes. Where it is set, a reader that takes less than half of it within `write_stall` is cut,
    /// and no reader takes the system's memory. Sockets that are quiet for long do without.
    pub unsent_bytes: Option<u32>,
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
            beginning: Duration::from_secs(10),
            body: Duration::from_secs(10),
            write_stall: Duration::from_secs(10),
            untaken: Duration::from_mins(1),
            unsent_bytes: None,
            connections: 18_000,
            connections_per_address: 200,
            hosts: Vec::new(),
        }
    }
}

/// What is served.
#[derive(Clone)]
pub struct Served {
    /// Answers requests.
    pub router: Router,
    /// Answers a request that has not exactly one valid host that is served here.
    pub bad_host: fn() -> Response,
    /// Ends TLS; `None`: plain HTTP.
    pub tls: Option<Tls>,
}

/// Where connections run and how they are told to end. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Running {
    /// Every connection is a task of these.
    pub tasks: TaskTracker,
    /// Cancelled: nothing is accepted any more, connections without a request under way are closed,
    /// and the others after their answer.
    pub draining: CancellationToken,
}

/// Serves until `running` drains. The connections are among its tasks, and may end later.
pub async fn serve(listener: TcpListener, served: Served, settings: Settings, running: Running) {
    let slots = Slots::new(settings.connections, settings.connections_per_address);
    let settings = Arc::new(settings);
    if let Some(tls) = served.tls.clone() {
        let draining = running.draining.clone();
        let renewing = async move { draining.run_until_cancelled_owned(tls.renew()).await };
        running.tasks.spawn(renewing);
    }
    loop {
        let accepted = tokio::select! {
            () = running.draining.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(slot) = slots.take(AddressKey::from(peer.ip())) else {
            // Where TLS is spoken, words before a handshake mean nothing, and one costs too much.
            if served.tls.is_none() {
                running.tasks.spawn(refuse(stream));
            }
            continue;
        };
        let connection = Connection::new(
            peer,
            slot,
            served.clone(),
            settings.clone(),
            running.draining.clone(),
        );
        running.tasks.spawn(connection.serve(stream));
    }
}

async fn refuse(mut stream: TcpStream) {
    let _ = timeout(REFUSAL, async {
        stream.write_all(OVERLOADED).await?;
        stream.shutdown().await
    })
    .await;
}
