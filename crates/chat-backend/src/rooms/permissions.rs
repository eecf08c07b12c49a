//! Who may do what in which room: one table, used by HTTP and socket alike.

use chat_types::room::{Role, RoomKind};

/// Something that is done in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// See the room, its messages and its members.
    Read,
    /// Send, edit, react; show that one is typing.
    Write,
    /// The same while the room is read-only.
    WriteReadOnly,
    /// Delete one's own message.
    DeleteOwn,
    /// Delete anybody's message.
    DeleteAny,
    /// Pin and unpin.
    Pin,
    /// Become a member without an invite.
    Join,
    /// Stop being a member.
    Leave,
    /// Make an invite.
    Invite,
    /// Change name, topic or state.
    Change,
}

/// What a caller is to a room, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Not signed in.
    Visitor,
    /// Signed in, not a member.
    Stranger,
    /// A member who is a guest.
    Guest,
    /// A member with an account.
    Member,
    /// Keeps order.
    Moderator,
    /// Owns the room.
    Owner,
    /// More than anyone has: for what is not done in a kind of room.
    Nobody,
}

impl Standing {
    /// What a member of this role is.
    pub const fn of(role: Role) -> Self {
        match role {
            Role::Owner => Self::Owner,
            Role::Moderator => Self::Moderator,
            Role::Member => Self::Member,
            Role::Guest | Role::Unknown => Self::Guest,
        }
    }
}

/// The least standing for each act in page, public, private and direct rooms.
pub const TABLE: [(Act, [Standing; 4]); 10] = {
    use Standing::{Guest, Member, Moderator, Nobody, Owner, Stranger, Visitor};
    [
        //                    page       public     private    direct
        (Act::Read, [Visitor, Visitor, Guest, Guest]),
        (Act::Write, [Stranger, Stranger, Guest, Guest]),
        (
            Act::WriteReadOnly,
            [Moderator, Moderator, Moderator, Nobody],
        ),
        (Act::DeleteOwn, [Stranger, Stranger, Guest, Guest]),
        (Act::DeleteAny, [Moderator, Moderator, Moderator, Nobody]),
        (Act::Pin, [Moderator, Moderator, Moderator, Guest]),
        (Act::Join, [Stranger, Stranger, Nobody, Nobody]),
        (Act::Leave, [Guest, Guest, Guest, Nobody]),
        (Act::Invite, [Nobody, Member, Member, Nobody]),
        (Act::Change, [Owner, Owner, Owner, Nobody]),
    ]
};

/// Whether this standing may do this in a room of this kind.
pub fn allowed(act: Act, kind: RoomKind, standing: Standing) -> bool {
    let column = match kind {
        RoomKind::Page => 0,
        RoomKind::Public => 1,
        RoomKind::Private => 2,
        RoomKind::Direct => 3,
        RoomKind::Unknown => return false,
    };
    let row = TABLE.iter().find(|(row, _)| *row == act);
    row.is_some_and(|(_, least)| standing >= least[column])
}
