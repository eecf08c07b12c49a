//! The chat service: HTTP API, WebSocket, realtime fan-out.
//!
//! [`App::build`] puts the service together, [`serve`](App::serve) runs it. A request is found from
//! its path in `chat_types::endpoint`: each slice (`auth`, `rooms`, `messages`, `reads`, `sites`)
//! has its routes in `http.rs` and its operations beside it, and the operations know nothing of
//! HTTP. The socket calls the same operations from `realtime`.

pub mod api;
pub mod auth;
pub mod canary;
pub mod clock;
pub mod config;
pub mod error;
pub mod extract;
pub mod failure;
pub mod grouped;
pub mod health;
pub mod messages;
pub mod meta;
pub mod metrics;
pub mod middleware;
pub mod openapi;
pub mod purge;
pub mod rate_limit;
pub mod reads;
pub mod realtime;
pub mod rooms;
pub mod shutdown;
pub mod sites;
pub mod state;

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use chat_listener::{Running, Served, Settings};
use chat_store::Store;
use chat_types::problem::ErrorCode;
use mimalloc::MiMalloc;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use self::api::Api;
use self::auth::password::Passwords;
use self::auth::token::Tokens;
use self::clock::Clock;
use self::config::Config;
use self::error::ApiError;
use self::failure::Failure;
use self::grouped::{Grouped, LiveUsers, Places};
use self::rate_limit::Rates;
use self::reads::LatePositions;
use self::realtime::{Broker, Hub};
use self::shutdown::Lifecycle;
use self::state::{AppState, Services};

/// A busy server makes and frees many small pieces on several threads at once.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The release.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Connections to an admin port at once.
const ADMIN_CONNECTIONS: usize = 64;
/// The oldest client release that this server serves.
pub const OLDEST_CLIENT: &str = "0.1.0";

/// The service, put together and not yet listening.
pub struct App {
    /// What requests share.
    pub state: AppState,
    /// The public port.
    pub public: Router,
    /// The admin port.
    pub admin: Router,
}

