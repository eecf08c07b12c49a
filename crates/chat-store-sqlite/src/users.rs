//! Guests and accounts.

use async_trait::async_trait;
use chat_store::{
    Conflict, Credentials, Missing, NewAccount, NewGuest, NewPassword, Result, UpgradeGuest,
    Upgraded, UserRecord, Users,
};
use chat_types::event::{Change, Event, UserKind};
use chat_types::id::{SessionId, UserId};
use chat_types::room::Role;
use chat_types::text::{Nickname, Username};
use chat_types::time::Timestamp;
use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::error::{self, Failure};
use crate::memberships::{self, MembershipRow};
use crate::value::{instant, integer, user_kind};
use crate::{SqliteStore, rooms, sessions};

const USER: &str = "SELECT id, name, kind, username, created_at FROM users WHERE id = ?1";

const CREDENTIALS: &str = "\
SELECT id, name, kind, username, created_at, password_hash FROM users WHERE username = ?1";

const PASSWORD_HASH: &str = "SELECT password_hash FROM users WHERE id = ?1";

const SET_PASSWORD_HASH: &str =
    "UPDATE users SET password_hash = ?2 WHERE id = ?1 AND kind = 'account'";

/// Whether somebody but `?2` has the skeleton.
const SKELETON_TAKEN: &str = "SELECT EXISTS (SELECT 1 FROM users WHERE skeleton = ?1 AND id <> ?2)";

const INSERT_USER: &str = "\
INSERT INTO users (id, name, skeleton, kind, username, password_hash, created_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

const RENAME: &str = "UPDATE users SET name = ?2, skeleton = ?3 WHERE id = ?1";

const UPGRADE: &str = "\
UPDATE users SET kind = 'account', username = ?2, password_hash = ?3 WHERE id = ?1";

#[derive(sqlx::FromRow)]
pub(crate) struct UserRow {
    id: Uuid,
    name: String,
    kind: String,
    username: Option<String>,
    created_at: i64,
}

#[derive(sqlx::FromRow)]
struct CredentialsRow {
    #[sqlx(flatten)]
    user: UserRow,
    password_hash: String,
}

impl UserRow {
    pub(crate) fn into_record(self) -> error::Result<UserRecord> {
        Ok(UserRecord {
            id: UserId::from_uuid(self.id),
            name: self.name,
            kind: user_kind(&self.kind)?,
            username: self.username,
            created_at: instant(self.created_at)?,
        })
    }
}

#[async_trait]
impl Users for SqliteStore {
    async fn create_guest(&self, guest: NewGuest) -> Result<UserRecord> {
        self.write(move |connection| {
            Box::pin(async move {
                let name = free_name(connection, guest.id, &guest.names).await?;
                insert(connection, guest.id, &name, None, guest.at).await
            })
        })
        .await
    }

    async fn create_account(&self, account: NewAccount) -> Result<UserRecord> {
        self.write(move |connection| {
            Box::pin(async move {
                let name = free_name(connection, account.id, &account.names).await?;
                let login = Login {
                    username: &account.username,
                    password_hash: &account.password_hash,
                };
                insert(connection, account.id, &name, Some(login), account.at).await
            })
        })
        .await
    }

    async fn upgrade_guest(&self, upgrade: UpgradeGuest) -> Result<Upgraded> {
        self.write(move |connection| Box::pin(upgrade_guest(connection, upgrade)))
            .await
    }

    async fn user(&self, id: UserId) -> Result<Option<UserRecord>> {
        let mut snapshot = self.read().await?;
        Ok(user(&mut snapshot, id).await?)
    }

    async fn credentials(&self, username: &Username) -> Result<Option<Credentials>> {
        let mut snapshot = self.read().await?;
        let row: Option<CredentialsRow> = sqlx::query_as(CREDENTIALS)
            .bind(username.as_str())
            .fetch_optional(&mut *snapshot)
            .await
            .map_err(Failure::from)?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Credentials {
            user: row.user.into_record()?,
            password_hash: row.password_hash,
        }))
    }

    async fn password_hash(&self, id: UserId) -> Result<Option<String>> {
        let mut snapshot = self.read().await?;
        let hash: Option<Option<String>> = sqlx::query_scalar(PASSWORD_HASH)
            .bind(*id.as_uuid())
            .fetch_optional(&mut *snapshot)
            .await
            .map_err(Failure::from)?;
        Ok(hash.flatten())
    }

    async fn change_password(&self, password: NewPassword) -> Result<Vec<SessionId>> {
        self.write(move |connection| Box::pin(change_password(connection, password)))
            .await
    }
}

