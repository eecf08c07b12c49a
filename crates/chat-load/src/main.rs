//! The load generator as a program: its options are a [`Scenario`].

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use chat_load::proxy::{Network, Proxy};
use chat_load::{
    Control, Faults, Floors, Load, Mix, Report, SERVER_FLAGS, Scenario, Server, Verdict,
};
use clap::{Args, Parser, Subcommand};
use tokio::io::{AsyncBufReadExt as _, BufReader};

/// Drives real servers of Sarangbang with many clients, measures them, and audits that every promise
/// was kept: nothing lost, doubled, reordered, made up or shown stale.
#[derive(Parser)]
#[command(version, after_help = HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const HELP: &str = "\
A server under load needs other limits than one in use: start it with the flags that \
`chat-load server-flags` prints. Exit code: 0 sound, 1 a promise was broken, 2 the run did too \
little to prove anything, 3 it could not be made.";

#[derive(Subcommand)]
enum Command {
    /// Connect, send, come to rest, audit
    Run(Box<Run>),
    /// Be a bad network in front of a server
    Proxy(Bad),
    /// Print the flags that a server under load is started with
    ServerFlags,
}

#[derive(Args)]
#[command(args_override_self = true)]
struct Run {
    /// A server, `http://host:port`; several: each connect picks one at random
    #[arg(long, required = true)]
    server: Vec<Server>,
    /// A server that is asked for the truth afterwards, where --server is a load balancer
    #[arg(long)]
    read_from: Vec<Server>,
    /// Clients with the whole state machine and a full history
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// Readers that only count and check that nothing is missing
    #[arg(long, default_value_t = 0)]
    readers: usize,
    /// Rooms
    #[arg(long, default_value_t = 1)]
    rooms: usize,
    /// Rooms that each client follows
    #[arg(long, default_value_t = 1)]
    rooms_per_client: usize,
    /// Private rooms beside those, whose members come and go while strangers try to get in
    #[arg(long, default_value_t = 0)]
    private_rooms: usize,
    /// Rooms in which it is audited who is there, who types and what was read: in the quiet after the
    /// load, for some seconds
    #[arg(long, default_value_t = 0)]
    attended_rooms: usize,
    /// How many of the clients send; 0: nobody
    #[arg(long, default_value_t = 4)]
    senders: usize,
    /// Messages a second of all senders, each at its time whether or not others are answered
    #[arg(long, default_value_t = 20)]
    rate: u32,
    /// Send as fast as it is acknowledged instead, with so many messages of each sender under way
    #[arg(long)]
    window: Option<usize>,
    /// Find out first how many messages a second the servers take with --window, which is a run of its
    /// own; then send so many percent of that, each at its time
    #[arg(long, requires = "window", value_parser = clap::value_parser!(u64).range(1..=200))]
    of_saturation: Option<u64>,
    /// Seconds of load
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Bytes of a message
    #[arg(long, default_value_t = 100)]
    bytes: usize,
    /// Edits, in percent of the messages
    #[arg(long, default_value_t = 0)]
    edits: u32,
    /// Deletions, in percent of the messages
    #[arg(long, default_value_t = 0)]
    deletes: u32,
    /// Reactions, in percent of the messages
    #[arg(long, default_value_t = 0)]
    reactions: u32,
    /// Seconds by which the clock of every second client is wrong
    #[arg(long, default_value_t = 0)]
    skew_seconds: u64,
    /// Addresses of this machine (127.1.0.1 and up) that the clients come from; 0: the system's choice
    #[arg(long, default_value_t = 0)]
    sources: u16,
    /// Clients that may be connecting at once
    #[arg(long, default_value_t = 64)]
    connecting: usize,
    /// Seconds within which everybody has to be connected
    #[arg(long, default_value_t = 60)]
    connect_seconds: u64,
    /// Seconds within which everybody has to be up to date after the load
    #[arg(long, default_value_t = 10)]
    converge_seconds: u64,
    /// Ask for another attempt all the time while not connected
    #[arg(long)]
    impatient: bool,
    /// Hear on standard input what is done to the servers, a word a line, just before it is done; the
    /// load goes on until the input ends. `cut 200` has the run cut so many of its own connections at
    /// the same moment, which takes --bad-network. Say `load began` on standard output when it may begin
    #[arg(long)]
    faults: bool,
    /// The process of a server, to tell its CPU time and memory
    #[arg(long)]
    server_pid: Vec<u32>,
    /// Where the report is written as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Where the histories are written, one JSON document a line
    #[arg(long)]
    histories: Option<PathBuf>,
    /// Repeats the choices of a run
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Messages that have to be acknowledged for the run to prove anything
    #[arg(long, default_value_t = 1)]
    floor_acked: u64,
    /// Events that have to reach readers
    #[arg(long, default_value_t = 1)]
    floor_deliveries: u64,
    /// Faults that clients have to feel
    #[arg(long, default_value_t = 0)]
    floor_faults: u64,
    /// Of each hundred faults so many that clients have to feel: of all together, and of each kind
    /// that was done four times or more often
    #[arg(long, default_value_t = 0)]
    floor_felt_percent: u64,
    /// A kind of fault that this is asked of, several if need be; none: of all kinds
    #[arg(long)]
    felt_kind: Vec<String>,
    /// Rooms that have to be resumed
    #[arg(long, default_value_t = 0)]
    floor_resumes: u64,
    /// Put the network of the options below in front of the servers
    #[arg(long)]
    bad_network: bool,
    #[command(flatten)]
    network: Conditions,
}

