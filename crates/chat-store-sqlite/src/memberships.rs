//! Who belongs to a room, how far they have read, and invites.

use async_trait::async_trait;
use chat_store::{
    Joined, ListCursor, MemberList, Membership, Memberships, Missing, NewInvite, NewMember,
    OwnPlace, Place, Result, StoreError, TokenHash,
};
use chat_types::event::{Change, Event, SeqChange, User};
use chat_types::id::{Number, RoomId, Seq, UserId};
use chat_types::limits::ROOMS_PER_USER;
use chat_types::room::{Member, MembersSummary, Role};
use chat_types::time::Timestamp;
use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::cursor::MemberKey;
use crate::error::{self, Failure};
use crate::rooms::RoomRow;
use crate::value::{self, hash, instant, integer, natural, number, strings_as_json};
use crate::{SqliteStore, rooms, users};

const MEMBERSHIP: &str = "\
SELECT room, role, joined_at, read FROM memberships
WHERE room = ?1 AND user = ?2 AND left_at IS NULL";

const MEMBERSHIPS_OF: &str = "\
SELECT room, role, joined_at, read FROM memberships
WHERE user = ?1 AND left_at IS NULL
ORDER BY room";

/// Rooms as users find them. Asked for as one text each: the room's id and the user's, or nobody's.
const PLACES: &str = "\
SELECT asked.key AS asked,
       r.id, r.kind, r.name, r.topic, r.archived, r.read_only, r.created_at, r.epoch, r.head,
       r.room_seq, r.last_number, r.members_count,
       m.role AS my_role, m.joined_at AS my_joined_at, m.read AS my_read,
       u.id AS my_id, u.name AS my_name, u.kind AS my_kind
FROM json_each(?1) asked
JOIN rooms r ON r.id = unhex(substr(asked.value, 1, 32))
LEFT JOIN memberships m ON m.room = r.id AND m.user = unhex(substr(asked.value, 33))
                       AND m.left_at IS NULL
LEFT JOIN users u ON u.id = m.user";

/// Makes a membership or renews one that ended. Reading begins at the newest message, and a member
/// who returns never goes back.
const PUT_MEMBERSHIP: &str = "\
INSERT INTO memberships (room, user, role, joined_at, seq, member_seq, read)
SELECT ?1, ?2, ?3, ?4, ?5, ?5, last_number FROM rooms WHERE id = ?1
ON CONFLICT (room, user) DO UPDATE
SET role = excluded.role, joined_at = excluded.joined_at, left_at = NULL, seq = excluded.seq,
    member_seq = excluded.member_seq, read = max(read, excluded.read)";

/// Rooms of a user that count towards the limit.
const COUNT_ROOMS: &str = "\
SELECT count(*) FROM memberships m JOIN rooms r ON r.id = m.room
WHERE m.user = ?1 AND m.left_at IS NULL AND r.kind <> 'direct'";

const COUNT_MEMBER: &str = "UPDATE rooms SET members_count = members_count + ?2 WHERE id = ?1";

const END_MEMBERSHIP: &str =
    "UPDATE memberships SET left_at = ?3, seq = ?4 WHERE room = ?1 AND user = ?2";

const CHANGE_ROLE: &str =
    "UPDATE memberships SET role = ?3, seq = ?4, member_seq = ?4 WHERE room = ?1 AND user = ?2";

const MARK_READ: &str = "\
UPDATE memberships
SET read = max(read, min(?3, (SELECT last_number FROM rooms WHERE id = ?1)))
WHERE room = ?1 AND user = ?2 AND left_at IS NULL
RETURNING read";

/// How far the member has read, and how far there is to read.
const READABLE: &str = "\
SELECT m.read, r.last_number FROM memberships m JOIN rooms r ON r.id = m.room
WHERE m.room = ?1 AND m.user = ?2 AND m.left_at IS NULL";

