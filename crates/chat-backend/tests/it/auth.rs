//! Guests, accounts, sessions and tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat_backend::auth::token::ACCESS_MS;
use chat_types::account::{
    ChangePassword, CreateGuest, Empty, Refresh, Register, SignIn, SignedIn,
};
use chat_types::endpoint::{
    CreateSession, GetMe, JoinAsGuest, ListSessions, RefreshSession, RegisterAccount,
    RevokeSession, SetPassword, SignOut, SignOutEverywhere,
};
use chat_types::event::{Content, UserKind};
use chat_types::problem::ErrorCode;
use chat_types::room::RoomKind;
use chat_types::text::TextReason;
use futures_util::future::join_all;
use tokio::time::timeout;

use crate::support::{PASSWORD, PATIENCE, Person, Refused, TestApp};

fn register(username: &str) -> Register {
    Register {
        username: username.to_owned(),
        password: PASSWORD.to_owned(),
        name: None,
    }
}

async fn sign_in(app: &TestApp, username: &str, password: &str) -> Result<SignedIn, Refused> {
    let request = SignIn {
        username: username.to_owned(),
        password: password.to_owned(),
    };
    app.visitor().call::<CreateSession>(&[], request).await
}

async fn refresh(app: &TestApp, token: &str) -> Result<SignedIn, Refused> {
    let refresh_token = token.to_owned();
    app.visitor()
        .call::<RefreshSession>(&[], Refresh { refresh_token })
        .await
}

async fn me(person: &Person) -> Result<chat_types::account::Me, Refused> {
    person.call::<GetMe>(&[], Empty {}).await
}

#[tokio::test]
async fn regression_01_an_identity_is_issued_by_the_server_and_its_public_id_proves_nothing() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let wished =
        serde_json::json!({ "name": "mallory", "id": mina.user().id, "user": mina.user() });
    let answer = app
        .http
        .post(app.url("/v1/guests"))
        .json(&wished)
        .send()
        .await
        .unwrap();
    let mallory: SignedIn = answer.json().await.unwrap();
    assert_ne!(mallory.user.id, mina.user().id);

    for forged in [mina.user().id.to_string(), mina.login().session.to_string()] {
        let answer = app
            .http
            .get(app.url("/v1/me"))
            .bearer_auth(forged)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 401);
    }
}

#[tokio::test]
async fn regression_08_a_taken_name_gets_a_number() {
    let app = TestApp::start().await;
    let first = app.guest("mina").await;
    let second = app.guest("Mina").await;
    let third = app.guest("mіna").await; // with a Cyrillic і
    assert_eq!(first.user().name, "mina");
    assert!(
        second.user().name.starts_with("Mina "),
        "{}",
        second.user().name
    );
    assert_ne!(third.user().name, "mіna");
}

#[tokio::test]
async fn a_hostile_nickname_is_refused_with_its_reason() {
    let app = TestApp::start().await;
    for (name, reason) in [
        ("", TextReason::Empty),
        ("a", TextReason::TooShort),
        ("sixteen letters!", TextReason::TooLong),
        ("mi\u{202e}na", TextReason::ForbiddenCharacter),
        ("admin", TextReason::Reserved),
    ] {
        let name = name.to_owned();
        let refused = app
            .visitor()
            .call::<JoinAsGuest>(&[], CreateGuest { name })
            .await;
        let refused = refused.err().unwrap();
        assert_eq!((refused.status, refused.code()), (422, ErrorCode::Invalid));
        assert_eq!(refused.problem.field.as_deref(), Some("name"));
        assert_eq!(refused.problem.reason.as_deref(), Some(reason.name()));
    }
}

