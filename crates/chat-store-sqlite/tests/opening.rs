//! Opening a database: what is refused, and what is in force.

#![expect(clippy::unwrap_used, reason = "the helpers are parts of the tests")]

use std::path::Path;

use chat_store::{Store, StoreError};
use chat_store_sqlite::{OpenError, SqliteStore, migrate};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

async fn raw(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path);
    options.connect().await.unwrap()
}

fn sentence(opened: Result<SqliteStore, OpenError>) -> String {
    match opened {
        Ok(_) => panic!("it opened"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_second_open_of_one_file_is_refused_until_the_first_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let first = SqliteStore::open(&path).await.unwrap();
    let second = sentence(SqliteStore::open(&path).await);
    assert!(second.contains("is in use by another process"), "{second}");
    assert!(matches!(migrate(&path).await, Err(OpenError::InUse { .. })));
    first.check().await.unwrap();
    first.close().await;
    SqliteStore::open(&path)
        .await
        .unwrap()
        .check()
        .await
        .unwrap();
}

/// A migrated file on which a newer release's migration was run as well, for programs that know
/// version `known + left_behind` or newer; also what is known here.
async fn of_a_newer_release(path: &Path, left_behind: i64) -> i64 {
    migrate(path).await.unwrap();
    let mut connection = raw(path).await;
    let newest = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations");
    let known: i64 = newest.fetch_one(&mut connection).await.unwrap();
    for statement in [
        "INSERT INTO _sqlx_migrations
             (version, description, success, checksum, execution_time)
         VALUES (9999, 'of the future', 1, x'00', 0)",
        "ALTER TABLE rooms ADD COLUMN of_the_future TEXT",
    ] {
        sqlx::query(statement)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    sqlx::query("UPDATE schema_floor SET oldest = ?")
        .bind(known + left_behind)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    known
}

#[tokio::test]
async fn a_newer_schema_that_still_serves_this_release_is_worked_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    of_a_newer_release(&path, 0).await;
    migrate(&path).await.unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    store.check().await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_newer_schema_that_left_this_release_behind_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let known = of_a_newer_release(&path, 1).await;
    let said = sentence(SqliteStore::open(&path).await);
    for words in [
        "has schema version 9999".to_owned(),
        format!("knows schema version {} can work", known + 1),
        format!("knows only up to {known}"),
        "start the newer version or restore an older backup".to_owned(),
    ] {
        assert!(said.contains(&words), "{said}");
    }
}

#[tokio::test]
async fn a_path_that_cannot_be_made_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("chat.db");
    let error = sentence(SqliteStore::open(&path).await);
    assert!(error.contains("cannot be opened or created"), "{error}");
    assert!(error.contains("missing/chat.db"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let text = "a letter, not a database. ".repeat(200);
    std::fs::write(&path, &text).unwrap();
    let error = sentence(SqliteStore::open(&path).await);
    assert!(error.contains("cannot be used"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn migrating_twice_is_migrating_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    migrate(&path).await.unwrap();
    migrate(&path).await.unwrap();
    SqliteStore::open(&path)
        .await
        .unwrap()
        .check()
        .await
        .unwrap();
}

#[tokio::test]
async fn the_database_is_in_wal_mode_after_opening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let mut connection = raw(&path).await;
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(mode, "wal");
    store.close().await;
}

#[tokio::test]
async fn a_temporary_database_ends_with_its_store() {
    let store = SqliteStore::open_temporary().await.unwrap();
    store.check().await.unwrap();
    store.close().await;
    assert!(matches!(
        store.check().await,
        Err(StoreError::Unavailable(_))
    ));
}

#[cfg(unix)]
#[tokio::test]
async fn every_file_of_the_database_is_for_its_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("chat.db"))
        .await
        .unwrap();
    store.check().await.unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        names.push(entry.file_name().into_string().unwrap());
        assert_eq!(mode, 0o600, "{names:?}: {mode:o}");
    }
    names.sort();
    assert_eq!(
        names,
        ["chat.db", "chat.db-shm", "chat.db-wal", "chat.db.lock"]
    );
    store.close().await;
}

#[tokio::test]
async fn a_temporary_database_leaves_nothing_behind() {
    let store = SqliteStore::open_temporary().await.unwrap();
    let folder = store.folder().unwrap().to_owned();
    store.check().await.unwrap();
    assert!(folder.join("chat.db").exists());
    store.close().await;
    drop(store);
    assert!(!folder.exists());
}
