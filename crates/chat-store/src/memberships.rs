//! Who belongs to a room, with which role, how far they have read, and invites.

use async_trait::async_trait;
use chat_types::event::Event;
use chat_types::id::{Number, RoomId, UserId};
use chat_types::room::{Member, Role};
use chat_types::time::Timestamp;

use crate::{Result, RoomRecord, TokenHash};

/// Where a page of a list begins: opaque to callers, made by the store, at most 200 bytes of
/// visible ASCII. A cursor that the store did not make yields the first page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListCursor(pub String);

/// A user's place in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// What they may do.
    pub role: Role,
    /// Up to which message they have read.
    pub read: Number,
    /// Since when.
    pub joined_at: Timestamp,
}

/// A room as somebody finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The room.
    pub record: RoomRecord,
    /// Their own membership; none of a visitor.
    pub own: Option<OwnPlace>,
}

/// Somebody's own membership of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnPlace {
    /// As others see it.
    pub member: Member,
    /// Up to which message they have read.
    pub read: Number,
}

/// A membership to be made.
#[derive(Debug, Clone)]
pub struct NewMember {
    /// In which room.
    pub room: RoomId,
    /// Who.
    pub user: UserId,
    /// With which role.
    pub role: Role,
    /// Now.
    pub at: Timestamp,
}

/// The membership after joining.
#[derive(Debug, Clone)]
pub struct Joined {
    /// It.
    pub membership: Membership,
    /// The change to publish; `None` when the user was a member before, and then the role stays.
    pub event: Option<Event>,
}

/// An invite to be made.
#[derive(Clone)]
pub struct NewInvite {
    /// To which room.
    pub room: RoomId,
    /// The code's hash.
    pub code: TokenHash,
    /// By whom.
    pub by: UserId,
    /// Now.
    pub at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// One page of a room's members, highest role first, then longest membership, then id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberList {
    /// The members.
    pub members: Vec<Member>,
    /// Where the next page begins.
    pub next: Option<ListCursor>,
}

/// Memberships.
#[async_trait]
pub trait Memberships {
    /// A user's place in a room.
    async fn membership(&self, room: RoomId, user: UserId) -> Result<Option<Membership>>;

    /// Each of these rooms as its user, or a visitor, finds it: in the order asked, all from one
    /// snapshot. `None` where the room does not exist.
    async fn places(&self, asked: &[(RoomId, Option<UserId>)]) -> Result<Vec<Option<Place>>>;

    /// Makes a user a member. Reading begins at the newest message; who was a member before has read
    /// at least as far as then.
    ///
    /// # Errors
    /// `NotFound(Room)`, `NotFound(User)`, `LimitReached` for one more room than
    /// [`ROOMS_PER_USER`](chat_types::limits::ROOMS_PER_USER).
    async fn join(&self, member: NewMember) -> Result<Joined>;

    /// Ends a membership; `None` when there is none. Messages stay.
    async fn leave(&self, room: RoomId, user: UserId, at: Timestamp) -> Result<Option<Event>>;

    /// Changes a member's role; `None` when it already is so.
    ///
    /// # Errors
    /// `NotFound(Membership)`.
    async fn set_role(
        &self,
        room: RoomId,
        user: UserId,
        role: Role,
        at: Timestamp,
    ) -> Result<Option<Event>>;

    /// A page of a room's members.
    async fn members(
        &self,
        room: RoomId,
        cursor: Option<ListCursor>,
        limit: u32,
    ) -> Result<MemberList>;

    /// Moves a member's read position forward to `number`, at most to the newest message, never
    /// back; returns where it is now. It takes no `seq`.
    ///
    /// # Errors
    /// `NotFound(Membership)`.
    async fn mark_read(&self, room: RoomId, user: UserId, number: Number) -> Result<Number>;

    /// Makes an invite.
    ///
    /// # Errors
    /// `NotFound(Room)`.
    async fn create_invite(&self, invite: NewInvite) -> Result<()>;

    /// The room that a live invite leads to.
    async fn invited_room(&self, code: TokenHash, now: Timestamp) -> Result<Option<RoomId>>;
}
