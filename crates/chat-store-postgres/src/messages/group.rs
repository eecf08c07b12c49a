//! Appending many messages in one statement: one round trip and one wait for the disk, whatever their
//! number.
//!
//! The statement takes what is plain: a message that is new, of a member, in a room that accepts it,
//! answering nothing or a message of the same room. It leaves out everything else (first messages,
//! repeats, refusals), and rooms that another node changed while it waited for them. What is left is
//! appended in one transaction that has locked the rooms, so that they stay as they are: by the same
//! statement what is plain, and the rest one by one, by the code that knows every case
//! ([`append`](super::append)).

use std::collections::HashSet;

use chat_store::{Appended, NewMessage};
use chat_types::event::ReplyPreview;
use chat_types::id::{ClientId, RoomId, UserId};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::append;
use crate::error::{self, Failure};
use crate::value::{self, integer, number, seq};
use crate::{rooms, users};

/// Appends what is plain of the messages `$1` (ids) to `$7`.
///
/// A statement sees the database as it was when it began, except for the rows that it locks, which it
/// sees as they are once it has the lock. A room that changed in between, which its head tells, is
/// left out: what else was read of it is old.
const APPEND_PLAIN: &str = "\
WITH item AS MATERIALIZED (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::uuid[],
                         $7::bigint[])
        WITH ORDINALITY AS item (id, room, author, client_id, body, reply_to, at, place)
),
locked AS MATERIALIZED (
    SELECT id, head, last_number FROM rooms
    WHERE id = ANY ($2) ORDER BY id FOR NO KEY UPDATE
),
plain AS MATERIALIZED (
    SELECT item.*, locked.last_number AS read_before,
           locked.head + row_number() OVER in_room AS seq,
           locked.last_number + row_number() OVER in_room AS number,
           count(*) OVER (PARTITION BY item.room) AS in_room,
           row_number() OVER in_room = row_number() OVER of_author AS only_own_before,
           author.name AS author_name, author.kind AS author_kind,
           answered.number AS answered_number, substr(answered.body, 1, 120) AS answered_excerpt,
           answered_author.name AS answered_author
    FROM item
    JOIN locked ON locked.id = item.room
    JOIN rooms seen ON seen.id = item.room AND seen.head = locked.head
    JOIN memberships me
        ON me.room = item.room AND me.user_id = item.author AND me.left_at IS NULL
    JOIN users author ON author.id = item.author
    LEFT JOIN messages answered ON answered.id = item.reply_to AND answered.room = item.room
    LEFT JOIN users answered_author ON answered_author.id = answered.author
    WHERE NOT seen.archived AND (NOT seen.read_only OR me.role >= 3)
      AND (item.reply_to IS NULL OR answered.id IS NOT NULL)
      AND NOT EXISTS (SELECT 1 FROM messages m
                      WHERE m.room = item.room AND m.author = item.author
                        AND m.client_id = item.client_id)
    WINDOW in_room AS (PARTITION BY item.room ORDER BY item.place),
           of_author AS (PARTITION BY item.room, item.author ORDER BY item.place)
),
moved AS (
    UPDATE rooms
    SET head = plain.seq, last_number = plain.number, last_at = plain.at, active_at = plain.at
    FROM plain
    WHERE rooms.id = plain.room AND plain.number = plain.read_before + plain.in_room
),
written AS (
    INSERT INTO messages (id, room, number, seq, created_seq, author, client_id, body, sent_at,
                          reply_to)
    SELECT id, room, number, seq, seq, author, client_id, body, at, reply_to
    FROM plain ORDER BY place
),
-- Who had read everything before the own message has read that one too; what others wrote in between
-- stays unread.
own AS (
    UPDATE memberships SET read = own.upto
    FROM (SELECT room, author, read_before, max(number) AS upto FROM plain
          WHERE only_own_before GROUP BY room, author, read_before) own
    WHERE memberships.room = own.room AND memberships.user_id = own.author
      AND memberships.read = own.read_before
)
SELECT place, seq, number, author_name, author_kind, answered_number, answered_excerpt,
       answered_author
FROM plain";

/// What the statement tells of a message that it appended.
#[derive(sqlx::FromRow)]
struct PlainRow {
    place: i64,
    seq: i64,
    number: i64,
    author_name: String,
    author_kind: String,
    answered_number: Option<i64>,
    answered_excerpt: Option<String>,
    answered_author: Option<String>,
}

