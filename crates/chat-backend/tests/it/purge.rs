//! What nobody can see or use any more goes; what somebody has before their eyes stays.

use chat_store::{NewSession, TokenHash};
use chat_types::account::{Empty, SignIn};
use chat_types::close::CloseCode;
use chat_types::endpoint::{CreateSession, ListSessions, SignOut};
use chat_types::id::SessionId;
use chat_types::limits::SESSIONS_PER_USER;
use tokio::time::timeout;
use uuid::Uuid;

use crate::support::{PASSWORD, PATIENCE, TestApp};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

#[tokio::test]
async fn a_guest_who_signed_out_and_never_wrote_goes_and_the_name_is_free() {
    let app = TestApp::start_with(&[("--purge-ms", "20")]).await;
    let (mina, joon) = (app.guest("mina").await, app.guest("joon").await);
    let room = joon.open_page("blog", "/one").await.room.id;
    joon.send(room, "hello").await.unwrap();
    for person in [&mina, &joon] {
        person.call::<SignOut>(&[], Empty {}).await.unwrap();
    }
    app.clock.advance_ms(2 * DAY_MS);
    let gone = async {
        while app.store.user(mina.user().id).await.unwrap().is_some() {
            tokio::task::yield_now().await;
        }
        while app
            .store
            .session(joon.login().session)
            .await
            .unwrap()
            .is_some()
        {
            tokio::task::yield_now().await;
        }
    };
    assert!(
        timeout(PATIENCE, gone).await.is_ok(),
        "they are still there"
    );
    assert_eq!(app.guest("mina").await.user().name, "mina");
    assert_eq!(app.visitor().history(room).await.unwrap().messages.len(), 1);
}

#[tokio::test]
async fn an_empty_page_goes_unless_somebody_has_it_open() {
    let app = TestApp::start_with(&[("--purge-ms", "20")]).await;
    let visitor = app.visitor();
    let (empty, open) = (
        visitor.open_page("blog", "/empty").await.room.id,
        visitor.open_page("blog", "/open").await.room.id,
    );
    let mut socket = app.socket(None).await;
    socket.follow(open).await;
    app.clock.advance_ms(31 * DAY_MS);
    let gone = async {
        while app.store.room(empty).await.unwrap().is_some() {
            tokio::task::yield_now().await;
        }
    };
    assert!(timeout(PATIENCE, gone).await.is_ok(), "it is still there");
    let joon = app.guest("joon").await;
    joon.send(open, "hello").await.unwrap();
    assert_eq!(socket.heard(open).await, "hello");
}

#[tokio::test]
async fn one_more_session_than_the_limit_closes_the_socket_of_the_oldest() {
    let app = TestApp::start().await;
    let mina = app.account("mina").await;
    let mut oldest = app.socket(Some(mina.token())).await;
    for n in 1..SESSIONS_PER_USER {
        // The clock tells the sessions apart.
        app.clock.advance_ms(1);
        let (id, hash) = (n as u128, [u8::try_from(n).unwrap(); 32]);
        let session = NewSession {
            id: SessionId::from_uuid(Uuid::from_u128(id)),
            user: mina.user().id,
            refresh: TokenHash(hash),
            device: String::new(),
            at: app.state.now(),
            expires_at: app.state.now().plus_ms(DAY_MS),
        };
        let begun = app.store.create_session(session).await.unwrap();
        assert_eq!(begun.ended, []);
    }
    app.clock.advance_ms(1);
    let sign_in = SignIn {
        username: "mina".to_owned(),
        password: PASSWORD.to_owned(),
    };
    let newest = app.visitor().call::<CreateSession>(&[], sign_in).await;
    assert_eq!(oldest.close_code().await, CloseCode::Revoked.code());
    let listed = mina.call::<ListSessions>(&[], Empty {}).await;
    assert_eq!(listed.unwrap_err().status, 401);
    let newest = mina.signed_in(newest.unwrap());
    let listed = newest.call::<ListSessions>(&[], Empty {}).await.unwrap();
    assert_eq!(listed.sessions.len(), SESSIONS_PER_USER);
}
