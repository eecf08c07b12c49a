//! What a newer version may send: unknown fields, variants and words, at every level. A reader
//! keeps everything else as it was.

use chat_types::schema;
use serde_json::{Value, json};

use crate::files::{Fixture, fixtures};
use crate::support::read_again;
use crate::walk::{Place, places};

const FUTURE: &str = "of_a_later_version";

/// Calls `check` with every place of every fixture.
fn for_each_place(mut check: impl FnMut(&Fixture, &str, &Place)) -> usize {
    let schema = schema::protocol();
    let mut count = 0;
    for fixture in fixtures() {
        for (at, place) in places(&schema, &fixture.type_name, &fixture.value) {
            check(&fixture, &at, &place);
            count += 1;
        }
    }
    count
}

fn with(document: &Value, at: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut changed = document.clone();
    change(changed.pointer_mut(at).expect("the place exists"));
    changed
}

#[test]
fn unknown_fields_are_ignored_at_every_level() {
    let anything = [
        json!(null),
        json!(1),
        json!("x"),
        json!([{ "t": "ev" }]),
        json!({ "kind": "message" }),
    ];
    let count = for_each_place(|fixture, at, place| {
        let Place::Object { .. } = place else { return };
        for value in &anything {
            let newer = with(&fixture.value, at, |object| object[FUTURE] = value.clone());
            let read = read_again(&fixture.type_name, &newer);
            assert_eq!(
                read.as_ref(),
                Ok(&fixture.value),
                "{} at {at:?}",
                fixture.path
            );
        }
    });
    assert!(count > 500, "only {count} places were tried");
}

#[test]
fn unknown_fields_at_all_levels_at_once_are_ignored() {
    let schema = schema::protocol();
    for fixture in fixtures() {
        let mut newer = fixture.value.clone();
        for (at, place) in places(&schema, &fixture.type_name, &fixture.value) {
            if let Place::Object { .. } = place {
                newer = with(&newer, &at, |object| object[FUTURE] = json!({}));
            }
        }
        assert_ne!(newer, fixture.value);
        let read = read_again(&fixture.type_name, &newer);
        assert_eq!(read.as_ref(), Ok(&fixture.value), "{}", fixture.path);
    }
}

#[test]
fn an_unknown_variant_is_kept_as_unknown_and_nothing_else_changes() {
    let mut tried = std::collections::BTreeSet::new();
    for_each_place(|fixture, at, place| {
        let Place::Tagged { of, tag, .. } = place else {
            return;
        };
        tried.insert(of.clone());
        let expected = with(&fixture.value, at, |object| {
            *object = json!({ tag: "unknown" });
        });
        let renamed = with(&fixture.value, at, |object| object[tag] = json!(FUTURE));
        let other = with(&fixture.value, at, |object| {
            *object = json!({ tag: FUTURE, "id": [], "kind": FUTURE, "data": { "x": null } });
            object[tag] = json!(FUTURE);
        });
        for newer in [renamed, other] {
            let read = read_again(&fixture.type_name, &newer);
            assert_eq!(read.as_ref(), Ok(&expected), "{} at {at:?}", fixture.path);
        }
    });
    let expected = ["Change", "Command", "Content", "Ephemeral", "ServerDoc"];
    assert_eq!(tried.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn an_unknown_word_is_kept_as_unknown_and_nothing_else_changes() {
    let mut tried = std::collections::BTreeSet::new();
    for_each_place(|fixture, at, place| {
        let Place::Word { of, .. } = place else {
            return;
        };
        tried.insert(of.clone());
        let newer = with(&fixture.value, at, |word| *word = json!(FUTURE));
        let expected = with(&fixture.value, at, |word| *word = json!("unknown"));
        let read = read_again(&fixture.type_name, &newer);
        assert_eq!(read.as_ref(), Ok(&expected), "{} at {at:?}", fixture.path);
    });
    let expected = [
        "ErrorCode",
        "Role",
        "RoomKind",
        "TextReason",
        "UnsubReason",
        "UserKind",
    ];
    assert_eq!(tried.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_tag_that_is_no_word_or_missing_is_refused() {
    for_each_place(|fixture, at, place| {
        let Place::Tagged { tag, .. } = place else {
            return;
        };
        for wrong in [json!(null), json!([]), json!({}), json!(-1)] {
            let broken = with(&fixture.value, at, |object| object[tag] = wrong.clone());
            assert!(
                read_again(&fixture.type_name, &broken).is_err(),
                "{} at {at:?}: {wrong}",
                fixture.path
            );
        }
        let bare = with(&fixture.value, at, |object| {
            object.as_object_mut().expect("an object").remove(tag);
        });
        assert!(
            read_again(&fixture.type_name, &bare).is_err(),
            "{} at {at:?}",
            fixture.path
        );
    });
}
