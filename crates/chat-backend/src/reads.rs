//! Read positions.

use chat_types::account::Empty;
use chat_types::endpoint::PutRead;
use chat_types::id::{ConnectionId, Number, RoomId};

use crate::api::{Answer, Api, Call, ok};
use crate::auth::Caller;
use crate::error::ApiError;
use crate::rooms::may_read;
use crate::state::AppState;

/// The endpoints of this slice.
pub fn routes(api: Api) -> Api {
    api.route::<PutRead, _, _>(put_read)
}

async fn put_read(call: Call<PutRead>) -> Answer<Empty> {
    let room = call.path.id("room")?;
    mark_read(&call.state, call.caller()?, room, call.body.number, None).await?;
    ok(Empty {})
}

/// Moves a member's read position forward and tells their other connections; returns where it is.
///
/// # Errors
/// `not_found`; `forbidden` for somebody who is not a member, whose position is not kept.
pub async fn mark_read(
    state: &AppState,
    caller: &Caller,
    room: RoomId,
    number: Number,
    from: Option<ConnectionId>,
) -> Result<Number, ApiError> {
    may_read(state, Some(caller), room).await?;
    let user = caller.user.id;
    let number = state.store.mark_read(room, user, number).await?;
    state.hub.read_moved(user, room, number, from);
    Ok(number)
}
