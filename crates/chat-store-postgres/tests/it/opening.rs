//! Opening a database: what is refused, and in which words.

use chat_store::{Rooms, Store};
use chat_store_postgres::{PostgresStore, Settings, migrate};
use chat_testbed::{Durability, Postgres, database};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::given::{node, owned_room, raw};

/// The sentence with which opening is refused.
async fn sentence(url: &str) -> String {
    match PostgresStore::open(&Settings::of(url)).await {
        Ok(_) => panic!("it opened"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_its_password() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let url = format!("postgres://chat:secret-word@127.0.0.1:{port}/chat");
    let said = sentence(&url).await;
    assert!(
        said.contains(&format!("chat at 127.0.0.1:{port}")),
        "{said}"
    );
    assert!(said.contains("cannot be reached"), "{said}");
    assert!(said.contains("check that PostgreSQL runs there"), "{said}");
    assert!(!said.contains("secret-word"), "{said}");
}

#[tokio::test]
async fn a_url_that_cannot_be_read_is_refused_with_an_example() {
    let said = sentence("postgres://chat:secret-word@host:port/chat").await;
    assert!(said.contains("cannot be read"), "{said}");
    assert!(said.contains("postgres://user:password@host:5432/database"));
    assert!(!said.contains("secret-word"), "{said}");
}

/// The newest schema version that this release knows.
async fn known(connection: &mut PgConnection) -> i64 {
    let newest = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations");
    newest.fetch_one(connection).await.unwrap()
}

/// What a newer release's migration leaves behind, for programs that know version `oldest` or newer.
async fn migrate_further(connection: &mut PgConnection, oldest: i64) {
    for statement in [
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'of the future', TRUE, '', 0)",
        "ALTER TABLE rooms ADD COLUMN of_the_future TEXT",
    ] {
        sqlx::query(statement)
            .execute(&mut *connection)
            .await
            .unwrap();
    }
    let floor = sqlx::query("UPDATE schema_floor SET oldest = $1").bind(oldest);
    floor.execute(connection).await.unwrap();
}

#[tokio::test]
async fn a_newer_schema_that_still_serves_this_release_is_worked_on() {
    let database = database().unwrap();
    let settings = Settings::of(database.url());
    migrate(&settings).await.unwrap();
    let mut connection = raw(database.url()).await;
    let known = known(&mut connection).await;
    migrate_further(&mut connection, known).await;
    migrate(&settings).await.unwrap();
    let store = node(database.url()).await;
    let (_, room) = owned_room(&store).await;
    assert!(store.room(room).await.unwrap().is_some());
    store.close().await;
}

#[tokio::test]
async fn a_newer_schema_that_left_this_release_behind_is_refused() {
    let database = database().unwrap();
    migrate(&Settings::of(database.url())).await.unwrap();
    let mut connection = raw(database.url()).await;
    let known = known(&mut connection).await;
    migrate_further(&mut connection, known + 1).await;
    let said = sentence(database.url()).await;
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
async fn a_database_of_another_lineage_is_refused_and_left_alone() {
    let database = database().unwrap();
    let mut connection = raw(database.url()).await;
    for statement in [
        "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
         installed_on TIMESTAMPTZ NOT NULL DEFAULT now(), success BOOLEAN NOT NULL,
         checksum BYTEA NOT NULL, execution_time BIGINT NOT NULL)",
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'of the future', TRUE, '', 0)",
    ] {
        sqlx::query(statement)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    let said = sentence(database.url()).await;
    assert!(
        said.contains("knows schema version 9999 can work"),
        "{said}"
    );
    let tables = sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'");
    let tables: i64 = tables.fetch_one(&mut connection).await.unwrap();
    assert_eq!(tables, 1);
}

#[tokio::test]
async fn a_server_that_acknowledges_too_early_is_refused() {
    let server = Postgres::start_with(Durability::Quick, &["synchronous_commit=off"]).unwrap();
    let said = sentence(&server.create_database("chat").unwrap()).await;
    assert!(said.contains("synchronous_commit = off"), "{said}");
    assert!(said.contains("it must not be off"), "{said}");
    for kept in ["local", "on", "remote_apply"] {
        let set = format!("ALTER DATABASE chat SET synchronous_commit = {kept}");
        let mut connection = raw(&server.url("chat")).await;
        sqlx::query(AssertSqlSafe(set))
            .execute(&mut connection)
            .await
            .unwrap();
        node(&server.url("chat")).await.close().await;
    }
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_script_is_refused() {
    let database = database().unwrap();
    let mut connection = raw(database.url()).await;
    let name: String = sqlx::query_scalar("SELECT current_database() || '_narrow'")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII'");
    sqlx::query(AssertSqlSafe(create))
        .execute(&mut connection)
        .await
        .unwrap();
    let said = sentence(&format!("{}_narrow", database.url())).await;
    assert!(said.contains("server_encoding = SQL_ASCII"), "{said}");
    sqlx::query(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)")))
        .execute(&mut connection)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_at_once_migrate_once() {
    let database = database().unwrap();
    let starts: Vec<_> = (0..6)
        .map(|_| {
            let settings = Settings::of(database.url());
            tokio::spawn(async move { migrate(&settings).await })
        })
        .collect();
    for start in starts {
        start.await.unwrap().unwrap();
    }
    let store = node(database.url()).await;
    let (_, room) = owned_room(&store).await;
    assert!(store.room(room).await.unwrap().is_some());
    store.close().await;
}
