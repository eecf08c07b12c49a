//! Every variant and every subset of optional fields has a frozen file that is read and written
//! without loss.

use std::collections::BTreeSet;

use chat_types::schema;
use serde_json::Value;

use crate::files::fixtures;
use crate::support::{digest, digests, folder, read_again};
use crate::walk::{Place, places};

const REFRESH: &str = "cargo run -p chat-types --example wire_fixtures --features schema,text";

/// Fields that may be absent but are always written.
const ALWAYS_WRITTEN: [(&str, &str); 4] = [
    ("Command::sub", "tail"),
    ("RoomSummary", "read"),
    ("Subbed", "more_before"),
    ("Subbed", "read"),
];

#[test]
fn every_fixture_is_read_and_written_without_loss() {
    for fixture in fixtures() {
        let again = read_again(&fixture.type_name, &fixture.value);
        assert_eq!(again.as_ref(), Ok(&fixture.value), "{}", fixture.path);
    }
}

#[test]
fn no_fixture_was_edited_removed_or_left_out_of_the_list() {
    let list = std::fs::read_to_string(digests()).expect("the list of digests");
    let mut listed = BTreeSet::new();
    for line in list.lines() {
        let (listed_digest, path) = line.split_once("  ").expect("a digest and a path");
        let bytes = std::fs::read(folder().join(path)).unwrap_or_else(|error| {
            panic!("{path} is gone ({error}): fixtures are what a released version sends and stay for ever")
        });
        assert_eq!(
            digest(&bytes),
            listed_digest,
            "{path} was edited. It is what a released version sends, and that cannot change any more: \
             restore it, make the change additive, and add a new file with `{REFRESH}`"
        );
        listed.insert(path.to_owned());
    }
    for fixture in fixtures() {
        assert!(
            listed.contains(&fixture.path),
            "{} is not frozen yet: run `{REFRESH}`",
            fixture.path
        );
    }
}

#[test]
fn every_variant_every_word_and_every_optional_field_has_a_fixture() {
    let schema = schema::protocol();
    let missing: Vec<String> = expected(&schema)
        .difference(&seen(&schema))
        .cloned()
        .collect();
    assert!(
        missing.is_empty(),
        "add samples to examples/wire_fixtures/samples.rs and run `{REFRESH}` for: {missing:#?}"
    );
}

#[test]
fn every_type_of_the_api_has_a_fixture() {
    let schema = schema::protocol();
    let covered: BTreeSet<String> = fixtures().into_iter().map(|f| f.type_name).collect();
    for (operation, endpoint) in schema["endpoints"].as_object().expect("endpoints") {
        for part in ["query", "body", "response"] {
            let name = name_of(&endpoint[part]["$ref"]);
            assert!(
                covered.contains(name),
                "{operation} has no fixture of {name}"
            );
        }
    }
}

#[test]
fn a_field_that_may_be_absent_is_read_without_it() {
    let schema = schema::protocol();
    for fixture in fixtures() {
        for (at, place) in places(&schema, &fixture.type_name, &fixture.value) {
            let Place::Object { optional, .. } = place else {
                continue;
            };
            for field in optional {
                let mut without = fixture.value.clone();
                let object = without.pointer_mut(&at).and_then(Value::as_object_mut);
                object.expect("an object").remove(&field);
                let again = read_again(&fixture.type_name, &without);
                assert!(
                    again.is_ok(),
                    "{} without {at}/{field}: {again:?}",
                    fixture.path
                );
            }
        }
    }
}

fn name_of(reference: &Value) -> &str {
    let reference = reference.as_str().expect("a reference");
    reference.trim_start_matches("#/$defs/")
}

/// What the fixtures show.
fn seen(schema: &Value) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for fixture in fixtures() {
        for (at, place) in places(schema, &fixture.type_name, &fixture.value) {
            match place {
                Place::Word { of, word } => {
                    seen.insert(format!("{of}::{word}"));
                }
                Place::Tagged { of, variant, .. } => {
                    seen.insert(format!("{of}::{variant}"));
                }
                Place::Object { of, optional } => {
                    let object = fixture.value.pointer(&at).expect("the place exists");
                    for field in optional {
                        let how = if object.get(&field).is_some() {
                            "with"
                        } else {
                            "without"
                        };
                        seen.insert(format!("{of} {how} {field}"));
                    }
                }
            }
        }
    }
    seen
}

/// What the schema says there is.
fn expected(schema: &Value) -> BTreeSet<String> {
    let mut expected = BTreeSet::new();
    for (name, definition) in schema["$defs"].as_object().expect("definitions") {
        expect_optional_fields(name, definition, &mut expected);
        for variant in definition["oneOf"].as_array().into_iter().flatten() {
            let tag = variant["properties"]
                .as_object()
                .and_then(|fields| fields.values().find_map(|field| field["const"].as_str()));
            let word = variant["const"]
                .as_str()
                .or(tag)
                .expect("a variant has a name");
            expected.insert(format!("{name}::{word}"));
            expect_optional_fields(&format!("{name}::{word}"), variant, &mut expected);
        }
    }
    expected
}

fn expect_optional_fields(of: &str, schema: &Value, expected: &mut BTreeSet<String>) {
    let required = |field: &str| {
        let names = schema["required"].as_array().into_iter().flatten();
        names.into_iter().any(|name| name == field)
    };
    for field in schema["properties"]
        .as_object()
        .into_iter()
        .flat_map(|f| f.keys())
    {
        if required(field) {
            continue;
        }
        expected.insert(format!("{of} with {field}"));
        if !ALWAYS_WRITTEN.contains(&(of, field)) {
            expected.insert(format!("{of} without {field}"));
        }
    }
}
