//! Rooms of every kind and the lists of them.

use async_trait::async_trait;
use chat_store::{ListCursor, Missing, NewRoom, Result, RoomList, RoomRecord, RoomUpdate, Rooms};
use chat_types::event::{Change, Event, User, UserKind};
use chat_types::id::{Epoch, PageKey, RoomId, Seq, SiteKey, UserId};
use chat_types::room::{Role, Room, RoomKind, RoomSummary};
use chat_types::time::Timestamp;
use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::cursor::RoomKey;
use crate::error::{self, Failure};
use crate::value::{
    self, count, instant, instant_or_none, integer, number, room_kind, room_kind_text, seq,
};
use crate::{SqliteStore, memberships, users};

const ROOM: &str = "\
SELECT id, kind, name, topic, archived, read_only, created_at, epoch, head, room_seq, last_number,
       members_count
FROM rooms WHERE id = ?1";

const INSERT_ROOM: &str = "\
INSERT INTO rooms (id, kind, name, topic, created_at, active_at, epoch, site, page, direct_low,
                   direct_high)
VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8, ?9, ?10)";

/// The room of a page of a site that is known, and whether its visit is to be noted.
const ROOM_OF_PAGE: &str = "\
SELECT r.id, r.head = 0 AND r.active_at < ?3
FROM rooms r JOIN sites s ON s.key = r.site
WHERE r.site = ?1 AND r.page = ?2 AND s.disabled = 0";

/// Notes a visit of an empty page, which keeps it from the purge.
const NOTE_VISIT: &str = "UPDATE rooms SET active_at = ?2 WHERE id = ?1 AND head = 0";

/// Visits of an empty page are noted once in this time, so that they cost no write each.
const NOTE_VISITS_MS: u64 = 60 * 60 * 1_000;

const ROOM_OF_TWO: &str = "SELECT id FROM rooms WHERE direct_low = ?1 AND direct_high = ?2";

const ANY_ROOM_EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM rooms)";

const SITE_EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM sites WHERE key = ?1 AND disabled = 0)";

const NEXT_SEQ: &str = "UPDATE rooms SET head = head + 1 WHERE id = ?1 RETURNING head";

const UPDATE_ROOM: &str = "\
UPDATE rooms SET name = ?2, topic = ?3, archived = ?4, read_only = ?5, room_seq = ?6
WHERE id = ?1";

/// What a list shows of a room `r` to the viewer `?1`, who may be null; ends before `WHERE`.
macro_rules! select_summary {
    ($rest:literal) => {
        concat!(
            "\
SELECT r.id, r.kind, r.name, r.topic, r.archived, r.read_only, r.created_at, r.epoch, r.head,
       r.room_seq, r.last_number, r.members_count, r.last_at, r.active_at,
       me.role AS my_role, me.read AS my_read,
       peer.id AS peer_id, peer.name AS peer_name, peer.kind AS peer_kind
FROM rooms r
LEFT JOIN memberships me ON me.room = r.id AND me.user = ?1 AND me.left_at IS NULL
LEFT JOIN users peer ON peer.id = CASE ?1 WHEN r.direct_low THEN r.direct_high
                                          WHEN r.direct_high THEN r.direct_low END
",
            $rest
        )
    };
}

const SUMMARY: &str = select_summary!("WHERE r.id = ?2");

const ROOMS_OF: &str = select_summary!(
    "\
WHERE r.id IN (SELECT room FROM memberships WHERE user = ?1 AND left_at IS NULL)
  AND (r.active_at, r.id) < (?2, ?3)
ORDER BY r.active_at DESC, r.id DESC
LIMIT ?4"
);

const PUBLIC_ROOMS: &str = select_summary!(
    "\
WHERE r.kind = 'public' AND r.archived = 0 AND (r.active_at, r.id) < (?2, ?3)
ORDER BY r.active_at DESC, r.id DESC
LIMIT ?4"
);

#[derive(sqlx::FromRow)]
pub(crate) struct RoomRow {
    id: Uuid,
    kind: String,
    name: String,
    topic: String,
    archived: bool,
    read_only: bool,
    created_at: i64,
    epoch: String,
    head: i64,
    room_seq: i64,
    last_number: i64,
    members_count: i64,
}

