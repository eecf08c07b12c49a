//! What a room accepts from a user, looked up in the transaction that writes: what the caller saw
//! may be over by then.

use chat_store::{Conflict, Missing};
use chat_types::id::{RoomId, UserId};
use chat_types::room::{Role, RoomKind};
use sqlx::PgConnection;

use crate::error;
use crate::rooms;
use crate::value;

const PLACE: &str = "\
SELECT kind, archived, read_only,
       (SELECT role FROM memberships WHERE room = $1 AND user_id = $2 AND left_at IS NULL)
FROM rooms WHERE id = $1";

/// A room and what a user is in it.
pub(super) struct Place {
    kind: RoomKind,
    archived: bool,
    read_only: bool,
    role: Option<Role>,
}

impl Place {
    /// The place after its room was locked, or `NotFound(Room)`.
    pub(super) async fn lock(
        connection: &mut PgConnection,
        room: RoomId,
        user: UserId,
    ) -> error::Result<Self> {
        rooms::lock(connection, &[room]).await?;
        Self::find(connection, room, user).await
    }

    /// The place in a room that is locked, or `NotFound(Room)`.
    pub(super) async fn find(
        connection: &mut PgConnection,
        room: RoomId,
        user: UserId,
    ) -> error::Result<Self> {
        let row: Option<(String, bool, bool, Option<i16>)> = sqlx::query_as(PLACE)
            .bind(*room.as_uuid())
            .bind(*user.as_uuid())
            .fetch_optional(connection)
            .await?;
        let (kind, archived, read_only, role) = row.ok_or(Missing::Room)?;
        Ok(Self {
            kind: value::room_kind(&kind)?,
            archived,
            read_only,
            role: role.map(value::role).transpose()?,
        })
    }

    pub(super) fn is_member(&self) -> bool {
        self.role.is_some()
    }

    /// The user may be there: only members are in private and direct rooms.
    pub(super) fn admits(&self) -> error::Result<()> {
        match self.kind {
            RoomKind::Public | RoomKind::Page => Ok(()),
            RoomKind::Private | RoomKind::Direct | RoomKind::Unknown if self.is_member() => Ok(()),
            RoomKind::Private | RoomKind::Direct | RoomKind::Unknown => {
                Err(Missing::Membership.into())
            }
        }
    }

    /// The user may be there, and the room takes what they write.
    pub(super) fn accepts_writing(&self) -> error::Result<()> {
        self.admits()?;
        let moderates = matches!(self.role, Some(Role::Moderator | Role::Owner));
        if self.archived || (self.read_only && !moderates) {
            return Err(Conflict::ReadOnly.into());
        }
        Ok(())
    }
}
