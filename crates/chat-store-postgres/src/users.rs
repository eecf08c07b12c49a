//! Guests and accounts.

use async_trait::async_trait;
use chat_store::{
    Conflict, Credentials, Missing, NewAccount, NewGuest, NewPassword, Result, StoreError,
    UpgradeGuest, Upgraded, UserRecord, Users,
};
use chat_types::event::{Change, Event, UserKind};
use chat_types::id::{RoomId, SessionId, UserId};
use chat_types::room::Role;
use chat_types::text::{Nickname, Username};
use chat_types::time::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{self, Failure};
use crate::memberships::{self, MembershipRow};
use crate::value::{instant, integer, user_kind};
use crate::{PostgresStore, rooms, sessions};

const USER: &str = "SELECT id, name, kind, username, created_at FROM users WHERE id = $1";

const CREDENTIALS: &str = "\
SELECT id, name, kind, username, created_at, password_hash FROM users WHERE username = $1";

const PASSWORD_HASH: &str = "SELECT password_hash FROM users WHERE id = $1";

const SET_PASSWORD_HASH: &str =
    "UPDATE users SET password_hash = $2 WHERE id = $1 AND kind = 'account'";

/// Makes the user, unless somebody has the skeleton: also somebody who is being made this moment on
/// another node, for whose end this waits.
const INSERT_USER: &str = "\
INSERT INTO users (id, name, skeleton, kind, username, password_hash, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (skeleton) DO NOTHING";

const RENAME: &str = "\
UPDATE users SET name = $2, skeleton = $3
WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM users WHERE skeleton = $3 AND id <> $1)";

/// Locks users: their kind, their sessions and how many rooms they are in are changed by one at a
/// time.
const LOCK_USERS: &str = "SELECT id FROM users WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE";

const UPGRADE: &str = "\
UPDATE users SET kind = 'account', username = $2, password_hash = $3 WHERE id = $1";

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
impl Users for PostgresStore {
    async fn create_guest(&self, guest: NewGuest) -> Result<UserRecord> {
        self.calls
            .write(guest, |connection, guest| {
                Box::pin(
                    async move { insert(connection, guest.id, &guest.names, None, guest.at).await },
                )
            })
            .await
    }

    async fn create_account(&self, account: NewAccount) -> Result<UserRecord> {
        self.calls
            .write(account, |connection, account| {
                Box::pin(async move {
                    let login = Login {
                        username: &account.username,
                        password_hash: &account.password_hash,
                    };
                    let names = &account.names;
                    insert(connection, account.id, names, Some(&login), account.at).await
                })
            })
            .await
    }

    async fn upgrade_guest(&self, upgrade: UpgradeGuest) -> Result<Upgraded> {
        self.calls
            .write(upgrade, |connection, upgrade| {
                Box::pin(upgrade_guest(connection, upgrade))
            })
            .await
    }

    async fn user(&self, id: UserId) -> Result<Option<UserRecord>> {
        self.calls
            .read(|connection| Box::pin(user(connection, id)))
            .await
    }

    async fn credentials(&self, username: &Username) -> Result<Option<Credentials>> {
        let username = username.clone();
        self.calls
            .read(|connection| Box::pin(credentials(connection, username)))
            .await
    }

    async fn password_hash(&self, id: UserId) -> Result<Option<String>> {
        self.calls
            .read(|connection| Box::pin(password_hash(connection, id)))
            .await
    }

    async fn change_password(&self, password: NewPassword) -> Result<Vec<SessionId>> {
        self.calls
            .write(password, |connection, password| {
                Box::pin(change_password(connection, password))
            })
            .await
    }
}

async fn credentials(
    connection: &mut PgConnection,
    username: Username,
) -> error::Result<Option<Credentials>> {
    let row: Option<CredentialsRow> = sqlx::query_as(CREDENTIALS)
        .bind(username.as_str())
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Credentials {
        user: row.user.into_record()?,
        password_hash: row.password_hash,
    }))
}

