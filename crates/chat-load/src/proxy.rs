//! A bad network: a TCP proxy that delays, stalls, cuts in the middle of a frame, and passes on byte
//! by byte. What a seed did once it does again, as far as the bytes arrive alike.
//!
//! TCP hides loss from its users and shows it as time: what is behind a lost segment waits until that
//! has been sent again. So "loss" here holds a piece up, and everything behind it, for a
//! retransmission's time.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::measure::Counter;
use crate::rng::Rng;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 16 * 1024;
/// Pieces of one direction that are on their way at once; then TCP's own pressure takes over.
const PIECES: usize = 256;
/// The first retransmission of a lost segment comes after this (Linux's least).
const RETRANSMISSION: Duration = Duration::from_millis(200);
/// A connection that is to be cut now is cut inside of what it passes on next, and where it stands when
/// nothing comes within this.
const LAST_PIECE: Duration = Duration::from_millis(50);

/// What a network does to what passes through it. Chances are per piece: what was read at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Network {
    /// How long everything is on its way, in each direction.
    pub delay: Duration,
    /// Up to so much more or less, chosen for each piece; order is kept.
    pub jitter: Duration,
    /// How many pieces in a million are lost and sent again.
    pub loss: u32,
    /// How many pieces in a million are the last of their connection, which is cut somewhere inside
    /// of them.
    pub cut: u32,
    /// How many pieces in a million stop their direction for [`Network::stall_time`].
    pub stall: u32,
    /// How many pieces towards the client in a million are swallowed, with everything behind them,
    /// until the connection is cut after [`Network::stall_time`]: the acknowledgement is lost after
    /// the commit.
    pub swallow: u32,
    /// How long a stall lasts.
    pub stall_time: Duration,
    /// Everything is passed on in writes of so many bytes; 0: as it came.
    pub chunk: usize,
}

impl Network {
    /// A sound network.
    pub const CLEAR: Self = Self {
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
        loss: 0,
        cut: 0,
        stall: 0,
        swallow: 0,
        stall_time: Duration::ZERO,
        chunk: 0,
    };
}

#[derive(Debug, Default)]
struct Stats {
    accepted: Counter,
    cuts: Counter,
    stalls: Counter,
    losses: Counter,
    bytes: Counter,
}

/// What a network has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Connections that it took.
    pub accepted: u64,
    /// Connections that it cut.
    pub cuts: u64,
    /// Directions that it stopped for a while.
    pub stalls: u64,
    /// Pieces that it lost and sent again.
    pub losses: u64,
    /// Bytes that it passed on.
    pub bytes: u64,
}

/// The connections that are open, each with the order to be cut, and those that were cut, by the
/// client's address.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    open: Mutex<Vec<watch::Sender<bool>>>,
    cut: Mutex<HashSet<SocketAddr>>,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connections {
    /// A connection from this client begins; it hears there that it is to be cut.
    fn begin(&self, client: SocketAddr) -> watch::Receiver<bool> {
        lock(&self.cut).remove(&client);
        let (order, doomed) = watch::channel(false);
        lock(&self.open).push(order);
        doomed
    }

    /// Some have ended.
    fn forget_ended(&self) {
        lock(&self.open).retain(|order| !order.is_closed());
    }

    /// The connection from this client is cut. Returns whether it was not before.
    fn cut(&self, client: SocketAddr) -> bool {
        lock(&self.cut).insert(client)
    }

    /// Whether the connection that a client had from this address was cut; each is told once.
    pub(crate) fn was_cut(&self, client: SocketAddr) -> bool {
        lock(&self.cut).remove(&client)
    }
}

/// Cuts so many connections of these networks at the same moment, each at a random byte. Returns how
/// many there were to cut.
pub(crate) fn cut_at_once(
    networks: &[Arc<Connections>],
    connections: usize,
    rng: &mut Rng,
) -> usize {
    let mut open = Vec::new();
    for network in networks {
        let mut of = lock(&network.open).clone();
        of.retain(|order| !order.is_closed() && !*order.borrow());
        open.append(&mut of);
    }
    let chosen = connections.min(open.len());
    for _ in 0..chosen {
        let order = open.swap_remove(rng.index(open.len()));
        order.send_replace(true);
    }
    chosen
}

