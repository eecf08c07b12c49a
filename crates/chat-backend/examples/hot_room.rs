//! What a crowded room costs a quiet one: 10,000 readers of one room whose writers never rest, and a
//! room with one reader, whose events are timed from their publication to their arrival, without
//! the crowd's events and with them. The readers are in a process of their own.
//! `cargo run --release --example hot_room -- --readers 9000`

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use chat_backend::App;
use chat_backend::clock::SystemClock;
use chat_backend::config::Cli;
use chat_backend::realtime::Hub;
use chat_backend::state::AppState;
use chat_store::{NewRoom, Rooms};
use chat_store_sqlite::SqliteStore;
use chat_types::event::{Change, Event};
use chat_types::id::{Epoch, RoomId, Seq, UserId};
use chat_types::room::RoomKind;
use clap::Parser;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use uuid::Uuid;

/// Events of the quiet room in each measurement, and the pause between two of them.
const EVENTS: usize = 200;
const PAUSE: Duration = Duration::from_millis(20);
/// Between two events of the crowded room.
const HOT_PAUSE: Duration = Duration::from_millis(10);
/// Readers of one source address.
const PER_ADDRESS: usize = 200;

#[derive(Parser)]
struct Options {
    /// Readers of the crowded room.
    #[arg(long, default_value_t = 9_000)]
    readers: usize,
    /// Be the readers of this address and room.
    #[arg(long, hide = true, num_args = 2)]
    read: Option<Vec<String>>,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let runtime = tokio::runtime::Runtime::new()?;
    if let Some([address, room]) = options.read.as_deref() {
        return runtime.block_on(read(address.parse()?, room, options.readers));
    }
    let data = tempfile::tempdir()?;
    let database = data.path().join("chat.db");
    let (state, address, hot, quiet) = runtime.block_on(serve(&options, &database))?;
    let _guard = runtime.enter();
    let arrivals = listen(address, quiet)?;
    let of_crowd = listen(address, hot)?;
    let mut readers = std::process::Command::new(std::env::current_exe()?)
        .args(["--readers", &options.readers.to_string(), "--read"])
        .args([address.to_string(), hot.to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    let output = readers
        .stdout
        .take()
        .context("the readers have an output")?;
    BufReader::new(output).read_line(&mut String::new())?;

    let mut next = Seq(1);
    say(
        "no events in the crowded room",
        &mut measure(&state.hub, quiet, &mut next, &arrivals)?,
    )?;
    let rests = Arc::new(AtomicBool::new(false));
    let crowd = std::thread::spawn({
        let (hub, rests, runtime) = (state.hub.clone(), rests.clone(), runtime.handle().clone());
        move || {
            let _guard = runtime.enter();
            let mut next = Seq(1);
            let mut published = Vec::new();
            while !rests.load(Ordering::SeqCst) {
                published.push(Instant::now());
                hub.publish(&event(hot, next));
                next = next.next();
                std::thread::sleep(HOT_PAUSE);
            }
            published
        }
    });
    std::thread::sleep(Duration::from_secs(2));
    let with = format!(
        "an event every {HOT_PAUSE:?} for {} readers",
        options.readers
    );
    say(
        &with,
        &mut measure(&state.hub, quiet, &mut next, &arrivals)?,
    )?;
    rests.store(true, Ordering::SeqCst);
    let published = crowd.join().ok().context("the crowd's writer ends")?;
    let mut of_one = Vec::new();
    for begun in published {
        of_one.push(of_crowd.recv_timeout(Duration::from_secs(30))? - begun);
    }
    say(
        "the crowd's events, as one of the crowd gets them",
        &mut of_one,
    )?;
    readers.kill()?;
    readers.wait()?;
    Ok(())
}

async fn serve(
    options: &Options,
    database: &std::path::Path,
) -> anyhow::Result<(AppState, SocketAddr, RoomId, RoomId)> {
    let all = options.readers + 10;
    let config = Cli::try_parse_from([
        "chat-backend".to_owned(),
        "--secret-key=0123456789abcdefghijklmnopqrstuvwxyz".to_owned(),
        format!("--limit-connections={all}"),
        format!("--limit-connections-per-address={all}"),
        format!("--limit-visitors-per-address={all}"),
        "--limit-reads=1000000/1s".to_owned(),
        // The events are made up, and the database knows nothing of them.
        "--heads-ms=3600000".to_owned(),
        "--log=warn".to_owned(),
    ])?
    .config;
    let store = Arc::new(SqliteStore::open(database).await?);
    let (hot, quiet) = (make_room(&store, 1).await?, make_room(&store, 2).await?);
    let app = App::build(config, store, Arc::new(SystemClock)).await?;
    let public = TcpListener::bind("127.0.0.1:0").await?;
    let admin = TcpListener::bind("127.0.0.1:0").await?;
    let address = public.local_addr()?;
    Ok((app.start(public, admin)?, address, hot, quiet))
}

/// A page room, whose feed has not begun.
async fn make_room(store: &SqliteStore, n: u128) -> anyhow::Result<RoomId> {
    use chat_store::Sites;
    let site = chat_types::room::Site {
        key: "bench".parse()?,
        origins: Vec::new(),
    };
    store.put_site(site).await?;
    let room = NewRoom {
        id: RoomId::from_uuid(Uuid::from_u128(n)),
        kind: RoomKind::Page,
        name: None,
        topic: None,
        epoch: Epoch("bench".to_owned()),
        at: chat_types::time::Timestamp(0),
    };
    let page = format!("/{n}").parse()?;
    let (record, _) = store.open_page(&"bench".parse()?, &page, room).await?;
    Ok(record.room.id)
}

fn event(room: RoomId, seq: Seq) -> Event {
    Event {
        room,
        seq,
        at: chat_types::time::Timestamp(0),
        change: Change::MemberLeft {
            user_id: UserId::from_uuid(Uuid::nil()),
        },
    }
}

fn request(room: &str) -> String {
    format!("GET /v1/rooms/{room}/stream HTTP/1.1\r\nHost: bench\r\n\r\n")
}

/// When each event of a room arrives, seen by a thread that waits for nothing else.
fn listen(address: SocketAddr, room: RoomId) -> anyhow::Result<mpsc::Receiver<Instant>> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(request(&room.to_string()).as_bytes())?;
    let (sender, arrivals) = mpsc::channel();
    let (begun, begins) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if line.starts_with("retry:") {
                let _ = begun.send(());
            }
            if line.starts_with("data:") && sender.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    begins.recv_timeout(Duration::from_secs(10))?;
    Ok(arrivals)
}

/// How long events of the quiet room take.
fn measure(
    hub: &Hub,
    room: RoomId,
    next: &mut Seq,
    arrivals: &mpsc::Receiver<Instant>,
) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(EVENTS);
    for _ in 0..EVENTS {
        let begun = Instant::now();
        hub.publish(&event(room, *next));
        *next = next.next();
        times.push(arrivals.recv_timeout(Duration::from_secs(30))? - begun);
        std::thread::sleep(PAUSE);
    }
    Ok(times)
}

