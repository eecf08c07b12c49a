//! The purge: one job of the writer takes a bounded part away.

use async_trait::async_trait;
use chat_store::{Purge, Purged, Purging, Result};
use chat_types::id::RoomId;
use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::value::{ids_as_json, integer};
use crate::{SqliteStore, error};

const ENDED_SESSIONS: &str = "\
SELECT id, user FROM sessions
WHERE coalesce(revoked_at, expires_at) < ?1
ORDER BY coalesce(revoked_at, expires_at)
LIMIT ?2";

const TOKENS_OF_SESSION: &str = "\
DELETE FROM refresh_tokens
WHERE hash IN (SELECT hash FROM refresh_tokens WHERE session = ?1 LIMIT ?2)";

const SESSION: &str = "DELETE FROM sessions WHERE id = ?1";

/// A guest of whom nothing is left: whoever wrote in a room has a membership there, ended or not.
const GUEST: &str = "\
DELETE FROM users
WHERE id = ?1 AND kind = 'guest'
  AND NOT EXISTS (SELECT 1 FROM sessions WHERE user = ?1)
  AND NOT EXISTS (SELECT 1 FROM memberships WHERE user = ?1)
  AND NOT EXISTS (SELECT 1 FROM messages WHERE author = ?1)
  AND NOT EXISTS (SELECT 1 FROM reactions WHERE user = ?1)
  AND NOT EXISTS (SELECT 1 FROM invites WHERE created_by = ?1)";

const INVITES: &str = "\
DELETE FROM invites
WHERE code IN (SELECT code FROM invites WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)";

/// Somebody has these open: they count as opened now.
const OPEN_PAGES: &str = "\
UPDATE rooms SET active_at = ?2
WHERE id IN (SELECT unhex(value) FROM json_each(?3))
  AND kind = 'page' AND head = 0 AND active_at < ?1";

/// Nothing ever happened in a room whose feed has not begun: no message, no member.
const EMPTY_PAGES: &str = "\
DELETE FROM rooms
WHERE id IN (SELECT id FROM rooms
             WHERE kind = 'page' AND head = 0 AND active_at < ?1
             ORDER BY active_at LIMIT ?2)";

#[async_trait]
impl Purging for SqliteStore {
    async fn purge(&self, purge: Purge) -> Result<Purged> {
        self.write(move |connection| Box::pin(run(connection, purge)))
            .await
    }
}

async fn run(connection: &mut SqliteConnection, purge: Purge) -> error::Result<Purged> {
    let limit = u64::from(purge.limit);
    let mut purged = sessions(connection, &purge).await?;
    let invites = invites(connection, &purge).await?;
    let pages = empty_pages(connection, &purge).await?;
    purged.more |= [invites, pages].contains(&limit);
    purged.invites = invites;
    purged.pages = pages;
    Ok(purged)
}

/// Takes sessions away, each after its tokens, and guests after their last session.
async fn sessions(connection: &mut SqliteConnection, purge: &Purge) -> error::Result<Purged> {
    let limit = u64::from(purge.limit);
    let ended: Vec<(Uuid, Uuid)> = sqlx::query_as(ENDED_SESSIONS)
        .bind(integer(purge.sessions_ended_before.0))
        .bind(integer(limit))
        .fetch_all(&mut *connection)
        .await?;
    let mut purged = Purged {
        more: ended.len() as u64 == limit,
        ..Purged::default()
    };
    for (session, user) in ended {
        let left = limit - purged.tokens;
        let tokens = delete(connection, TOKENS_OF_SESSION, session, Some(left)).await?;
        purged.tokens += tokens;
        if tokens == left {
            // It may have more of them: the next part takes them and the session.
            purged.more = true;
            break;
        }
        purged.sessions += delete(connection, SESSION, session, None).await?;
        purged.guests += delete(connection, GUEST, user, None).await?;
    }
    Ok(purged)
}

async fn delete(
    connection: &mut SqliteConnection,
    statement: &'static str,
    id: Uuid,
    limit: Option<u64>,
) -> error::Result<u64> {
    let mut query = sqlx::query(statement).bind(id);
    if let Some(limit) = limit {
        query = query.bind(integer(limit));
    }
    Ok(query.execute(connection).await?.rows_affected())
}

async fn invites(connection: &mut SqliteConnection, purge: &Purge) -> error::Result<u64> {
    let done = sqlx::query(INVITES)
        .bind(integer(purge.invites_ended_before.0))
        .bind(i64::from(purge.limit))
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

async fn empty_pages(connection: &mut SqliteConnection, purge: &Purge) -> error::Result<u64> {
    let half_of_its_time = purge.pages_opened_before.0.midpoint(purge.now.0);
    sqlx::query(OPEN_PAGES)
        .bind(integer(half_of_its_time))
        .bind(integer(purge.now.0))
        .bind(ids_as_json(purge.open_rooms.iter().map(RoomId::as_uuid)))
        .execute(&mut *connection)
        .await?;
    let done = sqlx::query(EMPTY_PAGES)
        .bind(integer(purge.pages_opened_before.0))
        .bind(i64::from(purge.limit))
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}
