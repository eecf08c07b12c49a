//! Joining and leaving.

use chat_store::NewMember;
use chat_types::id::{RoomId, UserId};
use chat_types::problem::ErrorCode;
use chat_types::room::{Role, RoomKind, RoomSummary};
use chat_types::ws::UnsubReason;

use super::permissions::{Act, Standing};
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

/// Leaves a room. Who may not read it without being a member stops following it at once. The last
/// owner hands the room over first, and whoever leaves looks once more afterwards: they may have
/// become the owner meanwhile, or the heir may have left at the same moment.
pub(super) async fn leave(state: &AppState, caller: &Caller, room: RoomId) -> Result<(), ApiError> {
    state.rates.changes.take(caller.user.id, state.now())?;
    let place = may(state, Some(caller), room, Act::Leave).await?;
    let user = caller.user.id;
    let is_owner = place.standing == Standing::Owner;
    if is_owner {
        hand_over(state, room, user).await?;
    }
    let (store, now) = (state.store.clone(), state.now());
    state
        .commit(async move {
            let event = store.leave(room, user, now).await?;
            Ok(((), event.into_iter().collect()))
        })
        .await?;
    let kind = place.record.room.kind;
    if kind == RoomKind::Private {
        state.hub.unsubscribe(room, user, UnsubReason::Left);
    }
    // The room of a page begins without an owner, and nobody becomes it by leaving.
    if (is_owner || kind != RoomKind::Page)
        && let Err(error) = hand_over(state, room, user).await
    {
        tracing::warn!(%room, error = error.code.name(), "nobody could be made the owner");
    }
    Ok(())
}

/// How often somebody else is looked for, when who was found leaves meanwhile.
const HEIRS: usize = 3;

/// Makes somebody the owner of a room that `leaving` owns, unless somebody else is already: of those
/// with the highest role who has been a member for longest. A room that stays empty has no owner.
async fn hand_over(state: &AppState, room: RoomId, leaving: UserId) -> Result<(), ApiError> {
    for _ in 0..HEIRS {
        let first = state.store.members(room, None, 2).await?.members;
        let heir = first.into_iter().find(|it| it.user.id != leaving);
        let Some(heir) = heir.filter(|it| it.role != Role::Owner) else {
            return Ok(());
        };
        let (store, heir, now) = (state.store.clone(), heir.user.id, state.now());
        let made = state.commit(async move {
            let event = store.set_role(room, heir, Role::Owner, now).await?;
            Ok(((), event.into_iter().collect()))
        });
        match made.await {
            // Not a member any more.
            Err(error) if error.code == ErrorCode::Forbidden => {}
            made => return made,
        }
    }
    Ok(())
}