const MEMBERS: &str = "\
SELECT m.user, u.name, u.kind, m.role, m.joined_at
FROM memberships m JOIN users u ON u.id = m.user
WHERE m.room = ?1 AND m.left_at IS NULL
  AND (-m.role, m.joined_at, m.user) > (-?2, ?3, ?4)
ORDER BY m.role DESC, m.joined_at, m.user
LIMIT ?5";

/// Memberships that changed after `?2`. Of one that ended first its last change as a membership:
/// it may be the one that renamed its user, whose messages stay.
const CHANGED: &str = "\
SELECT m.user, u.name, u.kind, m.role, m.joined_at, m.seq, m.left_at IS NOT NULL AS has_left
FROM memberships m JOIN users u ON u.id = m.user
WHERE m.room = ?1 AND m.seq > ?2
UNION ALL
SELECT m.user, u.name, u.kind, m.role, m.joined_at, m.member_seq, 0
FROM memberships m JOIN users u ON u.id = m.user
WHERE m.room = ?1 AND m.member_seq > ?2 AND m.left_at IS NOT NULL
ORDER BY seq
LIMIT ?3";

const INSERT_INVITE: &str = "\
INSERT INTO invites (code, room, created_by, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)";

const INVITED_ROOM: &str = "SELECT room FROM invites WHERE code = ?1 AND expires_at > ?2";

#[derive(sqlx::FromRow)]
pub(crate) struct MembershipRow {
    room: Uuid,
    role: i64,
    joined_at: i64,
    read: i64,
}

impl MembershipRow {
    pub(crate) fn role(&self) -> error::Result<Role> {
        value::role(self.role)
    }

    /// This membership of `user`, with `role`, as others see it.
    pub(crate) fn member(&self, user: User, role: Role) -> error::Result<Member> {
        Ok(Member {
            user,
            role,
            joined_at: instant(self.joined_at)?,
        })
    }

    pub(crate) fn membership(&self) -> error::Result<Membership> {
        Ok(Membership {
            role: self.role()?,
            read: number(self.read)?,
            joined_at: instant(self.joined_at)?,
        })
    }
}

#[derive(sqlx::FromRow)]
struct PlaceRow {
    asked: i64,
    #[sqlx(flatten)]
    room: RoomRow,
    my_role: Option<i64>,
    my_joined_at: Option<i64>,
    my_read: Option<i64>,
    my_id: Option<Uuid>,
    my_name: Option<String>,
    my_kind: Option<String>,
}

impl PlaceRow {
    fn into_place(self) -> error::Result<Place> {
        Ok(Place {
            record: self.room.record()?,
            own: self.into_own()?,
        })
    }

    fn into_own(self) -> error::Result<Option<OwnPlace>> {
        let (Some(role), Some(joined_at), Some(read)) =
            (self.my_role, self.my_joined_at, self.my_read)
        else {
            return Ok(None);
        };
        let (Some(id), Some(name), Some(kind)) = (self.my_id, self.my_name, self.my_kind) else {
            return Err(Failure::damaged("memberships.user"));
        };
        Ok(Some(OwnPlace {
            member: Member {
                user: value::user(id, name, &kind)?,
                role: value::role(role)?,
                joined_at: instant(joined_at)?,
            },
            read: number(read)?,
        }))
    }
}

#[derive(sqlx::FromRow)]
struct MemberRow {
    user: Uuid,
    name: String,
    kind: String,
    role: i64,
    joined_at: i64,
}

impl MemberRow {
    fn key(&self) -> MemberKey {
        MemberKey {
            role: self.role,
            joined_at: self.joined_at,
            user: self.user,
        }
    }

    fn into_member(self) -> error::Result<Member> {
        Ok(Member {
            user: value::user(self.user, self.name, &self.kind)?,
            role: value::role(self.role)?,
            joined_at: instant(self.joined_at)?,
        })
    }
}

#[derive(sqlx::FromRow)]
struct ChangedRow {
    #[sqlx(flatten)]
    member: MemberRow,
    seq: i64,
    has_left: bool,
}

