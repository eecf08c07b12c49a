//! Round trips of arbitrary documents, and arbitrary input to every decoder.

use chat_types::close::{self, CloseCode, Verdict};
use chat_types::decode;
use chat_types::frame;
use chat_types::ws::{Command, ServerDoc};
use proptest::prelude::*;

use crate::files::fixtures;
use crate::strategies::{command, server_doc};
use crate::support::read_again;

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(500)
    }
}

/// A fixture as text, with some bytes changed, cut off or doubled.
fn damaged() -> impl Strategy<Value = (String, Vec<u8>)> {
    let all: Vec<(String, String)> = fixtures()
        .into_iter()
        .map(|f| (f.type_name, f.text))
        .collect();
    let damage = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    (
        prop::sample::select(all),
        damage,
        any::<prop::sample::Index>(),
    )
        .prop_map(|((type_name, text), damage, end)| {
            let mut bytes = text.into_bytes();
            for (index, byte) in damage {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            bytes.truncate(end.index(bytes.len() * 2).max(1));
            (type_name, bytes)
        })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_command_survives_the_wire(command in command()) {
        let text = serde_json::to_string(&command).expect("a command is JSON");
        prop_assert!(!text.contains('\n'));
        let tag = format!("{{\"t\":\"{}\"", command.name());
        prop_assert!(text.starts_with(&tag), "{tag} in {text}");
        prop_assert_eq!(serde_json::from_str::<Command>(&text).expect("it is read"), command);
    }

    #[test]
    fn a_server_document_survives_the_wire(document in server_doc()) {
        let text = serde_json::to_string(&document).expect("a document is JSON");
        prop_assert!(!text.contains('\n'));
        prop_assert_eq!(decode::from_text(&text), Some(document.clone()));
        prop_assert_eq!(serde_json::from_str::<ServerDoc>(&text).expect("it is read"), document);
    }

    #[test]
    fn documents_survive_frames(documents in proptest::collection::vec(server_doc(), 1..6), max_bytes in 1..4_000_usize) {
        let texts: Vec<String> = documents.iter().map(|d| serde_json::to_string(d).expect("JSON")).collect();
        let mut read = Vec::new();
        for packed in frame::pack(&texts, max_bytes) {
            for document in frame::split(&packed).expect("a frame within its bounds") {
                read.push(serde_json::from_str::<ServerDoc>(document).expect("it is read"));
            }
        }
        prop_assert_eq!(read, documents);
    }

    #[test]
    fn decoding_arbitrary_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = serde_json::from_slice::<Command>(&bytes);
        let _ = serde_json::from_slice::<ServerDoc>(&bytes);
        if let Ok(text) = std::str::from_utf8(&bytes) {
            prop_assert!(frame::split(text).map_or(true, |d| (1..=frame::MAX_DOCUMENTS).contains(&d.count())));
            let _ = close::retry_ms(text);
            prop_assert_eq!(decode::from_text::<ServerDoc>(text), serde_json::from_str(text).ok());
        }
    }

    #[test]
    fn decoding_damaged_documents_never_panics_and_what_is_read_can_be_written((type_name, bytes) in damaged()) {
        if let Ok(value) = serde_json::from_slice::<serde_json::Value>(&bytes)
            && let Ok(read) = read_again(&type_name, &value)
        {
            prop_assert_eq!(read_again(&type_name, &read), Ok(read));
        }
    }

    #[test]
    fn a_close_reason_gives_back_its_time(index in 0..CloseCode::ALL.len(), ms in any::<u64>()) {
        let code = CloseCode::ALL[index];
        let reason = code.reason(Some(ms));
        prop_assert!(reason.len() <= 123, "{}", reason);
        prop_assert!(reason.starts_with(code.name()));
        prop_assert_eq!(close::retry_ms(&reason), Some(ms));
        prop_assert_eq!(close::retry_ms(&code.reason(None)), None);
    }
}

#[test]
fn a_close_reason_of_another_version_is_read_as_far_as_it_is_understood() {
    for (reason, ms) in [
        ("", None),
        ("later", None),
        ("later;retry_ms=5", Some(5)),
        ("later;x=1;retry_ms=5;y", Some(5)),
        ("retry_ms=5", Some(5)),
        ("later;retry_ms=", None),
        ("later;retry_ms=-5", None),
        ("later;retry_ms=5s", None),
        ("later;retry_ms=18446744073709551616", None),
    ] {
        assert_eq!(close::retry_ms(reason), ms, "{reason:?}");
    }
}

#[test]
fn the_range_of_any_close_code_is_its_verdict() {
    for code in 0..=u16::MAX {
        let stop = (4500..5000).contains(&code);
        let expected = if stop {
            Verdict::Stop
        } else {
            Verdict::Reconnect
        };
        assert_eq!(close::verdict(code), expected, "{code}");
    }
}

#[test]
fn close_codes_are_distinct_and_may_be_sent() {
    let codes: std::collections::BTreeSet<u16> = CloseCode::ALL.map(CloseCode::code).into();
    let names: std::collections::BTreeSet<&str> = CloseCode::ALL.map(CloseCode::name).into();
    assert_eq!(codes.len(), CloseCode::ALL.len());
    assert_eq!(names.len(), CloseCode::ALL.len());
    // RFC 6455, section 7.4: 1005, 1006 and 1015 never travel.
    let may_be_sent = |code: &u16| matches!(code, 1000 | 1009 | 1012 | 1013 | 4000..=4999);
    assert!(codes.iter().all(may_be_sent), "{codes:?}");
}

#[test]
fn each_error_code_and_text_reason_has_the_name_that_it_has_on_the_wire() {
    for code in chat_types::problem::ErrorCode::ALL {
        assert_eq!(serde_json::to_value(code).expect("a word"), code.name());
    }
    for reason in chat_types::text::TextReason::ALL {
        assert_eq!(serde_json::to_value(reason).expect("a word"), reason.name());
    }
}
