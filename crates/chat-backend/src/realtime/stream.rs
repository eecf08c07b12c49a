//! `GET /v1/rooms/{room}/stream`: a room's events as server-sent events, for where WebSockets are
//! blocked. Each event's id is a cursor and its data the same `ev` document that sockets get.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Extension, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use chat_store::{Cursor, RoomRecord, Start};
use chat_types::endpoint::STREAM_PATH;
use chat_types::id::{Epoch, RoomId, Seq};
use chat_types::limits::REPLAY;
use chat_types::problem::ErrorCode;
use chat_types::ws::ServerDoc;
use futures_util::stream::unfold;
use http::{HeaderMap, header};
use tokio::time::{Instant, sleep_until};

use super::codec::{Frame, encode};
use super::deadlines::{Deadlines, Due};
use super::hub::{Registration, Subscription};
use super::mailbox::Order;
use super::room::Taken;
use crate::auth::{self, Caller};
use crate::error::ApiError;
use crate::extract;
use crate::metrics;
use crate::rooms;
use crate::state::AppState;
use chat_listener::{AddressKey, Slot, client_ip};

/// When an address with too many streams may try again.
const RETRY_MS: u64 = 5_000;
/// A comment that keeps proxies and clients from giving the stream up.
const HEARTBEAT: &str = ": \n\n";

/// The route of the event stream.
pub fn routes() -> axum::Router<AppState> {
    axum::Router::new().route(STREAM_PATH, get(stream))
}

async fn stream(
    State(state): State<AppState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Extension(slot): Extension<Arc<Slot>>,
    Path(room): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let room = room
        .parse()
        .map_err(|_| ApiError::new(ErrorCode::NotFound))?;
    let address = AddressKey::from(client_ip(&headers, peer, state.config.trusted_proxies));
    state.rates.reads.take(address, state.now())?;
    let caller = match extract::bearer(&headers)? {
        Some(token) => Some(auth::verify(&state, token).await?),
        None => None,
    };
    let too_many = |_| ApiError::rate_limited(RETRY_MS);
    let registration = state.hub.admit(address);
    if let Some(caller) = &caller {
        registration.identify(caller).map_err(too_many)?;
        // A revocation since the first look would not have found this registration.
        auth::check_live(&state, caller).await?;
    } else {
        registration.visit().map_err(too_many)?;
    }
    let reader = Reader::start(
        state,
        registration,
        slot,
        room,
        caller,
        last_event(&headers),
    )
    .await?;
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let chunks = unfold(reader, |mut reader| async move {
        let chunk = reader.next().await?;
        Some((Ok::<_, std::convert::Infallible>(chunk), reader))
    });
    Ok((headers, Body::from_stream(chunks)).into_response())
}

/// The cursor that the id of an event is: its `seq`, a dot and the epoch. An id that no server sent
/// counts as none: the stream then begins at the head. One without an epoch is of no history that is
/// known here.
fn last_event(headers: &HeaderMap) -> Option<Cursor> {
    let text = headers.get("last-event-id")?.to_str().ok()?;
    let (seq, epoch) = text.split_once('.').unwrap_or((text, ""));
    let since = Seq(seq.parse().ok()?);
    let epoch = Epoch(epoch.to_owned());
    Some(Cursor { epoch, since })
}

/// One open stream.
struct Reader {
    state: AppState,
    registration: Registration,
    _slot: Arc<Slot>,
    subscription: Subscription,
    room: RoomId,
    /// The history that is streamed.
    epoch: Epoch,
    caller: Option<Caller>,
    deadlines: Deadlines,
    /// What was missed since the last event of the stream before.
    missed: String,
    ending: bool,
}

impl Reader {
    async fn start(
        state: AppState,
        registration: Registration,
        slot: Arc<Slot>,
        room: RoomId,
        caller: Option<Caller>,
        after: Option<Cursor>,
    ) -> Result<Self, ApiError> {
        let viewer = caller.as_ref().map(|caller| &caller.user);
        let mailbox = &registration.mailbox;
        let mut subscription = state.hub.attach(room, mailbox, viewer.map(|user| user.id));
        let record = rooms::may_read(&state, caller.as_ref(), room).await?;
        let mut missed = String::from("retry: 2000\n\n");
        let (epoch, head) = match after {
            None => (record.epoch, record.head),
            Some(after) => {
                let viewer = viewer.map(|user| user.id);
                let resumed = state.store.snapshot(room, viewer, Some(after), 0, REPLAY);
                let snapshot = resumed.await?.ok_or(ApiError::new(ErrorCode::NotFound))?;
                let RoomRecord { epoch, head, .. } = snapshot.record;
                match snapshot.start {
                    Start::Fresh { .. } => missed.push_str(&resync(room)),
                    Start::Resumed(changes) => {
                        let at = state.clock.now();
                        for change in changes {
                            let seq = change.seq;
                            let doc = encode(&ServerDoc::Ev(change.into_event(room, at)));
                            missed.push_str(&event(seq, &epoch, &doc));
                        }
                    }
                }
                (epoch, head)
            }
        };
        subscription.start(viewer, head, &epoch);
        let mut deadlines = Deadlines::new(state.hub.settings(), Instant::now());
        if let Some(caller) = &caller {
            deadlines.accept(caller, state.hub.settings(), state.clock.now());
        }
        Ok(Self {
            state,
            registration,
            _slot: slot,
            subscription,
            room,
            epoch,
            caller,
            deadlines,
            missed,
            ending: false,
        })
    }

