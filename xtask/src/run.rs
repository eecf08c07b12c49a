//! `cargo xtask run`: builds both sides, starts them on loopback, waits until they are ready.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::process::Service;
use crate::stage::Stages;
use crate::{paths, process, site, tools};

/// How long a side may take to become ready. Migrations of a large database are part of it.
const READY_PATIENCE: Duration = Duration::from_mins(1);
/// How often readiness, signals and the sides are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// The sites of development: any origin may embed rooms of the site `demo`.
const DEMO_SITE: &str = "demo=*";

/// The back end's example that only answers what it is told, for the WebSocket conformance suite.
pub(crate) const ECHO: &str = "echo";

/// Over how many milliseconds sockets are closed at the end: somebody waits for the prompt.
pub(crate) const DRAIN_MS: &str = "500";

/// Where the two sides listen and keep their data.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Where the database and the development key are kept.
    #[arg(long, default_value = "data")]
    data_dir: PathBuf,
    /// Where browsers reach the page.
    #[arg(long, default_value = "127.0.0.1:3000")]
    web: SocketAddr,
    /// Where browsers reach the API.
    #[arg(long, default_value = "127.0.0.1:8080")]
    api: SocketAddr,
    /// Where the front end answers health checks.
    #[arg(long, default_value = "127.0.0.1:3001")]
    web_admin: SocketAddr,
    /// Where the back end answers health checks.
    #[arg(long, default_value = "127.0.0.1:8081")]
    api_admin: SocketAddr,
    /// Use four ports from this one on, for page, page admin, API and API admin, in place of the addresses.
    #[arg(long, conflicts_with_all = ["web", "api", "web_admin", "api_admin"])]
    port_base: Option<u16>,
    /// Start what was built before.
    #[arg(long)]
    no_build: bool,
}

/// Where the four listeners are.
#[derive(Debug, Clone, Copy)]
struct Addresses {
    web: SocketAddr,
    web_admin: SocketAddr,
    api: SocketAddr,
    api_admin: SocketAddr,
}

/// Builds, starts, waits for Ctrl-C.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let stages = Stages::begin();
    if !options.no_build {
        build(&stages)?;
    }
    let stop = stop_flag()?;
    let mut sides = Sides::start(&stages, options)?;
    while !stop.load(Ordering::Relaxed) {
        sides.check()?;
        std::thread::sleep(LOOK);
    }
    println!("\nstopping");
    Ok(())
}

/// Builds what the two sides need.
pub(crate) fn build(stages: &Stages) -> anyhow::Result<()> {
    stages.heading("Tools");
    tools::check_compilers()?;
    tools::fetch_crates()?;
    stages.heading("Servers");
    build_servers()?;
    stages.heading("Web client");
    site::build(&site::Options::default())
}

/// Builds the two servers as the tests build them, so that neither builds again what the other has
/// built. Cargo compiles a dependency with the features that the chosen packages and targets ask for:
/// so the packages are the same ones, and the example brings in what only tests ask for.
pub(crate) fn build_servers() -> anyhow::Result<()> {
    let mut build = process::cargo();
    build
        .arg("build")
        .args(process::PRODUCT)
        .args(["--bins", "--example", ECHO]);
    process::run(&mut build)
}

/// Set by Ctrl-C and by a request to terminate. A second Ctrl-C ends xtask at once.
pub(crate) fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// An address on loopback that nobody listens on.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Both servers, running. Dropping it stops them, the front end first.
pub(crate) struct Sides {
    web: Service,
    api: Service,
}

impl Sides {
    /// Starts both and waits until they are ready.
    pub(crate) fn start(stages: &Stages, options: &Options) -> anyhow::Result<Self> {
        let addresses = options.addresses()?;
        stages.heading("Starting");
        addresses.check_free()?;
        let secret = secret_key(&options.data_dir())?;
        let mut api = Service::start("back end", &mut options.back_end(&addresses, &secret))?;
        await_ready(&mut api, addresses.api_admin)?;
        let mut web = Service::start("front end", &mut front_end(&addresses))?;
        await_ready(&mut web, addresses.web_admin)?;
        stages.heading(&format!(
            "Ready: open http://{} in two browsers. Ctrl-C stops both sides.",
            addresses.web
        ));
        Ok(Self { web, api })
    }

    /// Fails when one of them ended by itself.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        for side in [&mut self.api, &mut self.web] {
            if let Some(status) = side.ended()? {
                bail!(
                    "the {} ended ({status}); what it said is above",
                    side.name()
                );
            }
        }
        Ok(())
    }
}

