//! Appending many messages together: one statement finds what they need, one group of statements
//! writes them, whatever their number. Each statement costs a change of threads, which is more than
//! what it does for one message.
//!
//! Together go those that are plain: a message that is new, of a member, in a room that accepts it,
//! answering nothing or a message of the same room. What is left (first messages, repeats, refusals)
//! follows one by one, by the code that knows every case ([`append`](super::append)).

use std::collections::{HashMap, HashSet};

use chat_store::{Appended, NewMessage};
use chat_types::event::ReplyPreview;
use chat_types::id::{ClientId, RoomId, UserId};
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::append;
use crate::error::{self, Failure};
use crate::value::{self, integer, number, seq};
use crate::writer::{end_savepoint, execute};

/// Opens a savepoint and tells what is known of each plain one of the messages `?1`, as one text: a row
/// for each would be a change of threads for each.
const FIND: &str = "\
SAVEPOINT job;

SELECT json_group_array(json_array(
           item.key, room.head, room.last_number, me.read, author.name, author.kind,
           answered.number, substr(answered.body, 1, 120), answered_author.name))
FROM json_each(?1) item
CROSS JOIN rooms room ON room.id = unhex(item.value ->> 0)
CROSS JOIN memberships me
    ON me.room = room.id AND me.user = unhex(item.value ->> 1) AND me.left_at IS NULL
CROSS JOIN users author ON author.id = me.user
LEFT JOIN messages answered ON answered.id = unhex(item.value ->> 3) AND answered.room = room.id
LEFT JOIN users answered_author ON answered_author.id = answered.author
WHERE NOT room.archived AND (NOT room.read_only OR me.role >= 3)
  AND (item.value ->> 3 IS NULL OR answered.id IS NOT NULL)
  AND NOT EXISTS (SELECT 1 FROM messages m
                  WHERE m.room = room.id AND m.author = me.user
                    AND m.client_id = unhex(item.value ->> 2))";

/// Writes messages, the new places of their rooms, and how far their authors have read, and ends the
/// savepoint. Each statement takes one parameter.
const WRITE: &str = "\
INSERT INTO messages (id, room, number, seq, created_seq, author, client_id, body, sent_at, reply_to)
SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 3,
       unhex(value ->> 4), unhex(value ->> 5), value ->> 6, value ->> 7, unhex(value ->> 8)
FROM json_each(?);

UPDATE rooms
SET head = moved.value ->> 1, last_number = moved.value ->> 2, last_at = moved.value ->> 3,
    active_at = moved.value ->> 3
FROM json_each(?) moved
WHERE rooms.id = unhex(moved.value ->> 0);

UPDATE memberships SET read = own.value ->> 2
FROM json_each(?) own
WHERE memberships.room = unhex(own.value ->> 0) AND memberships.user = unhex(own.value ->> 1);

RELEASE job";

/// What a message needs: its room, its author, its client id and what it answers.
#[derive(Serialize)]
struct Item(
    #[serde(with = "uuid::serde::simple")] Uuid,
    #[serde(with = "uuid::serde::simple")] Uuid,
    #[serde(with = "uuid::serde::simple")] Uuid,
    Option<String>,
);

/// What is known of a plain message; the fields of [`FIND`] in their order.
#[derive(Deserialize)]
struct Found {
    place: usize,
    head: i64,
    last_number: i64,
    read: i64,
    author_name: String,
    author_kind: String,
    answered_number: Option<i64>,
    answered_excerpt: Option<String>,
    answered_author: Option<String>,
}

/// A row of `messages`, as [`WRITE`] takes it.
#[derive(Serialize)]
struct Row<'a>(
    #[serde(with = "uuid::serde::simple")] Uuid,
    #[serde(with = "uuid::serde::simple")] Uuid,
    i64,
    i64,
    #[serde(with = "uuid::serde::simple")] Uuid,
    #[serde(with = "uuid::serde::simple")] Uuid,
    &'a str,
    i64,
    Option<String>,
);

