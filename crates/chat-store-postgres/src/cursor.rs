//! Where a page of a list begins: the sort key of the last row that was shown, so that rows that
//! come or go elsewhere move nothing.

use chat_store::ListCursor;
use uuid::Uuid;

/// Starts a cursor of a list of rooms.
const ROOMS: &str = "r";
/// Starts a cursor of a list of members.
const MEMBERS: &str = "m";

/// The last room of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RoomKey {
    pub(crate) active_at: i64,
    pub(crate) id: Uuid,
}

/// The last member of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MemberKey {
    pub(crate) role: i16,
    pub(crate) joined_at: i64,
    pub(crate) user: Uuid,
}

impl RoomKey {
    /// Before the first room: every room sorts after it.
    pub(crate) const START: Self = Self {
        active_at: i64::MAX,
        id: Uuid::max(),
    };

    pub(crate) fn encode(self) -> ListCursor {
        ListCursor(format!("{ROOMS}.{}.{}", self.active_at, self.id.simple()))
    }

    /// Reads a cursor; the start for one that is absent or was not made here.
    pub(crate) fn decode(cursor: Option<&ListCursor>) -> Self {
        let parsed = cursor.and_then(|cursor| {
            let [active_at, id] = fields(cursor, ROOMS)?;
            Some(Self {
                active_at: active_at.parse().ok()?,
                id: Uuid::parse_str(id).ok()?,
            })
        });
        parsed.unwrap_or(Self::START)
    }
}

impl MemberKey {
    /// Before the first member: every member sorts after it.
    pub(crate) const START: Self = Self {
        role: i16::MAX,
        joined_at: 0,
        user: Uuid::nil(),
    };

    pub(crate) fn encode(self) -> ListCursor {
        let user = self.user.simple();
        ListCursor(format!("{MEMBERS}.{}.{}.{user}", self.role, self.joined_at))
    }

    /// Reads a cursor; the start for one that is absent or was not made here.
    pub(crate) fn decode(cursor: Option<&ListCursor>) -> Self {
        let parsed = cursor.and_then(|cursor| {
            let [role, joined_at, user] = fields(cursor, MEMBERS)?;
            Some(Self {
                role: role.parse().ok()?,
                joined_at: joined_at.parse().ok()?,
                user: Uuid::parse_str(user).ok()?,
            })
        });
        parsed.unwrap_or(Self::START)
    }
}

fn fields<'c, const N: usize>(cursor: &'c ListCursor, list: &str) -> Option<[&'c str; N]> {
    let rest = cursor.0.strip_prefix(list)?.strip_prefix('.')?;
    let fields: Vec<&str> = rest.split('.').collect();
    fields.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text() {
        let room = RoomKey {
            active_at: 17,
            id: Uuid::from_u128(5),
        };
        assert_eq!(RoomKey::decode(Some(&room.encode())), room);
        let member = MemberKey {
            role: 3,
            joined_at: 9,
            user: Uuid::from_u128(7),
        };
        assert_eq!(MemberKey::decode(Some(&member.encode())), member);
    }

    #[test]
    fn a_cursor_of_another_list_is_the_start() {
        let room = RoomKey {
            active_at: 17,
            id: Uuid::from_u128(5),
        };
        assert_eq!(MemberKey::decode(Some(&room.encode())), MemberKey::START);
    }
}