impl Options {
    /// Both sides on ports that nobody uses, with data of their own.
    pub(crate) fn on_free_ports(data_dir: PathBuf) -> anyhow::Result<Self> {
        // Bound at the same time, so that no two are the same.
        let listeners = (0..4)
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .collect::<Result<Vec<_>, _>>()?;
        let at = |index: usize| listeners[index].local_addr();
        Ok(Self {
            data_dir,
            web: at(0)?,
            api: at(1)?,
            web_admin: at(2)?,
            api_admin: at(3)?,
            port_base: None,
            no_build: true,
        })
    }

    /// Where browsers reach the page.
    pub(crate) fn web(&self) -> SocketAddr {
        self.web
    }

    fn addresses(&self) -> anyhow::Result<Addresses> {
        let Some(base) = self.port_base else {
            return Ok(Addresses {
                web: self.web,
                web_admin: self.web_admin,
                api: self.api,
                api_admin: self.api_admin,
            });
        };
        let at = |offset: u16| {
            let port = base
                .checked_add(offset)
                .with_context(|| format!("there are no four ports from {base} on"))?;
            Ok::<_, anyhow::Error>(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
        };
        Ok(Addresses {
            web: at(0)?,
            web_admin: at(1)?,
            api: at(2)?,
            api_admin: at(3)?,
        })
    }

    fn data_dir(&self) -> PathBuf {
        paths::root().join(&self.data_dir)
    }

    fn back_end(&self, addresses: &Addresses, secret: &str) -> Command {
        let mut command = Command::new(paths::binary("chat-backend"));
        command
            .current_dir(paths::root())
            .arg("serve")
            .env("SECRET_KEY", secret)
            .env("CHAT_DATA_DIR", self.data_dir())
            .env("CHAT_ADDR", addresses.api.to_string())
            .env("CHAT_ADMIN_ADDR", addresses.api_admin.to_string())
            .env("ALLOWED_ORIGINS", addresses.origins())
            .env("CHAT_SITES", DEMO_SITE)
            .env("CHAT_DRAIN_MS", DRAIN_MS);
        command
    }
}

impl Addresses {
    /// The page's address by number and by name: people type both.
    fn origins(&self) -> String {
        format!("http://{},http://localhost:{}", self.web, self.web.port())
    }

    fn check_free(&self) -> anyhow::Result<()> {
        for address in [self.web, self.web_admin, self.api, self.api_admin] {
            TcpListener::bind(address).map(drop).with_context(|| {
                format!("{address} cannot be used, perhaps another program has it; stop that, or choose other ports with `--port-base`")
            })?;
        }
        Ok(())
    }
}

fn front_end(addresses: &Addresses) -> Command {
    let mut command = Command::new(paths::binary("chat-frontend"));
    command
        .current_dir(paths::root())
        .env("API_BASE_URL", format!("http://{}", addresses.api))
        .env("CHAT_FRONTEND_ADDR", addresses.web.to_string())
        .env("CHAT_FRONTEND_ADMIN_ADDR", addresses.web_admin.to_string())
        .env("CHAT_FRONTEND_ASSETS", paths::site());
    command
}

/// The key of this data directory: made once, so that sign-ins survive restarts.
fn secret_key(data_dir: &Path) -> anyhow::Result<String> {
    fs::create_dir_all(data_dir)
        .with_context(|| format!("cannot make the data directory {}", data_dir.display()))?;
    let file = data_dir.join("dev-secret-key");
    if let Ok(secret) = fs::read_to_string(&file) {
        return Ok(secret.trim().to_owned());
    }
    let mut random = [0_u8; 32];
    fs::File::open("/dev/urandom")?
        .read_exact(&mut random)
        .context("the system gives no random bytes")?;
    let secret = site::hex(&random);
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&file)
        .and_then(|mut file| file.write_all(secret.as_bytes()))
        .with_context(|| format!("cannot write {}", file.display()))?;
    println!("made a development key in {}", file.display());
    Ok(secret)
}

/// Waits until a side says that it is ready, and fails when it ends instead.
pub(crate) fn await_ready(side: &mut Service, admin: SocketAddr) -> anyhow::Result<()> {
    let deadline = Instant::now() + READY_PATIENCE;
    while !is_ready(admin) {
        if let Some(status) = side.ended()? {
            bail!(
                "the {} ended before it was ready ({status}); what it said is above",
                side.name()
            );
        }
        if Instant::now() > deadline {
            bail!(
                "the {} was not ready after {} s",
                side.name(),
                READY_PATIENCE.as_secs()
            );
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// Whether a side says on its admin address that it is ready.
pub(crate) fn is_ready(admin: SocketAddr) -> bool {
    answers(admin, "/readyz")
}

/// Whether a server answers with 200, asked the plainest way.
pub(crate) fn answers(address: SocketAddr, path: &str) -> bool {
    let ask = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
        )?;
        let mut status = vec![0; "HTTP/1.1 200".len()];
        stream.read_exact(&mut status)?;
        Ok(status)
    };
    ask().is_ok_and(|status| status == b"HTTP/1.1 200")
}
