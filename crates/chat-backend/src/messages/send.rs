//! Sending a message: parse → limit → write (which finds repeats and authorises) → publish.

use std::future::ready;
use std::pin::Pin;

use chat_store::{Appended, Conflict, NewMessage, StoreError};
use chat_types::event::UserKind;
use chat_types::id::{RoomId, UserId};
use chat_types::room::{SendMessage, Sent};
use chat_types::text::MessageBody;
use futures_util::FutureExt;
use tokio::time::Instant;

use crate::auth::Caller;
use crate::error::ApiError;
use crate::metrics;
use crate::rate_limit::Rates;
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

/// Messages of the node that may be under way behind another one of their connection. The first of
/// each connection does not count: who writes one at a time is never in the way of those who do not.
pub const PIPELINED_SENDS: usize = 3_072;

/// A message on its way.
#[must_use = "what is committed is published by whoever waits for it"]
pub struct Sending {
    /// Whether the next message of the same sender may be under way beside this one: it will be
    /// numbered after it, unless the database fails this one only. Not when this one may be refused
    /// by a rate.
    pub leads: bool,
    /// The acknowledgement; then it is committed and published.
    pub sent: Pin<Box<dyn Future<Output = Result<Sent, ApiError>> + Send>>,
}

impl Sending {
    fn new(
        leads: bool,
        sent: impl Future<Output = Result<Sent, ApiError>> + Send + 'static,
    ) -> Self {
        let sent = Box::pin(async move {
            let answer = sent.await;
            metrics::message_received(&answer);
            answer
        });
        Self { leads, sent }
    }

    /// One that is refused for good.
    pub fn refused(refused: ApiError) -> Self {
        Self::new(true, ready(Err(refused)))
    }
}

/// Sends a message; the call itself puts it into the store's queue. A retry with the same client id
/// gets the first acknowledgement with `duplicate`, whatever became of the room since; it takes from
/// the rate of repeats, not from those of messages, and so does a client id that made another message.
///
/// Nothing is read before the message is written: the store finds repeats, and decides what the room
/// takes from whom, in the transaction that writes. Only who is refused has their place looked up.
///
/// # Errors
/// `invalid`, `not_found`, `forbidden`, `read_only`, `rate_limited`, `conflict` for a client id that
/// made another message, `limit_reached` for one room too many, `unavailable`.
pub fn send(state: &AppState, sender: Sender<'_>, room: RoomId, request: SendMessage) -> Sending {
    let message = match parse(state, sender.caller, room, request) {
        Ok(message) => message,
        Err(refused) => return Sending::refused(refused),
    };
    match Drawn::draw(state, sender, &message) {
        Ok(drawn) => queue(state, sender.caller, drawn, message),
        Err(too_often) => unless_repeat(state, message, too_often),
    }
}

/// Answers a message as `refused`, unless it was committed before: for one that was written behind
/// another that was refused for now, and must not overtake it.
pub fn hold_back(
    state: &AppState,
    sender: Sender<'_>,
    room: RoomId,
    request: SendMessage,
    refused: ApiError,
) -> Sending {
    match parse(state, sender.caller, room, request) {
        Ok(message) => unless_repeat(state, message, refused),
        Err(refused) => Sending::refused(refused),
    }
}

fn unless_repeat(state: &AppState, message: NewMessage, refused: ApiError) -> Sending {
    let state = state.clone();
    Sending::new(false, async move {
        repeat(&state, &message).await?.ok_or(refused)
    })
}

/// The first acknowledgement, if the message was committed before. Asking costs, whatever the answer:
/// who sends too often may not have the store read all the more.
async fn repeat(state: &AppState, message: &NewMessage) -> Result<Option<Sent>, ApiError> {
    state.rates.repeats.take(message.author, message.at)?;
    Ok(state.store.appended(message).await?)
}

fn queue(state: &AppState, caller: &Caller, drawn: Drawn, message: NewMessage) -> Sending {
    let (room, now) = (message.room, message.at);
    let began = Instant::now();
    let mut appending = state.store.append(message);
    // A full queue refuses at once.
    let at_once = appending.as_mut().now_or_never();
    let (state, caller) = (state.clone(), caller.clone());
    Sending::new(at_once.is_none(), async move {
        let appended = match at_once {
            Some(appended) => appended,
            None => appending.await,
        };
        if is_repeat(&appended) {
            // Who repeats too often pays with messages, and is then looked up no more.
            state.rates.repeats.take(caller.user.id, now)?;
            drawn.give_back(&state.rates);
        } else if let Err(StoreError::NotFound(_) | StoreError::Conflict(_)) = appended
            && let Err(refused) = may_write(&state, &caller, room).await
        {
            // It costs the sender, not the room.
            drawn.give_back_to_room(&state.rates);
            return Err(refused);
        }
        let Appended { sent, events } = appended?;
        metrics::committed(began.elapsed());
        state.publish(&events);
        Ok(sent)
    })
}

/// Whether the client id was there before: with this message, or with another.
fn is_repeat(appended: &Result<Appended, StoreError>) -> bool {
    match appended {
        Ok(appended) => appended.sent.duplicate,
        Err(error) => matches!(error, StoreError::Conflict(Conflict::ClientIdReused)),
    }
}

fn parse(
    state: &AppState,
    caller: &Caller,
    room: RoomId,
    request: SendMessage,
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

/// What a message has taken: one of the sender's rate in this room and of that over all rooms, of the
/// room's, and for a guest of the address's.
struct Drawn {
    room: RoomId,
    author: UserId,
    address: Option<AddressKey>,
}

impl Drawn {
    /// Takes one from every bucket of this message, or none from any.
    fn draw(state: &AppState, sender: Sender<'_>, message: &NewMessage) -> Result<Self, ApiError> {
        let (rates, now) = (&state.rates, message.at);
        let (author, room) = (message.author, message.room);
        let address = sender.shared_address();
        let here = rates.sends.draw((author, room), now)?;
        let anywhere = rates.user_sends.draw(author, now)?;
        let from_address = address.map(|address| rates.guest_sends.draw(address, now));
        let from_address = from_address.transpose()?;
        rates.room_sends.take(room, now)?;
        here.spend();
        anywhere.spend();
        if let Some(from_address) = from_address {
            from_address.spend();
        }
        Ok(Self {
            room,
            author,
            address,
        })
    }

    /// It costs nothing after all.
    fn give_back(self, rates: &Rates) {
        rates.sends.put_back(&(self.author, self.room));
        rates.user_sends.put_back(&self.author);
        if let Some(address) = &self.address {
            rates.guest_sends.put_back(address);
        }
        self.give_back_to_room(rates);
    }

    /// It costs the room nothing.
    fn give_back_to_room(self, rates: &Rates) {
        rates.room_sends.put_back(&self.room);
    }
}