impl RoomRow {
    /// The room as readers see it, and the `seq` of its own newest change.
    pub(crate) fn room(&self) -> error::Result<(Room, Seq)> {
        let room = Room {
            id: RoomId::from_uuid(self.id),
            kind: room_kind(&self.kind)?,
            name: self.name.clone(),
            topic: self.topic.clone(),
            archived: self.archived,
            read_only: self.read_only,
            created_at: instant(self.created_at)?,
        };
        Ok((room, seq(self.room_seq)?))
    }

    pub(crate) fn record(&self) -> error::Result<RoomRecord> {
        Ok(RoomRecord {
            room: self.room()?.0,
            epoch: Epoch(self.epoch.clone()),
            head: seq(self.head)?,
            last_number: number(self.last_number)?,
            members_count: count(self.members_count, "rooms.members_count")?,
        })
    }
}

#[derive(sqlx::FromRow)]
struct SummaryRow {
    #[sqlx(flatten)]
    room: RoomRow,
    last_at: Option<i64>,
    active_at: i64,
    my_role: Option<i64>,
    my_read: Option<i64>,
    peer_id: Option<Uuid>,
    peer_name: Option<String>,
    peer_kind: Option<String>,
}

impl SummaryRow {
    fn key(&self) -> RoomKey {
        RoomKey {
            active_at: self.active_at,
            id: self.room.id,
        }
    }

    fn summary(self) -> error::Result<RoomSummary> {
        let record = self.room.record()?;
        let peer = peer(self.peer_id, self.peer_name, self.peer_kind)?;
        Ok(RoomSummary {
            room: record.room,
            head: record.head,
            epoch: record.epoch,
            last_number: record.last_number,
            last_at: instant_or_none(self.last_at)?,
            read: number(self.my_read.unwrap_or(0))?,
            role: self.my_role.map(value::role).transpose()?,
            members_count: record.members_count,
            peer,
        })
    }
}

fn peer(
    id: Option<Uuid>,
    name: Option<String>,
    kind: Option<String>,
) -> error::Result<Option<User>> {
    match (id, name, kind) {
        (Some(id), Some(name), Some(kind)) => value::user(id, name, &kind).map(Some),
        _ => Ok(None),
    }
}

#[async_trait]
impl Rooms for SqliteStore {
    async fn create_room(&self, room: NewRoom, owner: UserId) -> Result<RoomRecord> {
        self.write(move |connection| Box::pin(create_room(connection, room, owner)))
            .await
    }

    async fn open_first(&self, room: NewRoom) -> Result<Option<RoomRecord>> {
        self.write(move |connection| Box::pin(open_first(connection, room)))
            .await
    }

    async fn open_page(
        &self,
        site: &SiteKey,
        page: &PageKey,
        room: NewRoom,
    ) -> Result<(RoomRecord, bool)> {
        // Most visits find the room: they need not wait for the writer.
        let mut snapshot = self.read().await?;
        if let Some((found, false)) = room_of_page(&mut snapshot, site, page, room.at).await? {
            return Ok((require(&mut snapshot, found).await?.record()?, false));
        }
        drop(snapshot);
        let (site, page) = (site.clone(), page.clone());
        self.write(move |connection| {
            Box::pin(async move { open_page(connection, &site, &page, room).await })
        })
        .await
    }

    async fn open_direct(
        &self,
        users: (UserId, UserId),
        room: NewRoom,
    ) -> Result<(RoomRecord, bool)> {
        self.write(move |connection| Box::pin(open_direct(connection, users, room)))
            .await
    }

    async fn room(&self, id: RoomId) -> Result<Option<RoomRecord>> {
        let mut snapshot = self.read().await?;
        let row = room(&mut snapshot, id).await?;
        Ok(row.map(|row| row.record()).transpose()?)
    }

    async fn update_room(
        &self,
        id: RoomId,
        update: RoomUpdate,
        at: Timestamp,
    ) -> Result<Option<Event>> {
        self.write(move |connection| Box::pin(update_room(connection, id, update, at)))
            .await
    }

    async fn room_summary(
        &self,
        id: RoomId,
        viewer: Option<UserId>,
    ) -> Result<Option<RoomSummary>> {
        let mut snapshot = self.read().await?;
        let row: Option<SummaryRow> = sqlx::query_as(SUMMARY)
            .bind(viewer.map(|viewer| *viewer.as_uuid()))
            .bind(*id.as_uuid())
            .fetch_optional(&mut *snapshot)
            .await
            .map_err(Failure::from)?;
        Ok(row.map(SummaryRow::summary).transpose()?)
    }

