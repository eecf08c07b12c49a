//! What a hub without storage costs on this machine: the yardstick beside which `docs/performance.md`
//! states the server's own figures, made in the same run.
//!
//! The hub is what one would write in an afternoon with axum: a `tokio::sync::broadcast` channel per
//! room, tuned in that events which wait for a reader leave in one flush. No identity, no order over
//! restarts, no acknowledgement, and a reader that lags loses events. It runs as a process of its own,
//! so that its CPU time is its own.
//!
//! ```sh
//! cargo run --release -p chat-load --example reference -- --rooms 1 --readers 1000 --senders 64
//! ```

#![expect(clippy::print_stdout, reason = "a tool that prints a figure")]

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use chat_load::usage;
use clap::{Parser, Subcommand};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Events that a slow reader may be behind; the oldest are lost then.
const LAG: usize = 4_096;
/// Connections of one source address: a port each.
const PER_SOURCE: u32 = 1_000;

#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    part: Option<Part>,
    /// Rooms.
    #[arg(long, default_value_t = 1)]
    rooms: u32,
    /// Readers of all rooms together.
    #[arg(long, default_value_t = 1_000)]
    readers: u32,
    /// Senders in all rooms together; each reads its room as well.
    #[arg(long, default_value_t = 64)]
    senders: u32,
    /// Messages of a sender that are under way: sent, and not read back.
    #[arg(long, default_value_t = 8)]
    window: u32,
    /// Bytes of an event.
    #[arg(long, default_value_t = 523)]
    bytes: usize,
    /// How long to count.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Be the hub; prints its address.
    #[command(hide = true)]
    Hub,
}

#[tokio::main]
async fn main() -> Result<()> {
    chat_load::raise_open_files();
    let options = Options::parse();
    match options.part {
        Some(Part::Hub) => hub().await,
        None => drive(&options).await,
    }
}

/// The rooms of the hub.
type Rooms = Arc<Mutex<HashMap<u32, broadcast::Sender<Utf8Bytes>>>>;

async fn hub() -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?);
    let router = Router::new()
        .route("/{room}", get(upgrade))
        .with_state(Rooms::default());
    axum::serve(listener, router).await?;
    Ok(())
}

async fn upgrade(
    State(rooms): State<Rooms>,
    Path(room): Path<u32>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let room = {
        let mut rooms = rooms.lock().expect("nobody panics holding it");
        let room = rooms.entry(room);
        room.or_insert_with(|| broadcast::channel(LAG).0).clone()
    };
    let upgrade = upgrade.read_buffer_size(4_096);
    upgrade.on_upgrade(move |socket| async move {
        // A reader that is gone is no error of the hub.
        let _ = relay(socket, room).await;
    })
}

async fn relay(mut socket: WebSocket, room: broadcast::Sender<Utf8Bytes>) -> Result<()> {
    let mut events = room.subscribe();
    loop {
        tokio::select! {
            incoming = socket.recv() => match incoming {
                Some(Ok(Message::Text(text))) => { room.send(text)?; }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Ok(()),
            },
            event = events.recv() => {
                match event {
                    Ok(event) => socket.feed(Message::Text(event)).await?,
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return Ok(()),
                }
                loop {
                    match events.try_recv() {
                        Ok(event) => socket.feed(Message::Text(event)).await?,
                        Err(TryRecvError::Lagged(_)) => {}
                        Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                    }
                }
                socket.flush().await?;
            }
        }
    }
}

/// The hub as a process; it ends with this value.
struct Hub {
    process: Child,
    address: SocketAddr,
}

impl Hub {
    fn start() -> Result<Self> {
        use std::io::BufRead as _;
        let mut process = Command::new(std::env::current_exe()?)
            .arg("hub")
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().context("it was piped")?;
        let mut line = String::new();
        std::io::BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().parse().context("the hub prints its address")?;
        Ok(Self { process, address })
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What all clients share.
#[derive(Default)]
struct Counters {
    deliveries: AtomicU64,
    sent: AtomicU64,
    ended: AtomicBool,
}

async fn drive(options: &Options) -> Result<()> {
    let hub = Hub::start()?;
    let pid = hub.process.id();
    let counters = Arc::new(Counters::default());
    let mut senders = Vec::new();
    for client in 0..options.readers + options.senders {
        let socket = connect(hub.address, client, client % options.rooms).await?;
        if client < options.readers {
            tokio::spawn(read(socket, counters.clone()));
        } else {
            senders.push((client, socket));
        }
    }
    for (client, socket) in senders {
        let text = Utf8Bytes::from(format!("{client} {:.>1$}", "", options.bytes));
        tokio::spawn(send(socket, text, options.window, counters.clone()));
    }
    // The first second is not counted: the queues fill.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = (Instant::now(), usage(&[pid]).cpu_ms, count(&counters));
    tokio::time::sleep(Duration::from_secs(options.seconds)).await;
    let after = (Instant::now(), usage(&[pid]).cpu_ms, count(&counters));
    counters.ended.store(true, Ordering::Relaxed);
    let (time, cpu_ms) = ((after.0 - before.0).as_millis(), after.1 - before.1);
    let (sent, deliveries) = (after.2.0 - before.2.0, after.2.1 - before.2.1);
    println!(
        "hub: {sent} sent, {deliveries} delivered in {time} ms; {cpu_ms} ms of CPU; {} deliveries per second of CPU",
        deliveries * 1_000 / cpu_ms.max(1)
    );
    Ok(())
}

fn count(counters: &Counters) -> (u64, u64) {
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    (load(&counters.sent), load(&counters.deliveries))
}

type Socket = WebSocketStream<tokio::net::TcpStream>;

async fn connect(hub: SocketAddr, client: u32, room: u32) -> Result<Socket> {
    let source = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 2, 0, 1)) + client / PER_SOURCE);
    let tcp = TcpSocket::new_v4()?;
    tcp.bind((source, 0).into())?;
    let tcp = tcp.connect(hub).await?;
    tcp.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(4_096);
    let url = format!("ws://{hub}/{room}");
    Ok(client_async_with_config(url, tcp, Some(config)).await?.0)
}

async fn read(mut socket: Socket, counters: Arc<Counters>) {
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() {
            counters.deliveries.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Sends as many as may be under way, and one more for each of its own that comes back.
async fn send(mut socket: Socket, text: Utf8Bytes, window: u32, counters: Arc<Counters>) {
    let mine = tungstenite::Message::Text(text.as_str().into());
    for _ in 0..window {
        if socket.send(mine.clone()).await.is_err() {
            return;
        }
    }
    while let Some(Ok(message)) = socket.next().await {
        counters.deliveries.fetch_add(1, Ordering::Relaxed);
        if message != mine {
            continue;
        }
        counters.sent.fetch_add(1, Ordering::Relaxed);
        let ended = counters.ended.load(Ordering::Relaxed);
        if ended || socket.send(mine.clone()).await.is_err() {
            return;
        }
    }
}
