//! The production listener and socket with a handler that sends back what it gets: what Autobahn's
//! test suite is pointed at. `cargo run --example echo -- --addr 127.0.0.1:9001`

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chat_backend::realtime::wire::{Handshake, Incoming, Limits, Wire};
use chat_listener::{Running, Served, Settings};
use clap::Parser;
use http::StatusCode;
use tokio::net::TcpListener;

/// Autobahn sends messages of up to 16 MiB, and 4 MiB in fragments of 64 bytes and an empty last one.
const LIMITS: Limits = Limits {
    message_bytes: 16 * 1024 * 1024,
    message_fragments: 4 * 1024 * 1024 / 64 + 1,
    message_time: Duration::from_mins(2),
    write_stall: Duration::from_secs(10),
};

#[derive(Parser)]
struct Options {
    /// Where to listen.
    #[arg(long)]
    addr: SocketAddr,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let options = Options::parse();
    let listener = TcpListener::bind(options.addr).await?;
    let router = Router::new().route("/", get(upgrade));
    let served = Served {
        router,
        bad_host: || StatusCode::BAD_REQUEST.into_response(),
        tls: None,
    };
    chat_listener::serve(listener, served, Settings::default(), Running::default()).await;
    Ok(())
}

async fn upgrade(mut request: Request) -> Response {
    match Handshake::read(&mut request) {
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
        Ok(handshake) => {
            let (response, opening) = handshake.accept(None, LIMITS);
            tokio::spawn(async move {
                if let Some(wire) = opening.await {
                    echo(wire).await;
                }
            });
            response
        }
    }
}

async fn echo(mut wire: Wire) {
    loop {
        let sent = match wire.receive().await {
            Incoming::Text(text) => wire.send_text(text).await,
            Incoming::Binary(bytes) => wire.send_binary(bytes).await,
            Incoming::Control => Ok(()),
            Incoming::Closed | Incoming::Gone | Incoming::Unfinished => return,
            Incoming::Broken(code) => return wire.close(code, String::new()).await,
        };
        if sent.is_err() {
            return;
        }
    }
}