    async fn rooms_of(
        &self,
        user: UserId,
        cursor: Option<ListCursor>,
        limit: u32,
    ) -> Result<RoomList> {
        self.list(ROOMS_OF, Some(user), cursor, limit).await
    }

    async fn public_rooms(
        &self,
        viewer: Option<UserId>,
        cursor: Option<ListCursor>,
        limit: u32,
    ) -> Result<RoomList> {
        self.list(PUBLIC_ROOMS, viewer, cursor, limit).await
    }
}

impl SqliteStore {
    async fn list(
        &self,
        statement: &'static str,
        viewer: Option<UserId>,
        cursor: Option<ListCursor>,
        limit: u32,
    ) -> Result<RoomList> {
        let start = RoomKey::decode(cursor.as_ref());
        let mut snapshot = self.read().await?;
        let mut rows: Vec<SummaryRow> = sqlx::query_as(statement)
            .bind(viewer.map(|viewer| *viewer.as_uuid()))
            .bind(start.active_at)
            .bind(start.id)
            .bind(i64::from(limit) + 1)
            .fetch_all(&mut *snapshot)
            .await
            .map_err(Failure::from)?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next = rows.last().filter(|_| more).map(|row| row.key().encode());
        let rooms: error::Result<_> = rows.into_iter().map(SummaryRow::summary).collect();
        Ok(RoomList {
            rooms: rooms?,
            next,
        })
    }
}

/// The room's row, if there is one.
pub(crate) async fn room(
    connection: &mut SqliteConnection,
    id: RoomId,
) -> error::Result<Option<RoomRow>> {
    let row = sqlx::query_as(ROOM)
        .bind(*id.as_uuid())
        .fetch_optional(connection)
        .await?;
    Ok(row)
}

/// The room's row, or `NotFound(Room)`.
pub(crate) async fn require(
    connection: &mut SqliteConnection,
    id: RoomId,
) -> error::Result<RoomRow> {
    let room = room(connection, id).await?;
    room.ok_or_else(|| Missing::Room.into())
}

/// Takes the room's next place in its feed, or answers `NotFound(Room)`.
pub(crate) async fn next_seq(
    connection: &mut SqliteConnection,
    room: RoomId,
) -> error::Result<Seq> {
    let head: Option<i64> = sqlx::query_scalar(NEXT_SEQ)
        .bind(*room.as_uuid())
        .fetch_optional(connection)
        .await?;
    seq(head.ok_or(Missing::Room)?)
}

/// What a room of a special kind belongs to.
#[derive(Default)]
struct Belongs<'a> {
    page: Option<(&'a SiteKey, &'a PageKey)>,
    two: Option<(UserId, UserId)>,
}

async fn insert(
    connection: &mut SqliteConnection,
    kind: RoomKind,
    room: &NewRoom,
    belongs: Belongs<'_>,
) -> error::Result<()> {
    sqlx::query(INSERT_ROOM)
        .bind(*room.id.as_uuid())
        .bind(room_kind_text(kind)?)
        .bind(room.name.as_ref().map_or("", |name| name.as_str()))
        .bind(room.topic.as_ref().map_or("", |topic| topic.as_str()))
        .bind(integer(room.at.0))
        .bind(&room.epoch.0)
        .bind(belongs.page.map(|(site, _)| site.as_str()))
        .bind(belongs.page.map(|(_, page)| page.as_str()))
        .bind(belongs.two.map(|(low, _)| *low.as_uuid()))
        .bind(belongs.two.map(|(_, high)| *high.as_uuid()))
        .execute(connection)
        .await?;
    Ok(())
}

async fn create_room(
    connection: &mut SqliteConnection,
    room: NewRoom,
    owner: UserId,
) -> error::Result<RoomRecord> {
    users::require(connection, owner).await?;
    insert(connection, room.kind, &room, Belongs::default()).await?;
    memberships::admit(connection, room.id, owner, Role::Owner, room.at).await?;
    require(connection, room.id).await?.record()
}

