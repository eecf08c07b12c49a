//! Sending a message: parse → limit → deduplicate → authorise → persist → publish.

use chat_store::{Appended, Conflict, NewMessage, StoreError};
use chat_types::event::UserKind;
use chat_types::id::{RoomId, UserId};
use chat_types::room::{SendMessage, Sent};
use chat_types::text::MessageBody;

use crate::auth::Caller;
use crate::error::ApiError;
use crate::rate_limit::Taken;
use crate::rooms::may_write;
use crate::state::AppState;
use chat_listener::AddressKey;

/// Who sends or changes a message, and from where.
#[derive(Clone, Copy)]
pub struct Sender<'a> {
    /// Who.
    pub caller: &'a Caller,
    /// From which address: guests share a rate there.
    pub address: AddressKey,
}

impl Sender<'_> {
    /// The address, of a guest: anybody can be many of those.
    pub(super) fn shared_address(&self) -> Option<AddressKey> {
        (self.caller.user.kind != UserKind::Account).then_some(self.address)
    }
}

/// Sends a message; when this returns, it is committed. A retry with the same client id gets the
/// first acknowledgement with `duplicate`, whatever became of the room since; it takes from the
/// rate of repeats, not from those of messages, and so does a client id that made another message.
///
/// # Errors
/// `invalid`, `not_found`, `forbidden`, `read_only`, `rate_limited`, `conflict` for a client id that
/// made another message, `limit_reached` for one room too many, `unavailable`.
pub async fn send(
    state: &AppState,
    sender: Sender<'_>,
    room: RoomId,
    request: SendMessage,
) -> Result<Sent, ApiError> {
    let message = parse(state, sender.caller, room, &request)?;
    match Drawn::draw(state, sender, &message) {
        Ok(drawn) => send_within(state, sender, drawn, message).await,
        Err(too_often) => repeat(state, &message).await?.ok_or(too_often),
    }
}

/// The first acknowledgement, if the message was committed before. Asking costs, whatever the answer:
/// who sends too often may not have the store read all the more.
async fn repeat(state: &AppState, message: &NewMessage) -> Result<Option<Sent>, ApiError> {
    state.rates.repeats.take(message.author, message.at)?;
    Ok(state.store.appended(message).await?)
}

async fn send_within(
    state: &AppState,
    sender: Sender<'_>,
    drawn: Drawn<'_>,
    message: NewMessage,
) -> Result<Sent, ApiError> {
    let before = state.store.appended(&message).await;
    if is_repeat(&before) {
        state.rates.repeats.take(message.author, message.at)?;
    }
    if let Some(first) = before? {
        return Ok(first);
    }
    if let Err(refused) = may_write(state, sender.caller, message.room).await {
        // It costs the sender, not the room.
        drawn.from_sender.spend();
        return Err(refused);
    }
    let sent = persist(state, message).await;
    // The twin of a message that was committed meanwhile costs nothing.
    if !sent.as_ref().is_ok_and(|sent| sent.duplicate) {
        drawn.spend();
    }
    sent
}

/// Whether the client id was there before: with this message, or with another.
fn is_repeat(before: &Result<Option<Sent>, StoreError>) -> bool {
    matches!(
        before,
        Ok(Some(_)) | Err(StoreError::Conflict(Conflict::ClientIdReused))
    )
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

/// What a message draws from: the sender's rate in this room and over all rooms, the room's, and for
/// a guest the address's.
struct Drawn<'a> {
    from_sender: FromSender<'a>,
    from_room: Taken<'a, RoomId>,
}

struct FromSender<'a> {
    here: Taken<'a, (UserId, RoomId)>,
    anywhere: Taken<'a, UserId>,
    address: Option<Taken<'a, AddressKey>>,
}

impl<'a> Drawn<'a> {
    /// Takes one from every bucket of this message, or none from any.
    fn draw(
        state: &'a AppState,
        sender: Sender<'_>,
        message: &NewMessage,
    ) -> Result<Self, ApiError> {
        let (rates, author, now) = (&state.rates, message.author, message.at);
        let address = sender.shared_address();
        let from_sender = FromSender {
            here: rates.sends.draw((author, message.room), now)?,
            anywhere: rates.user_sends.draw(author, now)?,
            address: address
                .map(|address| rates.guest_sends.draw(address, now))
                .transpose()?,
        };
        let from_room = rates.room_sends.draw(message.room, now)?;
        Ok(Self {
            from_sender,
            from_room,
        })
    }

    fn spend(self) {
        self.from_sender.spend();
        self.from_room.spend();
    }
}

impl FromSender<'_> {
    fn spend(self) {
        self.here.spend();
        self.anywhere.spend();
        if let Some(address) = self.address {
            address.spend();
        }
    }
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
