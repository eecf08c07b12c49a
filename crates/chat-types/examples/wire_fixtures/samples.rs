//! One sample for every variant, with every optional field.

use serde_json::{Value, json};

/// A document as a file: `kind` is its folder, `name` the beginning of its name.
pub(crate) struct Sample {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) value: Value,
    /// Whether files for the subsets of its optional fields are made.
    pub(crate) subsets: bool,
}

const ROOM: &str = "7d9f2b52-6c1e-4d53-9f0a-3b8f3c1d2e4f";
const MESSAGE: &str = "019a4c1e-7a00-7c3d-8e4f-0123456789ab";
const OTHER_MESSAGE: &str = "019a4c1e-7000-7000-8000-00000000000a";
const CLIENT_ID: &str = "019a4c1e-79f0-7abc-9def-fedcba987654";
const USER: &str = "3f0e8a6c-2b4d-4e6f-8a0b-1c2d3e4f5a6b";
const OTHER_USER: &str = "00000000-0000-4000-8000-000000000001";
const SESSION: &str = "b1946ac9-2492-4d23-8a6b-0f1e2d3c4b5a";
const LARGEST: u64 = 9_007_199_254_740_991;
const NOW: u64 = 1_795_392_000_000;

/// Every sample.
pub(crate) fn all() -> Vec<Sample> {
    let mut samples = Vec::new();
    samples.extend(from_client());
    samples.extend(from_server());
    samples.extend(changes());
    samples.extend(http());
    samples.extend(words());
    samples
}

fn sample(kind: &'static str, name: &str, value: Value) -> Sample {
    Sample {
        kind,
        name: name.to_owned(),
        value,
        subsets: true,
    }
}

fn user() -> Value {
    json!({ "id": USER, "name": "김 민지", "kind": "account" })
}

fn guest() -> Value {
    json!({ "id": OTHER_USER, "name": "Zoë🐱", "kind": "guest" })
}

fn room() -> Value {
    json!({
        "id": ROOM, "kind": "public", "name": "사랑방 👨‍👩‍👧", "topic": "<b>무엇이든</b>",
        "archived": true, "read_only": true, "created_at": NOW
    })
}

fn member() -> Value {
    json!({ "user": user(), "role": "owner", "joined_at": NOW })
}

fn summary() -> Value {
    json!({
        "room": room(), "head": 40, "epoch": "e1", "last_number": 30, "last_at": NOW, "read": 29,
        "role": "member", "members_count": 2, "peer": guest()
    })
}

fn message() -> Value {
    json!({
        "id": MESSAGE, "number": 12, "seq": 40, "author": guest(), "client_id": CLIENT_ID,
        "sent_at": NOW, "content": { "kind": "text", "body": "안녕하세요 👋\n<script>\"'&\\ \u{202e}" },
        "edited_at": NOW + 1,
        "reply_to": { "id": OTHER_MESSAGE, "number": 11, "author": "김 민지", "excerpt": "네" },
        "pinned": true,
        "reactions": [{ "emoji": "👍🏽", "count": 2, "mine": true }]
    })
}

fn tombstone() -> Value {
    json!({
        "id": OTHER_MESSAGE, "number": 11, "seq": 41, "author": user(), "client_id": CLIENT_ID,
        "sent_at": 0, "content": { "kind": "deleted", "at": NOW, "by_moderator": true }
    })
}

fn limits() -> Value {
    json!({
        "message_chars": 4000, "frame_bytes": 16384, "rooms_per_connection": 128,
        "frames_per_second": 20, "frames_burst": 40, "sends_per_window": 5, "send_window_ms": 5000
    })
}

fn sent() -> Value {
    json!({ "id": MESSAGE, "seq": 40, "number": 12, "at": NOW, "duplicate": true })
}

fn from_client() -> Vec<Sample> {
    let documents = [
        json!({ "t": "hello", "id": 0, "token": "a.b.c", "caps": ["zip"], "client": { "name": "web", "build": "0.1.0" } }),
        json!({ "t": "auth", "id": 1, "token": "a.b.c" }),
        json!({ "t": "sub", "id": 2, "room": ROOM, "epoch": "e1", "since": 40, "tail": 50 }),
        json!({ "t": "unsub", "id": 3, "room": ROOM }),
        json!({ "t": "send", "id": 4, "room": ROOM, "client_id": CLIENT_ID, "body": "안녕하세요 👋\n\"\\", "reply_to": OTHER_MESSAGE }),
        json!({ "t": "edit", "id": 5, "room": ROOM, "message_id": MESSAGE, "body": "고침" }),
        json!({ "t": "delete", "id": 6, "room": ROOM, "message_id": MESSAGE }),
        json!({ "t": "react", "id": 7, "room": ROOM, "message_id": MESSAGE, "emoji": "❤️", "on": true }),
        json!({ "t": "pin", "id": 8, "room": ROOM, "message_id": MESSAGE, "on": false }),
        json!({ "t": "sync", "id": LARGEST, "room": ROOM, "after": LARGEST, "limit": 100 }),
        json!({ "t": "read", "room": ROOM, "number": LARGEST }),
        json!({ "t": "typing", "room": ROOM }),
        json!({ "t": "mode", "idle": true }),
        json!({ "t": "pong" }),
        json!({ "t": "probe" }),
    ];
    documents
        .into_iter()
        .map(|value| sample("c2s", value["t"].as_str().expect("a tag"), value.clone()))
        .collect()
}