#[derive(Args)]
struct Bad {
    /// Where to listen
    #[arg(long)]
    listen: SocketAddr,
    /// The server
    #[arg(long)]
    to: SocketAddr,
    /// Repeats its choices
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    network: Conditions,
}

#[derive(Args)]
struct Conditions {
    /// Milliseconds that everything is on its way, in each direction
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// Up to so many milliseconds more or less
    #[arg(long, default_value_t = 0)]
    jitter_ms: u64,
    /// Pieces in a million that are lost and sent again
    #[arg(long, default_value_t = 0)]
    loss_ppm: u32,
    /// Pieces in a million inside of which the connection is cut
    #[arg(long, default_value_t = 0)]
    cut_ppm: u32,
    /// Pieces in a million that stop their direction for a while
    #[arg(long, default_value_t = 0)]
    stall_ppm: u32,
    /// Pieces towards the client in a million that are swallowed before the connection is cut
    #[arg(long, default_value_t = 0)]
    swallow_ppm: u32,
    /// Milliseconds that a stall lasts
    #[arg(long, default_value_t = 1000)]
    stall_ms: u64,
    /// Pass everything on in writes of so many bytes; 0: as it came
    #[arg(long, default_value_t = 0)]
    chunk: usize,
}

impl Conditions {
    fn network(&self) -> Network {
        Network {
            delay: Duration::from_millis(self.delay_ms),
            jitter: Duration::from_millis(self.jitter_ms),
            loss: self.loss_ppm,
            cut: self.cut_ppm,
            stall: self.stall_ppm,
            swallow: self.swallow_ppm,
            stall_time: Duration::from_millis(self.stall_ms),
            chunk: self.chunk,
        }
    }
}

