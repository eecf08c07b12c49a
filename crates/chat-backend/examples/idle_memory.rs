//! What an idle connection costs: starts the server in a process of its own, opens sockets that are
//! signed in and follow a room each, or several, and prints the growth of the server's resident
//! memory per connection. `cargo run --release --example idle_memory -- --connections 5000 --rooms 10`

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use chat_backend::App;
use chat_backend::clock::SystemClock;
use chat_backend::config::Cli;
use chat_store_sqlite::SqliteStore;
use chat_types::account::{CreateGuest, SignedIn};
use chat_types::endpoint::{Endpoint, JoinAsGuest, OpenPageRoom};
use chat_types::id::{RequestId, RoomId};
use chat_types::room::{OpenPage, RoomSummary};
use chat_types::ws::{ClientInfo, Command, SUBPROTOCOL};
use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// The bars that this bench is held against, in bytes per connection: with one room, and with up to
/// ten.
const ONE_ROOM_BYTES: u64 = 10 * 1024;
const TEN_ROOMS_BYTES: u64 = 14 * 1024;
/// Sockets that one address may have by default.
const PER_ADDRESS: usize = 50;
/// After the last connection, for presence to be told and allocators to settle.
const SETTLE: Duration = Duration::from_secs(5);

#[derive(Parser)]
struct Options {
    /// How many sockets to open.
    #[arg(long, default_value_t = 5_000)]
    connections: usize,
    /// How many rooms each of them follows.
    #[arg(long, default_value_t = 1)]
    rooms: usize,
    /// How many rooms there are, at least as many as one follows.
    #[arg(long, default_value_t = 50)]
    rooms_in_all: usize,
    /// Be the server.
    #[arg(long, hide = true)]
    serve: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    if options.serve {
        return serve().await.map(|()| ExitCode::SUCCESS);
    }
    let per_connection = measure(&options).await?;
    let bar = if options.rooms == 1 {
        ONE_ROOM_BYTES
    } else {
        TEN_ROOMS_BYTES
    };
    Ok(if per_connection < bar {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn serve() -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    let arguments = [
        "chat-backend",
        "--secret-key=0123456789abcdefghijklmnopqrstuvwxyz",
        "--sites=bench=*",
        "--limit-guests=1000000/1s",
        "--limit-pages=1000000/1s",
        "--limit-reads=1000000/1s",
        "--log=warn",
    ];
    let config = Cli::try_parse_from(arguments)?.config;
    let store = SqliteStore::open(&data.path().join("chat.db")).await?;
    let app = App::build(config, Arc::new(store), Arc::new(SystemClock)).await?;
    let public = TcpListener::bind("127.0.0.1:0").await?;
    let admin = TcpListener::bind("127.0.0.1:0").await?;
    let address = public.local_addr()?;
    let _state = app.start(public, admin)?;
    say(&address.to_string())?;
    // The end of standard input is the end of the bench.
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    while input.next_line().await?.is_some() {}
    Ok(())
}

async fn measure(options: &Options) -> anyhow::Result<u64> {
    let mut server = tokio::process::Command::new(std::env::current_exe()?)
        .arg("--serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let pid = server.id().context("the server runs")?;
    let output = server.stdout.take().context("the server has an output")?;
    let address = BufReader::new(output).lines().next_line().await?;
    let address: SocketAddr = address
        .context("the server says where it listens")?
        .parse()?;

    let http = reqwest::Client::new();
    let mut rooms = Vec::new();
    let host = guest(&http, address, 0).await?;
    for n in 0..options.rooms_in_all {
        rooms.push(open_page(&http, address, &host, n).await?);
    }
    let mut guests = Vec::new();
    for n in 0..options.connections {
        guests.push(guest(&http, address, n).await?);
    }
    // What the first socket of a process costs is not what a socket costs.
    let warm = socket(address, 254, &host, &rooms[..1]).await?;

    let before = resident_bytes(pid)?;
    let mut sockets = Vec::new();
    for (n, guest) in guests.iter().enumerate() {
        let source = u8::try_from(n / PER_ADDRESS).context("too many connections for one net")?;
        let own: Vec<_> = (0..options.rooms)
            .map(|at| rooms[(n * options.rooms + at) % rooms.len()])
            .collect();
        sockets.push(socket(address, source, guest, &own).await?);
    }
    tokio::time::sleep(SETTLE).await;
    let after = resident_bytes(pid)?;
    ensure!(server.try_wait()?.is_none(), "the server ended");
    let per_connection = after.saturating_sub(before) / sockets.len() as u64;
    say(&format!(
        "{} idle connections in {} of {} rooms each: resident memory {} KiB before, {} KiB after, {}.{:02} KiB per connection",
        sockets.len(),
        options.rooms,
        rooms.len(),
        before / 1024,
        after / 1024,
        per_connection / 1024,
        per_connection % 1024 * 100 / 1024,
    ))?;
    drop((warm, sockets));
    Ok(per_connection)
}

async fn guest(http: &reqwest::Client, address: SocketAddr, n: usize) -> anyhow::Result<SignedIn> {
    let url = format!("http://{address}{}", JoinAsGuest::PATH);
    let name = format!("guest {n}");
    let answer = http.post(url).json(&CreateGuest { name }).send().await?;
    Ok(answer.error_for_status()?.json().await?)
}

async fn open_page(
    http: &reqwest::Client,
    address: SocketAddr,
    host: &SignedIn,
    n: usize,
) -> anyhow::Result<RoomId> {
    let page = OpenPage {
        site: "bench".parse()?,
        page: format!("/{n}").parse()?,
        title: None,
    };
    let url = format!("http://{address}{}", OpenPageRoom::PATH);
    let request = http.post(url).bearer_auth(&host.tokens.access_token);
    let answer = request.json(&page).send().await?.error_for_status()?;
    Ok(answer.json::<RoomSummary>().await?.room.id)
}

/// A socket that has said hello and follows the rooms.
async fn socket(
    address: SocketAddr,
    source: u8,
    guest: &SignedIn,
    rooms: &[RoomId],
) -> anyhow::Result<WebSocketStream<TcpStream>> {
    let tcp = TcpSocket::new_v4()?;
    tcp.bind((Ipv4Addr::new(127, 0, 1, source), 0).into())?;
    let mut request = format!("ws://{address}/v1/ws").into_client_request()?;
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", SUBPROTOCOL.parse()?);
    let config = WebSocketConfig::default().read_buffer_size(1024);
    let tcp = tcp.connect(address).await?;
    let (mut socket, _) = client_async_with_config(request, tcp, Some(config)).await?;
    let hello = Command::Hello {
        id: RequestId(1),
        token: Some(guest.tokens.access_token.clone()),
        caps: Vec::new(),
        client: ClientInfo {
            name: "bench".to_owned(),
            build: "0".to_owned(),
        },
    };
    say_to(&mut socket, &hello).await?;
    for room in rooms {
        follow(&mut socket, *room).await?;
    }
    Ok(socket)
}

/// Follows a room, and waits until that is so.
async fn follow(socket: &mut WebSocketStream<TcpStream>, room: RoomId) -> anyhow::Result<()> {
    let sub = Command::Sub {
        id: RequestId(2),
        room,
        epoch: None,
        since: None,
        tail: 50,
    };
    say_to(socket, &sub).await?;
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) if text.contains("\"t\":\"subbed\"") => return Ok(()),
            // On a busy machine the database may be late; a client tries again.
            Some(Ok(Message::Text(text))) if text.contains("\"retry\":true") => {
                say_to(socket, &sub).await?;
            }
            Some(Ok(Message::Text(text))) if text.contains("\"t\":\"err\"") => bail!("{text}"),
            Some(Ok(_)) => {}
            other => bail!("the socket ended: {other:?}"),
        }
    }
}

async fn say_to(socket: &mut WebSocketStream<TcpStream>, command: &Command) -> anyhow::Result<()> {
    let text = serde_json::to_string(command)?;
    Ok(socket.send(Message::text(text)).await?)
}

fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kib.context("the kernel tells VmRSS")?.parse::<u64>()? * 1024)
}

fn say(line: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}
