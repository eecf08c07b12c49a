//! The program as a child process, with assets of its own, and clients that speak bytes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use chat_testbed::{Process, Signal};

/// How long a test waits for what has to come.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How often a condition outside of this process is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// A request that has not arrived whole.
pub const HALF: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ";
/// The bytes of an asset that is more than a system buffers for one connection.
pub const BIG: usize = 32 * 1024 * 1024;

/// What `write_assets` and other folders of assets begin with.
pub const MANIFEST: &str = r#"{
    "app": { "js": "app.js", "wasm": "app.wasm" },
    "embed": { "js": "embed.js", "wasm": "embed.wasm" },
    "css": "style.css",
    "loader": "loader.js"
}"#;

/// The server under test. Dropping it kills it.
pub struct FrontEnd {
    process: Process,
    pub address: SocketAddr,
    pub admin: SocketAddr,
    folder: tempfile::TempDir,
}

impl FrontEnd {
    /// The program with some variables of its own.
    pub fn start(own: &[(&str, &str)]) -> Self {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_chat-frontend")), own)
    }

    /// The program under a limit of open files.
    pub fn start_with_open_files(open_files: u32, own: &[(&str, &str)]) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {open_files} && exec \"$0\"")]);
        shell.arg(env!("CARGO_BIN_EXE_chat-frontend"));
        Self::start_by(shell, own)
    }

    fn start_by(mut command: Command, own: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let assets = folder.path().join("assets");
        write_assets(&assets);
        command
            .env("CHAT_FRONTEND_ADDR", "127.0.0.1:0")
            .env("CHAT_FRONTEND_ADMIN_ADDR", "127.0.0.1:0")
            .env("CHAT_FRONTEND_ASSETS", &assets)
            .envs(own.iter().copied());
        let mut process =
            Process::start("frontend", &mut command, folder.path(), Signal::KILL).unwrap();
        let log = process.log().to_owned();
        let mut addresses = None;
        let is_ready = || {
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            addresses = address_in(&log, "addr").zip(address_in(&log, "admin"));
            addresses.is_some()
        };
        process.await_ready(PATIENCE, is_ready).unwrap();
        let (address, admin) = addresses.unwrap();
        Self {
            process,
            address,
            admin,
            folder,
        }
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.process.log()).unwrap()
    }

    /// Waits until it logged these words.
    pub fn says(&self, words: &str) {
        until(words, || self.log().contains(words));
    }

    /// Asks it to end, and waits for nothing.
    pub fn ask_to_end(&mut self) {
        self.process.signal(Signal::TERM);
    }

    /// Asks it to end, and returns how it ended and how long that took.
    pub fn terminate(mut self) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        self.process.signal(Signal::TERM);
        let mut status = None;
        until("the process ends", || {
            status = self.process.ended();
            status.is_some()
        });
        drop(self.folder);
        (status.unwrap(), begun.elapsed())
    }

    /// A connection that has said this.
    pub fn connect(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    }

    /// What it answers to these bytes before it closes the connection.
    pub fn answer_to(&self, bytes: &[u8]) -> String {
        rest(self.connect(bytes))
    }

    /// Its answer to `GET path`, with one more header.
    pub fn get(&self, path: &str, header: &str) -> String {
        let head = "HTTP/1.1\r\nHost: chat.example\r\nConnection: close\r\n";
        self.answer_to(format!("GET {path} {head}{header}\r\n\r\n").as_bytes())
    }
}

/// What still comes, up to the end of the connection.
pub fn rest(mut stream: impl Read) -> String {
    let mut answer = Vec::new();
    // A server that did not read everything resets the connection after its answer.
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Waits for a condition outside of this process.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::park_timeout(LOOK);
    }
}

fn write_assets(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    let write = |name: &str, content: &[u8]| std::fs::write(folder.join(name), content).unwrap();
    write("manifest.json", MANIFEST.as_bytes());
    for name in ["app.js", "embed.js", "embed.wasm", "style.css", "loader.js"] {
        write(name, name.as_bytes());
    }
    write("app.wasm", &vec![b'x'; BIG]);
}

/// Where the program says that it listens, in words or in JSON.
fn address_in(log: &str, port: &str) -> Option<SocketAddr> {
    let in_words = log.split_once(&format!(" {port}="));
    let in_json = || log.split_once(&format!("\"{port}\":\""));
    let (_, after) = in_words.or_else(in_json)?;
    let (address, _) = after.split_once([' ', '"'])?;
    address.parse().ok()
}
