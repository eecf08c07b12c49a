//! Rooms: what a caller is to one, making and finding them, memberships and invites.

mod create;
pub mod http;
mod invite;
mod member;
pub mod permissions;

use chat_store::{OwnPlace, RoomRecord};
use chat_types::id::{RoomId, UserId};
use chat_types::problem::ErrorCode;
use chat_types::room::{RoomSummary, UpdateRoom};
use chat_types::text::{RoomName, Topic};

pub use self::create::open_first;
use self::permissions::{Act, Standing, allowed};
use crate::auth::Caller;
use crate::error::ApiError;
use crate::state::AppState;

/// A room and what the caller is to it.
#[derive(Debug, Clone)]
pub struct Place {
    /// The room.
    pub record: RoomRecord,
    /// What the caller is to it.
    pub standing: Standing,
    /// A member's own membership.
    pub own: Option<OwnPlace>,
}

impl Place {
    /// Whether the caller may do this here.
    pub fn allows(&self, act: Act) -> bool {
        allowed(act, self.record.room.kind, self.standing)
    }
}

/// Lets the caller do something in a room, or says why not.
///
/// # Errors
/// `not_found` when the room does not exist or the caller may not know of it; `unauthorized` for a
/// visitor who would have to sign in; `forbidden`; `read_only`.
pub async fn may(
    state: &AppState,
    caller: Option<&Caller>,
    room: RoomId,
    act: Act,
) -> Result<Place, ApiError> {
    let place = place(state, caller, room).await?;
    if !place.allows(act) {
        return Err(match place.standing {
            Standing::Visitor => ApiError::new(ErrorCode::Unauthorized),
            _ => ApiError::new(ErrorCode::Forbidden),
        });
    }
    if act == Act::Write && !accepts_writing(&place) {
        return Err(ApiError::new(ErrorCode::ReadOnly));
    }
    Ok(place)
}

async fn place(state: &AppState, caller: Option<&Caller>, room: RoomId) -> Result<Place, ApiError> {
    let missing = || ApiError::new(ErrorCode::NotFound);
    let asked = (room, caller.map(|caller| caller.user.id));
    let found = state.places.ask(asked).await?.ok_or_else(missing)?;
    let place = Place {
        standing: match (caller, &found.own) {
            (None, _) => Standing::Visitor,
            (Some(_), None) => Standing::Stranger,
            (Some(_), Some(own)) => Standing::of(own.member.role),
        },
        record: found.record,
        own: found.own,
    };
    if place.allows(Act::Read) {
        Ok(place)
    } else {
        Err(missing())
    }
}

fn accepts_writing(place: &Place) -> bool {
    let room = &place.record.room;
    !room.archived && (!room.read_only || place.allows(Act::WriteReadOnly))
}

/// The room, when the caller may read it.
///
/// # Errors
/// `not_found`, the same whether it does not exist or is not for them.
pub async fn may_read(
    state: &AppState,
    caller: Option<&Caller>,
    room: RoomId,
) -> Result<RoomRecord, ApiError> {
    Ok(may(state, caller, room, Act::Read).await?.record)
}

/// The room, when the caller may write in it now.
///
/// # Errors
/// As [`may`].
pub async fn may_write(
    state: &AppState,
    caller: &Caller,
    room: RoomId,
) -> Result<RoomRecord, ApiError> {
    Ok(may(state, Some(caller), room, Act::Write).await?.record)
}

/// The room as the caller sees it in a list.
async fn summary(
    state: &AppState,
    viewer: Option<UserId>,
    room: RoomId,
) -> Result<RoomSummary, ApiError> {
    let summary = state.store.room_summary(room, viewer).await?;
    summary.ok_or_else(|| ApiError::new(ErrorCode::NotFound))
}

/// Changes a room's name, topic or state.
async fn update(
    state: &AppState,
    caller: &Caller,
    room: RoomId,
    request: UpdateRoom,
) -> Result<RoomSummary, ApiError> {
    let update = parse_update(&request)?;
    state.rates.changes.take(caller.user.id, state.now())?;
    may(state, Some(caller), room, Act::Change).await?;
    let (store, now) = (state.store.clone(), state.now());
    state
        .commit(async move {
            let event = store.update_room(room, update, now).await?;
            Ok(((), event.into_iter().collect()))
        })
        .await?;
    summary(state, Some(caller.user.id), room).await
}

fn parse_update(request: &UpdateRoom) -> Result<chat_store::RoomUpdate, ApiError> {
    Ok(chat_store::RoomUpdate {
        name: request.name.as_deref().map(parse_name).transpose()?,
        topic: request.topic.as_deref().map(parse_topic).transpose()?,
        archived: request.archived,
        read_only: request.read_only,
    })
}

fn parse_name(text: &str) -> Result<RoomName, ApiError> {
    RoomName::parse(text).map_err(|reason| ApiError::invalid("name", reason))
}

fn parse_topic(text: &str) -> Result<Topic, ApiError> {
    Topic::parse(text).map_err(|reason| ApiError::invalid("topic", reason))
}