    /// The next part of the stream; `None` at its end.
    async fn next(&mut self) -> Option<Bytes> {
        if self.ending {
            return None;
        }
        let mut text = std::mem::take(&mut self.missed);
        loop {
            self.follow_orders(&mut text)?;
            self.take_news(&mut text);
            if !text.is_empty() {
                return Some(text.into());
            }
            tokio::select! {
                () = self.registration.mailbox.woken() => {
                    self.registration.mailbox.take_news();
                }
                () = sleep_until(self.deadlines.next()) => self.act_on_time(&mut text).await?,
            }
        }
    }

    fn follow_orders(&mut self, text: &mut String) -> Option<()> {
        while let Some(order) = self.registration.mailbox.next_order() {
            match order {
                Order::Close(_) => return None,
                Order::Unsubscribe(room, _) if room == self.room => return None,
                Order::ReplaceSession(session) => {
                    if let Some(caller) = &mut self.caller {
                        caller.session = session;
                    }
                }
                Order::Recheck => self.deadlines.recheck_at(Instant::now()),
                Order::GoAway { retry_ms, .. } => {
                    let _ = write!(text, "retry: {retry_ms}\n\n");
                    self.ending = true;
                }
                Order::Unsubscribe(..) | Order::Send(_) | Order::SendUnlessIdle(_) => {}
            }
        }
        Some(())
    }

    fn take_news(&mut self, text: &mut String) {
        let reader = self.registration.mailbox.id;
        let Some(place) = &mut self.subscription.place else {
            return;
        };
        let mut seq = place.next;
        let mut frame = Frame::default();
        // As if idle: a stream carries no ephemeral news.
        let taken = self.subscription.room.take(reader, place, true, &mut frame);
        for doc in frame.documents() {
            text.push_str(&event(seq, &self.epoch, doc));
            seq = seq.next();
        }
        match taken {
            Taken::All => {}
            Taken::More => self.registration.mailbox.tell(self.room),
            Taken::FellOut => {
                metrics::resynced();
                text.push_str(&resync(self.room));
                if let Some(head) = self.subscription.room.head() {
                    place.next = head.next();
                    place.paused = false;
                }
            }
        }
    }

    async fn act_on_time(&mut self, text: &mut String) -> Option<()> {
        let now = Instant::now();
        // Nobody answers on a stream; a client that is gone is noticed by its connection.
        self.deadlines.hear(now);
        while let Some(due) = self.deadlines.due(self.state.hub.settings(), now) {
            match due {
                Due::TokenExpired | Due::Age => return None,
                Due::Ping => text.push_str(HEARTBEAT),
                Due::Recheck => self.recheck(text).await?,
                Due::AuthSoon | Due::Dead | Due::Leave => {}
            }
        }
        Some(())
    }

    async fn recheck(&mut self, text: &mut String) -> Option<()> {
        let ended = |error: &ApiError| !error.code.retry();
        if let Some(caller) = &self.caller {
            let looked_up = caller.session;
            let live = auth::check_live(&self.state, caller).await;
            // Word of another session may have come while this one was looked up.
            self.follow_orders(text)?;
            let is_current = self.caller.as_ref().map(|it| it.session) == Some(looked_up);
            if is_current && live.is_err_and(|error| ended(&error)) {
                return None;
            }
        }
        let readable = rooms::may_read(&self.state, self.caller.as_ref(), self.room).await;
        (!readable.is_err_and(|error| ended(&error))).then_some(())
    }
}

fn event(seq: Seq, epoch: &Epoch, doc: &str) -> String {
    format!("id: {seq}.{}\ndata: {doc}\n\n", epoch.0)
}

/// Too much was missed: load the room afresh. It has no id, so the place of the stream stays.
fn resync(room: RoomId) -> String {
    let doc = encode(&ServerDoc::Resync { room });
    format!("event: resync\ndata: {doc}\n\n")
}