/// A network in front of one server. Dropping it cuts everything.
pub struct Proxy {
    address: SocketAddr,
    network: watch::Sender<Network>,
    connections: Arc<Connections>,
    rng: Mutex<Rng>,
    stats: Arc<Stats>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// Listens, and passes on to `to`.
    pub async fn start(
        listen: SocketAddr,
        to: SocketAddr,
        network: Network,
        seed: u64,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let (network, conditions) = watch::channel(network);
        let (stats, connections) = (Arc::new(Stats::default()), Arc::default());
        let route = Route {
            to,
            network: conditions,
            connections: Arc::clone(&connections),
            stats: Arc::clone(&stats),
        };
        let mut rng = Rng::new(seed);
        let task = tokio::spawn(accept(listener, route, rng.fork()));
        Ok(Self {
            address,
            network,
            connections,
            rng: Mutex::new(rng),
            stats,
            task,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on the network is like this, also for the connections there are.
    pub fn become_like(&self, network: Network) {
        self.network.send_replace(network);
    }

    /// Cuts so many of its connections at the same moment, each at a random byte. Returns how many there
    /// were to cut.
    pub fn cut(&self, connections: usize) -> usize {
        let networks = [Arc::clone(&self.connections)];
        cut_at_once(&networks, connections, &mut lock(&self.rng))
    }

    pub(crate) fn connections(&self) -> Arc<Connections> {
        Arc::clone(&self.connections)
    }

    /// What it has done so far.
    pub fn done(&self) -> Done {
        Done {
            accepted: self.stats.accepted.get(),
            cuts: self.stats.cuts.get(),
            stalls: self.stats.stalls.get(),
            losses: self.stats.losses.get(),
            bytes: self.stats.bytes.get(),
        }
    }

    /// Runs for ever.
    pub async fn run(mut self) {
        // It only ends by being aborted.
        let _ = (&mut self.task).await;
    }
}

#[derive(Clone)]
struct Route {
    to: SocketAddr,
    network: watch::Receiver<Network>,
    connections: Arc<Connections>,
    stats: Arc<Stats>,
}

async fn accept(listener: TcpListener, route: Route, mut rng: Rng) {
    let mut carried = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, address)) = accepted {
                    route.stats.accepted.add(1);
                    let connection = Connection {
                        client: address,
                        doomed: route.connections.begin(address),
                        route: route.clone(),
                    };
                    carried.spawn(connection.carry(client, rng.fork()));
                }
            }
            Some(_) = carried.join_next() => route.connections.forget_ended(),
        }
    }
}

/// A connection that passes through.
#[derive(Clone)]
struct Connection {
    /// Where it comes from.
    client: SocketAddr,
    /// Whether it is to be cut now.
    doomed: watch::Receiver<bool>,
    route: Route,
}

/// The connection is cut: both directions end at once.
struct Cut;

impl Connection {
    async fn carry(self, client: TcpStream, mut rng: Rng) {
        let Ok(server) = TcpStream::connect(self.route.to).await else {
            return;
        };
        // A proxy that waits to fill segments would hide what it is told to do.
        if client.set_nodelay(true).is_err() || server.set_nodelay(true).is_err() {
            return;
        }
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let mut direction = |down| Direction {
            connection: self.clone(),
            rng: rng.fork(),
            down,
        };
        let (up, down) = (direction(false), direction(true));
        let passing = async {
            tokio::try_join!(
                up.carry(from_client, to_server),
                down.carry(from_server, to_client)
            )
        };
        // Both ends are dropped with whichever of these is over first.
        tokio::select! {
            _ = passing => {}
            () = self.cut_where_it_stands() => {}
        }
    }

    /// Cuts a connection on which nothing comes that it could be cut inside of.
    async fn cut_where_it_stands(&self) {
        let mut doomed = self.doomed.clone();
        // The order's other end is there for as long as the connection is.
        if doomed.wait_for(|doomed| *doomed).await.is_ok() {
            tokio::time::sleep(LAST_PIECE).await;
            self.note_cut();
        }
    }