fn from_server() -> Vec<Sample> {
    let s2c = |name, value| sample("s2c", name, value);
    vec![
        s2c(
            "welcome",
            json!({
                "t": "welcome", "id": 0, "connection": SESSION, "user": user(), "caps": ["zip"], "server": "0.1.0",
                "oldest_client": "0.1.0", "now": NOW, "limits": limits(), "ping_interval_ms": 25000
            }),
        ),
        s2c(
            "ok",
            json!({ "t": "ok", "id": 4, "seq": LARGEST, "sent": sent() }),
        ),
        s2c(
            "err",
            json!({
                "t": "err", "id": 4, "code": "rate_limited", "message": "5 messages in 5 s", "retry": true,
                "retry_after_ms": 1200, "reason": "too_long"
            }),
        ),
        s2c(
            "subbed",
            json!({
                "t": "subbed", "id": 2, "room": room(), "epoch": "e1", "head": 41, "recovered": false,
                "changes": [{ "seq": 40, "change": { "kind": "message", "message": message() } }],
                "messages": [tombstone(), message()], "more_before": true, "last_number": 12, "read": 11,
                "me": member(), "members": { "count": 1, "listed": [member()] }
            }),
        ),
        s2c(
            "page",
            json!({
                "t": "page", "id": 9, "room": ROOM, "epoch": "e1",
                "changes": [
                    { "seq": 40, "change": { "kind": "message", "message": message() } },
                    { "seq": 41, "change": { "kind": "member", "member": member() } }
                ],
                "upto": 41, "head": 50, "more": true
            }),
        ),
        s2c(
            "page.empty",
            json!({
                "t": "page", "id": 9, "room": ROOM, "epoch": "e1", "changes": [], "upto": 50, "head": 50, "more": false
            }),
        ),
        s2c(
            "eph.typing",
            json!({ "t": "eph", "room": ROOM, "data": { "kind": "typing", "user": guest() } }),
        ),
        s2c(
            "eph.presence",
            json!({ "t": "eph", "room": ROOM, "data": { "kind": "presence", "count": 2, "users": [user(), guest()] } }),
        ),
        s2c(
            "eph.read",
            json!({ "t": "eph", "room": ROOM, "data": { "kind": "read", "number": 12 } }),
        ),
        s2c("resync", json!({ "t": "resync", "room": ROOM })),
        s2c(
            "room_added",
            json!({ "t": "room_added", "summary": summary() }),
        ),
        s2c(
            "ping",
            json!({ "t": "ping", "heads": [{ "room": ROOM, "seq": 41 }] }),
        ),
        s2c(
            "auth_soon",
            json!({ "t": "auth_soon", "expires_in_ms": 60000 }),
        ),
        s2c("going_away", json!({ "t": "going_away", "retry_ms": 1500 })),
        s2c(
            "notice",
            json!({ "t": "notice", "text": "10분 뒤 점검합니다" }),
        ),
    ]
}

fn changes() -> Vec<Sample> {
    let changes = [
        (
            "message",
            json!({ "kind": "message", "message": message() }),
        ),
        (
            "message-deleted",
            json!({ "kind": "message", "message": tombstone() }),
        ),
        (
            "edited",
            json!({ "kind": "edited", "message_id": MESSAGE, "body": "고침", "edited_at": NOW }),
        ),
        (
            "deleted",
            json!({ "kind": "deleted", "message_id": MESSAGE, "at": NOW, "by_moderator": true }),
        ),
        (
            "reacted",
            json!({
                "kind": "reacted", "message_id": MESSAGE, "user_id": USER, "emoji": "🇰🇷", "on": true, "count": 3
            }),
        ),
        (
            "pinned",
            json!({ "kind": "pinned", "message_id": MESSAGE, "on": true }),
        ),
        ("member", json!({ "kind": "member", "member": member() })),
        (
            "member_left",
            json!({ "kind": "member_left", "user_id": USER }),
        ),
        ("room", json!({ "kind": "room", "room": room() })),
    ];
    changes
        .into_iter()
        .map(|(name, change)| {
            let event = json!({ "t": "ev", "room": ROOM, "seq": 42, "at": NOW, "change": change });
            sample("s2c", &format!("ev.{name}"), event)
        })
        .collect()
}

