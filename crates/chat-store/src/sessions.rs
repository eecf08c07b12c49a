//! Logins and their refresh tokens. Tokens are stored only as hashes.

use async_trait::async_trait;
use chat_types::id::{SessionId, UserId};
use chat_types::time::Timestamp;

use crate::{Result, UserRecord};

/// SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

/// A login to be made.
#[derive(Clone)]
pub struct NewSession {
    /// The new session's id.
    pub id: SessionId,
    /// Whose login.
    pub user: UserId,
    /// The first refresh token's hash.
    pub refresh: TokenHash,
    /// The device in words, at most 200 characters.
    pub device: String,
    /// Now.
    pub at: Timestamp,
    /// When the session ends unless it is refreshed.
    pub expires_at: Timestamp,
}

/// A login as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// Which session.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// The device in words.
    pub device: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last refreshed.
    pub last_used_at: Timestamp,
    /// When it ends unless it is refreshed.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl SessionRecord {
    /// Whether the session is neither revoked nor ended at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }
}

/// A session that began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// It.
    pub session: SessionRecord,
    /// Sessions of the same user that it ended, because there would be more than
    /// [`SESSIONS_PER_USER`](chat_types::limits::SESSIONS_PER_USER).
    pub ended: Vec<SessionId>,
}

/// Old refresh tokens that one rotation forgets at most. It adds one, so they run out.
pub const FORGOTTEN_PER_ROTATION: u32 = 8;

/// A refresh token presented for the next one.
#[derive(Clone)]
pub struct RotateRefresh {
    /// The presented token's hash.
    pub presented: TokenHash,
    /// The successor's hash. The caller derives the successor from the presented token, so that a
    /// retry asks for the same one; who asks for another one is not the same holder, and that is
    /// reuse.
    pub successor: TokenHash,
    /// The successor that the caller derives with its other key, while keys change: the token may have been
    /// exchanged for that one, where the other key signs.
    pub other_successor: Option<TokenHash>,
    /// Now.
    pub at: Timestamp,
    /// The session's new end.
    pub expires_at: Timestamp,
    /// Other tokens of the session that were used before are forgotten, at most
    /// [`FORGOTTEN_PER_ROTATION`] and the oldest first. Who presents one of them later is refused as
    /// somebody unknown: that it was used twice is noticed only until then.
    pub forget_used_before: Timestamp,
}

/// What became of a presented refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// It was the newest, or the one before while the newest has never been used.
    Rotated {
        /// The session.
        session: SessionRecord,
        /// Whether the newest token now is [`RotateRefresh::other_successor`].
        by_other_key: bool,
    },
    /// It had been used before: the session, its whole family, is revoked now.
    Reused(SessionRecord),
    /// Nobody has it, or its session has ended or is revoked.
    Unknown,
}

/// Logins.
#[async_trait]
pub trait Sessions {
    /// Begins a session. Of more live ones than
    /// [`SESSIONS_PER_USER`](chat_types::limits::SESSIONS_PER_USER) those that were used longest ago
    /// are revoked.
    ///
    /// # Errors
    /// `NotFound(User)`, `Conflict(IdExists)`.
    async fn create_session(&self, session: NewSession) -> Result<Begun>;

    /// Looks a session up, revoked ones included.
    async fn session(&self, id: SessionId) -> Result<Option<SessionRecord>>;

    /// Those of these sessions that are live at `now`, in any order.
    async fn live_sessions(&self, ids: &[SessionId], now: Timestamp) -> Result<Vec<SessionId>>;

    /// Those of these sessions that are live at `now`, each with its user, in any order.
    async fn users_of(
        &self,
        sessions: &[SessionId],
        now: Timestamp,
    ) -> Result<Vec<(SessionId, UserRecord)>>;

    /// Exchanges a refresh token. Any number of calls with one token, at once or at any time while
    /// the session lives, get the same successor until that is used itself: the first answer may
    /// have been lost, or a second tab may have no storage in common with the first. From then on
    /// the token is reuse, which revokes the session.
    async fn rotate_refresh(&self, rotate: RotateRefresh) -> Result<Rotation>;

    /// A user's live sessions at `now`, newest use first.
    async fn sessions_of(&self, user: UserId, now: Timestamp) -> Result<Vec<SessionRecord>>;

    /// Revokes one session of a user; false when it is not theirs or not live.
    async fn revoke_session(&self, user: UserId, id: SessionId, at: Timestamp) -> Result<bool>;

    /// Revokes all sessions of a user but `keep`; returns those that were live.
    async fn revoke_sessions(
        &self,
        user: UserId,
        keep: Option<SessionId>,
        at: Timestamp,
    ) -> Result<Vec<SessionId>>;
}
