//! `docs/protocol.md` names everything there is, and its examples are documents of the protocol.

use chat_types::close::{CloseCode, Verdict, verdict};
use chat_types::endpoint;
use chat_types::limits;
use chat_types::problem::ErrorCode;
use chat_types::schema;
use chat_types::text::TextReason;
use chat_types::ws::{Command, SUBPROTOCOL, ServerDoc};
use serde_json::Value;

const PROTOCOL: &str = include_str!("../../../docs/protocol.md");

/// The part under a heading of the second level.
fn section(heading: &str) -> &'static str {
    let start = format!("\n## {heading}\n");
    let (_, rest) = PROTOCOL
        .split_once(&start)
        .unwrap_or_else(|| panic!("docs/protocol.md has no section {heading:?}"));
    rest.split("\n## ").next().unwrap_or(rest)
}

/// The row of a table that begins with these cells.
fn row(heading: &str, cells: &[&str]) -> &'static str {
    let start = format!("| {} |", cells.join(" | "));
    section(heading)
        .lines()
        .find(|line| line.starts_with(&start))
        .unwrap_or_else(|| panic!("docs/protocol.md, {heading}: no row begins with {start:?}"))
}

fn variants(of: &str) -> Vec<Value> {
    let schema = schema::protocol();
    let list = schema["$defs"][of]["oneOf"].as_array().expect("a union");
    list.clone()
}

fn tags(of: &str, tag: &str) -> Vec<String> {
    let name = |variant: &Value| {
        variant["properties"][tag]["const"]
            .as_str()
            .map(str::to_owned)
    };
    variants(of).iter().filter_map(name).collect()
}

#[test]
fn every_document_has_a_row_that_names_its_fields() {
    let schema = schema::protocol();
    for (of, heading) in [
        ("Command", "Documents from a client"),
        ("ServerDoc", "Documents from a server"),
    ] {
        for variant in variants(of) {
            let name = variant["properties"]["t"]["const"].as_str().expect("a tag");
            let row = row(heading, &[&format!("`{name}`")]);
            let wrapped = variant["$ref"]
                .as_str()
                .map(|r| &schema["$defs"][&r["#/$defs/".len()..]]);
            let fields = wrapped.unwrap_or(&variant)["properties"].as_object();
            for field in fields.into_iter().flat_map(|fields| fields.keys()) {
                assert!(
                    field == "t" || row.contains(field),
                    "the row of {name} lacks {field}"
                );
            }
        }
    }
}

#[test]
fn every_change_ephemeral_and_content_is_described() {
    for kind in tags("Change", "kind") {
        row("Events", &[&format!("`{kind}`")]);
    }
    for kind in tags("Content", "kind") {
        assert!(section("Events").contains(&format!("`{kind}`")), "{kind}");
    }
    for kind in tags("Ephemeral", "kind") {
        row("Documents from a server", &[&format!("`{kind}`")]);
    }
    for reason in variants("UnsubReason") {
        let word = reason["const"].as_str().expect("a word");
        assert!(
            section("Documents from a server").contains(&format!("`{word}` (")),
            "{word}"
        );
    }
}

#[test]
fn every_close_code_has_a_row_with_its_verdict() {
    for code in CloseCode::ALL {
        let verdict = match verdict(code.code()) {
            Verdict::Reconnect => "reconnect",
            Verdict::Stop => "stop",
        };
        let (number, name) = (code.code().to_string(), format!("`{}`", code.name()));
        row("Close codes", &[&number, &name, verdict]);
    }
}

#[test]
fn every_error_code_and_text_reason_has_a_row() {
    for code in ErrorCode::ALL {
        let row = row("Error codes", &[&format!("`{}`", code.name())]);
        let retry = if code.retry() { "| yes |" } else { "| no |" };
        assert!(row.contains(retry), "{row}");
    }
    for reason in TextReason::ALL {
        row("Text", &[&format!("`{}`", reason.name())]);
    }
}

#[test]
fn every_endpoint_has_a_row() {
    for (operation, method, path) in endpoint::ALL {
        let request = format!("`{} {path}`", method.as_str());
        row("HTTP", &[&format!("`{operation}`"), &request]);
    }
    for path in [endpoint::STREAM_PATH, endpoint::SOCKET_PATH, SUBPROTOCOL] {
        assert!(PROTOCOL.contains(path), "{path}");
    }
}

#[test]
fn the_limits_are_those_of_the_code() {
    for (limit, value) in [
        ("bytes of a client's frame", "16,384"),
        ("documents of a frame", "64"),
        ("bytes of a server's frame", "65,536"),
        ("bytes of an HTTP body", "65,536"),
        ("rooms of a connection", "128"),
        ("rows that a resume replays", "500"),
        ("bytes of text that a resume replays", "262,144"),
        ("different emoji under a message", "20"),
    ] {
        row("Limits", &[limit, value]);
    }
    let plain = [
        limits::FRAME_BYTES,
        limits::FRAME_DOCUMENTS,
        limits::OUT_FRAME_BYTES,
        limits::BODY_BYTES,
        limits::ROOMS_PER_CONNECTION,
        limits::REPLAY as usize,
        limits::REPLAY_BYTES,
        limits::REACTIONS_PER_MESSAGE,
    ];
    assert_eq!(plain, [16_384, 64, 65_536, 65_536, 128, 500, 262_144, 20]);
    let pages = [
        limits::TAIL,
        limits::SYNC_PAGE,
        limits::HISTORY_PAGE,
        limits::MEMBERS_PAGE,
        limits::ROOMS_PAGE,
    ];
    assert_eq!(pages, [100; 5]);
    for (text, range) in [
        (
            "nickname",
            [limits::NICKNAME_MIN_CHARS, limits::NICKNAME_MAX_CHARS],
        ),
        (
            "username",
            [limits::USERNAME_MIN_CHARS, limits::USERNAME_MAX_CHARS],
        ),
        (
            "password",
            [limits::PASSWORD_MIN_CHARS, limits::PASSWORD_MAX_CHARS],
        ),
        ("room name", [1, limits::ROOM_NAME_CHARS]),
        ("room topic", [0, limits::TOPIC_CHARS]),
    ] {
        let range = format!("| {} to {} |", range[0], range[1]);
        assert!(row("Text", &[text]).ends_with(&range), "{text}: {range}");
    }
    assert_eq!((limits::MESSAGE_CHARS, limits::EMOJI_BYTES), (4_000, 40));
    assert!(row("Text", &["message body"]).ends_with("| 1 to 4,000 |"));
    assert!(row("Text", &["emoji"]).ends_with("| up to 40 bytes |"));
}

#[test]
fn the_examples_are_documents_of_the_protocol() {
    let mut count = 0;
    for line in PROTOCOL.lines() {
        if let Some(document) = line.strip_prefix("→ ") {
            let command: Command = serde_json::from_str(document).expect(document);
            assert_ne!(command, Command::Unknown, "{document}");
            assert_eq!(serde_json::to_string(&command).expect("JSON"), document);
        } else if let Some(document) = line.strip_prefix("← ") {
            let answer: ServerDoc = serde_json::from_str(document).expect(document);
            assert_ne!(answer, ServerDoc::Unknown, "{document}");
            assert_eq!(serde_json::to_string(&answer).expect("JSON"), document);
        } else {
            continue;
        }
        count += 1;
    }
    assert!(count >= 10, "{count} examples");
}
