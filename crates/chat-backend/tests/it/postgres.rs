//! The service on PostgreSQL: what it does is what it does on a file, several processes share one
//! database, and a restart of the database is an interruption.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use chat_store_postgres::{PostgresStore, Settings};
use chat_testbed::{Durability, Postgres};
use chat_types::id::RoomId;
use chat_types::problem::ErrorCode;
use chat_types::room::Sent;
use chat_types::ws::ServerDoc;
use tokio::time::timeout;

use crate::support::{PATIENCE, Socket, TestApp, body_of, new_client_id};

/// Short limits, so that a test need not wait for long ones.
async fn store(url: &str) -> Arc<PostgresStore> {
    let settings = Settings {
        wait: Duration::from_secs(1),
        statement: Duration::from_secs(2),
        ..Settings::of(url)
    };
    Arc::new(PostgresStore::open(&settings).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_is_heard_resumed_and_stored_once() {
    let database = chat_testbed::database().unwrap();
    let app = TestApp::start_on(store(database.url()).await, &[]).await;
    let (mina, joon) = (app.account("mina").await, app.guest("joon").await);
    let room = mina.open_page("blog", "/postgres").await.room.id;
    let mut reader = app.socket(Some(joon.token())).await;
    let known = reader.follow(room).await;
    let client_id = new_client_id();
    let first = mina.send_as(room, client_id, "hello").await.unwrap();
    assert_eq!(reader.heard(room).await, "hello");
    let again = mina.send_as(room, client_id, "hello").await.unwrap();
    assert_eq!((again.id, again.duplicate), (first.id, true));
    drop(reader);

    // Another process on the same database goes on where this one was.
    let other = TestApp::start_on(store(database.url()).await, &[]).await;
    let mut reader = other.socket(Some(joon.token())).await;
    let resumed = reader.resume(room, &known.epoch, known.head).await;
    assert!(resumed.recovered);
    let bodies = resumed.changes.iter().filter_map(|it| body_of(&it.change));
    assert_eq!(bodies.collect::<Vec<_>>(), ["hello"]);
    reader.say(room, "and back").await;
    assert_eq!(reader.heard(room).await, "and back");
    let history = mina.history(room).await.unwrap();
    assert_eq!(history.messages.len(), 2);
}

/// What the admin port answers.
async fn admin(app: &TestApp, path: &str) -> u16 {
    let url = format!("http://{}{path}", app.admin_address);
    app.http.get(url).send().await.unwrap().status().as_u16()
}

/// Says it again when it was told to, as a client does, until it is stored.
async fn say_until_stored(app: &TestApp, socket: &mut Socket, room: RoomId, body: &str) -> Sent {
    let said = async {
        loop {
            let id = socket.say_later(room, body).await;
            let answer = socket.expect("an answer", |doc| match doc {
                ServerDoc::Ok(ok) if ok.id == id => Some(Ok(ok.sent.unwrap())),
                ServerDoc::Err(err) if err.id == Some(id) => {
                    assert_eq!(err.code, ErrorCode::Unavailable, "{err:?}");
                    Some(Err(err.retry_after_ms.unwrap()))
                }
                _ => None,
            });
            match answer.await {
                Ok(sent) => return sent,
                Err(wait_ms) => app.clock.advance_ms(wait_ms),
            }
        }
    };
    timeout(PATIENCE, said).await.expect("it works again")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_database_is_said_on_sockets_that_stay_open() {
    let mut server = Postgres::start(Durability::Quick).unwrap();
    let url = server.create_database("chat").unwrap();
    let app = TestApp::start_on(store(&url).await, &[]).await;
    let mina = app.guest("mina").await;
    let room = mina.open_page("blog", "/restart").await.room.id;
    let mut socket = app.socket(Some(mina.token())).await;
    let mut reader = app.socket(None).await;
    socket.follow(room).await;
    reader.follow(room).await;
    socket.say(room, "before").await;
    assert_eq!(admin(&app, "/readyz").await, 200);

    server.stop();
    let id = socket.say_later(room, "meanwhile").await;
    let refused = socket.refusal(id).await;
    assert_eq!(refused.code, ErrorCode::Unavailable);
    assert!(refused.retry && refused.retry_after_ms.is_some());
    let problem = mina.send(room, "meanwhile").await.unwrap_err();
    assert_eq!(
        (problem.status, problem.code()),
        (503, ErrorCode::Unavailable)
    );
    assert!(problem.problem.retry_after_ms.is_some());
    assert!(problem.headers.contains_key("retry-after"));
    assert_eq!(admin(&app, "/readyz").await, 503);
    assert_eq!(admin(&app, "/healthz").await, 200, "it needs no restart");

    server.restart().unwrap();
    let sent = say_until_stored(&app, &mut socket, room, "after").await;
    assert_eq!(sent.number.0, 2);
    assert_eq!(reader.heard(room).await, "before");
    assert_eq!(reader.heard(room).await, "after");
    assert_eq!(admin(&app, "/readyz").await, 200);
}

fn program(url: &str) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_chat-backend"));
    program
        .env_clear()
        .env("SECRET_KEY", "0123456789abcdefghijklmnopqrstuvwxyz")
        .env("CHAT_ADDR", "127.0.0.1:0")
        .env("CHAT_ADMIN_ADDR", "127.0.0.1:0")
        .env("DATABASE_URL", url);
    program
}

#[test]
fn a_database_that_is_away_stops_the_start_with_an_instruction() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    for command in ["serve", "migrate"] {
        let url = format!("postgresql://chat:secret-word@{address}/chat");
        let output = program(&url).arg(command).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{said}");
        let wanted = format!("the database chat at {address} cannot be reached");
        assert!(said.contains(&wanted), "{said}");
        assert!(said.contains("check that PostgreSQL runs there"), "{said}");
        assert!(!said.contains("secret-word"), "{said}");
    }
}

#[test]
fn migrating_may_be_repeated() {
    let database = chat_testbed::database().unwrap();
    for _ in 0..2 {
        let output = program(database.url()).arg("migrate").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
    }
}
