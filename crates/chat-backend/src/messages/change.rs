//! Changing a message: edit, delete, react, pin.

use chat_store::{DeleteMessage, EditMessage, SetPin, SetReaction, StoreError};
use chat_types::event::{Event, Message};
use chat_types::id::{MessageId, RoomId, Seq};
use chat_types::problem::ErrorCode;
use chat_types::room::React;
use chat_types::text::{Emoji, MessageBody};

use crate::auth::Caller;
use crate::error::ApiError;
use crate::rooms::permissions::Act;
use crate::rooms::{may, may_write};
use crate::state::AppState;

/// Gives one's own message another text; returns the place of the change, or of the newest one when
/// it says that already.
///
/// # Errors
/// `rate_limited`, `forbidden` for somebody else's message, `conflict` for a deleted one, and as
/// [`may`](crate::rooms::may).
pub async fn edit(
    state: &AppState,
    caller: &Caller,
    room: RoomId,
    id: MessageId,
    body: String,
) -> Result<Seq, ApiError> {
    limit(state, caller)?;
    let body = MessageBody::parse(&body).map_err(|reason| ApiError::invalid("body", reason))?;
    may_write(state, caller, room).await?;
    let message = find(state, room, id).await?;
    if message.author.id != caller.user.id {
        return Err(ApiError::new(ErrorCode::Forbidden).detail("only its author edits a message"));
    }
    let store = state.store.clone();
    let edit = EditMessage {
        room,
        id,
        by: caller.user.id,
        body,
        at: state.now(),
    };
    commit(
        state,
        &message,
        async move { store.edit_message(edit).await },
    )
    .await
}

/// Deletes a message: one's own, or anybody's with the right to.
///
/// # Errors
/// `rate_limited`, `forbidden`, and as [`may`](crate::rooms::may).
pub async fn delete(
    state: &AppState,
    caller: &Caller,
    room: RoomId,
    id: MessageId,
) -> Result<Seq, ApiError> {
    limit(state, caller)?;
    let place = may(state, Some(caller), room, Act::Read).await?;
    let message = find(state, room, id).await?;
    let own = message.author.id == caller.user.id;
    if !place.allows(if own { Act::DeleteOwn } else { Act::DeleteAny }) {
        return Err(ApiError::new(ErrorCode::Forbidden));
    }
    let store = state.store.clone();
    let delete = DeleteMessage {
        room,
        id,
        by: caller.user.id,
        by_moderator: !own,
        at: state.now(),
    };
    commit(state, &message, async move {
        store.delete_message(delete).await
    })
    .await
}

/// Puts an emoji under a message or takes it away.
///
/// # Errors
/// `rate_limited`, `conflict` for a deleted message, `limit_reached` for one more kind of emoji than the limit, and
/// as [`may`](crate::rooms::may).
pub async fn react(
    state: &AppState,
    caller: &Caller,
    room: RoomId,
    id: MessageId,
    request: React,
) -> Result<Seq, ApiError> {
    limit(state, caller)?;
    let emoji =
        Emoji::parse(&request.emoji).map_err(|reason| ApiError::invalid("emoji", reason))?;
    may_write(state, caller, room).await?;
    let message = find(state, room, id).await?;
    let store = state.store.clone();
    let reaction = SetReaction {
        room,
        id,
        user: caller.user.id,
        emoji,
        on: request.on,
        at: state.now(),
    };
    commit(state, &message, async move {
        store.set_reaction(reaction).await
    })
    .await
}

/// Pins a message or unpins it.
///
/// # Errors
/// `rate_limited`, `conflict` for a deleted message, and as [`may`](crate::rooms::may).
pub async fn pin(
    state: &AppState,
    caller: &Caller,
    room: RoomId,
    id: MessageId,
    on: bool,
) -> Result<Seq, ApiError> {
    limit(state, caller)?;
    may(state, Some(caller), room, Act::Pin).await?;
    let message = find(state, room, id).await?;
    let store = state.store.clone();
    let pin = SetPin {
        room,
        id,
        by: caller.user.id,
        on,
        at: state.now(),
    };
    commit(state, &message, async move { store.set_pin(pin).await }).await
}

/// Takes from the caller's rate before anything is read: what is refused afterwards has cost as much
/// as what is done.
fn limit(state: &AppState, caller: &Caller) -> Result<(), ApiError> {
    state.rates.changes.take(caller.user.id, state.now())
}

async fn find(state: &AppState, room: RoomId, id: MessageId) -> Result<Message, ApiError> {
    let message = state.store.message(room, id, None).await?;
    message.ok_or_else(|| ApiError::new(ErrorCode::NotFound))
}

/// Makes the change and publishes it; the place of the change, or of the
/// message's newest one when this changed nothing.
async fn commit(
    state: &AppState,
    message: &Message,
    change: impl Future<Output = Result<Option<Event>, StoreError>>,
) -> Result<Seq, ApiError> {
    let committed = state.commit(async move {
        let event = change.await?;
        Ok((
            event.as_ref().map(|event| event.seq),
            event.into_iter().collect(),
        ))
    });
    Ok(committed.await?.unwrap_or(message.seq))
}