fn say(what: &str, times: &mut [Duration]) -> anyhow::Result<()> {
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    writeln!(
        std::io::stdout(),
        "{what}: median {:?}, 90 % {:?}, 99 % {:?}, greatest {:?}",
        at(50),
        at(90),
        at(99),
        at(100)
    )?;
    Ok(())
}

/// The crowd: reads and forgets.
async fn read(address: SocketAddr, room: &str, readers: usize) -> anyhow::Result<()> {
    let mut streams = Vec::with_capacity(readers);
    for n in 0..readers {
        let source = u8::try_from(n / PER_ADDRESS + 1).context("too many readers for one net")?;
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::new(127, 0, 1, source), 0).into())?;
        let mut stream = socket.connect(address).await?;
        stream.write_all(request(room).as_bytes()).await?;
        let mut answer = [0; 64];
        stream.read_exact(&mut answer).await?;
        ensure!(
            answer.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
        streams.push(stream);
    }
    writeln!(std::io::stdout(), "ready")?;
    let mut reading = tokio::task::JoinSet::new();
    for mut stream in streams {
        reading.spawn(async move {
            let mut text = vec![0; 4096];
            while stream.read(&mut text).await.is_ok_and(|bytes| bytes > 0) {}
        });
    }
    reading.join_all().await;
    Ok(())
}
