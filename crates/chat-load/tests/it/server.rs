//! The real service in a process of its own, which can be killed and started again.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use chat_backend::clock::SystemClock;
use chat_backend::config::{self, Cli, Config};
use chat_backend::{App, shutdown};
use chat_load::{SERVER_FLAGS, Server};
use chat_store::Store;
use chat_store_postgres::PostgresStore;
use chat_store_sqlite::SqliteStore;
use clap::Parser as _;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Tells the copy of these tests that runs as a child its arguments, one a line.
const ARGUMENTS: &str = "CHAT_LOAD_TEST_SERVER";
/// What the child says when it listens.
const READY: &str = "the server listens";

/// A server process and its database. Dropping it kills the process.
pub(crate) struct Process {
    address: SocketAddr,
    arguments: Vec<String>,
    child: Child,
    /// Kept for as long as the process may write to it.
    data: Option<TempDir>,
}

impl Process {
    /// A server with an empty database.
    pub(crate) async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let path: PathBuf = data.path().to_owned();
        let mut server = Self::start_in(&path).await;
        server.data = Some(data);
        server
    }

    /// A server whose database is in this directory.
    pub(crate) async fn start_in(data: &Path) -> Self {
        Self::start_with([format!("--data-dir={}", data.display())]).await
    }

    /// A server with these arguments, which say where its database is.
    pub(crate) async fn start_with(own: impl IntoIterator<Item = String>) -> Self {
        let (address, admin) = (free_address(), free_address());
        let all = [
            "chat-backend".to_owned(),
            "--secret-key=0123456789abcdefghijklmnopqrstuvwxyz".to_owned(),
            format!("--addr={address}"),
            format!("--admin-addr={admin}"),
        ];
        let flags = SERVER_FLAGS.map(str::to_owned);
        let arguments: Vec<String> = all.into_iter().chain(flags).chain(own).collect();
        Self {
            address,
            child: spawn(&arguments).await,
            arguments,
            data: None,
        }
    }

    pub(crate) fn server(&self) -> Server {
        Server::at(self.address)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// SIGKILL, and the end of the process.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        kill_process(pid.unwrap(), signal).unwrap();
    }

    /// Asks it to end as a deployment does, and waits until it has ended in order.
    pub(crate) async fn drain(&mut self) {
        self.signal(Signal::TERM);
        let ended = self.child.wait().await.unwrap();
        assert!(ended.success(), "{ended}");
    }

    /// Starts it again, on the same database and under the same address.
    pub(crate) async fn restart(&mut self) {
        self.child = spawn(&self.arguments).await;
    }
}

/// An address on loopback that nobody listens on.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}

/// Starts the child and waits until it listens. One that cannot, for example because its port is
/// taken, fails the test instead of letting another server answer.
async fn spawn(arguments: &[String]) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "server::serves_when_it_is_told_to",
        ])
        .env(ARGUMENTS, arguments.join("\n"))
        // The database is among the arguments, whichever one the tests are given.
        .env_remove("DATABASE_URL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.ends_with(READY) {
            // The rest is read so that the child never waits for it.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return child;
        }
    }
    panic!("the server did not start: {:?}", child.wait().await);
}

/// In the child this is the server; in a run of the tests it has nothing to do.
#[test]
fn serves_when_it_is_told_to() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else {
        return;
    };
    // The end of standard input is the end of the test that started it, however that ended.
    std::thread::spawn(|| {
        let mut nothing = [0; 1];
        while matches!(std::io::stdin().read(&mut nothing), Ok(1)) {}
        std::process::exit(0);
    });
    let config = Cli::try_parse_from(arguments.split('\n')).unwrap().config;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = open(&config).await;
        let public = config::bind("CHAT_ADDR", config.addr).await.unwrap();
        let admin = config::bind("CHAT_ADMIN_ADDR", config.admin_addr)
            .await
            .unwrap();
        let app = App::build(config, store, Arc::new(SystemClock));
        let app = app.await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "{READY}").unwrap();
        out.flush().unwrap();
        drop(out);
        app.serve(public, admin, shutdown::signal()).await.unwrap();
    });
}

/// The store that the program would open.
async fn open(config: &Config) -> Arc<dyn Store> {
    let Some(url) = config.postgres_url() else {
        return Arc::new(SqliteStore::open(&config.database_path()).await.unwrap());
    };
    let settings = chat_store_postgres::Settings {
        url: url.to_owned(),
        connections: config.database.connections,
        wait: config.database.wait,
        statement: config.database.statement,
    };
    Arc::new(PostgresStore::open(&settings).await.unwrap())
}
