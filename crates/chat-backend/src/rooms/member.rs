//! Joining and leaving.

use chat_store::NewMember;
use chat_types::id::RoomId;
use chat_types::room::{RoomKind, RoomSummary};
use chat_types::ws::UnsubReason;

use super::permissions::Act;
use super::{may, summary};
use crate::auth::Caller;
use crate::error::ApiError;
use crate::state::AppState;

/// Joins a public or page room.
pub(super) async fn join(
    state: &AppState,
    caller: &Caller,
    room: RoomId,
) -> Result<RoomSummary, ApiError> {
    state.rates.changes.take(caller.user.id, state.now())?;
    may(state, Some(caller), room, Act::Join).await?;
    become_member(state, caller, room).await
}

/// Makes the caller a member; whoever may has decided that.
pub(super) async fn become_member(
    state: &AppState,
    caller: &Caller,
    room: RoomId,
) -> Result<RoomSummary, ApiError> {
    let store = state.store.clone();
    let member = NewMember {
        room,
        user: caller.user.id,
        role: caller.joins_as(),
        at: state.now(),
    };
    let joined = state
        .commit(async move {
            let joined = store.join(member).await?;
            Ok((joined.event.is_some(), joined.event.into_iter().collect()))
        })
        .await?;
    let summary = summary(state, Some(caller.user.id), room).await?;
    if joined {
        state.hub.room_added(caller.user.id, &summary);
    }
    Ok(summary)
}

/// Leaves a room. Who may not read it without being a member stops following it at once.
pub(super) async fn leave(state: &AppState, caller: &Caller, room: RoomId) -> Result<(), ApiError> {
    state.rates.changes.take(caller.user.id, state.now())?;
    let place = may(state, Some(caller), room, Act::Leave).await?;
    let (store, user, now) = (state.store.clone(), caller.user.id, state.now());
    state
        .commit(async move {
            let event = store.leave(room, user, now).await?;
            Ok(((), event.into_iter().collect()))
        })
        .await?;
    if place.record.room.kind == RoomKind::Private {
        state.hub.unsubscribe(room, user, UnsubReason::Left);
    }
    Ok(())
}
