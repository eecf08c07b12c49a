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
use sqlx::PgConnection;
use uuid::Uuid;

use crate::cursor::MemberKey;
use crate::error::{self, Failure};
use crate::rooms::RoomRow;
use crate::value::{self, hash, instant, integer, natural, number};
use crate::{PostgresStore, rooms, users};

const MEMBERSHIP: &str = "\
SELECT room, role, joined_at, read FROM memberships
WHERE room = $1 AND user_id = $2 AND left_at IS NULL";

const MEMBERSHIPS_OF: &str = "\
SELECT room, role, joined_at, read FROM memberships
WHERE user_id = $1 AND left_at IS NULL
ORDER BY room";

/// Rooms as users, or visitors, find them.
const PLACES: &str = "\
SELECT asked.place AS asked,
       r.id, r.kind, r.name, r.topic, r.archived, r.read_only, r.created_at, r.epoch, r.head,
       r.room_seq, r.last_number, r.members_count,
       m.role AS my_role, m.joined_at AS my_joined_at, m.read AS my_read,
       u.id AS my_id, u.name AS my_name, u.kind AS my_kind
FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS asked (room, user_id, place)
JOIN rooms r ON r.id = asked.room
LEFT JOIN memberships m ON m.room = asked.room AND m.user_id = asked.user_id
                       AND m.left_at IS NULL
LEFT JOIN users u ON u.id = m.user_id";

/// Makes a membership or renews one that ended. Reading begins at the newest message, and a member
/// who returns never goes back.
const PUT_MEMBERSHIP: &str = "\
INSERT INTO memberships (room, user_id, role, joined_at, seq, member_seq, read)
SELECT $1, $2, $3, $4, $5, $5, last_number FROM rooms WHERE id = $1
ON CONFLICT (room, user_id) DO UPDATE
SET role = excluded.role, joined_at = excluded.joined_at, left_at = NULL, seq = excluded.seq,
    member_seq = excluded.member_seq, read = greatest(memberships.read, excluded.read)";

/// Rooms of a user that count towards the limit.
const COUNT_ROOMS: &str = "\
SELECT count(*) FROM memberships m JOIN rooms r ON r.id = m.room
WHERE m.user_id = $1 AND m.left_at IS NULL AND r.kind <> 'direct'";

const COUNT_MEMBER: &str = "UPDATE rooms SET members_count = members_count + $2 WHERE id = $1";

const END_MEMBERSHIP: &str =
    "UPDATE memberships SET left_at = $3, seq = $4 WHERE room = $1 AND user_id = $2";

const CHANGE_ROLE: &str =
    "UPDATE memberships SET role = $3, seq = $4, member_seq = $4 WHERE room = $1 AND user_id = $2";

const MARK_READ: &str = "\
UPDATE memberships
SET read = greatest(read, least($3, (SELECT last_number FROM rooms WHERE id = $1)))
WHERE room = $1 AND user_id = $2 AND left_at IS NULL
RETURNING read";

/// How far the member has read, and how far there is to read.
const READABLE: &str = "\
SELECT m.read, r.last_number FROM memberships m JOIN rooms r ON r.id = m.room
WHERE m.room = $1 AND m.user_id = $2 AND m.left_at IS NULL";

const MEMBERS: &str = "\
SELECT m.user_id, u.name, u.kind, m.role, m.joined_at
FROM memberships m JOIN users u ON u.id = m.user_id
WHERE m.room = $1 AND m.left_at IS NULL
  AND (-m.role, m.joined_at, m.user_id) > (-$2::smallint, $3, $4)
ORDER BY -m.role, m.joined_at, m.user_id
LIMIT $5";

/// Memberships that changed after `$2`. Of one that ended first its last change as a membership:
/// it may be the one that renamed its user, whose messages stay.
const CHANGED: &str = "\
SELECT m.user_id, u.name, u.kind, m.role, m.joined_at, m.seq, m.left_at IS NOT NULL AS has_left
FROM memberships m JOIN users u ON u.id = m.user_id
WHERE m.room = $1 AND m.seq > $2
UNION ALL
SELECT m.user_id, u.name, u.kind, m.role, m.joined_at, m.member_seq, FALSE
FROM memberships m JOIN users u ON u.id = m.user_id
WHERE m.room = $1 AND m.member_seq > $2 AND m.left_at IS NOT NULL
ORDER BY seq
LIMIT $3";

