//! The room's one change feed: first load, resume, missed changes.

use async_trait::async_trait;
use chat_store::{ChangesPage, Cursor, Feed, HistoryFrom, Result, RoomRecord, Snapshot, Start};
use chat_types::event::{Change, SeqChange};
use chat_types::id::{Number, RoomId, Seq, UserId};
use chat_types::limits::{MEMBERS_PAGE, REPLAY_BYTES};
use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::error::{self, Failure};
use crate::messages::{self, Page};
use crate::rooms::RoomRow;
use crate::value::{ids_as_json, integer, seq};
use crate::{SqliteStore, memberships, rooms, users};

/// How many rows changed after `?2`, each kind counted up to `?3`.
const COUNT_CHANGES: &str = "\
SELECT (SELECT count(*) FROM (SELECT 1 FROM messages WHERE room = ?1 AND seq > ?2 LIMIT ?3))
     + (SELECT count(*) FROM (SELECT 1 FROM memberships WHERE room = ?1 AND seq > ?2 LIMIT ?3))
     + (SELECT count(*) FROM (SELECT 1 FROM memberships
                              WHERE room = ?1 AND member_seq > ?2 AND left_at IS NOT NULL
                              LIMIT ?3))
     + (SELECT count(*) FROM rooms WHERE id = ?1 AND room_seq > ?2)";

/// How many bytes of text changed after `?2`, in `?3` messages at most.
const COUNT_BYTES: &str = "\
SELECT coalesce(sum(bytes), 0)
FROM (SELECT length(CAST(body AS BLOB)) AS bytes FROM messages
      WHERE room = ?1 AND seq > ?2 LIMIT ?3)";

const HEADS: &str =
    "SELECT id, head FROM rooms WHERE id IN (SELECT unhex(value) FROM json_each(?1))";

#[async_trait]
impl Feed for SqliteStore {
    async fn snapshot(
        &self,
        room: RoomId,
        viewer: Option<UserId>,
        cursor: Option<Cursor>,
        tail: u32,
        replay: u32,
    ) -> Result<Option<Snapshot>> {
        let mut transaction = self.read().await?;
        let Some(row) = rooms::room(&mut transaction, room).await? else {
            return Ok(None);
        };
        let record = row.record()?;
        let resumed = match usable(cursor, &record) {
            Some(since) => resume(&mut transaction, &row, viewer, since, replay).await?,
            None => None,
        };
        let start = match resumed {
            Some(changes) => Start::Resumed(changes),
            None => fresh(&mut transaction, &record, viewer, tail).await?,
        };
        Ok(Some(
            complete(&mut transaction, record, start, viewer).await?,
        ))
    }

    async fn changes_after(
        &self,
        room: RoomId,
        viewer: Option<UserId>,
        after: Seq,
        limit: u32,
    ) -> Result<ChangesPage> {
        let mut transaction = self.read().await?;
        let row = rooms::require(&mut transaction, room).await?;
        let record = row.record()?;
        let most = i64::from(limit) + 1;
        let mut changes = changes(&mut transaction, &row, viewer, after, most).await?;
        let more = changes.len() > limit as usize;
        changes.truncate(limit as usize);
        let upto = match changes.last() {
            Some(last) if more => last.seq,
            // With no room for a single change the reader stays where it is.
            None if more => after,
            _ => record.head,
        };
        Ok(ChangesPage {
            epoch: record.epoch,
            changes,
            upto,
            head: record.head,
            more,
        })
    }

    async fn heads(&self, rooms: &[RoomId]) -> Result<Vec<(RoomId, Seq)>> {
        let ids = ids_as_json(rooms.iter().map(RoomId::as_uuid));
        let mut transaction = self.read().await?;
        let rows: Vec<(Uuid, i64)> = sqlx::query_as(HEADS)
            .bind(ids)
            .fetch_all(&mut *transaction)
            .await
            .map_err(Failure::from)?;
        let head = |(id, head)| Ok((RoomId::from_uuid(id), seq(head)?));
        let heads: error::Result<_> = rows.into_iter().map(head).collect();
        Ok(heads?)
    }
}

/// Where to resume, unless the cursor is of another history or from the future.
fn usable(cursor: Option<Cursor>, record: &RoomRecord) -> Option<Seq> {
    cursor
        .filter(|cursor| cursor.epoch == record.epoch && cursor.since <= record.head)
        .map(|cursor| cursor.since)
}

/// Everything after `since`, unless that is more than `replay` or too much text.
async fn resume(
    connection: &mut SqliteConnection,
    row: &RoomRow,
    viewer: Option<UserId>,
    since: Seq,
    replay: u32,
) -> error::Result<Option<Vec<SeqChange>>> {
    let most = i64::from(replay) + 1;
    if count(connection, COUNT_CHANGES, row, since, most).await? > u64::from(replay)
        || count(connection, COUNT_BYTES, row, since, most).await? > REPLAY_BYTES as u64
    {
        return Ok(None);
    }
    changes(connection, row, viewer, since, most)
        .await
        .map(Some)
}

/// Counts what changed after `since`, in `most` rows of a kind at most.
async fn count(
    connection: &mut SqliteConnection,
    what: &'static str,
    row: &RoomRow,
    since: Seq,
    most: i64,
) -> error::Result<u64> {
    let count: i64 = sqlx::query_scalar(what)
        .bind(*row.room()?.0.id.as_uuid())
        .bind(integer(since.0))
        .bind(most)
        .fetch_one(connection)
        .await?;
    Ok(count.unsigned_abs())
}

/// The first `limit` current rows whose newest change is after `after`, by rising `seq`.
async fn changes(
    connection: &mut SqliteConnection,
    row: &RoomRow,
    viewer: Option<UserId>,
    after: Seq,
    limit: i64,
) -> error::Result<Vec<SeqChange>> {
    let (room, room_seq) = row.room()?;
    let mut changes = messages::changed_after(connection, room.id, viewer, after, limit).await?;
    changes.extend(memberships::changed_after(connection, room.id, after, limit).await?);
    if room_seq > after {
        changes.push(SeqChange {
            seq: room_seq,
            change: Change::Room { room },
        });
    }
    changes.sort_unstable_by_key(|change| change.seq);
    changes.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(changes)
}

/// The newest messages.
async fn fresh(
    connection: &mut SqliteConnection,
    record: &RoomRecord,
    viewer: Option<UserId>,
    tail: u32,
) -> error::Result<Start> {
    let page = Page::of(HistoryFrom::Newest, tail, record.last_number);
    Ok(Start::Fresh {
        messages: messages::numbered(connection, record.room.id, viewer, page).await?,
        more_before: page.more_before(),
    })
}

/// Adds what every start carries: the members and the reader's own place.
async fn complete(
    connection: &mut SqliteConnection,
    record: RoomRecord,
    start: Start,
    viewer: Option<UserId>,
) -> error::Result<Snapshot> {
    let room = record.room.id;
    let members =
        memberships::summary(connection, room, record.members_count, MEMBERS_PAGE).await?;
    let mut me = None;
    let mut read = Number(0);
    if let Some(viewer) = viewer
        && let Some(row) = memberships::find(connection, room, viewer).await?
    {
        let user = users::require(connection, viewer).await?.to_user();
        me = Some(row.member(user, row.role()?)?);
        read = row.membership()?.read;
    }
    Ok(Snapshot {
        record,
        start,
        me,
        read,
        members,
    })
}