impl App {
    /// Puts the service together over a store and the configured bus, and makes the configured sites
    /// known to the store, no others, and its first room.
    ///
    /// # Errors
    /// When the store cannot take the sites or the room.
    ///
    /// # Panics
    /// Without a secret key: [`Config::validate`] comes first.
    pub async fn build(
        config: Config,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Failure> {
        let broker = config.broker()?;
        Self::build_on(config, store, clock, broker).await
    }

    /// The same over a bus that is there already.
    ///
    /// # Errors
    /// # Panics
    /// As [`build`](Self::build).
    pub async fn build_on(
        config: Config,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        broker: Box<dyn Broker>,
    ) -> Result<Self, Failure> {
        for site in &config.sites {
            store.put_site(site.clone()).await?;
        }
        let sites = config.sites.iter().map(|site| site.key.clone());
        store.retain_sites(sites.collect()).await?;
        metrics::handle();
        chat_listener::metrics::built(VERSION, &config.revision);
        let key = config
            .secret_key
            .as_ref()
            .expect("a validated configuration has a key");
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let lifecycle = Lifecycle::new();
        let settings = config.realtime();
        let hub = Hub::new(
            Arc::clone(&store),
            Arc::clone(&clock),
            broker,
            settings,
            lifecycle.tasks().clone(),
        );
        let state = AppState::new(Services {
            tokens: Tokens::new(key, config.other_key(), config.access_token_ms),
            passwords: Passwords::with_width(cores),
            rates: Rates::new(&config.limits),
            pipelined_sends: Arc::new(Semaphore::new(messages::PIPELINED_SENDS)),
            late_positions: LatePositions::default(),
            live_users: Grouped::new(
                LiveUsers {
                    store: Arc::clone(&store),
                    clock: Arc::clone(&clock),
                },
                lifecycle.tasks().clone(),
            ),
            places: Grouped::new(
                Places {
                    store: Arc::clone(&store),
                },
                lifecycle.tasks().clone(),
            ),
            hub,
            lifecycle,
            store,
            clock,
            config,
        });
        rooms::open_first(&state).await?;
        let public =
            middleware::wrap(public_routes(), socket_routes(), &state).with_state(state.clone());
        let admin = health::routes().with_state(state.clone());
        Ok(Self {
            state,
            public,
            admin,
        })
    }

    /// Serves both ports until `told` to end ([`shutdown::signal`]), then drains and closes.
    ///
    /// # Errors
    /// When signals cannot be waited for, or work was still under way after the grace period.
    pub async fn serve(
        self,
        public: TcpListener,
        admin: TcpListener,
        told: impl Future<Output = io::Result<()>>,
    ) -> Result<(), Failure> {
        let state = self.start(public, admin)?;
        told.await?;
        tracing::info!("draining");
        let complete = state
            .lifecycle
            .shut_down(&state.hub, &state.config.shutdown())
            .await;
        state.store.close().await;
        if !complete {
            return Err(Failure::Incomplete);
        }
        tracing::info!("ended");
        Ok(())
    }

    /// Begins to serve both ports in tasks of the service's lifecycle.
    ///
    /// # Errors
    /// When a listener does not know its address, or the certificate cannot be used any more.
    pub fn start(self, public: TcpListener, admin: TcpListener) -> Result<AppState, Failure> {
        let Self {
            state,
            public: public_router,
            admin: admin_router,
        } = self;
        let lifecycle = state.lifecycle.clone();
        state.hub.start(&lifecycle);
        lifecycle.tasks().spawn(purge::run(state.clone()));
        let ended = lifecycle.clone();
        lifecycle.tasks().spawn(async move {
            tokio::select! {
                () = ended.ended() => {}
                () = chat_listener::metrics::keep_up(metrics::handle()) => {}
            }
        });
        let settings = state.config.listener();
        let served = Served {
            router: public_router,
            bad_host,
            tls: state.config.tls()?,
        };
        tracing::info!(
            api = %public.local_addr()?,
            tls = served.tls.is_some(),
            admin = %admin.local_addr()?,
            version = VERSION,
            "serving"
        );
        let running = lifecycle.running().clone();
        let serving = chat_listener::serve(public, served, settings, running);
        lifecycle.tasks().spawn(serving);
        // To the end, so that the drain can be watched.
        let serving = serve_admin(admin, admin_router, lifecycle.to_the_end());
        lifecycle.tasks().spawn(serving);
        Ok(state)
    }
}

/// Serves an admin port until `running` drains.
async fn serve_admin(listener: TcpListener, router: Router, running: Running) {
    let settings = Settings {
        connections: ADMIN_CONNECTIONS,
        connections_per_address: ADMIN_CONNECTIONS,
        ..Settings::default()
    };
    let served = Served {
        router,
        bad_host,
        tls: None,
    };
    chat_listener::serve(listener, served, settings, running).await;
}

fn bad_host() -> Response {
    ApiError::new(ErrorCode::Malformed)
        .detail("exactly one valid Host that is served here is needed")
        .into_response()
}

fn api() -> Api {
    let api = meta::routes(Api::empty());
    let api = auth::http::routes(api);
    let api = rooms::http::routes(api);
    let api = messages::http::routes(api);
    let api = reads::routes(api);
    sites::routes(api)
}

fn public_routes() -> Router<AppState> {
    api()
        .router
        .merge(realtime::stream::routes())
        .fallback(async || ApiError::new(ErrorCode::NotFound))
        .method_not_allowed_fallback(refuse_method)
}

fn socket_routes() -> Router<AppState> {
    realtime::socket::routes().method_not_allowed_fallback(refuse_method)
}

async fn refuse_method() -> ApiError {
    ApiError::new(ErrorCode::MethodNotAllowed)
}

/// The API document as JSON text, as committed in `docs/openapi.json`.
pub fn openapi_json() -> String {
    let mut document = api().document;
    document.add_stream();
    format!("{:#}\n", document.finish())
}
