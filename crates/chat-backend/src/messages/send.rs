//! Sending a message: parse → authorise → limit → deduplicate → persist → publish.

use chat_store::{Appended, NewMessage};
use chat_types::id::RoomId;
use chat_types::room::{SendMessage, Sent};
use chat_types::text::MessageBody;

use crate::auth::Caller;
use crate::error::ApiError;
use crate::rooms::may_write;
use crate::state::AppState;

/// Sends a message; when this returns, it is committed. A retry with the same client id gets the
/// first acknowledgement with `duplicate`, and costs nothing of the sender's rate.
///
/// # Errors
/// `invalid`, `not_found`, `forbidden`, `read_only`, `rate_limited`, `conflict` for a client id that
/// made another message, `unavailable`.
pub async fn send(
    state: &AppState,
    caller: &Caller,
    room: RoomId,
    request: SendMessage,
) -> Result<Sent, ApiError> {
    let message = parse(state, caller, room, &request)?;
    may_write(state, caller, room).await?;
    let limited = limit(state, &message);
    if let Err(too_often) = &limited
        && !is_retry(state, &message).await?
    {
        return Err(too_often.clone());
    }
    let sent = persist(state, message.clone()).await?;
    if sent.duplicate && limited.is_ok() {
        put_back(state, &message);
    }
    Ok(sent)
}

fn parse(
    state: &AppState,
    caller: &Caller,
    room: RoomId,
    request: &SendMessage,
) -> Result<NewMessage, ApiError> {
    let body =
        MessageBody::parse(&request.body).map_err(|reason| ApiError::invalid("body", reason))?;
    Ok(NewMessage {
        id: state.new_message_id(),
        room,
        author: caller.user.id,
        client_id: request.client_id,
        body,
        reply_to: request.reply_to,
        joins_as: caller.joins_as(),
        at: state.now(),
    })
}

/// Takes one from the sender's bucket of this room and one from the room's.
fn limit(state: &AppState, message: &NewMessage) -> Result<(), ApiError> {
    let sender = (message.author, message.room);
    state.rates.sends.take(sender, message.at)?;
    let room = state.rates.room_sends.take(message.room, message.at);
    if room.is_err() {
        state.rates.sends.put_back(&sender);
    }
    room
}

async fn is_retry(state: &AppState, message: &NewMessage) -> Result<bool, ApiError> {
    let NewMessage {
        room,
        author,
        client_id,
        ..
    } = *message;
    Ok(state.store.is_appended(room, author, client_id).await?)
}

/// Commits the message and publishes it; for a repeat, finds the first.
async fn persist(state: &AppState, message: NewMessage) -> Result<Sent, ApiError> {
    let store = state.store.clone();
    let appended = async move {
        let Appended { sent, events } = store.append(message).await?;
        Ok((sent, events))
    };
    state.commit(appended).await
}

fn put_back(state: &AppState, message: &NewMessage) {
    state.rates.sends.put_back(&(message.author, message.room));
    state.rates.room_sends.put_back(&message.room);
}
