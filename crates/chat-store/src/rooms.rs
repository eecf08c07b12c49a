//! Rooms of every kind and the lists of them.

use async_trait::async_trait;
use chat_types::event::Event;
use chat_types::id::{Epoch, Number, PageKey, RoomId, Seq, SiteKey, UserId};
use chat_types::room::{Room, RoomKind, RoomSummary};
use chat_types::text::{RoomName, Topic};
use chat_types::time::Timestamp;

use crate::{ListCursor, Result};

/// A room as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomRecord {
    /// The room as readers see it.
    pub room: Room,
    /// Its history.
    pub epoch: Epoch,
    /// The `seq` of its newest change.
    pub head: Seq,
    /// The number of its newest message.
    pub last_number: Number,
    /// How many members it has.
    pub members_count: u32,
}

/// A room to be made.
#[derive(Debug, Clone)]
pub struct NewRoom {
    /// The new room's id.
    pub id: RoomId,
    /// The kind, where the method does not imply it.
    pub kind: RoomKind,
    /// The name; absent in a direct room.
    pub name: Option<RoomName>,
    /// One line about it.
    pub topic: Option<Topic>,
    /// Its first history.
    pub epoch: Epoch,
    /// Now.
    pub at: Timestamp,
}

/// What to change of a room; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct RoomUpdate {
    /// A new name.
    pub name: Option<RoomName>,
    /// A new topic.
    pub topic: Option<Topic>,
    /// Archive or bring back.
    pub archived: Option<bool>,
    /// Only moderators write, or everyone.
    pub read_only: Option<bool>,
}

/// One page of a list of rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomList {
    /// The rooms.
    pub rooms: Vec<RoomSummary>,
    /// Where the next page begins.
    pub next: Option<ListCursor>,
}

/// Rooms.
#[async_trait]
pub trait Rooms {
    /// Makes a public or private room with `owner` as its first member (`seq` 1).
    ///
    /// # Errors
    /// `Conflict(IdExists)`, `NotFound(User)`, `LimitReached` as [`join`](crate::Memberships::join).
    async fn create_room(&self, room: NewRoom, owner: UserId) -> Result<RoomRecord>;

    /// Makes a public room without members if the store has no room of any kind; `None` if it
    /// has one. Concurrent starts make one room.
    async fn open_first(&self, room: NewRoom) -> Result<Option<RoomRecord>>;

    /// The room of a page, made from `room` if there is none; whether it was made. Concurrent
    /// first visits make one room.
    ///
    /// # Errors
    /// `NotFound(Site)`.
    async fn open_page(
        &self,
        site: &SiteKey,
        page: &PageKey,
        room: NewRoom,
    ) -> Result<(RoomRecord, bool)>;

    /// The direct room of two different users, made from `room` with both as members if there is
    /// none; whether it was made. The order of the two does not matter.
    ///
    /// # Errors
    /// `NotFound(User)`.
    async fn open_direct(
        &self,
        users: (UserId, UserId),
        room: NewRoom,
    ) -> Result<(RoomRecord, bool)>;

    /// Looks a room up.
    async fn room(&self, id: RoomId) -> Result<Option<RoomRecord>>;

    /// Changes a room; `None` when it already is so, and then no `seq` is taken.
    ///
    /// # Errors
    /// `NotFound(Room)`.
    async fn update_room(
        &self,
        id: RoomId,
        update: RoomUpdate,
        at: Timestamp,
    ) -> Result<Option<Event>>;

    /// A room as one viewer sees it in a list.
    async fn room_summary(&self, id: RoomId, viewer: Option<UserId>)
    -> Result<Option<RoomSummary>>;

    /// The rooms that a user is a member of, newest activity first.
    async fn rooms_of(
        &self,
        user: UserId,
        cursor: Option<ListCursor>,
        limit: u32,
    ) -> Result<RoomList>;

    /// Public rooms that are not archived, newest activity first, as the viewer sees them.
    async fn public_rooms(
        &self,
        viewer: Option<UserId>,
        cursor: Option<ListCursor>,
        limit: u32,
    ) -> Result<RoomList>;
}
