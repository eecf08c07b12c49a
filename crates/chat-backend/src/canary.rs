//! The canary does over and over what a user does, through everything that is in the way, and measures
//! it: it renews its session, opens two sockets, writes over one, and waits for the message on the
//! other, which may be on another node.
//!
//! It keeps one guest and one room as long as the server knows them. What it wrote stays there.

mod client;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use chat_listener::Running;
use chat_types::account::{CreateGuest, Refresh, SignedIn};
use chat_types::endpoint::{JoinAsGuest, NewRoom, RefreshSession};
use chat_types::event::Change;
use chat_types::id::{ClientId, MessageId, RequestId, RoomId};
use chat_types::room::{CreateRoom, RoomKind};
use chat_types::ws::{ClientInfo, Command, ServerDoc};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use tokio::net::TcpListener;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use uuid::Uuid;

use self::client::{Client, Problem, Socket};
use crate::clock::Clock;
use crate::config;
use crate::failure::Failure;
use crate::{VERSION, serve_admin, shutdown};

/// The canary's name and what it says.
const NAME: &str = "canary";
/// The number of the `hello` of each socket; then each says one thing more.
const HELLO: RequestId = RequestId(1);
const NEXT: RequestId = RequestId(2);

/// What the canary does, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It joins as a guest, or renews its session.
    Session,
    /// It makes its room.
    Room,
    /// It opens both sockets and reads its room over one.
    Socket,
    /// It writes over the other, and waits for the acknowledgement.
    Send,
    /// It waits for its message on the first.
    Delivery,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 5] = [
        Self::Session,
        Self::Room,
        Self::Socket,
        Self::Send,
        Self::Delivery,
    ];

    /// The label of measurements.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Room => "room",
            Self::Socket => "socket",
            Self::Send => "send",
            Self::Delivery => "delivery",
        }
    }
}

/// A round that did not succeed.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", .step.name())]
pub struct Failed {
    /// Where.
    pub step: Step,
    /// Why.
    #[source]
    pub problem: Problem,
}

/// How long a round took, from the message's leaving.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// To its acknowledgement.
    pub acknowledged: Duration,
    /// To its acknowledgement and its arrival at the other socket.
    pub delivered: Duration,
}

/// The canary between two rounds.
pub struct Canary {
    client: Client,
    patience: Duration,
    /// Who it is. Each guest and each room stays, so neither is made again before the server knows it no more.
    login: Option<SignedIn>,
    /// Where it writes.
    room: Option<RoomId>,
}

impl Canary {
    /// A canary that nobody knows yet.
    ///
    /// # Errors
    /// When the server's address is https and this machine trusts nobody.
    pub fn new(settings: &config::Canary) -> Result<Self, Failure> {
        Ok(Self {
            client: Client::new(settings.server.clone())?,
            patience: settings.patience(),
            login: None,
            room: None,
        })
    }

    /// Writes one message and waits for it.
    ///
    /// # Errors
    /// With the step that was refused, failed, or took too long.
    pub async fn round(&mut self) -> Result<Times, Failed> {
        let done = Box::pin(self.try_round()).await;
        match &done {
            Err(failed) if failed.step == Step::Session && failed.problem.is_final() => {
                self.login = None;
                self.room = None;
            }
            // It may write there no more, or there is no such room.
            Err(failed) if failed.step != Step::Room && failed.problem.is_final() => {
                self.room = None;
            }
            _ => {}
        }
        done
    }

    async fn try_round(&mut self) -> Result<Times, Failed> {
        let login = self.within(Step::Session, self.log_in()).await?;
        let token = login.tokens.access_token.clone();
        self.login = Some(login);
        let room = match self.room {
            Some(room) => room,
            None => self.within(Step::Room, self.make_room(&token)).await?,
        };
        self.room = Some(room);
        let opening = async {
            let mut reader = self.open(&token).await?;
            let sub = Command::Sub {
                id: NEXT,
                room,
                epoch: None,
                since: None,
                tail: 0,
            };
            reader.say(&sub).await?;
            reader.answer(NEXT).await?;
            Ok::<_, Problem>((reader, self.open(&token).await?))
        };
        let opened = Box::pin(self.within(Step::Socket, opening));
        let (mut reader, mut writer) = opened.await?;
        let began = Instant::now();
        let sent = self.within(Step::Send, send(&mut writer, room)).await?;
        let acknowledged = began.elapsed();
        self.within(Step::Delivery, hear(&mut reader, sent)).await?;
        let delivered = began.elapsed();
        // Who does not say goodbye would count among those who are gone.
        let _ = timeout(self.patience, async {
            tokio::join!(reader.close(), writer.close())
        })
        .await;
        Ok(Times {
            acknowledged,
            delivered,
        })
    }