async fn open_first(
    connection: &mut SqliteConnection,
    room: NewRoom,
) -> error::Result<Option<RoomRecord>> {
    let any: bool = sqlx::query_scalar(ANY_ROOM_EXISTS)
        .fetch_one(&mut *connection)
        .await?;
    if any {
        return Ok(None);
    }
    insert(connection, RoomKind::Public, &room, Belongs::default()).await?;
    require(connection, room.id).await?.record().map(Some)
}

async fn room_of_page(
    connection: &mut SqliteConnection,
    site: &SiteKey,
    page: &PageKey,
    now: Timestamp,
) -> error::Result<Option<(RoomId, bool)>> {
    let row: Option<(Uuid, bool)> = sqlx::query_as(ROOM_OF_PAGE)
        .bind(site.as_str())
        .bind(page.as_str())
        .bind(integer(now.0.saturating_sub(NOTE_VISITS_MS)))
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|(id, note)| (RoomId::from_uuid(id), note)))
}

async fn open_page(
    connection: &mut SqliteConnection,
    site: &SiteKey,
    page: &PageKey,
    room: NewRoom,
) -> error::Result<(RoomRecord, bool)> {
    if let Some((found, note)) = room_of_page(connection, site, page, room.at).await? {
        if note {
            sqlx::query(NOTE_VISIT)
                .bind(*found.as_uuid())
                .bind(integer(room.at.0))
                .execute(&mut *connection)
                .await?;
        }
        return Ok((require(connection, found).await?.record()?, false));
    }
    let site_exists: bool = sqlx::query_scalar(SITE_EXISTS)
        .bind(site.as_str())
        .fetch_one(&mut *connection)
        .await?;
    if !site_exists {
        return Err(Missing::Site.into());
    }
    let belongs = Belongs {
        page: Some((site, page)),
        two: None,
    };
    insert(connection, RoomKind::Page, &room, belongs).await?;
    Ok((require(connection, room.id).await?.record()?, true))
}

async fn open_direct(
    connection: &mut SqliteConnection,
    (one, other): (UserId, UserId),
    room: NewRoom,
) -> error::Result<(RoomRecord, bool)> {
    let (low, high) = (one.min(other), one.max(other));
    let found: Option<Uuid> = sqlx::query_scalar(ROOM_OF_TWO)
        .bind(*low.as_uuid())
        .bind(*high.as_uuid())
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(found) = found {
        let record = require(connection, RoomId::from_uuid(found))
            .await?
            .record()?;
        return Ok((record, false));
    }
    let roles = [
        role_of(connection, one).await?,
        role_of(connection, other).await?,
    ];
    let belongs = Belongs {
        page: None,
        two: Some((low, high)),
    };
    insert(connection, RoomKind::Direct, &room, belongs).await?;
    for (user, role) in [one, other].into_iter().zip(roles) {
        memberships::add(connection, room.id, user, role, room.at).await?;
    }
    Ok((require(connection, room.id).await?.record()?, true))
}

/// The role of a user who is nobody special in a room.
async fn role_of(connection: &mut SqliteConnection, user: UserId) -> error::Result<Role> {
    match users::require(connection, user).await?.kind {
        UserKind::Account => Ok(Role::Member),
        UserKind::Guest | UserKind::Unknown => Ok(Role::Guest),
    }
}

async fn update_room(
    connection: &mut SqliteConnection,
    id: RoomId,
    update: RoomUpdate,
    at: Timestamp,
) -> error::Result<Option<Event>> {
    let before = require(connection, id).await?.room()?.0;
    let room = Room {
        name: update.name.map_or(before.name.clone(), String::from),
        topic: update.topic.map_or(before.topic.clone(), String::from),
        archived: update.archived.unwrap_or(before.archived),
        read_only: update.read_only.unwrap_or(before.read_only),
        ..before.clone()
    };
    if room == before {
        return Ok(None);
    }
    let seq = next_seq(connection, id).await?;
    sqlx::query(UPDATE_ROOM)
        .bind(*id.as_uuid())
        .bind(&room.name)
        .bind(&room.topic)
        .bind(room.archived)
        .bind(room.read_only)
        .bind(integer(seq.0))
        .execute(connection)
        .await?;
    Ok(Some(Event {
        room: id,
        seq,
        at,
        change: Change::Room { room },
    }))
}
