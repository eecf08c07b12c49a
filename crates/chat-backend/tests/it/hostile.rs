//! Clients that break the rules: each is told why, and costs the others nothing.

use std::time::{Duration, Instant};

use chat_types::account::Empty;
use chat_types::endpoint::SignOutEverywhere;
use chat_types::limits::MESSAGE_FRAGMENTS;
use chat_types::problem::ErrorCode;
use chat_types::ws::{Command, SUBPROTOCOL, ServerDoc};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::support::{ORIGIN, PATIENCE, Socket, TestApp, handshake};

fn frame(kind: Data, payload: Vec<u8>, last: bool) -> Message {
    Message::Frame(Frame::message(payload, OpCode::Data(kind), last))
}

#[tokio::test]
async fn a_socket_that_says_nothing_is_closed() {
    let app = TestApp::start_with(&[("--hello-ms", "100")]).await;
    assert_eq!(app.connect().await.close_code().await, 4001);
}

#[tokio::test]
async fn before_hello_only_a_small_hello_is_taken() {
    let app = TestApp::start().await;
    for (text, code) in [
        (r#"{"t":"pong"}"#.to_owned(), 4500),
        ("hello".to_owned(), 4500),
        (String::new(), 4500),
        ("x".repeat(5_000), 1009),
    ] {
        let mut socket = app.connect().await;
        socket.send_text(&text).await;
        assert_eq!(socket.close_code().await, code, "{text:.20}");
    }
}

#[tokio::test]
async fn a_refused_token_is_told_and_hello_may_be_said_again() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let mut socket = app.connect().await;
    socket
        .send(&crate::support::hello(Some("not a token")))
        .await;
    let refusal = socket.refusal(chat_types::id::RequestId(1)).await;
    assert_eq!(refusal.code, ErrorCode::Unauthorized);
    let welcome = socket.hello(Some(mina.token())).await;
    assert_eq!(welcome.user.as_ref(), Some(mina.user()));
}

#[tokio::test]
async fn frames_that_break_the_protocol_are_answered_with_its_close_codes() {
    let app = TestApp::start().await;
    let too_big = vec![b' '; 16 * 1024 + 1];
    let half = vec![b' '; 9 * 1024];
    for (name, frames, code) in [
        ("too big", vec![frame(Data::Text, too_big, true)], 1009),
        (
            "too big in fragments",
            vec![
                frame(Data::Text, half.clone(), false),
                frame(Data::Continue, half, true),
            ],
            1009,
        ),
        (
            "not UTF-8",
            vec![frame(Data::Text, vec![0xff, 0xfe], true)],
            1007,
        ),
        (
            "a reserved opcode",
            vec![frame(Data::Reserved(3), vec![], true)],
            1002,
        ),
        (
            "a loose fragment",
            vec![frame(Data::Continue, vec![], true)],
            1002,
        ),
        ("binary", vec![Message::binary(vec![1])], 4500),
        ("no document", vec![Message::text(" ")], 4500),
        ("a blank document", vec![Message::text("{}\n\n{}")], 4500),
        (
            "65 documents",
            vec![Message::text(["{}"; 65].join("\n"))],
            4500,
        ),
    ] {
        let mut socket = app.socket(None).await;
        for frame in frames {
            socket.stream.send(frame).await.unwrap();
        }
        assert_eq!(socket.close_code().await, code, "{name}");
    }
}

#[tokio::test]
async fn a_message_has_a_bounded_number_of_fragments() {
    let app = TestApp::start().await;
    let most = usize::try_from(MESSAGE_FRAGMENTS).unwrap();
    let mut socket = app.socket(None).await;
    let probe = br#"{"t":"probe"}"#.to_vec();
    socket
        .stream
        .send(frame(Data::Text, probe, false))
        .await
        .unwrap();
    for index in 2..=most {
        let fragment = frame(Data::Continue, vec![], index == most);
        socket.stream.feed(fragment).await.unwrap();
    }
    socket.stream.flush().await.unwrap();
    let ping = |doc| matches!(doc, ServerDoc::Ping { .. }).then_some(());
    socket.expect("ping", ping).await;

    socket
        .stream
        .send(frame(Data::Text, vec![b'{'], false))
        .await
        .unwrap();
    for _ in 0..most {
        // The server may have closed by now; that is what is waited for.
        let _ = socket
            .stream
            .feed(frame(Data::Continue, vec![], false))
            .await;
    }
    let _ = socket.stream.flush().await;
    assert_eq!(socket.close_code().await, 1009);
}