#[tokio::test]
async fn a_guest_becomes_an_account_and_keeps_their_messages() {
    let app = TestApp::start().await;
    let guest = app.guest("mina").await;
    let room = guest.room(RoomKind::Public, "lobby").await;
    guest.send(room, "before").await.unwrap();

    let upgraded = guest
        .call::<RegisterAccount>(&[], register("mina_kim"))
        .await
        .unwrap();
    assert_eq!(upgraded.user.id, guest.user().id);
    assert_eq!(upgraded.user.name, "mina");
    assert_eq!(upgraded.user.kind, UserKind::Account);

    let history = app.visitor().history(room).await.unwrap();
    assert_eq!(history.messages[0].author, upgraded.user);
    assert!(matches!(&history.messages[0].content, Content::Text { body } if body == "before"));
    assert_eq!(
        me(&guest).await.err().unwrap().status,
        401,
        "the guest's session ended"
    );
    let account = guest.signed_in(upgraded);
    assert_eq!(
        me(&account).await.unwrap().username.as_deref(),
        Some("mina_kim")
    );
    assert_eq!(
        sign_in(&app, "Mina_Kim", PASSWORD).await.unwrap().user.id,
        guest.user().id
    );
}

#[tokio::test]
async fn an_account_cannot_be_registered_over() {
    let app = TestApp::start().await;
    let mina = app.account("mina").await;
    let taken = app
        .visitor()
        .call::<RegisterAccount>(&[], register("mina"))
        .await
        .err()
        .unwrap();
    assert_eq!((taken.status, taken.code()), (409, ErrorCode::NameTaken));
    assert_eq!(taken.problem.field.as_deref(), Some("username"));
    let again = mina
        .call::<RegisterAccount>(&[], register("mina2"))
        .await
        .err()
        .unwrap();
    assert_eq!(again.code(), ErrorCode::Conflict);
}

#[tokio::test]
async fn a_password_made_from_the_username_is_refused() {
    let app = TestApp::start().await;
    let request = Register {
        password: "longusername-longusername-1".to_owned(),
        ..register("longusername")
    };
    let refused = app
        .visitor()
        .call::<RegisterAccount>(&[], request)
        .await
        .err()
        .unwrap();
    assert_eq!(
        refused.problem.reason.as_deref(),
        Some(TextReason::Guessable.name())
    );
}

#[tokio::test]
async fn an_unknown_user_and_a_wrong_password_get_the_same_words() {
    let app = TestApp::start().await;
    app.account("mina").await;
    let wrong = sign_in(&app, "mina", "a wrong password")
        .await
        .err()
        .unwrap();
    let unknown = sign_in(&app, "nobody", PASSWORD).await.err().unwrap();
    let impossible = sign_in(&app, "not a name!", "short").await.err().unwrap();
    for refused in [&wrong, &unknown, &impossible] {
        assert_eq!(
            (refused.status, refused.code()),
            (401, ErrorCode::BadCredentials)
        );
        assert_eq!(refused.problem.detail, wrong.problem.detail);
    }
}

#[tokio::test]
async fn a_stranger_who_guesses_does_not_lock_the_owner_out() {
    let arguments = [("--trusted-proxies", "1"), ("--limit-sign-ins", "3/1m")];
    let app = TestApp::start_with(&arguments).await;
    app.account("mina").await;
    let attempt = async |address: &str, password: &str| {
        let body = serde_json::json!({ "username": "mina", "password": password });
        let request = app.http.post(app.url("/v1/sessions")).json(&body);
        let answer = request
            .header("x-forwarded-for", address)
            .send()
            .await
            .unwrap();
        answer.status().as_u16()
    };
    for _ in 0..3 {
        assert_eq!(
            attempt("1.2.3.4, 203.0.113.66", "a wrong password").await,
            401
        );
    }
    assert_eq!(
        attempt("5.6.7.8, 203.0.113.66", PASSWORD).await,
        429,
        "a forged hop changes nothing"
    );
    assert_eq!(attempt("198.51.100.7", PASSWORD).await, 201);
}

