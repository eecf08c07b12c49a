//! The end of a process: nobody is cut, everybody is told when to come back.

use std::time::Duration;

use chat_backend::shutdown::Settings;
use chat_types::close::retry_ms;
use chat_types::ws::ServerDoc;
use tokio::net::TcpStream;

use crate::support::{PATIENCE, Program, TestApp};

const QUICK: Settings = Settings {
    delay: Duration::ZERO,
    window: Duration::from_millis(500),
    grace: PATIENCE,
};

#[tokio::test]
async fn regression_12_a_deploy_tells_each_socket_when_to_come_back_and_ends() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let room = mina.open_page("blog", "/deploy").await.room.id;
    let mut sockets = Vec::new();
    for token in [Some(mina.token()), None, None] {
        let mut socket = app.socket(token).await;
        socket.follow(room).await;
        sockets.push(socket);
    }
    let state = app.state.clone();
    let ending = tokio::spawn(async move { state.lifecycle.shut_down(&state.hub, &QUICK).await });
    for socket in &mut sockets {
        let told = socket.expect("going_away", |doc| match doc {
            ServerDoc::GoingAway { retry_ms } => Some(retry_ms),
            _ => None,
        });
        let told = told.await;
        let closed = socket.closed().await;
        assert_eq!(u16::from(closed.code), 1012);
        assert_eq!(retry_ms(&closed.reason), Some(told), "{}", closed.reason);
    }
    drop(sockets);
    assert!(ending.await.unwrap(), "every task has ended");
    assert!(!app.state.lifecycle.is_ready());
    assert!(
        TcpStream::connect(app.address).await.is_err(),
        "nobody listens any more"
    );
}

#[tokio::test]
async fn regression_12_what_is_sent_during_the_drain_is_acknowledged() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let room = mina.open_page("blog", "/drain").await.room.id;
    let mut socket = app.socket(Some(mina.token())).await;
    let state = app.state.clone();
    let ending = tokio::spawn(async move { state.lifecycle.shut_down(&state.hub, &QUICK).await });
    let mut waiting = Vec::new();
    for n in 0..10 {
        waiting.push(socket.say_later(room, &n.to_string()).await);
    }
    let mut acknowledged = 0;
    loop {
        use futures_util::StreamExt;
        use tokio_tungstenite::tungstenite::Message;
        match socket.stream.next().await {
            Some(Ok(Message::Text(text))) => {
                let ok =
                    |line: &&str| matches!(serde_json::from_str(line).unwrap(), ServerDoc::Ok(_));
                acknowledged += text.split('\n').filter(ok).count();
            }
            Some(Ok(Message::Close(Some(frame)))) => {
                assert_eq!(u16::from(frame.code), 1012);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    drop(socket);
    assert!(ending.await.unwrap());
    let store = &*app.store;
    let history =
        chat_store::Messages::history(store, room, None, chat_store::HistoryFrom::Newest, 100);
    assert_eq!(
        history.await.unwrap().messages.len(),
        acknowledged,
        "stored is acknowledged"
    );
}

#[tokio::test]
async fn a_socket_is_asked_to_come_back_when_it_is_old() {
    let app = TestApp::start_with(&[("--socket-age-ms", "50")]).await;
    let mut socket = app.socket(None).await;
    let closed = socket.closed().await;
    assert_eq!(u16::from(closed.code), 4005);
    assert!(retry_ms(&closed.reason).is_some(), "{}", closed.reason);
}

#[test]
fn regression_12_a_process_that_still_starts_ends_when_it_is_told() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let database = format!(
        "postgres://chat@{}/chat?sslmode=disable",
        silent.local_addr().unwrap()
    );
    let variables = [("DATABASE_URL", database.as_str())];
    let mut program = Program::start(&variables, "true");
    // It asks the database, and gets no answer.
    let (_asked, _) = silent.accept().unwrap();
    program.terminate();
    program.says("told to end before the start was over");
    assert!(program.child.wait().unwrap().success());
}
