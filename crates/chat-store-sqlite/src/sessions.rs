//! Logins and their refresh tokens.

use async_trait::async_trait;
use chat_store::{
    Begun, FORGOTTEN_PER_ROTATION, NewSession, Result, RotateRefresh, Rotation, SessionRecord,
    Sessions, TokenHash, UserRecord,
};
use chat_types::id::{SessionId, UserId};
use chat_types::limits::SESSIONS_PER_USER;
use chat_types::time::Timestamp;
use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::error::{self, Failure};
use crate::users::UserRow;
use crate::value::{hash, ids_as_json, instant, instant_or_none, integer};
use crate::{SqliteStore, users};

const INSERT_SESSION: &str = "\
INSERT INTO sessions (id, user, device, created_at, last_used_at, expires_at)
VALUES (?1, ?2, ?3, ?4, ?4, ?5)";

const SESSION: &str = "\
SELECT id, user, device, created_at, last_used_at, expires_at, revoked_at
FROM sessions WHERE id = ?1";

const LIVE_SESSIONS: &str = "\
SELECT id, user, device, created_at, last_used_at, expires_at, revoked_at
FROM sessions
WHERE user = ?1 AND revoked_at IS NULL AND expires_at > ?2
ORDER BY last_used_at DESC, id DESC";

const LIVE_OF_THESE: &str = "\
SELECT id FROM sessions
WHERE id IN (SELECT unhex(value) FROM json_each(?1))
  AND revoked_at IS NULL AND expires_at > ?2";

const USERS_OF: &str = "\
SELECT s.id AS session, u.id, u.name, u.kind, u.username, u.created_at
FROM json_each(?1) asked
JOIN sessions s ON s.id = unhex(asked.value)
JOIN users u ON u.id = s.user
WHERE s.revoked_at IS NULL AND s.expires_at > ?2";

const REVOKE: &str = "\
UPDATE sessions SET revoked_at = ?3
WHERE user = ?1 AND id = ?2 AND revoked_at IS NULL AND expires_at > ?3
RETURNING id";

/// All live sessions but `?2`, which may be null.
const REVOKE_ALL: &str = "\
UPDATE sessions SET revoked_at = ?3
WHERE user = ?1 AND id IS NOT ?2 AND revoked_at IS NULL AND expires_at > ?3
RETURNING id";

/// Revokes the live sessions but the `?3` that were used last.
const REVOKE_OLDEST: &str = "\
UPDATE sessions SET revoked_at = ?2
WHERE id IN (SELECT id FROM sessions
             WHERE user = ?1 AND revoked_at IS NULL AND expires_at > ?2
             ORDER BY last_used_at DESC, id DESC
             LIMIT -1 OFFSET ?3)
RETURNING id";

const USE_SESSION: &str = "UPDATE sessions SET last_used_at = ?2, expires_at = ?3 WHERE id = ?1";

const INSERT_TOKEN: &str = "INSERT INTO refresh_tokens (hash, session) VALUES (?1, ?2)";

/// A token, with its successor's use if it has a successor.
const TOKEN: &str = "\
SELECT token.session, token.used_at, token.successor, next.used_at AS successor_used_at
FROM refresh_tokens token
LEFT JOIN refresh_tokens next ON next.hash = token.successor
WHERE token.hash = ?1";

const USE_TOKEN: &str = "UPDATE refresh_tokens SET used_at = ?2, successor = ?3 WHERE hash = ?1";

const FORGET_TOKENS: &str = "\
DELETE FROM refresh_tokens
WHERE hash IN (SELECT hash FROM refresh_tokens
               WHERE session = ?1 AND used_at < ?2 AND hash <> ?3
               ORDER BY used_at LIMIT ?4)";

#[derive(sqlx::FromRow)]
struct SessionRow {
    id: Uuid,
    user: Uuid,
    device: String,
    created_at: i64,
    last_used_at: i64,
    expires_at: i64,
    revoked_at: Option<i64>,
}

impl SessionRow {
    fn into_record(self) -> error::Result<SessionRecord> {
        Ok(SessionRecord {
            id: SessionId::from_uuid(self.id),
            user: UserId::from_uuid(self.user),
            device: self.device,
            created_at: instant(self.created_at)?,
            last_used_at: instant(self.last_used_at)?,
            expires_at: instant(self.expires_at)?,
            revoked_at: instant_or_none(self.revoked_at)?,
        })
    }
}