impl Run {
    fn scenario(&self) -> Scenario {
        let load = match (self.senders, self.window) {
            (0, _) => Load::Idle,
            (senders, Some(window)) => Load::Saturated { senders, window },
            (senders, None) => Load::Rate {
                senders,
                per_second: self.rate,
            },
        };
        Scenario {
            servers: self.server.clone(),
            read_from: self.read_from.clone(),
            network: self.bad_network.then(|| self.network.network()),
            rooms: self.rooms,
            rooms_per_client: self.rooms_per_client,
            private_rooms: self.private_rooms,
            attended_rooms: self.attended_rooms,
            clients: self.clients,
            readers: self.readers,
            load,
            time: Duration::from_secs(self.seconds),
            body_bytes: self.bytes,
            mix: Mix {
                edits: self.edits,
                deletes: self.deletes,
                reactions: self.reactions,
            },
            skew: Duration::from_secs(self.skew_seconds),
            sources: self.sources,
            connecting_at_once: self.connecting,
            connect_within: Duration::from_secs(self.connect_seconds),
            impatient: self.impatient,
            converge_within: Duration::from_secs(self.converge_seconds),
            floors: Floors {
                acked: self.floor_acked,
                deliveries: self.floor_deliveries,
                faults: self.floor_faults,
                felt_percent: self.floor_felt_percent,
                felt_kinds: self.felt_kind.clone(),
                resumes: self.floor_resumes,
            },
            pids: self.server_pid.clone(),
            histories: self.histories.clone(),
            seed: self.seed,
            progress: true,
        }
    }
}

/// How an order to cut connections begins; their number follows.
const CUT: &str = "cut ";
/// What that is called in the report.
const CUT_AT_ONCE: &str = "connections cut at once";

/// The exit code of a run that could not be made.
const NOT_MADE: u8 = 3;

#[tokio::main]
#[expect(clippy::print_stderr, reason = "the program's last word")]
async fn main() -> ExitCode {
    match execute(Cli::parse().command).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("chat-load: {error:#}");
            ExitCode::from(NOT_MADE)
        }
    }
}

async fn execute(command: Command) -> anyhow::Result<u8> {
    let mut out = std::io::stdout();
    match command {
        Command::Run(options) => {
            chat_load::raise_open_files();
            let (control, faults) = Control::with_faults();
            let hearing = options.faults.then(|| tokio::spawn(hear(faults)));
            let mut scenario = options.scenario();
            if let Some(percent) = options.of_saturation {
                let saturated = chat_load::run(scenario.clone(), Control::default()).await?;
                writeln!(out, "saturated:\n{saturated}")?;
                if saturated.verdict() != Verdict::Sound {
                    return Ok(saturated.verdict().exit_code());
                }
                scenario.load = share_of(&saturated, percent, options.senders);
            }
            let report = chat_load::run(scenario, control).await?;
            if let Some(hearing) = hearing {
                hearing.abort();
            }
            if let Some(path) = &options.json {
                std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
            }
            write!(out, "{report}")?;
            Ok(report.verdict().exit_code())
        }
        Command::Proxy(bad) => {
            let proxy = Proxy::start(bad.listen, bad.to, bad.network.network(), bad.seed).await?;
            writeln!(out, "{} passes on to {}", proxy.address(), bad.to)?;
            proxy.run().await;
            Ok(0)
        }
        Command::ServerFlags => {
            writeln!(out, "{}", SERVER_FLAGS.join(" "))?;
            Ok(0)
        }
    }
}

/// So many percent of what servers took when they were saturated, each message at its time.
fn share_of(saturated: &Report, percent: u64, senders: usize) -> Load {
    let per_second = saturated.load.acked_per_second * percent / 100;
    Load::Rate {
        senders,
        per_second: u32::try_from(per_second.max(1)).unwrap_or(u32::MAX),
    }
}

/// Notes what somebody else does to the servers, as they tell it. The end of this ends the load.
async fn hear(mut faults: Faults) -> std::io::Result<()> {
    if !faults.load_began().await {
        return Ok(());
    }
    writeln!(std::io::stdout(), "load began")?;
    let mut words = BufReader::new(tokio::io::stdin()).lines();
    while let Some(word) = words.next_line().await? {
        match word.strip_prefix(CUT).and_then(|count| count.parse().ok()) {
            Some(connections) => {
                faults.cut_at_once(CUT_AT_ONCE, connections);
            }
            None => faults.begin(&word),
        }
    }
    Ok(())
}
