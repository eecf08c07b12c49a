//! Read positions.

mod late;

use std::time::Duration;

use chat_types::account::Empty;
use chat_types::endpoint::PutRead;
use chat_types::id::{ConnectionId, Number, RoomId};
use chat_types::problem::ErrorCode;

pub use self::late::LatePositions;
use crate::api::{Answer, Api, Call, ok};
use crate::auth::Caller;
use crate::error::ApiError;
use crate::rooms::may;
use crate::rooms::permissions::Act;
use crate::state::AppState;

/// How far somebody has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// In which room.
    pub room: RoomId,
    /// Up to which message.
    pub number: Number,
    /// The connection that said so, which need not be told.
    pub from: Option<ConnectionId>,
}

/// The endpoints of this slice.
pub fn routes(api: Api) -> Api {
    api.route::<PutRead, _, _>(put_read)
}

async fn put_read(call: Call<PutRead>) -> Answer<Empty> {
    let position = Position {
        room: call.path.id("room")?,
        number: call.body.number,
        from: None,
    };
    mark_read(&call.state, call.caller()?, position).await?;
    ok(Empty {})
}

/// Moves a member's read position forward and tells their other connections, if it moved; returns
/// where it is.
///
/// # Errors
/// `not_found`; `forbidden` for somebody who is not a member, whose position is not kept;
/// `rate_limited`.
pub async fn mark_read(
    state: &AppState,
    caller: &Caller,
    position: Position,
) -> Result<Number, ApiError> {
    let Position { room, number, from } = position;
    let user = caller.user.id;
    state.rates.read_positions.take(user, state.now())?;
    let before = may(state, Some(caller), room, Act::Read).await?.own;
    let number = state.store.mark_read(room, user, number).await?;
    if before.is_none_or(|before| before.read < number) {
        state.hub.read_moved(user, room, number, from);
    }
    Ok(number)
}

/// The same for somebody who waits for no answer: what is too soon is stored later, and then only
/// the furthest position of each room.
pub async fn mark_read_soon(state: &AppState, caller: &Caller, position: Position) {
    let Some(wait) = too_soon(mark_read(state, caller, position).await) else {
        return;
    };
    if state.late_positions.keep(caller.user.id, position) {
        let (state, caller) = (state.clone(), caller.clone());
        let tasks = state.lifecycle.tasks().clone();
        tasks.spawn(async move { store_late(&state, &caller, wait).await });
    }
}

/// Stores what a user's positions came to, one whenever the rate allows it. At the end of the
/// process there is no more waiting.
async fn store_late(state: &AppState, caller: &Caller, mut wait: Duration) {
    let user = caller.user.id;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = state.lifecycle.ended() => state.rates.read_positions.refill(&user),
        }
        let Some(position) = state.late_positions.next(user) else {
            return;
        };
        wait = match too_soon(mark_read(state, caller, position).await) {
            Some(wait) => {
                state.late_positions.keep(user, position);
                wait
            }
            None => Duration::ZERO,
        };
    }
}

/// How long to wait, when that is all that is wrong.
fn too_soon(answer: Result<Number, ApiError>) -> Option<Duration> {
    let error = answer.err()?;
    let wait = error.retry_after_ms.map(Duration::from_millis)?;
    (error.code == ErrorCode::RateLimited).then_some(wait)
}
