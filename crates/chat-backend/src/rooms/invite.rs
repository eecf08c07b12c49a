//! Invites: a secret by which somebody joins.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat_store::NewInvite;
use chat_types::id::{InviteCode, RoomId};
use chat_types::problem::ErrorCode;
use chat_types::room::{AcceptInvite, CreateInvite, Invite, RoomSummary};

use super::permissions::Act;
use super::{may, member};
use crate::auth::{Caller, token};
use crate::error::ApiError;
use crate::state::AppState;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// How long an invite lasts when nothing else is asked for.
const VALID_MS: u64 = 7 * DAY_MS;
/// How long an invite lasts at most.
const VALID_MAX_MS: u64 = 30 * DAY_MS;

/// Makes an invite to a room.
pub(super) async fn create(
    state: &AppState,
    caller: &Caller,
    room: RoomId,
    request: CreateInvite,
) -> Result<Invite, ApiError> {
    let valid_ms = request.valid_ms.unwrap_or(VALID_MS);
    if !(1..=VALID_MAX_MS).contains(&valid_ms) {
        return Err(ApiError::invalid_value(
            "valid_ms",
            "an invite lasts 1 ms to 30 days",
        ));
    }
    state.rates.creations.take(caller.user.id, state.now())?;
    may(state, Some(caller), room, Act::Invite).await?;
    let code = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
    let now = state.now();
    let expires_at = now.plus_ms(valid_ms);
    let invite = NewInvite {
        room,
        code: token::hash(&code),
        by: caller.user.id,
        at: now,
        expires_at,
    };
    state.store.create_invite(invite).await?;
    let code: InviteCode = code
        .parse()
        .expect("16 bytes are 22 characters of base64url");
    Ok(Invite { code, expires_at })
}

/// Joins a room by an invite.
///
/// # Errors
/// `not_found` for a code that nobody made or that has ended.
pub(super) async fn accept(
    state: &AppState,
    caller: &Caller,
    request: AcceptInvite,
) -> Result<RoomSummary, ApiError> {
    state.rates.invites.take(caller.user.id, state.now())?;
    let code = token::hash(request.code.as_str());
    let room = state.store.invited_room(code, state.now()).await?;
    let room = room.ok_or_else(|| ApiError::new(ErrorCode::NotFound))?;
    member::become_member(state, caller, room).await
}
