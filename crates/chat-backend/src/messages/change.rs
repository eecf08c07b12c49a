//! Changing a message: edit, delete, react, pin.

use chat_store::{DeleteMessage, EditMessage, SetPin, SetReaction, StoreError};
use chat_types::event::{Event, Message};
use chat_types::id::{MessageId, RoomId, Seq};
use chat_types::problem::ErrorCode;
use chat_types::room::React;
use chat_types::text::{Emoji, MessageBody};

use super::Sender;
use crate::error::ApiError;
use crate::rate_limit::Taken;
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
    sender: Sender<'_>,
    room: RoomId,
    id: MessageId,
    body: String,
) -> Result<Seq, ApiError> {
    let caller = sender.caller;
    let within = Within::draw(state, sender, room, Kind::Message)?;
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
    commit(state, within, (room, id), async move {
        store.edit_message(edit).await
    })
    .await
}

/// Deletes a message: one's own, or anybody's with the right to.
///
/// # Errors
/// `rate_limited`, `forbidden`, and as [`may`](crate::rooms::may).
pub async fn delete(
    state: &AppState,
    sender: Sender<'_>,
    room: RoomId,
    id: MessageId,
) -> Result<Seq, ApiError> {
    let caller = sender.caller;
    let within = Within::draw(state, sender, room, Kind::Sign)?;
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
    commit(state, within, (room, id), async move {
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
    sender: Sender<'_>,
    room: RoomId,
    id: MessageId,
    request: React,
) -> Result<Seq, ApiError> {
    let caller = sender.caller;
    let within = Within::draw(state, sender, room, Kind::Sign)?;
    let emoji =
        Emoji::parse(&request.emoji).map_err(|reason| ApiError::invalid("emoji", reason))?;
    may_write(state, caller, room).await?;
    let store = state.store.clone();
    let reaction = SetReaction {
        room,
        id,
        user: caller.user.id,
        emoji,
        on: request.on,
        at: state.now(),
    };
    commit(state, within, (room, id), async move {
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
    sender: Sender<'_>,
    room: RoomId,
    id: MessageId,
    on: bool,
) -> Result<Seq, ApiError> {
    let caller = sender.caller;
    let within = Within::draw(state, sender, room, Kind::Sign)?;
    may(state, Some(caller), room, Act::Pin).await?;
    let store = state.store.clone();
    let pin = SetPin {
        room,
        id,
        by: caller.user.id,
        on,
        at: state.now(),
    };
    commit(state, within, (room, id), async move {
        store.set_pin(pin).await
    })
    .await
}

/// What a change counts as for everybody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A message: an edit brings as much to every reader.
    Message,
    /// A few bytes: a deletion, a reaction, a pin.
    Sign,
}

/// The rates that a change is within. The caller's, and for a guest the address's, are taken before
/// anything is read: what is refused afterwards has cost as much as what is done. The room's goes
/// back when nothing became of it.
struct Within<'a> {
    room: Taken<'a, RoomId>,
}

impl<'a> Within<'a> {
    fn draw(
        state: &'a AppState,
        sender: Sender<'_>,
        room: RoomId,
        kind: Kind,
    ) -> Result<Self, ApiError> {
        let (rates, now) = (&state.rates, state.now());
        let (of_room, of_address) = match kind {
            Kind::Message => (&rates.room_sends, &rates.guest_sends),
            Kind::Sign => (&rates.room_changes, &rates.guest_changes),
        };
        let own = rates.changes.draw(sender.caller.user.id, now)?;
        let address = sender.shared_address();
        let address = address.map(|address| of_address.draw(address, now));
        let address = address.transpose()?;
        let room = of_room.draw(room, now)?;
        own.spend();
        if let Some(address) = address {
            address.spend();
        }
        Ok(Self { room })
    }
}

async fn find(state: &AppState, room: RoomId, id: MessageId) -> Result<Message, ApiError> {
    let message = state.store.message(room, id, None).await?;
    message.ok_or_else(|| ApiError::new(ErrorCode::NotFound))
}

/// Makes the change and publishes it; the place of the change, or of the message's newest one when
/// this changed nothing.
async fn commit(
    state: &AppState,
    within: Within<'_>,
    (room, id): (RoomId, MessageId),
    change: impl Future<Output = Result<Option<Event>, StoreError>>,
) -> Result<Seq, ApiError> {
    let committed = state.commit(async move {
        let event = change.await?;
        Ok((
            event.as_ref().map(|event| event.seq),
            event.into_iter().collect(),
        ))
    });
    if let Some(seq) = committed.await? {
        within.room.spend();
        return Ok(seq);
    }
    // Looked up only now: somebody else may just have made it so.
    Ok(find(state, room, id).await?.seq)
}
