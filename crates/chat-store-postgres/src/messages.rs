//! Messages: append exactly once, change, page through.

pub(crate) mod append;
mod change;
pub(crate) mod group;
mod place;

use async_trait::async_trait;
use chat_store::{
    Appending, DeleteMessage, EditMessage, HistoryFrom, Messages, NewMessage, Result, SetPin,
    SetReaction,
};
use chat_types::event::{Change, Content, Event, Message, Reaction, ReplyPreview, SeqChange};
use chat_types::id::{ClientId, MessageId, Number, RoomId, Seq, UserId};
use chat_types::room::{History, Sent};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{self, Failure};
use crate::value::{self, instant, instant_or_none, integer, number};
use crate::{PostgresStore, rooms};

/// A message `m` as the viewer `$1`, who may be null, sees it; ends before `WHERE`.
macro_rules! select_message {
    ($rest:literal) => {
        concat!(
            "\
SELECT m.id, m.number, m.seq, m.client_id, m.body, m.sent_at, m.edited_at, m.deleted_at,
       m.by_moderator, m.pinned,
       author.id AS author_id, author.name AS author_name, author.kind AS author_kind,
       answered.id AS answered_id, answered.number AS answered_number,
       substr(answered.body, 1, 120) AS answered_excerpt,
       answered_author.name AS answered_author,
       (SELECT json_agg(json_build_object('emoji', emoji, 'count', count, 'mine', mine)
                        ORDER BY position)::text
        FROM (SELECT emoji, count(*) AS count, coalesce(bool_or(user_id = $1), FALSE) AS mine,
                     min(position) AS position
              FROM reactions WHERE message = m.id GROUP BY emoji) counted) AS reactions
FROM messages m
JOIN users author ON author.id = m.author
LEFT JOIN messages answered ON answered.id = m.reply_to
LEFT JOIN users answered_author ON answered_author.id = answered.author
",
            $rest
        )
    };
}

const MESSAGE: &str = select_message!("WHERE m.room = $2 AND m.id = $3");

const NUMBERED: &str =
    select_message!("WHERE m.room = $2 AND m.number BETWEEN $3 AND $4 ORDER BY m.number");

const CHANGED: &str = select_message!("WHERE m.room = $2 AND m.seq > $3 ORDER BY m.seq LIMIT $4");

const REACTORS: &str = "SELECT DISTINCT user_id FROM reactions WHERE message = ANY ($1) LIMIT $2";

#[derive(sqlx::FromRow)]
struct MessageRow {
    id: Uuid,
    number: i64,
    seq: i64,
    client_id: Uuid,
    body: Option<String>,
    sent_at: i64,
    edited_at: Option<i64>,
    deleted_at: Option<i64>,
    by_moderator: bool,
    pinned: bool,
    author_id: Uuid,
    author_name: String,
    author_kind: String,
    answered_id: Option<Uuid>,
    answered_number: Option<i64>,
    answered_excerpt: Option<String>,
    answered_author: Option<String>,
    /// JSON; absent when there are none.
    reactions: Option<String>,
}

impl MessageRow {
    fn into_message(mut self) -> error::Result<Message> {
        Ok(Message {
            id: MessageId::from_uuid(self.id),
            number: number(self.number)?,
            seq: value::seq(self.seq)?,
            reply_to: self.take_reply_to()?,
            content: self.take_content()?,
            author: value::user(self.author_id, self.author_name, &self.author_kind)?,
            client_id: ClientId::from_uuid(self.client_id),
            sent_at: instant(self.sent_at)?,
            edited_at: instant_or_none(self.edited_at)?,
            pinned: self.pinned,
            reactions: reactions(self.reactions.as_deref())?,
        })
    }

    fn take_content(&mut self) -> error::Result<Content> {
        match (self.body.take(), self.deleted_at) {
            (Some(body), None) => Ok(Content::Text { body }),
            (None, Some(at)) => Ok(Content::Deleted {
                at: instant(at)?,
                by_moderator: self.by_moderator,
            }),
            _ => Err(Failure::damaged("messages.body")),
        }
    }

    fn take_reply_to(&mut self) -> error::Result<Option<ReplyPreview>> {
        let Some(id) = self.answered_id else {
            return Ok(None);
        };
        let damaged = || Failure::damaged("messages.reply_to");
        Ok(Some(ReplyPreview {
            id: MessageId::from_uuid(id),
            number: number(self.answered_number.ok_or_else(damaged)?)?,
            author: self.answered_author.take().ok_or_else(damaged)?,
            excerpt: self.answered_excerpt.take().unwrap_or_default(),
        }))
    }
}

fn reactions(json: Option<&str>) -> error::Result<Vec<Reaction>> {
    let Some(json) = json else {
        return Ok(Vec::new());
    };
    serde_json::from_str(json).map_err(|_| Failure::damaged("reactions"))
}

#[async_trait]
impl Messages for PostgresStore {
    fn append(&self, message: NewMessage) -> Appending {
        self.writer.append(message)
    }

    async fn appended(&self, message: &NewMessage) -> Result<Option<Sent>> {
        let message = message.clone();
        self.calls
            .read(|connection| {
                Box::pin(async move { append::appended(connection, &message).await })
            })
            .await
    }

    async fn message(
        &self,
        room: RoomId,
        id: MessageId,
        viewer: Option<UserId>,
    ) -> Result<Option<Message>> {
        self.calls
            .read(|connection| Box::pin(message(connection, room, id, viewer)))
            .await
    }