#[derive(sqlx::FromRow)]
struct UserOfRow {
    session: Uuid,
    #[sqlx(flatten)]
    user: UserRow,
}

#[derive(sqlx::FromRow)]
struct TokenRow {
    session: Uuid,
    used_at: Option<i64>,
    successor: Option<Vec<u8>>,
    successor_used_at: Option<i64>,
}

impl TokenRow {
    /// Whether this token was used for `asked`, which nobody has used: the answer to the first time
    /// was lost, or the asker is another tab of the same holder.
    fn was_used_for(&self, asked: &TokenHash) -> bool {
        self.successor.as_deref() == Some(asked.0.as_slice()) && self.successor_used_at.is_none()
    }
}

#[async_trait]
impl Sessions for SqliteStore {
    async fn create_session(&self, session: NewSession) -> Result<Begun> {
        self.write(move |connection| Box::pin(create_session(connection, session)))
            .await
    }

    async fn session(&self, id: SessionId) -> Result<Option<SessionRecord>> {
        let mut snapshot = self.read().await?;
        Ok(session(&mut snapshot, *id.as_uuid()).await?)
    }

    async fn live_sessions(&self, ids: &[SessionId], now: Timestamp) -> Result<Vec<SessionId>> {
        let mut snapshot = self.read().await?;
        let live: Vec<Uuid> = sqlx::query_scalar(LIVE_OF_THESE)
            .bind(ids_as_json(ids.iter().map(SessionId::as_uuid)))
            .bind(integer(now.0))
            .fetch_all(&mut *snapshot)
            .await
            .map_err(Failure::from)?;
        Ok(live.into_iter().map(SessionId::from_uuid).collect())
    }

    async fn users_of(
        &self,
        sessions: &[SessionId],
        now: Timestamp,
    ) -> Result<Vec<(SessionId, UserRecord)>> {
        let rows: Vec<UserOfRow> = sqlx::query_as(USERS_OF)
            .bind(ids_as_json(sessions.iter().map(SessionId::as_uuid)))
            .bind(integer(now.0))
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        let user = |row: UserOfRow| {
            let session = SessionId::from_uuid(row.session);
            Ok((session, row.user.into_record()?))
        };
        let users: error::Result<_> = rows.into_iter().map(user).collect();
        Ok(users?)
    }

    async fn rotate_refresh(&self, rotate: RotateRefresh) -> Result<Rotation> {
        self.write(move |connection| Box::pin(rotate_refresh(connection, rotate)))
            .await
    }

    async fn sessions_of(&self, user: UserId, now: Timestamp) -> Result<Vec<SessionRecord>> {
        let mut snapshot = self.read().await?;
        let rows: Vec<SessionRow> = sqlx::query_as(LIVE_SESSIONS)
            .bind(*user.as_uuid())
            .bind(integer(now.0))
            .fetch_all(&mut *snapshot)
            .await
            .map_err(Failure::from)?;
        let records: error::Result<_> = rows.into_iter().map(SessionRow::into_record).collect();
        Ok(records?)
    }

    async fn revoke_session(&self, user: UserId, id: SessionId, at: Timestamp) -> Result<bool> {
        self.write(move |connection| Box::pin(revoke(connection, user, *id.as_uuid(), at)))
            .await
    }

    async fn revoke_sessions(
        &self,
        user: UserId,
        keep: Option<SessionId>,
        at: Timestamp,
    ) -> Result<Vec<SessionId>> {
        self.write(move |connection| Box::pin(revoke_all(connection, user, keep, at)))
            .await
    }
}

async fn create_session(
    connection: &mut SqliteConnection,
    new: NewSession,
) -> error::Result<Begun> {
    users::require(connection, new.user).await?;
    let ended: Vec<Uuid> = sqlx::query_scalar(REVOKE_OLDEST)
        .bind(*new.user.as_uuid())
        .bind(integer(new.at.0))
        .bind(integer(SESSIONS_PER_USER as u64 - 1))
        .fetch_all(&mut *connection)
        .await?;
    sqlx::query(INSERT_SESSION)
        .bind(*new.id.as_uuid())
        .bind(*new.user.as_uuid())
        .bind(new.device)
        .bind(integer(new.at.0))
        .bind(integer(new.expires_at.0))
        .execute(&mut *connection)
        .await?;
    insert_token(connection, *new.id.as_uuid(), &new.refresh).await?;
    Ok(Begun {
        session: require(connection, *new.id.as_uuid()).await?,
        ended: ended.into_iter().map(SessionId::from_uuid).collect(),
    })
}