async fn password_hash(connection: &mut PgConnection, id: UserId) -> error::Result<Option<String>> {
    let hash: Option<Option<String>> = sqlx::query_scalar(PASSWORD_HASH)
        .bind(*id.as_uuid())
        .fetch_optional(connection)
        .await?;
    Ok(hash.flatten())
}

async fn change_password(
    connection: &mut PgConnection,
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
    connection: &mut PgConnection,
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
    connection: &mut PgConnection,
    id: UserId,
) -> error::Result<UserRecord> {
    let user = user(connection, id).await?;
    user.ok_or_else(|| Missing::User.into())
}

/// Locks users, those that exist, by rising id. After their rooms, never before.
pub(crate) async fn lock(connection: &mut PgConnection, users: &[UserId]) -> error::Result<()> {
    let ids: Vec<Uuid> = users.iter().map(|user| *user.as_uuid()).collect();
    sqlx::query(LOCK_USERS)
        .bind(ids)
        .execute(connection)
        .await?;
    Ok(())
}

/// Makes a user with the first of the names that nobody has.
async fn insert(
    connection: &mut PgConnection,
    id: UserId,
    names: &[Nickname],
    login: Option<&Login<'_>>,
    at: Timestamp,
) -> error::Result<UserRecord> {
    let kind = if login.is_some() { "account" } else { "guest" };
    for name in names {
        let done = sqlx::query(INSERT_USER)
            .bind(*id.as_uuid())
            .bind(name.as_str())
            .bind(String::from(name.skeleton()))
            .bind(kind)
            .bind(login.map(|login| login.username.as_str()))
            .bind(login.map(|login| login.password_hash))
            .bind(integer(at.0))
            .execute(&mut *connection)
            .await?;
        if done.rows_affected() == 1 {
            return require(connection, id).await;
        }
    }
    Err(Conflict::NameTaken.into())
}

/// The rooms before the user, as everybody locks them.
async fn upgrade_guest(
    connection: &mut PgConnection,
    upgrade: UpgradeGuest,
) -> error::Result<Upgraded> {
    let memberships = memberships::of_user(connection, upgrade.id).await?;
    let locked: Vec<RoomId> = memberships.into_iter().map(|(room, _)| room).collect();
    rooms::lock(connection, &locked).await?;
    lock(connection, &[upgrade.id]).await?;
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
        rename(connection, upgrade.id, &upgrade.names).await?;
    }
    let user = require(connection, upgrade.id).await?;
    let events = announce(connection, &user, &locked, upgrade.at).await?;
    Ok(Upgraded { user, events })
}

/// Gives a user the first of the names that nobody else has.
async fn rename(
    connection: &mut PgConnection,
    id: UserId,
    names: &[Nickname],
) -> error::Result<()> {
    for name in names {
        let done = sqlx::query(RENAME)
            .bind(*id.as_uuid())
            .bind(name.as_str())
            .bind(String::from(name.skeleton()))
            .execute(&mut *connection)
            .await
            .map_err(|error| match Failure::from(error) {
                // Somebody took it this moment; with the next look it is taken.
                Failure::Refused(StoreError::Conflict(Conflict::NameTaken)) => {
                    Failure::Undone("a name was taken meanwhile".to_owned())
                }
                other => other,
            })?;
        if done.rows_affected() == 1 {
            return Ok(());
        }
    }
    Err(Conflict::NameTaken.into())
}

/// Takes a `seq` in each room of the user, which are locked, for what they are now.
async fn announce(
    connection: &mut PgConnection,
    user: &UserRecord,
    locked: &[RoomId],
    at: Timestamp,
) -> error::Result<Vec<Event>> {
    let mut events = Vec::new();
    for (room, row) in memberships::of_user(connection, user.id).await? {
        if !locked.contains(&room) {
            // Locked now, it would be out of order. No further one comes while the user is locked.
            return Err(Failure::Undone("a room was joined meanwhile".to_owned()));
        }
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