    async fn reactors(&self, messages: &[MessageId], limit: u32) -> Result<Vec<UserId>> {
        let messages: Vec<Uuid> = messages.iter().map(|id| *id.as_uuid()).collect();
        self.calls
            .read(|connection| Box::pin(reactors(connection, messages, limit)))
            .await
    }

    async fn edit_message(&self, edit: EditMessage) -> Result<Option<Event>> {
        self.calls
            .write(edit, |connection, edit| {
                Box::pin(change::edit(connection, edit))
            })
            .await
    }

    async fn delete_message(&self, delete: DeleteMessage) -> Result<Option<Event>> {
        self.calls
            .write(delete, |connection, delete| {
                Box::pin(change::delete(connection, delete))
            })
            .await
    }

    async fn set_reaction(&self, reaction: SetReaction) -> Result<Option<Event>> {
        self.calls
            .write(reaction, |connection, reaction| {
                Box::pin(change::set_reaction(connection, reaction))
            })
            .await
    }

    async fn set_pin(&self, pin: SetPin) -> Result<Option<Event>> {
        self.calls
            .write(pin, |connection, pin| {
                Box::pin(change::set_pin(connection, pin))
            })
            .await
    }

    async fn history(
        &self,
        room: RoomId,
        viewer: Option<UserId>,
        from: HistoryFrom,
        limit: u32,
    ) -> Result<History> {
        self.calls
            .snapshot(move |connection| Box::pin(history(connection, room, viewer, from, limit)))
            .await
    }
}

async fn history(
    connection: &mut PgConnection,
    room: RoomId,
    viewer: Option<UserId>,
    from: HistoryFrom,
    limit: u32,
) -> error::Result<History> {
    let record = rooms::require(connection, room).await?.record()?;
    let page = Page::of(from, limit, record.last_number);
    Ok(History {
        epoch: record.epoch,
        head: record.head,
        messages: numbered(connection, room, viewer, page).await?,
        more_before: page.more_before(),
        more_after: page.more_after(record.last_number),
    })
}

/// A page as a range of numbers. They are contiguous and never taken away, tombstones keep theirs,
/// so a page is arithmetic. An empty page has `last` just before `first`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    first: u64,
    last: u64,
}

impl Page {
    pub(crate) fn of(from: HistoryFrom, limit: u32, newest: Number) -> Self {
        let (limit, newest) = (u64::from(limit), newest.0);
        match from {
            HistoryFrom::Newest => Self::ending(newest, limit),
            HistoryFrom::Before(Number(number)) => {
                Self::ending(number.saturating_sub(1).min(newest), limit)
            }
            HistoryFrom::After(Number(number)) => {
                let before = number.min(newest);
                Self {
                    first: before + 1,
                    last: (before + limit).min(newest),
                }
            }
            HistoryFrom::Around(Number(number)) => {
                let middle = number.clamp(1, newest.max(1));
                let last = middle.saturating_add(limit / 2).max(limit).min(newest);
                Self::ending(last, limit)
            }
        }
    }

    fn ending(last: u64, limit: u64) -> Self {
        Self {
            first: last.saturating_sub(limit) + 1,
            last,
        }
    }

    pub(crate) fn more_before(self) -> bool {
        self.first > 1
    }

    pub(crate) fn more_after(self, newest: Number) -> bool {
        self.last < newest.0
    }
}

/// The messages of a page, by rising number.
pub(crate) async fn numbered(
    connection: &mut PgConnection,
    room: RoomId,
    viewer: Option<UserId>,
    page: Page,
) -> error::Result<Vec<Message>> {
    let rows: Vec<MessageRow> = sqlx::query_as(NUMBERED)
        .bind(viewer.map(|viewer| *viewer.as_uuid()))
        .bind(*room.as_uuid())
        .bind(integer(page.first))
        .bind(integer(page.last))
        .fetch_all(connection)
        .await?;
    rows.into_iter().map(MessageRow::into_message).collect()
}

/// The first `limit` messages that changed after `after`.
pub(crate) async fn changed_after(
    connection: &mut PgConnection,
    room: RoomId,
    viewer: Option<UserId>,
    after: Seq,
    limit: i64,
) -> error::Result<Vec<SeqChange>> {
    let rows: Vec<MessageRow> = sqlx::query_as(CHANGED)
        .bind(viewer.map(|viewer| *viewer.as_uuid()))
        .bind(*room.as_uuid())
        .bind(integer(after.0))
        .bind(limit)
        .fetch_all(connection)
        .await?;
    let change = |row: MessageRow| {
        let message = Box::new(row.into_message()?);
        Ok(SeqChange {
            seq: message.seq,
            change: Change::Message { message },
        })
    };
    rows.into_iter().map(change).collect()
}

async fn reactors(
    connection: &mut PgConnection,
    messages: Vec<Uuid>,
    limit: u32,
) -> error::Result<Vec<UserId>> {
    let users: Vec<Uuid> = sqlx::query_scalar(REACTORS)
        .bind(messages)
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    Ok(users.into_iter().map(UserId::from_uuid).collect())
}

/// A message as it is now.
async fn message(
    connection: &mut PgConnection,
    room: RoomId,
    id: MessageId,
    viewer: Option<UserId>,
) -> error::Result<Option<Message>> {
    let row: Option<MessageRow> = sqlx::query_as(MESSAGE)
        .bind(viewer.map(|viewer| *viewer.as_uuid()))
        .bind(*room.as_uuid())
        .bind(*id.as_uuid())
        .fetch_optional(connection)
        .await?;
    row.map(MessageRow::into_message).transpose()
}