async fn rotate_refresh(
    connection: &mut SqliteConnection,
    rotate: RotateRefresh,
) -> error::Result<Rotation> {
    let token: Option<TokenRow> = sqlx::query_as(TOKEN)
        .bind(hash(&rotate.presented))
        .fetch_optional(&mut *connection)
        .await?;
    let Some(token) = token else {
        return Ok(Rotation::Unknown);
    };
    let record = require(connection, token.session).await?;
    if !record.is_live(rotate.at) {
        return Ok(Rotation::Unknown);
    }
    if token.used_at.is_none() {
        return advance(connection, token.session, &rotate).await;
    }
    let by_other_key = rotate
        .other_successor
        .is_some_and(|it| token.was_used_for(&it));
    if by_other_key || token.was_used_for(&rotate.successor) {
        let session = record;
        return Ok(Rotation::Rotated {
            session,
            by_other_key,
        });
    }
    revoke(connection, record.user, token.session, rotate.at).await?;
    Ok(Rotation::Reused(require(connection, token.session).await?))
}

async fn advance(
    connection: &mut SqliteConnection,
    session: Uuid,
    rotate: &RotateRefresh,
) -> error::Result<Rotation> {
    insert_token(connection, session, &rotate.successor).await?;
    sqlx::query(USE_TOKEN)
        .bind(hash(&rotate.presented))
        .bind(integer(rotate.at.0))
        .bind(hash(&rotate.successor))
        .execute(&mut *connection)
        .await?;
    sqlx::query(USE_SESSION)
        .bind(session)
        .bind(integer(rotate.at.0))
        .bind(integer(rotate.expires_at.0))
        .execute(&mut *connection)
        .await?;
    // The presented one stays: it is asked for again if this answer is lost.
    sqlx::query(FORGET_TOKENS)
        .bind(session)
        .bind(integer(rotate.forget_used_before.0))
        .bind(hash(&rotate.presented))
        .bind(FORGOTTEN_PER_ROTATION)
        .execute(&mut *connection)
        .await?;
    Ok(Rotation::Rotated {
        session: require(connection, session).await?,
        by_other_key: false,
    })
}

async fn insert_token(
    connection: &mut SqliteConnection,
    session: Uuid,
    token: &TokenHash,
) -> error::Result<()> {
    sqlx::query(INSERT_TOKEN)
        .bind(hash(token))
        .bind(session)
        .execute(connection)
        .await?;
    Ok(())
}

async fn revoke(
    connection: &mut SqliteConnection,
    user: UserId,
    session: Uuid,
    at: Timestamp,
) -> error::Result<bool> {
    let revoked: Option<Uuid> = sqlx::query_scalar(REVOKE)
        .bind(*user.as_uuid())
        .bind(session)
        .bind(integer(at.0))
        .fetch_optional(connection)
        .await?;
    Ok(revoked.is_some())
}

/// Revokes all live sessions of a user but `keep`.
pub(crate) async fn revoke_all(
    connection: &mut SqliteConnection,
    user: UserId,
    keep: Option<SessionId>,
    at: Timestamp,
) -> error::Result<Vec<SessionId>> {
    let revoked: Vec<Uuid> = sqlx::query_scalar(REVOKE_ALL)
        .bind(*user.as_uuid())
        .bind(keep.map(|keep| *keep.as_uuid()))
        .bind(integer(at.0))
        .fetch_all(connection)
        .await?;
    Ok(revoked.into_iter().map(SessionId::from_uuid).collect())
}

async fn session(
    connection: &mut SqliteConnection,
    id: Uuid,
) -> error::Result<Option<SessionRecord>> {
    let row: Option<SessionRow> = sqlx::query_as(SESSION)
        .bind(id)
        .fetch_optional(connection)
        .await?;
    row.map(SessionRow::into_record).transpose()
}

/// The session of a row that refers to it.
async fn require(connection: &mut SqliteConnection, id: Uuid) -> error::Result<SessionRecord> {
    let session = session(connection, id).await?;
    session.ok_or_else(|| Failure::damaged("refresh_tokens.session"))
}
