//! What can go wrong in a store, in words of the domain.

/// Why a call did not happen. Nothing was written, except perhaps with
/// [`Unavailable`](StoreError::Unavailable).
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The thing that the call is about does not exist.
    #[error("{0} not found")]
    NotFound(Missing),
    /// It contradicts what is stored.
    #[error("{0}")]
    Conflict(Conflict),
    /// One more than the limit, for example different emoji under one message.
    #[error("limit reached: {0}")]
    LimitReached(&'static str),
    /// The database cannot be reached, is busy beyond its time limit, or is closing. The same call
    /// may succeed later. If the connection broke while a commit was under way, the whole of the call
    /// may have happened, never a part of it; a message that is sent again is found by its client id.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A row cannot become a record: the data is damaged or from another version.
    #[error("damaged row: {0}")]
    Damaged(String),
}

/// What was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// A user.
    #[error("user")]
    User,
    /// A session.
    #[error("session")]
    Session,
    /// A room.
    #[error("room")]
    Room,
    /// A membership.
    #[error("membership")]
    Membership,
    /// A message.
    #[error("message")]
    Message,
    /// An invite, or one that has ended.
    #[error("invite")]
    Invite,
    /// A site.
    #[error("site")]
    Site,
}

/// Which rule a call would have broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The username belongs to another account.
    #[error("the username is taken")]
    UsernameTaken,
    /// The name, or one that looks like it, belongs to another user.
    #[error("the name is taken")]
    NameTaken,
    /// The user has an account already.
    #[error("the user is not a guest")]
    NotAGuest,
    /// The client id made a message with another body, or a reply to another message.
    #[error("the client id was used for another message")]
    ClientIdReused,
    /// The room is archived, or it is read-only and the user is no moderator.
    #[error("nothing can be written in the room now")]
    ReadOnly,
    /// The message was deleted.
    #[error("the message was deleted")]
    MessageDeleted,
    /// The id exists already.
    #[error("the id exists")]
    IdExists,
}