#[tokio::test]
async fn an_access_token_ends_and_is_refreshed() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    app.clock.advance_ms(ACCESS_MS + 10_000);
    let ended = me(&mina).await.err().unwrap();
    assert_eq!((ended.status, ended.code()), (401, ErrorCode::TokenExpired));
    assert_eq!(ended.headers["www-authenticate"], "Bearer");

    let renewed = refresh(&app, &mina.login().tokens.refresh_token)
        .await
        .unwrap();
    assert_eq!(renewed.session, mina.login().session);
    assert_eq!(
        me(&mina.signed_in(renewed)).await.unwrap().user,
        *mina.user()
    );
}

#[tokio::test]
async fn a_lost_answer_to_a_refresh_can_be_asked_for_again() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let token = &mina.login().tokens.refresh_token;
    let (first, second) = tokio::join!(refresh(&app, token), refresh(&app, token));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.tokens.refresh_token, second.tokens.refresh_token);
    refresh(&app, &first.tokens.refresh_token).await.unwrap();
}

#[tokio::test]
async fn a_sign_in_that_finds_no_place_to_wait_is_told_when_to_come_back() {
    let app = TestApp::start().await;
    let cores = std::thread::available_parallelism().unwrap().get();
    let shed = async {
        loop {
            let state = app.state.clone();
            let others = tokio::spawn(async move {
                let many = (0..20 * cores).map(|_| state.passwords.verify(None, None));
                join_all(many).await
            });
            let refused = sign_in(&app, "nobody", PASSWORD).await.err().unwrap();
            others.await.unwrap();
            if refused.code() != ErrorCode::BadCredentials {
                return refused;
            }
        }
    };
    let refused = timeout(PATIENCE, shed).await.unwrap();
    assert_eq!(
        (refused.status, refused.code()),
        (503, ErrorCode::Overloaded)
    );
    assert!(refused.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn two_tabs_without_common_storage_stay_signed_in_while_they_take_turns() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let mut first = mina.login().tokens.refresh_token.clone();
    let mut second = first.clone();
    for _ in 0..3 {
        app.clock.advance_ms(ACCESS_MS);
        first = refresh(&app, &first).await.unwrap().tokens.refresh_token;
        app.clock.advance_ms(ACCESS_MS);
        second = refresh(&app, &second).await.unwrap().tokens.refresh_token;
        assert_eq!(first, second);
    }
    for _ in 0..2 {
        first = refresh(&app, &first).await.unwrap().tokens.refresh_token;
    }
    let signed_out = refresh(&app, &second).await.err().unwrap();
    assert_eq!(signed_out.status, 401);
    assert_eq!(refresh(&app, &first).await.err().unwrap().status, 401);
}

/// The keys of a node, step by step, while one key is replaced by another.
const ROTATION: [&[(&str, &str)]; 4] = [
    &[("--secret-key", OLD)],
    &[("--secret-key", OLD), ("--secret-key-next", NEW)],
    &[("--secret-key", NEW), ("--secret-key-previous", OLD)],
    &[("--secret-key", NEW)],
];
const OLD: &str = "0123456789abcdefghijklmnopqrstuvwxyz";
const NEW: &str = "zyxwvutsrqponmlkjihgfedcba9876543210";

#[tokio::test]
async fn a_rotation_of_the_key_signs_nobody_out_while_nodes_are_a_step_apart() {
    for (step, keys) in ROTATION.windows(2).enumerate() {
        let behind = TestApp::start_with(keys[0]).await;
        let ahead = TestApp::start_on(behind.store.clone(), keys[1]).await;
        for (here, there) in [(&behind, &ahead), (&ahead, &behind)] {
            let mina = here.guest("mina").await;
            let seen = me(&there.visitor().signed_in(mina.login().clone())).await;
            assert_eq!(seen.unwrap().user, *mina.user(), "step {step}");
            let token = &mina.login().tokens.refresh_token;
            let lost = refresh(here, token).await.unwrap().tokens.refresh_token;
            let again = refresh(there, token).await.unwrap().tokens.refresh_token;
            assert_eq!(again, lost, "step {step}");
            let renewed = refresh(here, &again).await.unwrap();
            let there = there.visitor().signed_in(renewed);
            assert_eq!(me(&there).await.unwrap().user, *mina.user(), "step {step}");
        }
    }
}

#[tokio::test]
async fn what_only_the_previous_key_proves_ends_with_it_and_sessions_do_not() {
    let before = TestApp::start_with(ROTATION[0]).await;
    let mina = before.guest("mina").await;
    let jun = before.guest("jun").await;
    let lost = &jun.login().tokens.refresh_token;
    refresh(&before, lost).await.unwrap();

    let after = TestApp::start_on(before.store.clone(), ROTATION[3]).await;
    let old_access = me(&after.visitor().signed_in(mina.login().clone())).await;
    assert_eq!(old_access.err().unwrap().code(), ErrorCode::Unauthorized);
    let renewed = refresh(&after, &mina.login().tokens.refresh_token).await;
    let renewed = after.visitor().signed_in(renewed.unwrap());
    assert_eq!(me(&renewed).await.unwrap().user, *mina.user());
    // A successor that was lost can be told again only by the key that made it.
    assert_eq!(refresh(&after, lost).await.err().unwrap().status, 401);
}

#[tokio::test]
async fn a_refresh_token_whose_successor_was_used_ends_its_session() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let mut socket = app.socket(Some(mina.token())).await;
    let token = &mina.login().tokens.refresh_token;
    let renewed = refresh(&app, token).await.unwrap();
    let newest = refresh(&app, &renewed.tokens.refresh_token).await.unwrap();
    assert_eq!(refresh(&app, token).await.err().unwrap().status, 401);
    assert_eq!(socket.close_code().await, 4501);
    let newest = refresh(&app, &newest.tokens.refresh_token).await;
    assert_eq!(newest.err().unwrap().status, 401);
    assert_eq!(
        me(&mina.signed_in(renewed)).await.err().unwrap().status,
        401
    );
}

