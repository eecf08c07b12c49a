//! Changes of a message: edit, delete, react, pin. Each takes the room's next `seq` if it changes
//! anything.

use chat_store::{Conflict, DeleteMessage, EditMessage, Missing, SetPin, SetReaction, StoreError};
use chat_types::event::{Change, Event};
use chat_types::id::{MessageId, RoomId, Seq};
use chat_types::limits::REACTIONS_PER_MESSAGE;
use sqlx::PgConnection;

use super::place::Place;
use crate::error::{self, Failure};
use crate::rooms::next_seq;
use crate::value::integer;

const STATE: &str = "SELECT body, pinned FROM messages WHERE room = $1 AND id = $2";

const EDIT: &str = "UPDATE messages SET body = $2, edited_at = $3, seq = $4 WHERE id = $1";

const DELETE: &str = "\
UPDATE messages SET body = NULL, pinned = FALSE, deleted_at = $2, by_moderator = $3, seq = $4
WHERE id = $1";

const DELETE_REACTIONS: &str = "DELETE FROM reactions WHERE message = $1";

const PIN: &str = "UPDATE messages SET pinned = $2, seq = $3 WHERE id = $1";

const TOUCH: &str = "UPDATE messages SET seq = $2 WHERE id = $1";

const REACTION_EXISTS: &str =
    "SELECT EXISTS (SELECT 1 FROM reactions WHERE message = $1 AND emoji = $2 AND user_id = $3)";

/// How many use the emoji, and how many other emoji there are.
const REACTION_COUNTS: &str = "\
SELECT count(*) FILTER (WHERE emoji = $2), count(DISTINCT emoji) FILTER (WHERE emoji <> $2)
FROM reactions WHERE message = $1";

/// A further user of an emoji shares the place of the first.
const INSERT_REACTION: &str = "\
INSERT INTO reactions (message, emoji, user_id, at, position)
VALUES ($1, $2, $3, $4,
        coalesce((SELECT position FROM reactions WHERE message = $1 AND emoji = $2 LIMIT 1), $5))";

const DELETE_REACTION: &str =
    "DELETE FROM reactions WHERE message = $1 AND emoji = $2 AND user_id = $3";

#[derive(sqlx::FromRow)]
struct State {
    /// Absent in a tombstone.
    body: Option<String>,
    pinned: bool,
}

pub(super) async fn edit(
    connection: &mut PgConnection,
    edit: EditMessage,
) -> error::Result<Option<Event>> {
    let place = Place::lock(connection, edit.room, edit.by).await?;
    place.accepts_writing()?;
    let (before, _) = living(connection, edit.room, edit.id).await?;
    if before == edit.body.as_str() {
        return Ok(None);
    }
    let seq = next_seq(connection, edit.room).await?;
    sqlx::query(EDIT)
        .bind(*edit.id.as_uuid())
        .bind(edit.body.as_str())
        .bind(integer(edit.at.0))
        .bind(integer(seq.0))
        .execute(connection)
        .await?;
    Ok(Some(Event {
        room: edit.room,
        seq,
        at: edit.at,
        change: Change::Edited {
            message_id: edit.id,
            body: edit.body.into(),
            edited_at: edit.at,
        },
    }))
}

pub(super) async fn delete(
    connection: &mut PgConnection,
    delete: DeleteMessage,
) -> error::Result<Option<Event>> {
    let place = Place::lock(connection, delete.room, delete.by).await?;
    place.admits()?;
    if state(connection, delete.room, delete.id)
        .await?
        .body
        .is_none()
    {
        return Ok(None);
    }
    let seq = next_seq(connection, delete.room).await?;
    sqlx::query(DELETE)
        .bind(*delete.id.as_uuid())
        .bind(integer(delete.at.0))
        .bind(delete.by_moderator)
        .bind(integer(seq.0))
        .execute(&mut *connection)
        .await?;
    sqlx::query(DELETE_REACTIONS)
        .bind(*delete.id.as_uuid())
        .execute(connection)
        .await?;
    Ok(Some(Event {
        room: delete.room,
        seq,
        at: delete.at,
        change: Change::Deleted {
            message_id: delete.id,
            at: delete.at,
            by_moderator: delete.by_moderator,
        },
    }))
}