/// A room's new place: its id, head, last number and the instant of its last message.
#[derive(Serialize)]
struct Moved(#[serde(with = "uuid::serde::simple")] Uuid, i64, i64, i64);

/// How far a member has read by writing.
#[derive(Serialize)]
struct Read(
    #[serde(with = "uuid::serde::simple")] Uuid,
    #[serde(with = "uuid::serde::simple")] Uuid,
    i64,
);

/// Appends messages in the transaction that is open, and says what became of each. One that is refused
/// undoes itself and none of its neighbours.
pub(crate) async fn append_all(
    connection: &mut SqliteConnection,
    new: &[NewMessage],
) -> sqlx::Result<Vec<error::Result<Appended>>> {
    let mut results: Vec<_> = new.iter().map(|_| None).collect();
    match append_plain(connection, new).await {
        Ok(plain) => {
            for (at, result) in plain {
                results[at] = Some(result);
            }
        }
        // One by one it turns out whose fault it is.
        Err(error @ sqlx::Error::Database(_)) => {
            tracing::debug!(%error, "messages are appended one by one");
            end_savepoint(connection, false).await?;
        }
        Err(error) => return Err(error),
    }
    for (new, result) in new.iter().zip(&mut results) {
        if result.is_none() {
            execute(connection, "SAVEPOINT job").await?;
            let appended = append::append(connection, new.clone()).await;
            end_savepoint(connection, appended.is_ok()).await?;
            *result = Some(appended);
        }
    }
    Ok(results.into_iter().flatten().collect())
}

/// Appends what is plain of the messages, and says which ones were: the place in `new` of each, with
/// what became of it.
async fn append_plain(
    connection: &mut SqliteConnection,
    new: &[NewMessage],
) -> sqlx::Result<Vec<(usize, error::Result<Appended>)>> {
    let plain = plain_in_order(new, find(connection, new).await?);
    let mut group = Group::default();
    let placed: Vec<_> = plain
        .into_iter()
        .map(|(at, found)| (at, group.place(&new[at], &found), found))
        .collect();
    group.write(connection).await?;
    let appended = placed
        .into_iter()
        .map(|(at, place, found)| (at, found.appended(&new[at], place)));
    Ok(appended.collect())
}

async fn find(connection: &mut SqliteConnection, new: &[NewMessage]) -> sqlx::Result<Vec<Found>> {
    let item = |new: &NewMessage| {
        Item(
            *new.room.as_uuid(),
            *new.author.as_uuid(),
            *new.client_id.as_uuid(),
            reply_to(new),
        )
    };
    let items: Vec<Item> = new.iter().map(item).collect();
    let found: String = sqlx::query_scalar(FIND)
        .bind(json(&items))
        .fetch_one(connection)
        .await?;
    serde_json::from_str(&found).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// The plain messages by their places in `new`. Of an author's in one room, none overtakes one that is
/// not plain; and of two with one client id the second is a repeat.
fn plain_in_order(new: &[NewMessage], found: Vec<Found>) -> Vec<(usize, Found)> {
    let mut found: HashMap<usize, Found> = found.into_iter().map(|it| (it.place, it)).collect();
    let mut behind: HashSet<(RoomId, UserId)> = HashSet::new();
    let mut seen: HashSet<(RoomId, UserId, ClientId)> = HashSet::with_capacity(new.len());
    let mut plain = Vec::with_capacity(found.len());
    for (at, new) in new.iter().enumerate() {
        let is_first = seen.insert((new.room, new.author, new.client_id));
        let waits = behind.contains(&(new.room, new.author));
        match found.remove(&at) {
            Some(found) if is_first && !waits => plain.push((at, found)),
            _ => {
                behind.insert((new.room, new.author));
            }
        }
    }
    plain
}

/// The places that messages take, and all that has to be written for it.
#[derive(Default)]
struct Group<'a> {
    rows: Vec<Row<'a>>,
    rooms: HashMap<RoomId, Moved>,
    /// How far authors have read, and whether that is news.
    read: HashMap<(RoomId, UserId), (i64, bool)>,
}

impl<'a> Group<'a> {
    /// Takes the next place of the room: its `seq` and number.
    fn place(&mut self, new: &'a NewMessage, found: &Found) -> (i64, i64) {
        let (room, author) = (*new.room.as_uuid(), *new.author.as_uuid());
        let moved = self.rooms.entry(new.room);
        let moved = moved.or_insert(Moved(room, found.head, found.last_number, 0));
        moved.1 += 1;
        moved.2 += 1;
        moved.3 = integer(new.at.0);
        let (seq, number) = (moved.1, moved.2);
        self.rows.push(Row(
            *new.id.as_uuid(),
            room,
            number,
            seq,
            author,
            *new.client_id.as_uuid(),
            new.body.as_str(),
            integer(new.at.0),
            reply_to(new),
        ));
        // Who had read everything before the own message has read that one too; what others wrote in
        // between stays unread.
        let read = self.read.entry((new.room, new.author));
        let read = read.or_insert((found.read, false));
        if read.0 == number - 1 {
            *read = (number, true);
        }
        (seq, number)
    }

    async fn write(self, connection: &mut SqliteConnection) -> sqlx::Result<()> {
        if self.rows.is_empty() {
            return end_savepoint(connection, true).await;
        }
        let rooms: Vec<Moved> = self.rooms.into_values().collect();
        let own = |((room, user), (read, is_new)): ((RoomId, UserId), (i64, bool))| {
            is_new.then(|| Read(*room.as_uuid(), *user.as_uuid(), read))
        };
        let read: Vec<Read> = self.read.into_iter().filter_map(own).collect();
        sqlx::query(WRITE)
            .bind(json(&self.rows))
            .bind(json(&rooms))
            .bind(json(&read))
            .execute(connection)
            .await
            .map(drop)
    }
}

impl Found {
    /// The acknowledgement of `new` at its place, and the event as a load would show the message.
    fn appended(self, new: &NewMessage, place: (i64, i64)) -> error::Result<Appended> {
        let reply_to = match new.reply_to {
            None => None,
            Some(id) => {
                let damaged = || Failure::damaged("messages.reply_to");
                Some(ReplyPreview {
                    id,
                    number: number(self.answered_number.ok_or_else(damaged)?)?,
                    author: self.answered_author.ok_or_else(damaged)?,
                    excerpt: self.answered_excerpt.unwrap_or_default(),
                })
            }
        };
        let author = value::user(*new.author.as_uuid(), self.author_name, &self.author_kind)?;
        Ok(new.at_place(seq(place.0)?, number(place.1)?, author, reply_to))
    }
}

fn reply_to(new: &NewMessage) -> Option<String> {
    new.reply_to.map(|id| id.as_uuid().simple().to_string())
}

fn json(rows: &impl Serialize) -> String {
    serde_json::to_string(rows).expect("rows of texts and numbers become JSON")
}