    /// Notes that it is cut, before either side can notice.
    fn note_cut(&self) {
        if self.route.connections.cut(self.client) {
            self.route.stats.cuts.add(1);
        }
    }
}

/// What was read at once, and when it arrives.
struct Piece {
    at: Instant,
    bytes: Vec<u8>,
    cut: bool,
}

struct Direction {
    connection: Connection,
    rng: Rng,
    down: bool,
}

impl Direction {
    async fn carry(mut self, from: OwnedReadHalf, to: OwnedWriteHalf) -> Result<(), Cut> {
        let (queue, due) = mpsc::channel(PIECES);
        let writer = Writer {
            connection: self.connection.clone(),
            rng: self.rng.fork(),
        };
        let reading = async {
            self.read(from, queue).await;
            Ok(())
        };
        tokio::try_join!(reading, writer.write(due, to)).map(|_| ())
    }

    async fn read(mut self, mut from: OwnedReadHalf, queue: mpsc::Sender<Piece>) {
        let mut buffer = vec![0; PIECE_BYTES];
        let mut last = Instant::now();
        // A connection that one side breaks ends as one that it closes.
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            let piece = self.decide(&buffer[..read], &mut last);
            let ends = piece.cut;
            if queue.send(piece).await.is_err() || ends {
                return;
            }
        }
    }

    fn decide(&mut self, bytes: &[u8], last: &mut Instant) -> Piece {
        let network = *self.connection.route.network.borrow();
        let stats = Arc::clone(&self.connection.route.stats);
        let mut at = Instant::now() + self.delay(&network);
        while self.rng.happens(network.loss) {
            stats.losses.add(1);
            at += RETRANSMISSION + 2 * network.delay;
        }
        if self.rng.happens(network.stall) {
            stats.stalls.add(1);
            at += network.stall_time;
        }
        // Nothing overtakes.
        *last = at.max(*last);
        if self.down && self.rng.happens(network.swallow) {
            return Piece {
                at: *last + network.stall_time,
                bytes: Vec::new(),
                cut: true,
            };
        }
        let cut = self.rng.happens(network.cut);
        let passed = if cut {
            self.rng.index(bytes.len())
        } else {
            bytes.len()
        };
        Piece {
            at: *last,
            bytes: bytes[..passed].to_vec(),
            cut,
        }
    }

    fn delay(&mut self, network: &Network) -> Duration {
        let jitter_us = u64::try_from(network.jitter.as_micros()).unwrap_or(u64::MAX);
        let spread = Duration::from_micros(self.rng.below(jitter_us.saturating_mul(2)));
        (network.delay + spread).saturating_sub(network.jitter)
    }
}

/// Passes on what is due.
struct Writer {
    connection: Connection,
    rng: Rng,
}

impl Writer {
    async fn write(
        mut self,
        mut due: mpsc::Receiver<Piece>,
        mut to: OwnedWriteHalf,
    ) -> Result<(), Cut> {
        let Connection { doomed, route, .. } = self.connection.clone();
        while let Some(mut piece) = due.recv().await {
            tokio::time::sleep_until(piece.at).await;
            if *doomed.borrow() {
                piece.bytes.truncate(self.rng.index(piece.bytes.len()));
                piece.cut = true;
            }
            let chunk = route.network.borrow().chunk;
            let chunk = if chunk == 0 { PIECE_BYTES } else { chunk };
            for part in piece.bytes.chunks(chunk) {
                // A side that is gone: the other one is told so by the end of this connection.
                if to.write_all(part).await.is_err() {
                    return Ok(());
                }
            }
            let passed = u64::try_from(piece.bytes.len()).unwrap_or(0);
            route.stats.bytes.add(passed);
            if piece.cut {
                self.connection.note_cut();
                return Err(Cut);
            }
        }
        // The other side may have gone first.
        let _ = to.shutdown().await;
        Ok(())
    }
}