async fn change_password(
    connection: &mut SqliteConnection,
    new: NewPassword,
) -> error::Result<Vec<SessionId>> {
    let done = sqlx::query(SET_PASSWORD_HASH)
        .bind(*new.user.as_uuid())
        .bind(new.password_hash)
        .execute(&mut *connection)
        .await?;
    if done.rows_affected() == 0 {
        return Err(Missing::User.into());
    }
    sessions::revoke_all(connection, new.user, Some(new.keep), new.at).await
}

/// What an account signs in with.
struct Login<'a> {
    username: &'a Username,
    password_hash: &'a str,
}

/// The user, or that there is none.
pub(crate) async fn user(
    connection: &mut SqliteConnection,
    id: UserId,
) -> error::Result<Option<UserRecord>> {
    let row: Option<UserRow> = sqlx::query_as(USER)
        .bind(*id.as_uuid())
        .fetch_optional(connection)
        .await?;
    row.map(UserRow::into_record).transpose()
}

/// The user, or `NotFound(User)`.
pub(crate) async fn require(
    connection: &mut SqliteConnection,
    id: UserId,
) -> error::Result<UserRecord> {
    let user = user(connection, id).await?;
    user.ok_or_else(|| Missing::User.into())
}

/// The first name that nobody but `id` has or looks like.
async fn free_name(
    connection: &mut SqliteConnection,
    id: UserId,
    names: &[Nickname],
) -> error::Result<Nickname> {
    for name in names {
        let taken: bool = sqlx::query_scalar(SKELETON_TAKEN)
            .bind(String::from(name.skeleton()))
            .bind(*id.as_uuid())
            .fetch_one(&mut *connection)
            .await?;
        if !taken {
            return Ok(name.clone());
        }
    }
    Err(Conflict::NameTaken.into())
}

async fn insert(
    connection: &mut SqliteConnection,
    id: UserId,
    name: &Nickname,
    login: Option<Login<'_>>,
    at: Timestamp,
) -> error::Result<UserRecord> {
    let kind = if login.is_some() { "account" } else { "guest" };
    sqlx::query(INSERT_USER)
        .bind(*id.as_uuid())
        .bind(name.as_str())
        .bind(String::from(name.skeleton()))
        .bind(kind)
        .bind(login.as_ref().map(|login| login.username.as_str()))
        .bind(login.as_ref().map(|login| login.password_hash))
        .bind(integer(at.0))
        .execute(&mut *connection)
        .await?;
    require(connection, id).await
}

async fn upgrade_guest(
    connection: &mut SqliteConnection,
    upgrade: UpgradeGuest,
) -> error::Result<Upgraded> {
    let before = require(connection, upgrade.id).await?;
    if before.kind != UserKind::Guest {
        return Err(Conflict::NotAGuest.into());
    }
    sqlx::query(UPGRADE)
        .bind(*upgrade.id.as_uuid())
        .bind(upgrade.username.as_str())
        .bind(upgrade.password_hash)
        .execute(&mut *connection)
        .await?;
    if !upgrade.names.is_empty() {
        let name = free_name(connection, upgrade.id, &upgrade.names).await?;
        sqlx::query(RENAME)
            .bind(*upgrade.id.as_uuid())
            .bind(name.as_str())
            .bind(String::from(name.skeleton()))
            .execute(&mut *connection)
            .await?;
    }
    let user = require(connection, upgrade.id).await?;
    let events = announce(connection, &user, upgrade.at).await?;
    Ok(Upgraded { user, events })
}

/// Takes a `seq` in each room of the user for what they are now.
async fn announce(
    connection: &mut SqliteConnection,
    user: &UserRecord,
    at: Timestamp,
) -> error::Result<Vec<Event>> {
    let mut events = Vec::new();
    for (room, row) in memberships::of_user(connection, user.id).await? {
        let role = match row.role()? {
            Role::Guest => Role::Member,
            role => role,
        };
        let seq = rooms::next_seq(connection, room).await?;
        memberships::change_role(connection, room, user.id, role, seq).await?;
        let member = MembershipRow::member(&row, user.to_user(), role)?;
        events.push(Event {
            room,
            seq,
            at,
            change: Change::Member { member },
        });
    }
    Ok(events)
}
