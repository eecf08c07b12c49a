//! Errors: why a database does not open, and how SQL's errors become those of the domain.

use chat_store::{Conflict, Missing, StoreError};

/// Why a database does not open. Each is one sentence for the person who starts the service; none
/// tells a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL cannot be read.
    #[error(
        "the database's URL cannot be read: {0}; it is `postgres://user:password@host:5432/database`"
    )]
    Url(sqlx::Error),
    /// The URL has a parameter that means nothing.
    #[error("the database's URL has a parameter `{0}`, which is none; `sslmode` is one")]
    Parameter(String),
    /// Nobody answers, or not as PostgreSQL.
    #[error(
        "the database {place} cannot be reached: {source}; check that PostgreSQL runs there and that the URL is right"
    )]
    Unreachable {
        /// Host, port and database.
        place: String,
        /// What went wrong.
        source: sqlx::Error,
    },
    /// There is nothing in it.
    #[error("the database {place} is empty; restore the backup first")]
    Empty {
        /// Host, port and database.
        place: String,
    },
    /// The server is too old.
    #[error("the database {place} is PostgreSQL {found}; version {oldest} or newer is needed")]
    Version {
        /// Host, port and database.
        place: String,
        /// Its version.
        found: u32,
        /// The oldest one that will do.
        oldest: u32,
    },
    /// The server does not keep a promise that the service gives.
    #[error("the database {place} has {setting} = {found}; {wanted}")]
    Setting {
        /// Host, port and database.
        place: String,
        /// Which setting.
        setting: &'static str,
        /// What it is.
        found: String,
        /// What it must be, and why.
        wanted: &'static str,
    },
    /// A newer version of the service migrated the database, and left this one behind.
    #[error(
        "the database {place} has schema version {found}, on which only a version of the service that knows schema version {oldest} can work; this one knows only up to {known}; start the newer version or restore an older backup"
    )]
    NewerSchema {
        /// Host, port and database.
        place: String,
        /// The version in the database.
        found: i64,
        /// The oldest version that has to be known to work on it.
        oldest: i64,
        /// The newest version known here.
        known: i64,
    },
    /// A migration failed.
    #[error("the database {place} cannot be migrated: {source}")]
    Migration {
        /// Host, port and database.
        place: String,
        /// What went wrong.
        source: sqlx::migrate::MigrateError,
    },
}

/// What `?` makes from SQL's errors.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What the caller is told.
    Refused(StoreError),
    /// The database undid the transaction for the sake of another one: the same again may work.
    Undone(String),
}

/// What the functions that speak SQL return.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A row that cannot become a record.
    pub(crate) fn damaged(column: &'static str) -> Self {
        Self::Refused(StoreError::Damaged(column.to_owned()))
    }

    /// The database does not answer as it should; nothing is known of what was under way.
    pub(crate) fn unavailable(why: impl Into<String>) -> Self {
        Self::Refused(StoreError::Unavailable(why.into()))
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => error,
            Failure::Undone(why) => Self::Unavailable(why),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<Missing> for Failure {
    fn from(missing: Missing) -> Self {
        Self::Refused(StoreError::NotFound(missing))
    }
}

impl From<Conflict> for Failure {
    fn from(conflict: Conflict) -> Self {
        Self::Refused(StoreError::Conflict(conflict))
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error;
        match &error {
            Error::Database(refusal) => of_database(&**refusal),
            Error::ColumnDecode { .. }
            | Error::ColumnNotFound(_)
            | Error::ColumnIndexOutOfBounds { .. }
            | Error::Decode(_)
            | Error::RowNotFound
            | Error::TypeNotFound { .. } => Self::Refused(StoreError::Damaged(error.to_string())),
            _ => Self::unavailable(error.to_string()),
        }
    }
}

/// The meaning of an SQLSTATE (PostgreSQL's appendix A).
fn of_database(error: &dyn sqlx::error::DatabaseError) -> Failure {
    let code = error.code().unwrap_or_default();
    let said = || format!("{code}: {}", error.message());
    match &*code {
        // A constraint that somebody else reached first.
        "23503" | "23505" => match error.constraint().and_then(of_constraint) {
            Some(refusal) => Failure::Refused(refusal),
            None => Failure::unavailable(said()),
        },
        // Serialization failure, deadlock.
        "40001" | "40P01" => Failure::Undone(said()),
        // Values or names that the schema does not have.
        code if code.starts_with("22") || code.starts_with("42") => {
            Failure::Refused(StoreError::Damaged(said()))
        }
        _ => Failure::unavailable(said()),
    }
}

fn of_constraint(name: &str) -> Option<StoreError> {
    Some(match name {
        "users_username_key" => StoreError::Conflict(Conflict::UsernameTaken),
        "users_skeleton_key" => StoreError::Conflict(Conflict::NameTaken),
        "users_pkey"
        | "sessions_pkey"
        | "rooms_pkey"
        | "messages_pkey"
        | "refresh_tokens_pkey"
        | "invites_pkey" => StoreError::Conflict(Conflict::IdExists),
        "sessions_user_id_fkey"
        | "memberships_user_id_fkey"
        | "reactions_user_id_fkey"
        | "invites_created_by_fkey" => StoreError::NotFound(Missing::User),
        "rooms_site_fkey" => StoreError::NotFound(Missing::Site),
        "memberships_room_fkey" | "invites_room_fkey" => StoreError::NotFound(Missing::Room),
        _ => return None,
    })
}
