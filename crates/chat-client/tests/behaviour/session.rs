//! Tokens, sign-in and sign-out.

use chat_client::{ConnectionState, Input, Notice, Session, StopReason};
use chat_types::problem::ErrorCode;
use chat_types::ws::{Command, ServerDoc};

use crate::support::{
    Bench, config, err, fresh, me, ok, other, room_id, signed_in, subbed, token, user,
};

#[test]
fn without_a_valid_token_it_refreshes_before_it_connects() {
    let user = Some(me());
    let mut bench = Bench::new(Session::User { user, token: None });
    bench.feed(Input::Start);
    assert!(bench.connects.is_empty());
    assert_eq!(bench.refreshes, 1);
    bench.feed(Input::TokenRefreshed {
        token: token("second"),
    });
    assert_eq!(bench.connects.len(), 1);
}

#[test]
fn regression_07_an_expired_token_never_reconnects_in_a_hot_loop() {
    let mut bench = Bench::online();
    let mut refreshes = 0;
    // A server whose clock is ahead calls each new token expired.
    let end = bench.now + 120_000;
    while bench.now < end {
        bench.close(4002, "token_expired");
        assert!(
            bench.refreshes <= refreshes + 1,
            "one refresh for each expired token"
        );
        refreshes = bench.refreshes;
        let token = token("next");
        bench.feed(Input::TokenRefreshed { token });
        bench.pass_until_connect();
        let conn = bench.conn.expect("it connects");
        bench.feed(Input::Opened { conn });
        bench.commands();
    }
    assert!(bench.connects.len() < 25, "{}", bench.connects.len());
}

#[test]
fn an_expired_token_is_never_presented_again() {
    let mut bench = Bench::online();
    bench.close(4002, "token_expired");
    bench.pass(120_000);
    assert_eq!(bench.connects.len(), 1, "it waits for a new token");
    bench.feed(Input::TokenRefreshed {
        token: token("second"),
    });
    let conn = bench.conn.expect("it connects");
    bench.feed(Input::Opened { conn });
    let commands = bench.commands();
    assert!(
        matches!(commands.as_slice(), [Command::Hello { token: Some(token), .. }] if token == "second")
    );
}

#[test]
fn a_refresh_that_fails_is_tried_again_ever_later() {
    let user = Some(me());
    let mut bench = Bench::new(Session::User { user, token: None });
    bench.feed(Input::Start);
    for _ in 0..600 {
        bench.feed(Input::RefreshFailed {
            retry_after_ms: None,
        });
        bench.pass(1_000);
    }
    assert!((15..60).contains(&bench.refreshes), "{}", bench.refreshes);
}

#[test]
fn a_token_that_ends_soon_is_renewed_on_the_open_socket() {
    let mut bench = Bench::online();
    bench.say(ServerDoc::AuthSoon {
        expires_in_ms: 30_000,
    });
    assert_eq!(bench.refreshes, 1);
    bench.feed(Input::TokenRefreshed {
        token: token("second"),
    });
    let commands = bench.commands();
    assert!(
        matches!(commands.as_slice(), [Command::Auth { token, .. }] if token == "second"),
        "{commands:?}"
    );
    assert_eq!(bench.connects.len(), 1);
}

#[test]
fn a_visitor_greets_without_a_token_and_joins_on_the_open_socket() {
    let mut bench = Bench::new(Session::Visitor);
    bench.feed(Input::Start);
    bench.greet(None);
    bench.open();
    let id = bench.only_id();
    bench.say(subbed(fresh(id, 2)));
    bench.feed(Input::SignedIn {
        user: me(),
        token: token("first"),
    });
    let id = bench.only_id();
    bench.say(ok(id, None));
    let commands = bench.commands();
    assert!(matches!(
        commands.as_slice(),
        [Command::Sub { since: Some(_), .. }]
    ));
    assert_eq!(bench.connects.len(), 1);
}

#[test]
fn what_a_visitor_wrote_is_sent_only_after_joining() {
    let mut bench = Bench::new(Session::Visitor);
    bench.feed(Input::Start);
    bench.greet(None);
    bench.send(1, "hello");
    assert!(bench.commands().is_empty());
    bench.feed(Input::SignedIn {
        user: me(),
        token: token("first"),
    });
    let id = bench.only_id();
    bench.say(ok(id, None));
    assert!(matches!(
        bench.commands().as_slice(),
        [Command::Send { .. }]
    ));
}

#[test]
fn an_ended_session_reads_on_as_a_visitor_and_keeps_what_was_written() {
    let mut bench = Bench::online();
    bench.close(4002, "token_expired");
    bench.send(1, "kept");
    bench.feed(Input::TokenRefused);
    assert!(bench.notices.contains(&Notice::SessionEnded));
    bench.pass_until_connect();
    bench.greet(None);
    assert_eq!(bench.client.connection(), &ConnectionState::Online);
    assert_eq!(bench.client.outbox().len(), 1);
    bench.feed(Input::SignedIn {
        user: me(),
        token: token("again"),
    });
    let id = bench.only_id();
    bench.say(ok(id, None));
    assert!(matches!(
        bench.commands().as_slice(),
        [Command::Send { .. }]
    ));
}

#[test]
fn nobody_sends_what_another_user_wrote() {
    let mut bench = Bench::online();
    bench.close(1006, "");
    bench.send(1, "mine");
    let outbox = bench.outbox.clone();
    let session = Session::User {
        user: Some(other()),
        token: Some(token("theirs")),
    };
    let mut theirs = Bench::with(config(session, outbox));
    theirs.feed(Input::Start);
    theirs.greet(Some(other()));
    assert!(theirs.client.outbox().is_empty());
    assert!(theirs.commands().is_empty());
}

#[test]
fn signing_out_forgets_rows_and_unsent_messages() {
    let mut bench = Bench::in_room(3);
    bench.send(9, "unsent");
    bench.feed(Input::SignedOut);
    assert!(bench.client.outbox().is_empty());
    assert!(bench.bodies().is_empty());
    assert_eq!(bench.connects.len(), 2, "a new socket without the token");
    let kept = bench.outbox.clone();
    let again = Bench::with(config(signed_in(), kept));
    assert!(again.client.outbox().is_empty());
}

#[test]
fn another_user_gets_another_socket() {
    let mut bench = Bench::in_room(1);
    bench.feed(Input::SignedIn {
        user: user(3),
        token: token("other"),
    });
    assert_eq!(bench.closed, [1000]);
    assert_eq!(bench.connects.len(), 2);
    assert!(
        bench
            .client
            .room(room_id())
            .is_some_and(|room| room.accepted_len() == 0)
    );
}

#[test]
fn a_revoked_session_stops_and_a_sign_in_starts_again() {
    let mut bench = Bench::online();
    bench.close(4501, "revoked");
    let stopped = ConnectionState::Stopped(StopReason::SignedOut);
    assert_eq!(bench.client.connection(), &stopped);
    bench.feed(Input::SignedIn {
        user: me(),
        token: token("again"),
    });
    assert_eq!(bench.connects.len(), 2);
}

#[test]
fn a_greeting_that_is_refused_for_its_token_refreshes_it() {
    let mut bench = Bench::new(signed_in());
    bench.feed(Input::Start);
    let conn = bench.conn.expect("it connects");
    bench.feed(Input::Opened { conn });
    let id = bench.only_id();
    bench.say(err(id, ErrorCode::TokenExpired, None));
    assert_eq!(bench.refreshes, 1);
    assert_eq!(bench.closed, [1000]);
}