impl ChangedRow {
    fn into_change(self) -> error::Result<SeqChange> {
        let seq = value::seq(self.seq)?;
        let change = if self.has_left {
            Change::MemberLeft {
                user_id: UserId::from_uuid(self.member.user),
            }
        } else {
            Change::Member {
                member: self.member.into_member()?,
            }
        };
        Ok(SeqChange { seq, change })
    }
}

#[async_trait]
impl Memberships for SqliteStore {
    async fn membership(&self, room: RoomId, user: UserId) -> Result<Option<Membership>> {
        let mut snapshot = self.read().await?;
        let row = find(&mut snapshot, room, user).await?;
        Ok(row.map(|row| row.membership()).transpose()?)
    }

    async fn places(&self, asked: &[(RoomId, Option<UserId>)]) -> Result<Vec<Option<Place>>> {
        let pair = |(room, user): &(RoomId, Option<UserId>)| {
            let user = user.map(|user| user.as_uuid().simple().to_string());
            format!("{}{}", room.as_uuid().simple(), user.unwrap_or_default())
        };
        let rows: Vec<PlaceRow> = sqlx::query_as(PLACES)
            .bind(strings_as_json(asked.iter().map(pair)))
            .fetch_all(&self.readers)
            .await
            .map_err(Failure::from)?;
        let mut places = vec![None; asked.len()];
        for row in rows {
            let at = usize::try_from(row.asked).ok();
            if let Some(place) = at.and_then(|at| places.get_mut(at)) {
                *place = Some(row.into_place()?);
            }
        }
        Ok(places)
    }

    async fn join(&self, member: NewMember) -> Result<Joined> {
        self.write(move |connection| Box::pin(join(connection, member)))
            .await
    }

    async fn leave(&self, room: RoomId, user: UserId, at: Timestamp) -> Result<Option<Event>> {
        self.write(move |connection| Box::pin(leave(connection, room, user, at)))
            .await
    }

    async fn set_role(
        &self,
        room: RoomId,
        user: UserId,
        role: Role,
        at: Timestamp,
    ) -> Result<Option<Event>> {
        self.write(move |connection| Box::pin(set_role(connection, room, user, role, at)))
            .await
    }

    async fn members(
        &self,
        room: RoomId,
        cursor: Option<ListCursor>,
        limit: u32,
    ) -> Result<MemberList> {
        let start = MemberKey::decode(cursor.as_ref());
        let mut snapshot = self.read().await?;
        let mut rows = listed(&mut snapshot, room, start, i64::from(limit) + 1).await?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next = rows.last().filter(|_| more).map(|row| row.key().encode());
        let members: error::Result<_> = rows.into_iter().map(MemberRow::into_member).collect();
        Ok(MemberList {
            members: members?,
            next,
        })
    }

    async fn mark_read(&self, room: RoomId, user: UserId, read: Number) -> Result<Number> {
        // Most calls repeat what is known, from another tab or after a reconnect: they need not
        // wait for the writer.
        let mut snapshot = self.read().await?;
        let known = known_read(&mut snapshot, room, user, read).await?;
        drop(snapshot);
        if let Some(known) = known {
            return Ok(known);
        }
        self.write(move |connection| {
            Box::pin(async move {
                let read: Option<i64> = sqlx::query_scalar(MARK_READ)
                    .bind(*room.as_uuid())
                    .bind(*user.as_uuid())
                    .bind(integer(read.0))
                    .fetch_optional(connection)
                    .await?;
                number(read.ok_or(Missing::Membership)?)
            })
        })
        .await
    }

