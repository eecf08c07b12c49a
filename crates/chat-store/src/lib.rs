//! What the service keeps, as traits: one per feature, collected by [`Store`].
//!
//! Guarantees that hold everywhere:
//! - A method is one transaction. When it returns an error, nothing was written; with
//!   [`StoreError::Unavailable`] it may be that all of it was, and never a part.
//! - A method that changes a room takes the room's next `seq` in that transaction under the room's
//!   lock and returns the [`Event`](chat_types::event::Event) to publish. `seq` is contiguous and
//!   its order is the commit order.
//! - What is returned is committed and survives the death of the process.
//! - Ids, instants and secrets' hashes are arguments: a store never asks a clock or a random source.
//! - Rights are the caller's business; the store enforces what must hold of the data.
//!
//! The suite in `conformance` (a feature) is the specification in executable form: every store runs it.

#![warn(missing_docs)]

#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod feed;
mod memberships;
mod messages;
mod purge;
mod rooms;
mod sessions;
mod sites;
mod users;

pub use error::{Conflict, Missing, StoreError};
pub use feed::{ChangesPage, Cursor, Feed, Snapshot, Start};
pub use memberships::{
    Joined, ListCursor, MemberList, Membership, Memberships, NewInvite, NewMember, OwnPlace, Place,
};
pub use messages::{
    Appended, Appending, DeleteMessage, EditMessage, HistoryFrom, Messages, NewMessage, SetPin,
    SetReaction,
};
pub use purge::{Purge, Purged, Purging};
pub use rooms::{NewRoom, RoomList, RoomRecord, RoomUpdate, Rooms};
pub use sessions::{
    Begun, FORGOTTEN_PER_ROTATION, NewSession, RotateRefresh, Rotation, SessionRecord, Sessions,
    TokenHash,
};
pub use sites::Sites;
pub use users::{
    Credentials, NewAccount, NewGuest, NewPassword, UpgradeGuest, Upgraded, UserRecord, Users,
};

/// Shorthand of this crate.
pub type Result<T> = std::result::Result<T, StoreError>;

/// How busy a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Connections of the pool to the database that are open.
    pub connections: usize,
    /// Those of them that nobody uses.
    pub idle: usize,
    /// Connections of the pool at most.
    pub limit: usize,
    /// Writes that wait for a writer.
    pub waiting: usize,
}

/// Everything the service keeps.
#[async_trait::async_trait]
pub trait Store:
    Users + Sessions + Rooms + Memberships + Messages + Feed + Sites + Purging + Send + Sync
{
    /// Answers when the database can be read and written now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn check(&self) -> Result<()>;

    /// Whether calls can still succeed in this process: not once the store is closed or a part of it
    /// ended by mistake. Then only a new process helps.
    fn is_usable(&self) -> bool;

    /// How busy the store is now.
    fn load(&self) -> Load;

    /// Finishes writes under way and closes. Later calls return [`StoreError::Unavailable`].
    async fn close(&self);
}