#[tokio::test]
async fn a_message_that_is_begun_has_to_end_in_time_whatever_comes_between() {
    let app = TestApp::start_with(&[("--message-ms", "300")]).await;
    let mut socket = app.socket(None).await;
    socket
        .stream
        .send(frame(Data::Text, vec![b'{'], false))
        .await
        .unwrap();
    let (mut writing, mut reading) = socket.stream.split();
    let mut pongs = tokio::time::interval(Duration::from_millis(100));
    let closed = timeout(PATIENCE, async {
        loop {
            tokio::select! {
                read = reading.next() => if let Some(Ok(Message::Close(frame))) = read {
                    return frame.unwrap().code;
                },
                _ = pongs.tick() => drop(writing.send(Message::Pong(Vec::new().into())).await),
            }
        }
    });
    assert_eq!(u16::from(closed.await.unwrap()), 4004);
}

#[tokio::test]
async fn what_cannot_be_understood_is_answered_and_the_socket_lives_on() {
    let app = TestApp::start().await;
    let mut socket = app.socket(None).await;
    for text in [r#"{"t":"dance","id":7}"#, r#"{"t":"sub","id":7}"#] {
        socket.send_text(text).await;
        let refusal = socket.refusal(chat_types::id::RequestId(7)).await;
        assert_eq!(refusal.code, ErrorCode::Malformed);
    }
    socket.send_text(r#"{"t":"dance"}"#).await;
    socket.send(&Command::Probe {}).await;
    socket
        .expect("ping", |doc| {
            matches!(doc, ServerDoc::Ping { .. }).then_some(())
        })
        .await;
}

#[tokio::test]
async fn regression_07_only_the_front_ends_pages_may_connect() {
    let app = TestApp::start().await;
    for foreign in [
        "http://127.0.0.1:3001",
        "https://127.0.0.1:3000",
        "http://127.0.0.1",
        "http://127.0.0.1:30000",
        "http://127.0.0.1:3000.evil.example",
        "http://evil.example/http://127.0.0.1:3000",
        "http://evil127.0.0.1:3000",
        "null",
    ] {
        let request = handshake(app.address, Some(foreign), Some(SUBPROTOCOL));
        let mut socket = Socket::open(request).await;
        assert_eq!(socket.close_code().await, 4504, "{foreign}");
    }
    let request = handshake(app.address, Some(ORIGIN), Some(SUBPROTOCOL));
    Socket::open(request).await.hello(None).await;
}

#[tokio::test]
async fn regression_07_a_token_in_the_url_is_refused() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let url = app.url(&format!("/v1/ws?token={}", mina.token()));
    assert_eq!(app.http.get(url).send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn regression_07_an_expired_token_ends_and_does_not_reconnect_for_ever() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let lifetime = mina.login().tokens.expires_in_ms;
    app.clock.advance_ms(lifetime - 3_000);
    let mut socket = app.socket(Some(mina.token())).await;
    socket
        .expect("auth_soon", |doc| {
            matches!(doc, ServerDoc::AuthSoon { .. }).then_some(())
        })
        .await;
    assert_eq!(socket.close_code().await, 4002);
    app.clock.advance_ms(120_000);
    let mut socket = app.connect().await;
    socket
        .send(&crate::support::hello(Some(mina.token())))
        .await;
    let refusal = socket.refusal(chat_types::id::RequestId(1)).await;
    assert_eq!(
        refusal.code,
        ErrorCode::TokenExpired,
        "the client knows that it has to renew"
    );
}

#[tokio::test]
async fn an_unknown_subprotocol_is_echoed_and_closed_for_good() {
    let app = TestApp::start().await;
    for offered in [Some("chat.v9.cbor"), None] {
        let mut socket = Socket::open(handshake(app.address, None, offered)).await;
        assert_eq!(socket.close_code().await, 4503);
    }
    let both = handshake(app.address, None, Some("chat.v9.cbor, chat.v1.json"));
    Socket::open(both).await.hello(None).await;
}

#[tokio::test]
async fn a_handshake_with_a_bad_key_is_refused() {
    let app = TestApp::start().await;
    for (key, version, status) in [
        ("c2hvcnQ=", "13", 400),
        ("x", "13", 400),
        ("AAAAAAAAAAAAAAAAAAAAAA==", "8", 400),
    ] {
        let request = app.http.get(app.url("/v1/ws"));
        let request = request
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", version)
            .header("sec-websocket-key", key);
        assert_eq!(
            request.send().await.unwrap().status(),
            status,
            "{key} {version}"
        );
    }
}

#[tokio::test]
async fn regression_04_frames_above_the_rate_are_told_when_to_try_again() {
    let own = [("--limit-frames", "1"), ("--limit-frames-burst", "3")];
    let app = TestApp::start_with(&own).await;
    let mina = app.guest("mina").await;
    let room = mina.open_page("blog", "/rate").await.room.id;
    let mut socket = app.socket(Some(mina.token())).await;
    let mut last = socket.id();
    for _ in 0..4 {
        last = socket.say_later(room, "flood").await;
    }
    let refusal = socket.refusal(last).await;
    assert_eq!(refusal.code, ErrorCode::RateLimited);
    assert!(refusal.retry && refusal.retry_after_ms.is_some_and(|ms| ms > 0));
    for _ in 0..200 {
        // The server may have closed by now; that is what is waited for.
        let _ = socket.stream.feed(Message::text(r#"{"t":"pong"}"#)).await;
    }
    let _ = socket.stream.flush().await;
    let closed = socket.closed().await;
    assert_eq!(u16::from(closed.code), 4007);
    assert!(chat_types::close::retry_ms(&closed.reason).is_some());
}

#[tokio::test]
async fn what_a_socket_reads_costs_its_address_as_much_as_over_http() {
    let app = TestApp::start_with(&[("--limit-reads", "3/1h")]).await;
    let mina = app.guest("mina").await;
    let room = mina.open_page("blog", "/reads").await.room.id;
    let mut socket = app.socket(Some(mina.token())).await;
    let known = socket.follow(room).await;
    socket.resume(room, &known.epoch, known.head).await;
    let (sub, sync) = (socket.id(), socket.id());
    for command in [
        Command::Sub {
            id: sub,
            room,
            epoch: None,
            since: None,
            tail: 100,
        },
        Command::Sync {
            id: sync,
            room,
            after: known.head,
            limit: 100,
        },
    ] {
        socket.send(&command).await;
        let refusal = socket.refusal(command.request_id().unwrap()).await;
        assert_eq!(refusal.code, ErrorCode::RateLimited);
        assert!(refusal.retry && refusal.retry_after_ms.is_some_and(|ms| ms > 1_000));
    }
    mina.send(room, "still followed").await.unwrap();
    assert_eq!(socket.heard(room).await, "still followed");

    let mut second = app.connect().await;
    second
        .send(&crate::support::hello(Some(mina.token())))
        .await;
    let refusal = second.refusal(chat_types::id::RequestId(1)).await;
    assert_eq!(refusal.code, ErrorCode::RateLimited);
    let room = format!("/v1/rooms/{room}");
    for path in [&room, &format!("{room}/stream"), "/v1/me", "/v1/sessions"] {
        let request = app.http.get(app.url(path)).bearer_auth(mina.token());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 429, "{path}");
        assert!(answer.headers().contains_key("retry-after"), "{path}");
    }
}

#[tokio::test]
async fn a_flood_of_pings_is_closed_for_its_rate_also_before_hello() {
    let own = [("--limit-frames", "1"), ("--limit-frames-burst", "3")];
    let app = TestApp::start_with(&own).await;
    for mut socket in [app.connect().await, app.socket(None).await] {
        for _ in 0..200 {
            // The server may have closed by now; that is what is waited for.
            let _ = socket.stream.feed(Message::Ping(Vec::new().into())).await;
        }
        let _ = socket.stream.flush().await;
        assert_eq!(socket.close_code().await, 4007);
    }
}

#[tokio::test]
async fn a_user_has_a_bounded_number_of_sockets() {
    let app = TestApp::start_with(&[("--limit-sockets-per-user", "2")]).await;
    let mina = app.guest("mina").await;
    let first = app.socket(Some(mina.token())).await;
    let _second = app.socket(Some(mina.token())).await;
    let mut third = app.connect().await;
    third.send(&crate::support::hello(Some(mina.token()))).await;
    assert_eq!(third.close_code().await, 4008);
    drop(first);
    let room = mina.open_page("blog", "/again").await.room.id;
    // The place is given back when the server has seen the end of the first socket.
    let again = timeout(PATIENCE, async {
        loop {
            let mut socket = app.connect().await;
            socket
                .send(&crate::support::hello(Some(mina.token())))
                .await;
            if let Some(Ok(Message::Text(_))) = socket.stream.next().await {
                return socket;
            }
        }
    });
    again.await.unwrap().follow(room).await;
}

#[tokio::test]
async fn visitors_of_an_address_take_no_room_from_those_who_are_signed_in() {
    let app = TestApp::start_with(&[("--limit-visitors-per-address", "1")]).await;
    let mina = app.guest("mina").await;
    let mut visitor = app.socket(None).await;
    let mut second = app.connect().await;
    second.send(&crate::support::hello(None)).await;
    let closed = second.closed().await;
    assert_eq!(u16::from(closed.code), 4008);
    assert!(chat_types::close::retry_ms(&closed.reason).is_some());
    let _signed_in = app.socket(Some(mina.token())).await;
    // A visitor who joins leaves the place to the next.
    let (id, token) = (visitor.id(), mina.token().to_owned());
    visitor.send(&Command::Auth { id, token }).await;
    let answered = |doc| matches!(doc, ServerDoc::Ok(ok) if ok.id == id).then_some(());
    visitor.expect("ok", answered).await;
    let _next = app.socket(None).await;
}

#[tokio::test]
async fn of_the_sockets_of_an_address_that_say_nothing_the_oldest_goes() {
    let app = TestApp::start_with(&[("--limit-greeting-per-address", "2")]).await;
    let (mut oldest, mut other) = (app.connect().await, app.connect().await);
    let mut newest = app.connect().await;
    let closed = oldest.closed().await;
    assert_eq!(u16::from(closed.code), 4008);
    assert!(chat_types::close::retry_ms(&closed.reason).is_some());
    other.hello(None).await;
    newest.hello(None).await;
    // Who has said hello is not counted among those who have not.
    let _more = (app.connect().await, app.connect().await);
    other.send(&Command::Probe {}).await;
    let ping = |doc| matches!(doc, ServerDoc::Ping { .. }).then_some(());
    other.expect("ping", ping).await;
}

#[tokio::test]
async fn behind_a_proxy_sockets_are_counted_by_the_client_and_connections_only_in_all() {
    let app = TestApp::start_with(&[
        ("--trusted-proxies", "1"),
        ("--limit-visitors-per-address", "1"),
        ("--limit-connections-per-address", "1"),
    ])
    .await;
    let mut open = Vec::new();
    for (client, is_let_in) in [
        ("192.0.2.1", true),
        ("192.0.2.1", false),
        ("192.0.2.2", true),
        ("2001:db8:1:2::1", true),
        ("2001:db8:1:2:3::4", false),
        ("2001:db8:1:3::1", true),
    ] {
        let mut request = handshake(app.address, None, Some(SUBPROTOCOL));
        let forwarded = client.parse().unwrap();
        request.headers_mut().insert("x-forwarded-for", forwarded);
        let mut socket = Socket::open(request).await;
        if is_let_in {
            socket.hello(None).await;
        } else {
            socket.send(&crate::support::hello(None)).await;
            assert_eq!(socket.close_code().await, 4008, "{client}");
        }
        open.push(socket);
    }
}

#[tokio::test]
async fn a_revoked_session_loses_its_sockets_within_a_second() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let mut socket = app.socket(Some(mina.token())).await;
    let begun = Instant::now();
    mina.call::<SignOutEverywhere>(&[], Empty {}).await.unwrap();
    let code = socket.close_code().await;
    assert!((4500..5000).contains(&code), "{code} says stop");
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_lost_notice_of_a_revocation_keeps_no_socket_open() {
    let app = TestApp::start_with(&[("--recheck-ms", "100")]).await;
    let mina = app.guest("mina").await;
    let mut socket = app.socket(Some(mina.token())).await;
    let (user, now) = (mina.user().id, app.state.now());
    app.store.revoke_sessions(user, None, now).await.unwrap();
    assert_eq!(socket.close_code().await, 4501);
}

#[tokio::test]
async fn a_socket_without_a_sign_of_life_is_given_up() {
    let app = TestApp::start_with(&[("--ping-ms", "100")]).await;
    let mut socket = app.socket(None).await;
    socket
        .expect("ping", |doc| {
            matches!(doc, ServerDoc::Ping { .. }).then_some(())
        })
        .await;
    assert_eq!(socket.close_code().await, 4004);
}

/// What the server answers to these bytes before it closes the connection.
async fn answer_to(app: &TestApp, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A server that did not read everything resets the connection after its answer.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("the server ends it");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_request_needs_exactly_one_valid_host() {
    let app = TestApp::start().await;
    for hosts in ["", "Host: a\r\nHost: a\r\n", "Host: a b\r\n", "Host:\r\n"] {
        let request = format!("GET /v1/meta HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        let answer = answer_to(&app, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{hosts:?}: {answer}");
    }
}

#[tokio::test]
async fn hosts_that_are_not_served_are_refused() {
    let app = TestApp::start_with(&[("--allowed-hosts", "chat.example")]).await;
    for (host, status) in [("chat.example", "200"), ("evil.example", "400")] {
        let request = format!("GET /v1/meta HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = answer_to(&app, request.as_bytes()).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{host}: {answer}"
        );
    }
}

#[tokio::test]
async fn the_head_of_a_request_has_a_bounded_size() {
    let app = TestApp::start().await;
    for (bytes, status) in [(8 * 1024, "200"), (16 * 1024, "431")] {
        let padding = "x".repeat(bytes);
        let request = format!(
            "GET /v1/meta HTTP/1.1\r\nHost: a\r\nX-Padding: {padding}\r\nConnection: close\r\n\r\n"
        );
        let answer = answer_to(&app, request.as_bytes()).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{bytes}: {answer}"
        );
    }
}

#[tokio::test]
async fn headers_that_do_not_end_cost_a_connection_only_for_a_while() {
    let app = TestApp::start_with(&[("--headers-ms", "200")]).await;
    let answer = answer_to(&app, b"GET /v1/meta HTTP/1.1\r\nHost: a\r\nX-Slow: ").await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_body_that_does_not_end_is_refused_in_time_however_it_drips() {
    let app = TestApp::start_with(&[("--body-ms", "300")]).await;
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let head = "POST /v1/guests HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
                Content-Length: 1000\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = stream.split();
    let mut answer = Vec::new();
    let mut drips = tokio::time::interval(Duration::from_millis(20));
    let answered = timeout(PATIENCE, async {
        loop {
            tokio::select! {
                read = reading.read_buf(&mut answer) => if read.unwrap_or(0) == 0 { break },
                _ = drips.tick() => drop(writing.write_all(b" ").await),
            }
        }
    });
    answered.await.expect("the server ends it");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn one_connection_too_many_is_told_to_come_back() {
    let app = TestApp::start_with(&[("--limit-connections", "1")]).await;
    let _first = app.connect().await;
    let answer = answer_to(&app, b"").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("retry-after"), "{answer}");
}