const INSERT_INVITE: &str = "\
INSERT INTO invites (code, room, created_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)";

const INVITED_ROOM: &str = "SELECT room FROM invites WHERE code = $1 AND expires_at > $2";

#[derive(sqlx::FromRow)]
pub(crate) struct MembershipRow {
    room: Uuid,
    role: i16,
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
    /// Counted from 1.
    asked: i64,
    #[sqlx(flatten)]
    room: RoomRow,
    my_role: Option<i16>,
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
            return Err(Failure::damaged("memberships.user_id"));
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
    user_id: Uuid,
    name: String,
    kind: String,
    role: i16,
    joined_at: i64,
}

impl MemberRow {
    fn key(&self) -> MemberKey {
        MemberKey {
            role: self.role,
            joined_at: self.joined_at,
            user: self.user_id,
        }
    }

    fn into_member(self) -> error::Result<Member> {
        Ok(Member {
            user: value::user(self.user_id, self.name, &self.kind)?,
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
                user_id: UserId::from_uuid(self.member.user_id),
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
impl Memberships for PostgresStore {
    async fn membership(&self, room: RoomId, user: UserId) -> Result<Option<Membership>> {
        self.calls
            .read(|connection| {
                Box::pin(async move {
                    let row = find(connection, room, user).await?;
                    row.map(|row| row.membership()).transpose()
                })
            })
            .await
    }

    async fn places(&self, asked: &[(RoomId, Option<UserId>)]) -> Result<Vec<Option<Place>>> {
        let rooms: Vec<Uuid> = asked.iter().map(|(room, _)| *room.as_uuid()).collect();
        let user = |user: &UserId| *user.as_uuid();
        let users: Vec<_> = asked.iter().map(|(_, it)| it.as_ref().map(user)).collect();
        let rows = self
            .calls
            .read(|connection| Box::pin(places(connection, rooms, users)))
            .await?;
        let mut places = vec![None; asked.len()];
        for (at, found) in rows {
            if let Some(place) = places.get_mut(at) {
                *place = Some(found);
            }
        }
        Ok(places)
    }

    async fn join(&self, member: NewMember) -> Result<Joined> {
        self.calls
            .write(member, |connection, member| {
                Box::pin(join(connection, member))
            })
            .await
    }

    async fn leave(&self, room: RoomId, user: UserId, at: Timestamp) -> Result<Option<Event>> {
        self.calls
            .write((), move |connection, ()| {
                Box::pin(leave(connection, room, user, at))
            })
            .await
    }

    async fn set_role(
        &self,
        room: RoomId,
        user: UserId,
        role: Role,
        at: Timestamp,
    ) -> Result<Option<Event>> {
        self.calls
            .write((), move |connection, ()| {
                Box::pin(set_role(connection, room, user, role, at))
            })
            .await
    }

    async fn members(
        &self,
        room: RoomId,
        cursor: Option<ListCursor>,
        limit: u32,
    ) -> Result<MemberList> {
        let start = MemberKey::decode(cursor.as_ref());
        self.calls
            .read(|connection| Box::pin(members(connection, room, start, limit)))
            .await
    }

    async fn mark_read(&self, room: RoomId, user: UserId, read: Number) -> Result<Number> {
        // Most calls repeat what is known, from another tab or after a reconnect: they are no write.
        let known = self
            .calls
            .read(|connection| Box::pin(known_read(connection, room, user, read)))
            .await?;
        if let Some(known) = known {
            return Ok(known);
        }
        self.calls
            .write((), move |connection, ()| {
                Box::pin(mark_read(connection, room, user, read))
            })
            .await
    }

    async fn create_invite(&self, invite: NewInvite) -> Result<()> {
        self.calls
            .write(invite, |connection, invite| {
                Box::pin(create_invite(connection, invite))
            })
            .await
    }

    async fn invited_room(&self, code: TokenHash, now: Timestamp) -> Result<Option<RoomId>> {
        self.calls
            .read(|connection| {
                Box::pin(async move {
                    let room: Option<Uuid> = sqlx::query_scalar(INVITED_ROOM)
                        .bind(hash(&code))
                        .bind(integer(now.0))
                        .fetch_optional(connection)
                        .await?;
                    Ok(room.map(RoomId::from_uuid))
                })
            })
            .await
    }
}

/// The rooms that exist, each with which of those asked for it is, counted from 0.
async fn places(
    connection: &mut PgConnection,
    rooms: Vec<Uuid>,
    users: Vec<Option<Uuid>>,
) -> error::Result<Vec<(usize, Place)>> {
    let rows: Vec<PlaceRow> = sqlx::query_as(PLACES)
        .bind(rooms)
        .bind(users)
        .fetch_all(connection)
        .await?;
    let place = |row: PlaceRow| {
        let at = usize::try_from(row.asked - 1).map_err(|_| Failure::damaged("asked"))?;
        Ok((at, row.into_place()?))
    };
    rows.into_iter().map(place).collect()
}

async fn members(
    connection: &mut PgConnection,
    room: RoomId,
    start: MemberKey,
    limit: u32,
) -> error::Result<MemberList> {
    let mut rows = listed(connection, room, start, i64::from(limit) + 1).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|row| row.key().encode());
    let members: error::Result<_> = rows.into_iter().map(MemberRow::into_member).collect();
    Ok(MemberList {
        members: members?,
        next,
    })
}

async fn mark_read(
    connection: &mut PgConnection,
    room: RoomId,
    user: UserId,
    read: Number,
) -> error::Result<Number> {
    let read: Option<i64> = sqlx::query_scalar(MARK_READ)
        .bind(*room.as_uuid())
        .bind(*user.as_uuid())
        .bind(integer(read.0))
        .fetch_optional(connection)
        .await?;
    number(read.ok_or(Missing::Membership)?)
}

async fn create_invite(connection: &mut PgConnection, invite: NewInvite) -> error::Result<()> {
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
}

/// The membership, unless there is none or it ended.
pub(crate) async fn find(
    connection: &mut PgConnection,
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
    connection: &mut PgConnection,
    user: UserId,
) -> error::Result<Vec<(RoomId, MembershipRow)>> {
    let rows: Vec<MembershipRow> = sqlx::query_as(MEMBERSHIPS_OF)
        .bind(*user.as_uuid())
        .fetch_all(connection)
        .await?;
    let with_room = |row: MembershipRow| (RoomId::from_uuid(row.room), row);
    Ok(rows.into_iter().map(with_room).collect())
}

/// The same as [`add`] within the limit of rooms of one user, who is locked: who joins two rooms at
/// once is counted twice.
pub(crate) async fn admit(
    connection: &mut PgConnection,
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

/// Makes somebody a member who is none, in a room, which is locked, and of a user that exist.
pub(crate) async fn add(
    connection: &mut PgConnection,
    room: RoomId,
    user: UserId,
    role: Role,
    at: Timestamp,
) -> error::Result<Event> {
    let seq = rooms::next_seq(connection, room).await?;
    sqlx::query(PUT_MEMBERSHIP)
        .bind(*room.as_uuid())
        .bind(*user.as_uuid())
        .bind(value::rank(role)?)
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
    connection: &mut PgConnection,
    room: RoomId,
    user: UserId,
    role: Role,
    seq: Seq,
) -> error::Result<()> {
    sqlx::query(CHANGE_ROLE)
        .bind(*room.as_uuid())
        .bind(*user.as_uuid())
        .bind(value::rank(role)?)
        .bind(integer(seq.0))
        .execute(connection)
        .await?;
    Ok(())
}

/// How many members a room has and the first `limit` of them.
pub(crate) async fn summary(
    connection: &mut PgConnection,
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
    connection: &mut PgConnection,
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
    connection: &mut PgConnection,
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

async fn join(connection: &mut PgConnection, new: NewMember) -> error::Result<Joined> {
    rooms::lock(connection, &[new.room]).await?;
    users::lock(connection, &[new.user]).await?;
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
    connection: &mut PgConnection,
    room: RoomId,
    user: UserId,
    at: Timestamp,
) -> error::Result<Option<Event>> {
    rooms::lock(connection, &[room]).await?;
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
    connection: &mut PgConnection,
    room: RoomId,
    user: UserId,
    role: Role,
    at: Timestamp,
) -> error::Result<Option<Event>> {
    rooms::lock(connection, &[room]).await?;
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

async fn count_member(connection: &mut PgConnection, room: RoomId, step: i64) -> error::Result<()> {
    sqlx::query(COUNT_MEMBER)
        .bind(*room.as_uuid())
        .bind(step)
        .execute(connection)
        .await?;
    Ok(())
}

async fn listed(
    connection: &mut PgConnection,
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
