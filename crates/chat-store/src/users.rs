//! Guests and accounts.

use async_trait::async_trait;
use chat_types::event::{Event, User, UserKind};
use chat_types::id::{SessionId, UserId};
use chat_types::text::{Nickname, Username};
use chat_types::time::Timestamp;

use crate::Result;

/// A user as stored, without their secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// Who.
    pub id: UserId,
    /// The name that others see.
    pub name: String,
    /// Guest or account.
    pub kind: UserKind,
    /// The name an account signs in with.
    pub username: Option<String>,
    /// When the user was made.
    pub created_at: Timestamp,
}

impl UserRecord {
    /// The user as others see them.
    pub fn to_user(&self) -> User {
        User {
            id: self.id,
            name: self.name.clone(),
            kind: self.kind,
        }
    }
}

/// A guest to be made.
#[derive(Debug, Clone)]
pub struct NewGuest {
    /// The new user's id.
    pub id: UserId,
    /// Names in the order of preference; the first whose look (skeleton) nobody has is taken.
    pub names: Vec<Nickname>,
    /// Now.
    pub at: Timestamp,
}

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The new user's id.
    pub id: UserId,
    /// The name to sign in with.
    pub username: Username,
    /// Names to show in the order of preference, as for a guest.
    pub names: Vec<Nickname>,
    /// The password's hash in PHC string format.
    pub password_hash: String,
    /// Now.
    pub at: Timestamp,
}

/// A guest who becomes an account.
#[derive(Debug, Clone)]
pub struct UpgradeGuest {
    /// The guest.
    pub id: UserId,
    /// The name to sign in with.
    pub username: Username,
    /// Names to show in the order of preference; empty: the guest keeps the name.
    pub names: Vec<Nickname>,
    /// The password's hash in PHC string format.
    pub password_hash: String,
    /// Now.
    pub at: Timestamp,
}

/// A guest who became an account.
#[derive(Debug, Clone)]
pub struct Upgraded {
    /// The user now.
    pub user: UserRecord,
    /// One `member` change in each room that the user is a member of, with the role `guest` raised
    /// to `member`. Rooms that the user left show the new name with the next load.
    pub events: Vec<Event>,
}

/// Another password of an account.
#[derive(Clone)]
pub struct NewPassword {
    /// Whose.
    pub user: UserId,
    /// The password's hash in PHC string format.
    pub password_hash: String,
    /// The session that goes on: the one that asked.
    pub keep: SessionId,
    /// Now.
    pub at: Timestamp,
}

/// What signing in is checked against.
#[derive(Clone)]
pub struct Credentials {
    /// The account.
    pub user: UserRecord,
    /// The password's hash in PHC string format.
    pub password_hash: String,
}

/// Guests and accounts.
#[async_trait]
pub trait Users {
    /// Makes a guest.
    ///
    /// # Errors
    /// `Conflict(NameTaken)` when every name is taken; `Conflict(IdExists)`.
    async fn create_guest(&self, guest: NewGuest) -> Result<UserRecord>;

    /// Makes an account.
    ///
    /// # Errors
    /// `Conflict(UsernameTaken)`, `Conflict(NameTaken)`, `Conflict(IdExists)`.
    async fn create_account(&self, account: NewAccount) -> Result<UserRecord>;

    /// Turns a guest into an account: same user, same messages, same sessions.
    ///
    /// # Errors
    /// `NotFound(User)`, `Conflict(NotAGuest)`, `Conflict(UsernameTaken)`, `Conflict(NameTaken)`.
    async fn upgrade_guest(&self, upgrade: UpgradeGuest) -> Result<Upgraded>;

    /// Looks a user up.
    async fn user(&self, id: UserId) -> Result<Option<UserRecord>>;

    /// Looks an account and its password hash up by username.
    async fn credentials(&self, username: &Username) -> Result<Option<Credentials>>;

    /// The password hash of an account; `None` for a guest or nobody.
    async fn password_hash(&self, id: UserId) -> Result<Option<String>>;

    /// Sets an account's password hash and revokes every session of it but the one to keep: both or
    /// neither. Returns the sessions that were live until now.
    ///
    /// # Errors
    /// `NotFound(User)` when there is no such account.
    async fn change_password(&self, password: NewPassword) -> Result<Vec<SessionId>>;
}
