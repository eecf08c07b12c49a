//! Appending: look up, then write, so that a repeat takes no place in the feed.

use chat_store::{Appended, Conflict, Missing, NewMessage};
use chat_types::event::{Change, Event};
use chat_types::id::{ClientId, MessageId, RoomId, UserId};
use chat_types::room::Sent;
use sqlx::PgConnection;
use uuid::Uuid;

use super::message;
use super::place::Place;
use crate::error;
use crate::memberships;
use crate::value::{instant, integer, number, seq};

/// What else a new message refers to.
const MISSING: &str = "\
SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM users WHERE id = $2) THEN 'user'
            WHEN $3::uuid IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM messages WHERE id = $3 AND room = $1) THEN 'message'
       END";

/// The message that the same author's client id made before.
const FIRST: &str = "\
SELECT id, created_seq, number, sent_at, reply_to, body, edited_at
FROM messages WHERE room = $1 AND author = $2 AND client_id = $3";

/// Takes the room's next place in the feed and its next number.
const NEXT_MESSAGE: &str = "\
UPDATE rooms
SET head = head + 1, last_number = last_number + 1, last_at = $2, active_at = $2
WHERE id = $1
RETURNING head, last_number";

const INSERT_MESSAGE: &str = "\
INSERT INTO messages (id, room, number, seq, created_seq, author, client_id, body, sent_at, reply_to)
VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $8, $9)";

/// Who had read everything before the own message has read that one too; what others wrote in
/// between stays unread.
const READ_OWN: &str = "\
UPDATE memberships SET read = $3 WHERE room = $1 AND user_id = $2 AND read = $3 - 1";

#[derive(sqlx::FromRow)]
struct FirstRow {
    id: Uuid,
    created_seq: i64,
    number: i64,
    sent_at: i64,
    reply_to: Option<Uuid>,
    body: Option<String>,
    edited_at: Option<i64>,
}

impl FirstRow {
    /// Whether this can be what `new` is a repeat of. After an edit or a deletion the first text is
    /// gone, on purpose, and cannot be compared.
    fn may_be(&self, new: &NewMessage) -> bool {
        let same_text = self.edited_at.is_some()
            || self
                .body
                .as_deref()
                .is_none_or(|body| body == new.body.as_str());
        same_text && self.reply_to == new.reply_to.map(|id| *id.as_uuid())
    }

    fn acknowledgement(&self) -> error::Result<Sent> {
        Ok(Sent {
            id: MessageId::from_uuid(self.id),
            seq: seq(self.created_seq)?,
            number: number(self.number)?,
            at: instant(self.sent_at)?,
            duplicate: true,
        })
    }
}

pub(super) async fn append(
    connection: &mut PgConnection,
    new: NewMessage,
) -> error::Result<Appended> {
    if let Some(sent) = appended(connection, &new).await? {
        return Ok(Appended {
            sent,
            events: Vec::new(),
        });
    }
    let place = Place::find(connection, new.room, new.author).await?;
    require_references(connection, &new).await?;
    place.accepts_writing()?;
    let mut events = Vec::with_capacity(2);
    if !place.is_member() {
        let joined = memberships::admit(connection, new.room, new.author, new.joins_as, new.at);
        events.push(joined.await?);
    }
    let (sent, event) = insert(connection, new).await?;
    events.push(event);
    Ok(Appended { sent, events })
}

/// The first acknowledgement, if `new` is a repeat.
pub(super) async fn appended(
    connection: &mut PgConnection,
    new: &NewMessage,
) -> error::Result<Option<Sent>> {
    let Some(first) = first(connection, new.room, new.author, new.client_id).await? else {
        return Ok(None);
    };
    if !first.may_be(new) {
        return Err(Conflict::ClientIdReused.into());
    }
    first.acknowledgement().map(Some)
}

async fn first(
    connection: &mut PgConnection,
    room: RoomId,
    author: UserId,
    client_id: ClientId,
) -> error::Result<Option<FirstRow>> {
    let row = sqlx::query_as(FIRST)
        .bind(*room.as_uuid())
        .bind(*author.as_uuid())
        .bind(*client_id.as_uuid())
        .fetch_optional(connection)
        .await?;
    Ok(row)
}

/// The author exists, and the answered message in the same room.
async fn require_references(connection: &mut PgConnection, new: &NewMessage) -> error::Result<()> {
    let missing: Option<String> = sqlx::query_scalar(MISSING)
        .bind(*new.room.as_uuid())
        .bind(*new.author.as_uuid())
        .bind(new.reply_to.map(|id| *id.as_uuid()))
        .fetch_one(connection)
        .await?;
    match missing.as_deref() {
        None => Ok(()),
        Some("user") => Err(Missing::User.into()),
        Some(_) => Err(Missing::Message.into()),
    }
}

async fn insert(connection: &mut PgConnection, new: NewMessage) -> error::Result<(Sent, Event)> {
    let (head, last_number): (i64, i64) = sqlx::query_as(NEXT_MESSAGE)
        .bind(*new.room.as_uuid())
        .bind(integer(new.at.0))
        .fetch_one(&mut *connection)
        .await?;
    sqlx::query(INSERT_MESSAGE)
        .bind(*new.id.as_uuid())
        .bind(*new.room.as_uuid())
        .bind(last_number)
        .bind(head)
        .bind(*new.author.as_uuid())
        .bind(*new.client_id.as_uuid())
        .bind(String::from(new.body))
        .bind(integer(new.at.0))
        .bind(new.reply_to.map(|id| *id.as_uuid()))
        .execute(&mut *connection)
        .await?;
    sqlx::query(READ_OWN)
        .bind(*new.room.as_uuid())
        .bind(*new.author.as_uuid())
        .bind(last_number)
        .execute(&mut *connection)
        .await?;
    let sent = Sent {
        id: new.id,
        seq: seq(head)?,
        number: number(last_number)?,
        at: new.at,
        duplicate: false,
    };
    // Read back, so that what is published is what a load would show.
    let stored = message(connection, new.room, new.id, None).await?;
    let event = Event {
        room: new.room,
        seq: sent.seq,
        at: new.at,
        change: Change::Message {
            message: Box::new(stored.ok_or(Missing::Message)?),
        },
    };
    Ok((sent, event))
}
