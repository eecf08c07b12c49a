use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use chat_store::{NewGuest, NewRoom, NewSession, Rooms, Sessions, TokenHash, Users};
use chat_store_sqlite::SqliteStore;
use chat_types::id::{ClientId, Epoch, Number, SessionId};
use chat_types::room::RoomKind;
use chat_types::text::{Nickname, RoomName};
use clap::Parser;
use uuid::Uuid;

use super::under_way::SENDS_UNDER_WAY;
use super::*;
use crate::App;
use crate::auth;
use crate::auth::token::Proof;
use crate::clock::SystemClock;
use crate::config::Cli;
use crate::messages::PIPELINED_SENDS;
use chat_listener::AddressKey;

async fn app() -> (AppState, Arc<SqliteStore>) {
    app_with(&[]).await
}

async fn app_with(own: &[&str]) -> (AppState, Arc<SqliteStore>) {
    let arguments = [
        "chat-backend",
        "--secret-key=0123456789abcdefghijklmnopqrstuvwxyz",
    ];
    let arguments = arguments.iter().chain(own);
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
    let outcome = connection.under_way.next().await;
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

#[tokio::test]
async fn what_is_left_for_a_user_is_not_told_to_who_only_claimed_to_be_them() {
    let (state, store) = app().await;
    let caller = guest(&state, &store).await;
    let address = AddressKey::from(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let registration = state.hub.admit(address);
    registration.claim(&proof(&caller));
    let room = room_of(&state, &store, &caller).await;
    state.hub.read_moved(caller.user.id, room, Number(1), None);
    let (user, code) = (caller.user.id, CloseCode::Revoked);
    state.hub.close_session(user, caller.session, code);
    state.hub.drain(Duration::ZERO);
    registration.disclaim();
    let left = std::iter::from_fn(|| registration.mailbox.next_order());
    let left: Vec<_> = left.collect();
    assert!(matches!(left[..], [Order::GoAway { .. }]), "{left:?}");
}

async fn room_of(state: &AppState, store: &SqliteStore, owner: &Caller) -> RoomId {
    let room = NewRoom {
        id: state.new_room_id(),
        kind: RoomKind::Public,
        name: Some(RoomName::parse("Lobby").unwrap()),
        topic: None,
        epoch: Epoch("first".to_owned()),
        at: state.now(),
    };
    store
        .create_room(room, owner.user.id)
        .await
        .unwrap()
        .room
        .id
}

/// A connection, and messages of it that wait, numbered from one.
async fn sender(limit: &str, count: u64) -> (AppState, Connection) {
    let (state, store) = app_with(&[limit]).await;
    let caller = guest(&state, &store).await;
    let room = room_of(&state, &store, &caller).await;
    let mut connection = connect(&state, &caller);
    connection.documents.clear();
    for n in 1..=count {
        connection.receive(Received::Command(Command::Send {
            id: RequestId(n),
            room,
            client_id: ClientId::from_uuid(Uuid::now_v7()),
            body: n.to_string(),
            reply_to: None,
        }));
    }
    (state, connection)
}

/// What was answered, in order: the number of each message, or its refusal.
async fn answers(connection: &mut Connection) -> Vec<(RequestId, Result<Number, ErrorCode>)> {
    connection.start_jobs();
    while !connection.under_way.is_empty() {
        let outcome = connection.under_way.next().await;
        connection.settle_all(outcome).ok().unwrap();
        connection.start_jobs();
    }
    let answer = |doc: &Doc| match serde_json::from_str(doc).unwrap() {
        ServerDoc::Ok(ok) => (ok.id, Ok(ok.sent.unwrap().number)),
        ServerDoc::Err(error) => (error.id.unwrap(), Err(error.code)),
        other => panic!("not an answer: {other:?}"),
    };
    connection.documents.iter().map(answer).collect()
}

#[tokio::test]
async fn messages_one_behind_another_are_under_way_together_up_to_a_limit_and_keep_their_order() {
    const MORE: u64 = 4;
    let count = SENDS_UNDER_WAY as u64 + MORE;
    let (_state, mut connection) = sender("--limit-sends=100/1s", count).await;
    connection.start_jobs();
    assert_eq!(connection.jobs.len() as u64, MORE);
    let in_order: Vec<_> = (1..=count).map(|n| (RequestId(n), Ok(Number(n)))).collect();
    assert_eq!(answers(&mut connection).await, in_order);
}

#[tokio::test]
async fn what_a_node_has_under_way_behind_other_messages_is_bounded_and_the_first_is_not_in_it() {
    let (state, mut connection) = sender("--limit-sends=100/1s", 3).await;
    let all = u32::try_from(PIPELINED_SENDS).unwrap();
    let all = state.pipelined_sends.clone().try_acquire_many_owned(all);
    let all = all.unwrap();
    connection.start_jobs();
    assert_eq!(connection.jobs.len(), 2, "the first began");
    drop(all);
    connection.start_jobs();
    assert_eq!(connection.jobs.len(), 0);
    assert_eq!(answers(&mut connection).await.len(), 3);
    let free = state.pipelined_sends.available_permits();
    assert_eq!(free, PIPELINED_SENDS);
}

#[tokio::test]
async fn a_command_waits_for_the_messages_before_it_and_they_for_a_command() {
    let (_state, mut connection) = sender("--limit-sends=100/1s", 2).await;
    let unknown = RoomId::from_uuid(Uuid::nil());
    connection.receive(Received::Command(Command::Unsub {
        id: RequestId(3),
        room: unknown,
    }));
    connection.start_jobs();
    assert_eq!(connection.jobs.len(), 1);
    assert!(connection.documents.is_empty(), "it is not answered yet");
    let outcome = connection.under_way.next().await;
    connection.settle_all(outcome).ok().unwrap();
    connection.start_jobs();
    let last: ServerDoc = serde_json::from_str(&connection.documents[2]).unwrap();
    assert!(matches!(last, ServerDoc::Ok(ok) if ok.id == RequestId(3)));
}

#[tokio::test]
async fn what_is_behind_a_message_that_is_refused_for_now_does_not_overtake_it() {
    let (state, mut connection) = sender("--limit-sends=2/1h", 3).await;
    let room = match &connection.jobs[0] {
        Job::Send(send) => send.room,
        _ => panic!("not a message"),
    };
    let user = connection.caller.as_ref().unwrap().user.id;
    let repeat = connection.jobs.iter().find_map(|job| match job {
        Job::Send(send) => Some(send.message.clone()),
        _ => None,
    });
    let ok = |n| (RequestId(n), Ok(Number(n)));
    let refused = |n| (RequestId(n), Err(ErrorCode::RateLimited));
    assert_eq!(answers(&mut connection).await, [ok(1), ok(2), refused(3)]);
    // The bucket may fill in between, by another message that costs nothing after all.
    state.rates.sends.refill(&(user, room));
    for (id, message) in [(4, None), (5, repeat)] {
        connection.receive(Received::Command(Command::Send {
            id: RequestId(id),
            room,
            client_id: message
                .as_ref()
                .map_or(ClientId::from_uuid(Uuid::now_v7()), |it| it.client_id),
            body: message.map_or("later".to_owned(), |it| it.body),
            reply_to: None,
        }));
    }
    let answers = answers(&mut connection).await;
    let first_again = (RequestId(5), Ok(Number(1)));
    assert_eq!(answers[3..], [refused(4), first_again]);
}
