//! The first seconds of a socket: nobody yet, until its `hello` is accepted.

use chat_types::close::CloseCode;
use chat_types::id::RequestId;
use chat_types::limits::GREETING_BYTES;
use chat_types::problem::ErrorCode;
use chat_types::ws::{Command, ServerDoc, Welcome};
use tokio::time::{Instant, timeout_at};

use super::codec::{self, Doc, Received, encode};
use super::connection::{COME_BACK_MS, End};
use super::dispatch::refuse;
use super::hub::Registration;
use super::mailbox::Order;
use super::rate::Rate;
use super::wire::{Incoming, Wire};
use crate::auth::{self, Caller};
use crate::error::ApiError;
use crate::state::AppState;
use crate::{OLDEST_CLIENT, VERSION};

/// A connection that has said hello.
pub(super) struct Greeted {
    pub(super) caller: Option<Caller>,
    pub(super) welcome: Doc,
    /// What came in the same frame after the `hello`.
    pub(super) rest: Vec<Received>,
}

/// Waits for a `hello` that can be accepted.
pub(super) async fn greet(
    state: &AppState,
    wire: &mut Wire,
    registration: &Registration,
) -> Result<Greeted, End> {
    let (settings, now) = (state.hub.settings(), Instant::now());
    let mut frames = Rate::new(settings.frames_per_second, settings.frames_burst, now);
    let greeting = async {
        loop {
            let text = first_frame(wire, registration, &mut frames).await?;
            let received =
                codec::decode(&text).map_err(|_| End::Close(CloseCode::ProtocolViolation, None))?;
            let mut received = received.into_iter();
            let Some(Received::Command(Command::Hello { id, token, .. })) = received.next() else {
                return Err(End::Close(CloseCode::ProtocolViolation, None));
            };
            match identify(state, registration, token).await {
                Ok(caller) => return welcome(state, registration, id, caller, received.collect()),
                Err(error) => refuse_all(wire, id, &error, received).await?,
            }
        }
    };
    timeout_at(now + settings.hello, greeting)
        .await
        .unwrap_or(Err(End::Close(CloseCode::HelloTimeout, None)))
}

/// Whose connection it is; `None` for a visitor.
async fn identify(
    state: &AppState,
    registration: &Registration,
    token: Option<String>,
) -> Result<Option<Caller>, ApiError> {
    registration.limit_reads(state)?;
    let Some(token) = token else {
        return Ok(None);
    };
    let proof = state.tokens.verify(&token, state.now())?;
    registration.claim(&proof);
    let caller = auth::look_up(state, proof).await;
    if caller.is_err() {
        registration.disclaim();
    }
    caller.map(Some)
}

async fn first_frame(
    wire: &mut Wire,
    registration: &Registration,
    frames: &mut Rate,
) -> Result<Doc, End> {
    loop {
        tokio::select! {
            incoming = wire.receive() => match incoming {
                _ if frames.take(Instant::now()).is_err() => {
                    return Err(End::Close(CloseCode::RateLimited, Some(COME_BACK_MS)));
                }
                Incoming::Text(text) if text.len() > GREETING_BYTES => {
                    return Err(End::Close(CloseCode::TooBig, None));
                }
                Incoming::Text(text) => return Ok(text),
                Incoming::Binary(_) => return Err(End::Close(CloseCode::ProtocolViolation, None)),
                Incoming::Control => {}
                Incoming::Closed => return Err(End::Left),
                Incoming::Gone => return Err(End::Gone),
                Incoming::Broken(code) => return Err(End::Broken(code)),
                Incoming::Unfinished => return Err(End::UNFINISHED),
            },
            () = registration.mailbox.woken() => {
                match registration.mailbox.next_order() {
                    Some(Order::GoAway { retry_ms, .. }) => {
                        return Err(End::Close(CloseCode::ServiceRestart, Some(retry_ms)));
                    }
                    Some(Order::Close(code)) => return Err(End::ordered(code)),
                    _ => {}
                }
            }
        }
    }
}

/// A `hello` that is refused takes what came with it along.
async fn refuse_all(
    wire: &mut Wire,
    hello: RequestId,
    error: &ApiError,
    rest: impl Iterator<Item = Received>,
) -> Result<(), End> {
    let mut frame = codec::Frame::default();
    frame.push(refuse(Some(hello), error));
    let unauthorized = ApiError::new(ErrorCode::Unauthorized);
    for received in rest {
        if let Received::Command(command) = received
            && let Some(id) = command.request_id()
        {
            frame.push(refuse(Some(id), &unauthorized));
        }
    }
    match frame.into_text() {
        Some(text) => wire.send_text(text).await.map_err(End::from),
        None => Ok(()),
    }
}

fn welcome(
    state: &AppState,
    registration: &Registration,
    id: RequestId,
    caller: Option<Caller>,
    rest: Vec<Received>,
) -> Result<Greeted, End> {
    match &caller {
        Some(caller) => registration.identify(caller)?,
        None => registration.visit()?,
    }
    let settings = state.hub.settings();
    let welcome = encode(&ServerDoc::Welcome(Box::new(Welcome {
        id,
        connection: registration.mailbox.id,
        user: caller.as_ref().map(|caller| caller.user.clone()),
        caps: Vec::new(),
        server: VERSION.to_owned(),
        oldest_client: OLDEST_CLIENT.to_owned(),
        now: state.clock.now(),
        limits: state.config.wire_limits(),
        ping_interval_ms: u64::try_from(settings.ping.as_millis()).unwrap_or(u64::MAX),
    })));
    Ok(Greeted {
        caller,
        welcome,
        rest,
    })
}