#[tokio::test]
async fn sessions_are_listed_and_revoked_at_once() {
    let app = TestApp::start().await;
    let desk = app.account("mina").await;
    let phone = desk.signed_in(sign_in(&app, "mina", PASSWORD).await.unwrap());
    let sessions = desk
        .call::<ListSessions>(&[], Empty {})
        .await
        .unwrap()
        .sessions;
    let current: Vec<_> = sessions.iter().filter(|session| session.current).collect();
    assert_eq!(sessions.len(), 2);
    assert_eq!(current.len(), 1);
    assert_eq!(current[0].id, desk.login().session);

    let lost = phone.login().session;
    desk.call::<RevokeSession>(&[&lost], Empty {})
        .await
        .unwrap();
    assert_eq!(
        me(&phone).await.err().unwrap().code(),
        ErrorCode::Unauthorized
    );
    assert_eq!(
        refresh(&app, &phone.login().tokens.refresh_token)
            .await
            .err()
            .unwrap()
            .status,
        401
    );
    let stranger = app.account("other").await;
    let foreign = stranger
        .call::<RevokeSession>(&[&desk.login().session], Empty {})
        .await;
    assert_eq!(foreign.err().unwrap().status, 404);
    desk.call::<SignOut>(&[], Empty {}).await.unwrap();
    assert_eq!(me(&desk).await.err().unwrap().status, 401);
}

#[tokio::test]
async fn signing_out_everywhere_ends_every_session() {
    let app = TestApp::start().await;
    let desk = app.account("mina").await;
    let phone = desk.signed_in(sign_in(&app, "mina", PASSWORD).await.unwrap());
    desk.call::<SignOutEverywhere>(&[], Empty {}).await.unwrap();
    assert_eq!(me(&desk).await.err().unwrap().status, 401);
    assert_eq!(me(&phone).await.err().unwrap().status, 401);
}