    async fn within<T>(
        &self,
        step: Step,
        work: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Failed> {
        let done = timeout(self.patience, work).await;
        let done = done.unwrap_or(Err(Problem::Slow));
        done.map_err(|problem| Failed { step, problem })
    }

    async fn log_in(&self) -> Result<SignedIn, Problem> {
        if let Some(login) = &self.login {
            let refresh_token = login.tokens.refresh_token.clone();
            let refresh = Refresh { refresh_token };
            return self.client.call::<RefreshSession>(None, &refresh).await;
        }
        let name = NAME.to_owned();
        let join = CreateGuest { name };
        self.client.call::<JoinAsGuest>(None, &join).await
    }

    async fn make_room(&self, token: &str) -> Result<RoomId, Problem> {
        let room = CreateRoom {
            kind: RoomKind::Private,
            name: NAME.to_owned(),
            topic: String::new(),
        };
        let made = self.client.call::<NewRoom>(Some(token), &room).await?;
        Ok(made.room.id)
    }

    async fn open(&self, token: &str) -> Result<Socket, Problem> {
        let mut socket = self.client.socket().await?;
        let hello = Command::Hello {
            id: HELLO,
            token: Some(token.to_owned()),
            caps: Vec::new(),
            client: ClientInfo {
                name: NAME.to_owned(),
                build: VERSION.to_owned(),
            },
        };
        socket.say(&hello).await?;
        socket.answer(HELLO).await?;
        Ok(socket)
    }
}

async fn send(writer: &mut Socket, room: RoomId) -> Result<MessageId, Problem> {
    let send = Command::Send {
        id: NEXT,
        room,
        client_id: ClientId::from_uuid(Uuid::now_v7()),
        body: NAME.to_owned(),
        reply_to: None,
    };
    writer.say(&send).await?;
    match writer.answer(NEXT).await? {
        ServerDoc::Ok(ok) => Ok(ok.sent.ok_or(Problem::Senseless)?.id),
        _ => Err(Problem::Senseless),
    }
}

async fn hear(reader: &mut Socket, sent: MessageId) -> Result<(), Problem> {
    loop {
        if let ServerDoc::Ev(event) = reader.hear().await?
            && let Change::Message { message } = event.change
            && message.id == sent
        {
            return Ok(());
        }
    }
}

/// Sings until SIGTERM or Ctrl-C, and tells its measurements, with the commit that it was built from, on
/// `admin`.
///
/// # Errors
/// When signals cannot be waited for, or as [`Canary::new`].
pub async fn run(
    settings: &config::Canary,
    revision: &str,
    admin: TcpListener,
    clock: Arc<dyn Clock>,
) -> Result<(), Failure> {
    let handle = chat_listener::metrics::install();
    chat_listener::metrics::built(VERSION, revision);
    describe();
    let canary = Canary::new(settings)?;
    let routes = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(async || "ready\n"))
        .route(
            "/metrics",
            get(async move || chat_listener::metrics::export(handle)),
        );
    tracing::info!(server = %settings.server, admin = %admin.local_addr()?, "singing");
    tokio::select! {
        ended = shutdown::signal() => Ok(ended?),
        () = serve_admin(admin, routes, Running::default()) => Ok(()),
        () = chat_listener::metrics::keep_up(handle) => Ok(()),
        () = sing(canary, settings.every(), clock) => Ok(()),
    }
}

/// Does one round after the other, for ever.
async fn sing(mut canary: Canary, every: Duration, clock: Arc<dyn Clock>) {
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let done = canary.round().await;
        measure(&done, clock.as_ref());
    }
}

fn describe() {
    describe_counter!("chat_canary_rounds_total", "Messages that were begun.");
    describe_counter!(
        "chat_canary_failures_total",
        "Messages that did not arrive, by the step that failed."
    );
    describe_histogram!(
        "chat_canary_acknowledgement_duration_seconds",
        "From a message's leaving to its acknowledgement."
    );
    describe_histogram!(
        "chat_canary_delivery_duration_seconds",
        "From a message's leaving to its arrival at another socket."
    );
    describe_gauge!(
        "chat_canary_last_success_timestamp_seconds",
        "When a message arrived last, since 1970."
    );
    counter!("chat_canary_rounds_total").absolute(0);
    for step in Step::ALL {
        counter!("chat_canary_failures_total", "step" => step.name()).absolute(0);
    }
    let _ = histogram!("chat_canary_acknowledgement_duration_seconds");
    let _ = histogram!("chat_canary_delivery_duration_seconds");
    gauge!("chat_canary_last_success_timestamp_seconds").set(0.0);
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 have 41 bits"
)]
fn measure(done: &Result<Times, Failed>, clock: &dyn Clock) {
    counter!("chat_canary_rounds_total").increment(1);
    match done {
        Ok(times) => {
            histogram!("chat_canary_acknowledgement_duration_seconds").record(times.acknowledged);
            histogram!("chat_canary_delivery_duration_seconds").record(times.delivered);
            let now = clock.now().0 as f64 / 1_000.0;
            gauge!("chat_canary_last_success_timestamp_seconds").set(now);
        }
        Err(failed) => {
            let step = failed.step.name();
            counter!("chat_canary_failures_total", "step" => step).increment(1);
            let why = causes(&failed.problem);
            tracing::warn!(step, why, "a message did not arrive");
        }
    }
}

/// What went wrong, down to the first cause: "connect" alone tells nobody what to mend.
fn causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let mut causes: Vec<_> = causes.map(ToString::to_string).collect();
    causes.dedup();
    causes.join(": ")
}
