//! The server of the web client: renders shells, serves assets, and answers health checks on a port
//! of its own. It calls the API for one thing only: which origins may frame a site's rooms.

mod allowance;
pub mod api;
pub mod assets;
pub mod config;
pub mod headers;
pub mod locale;
pub mod notice;
pub mod page;
pub mod shell;
pub mod sites;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn;
use axum::response::IntoResponse;
use axum::routing::get;
use chat_listener::{Running, Served, Settings, metrics, open_files, traces};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;
use tower_http::compression::CompressionLayer;

use self::api::Api;
use self::assets::Assets;
use self::config::Config;
use self::sites::Sites;

/// What every request sees.
#[derive(Clone)]
pub struct AppState(Arc<Inner>);

struct Inner {
    config: Config,
    assets: Assets,
    sites: Sites,
}

impl AppState {
    /// Puts the parts together, and lets views run on the server's runtime.
    ///
    /// # Errors
    /// When nothing is there by which the API could be trusted.
    pub fn new(config: Config, assets: Assets) -> anyhow::Result<Self> {
        // It refuses only where that was done before.
        let _ = any_spawner::Executor::init_tokio();
        let api = Api::new(config.api_internal_url())?;
        let sites = Sites::new(api, config.limit_lookups);
        Ok(Self(Arc::new(Inner {
            config,
            assets,
            sites,
        })))
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The built client.
    pub fn assets(&self) -> &Assets {
        &self.0.assets
    }

    /// Who may frame which site's rooms.
    pub fn sites(&self) -> &Sites {
        &self.0.sites
    }
}

/// The server's name in traces.
const SERVICE: &str = "chat-frontend";
/// The release.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Connections to the admin port at once.
const ADMIN_CONNECTIONS: usize = 64;

/// Serves until the process is asked to stop, then lets answers under way finish.
///
/// # Errors
/// Names the address that cannot be listened on, or the assets, the certificate or the collector of traces
/// that cannot be used.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let measured = metrics::install();
    metrics::built(VERSION, &config.revision);
    traces::start(&config.traces, SERVICE, VERSION)?;
    let assets = Assets::load(&config.assets)?;
    let connections = config.connections_within(open_files::raise_limit())?;
    let settings = config.listener(connections);
    let admin_settings = Settings {
        connections: ADMIN_CONNECTIONS,
        connections_per_address: ADMIN_CONNECTIONS,
        ..settings.clone()
    };
    let tls = config.tls()?;
    let grace = config.grace();
    let public = listen(config.addr).await?;
    let admin = listen(config.admin_addr).await?;
    let stop = StopSignals::new()?;
    tracing::info!(addr = %public.local_addr()?, tls = tls.is_some(), admin = %admin.local_addr()?, api = %config.api_base, "serving");
    let router = router(AppState::new(config, assets)?);
    let running = Running::default();
    let measuring = metrics::keep_up(measured);
    let draining = running.draining.clone();
    let measuring = async move { draining.run_until_cancelled_owned(measuring).await };
    running.tasks.spawn(measuring);
    for (listener, router, tls, settings) in [
        (public, router, tls, settings),
        (admin, admin_router(), None, admin_settings),
    ] {
        let served = Served {
            router,
            bad_host,
            tls,
        };
        let serving = chat_listener::serve(listener, served, settings, running.clone());
        running.tasks.spawn(serving);
    }
    stop.received().await;
    end(&running, grace).await;
    traces::end().await;
    Ok(())
}

/// Ends what runs; what does not end within the grace is cut, by the end of the process.
async fn end(running: &Running, grace: Duration) {
    tracing::info!("draining");
    running.draining.cancel();
    running.tasks.close();
    if timeout(grace, running.tasks.wait()).await.is_err() {
        let connections = running.tasks.len();
        tracing::warn!(connections, "cut after the grace period");
    }
    tracing::info!("ended");
}

fn bad_host() -> axum::response::Response {
    (
        StatusCode::BAD_REQUEST,
        "exactly one valid Host that is served here is needed",
    )
        .into_response()
}

/// What browsers reach.
pub fn router(state: AppState) -> Router {
    // Assets are kept compressed; pages are made for each request. They are small, and an encoder of
    // brotli would be most of a megabyte.
    let pages = Router::new()
        .route("/embed/{site}/{page}", get(page::embed))
        .fallback(get(page::app))
        .layer(CompressionLayer::new().no_br());
    pages
        .route("/assets/{file}", get(assets::asset))
        .route("/embed.js", get(assets::loader))
        .layer(from_fn(headers::common))
        .layer(from_fn(metrics::measured))
        .layer(from_fn(traces::traced))
        .with_state(state)
}

/// What the orchestrator and Prometheus reach. The assets are in memory before anything listens, so a
/// server that answers is ready.
pub fn admin_router() -> Router {
    Router::new()
        .route("/healthz", get(|| async { StatusCode::OK }))
        .route("/readyz", get(|| async { StatusCode::OK }))
        .route(
            "/metrics",
            get(|| async { metrics::export(metrics::install()) }),
        )
}

async fn listen(addr: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(addr)
        .await
        .with_context(|| format!("cannot listen on {addr}; is another process using it?"))
}

/// What asks the process to stop.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// From here on the signals do not end the process by themselves.
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Returns at the first of them.
    async fn received(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
