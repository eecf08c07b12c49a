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
//!
//! It also tells how many connections a second of its CPU opens, which is what there is to a connection
//! before anybody says who they are. With `--of-saturation 80` it is then given 80 % of that, each message at its time, and tells how long
//! they took to each reader.

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
use futures_util::{SinkExt as _, StreamExt as _, TryStreamExt as _, stream};
use hdrhistogram::Histogram;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::broadcast::{self, error::RecvError, error::TryRecvError};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Events that a slow reader may be behind; the oldest are lost then.
const LAG: usize = 4_096;
/// Connections that are being opened at once.
const CONNECTING: usize = 256;
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
    /// Afterwards send so many percent of what it took, each message at its time, and tell how long
    /// they took.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=200))]
    of_saturation: Option<u64>,
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
        None => compare(&options).await,
    }
}

/// Saturates the hub, and then gives it its share.
async fn compare(options: &Options) -> Result<()> {
    let taken = drive(options, Pace::Saturated).await?;
    if let Some(percent) = options.of_saturation {
        let per_second = (taken * percent / 100).max(1);
        println!("hub: now {per_second} messages a second, each at its time");
        drive(options, Pace::Rate { per_second }).await?;
    }
    Ok(())
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

/// How messages are sent.
#[derive(Debug, Clone, Copy)]
enum Pace {
    /// As fast as they come back.
    Saturated,
    /// So many a second of all senders, whether or not those before have come back.
    Rate { per_second: u64 },
}

/// Latencies that are collected before they are told.
const COLLECTED: usize = 64;
/// The longest latency that is told apart, in microseconds.
const LONGEST_US: u64 = 600_000_000;

/// What all clients share.
struct Shared {
    began: Instant,
    deliveries: AtomicU64,
    sent: AtomicU64,
    ended: AtomicBool,
    /// From when a message was due to each reader, in microseconds.
    to_reader: Mutex<Histogram<u64>>,
}

impl Shared {
    fn new() -> Result<Self> {
        Ok(Self {
            began: Instant::now(),
            deliveries: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            to_reader: Mutex::new(Histogram::new_with_bounds(1, LONGEST_US, 3)?),
        })
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn counts(&self) -> (u64, u64) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (load(&self.sent), load(&self.deliveries))
    }
}

/// Lets a fresh hub work, and returns how many messages a second were sent.
async fn drive(options: &Options, pace: Pace) -> Result<u64> {
    let hub = Hub::start()?;
    let pid = hub.process.id();
    let shared = Arc::new(Shared::new()?);
    let mut senders = Vec::new();
    let before = usage(&[pid]).cpu_ms;
    for (client, socket) in connect_all(options, hub.address).await? {
        if client < options.readers {
            tokio::spawn(Reader::new(shared.clone()).read(socket));
        } else {
            senders.push((client, socket));
        }
    }
    let cpu_ms = usage(&[pid]).cpu_ms - before;
    let connections = u64::from(options.readers + options.senders);
    println!(
        "hub: {connections} connected; {cpu_ms} ms of CPU; {} connections per second of CPU",
        connections * 1_000 / cpu_ms.max(1)
    );
    let (mut sending, bytes) = (Vec::new(), options.bytes);
    for (client, socket) in senders {
        let (due, dues) = mpsc::unbounded_channel();
        let sender = Sender {
            client,
            bytes,
            shared: shared.clone(),
        };
        tokio::spawn(sender.run(socket, dues));
        sending.push(due);
    }
    let pacing = tokio::spawn(send(sending, pace, options.window, shared.clone()));
    // The first second is not counted: the queues fill.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = (Instant::now(), usage(&[pid]).cpu_ms, shared.counts());
    shared
        .to_reader
        .lock()
        .expect("nobody panics holding it")
        .reset();
    tokio::time::sleep(Duration::from_secs(options.seconds)).await;
    let after = (Instant::now(), usage(&[pid]).cpu_ms, shared.counts());
    shared.ended.store(true, Ordering::Relaxed);
    pacing.abort();
    let (time, cpu_ms) = ((after.0 - before.0).as_millis(), after.1 - before.1);
    let (sent, deliveries) = (after.2.0 - before.2.0, after.2.1 - before.2.1);
    println!(
        "hub: {sent} sent, {deliveries} delivered in {time} ms; {cpu_ms} ms of CPU; {} deliveries per second of CPU",
        deliveries * 1_000 / cpu_ms.max(1)
    );
    let to_reader = shared.to_reader.lock().expect("nobody panics holding it");
    let at = |quantile| to_reader.value_at_quantile(quantile);
    println!(
        "hub: to each reader p50 {} us, p99 {} us, p99.9 {} us, max {} us",
        at(0.5),
        at(0.99),
        at(0.999),
        to_reader.max()
    );
    Ok(sent / options.seconds.max(1))
}

/// Tells the senders when each message is due.
async fn send(
    senders: Vec<mpsc::UnboundedSender<u64>>,
    pace: Pace,
    window: u32,
    shared: Arc<Shared>,
) {
    match pace {
        Pace::Saturated => {
            // One more for each that comes back, from then on.
            for due in senders.iter().flat_map(|due| (0..window).map(move |_| due)) {
                let _ = due.send(NOW);
            }
            std::future::pending::<()>().await;
        }
        Pace::Rate { per_second } => {
            let first_us = shared.now_us();
            for (nth, due) in (0..).zip(senders.iter().cycle()) {
                let due_us = first_us + nth * 1_000_000 / per_second;
                tokio::time::sleep_until(shared.began + Duration::from_micros(due_us)).await;
                // A sender that is gone sends nothing, which the figures tell.
                let _ = due.send(due_us);
            }
        }
    }
}

type Socket = WebSocketStream<tokio::net::TcpStream>;

/// Everybody's socket.
async fn connect_all(options: &Options, hub: SocketAddr) -> Result<Vec<(u32, Socket)>> {
    let clients = stream::iter(0..options.readers + options.senders);
    let connected = clients.map(|client| async move {
        let socket = connect(hub, client, client % options.rooms).await;
        Ok((client, socket?))
    });
    connected.buffer_unordered(CONNECTING).try_collect().await
}

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

/// Counts what a client is given.
struct Reader {
    shared: Arc<Shared>,
    latencies: Vec<u64>,
}

impl Reader {
    fn new(shared: Arc<Shared>) -> Self {
        let latencies = Vec::new();
        Self { shared, latencies }
    }

    async fn read(mut self, mut socket: Socket) {
        while let Some(Ok(message)) = socket.next().await {
            self.count(&message);
        }
    }

    /// Counts an event. Returns whose it is.
    fn count(&mut self, message: &tungstenite::Message) -> Option<u32> {
        let tungstenite::Message::Text(text) = message else {
            return None;
        };
        self.shared.deliveries.fetch_add(1, Ordering::Relaxed);
        let mut words = text.split(' ');
        let (client, due_us) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        self.latencies
            .push(self.shared.now_us().saturating_sub(due_us));
        if self.latencies.len() >= COLLECTED {
            let mut all = self
                .shared
                .to_reader
                .lock()
                .expect("nobody panics holding it");
            for us in self.latencies.drain(..) {
                all.saturating_record(us.max(1));
            }
        }
        Some(client)
    }
}

/// Due when it is told.
const NOW: u64 = 0;

/// A client that sends what is due; of what is due now, one more for each that comes back.
struct Sender {
    client: u32,
    bytes: usize,
    shared: Arc<Shared>,
}

impl Sender {
    async fn run(self, mut socket: Socket, mut dues: mpsc::UnboundedReceiver<u64>) {
        let mut reader = Reader::new(self.shared.clone());
        let mut saturates = false;
        loop {
            let due_us = tokio::select! {
                due_us = dues.recv() => match due_us {
                    Some(due_us) => due_us,
                    None => return,
                },
                message = socket.next() => match message {
                    Some(Ok(message)) if reader.count(&message) == Some(self.client) => {
                        self.shared.sent.fetch_add(1, Ordering::Relaxed);
                        if !saturates {
                            continue;
                        }
                        NOW
                    }
                    Some(Ok(_)) => continue,
                    Some(Err(_)) | None => return,
                },
            };
            saturates = due_us == NOW;
            if self.shared.ended.load(Ordering::Relaxed)
                || socket.send(self.event(due_us)).await.is_err()
            {
                return;
            }
        }
    }

    /// Says whose it is and when it was due, as long as an event of the service.
    fn event(&self, due_us: u64) -> tungstenite::Message {
        let due_us = match due_us {
            NOW => self.shared.now_us(),
            due_us => due_us,
        };
        let head = format!("{} {due_us} ", self.client);
        let text = format!("{head:.<0$}", self.bytes);
        tungstenite::Message::Text(text.into())
    }
}