#[tokio::test]
async fn a_new_password_ends_every_other_session() {
    let app = TestApp::start().await;
    let desk = app.account("mina").await;
    let phone = desk.signed_in(sign_in(&app, "mina", PASSWORD).await.unwrap());
    let change = |current: &str| ChangePassword {
        current: current.to_owned(),
        new: "another good password".to_owned(),
    };
    let wrong = desk
        .call::<SetPassword>(&[], change("a wrong password"))
        .await
        .err()
        .unwrap();
    assert_eq!(wrong.code(), ErrorCode::BadCredentials);
    desk.call::<SetPassword>(&[], change(PASSWORD))
        .await
        .unwrap();
    assert!(me(&desk).await.is_ok());
    assert_eq!(me(&phone).await.err().unwrap().status, 401);
    assert!(sign_in(&app, "mina", PASSWORD).await.is_err());
    assert!(sign_in(&app, "mina", "another good password").await.is_ok());
    let guest = app.guest("guest one").await;
    let refused = guest
        .call::<SetPassword>(&[], change(PASSWORD))
        .await
        .err()
        .unwrap();
    assert_eq!(refused.code(), ErrorCode::Forbidden);
}

#[tokio::test]
async fn a_token_that_we_did_not_sign_is_refused() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let other =
        TestApp::start_with(&[("--secret-key", "another-secret-of-more-than-32-bytes")]).await;
    let theirs = other.guest("mina").await;
    let [header, claims, signature] = mina.token().split('.').collect::<Vec<_>>()[..] else {
        panic!("a JWT has three parts");
    };
    let header_of = |json: &str| URL_SAFE_NO_PAD.encode(json);
    let forged = [
        String::new(),
        "x".to_owned(),
        format!("{header}.{claims}."),
        format!("{header}.{claims}"),
        format!(
            "{header}.{claims}.{}",
            signature.chars().rev().collect::<String>()
        ),
        format!("{}.{claims}.", header_of(r#"{"alg":"none"}"#)),
        format!("{}.{claims}.{signature}", header_of(r#"{"alg":"HS256"}"#)),
        format!(
            "{}.{claims}.{signature}",
            header_of(r#"{"alg":"HS512","kid":"x"}"#)
        ),
        theirs.token().to_owned(),
        format!("{}{}", mina.token(), "A".repeat(2_000)),
    ];
    for token in forged {
        let request = app
            .http
            .get(app.url("/v1/me"))
            .header("authorization", format!("Bearer {token}"));
        assert_eq!(request.send().await.unwrap().status(), 401, "{token}");
    }
}

#[tokio::test]
async fn regression_07_a_token_in_the_url_is_not_looked_at() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    for name in ["token", "access_token", "authorization"] {
        let url = app.url(&format!("/v1/me?{name}={}", mina.token()));
        assert_eq!(app.http.get(url).send().await.unwrap().status(), 401);
    }
}

#[tokio::test]
async fn regression_04_too_many_guests_are_told_when_to_come_back() {
    let app = TestApp::start_with(&[("--limit-guests", "2/1m")]).await;
    app.guest("first").await;
    app.guest("second").await;
    let third = || CreateGuest {
        name: "third".to_owned(),
    };
    let refused = app
        .visitor()
        .call::<JoinAsGuest>(&[], third())
        .await
        .err()
        .unwrap();
    assert_eq!(
        (refused.status, refused.code()),
        (429, ErrorCode::RateLimited)
    );
    let wait_ms = refused.problem.retry_after_ms.unwrap();
    assert!((1..=30_000).contains(&wait_ms), "{wait_ms}");
    let seconds: u64 = refused.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(seconds, wait_ms.div_ceil(1_000));
    app.clock.advance_ms(wait_ms);
    app.visitor()
        .call::<JoinAsGuest>(&[], third())
        .await
        .unwrap();
}