    async fn create_invite(&self, invite: NewInvite) -> Result<()> {
        self.write(move |connection| {
            Box::pin(async move {
                rooms::require(connection, invite.room).await?;
                sqlx::query(INSERT_INVITE)
                    .bind(hash(&invite.code))
                    .bind(*invite.room.as_uuid())
                    .bind(*invite.by.as_uuid())
                    .bind(integer(invite.at.0))
                    .bind(integer(invite.expires_at.0))
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    async fn invited_room(&self, code: TokenHash, now: Timestamp) -> Result<Option<RoomId>> {
        let mut snapshot = self.read().await?;
        let room: Option<Uuid> = sqlx::query_scalar(INVITED_ROOM)
            .bind(hash(&code))
            .bind(integer(now.0))
            .fetch_optional(&mut *snapshot)
            .await
            .map_err(Failure::from)?;
        Ok(room.map(RoomId::from_uuid))
    }
}

/// The membership, unless there is none or it ended.
pub(crate) async fn find(
    connection: &mut SqliteConnection,
    room: RoomId,
    user: UserId,
) -> error::Result<Option<MembershipRow>> {
    let row = sqlx::query_as(MEMBERSHIP)
        .bind(*room.as_uuid())
        .bind(*user.as_uuid())
        .fetch_optional(connection)
        .await?;
    Ok(row)
}

/// A user's memberships, by rising room id.
pub(crate) async fn of_user(
    connection: &mut SqliteConnection,
    user: UserId,
) -> error::Result<Vec<(RoomId, MembershipRow)>> {
    let rows: Vec<MembershipRow> = sqlx::query_as(MEMBERSHIPS_OF)
        .bind(*user.as_uuid())
        .fetch_all(connection)
        .await?;
    let with_room = |row: MembershipRow| (RoomId::from_uuid(row.room), row);
    Ok(rows.into_iter().map(with_room).collect())
}

/// The same as [`add`] within the limit of rooms of one user.
pub(crate) async fn admit(
    connection: &mut SqliteConnection,
    room: RoomId,
    user: UserId,
    role: Role,
    at: Timestamp,
) -> error::Result<Event> {
    let rooms: i64 = sqlx::query_scalar(COUNT_ROOMS)
        .bind(*user.as_uuid())
        .fetch_one(&mut *connection)
        .await?;
    if natural(rooms, "memberships")? >= ROOMS_PER_USER as u64 {
        return Err(StoreError::LimitReached("rooms of one user").into());
    }
    add(connection, room, user, role, at).await
}

/// Makes somebody a member who is none, in a room and of a user that exist.
pub(crate) async fn add(
    connection: &mut SqliteConnection,
    room: RoomId,
    user: UserId,
    role: Role,
    at: Timestamp,
) -> error::Result<Event> {
    let seq = rooms::next_seq(connection, room).await?;
    sqlx::query(PUT_MEMBERSHIP)
        .bind(*room.as_uuid())
        .bind(*user.as_uuid())
        .bind(rank(role)?)
        .bind(integer(at.0))
        .bind(integer(seq.0))
        .execute(&mut *connection)
        .await?;
    count_member(connection, room, 1).await?;
    let member = Member {
        user: users::require(connection, user).await?.to_user(),
        role,
        joined_at: at,
    };
    Ok(Event {
        room,
        seq,
        at,
        change: Change::Member { member },
    })
}

/// Sets the role of a membership at its place in the feed.
pub(crate) async fn change_role(
    connection: &mut SqliteConnection,
    room: RoomId,
    user: UserId,
    role: Role,
    seq: Seq,
) -> error::Result<()> {
    sqlx::query(CHANGE_ROLE)
        .bind(*room.as_uuid())
        .bind(*user.as_uuid())
        .bind(rank(role)?)
        .bind(integer(seq.0))
        .execute(connection)
        .await?;
    Ok(())
}

/// How many members a room has and the first `limit` of them.
pub(crate) async fn summary(
    connection: &mut SqliteConnection,
    room: RoomId,
    count: u32,
    limit: u32,
) -> error::Result<MembersSummary> {
    let rows = listed(connection, room, MemberKey::START, i64::from(limit)).await?;
    let members: error::Result<_> = rows.into_iter().map(MemberRow::into_member).collect();
    Ok(MembersSummary {
        count,
        listed: members?,
    })
}

/// The first `limit` changes of memberships after `after`.
pub(crate) async fn changed_after(
    connection: &mut SqliteConnection,
    room: RoomId,
    after: Seq,
    limit: i64,
) -> error::Result<Vec<SeqChange>> {
    let rows: Vec<ChangedRow> = sqlx::query_as(CHANGED)
        .bind(*room.as_uuid())
        .bind(integer(after.0))
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.into_iter().map(ChangedRow::into_change).collect()
}

/// Where the member has read to, unless `asked` moves that.
async fn known_read(
    connection: &mut SqliteConnection,
    room: RoomId,
    user: UserId,
    asked: Number,
) -> error::Result<Option<Number>> {
    let row: Option<(i64, i64)> = sqlx::query_as(READABLE)
        .bind(*room.as_uuid())
        .bind(*user.as_uuid())
        .fetch_optional(connection)
        .await?;
    let (read, newest) = row.ok_or(Missing::Membership)?;
    if integer(asked.0).min(newest) > read {
        return Ok(None);
    }
    number(read).map(Some)
}

async fn join(connection: &mut SqliteConnection, new: NewMember) -> error::Result<Joined> {
    rooms::require(connection, new.room).await?;
    users::require(connection, new.user).await?;
    if let Some(row) = find(connection, new.room, new.user).await? {
        return Ok(Joined {
            membership: row.membership()?,
            event: None,
        });
    }
    let event = admit(connection, new.room, new.user, new.role, new.at).await?;
    let row = find(connection, new.room, new.user).await?;
    Ok(Joined {
        membership: row.ok_or(Missing::Membership)?.membership()?,
        event: Some(event),
    })
}

async fn leave(
    connection: &mut SqliteConnection,
    room: RoomId,
    user: UserId,
    at: Timestamp,
) -> error::Result<Option<Event>> {
    if find(connection, room, user).await?.is_none() {
        return Ok(None);
    }
    let seq = rooms::next_seq(connection, room).await?;
    sqlx::query(END_MEMBERSHIP)
        .bind(*room.as_uuid())
        .bind(*user.as_uuid())
        .bind(integer(at.0))
        .bind(integer(seq.0))
        .execute(&mut *connection)
        .await?;
    count_member(connection, room, -1).await?;
    Ok(Some(Event {
        room,
        seq,
        at,
        change: Change::MemberLeft { user_id: user },
    }))
}

async fn set_role(
    connection: &mut SqliteConnection,
    room: RoomId,
    user: UserId,
    role: Role,
    at: Timestamp,
) -> error::Result<Option<Event>> {
    let row = find(connection, room, user).await?;
    let row = row.ok_or(Missing::Membership)?;
    if row.role()? == role {
        return Ok(None);
    }
    let seq = rooms::next_seq(connection, room).await?;
    change_role(connection, room, user, role, seq).await?;
    let user = users::require(connection, user).await?.to_user();
    Ok(Some(Event {
        room,
        seq,
        at,
        change: Change::Member {
            member: row.member(user, role)?,
        },
    }))
}

async fn count_member(
    connection: &mut SqliteConnection,
    room: RoomId,
    step: i64,
) -> error::Result<()> {
    sqlx::query(COUNT_MEMBER)
        .bind(*room.as_uuid())
        .bind(step)
        .execute(connection)
        .await?;
    Ok(())
}

async fn listed(
    connection: &mut SqliteConnection,
    room: RoomId,
    start: MemberKey,
    limit: i64,
) -> error::Result<Vec<MemberRow>> {
    let rows = sqlx::query_as(MEMBERS)
        .bind(*room.as_uuid())
        .bind(start.role)
        .bind(start.joined_at)
        .bind(start.user)
        .bind(limit)
        .fetch_all(connection)
        .await?;
    Ok(rows)
}

/// A role as the table has it.
fn rank(role: Role) -> error::Result<i64> {
    match role {
        Role::Unknown => Err(Failure::damaged("an unknown role")),
        known => Ok(i64::from(known.rank())),
    }
}
