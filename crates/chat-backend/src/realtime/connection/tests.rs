use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use chat_store::{NewGuest, NewSession, Sessions, TokenHash, Users};
use chat_store_sqlite::SqliteStore;
use chat_types::id::SessionId;
use chat_types::text::Nickname;
use clap::Parser;

use super::*;
use crate::App;
use crate::auth;
use crate::auth::token::Proof;
use crate::clock::SystemClock;
use crate::config::Cli;
use chat_listener::AddressKey;

async fn app() -> (AppState, Arc<SqliteStore>) {
    let arguments = [
        "chat-backend",
        "--secret-key=0123456789abcdefghijklmnopqrstuvwxyz",
    ];
    let config = Cli::try_parse_from(arguments).unwrap().config;
    let store = Arc::new(SqliteStore::open_temporary().await.unwrap());
    let app = App::build(config, store.clone(), Arc::new(SystemClock));
    (app.await.unwrap().state, store)
}

async fn session(state: &AppState, store: &SqliteStore, caller: &mut Caller) -> SessionId {
    let session = NewSession {
        id: state.new_session_id(),
        user: caller.user.id,
        refresh: TokenHash(rand::random()),
        device: String::new(),
        at: state.now(),
        expires_at: state.now().plus_ms(1_000_000),
    };
    caller.session = store.create_session(session).await.unwrap().session.id;
    caller.session
}

async fn guest(state: &AppState, store: &SqliteStore) -> Caller {
    let guest = NewGuest {
        id: state.new_user_id(),
        names: vec![Nickname::parse("mina").unwrap()],
        at: state.now(),
    };
    let mut caller = Caller {
        user: store.create_guest(guest).await.unwrap().to_user(),
        session: state.new_session_id(),
        expires_at: state.now().plus_ms(1_000_000),
    };
    session(state, store, &mut caller).await;
    caller
}

fn connect(state: &AppState, caller: &Caller) -> Connection {
    let address = AddressKey::from(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let registration = state.hub.admit(address);
    registration.claim(&proof(caller));
    registration.identify(caller).unwrap();
    let greeted = Greeted {
        caller: Some(caller.clone()),
        welcome: Doc::from("{}"),
        rest: Vec::new(),
    };
    Connection::new(state.clone(), registration, greeted)
}

fn proof(caller: &Caller) -> Proof {
    Proof {
        user: caller.user.id,
        session: caller.session,
        expires_at: caller.expires_at,
    }
}

/// Runs the next job to its end.
async fn recheck(connection: &mut Connection) -> Result<(), End> {
    connection.start_jobs();
    let outcome = finished(&mut connection.running).await;
    connection.running = None;
    connection.settle(outcome)
}

#[tokio::test]
async fn a_session_that_is_replaced_while_it_is_looked_up_ends_nothing() {
    let (state, store) = app().await;
    let mut caller = guest(&state, &store).await;
    let mut connection = connect(&state, &caller);
    connection.jobs.push_back(Job::Recheck);
    let (user, old) = (caller.user.id, caller.session);
    let new = session(&state, &store, &mut caller).await;
    store.revoke_session(user, old, state.now()).await.unwrap();
    connection.start_jobs();
    state.hub.replace_session(user, old, new);
    assert!(recheck(&mut connection).await.is_ok());
    assert!(recheck(&mut connection).await.is_ok());
    let session = connection.caller.as_ref().map(|caller| caller.session);
    assert_eq!(session, Some(new));
    state.hub.close_session(user, new, CloseCode::SignedOut);
    let end = connection.follow_orders();
    assert!(matches!(end, Err(End::Close(CloseCode::SignedOut, _))));
}

/// What happens to a session while it is looked up reaches the connection that claims it.
async fn let_in_while(
    meanwhile: impl AsyncFnOnce(&AppState, &SqliteStore, &mut Caller),
) -> (AppState, Caller, Connection) {
    let (state, store) = app().await;
    let mut caller = guest(&state, &store).await;
    let before = caller.clone();
    let registration = state
        .hub
        .admit(AddressKey::from(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    registration.claim(&proof(&before));
    let found = auth::look_up(&state, proof(&before)).await.unwrap();
    meanwhile(&state, &store, &mut caller).await;
    registration.identify(&found).unwrap();
    let greeted = Greeted {
        caller: Some(found),
        welcome: Doc::from("{}"),
        rest: Vec::new(),
    };
    let connection = Connection::new(state.clone(), registration, greeted);
    (state, caller, connection)
}

#[tokio::test]
async fn who_is_let_in_while_their_session_is_replaced_goes_on_under_the_new_one() {
    let (state, caller, mut connection) = let_in_while(async |state, store, caller| {
        let (user, old) = (caller.user.id, caller.session);
        let new = session(state, store, caller).await;
        state.hub.replace_session(user, old, new);
        store.revoke_session(user, old, state.now()).await.unwrap();
    })
    .await;
    assert!(connection.follow_orders().is_ok());
    assert!(recheck(&mut connection).await.is_ok());
    let session = connection.caller.as_ref().map(|caller| caller.session);
    assert_eq!(session, Some(caller.session));
    let user = caller.user.id;
    state
        .hub
        .close_session(user, caller.session, CloseCode::SignedOut);
    let end = connection.follow_orders();
    assert!(matches!(end, Err(End::Close(CloseCode::SignedOut, _))));
}

#[tokio::test]
async fn a_session_that_ends_while_it_is_let_in_ends_the_connection() {
    let (_, _, mut connection) = let_in_while(async |state, store, caller| {
        let (user, session) = (caller.user.id, caller.session);
        store
            .revoke_session(user, session, state.now())
            .await
            .unwrap();
        state.hub.close_session(user, session, CloseCode::Revoked);
    })
    .await;
    let end = connection.follow_orders();
    assert!(matches!(end, Err(End::Close(CloseCode::Revoked, _))));
}

#[tokio::test]
async fn a_renewed_token_whose_session_ended_before_it_was_let_in_ends_the_connection() {
    let (state, store) = app().await;
    let caller = guest(&state, &store).await;
    let (user, session) = (caller.user.id, caller.session);
    let mut connection = connect(&state, &caller);
    store
        .revoke_session(user, session, state.now())
        .await
        .unwrap();
    let id = RequestId(1);
    let renewed = Outcome::Authenticated { id, caller };
    connection.settle(Some(renewed)).unwrap();
    let end = recheck(&mut connection).await;
    assert!(matches!(end, Err(End::Close(CloseCode::Revoked, _))));
}

#[tokio::test]
async fn who_only_claims_to_be_a_user_takes_no_place_of_theirs() {
    let (state, store) = app().await;
    let caller = guest(&state, &store).await;
    let address = AddressKey::from(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let most = state.hub.settings().caps.per_user;
    let claims: Vec<_> = (0..most).map(|_| state.hub.admit(address)).collect();
    for claim in &claims {
        claim.claim(&proof(&caller));
    }
    let theirs: Vec<_> = (0..most).map(|_| connect(&state, &caller)).collect();
    let one_more = state.hub.admit(address);
    one_more.claim(&proof(&caller));
    assert_eq!(one_more.identify(&caller), Err(TooMany));
    drop(theirs);
    assert_eq!(one_more.identify(&caller), Ok(()));
    drop((claims, one_more));
    assert_eq!(state.hub.users_online(), 0);
}