impl PlainRow {
    /// The acknowledgement of `new`, and the event as a load would show the message.
    fn appended(self, new: &NewMessage) -> error::Result<Appended> {
        let reply_to = match (new.reply_to, self.answered_number, self.answered_author) {
            (Some(id), Some(answered), Some(author)) => Some(ReplyPreview {
                id,
                number: number(answered)?,
                author,
                excerpt: self.answered_excerpt.unwrap_or_default(),
            }),
            _ => None,
        };
        let author = value::user(*new.author.as_uuid(), self.author_name, &self.author_kind)?;
        Ok(new.at_place(seq(self.seq)?, number(self.number)?, author, reply_to))
    }
}

/// Appends what is plain of the messages, and says which ones were: the place in `new` of each, with
/// what became of it.
pub(crate) async fn append_plain(
    connection: &mut PgConnection,
    new: &[&NewMessage],
) -> sqlx::Result<Vec<(usize, error::Result<Appended>)>> {
    let candidates = first_of_each(new);
    let each = |pick: fn(&NewMessage) -> Uuid| -> Vec<Uuid> {
        candidates.iter().map(|at| pick(new[*at])).collect()
    };
    let bodies: Vec<&str> = candidates.iter().map(|at| new[*at].body.as_str()).collect();
    let answered: Vec<Option<Uuid>> = candidates
        .iter()
        .map(|at| new[*at].reply_to.map(|id| *id.as_uuid()))
        .collect();
    let instants: Vec<i64> = candidates.iter().map(|at| integer(new[*at].at.0)).collect();
    let rows: Vec<PlainRow> = sqlx::query_as(APPEND_PLAIN)
        .bind(each(|new| *new.id.as_uuid()))
        .bind(each(|new| *new.room.as_uuid()))
        .bind(each(|new| *new.author.as_uuid()))
        .bind(each(|new| *new.client_id.as_uuid()))
        .bind(bodies)
        .bind(answered)
        .bind(instants)
        .fetch_all(connection)
        .await?;
    let appended = rows.into_iter().filter_map(|row| {
        // Places count from one.
        let place = usize::try_from(row.place).ok()?.checked_sub(1)?;
        let at = *candidates.get(place)?;
        Some((at, row.appended(new[at])))
    });
    Ok(appended.collect())
}

/// The places of the messages of which none repeats another one: a repeat in the same statement would
/// not see the first.
fn first_of_each(new: &[&NewMessage]) -> Vec<usize> {
    let mut seen: HashSet<(RoomId, UserId, ClientId)> = HashSet::with_capacity(new.len());
    let is_first = |at: &usize| {
        let new = new[*at];
        seen.insert((new.room, new.author, new.client_id))
    };
    (0..new.len()).filter(is_first).collect()
}

/// Appends messages in one transaction that has locked their rooms, and returns what became of each.
/// When `together`, what is plain of them is one statement. `Undone` when nothing was written; it is
/// then to be tried one by one, where it turns out whose fault it is.
pub(crate) async fn append_locked(
    connection: &mut PgConnection,
    new: &[&NewMessage],
    together: bool,
) -> error::Result<Vec<error::Result<Appended>>> {
    let mut transaction = connection.begin().await?;
    let all_rooms: Vec<RoomId> = new.iter().map(|new| new.room).collect();
    rooms::lock(&mut transaction, &all_rooms).await?;
    let mut results: Vec<_> = new.iter().map(|_| None).collect();
    if together {
        let plain = append_plain(&mut transaction, new).await;
        for (at, result) in plain.map_err(refused_together)? {
            results[at] = Some(result);
        }
    }
    append_each(&mut transaction, new, &mut results).await?;
    transaction.commit().await?;
    Ok(results.into_iter().flatten().collect())
}

fn refused_together(error: sqlx::Error) -> Failure {
    match error {
        sqlx::Error::Database(refusal) => Failure::Undone(refusal.to_string()),
        other => other.into(),
    }
}

/// Appends one by one the messages that have no result yet. One that is refused undoes itself and none
/// of its neighbours.
async fn append_each(
    connection: &mut PgConnection,
    new: &[&NewMessage],
    results: &mut [Option<error::Result<Appended>>],
) -> error::Result<()> {
    let left: Vec<usize> = (0..new.len()).filter(|at| results[*at].is_none()).collect();
    if left.is_empty() {
        return Ok(());
    }
    let authors: Vec<UserId> = left.iter().map(|at| new[*at].author).collect();
    users::lock(connection, &authors).await?;
    for at in left {
        let mut savepoint = connection.begin().await?;
        let result = append::append(&mut savepoint, new[at].clone()).await;
        match result {
            Ok(_) => savepoint.commit().await?,
            Err(undone @ Failure::Undone(_)) => return Err(undone),
            Err(_) => savepoint.rollback().await?,
        }
        results[at] = Some(result);
    }
    Ok(())
}