fn http() -> Vec<Sample> {
    let http = |name, value| sample("http", name, value);
    let tokens = json!({ "access_token": "a.b.c", "expires_in_ms": 900_000, "refresh_token": "r" });
    let session = json!({
        "id": SESSION, "created_at": NOW, "last_used_at": NOW, "device": "Firefox, Linux", "current": true
    });
    vec![
        http("CreateGuest", json!({ "name": "김 민지" })),
        http(
            "Register",
            json!({ "username": "mina", "password": "네 개의 보라색 트랙터가", "name": "민아" }),
        ),
        http(
            "SignIn",
            json!({ "username": "mina", "password": "네 개의 보라색 트랙터가" }),
        ),
        http("Refresh", json!({ "refresh_token": "r" })),
        http(
            "ChangePassword",
            json!({ "current": "옛 비밀번호", "new": "새 비밀번호" }),
        ),
        http(
            "SignedIn",
            json!({ "user": guest(), "session": SESSION, "tokens": tokens }),
        ),
        http(
            "Me",
            json!({ "user": user(), "username": "mina", "session": SESSION }),
        ),
        http("SessionList", json!({ "sessions": [session] })),
        http("SessionList.empty", json!({ "sessions": [] })),
        http("OfferedName", json!({ "name": "졸린 고양이" })),
        http(
            "Meta",
            json!({
                "version": "0.1.0", "protocols": ["chat.v1.json"], "oldest_client": "0.1.0", "now": NOW, "limits": limits()
            }),
        ),
        http("Empty", json!({})),
        http(
            "CreateRoom",
            json!({ "kind": "private", "name": "우리 집", "topic": "가족끼리" }),
        ),
        http(
            "UpdateRoom",
            json!({ "name": "새 이름", "topic": "", "archived": false, "read_only": true }),
        ),
        http(
            "OpenPage",
            json!({ "site": "my-blog", "page": "/posts/1", "title": "첫 글" }),
        ),
        http("OpenDirect", json!({ "user": OTHER_USER })),
        http("RoomPage", json!({ "rooms": [summary()], "next": "c2" })),
        http("RoomPage.empty", json!({ "rooms": [] })),
        http("RoomSummary", summary()),
        http("MemberPage", json!({ "members": [member()], "next": "c2" })),
        http("CreateInvite", json!({ "valid_ms": 86_400_000 })),
        http(
            "Invite",
            json!({ "code": "AZaz09-_AZaz09-_AZaz09", "expires_at": NOW }),
        ),
        http("AcceptInvite", json!({ "code": "AZaz09-_AZaz09-_AZaz09" })),
        http(
            "SendMessage",
            json!({ "client_id": CLIENT_ID, "body": "안녕", "reply_to": OTHER_MESSAGE }),
        ),
        http("Sent", sent()),
        http("EditMessage", json!({ "body": "고침" })),
        http("React", json!({ "emoji": "1️⃣", "on": true })),
        http("Pin", json!({ "on": true })),
        http("Changed", json!({ "seq": LARGEST })),
        http(
            "History",
            json!({
                "epoch": "e1", "head": 41, "messages": [tombstone(), message()], "more_before": true, "more_after": false
            }),
        ),
        http(
            "HistoryQuery",
            json!({ "before": 10, "after": 5, "around": 7, "limit": 50 }),
        ),
        http("ListQuery", json!({ "cursor": "c1", "limit": 100 })),
        http("MarkRead", json!({ "number": 12 })),
        http(
            "Site",
            json!({ "key": "my-blog", "origins": ["https://blog.example", "*"] }),
        ),
        http(
            "Problem",
            json!({
                "type": "urn:sarangbang:problem:invalid", "title": "invalid", "status": 422, "detail": "the name is reserved",
                "code": "invalid", "retry": false, "retry_after_ms": 1000, "field": "name", "reason": "reserved",
                "request_id": "019a4c1e"
            }),
        ),
    ]
}

/// Documents for the words that the samples above do not use.
fn words() -> Vec<Sample> {
    let mut samples = Vec::new();
    for code in chat_types::problem::ErrorCode::ALL {
        let err = json!({ "t": "err", "code": code, "message": "why", "retry": code.retry() });
        samples.push(sample("s2c", &format!("err.code-{}", code.name()), err));
    }
    for reason in chat_types::text::TextReason::ALL {
        let err = json!({ "t": "err", "code": "invalid", "message": "why", "retry": false, "reason": reason });
        samples.push(sample("s2c", &format!("err.reason-{}", reason.name()), err));
    }
    for reason in ["left", "removed", "forbidden", "epoch_reset"] {
        let unsubbed = json!({ "t": "unsubbed", "room": ROOM, "reason": reason });
        samples.push(sample("s2c", &format!("unsubbed.{reason}"), unsubbed));
    }
    for role in ["guest", "member", "moderator", "owner"] {
        let member = json!({ "user": guest(), "role": role, "joined_at": NOW });
        let page = json!({ "members": [member] });
        samples.push(sample("http", &format!("MemberPage.role-{role}"), page));
    }
    for kind in ["page", "public", "private", "direct"] {
        let summary = json!({
            "room": { "id": ROOM, "kind": kind, "name": "", "created_at": NOW }, "head": 0, "epoch": "e1",
            "last_number": 0, "read": 0, "members_count": 0
        });
        samples.push(sample("http", &format!("RoomSummary.kind-{kind}"), summary));
    }
    for sample in &mut samples {
        sample.subsets = false;
    }
    samples
}
