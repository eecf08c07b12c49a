//! The server of the web client: renders shells, serves assets, and answers health checks on a port
//! of its own. It calls the API for one thing only: which origins may frame a site's rooms.

pub mod assets;
pub mod config;
pub mod headers;
pub mod locale;
pub mod page;
pub mod shell;
pub mod sites;

use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tower_http::compression::CompressionLayer;

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
    pub fn new(config: Config, assets: Assets) -> Self {
        // It refuses only where that was done before.
        let _ = any_spawner::Executor::init_tokio();
        let sites = Sites::new(config.api_internal_url());
        Self(Arc::new(Inner {
            config,
            assets,
            sites,
        }))
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

/// Serves until the process is asked to stop.
///
/// # Errors
/// Names the address that cannot be listened on, or the assets that cannot be read.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let assets = Assets::load(&config.assets)?;
    let listener = listen(config.addr).await?;
    let admin_listener = listen(config.admin_addr).await?;
    tracing::info!(addr = %config.addr, admin = %config.admin_addr, api = %config.api_base, "serving");
    let state = AppState::new(config, assets);
    let public = axum::serve(listener, router(state)).with_graceful_shutdown(stop_signal());
    let admin = axum::serve(admin_listener, admin_router()).with_graceful_shutdown(stop_signal());
    tokio::try_join!(public.into_future(), admin.into_future())?;
    Ok(())
}

/// What browsers reach.
pub fn router(state: AppState) -> Router {
    // Assets are kept compressed; pages are made for each request.
    let pages = Router::new()
        .route("/embed/{site}/{page}", get(page::embed))
        .fallback(get(page::app))
        .layer(CompressionLayer::new());
    pages
        .route("/assets/{file}", get(assets::asset))
        .route("/embed.js", get(assets::loader))
        .layer(axum::middleware::from_fn(headers::common))
        .with_state(state)
}

/// What the orchestrator reaches. The assets are in memory before anything listens, so a server that
/// answers is ready.
pub fn admin_router() -> Router {
    Router::new()
        .route("/healthz", get(|| async { StatusCode::OK }))
        .route("/readyz", get(|| async { StatusCode::OK }))
}

async fn listen(addr: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(addr)
        .await
        .with_context(|| format!("cannot listen on {addr}; is another process using it?"))
}

async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("a handler can be installed");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
