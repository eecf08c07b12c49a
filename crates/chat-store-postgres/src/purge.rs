//! The purge: one transaction keeps the pages that are open, the next takes a bounded part away.
//!
//! Several nodes may purge at once. What one is about to change or take away it locks first, passing
//! over what somebody else has locked, so it waits for nobody, whatever it holds already; and what is
//! decided is decided under that lock: nobody can refer any more to a row that is about to go.

use async_trait::async_trait;
use chat_store::{Purge, Purged, Purging, Result};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::value::{self, integer};
use crate::{PostgresStore, error};

const LOCK_ENDED_SESSIONS: &str = "\
SELECT id, user_id FROM sessions
WHERE coalesce(revoked_at, expires_at) < $1
ORDER BY coalesce(revoked_at, expires_at)
LIMIT $2
FOR UPDATE SKIP LOCKED";

const TOKENS_OF_SESSION: &str = "\
DELETE FROM refresh_tokens
WHERE hash IN (SELECT hash FROM refresh_tokens WHERE session = $1 LIMIT $2)";

const SESSION: &str = "DELETE FROM sessions WHERE id = $1";

const LOCK_GUESTS: &str = "\
SELECT id FROM users WHERE id = ANY ($1) AND kind = 'guest' ORDER BY id FOR UPDATE SKIP LOCKED";

/// Guests of whom nothing is left: whoever wrote in a room has a membership there, ended or not.
const GUESTS: &str = "\
DELETE FROM users
WHERE id = ANY ($1)
  AND NOT EXISTS (SELECT 1 FROM sessions WHERE user_id = users.id)
  AND NOT EXISTS (SELECT 1 FROM memberships WHERE user_id = users.id)
  AND NOT EXISTS (SELECT 1 FROM reactions WHERE user_id = users.id)
  AND NOT EXISTS (SELECT 1 FROM invites WHERE created_by = users.id)";

const INVITES: &str = "\
DELETE FROM invites
WHERE code IN (SELECT code FROM invites WHERE expires_at < $1 ORDER BY expires_at LIMIT $2
               FOR UPDATE SKIP LOCKED)";

/// Somebody has these open: they count as opened now. One that is locked begins its feed, is kept by
/// another node, or is kept by the next purge.
const KEEP_OPEN_PAGES: &str = "\
WITH locked AS MATERIALIZED (
    SELECT id FROM rooms
    WHERE id = ANY ($1) AND kind = 'page' AND head = 0 AND active_at < $3
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE rooms SET active_at = $2 FROM locked WHERE rooms.id = locked.id";

/// Nothing ever happened in a room whose feed has not begun: no message, no member. The open ones are
/// named again, for one may have been passed over.
const LOCK_EMPTY_PAGES: &str = "\
SELECT id FROM rooms
WHERE kind = 'page' AND head = 0 AND active_at < $1 AND id <> ALL ($3)
ORDER BY active_at LIMIT $2
FOR UPDATE SKIP LOCKED";

const EMPTY_PAGES: &str = "\
DELETE FROM rooms
WHERE id = ANY ($1) AND head = 0
  AND NOT EXISTS (SELECT 1 FROM invites WHERE room = rooms.id)";

#[async_trait]
impl Purging for PostgresStore {
    async fn purge(&self, purge: Purge) -> Result<Purged> {
        if !purge.open_rooms.is_empty() {
            self.calls
                .write(purge.clone(), |connection, purge| {
                    Box::pin(keep_open_pages(connection, purge))
                })
                .await?;
        }
        self.calls
            .write(purge, |connection, purge| Box::pin(run(connection, purge)))
            .await
    }
}

async fn run(connection: &mut PgConnection, purge: Purge) -> error::Result<Purged> {
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
async fn sessions(connection: &mut PgConnection, purge: &Purge) -> error::Result<Purged> {
    let limit = u64::from(purge.limit);
    let ended: Vec<(Uuid, Uuid)> = sqlx::query_as(LOCK_ENDED_SESSIONS)
        .bind(integer(purge.sessions_ended_before.0))
        .bind(integer(limit))
        .fetch_all(&mut *connection)
        .await?;
    let mut purged = Purged {
        more: ended.len() as u64 == limit,
        ..Purged::default()
    };
    let mut left_by = Vec::new();
    for (session, user) in ended {
        let left = limit - purged.tokens;
        let tokens = tokens(connection, session, left).await?;
        purged.tokens += tokens;
        if tokens == left {
            // It may have more of them: the next part takes them and the session.
            purged.more = true;
            break;
        }
        let done = sqlx::query(SESSION)
            .bind(session)
            .execute(&mut *connection)
            .await?;
        purged.sessions += done.rows_affected();
        left_by.push(user);
    }
    purged.guests = guests(connection, &left_by).await?;
    Ok(purged)
}

async fn tokens(connection: &mut PgConnection, session: Uuid, limit: u64) -> error::Result<u64> {
    let done = sqlx::query(TOKENS_OF_SESSION)
        .bind(session)
        .bind(integer(limit))
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

async fn guests(connection: &mut PgConnection, users: &[Uuid]) -> error::Result<u64> {
    let locked: Vec<Uuid> = sqlx::query_scalar(LOCK_GUESTS)
        .bind(users)
        .fetch_all(&mut *connection)
        .await?;
    let done = sqlx::query(GUESTS).bind(locked).execute(connection).await?;
    Ok(done.rows_affected())
}

async fn invites(connection: &mut PgConnection, purge: &Purge) -> error::Result<u64> {
    let done = sqlx::query(INVITES)
        .bind(integer(purge.invites_ended_before.0))
        .bind(i64::from(purge.limit))
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

async fn keep_open_pages(connection: &mut PgConnection, purge: Purge) -> error::Result<()> {
    let half_of_its_time = purge.pages_opened_before.0.midpoint(purge.now.0);
    sqlx::query(KEEP_OPEN_PAGES)
        .bind(value::room_ids(&purge.open_rooms))
        .bind(integer(purge.now.0))
        .bind(integer(half_of_its_time))
        .execute(connection)
        .await?;
    Ok(())
}

async fn empty_pages(connection: &mut PgConnection, purge: &Purge) -> error::Result<u64> {
    let locked: Vec<Uuid> = sqlx::query_scalar(LOCK_EMPTY_PAGES)
        .bind(integer(purge.pages_opened_before.0))
        .bind(i64::from(purge.limit))
        .bind(value::room_ids(&purge.open_rooms))
        .fetch_all(&mut *connection)
        .await?;
    let done = sqlx::query(EMPTY_PAGES)
        .bind(locked)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}
