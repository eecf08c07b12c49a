//! Who the caller is: guests, accounts, sessions, tokens.

mod account;
mod guest;
pub mod http;
mod names;
pub mod password;
mod session;
pub mod token;

use chat_types::event::{User, UserKind};
use chat_types::id::SessionId;
use chat_types::problem::ErrorCode;
use chat_types::room::Role;
use chat_types::time::Timestamp;

use self::token::Proof;
use crate::error::ApiError;
use crate::state::AppState;

/// A signed-in caller, as the store knew them when they were last looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub user: User,
    /// By which login.
    pub session: SessionId,
    /// When the access token ends.
    pub expires_at: Timestamp,
}

impl Caller {
    /// The role with which this caller joins a room.
    pub const fn joins_as(&self) -> Role {
        match self.user.kind {
            UserKind::Account => Role::Member,
            UserKind::Guest | UserKind::Unknown => Role::Guest,
        }
    }
}

/// The caller that an access token proves: it is signed by us, has not ended, and its session is
/// live.
///
/// # Errors
/// `token_expired` when only its time is over, `unauthorized` for every other flaw, `unavailable`.
pub async fn verify(state: &AppState, token: &str) -> Result<Caller, ApiError> {
    look_up(state, state.tokens.verify(token, state.now())?).await
}

/// The same caller as they are now, re-read from the store: another name or kind, or an end.
///
/// # Errors
/// `unauthorized` when the session is not live any more, `unavailable`.
pub async fn check_live(state: &AppState, caller: &Caller) -> Result<Caller, ApiError> {
    let proof = Proof {
        user: caller.user.id,
        session: caller.session,
        expires_at: caller.expires_at,
    };
    look_up(state, proof).await
}

/// The caller whom a token proves, as the store knows them.
///
/// # Errors
/// As [`check_live`].
pub async fn look_up(state: &AppState, proof: Proof) -> Result<Caller, ApiError> {
    let Proof {
        user,
        session,
        expires_at,
    } = proof;
    let ended = || ApiError::new(ErrorCode::Unauthorized).detail("the session has ended");
    let owner = state.live_users.ask(session).await?;
    let record = owner.filter(|owner| owner.id == user).ok_or_else(ended)?;
    Ok(Caller {
        user: record.to_user(),
        session,
        expires_at,
    })
}