pub(super) async fn set_pin(
    connection: &mut PgConnection,
    pin: SetPin,
) -> error::Result<Option<Event>> {
    let place = Place::lock(connection, pin.room, pin.by).await?;
    place.admits()?;
    let (_, pinned) = living(connection, pin.room, pin.id).await?;
    if pinned == pin.on {
        return Ok(None);
    }
    let seq = next_seq(connection, pin.room).await?;
    sqlx::query(PIN)
        .bind(*pin.id.as_uuid())
        .bind(pin.on)
        .bind(integer(seq.0))
        .execute(connection)
        .await?;
    Ok(Some(Event {
        room: pin.room,
        seq,
        at: pin.at,
        change: Change::Pinned {
            message_id: pin.id,
            on: pin.on,
        },
    }))
}

pub(super) async fn set_reaction(
    connection: &mut PgConnection,
    reaction: SetReaction,
) -> error::Result<Option<Event>> {
    let place = Place::lock(connection, reaction.room, reaction.user).await?;
    place.accepts_writing()?;
    living(connection, reaction.room, reaction.id).await?;
    if reaction_exists(connection, &reaction).await? == reaction.on {
        return Ok(None);
    }
    let (users, others) = reaction_counts(connection, &reaction).await?;
    if reaction.on && users == 0 && others >= REACTIONS_PER_MESSAGE {
        return Err(StoreError::LimitReached("different emoji under one message").into());
    }
    let seq = next_seq(connection, reaction.room).await?;
    if reaction.on {
        insert_reaction(connection, &reaction, seq).await?;
    } else {
        delete_reaction(connection, &reaction).await?;
    }
    touch(connection, reaction.id, seq).await?;
    Ok(Some(Event {
        room: reaction.room,
        seq,
        at: reaction.at,
        change: Change::Reacted {
            message_id: reaction.id,
            user_id: reaction.user,
            emoji: reaction.emoji.into(),
            on: reaction.on,
            count: if reaction.on { users + 1 } else { users - 1 },
        },
    }))
}

async fn state(connection: &mut PgConnection, room: RoomId, id: MessageId) -> error::Result<State> {
    let state: Option<State> = sqlx::query_as(STATE)
        .bind(*room.as_uuid())
        .bind(*id.as_uuid())
        .fetch_optional(connection)
        .await?;
    state.ok_or_else(|| Missing::Message.into())
}

/// The text and the pin of a message that is not deleted.
async fn living(
    connection: &mut PgConnection,
    room: RoomId,
    id: MessageId,
) -> error::Result<(String, bool)> {
    let state = state(connection, room, id).await?;
    let body = state.body.ok_or(Conflict::MessageDeleted)?;
    Ok((body, state.pinned))
}

async fn touch(connection: &mut PgConnection, id: MessageId, seq: Seq) -> error::Result<()> {
    sqlx::query(TOUCH)
        .bind(*id.as_uuid())
        .bind(integer(seq.0))
        .execute(connection)
        .await?;
    Ok(())
}

async fn reaction_exists(
    connection: &mut PgConnection,
    reaction: &SetReaction,
) -> error::Result<bool> {
    let exists = sqlx::query_scalar(REACTION_EXISTS)
        .bind(*reaction.id.as_uuid())
        .bind(reaction.emoji.as_str())
        .bind(*reaction.user.as_uuid())
        .fetch_one(connection)
        .await?;
    Ok(exists)
}

async fn reaction_counts(
    connection: &mut PgConnection,
    reaction: &SetReaction,
) -> error::Result<(u32, usize)> {
    let (users, others): (i64, i64) = sqlx::query_as(REACTION_COUNTS)
        .bind(*reaction.id.as_uuid())
        .bind(reaction.emoji.as_str())
        .fetch_one(connection)
        .await?;
    match (u32::try_from(users), usize::try_from(others)) {
        (Ok(users), Ok(others)) => Ok((users, others)),
        _ => Err(Failure::damaged("reactions")),
    }
}

async fn insert_reaction(
    connection: &mut PgConnection,
    reaction: &SetReaction,
    seq: Seq,
) -> error::Result<()> {
    sqlx::query(INSERT_REACTION)
        .bind(*reaction.id.as_uuid())
        .bind(reaction.emoji.as_str())
        .bind(*reaction.user.as_uuid())
        .bind(integer(reaction.at.0))
        .bind(integer(seq.0))
        .execute(connection)
        .await?;
    Ok(())
}

async fn delete_reaction(
    connection: &mut PgConnection,
    reaction: &SetReaction,
) -> error::Result<()> {
    sqlx::query(DELETE_REACTION)
        .bind(*reaction.id.as_uuid())
        .bind(reaction.emoji.as_str())
        .bind(*reaction.user.as_uuid())
        .execute(connection)
        .await?;
    Ok(())
}
