//! Sessions: begin, refresh, list, end.

use chat_store::{Begun, NewSession, RotateRefresh, Rotation, SessionRecord, UserRecord};
use chat_types::account::{Refresh, Session, SessionList, SignedIn, Tokens};
use chat_types::close::CloseCode;
use chat_types::id::SessionId;
use chat_types::problem::ErrorCode;

use super::Caller;
use super::token::{SESSION_MS, hash, random_token};
use crate::error::ApiError;
use crate::extract::Client;
use crate::purge;
use crate::state::AppState;

/// Begins a session of a user who has just proved who they are.
pub(super) async fn begin(
    state: &AppState,
    client: &Client,
    user: &UserRecord,
) -> Result<SignedIn, ApiError> {
    let now = state.now();
    let refresh_token = random_token();
    let session = NewSession {
        id: state.new_session_id(),
        user: user.id,
        refresh: hash(&refresh_token),
        device: client.device.clone(),
        at: now,
        expires_at: now.plus_ms(SESSION_MS),
    };
    let Begun { session, ended } = state.store.create_session(session).await?;
    for one_too_many in ended {
        let hub = &state.hub;
        hub.close_session(user.id, one_too_many, CloseCode::Revoked);
    }
    signed_in(state, user, session.id, refresh_token)
}

/// Exchanges a refresh token; again for the same one until that is used.
///
/// # Errors
/// `unauthorized` when nobody has it or its successor was used, which ends its session.
pub(super) async fn refresh(state: &AppState, request: Refresh) -> Result<SignedIn, ApiError> {
    let refused =
        || ApiError::new(ErrorCode::Unauthorized).detail("the refresh token is not valid");
    let now = state.now();
    let successor = state.tokens.successor(&request.refresh_token);
    let other_successor = state.tokens.other_successor(&request.refresh_token);
    let rotate = RotateRefresh {
        presented: hash(&request.refresh_token),
        successor: hash(&successor),
        other_successor: other_successor.as_deref().map(hash),
        at: now,
        expires_at: now.plus_ms(SESSION_MS),
        forget_used_before: purge::before(now, state.config.keeping.used_tokens),
    };
    match state.store.rotate_refresh(rotate).await? {
        Rotation::Rotated {
            session,
            by_other_key,
        } => {
            let user = state.store.user(session.user).await?.ok_or_else(refused)?;
            let newest = other_successor.filter(|_| by_other_key);
            let newest = newest.unwrap_or(successor);
            signed_in(state, &user, session.id, newest)
        }
        Rotation::Reused(session) => {
            tracing::warn!(session = %session.id, "a refresh token was used twice: the session is revoked");
            state
                .hub
                .close_session(session.user, session.id, CloseCode::Revoked);
            Err(refused())
        }
        Rotation::Unknown => Err(refused()),
    }
}

fn signed_in(
    state: &AppState,
    user: &UserRecord,
    session: SessionId,
    refresh_token: String,
) -> Result<SignedIn, ApiError> {
    let (access_token, expires_in_ms) = state.tokens.access(user.id, session, state.now())?;
    Ok(SignedIn {
        user: user.to_user(),
        session,
        tokens: Tokens {
            access_token,
            expires_in_ms,
            refresh_token,
        },
    })
}

/// The caller's live sessions.
pub(super) async fn list(state: &AppState, caller: &Caller) -> Result<SessionList, ApiError> {
    let sessions = state.store.sessions_of(caller.user.id, state.now()).await?;
    let shown = |record: SessionRecord| Session {
        id: record.id,
        created_at: record.created_at,
        last_used_at: record.last_used_at,
        device: record.device,
        current: record.id == caller.session,
    };
    Ok(SessionList {
        sessions: sessions.into_iter().map(shown).collect(),
    })
}

/// Ends the session of this request.
pub(super) async fn sign_out(state: &AppState, caller: &Caller) -> Result<(), ApiError> {
    let user = caller.user.id;
    state
        .store
        .revoke_session(user, caller.session, state.now())
        .await?;
    state
        .hub
        .close_session(user, caller.session, CloseCode::SignedOut);
    Ok(())
}

/// Ends one of the caller's sessions.
///
/// # Errors
/// `not_found` when it is not theirs or has ended.
pub(super) async fn revoke(
    state: &AppState,
    caller: &Caller,
    session: SessionId,
) -> Result<(), ApiError> {
    let user = caller.user.id;
    if !state
        .store
        .revoke_session(user, session, state.now())
        .await?
    {
        return Err(ApiError::new(ErrorCode::NotFound));
    }
    state.hub.close_session(user, session, CloseCode::Revoked);
    Ok(())
}

/// Ends all of the caller's sessions.
pub(super) async fn revoke_all(state: &AppState, caller: &Caller) -> Result<(), ApiError> {
    let user = caller.user.id;
    state.store.revoke_sessions(user, None, state.now()).await?;
    state.hub.close_user(user, None, CloseCode::Revoked);
    Ok(())
}
