//! Errors: why a database does not open, and how SQL's errors become those of the domain.

use std::path::PathBuf;

use chat_store::{Conflict, Missing, StoreError};

/// Why a database does not open. Each is one sentence for the person who starts the service.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or this one, has the database open.
    #[error(
        "the database {path} is in use by another process; one SQLite file serves one process \
         at a time"
    )]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// A newer version of the service migrated the database, and left this one behind.
    #[error(
        "the database {path} has schema version {found}, on which only a version of the service \
         that knows schema version {oldest} can work; this one knows only up to {known}; start the \
         newer version or restore an older backup"
    )]
    NewerSchema {
        /// The database file.
        path: PathBuf,
        /// The version in the file.
        found: i64,
        /// The oldest version that has to be known to work on it.
        oldest: i64,
        /// The newest version known here.
        known: i64,
    },
    /// The file, its lock or its folder cannot be made or opened.
    #[error("the database {path} cannot be opened or created: {source}")]
    Path {
        /// The file that failed.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not a database, or the database refuses to work.
    #[error("the database {path} cannot be used: {source}")]
    Database {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// What is to be copied is no database of this service, or only a part of one.
    #[error("{path} is no whole database of this service; nothing was changed")]
    Incomplete {
        /// The file.
        path: PathBuf,
    },
    /// What is to be restored is a database that is used, or what is left of one.
    #[error(
        "{path} is no backup: what was written to it last is in the file beside it, or it is the \
         database itself; make one with `chat-backend backup`"
    )]
    NoBackup {
        /// The file.
        path: PathBuf,
    },
    /// What lies in the place of a backup that is restored cannot be read.
    #[error(
        "the database {path}, in whose place the backup would go, cannot be read: {source}; move \
         it and the files beside it away, and restore again"
    )]
    InTheWay {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// A migration failed.
    #[error("the database {path} cannot be migrated: {source}")]
    Migration {
        /// The database file.
        path: PathBuf,
        /// What went wrong.
        source: sqlx::migrate::MigrateError,
    },
    /// The database does not keep a promise that the service gives.
    #[error("the database {path} has {pragma} = {found}, but it must be {wanted}")]
    Pragma {
        /// The database file.
        path: PathBuf,
        /// Which setting.
        pragma: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        wanted: &'static str,
    },
}

/// A [`StoreError`] that `?` makes from SQL's errors.
#[derive(Debug)]
pub(crate) struct Failure(StoreError);

/// What the functions that speak SQL return.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A row that cannot become a record.
    pub(crate) fn damaged(column: &'static str) -> Self {
        Self(StoreError::Damaged(column.to_owned()))
    }

    /// Whether this is a violation of the uniqueness of `columns`, as SQLite names them.
    fn conflict(error: &sqlx::Error) -> Option<Conflict> {
        let message = error.as_database_error()?.message();
        let columns = message.strip_prefix("UNIQUE constraint failed: ")?;
        match columns {
            "users.username" => Some(Conflict::UsernameTaken),
            "users.skeleton" => Some(Conflict::NameTaken),
            "users.id"
            | "sessions.id"
            | "rooms.id"
            | "messages.id"
            | "refresh_tokens.hash"
            | "invites.code" => Some(Conflict::IdExists),
            _ => None,
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self(error)
    }
}

impl From<Missing> for Failure {
    fn from(missing: Missing) -> Self {
        Self(StoreError::NotFound(missing))
    }
}

impl From<Conflict> for Failure {
    fn from(conflict: Conflict) -> Self {
        Self(StoreError::Conflict(conflict))
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error;
        if let Some(conflict) = Self::conflict(&error) {
            return conflict.into();
        }
        Self(match error {
            Error::ColumnDecode { .. }
            | Error::ColumnNotFound(_)
            | Error::ColumnIndexOutOfBounds { .. }
            | Error::Decode(_)
            | Error::RowNotFound
            | Error::TypeNotFound { .. } => StoreError::Damaged(error.to_string()),
            other => StoreError::Unavailable(other.to_string()),
        })
    }
}
