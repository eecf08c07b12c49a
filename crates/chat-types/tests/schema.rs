//! The committed schema is today's, and it breaks no released one; the check that says so catches
//! what it must.

use std::path::{Path, PathBuf};

use chat_types::schema::protocol;
use chat_types::schema_diff::{Breaking, BreakingChange, Direction, compare, compare_protocols};
use schemars::JsonSchema;
use serde_json::{Value, json};

const REFRESH: &str = "cargo run -p chat-types --example schema --features schema,text";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schema")
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{} ({error}): run `{REFRESH}`", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_committed_schema_is_todays() {
    assert!(
        read(&folder().join("chat.v1.json")) == protocol(),
        "schema/chat.v1.json is stale: run `{REFRESH}`"
    );
}

#[test]
fn todays_schema_breaks_no_released_one() {
    let today = protocol();
    let released = std::fs::read_dir(folder().join("released")).expect("the released schemas");
    let mut count = 0;
    for entry in released {
        let path = entry.expect("an entry of the folder").path();
        let breaking = compare_protocols(&read(&path), &today);
        let list: Vec<String> = breaking.iter().map(Breaking::to_string).collect();
        assert!(
            list.is_empty(),
            "this breaks {}, whose clients and servers are out there:\n{}",
            path.display(),
            list.join("\n")
        );
        count += 1;
    }
    assert!(count >= 1, "schema/released has the schema of each release");
}

/// Today's protocol with a change at a place of it.
fn changed(pointer: &str, change: impl FnOnce(&mut Value)) -> Vec<Breaking> {
    let old = protocol();
    let mut new = old.clone();
    change(
        new.pointer_mut(pointer)
            .unwrap_or_else(|| panic!("{pointer} is not there")),
    );
    assert_ne!(old, new, "the change at {pointer} changed nothing");
    compare_protocols(&old, &new)
}

fn remove(value: &mut Value, key: &str) {
    value
        .as_object_mut()
        .expect("an object")
        .remove(key)
        .expect("the key");
}

fn require(schema: &mut Value, field: &str) {
    schema["required"]
        .as_array_mut()
        .expect("a list")
        .push(json!(field));
}

fn unrequire(schema: &mut Value, field: &str) {
    schema["required"]
        .as_array_mut()
        .expect("a list")
        .retain(|name| name != field);
}

/// The place of a variant in today's protocol.
fn variant(of: &str, tag: &str, name: &str) -> String {
    let protocol = protocol();
    let variants = protocol["$defs"][of]["oneOf"]
        .as_array()
        .expect("a union")
        .clone();
    let index = variants
        .iter()
        .position(|variant| variant["properties"][tag]["const"] == name)
        .unwrap_or_else(|| panic!("{of} has no {name}"));
    format!("/$defs/{of}/oneOf/{index}")
}

fn assert_breaks(breaking: &[Breaking], change: BreakingChange, at_end: &str) {
    assert!(
        breaking
            .iter()
            .any(|b| b.change == change && b.at.ends_with(at_end)),
        "{change:?} at {at_end} is not among {breaking:?}"
    );
}

#[test]
fn the_same_protocol_breaks_nothing() {
    assert_eq!(compare_protocols(&protocol(), &protocol()), []);
}

#[test]
fn a_removed_field_is_caught_in_structs_variants_and_both_directions() {
    for (pointer, field, at) in [
        ("/$defs/Message/properties".to_owned(), "author", ".author"),
        (
            "/$defs/Message/properties".to_owned(),
            "edited_at",
            ".edited_at",
        ),
        (
            "/$defs/Welcome/properties".to_owned(),
            "limits",
            ":welcome.limits",
        ),
        (
            variant("Change", "kind", "edited") + "/properties",
            "body",
            ":edited.body",
        ),
        (
            variant("Command", "t", "sub") + "/properties",
            "since",
            ":sub.since",
        ),
        (
            "/$defs/CreateRoom/properties".to_owned(),
            "topic",
            "create_room.body.topic",
        ),
    ] {
        let breaking = changed(&pointer, |fields| remove(fields, field));
        assert_breaks(&breaking, BreakingChange::FieldRemoved, at);
    }
}

#[test]
fn a_renamed_field_is_caught() {
    let breaking = changed("/$defs/Message", |message| {
        let schema = message["properties"]["number"].clone();
        remove(&mut message["properties"], "number");
        message["properties"]["index"] = schema;
        unrequire(message, "number");
        require(message, "index");
    });
    assert_breaks(&breaking, BreakingChange::FieldRemoved, ".number");
    assert_breaks(&breaking, BreakingChange::FieldRequired, ".index");
}

#[test]
fn a_narrowed_type_is_caught() {
    let narrowed: [(&str, &str, Value); 6] = [
        ("/$defs/Seq", "maximum", json!(1_000_000)),
        ("/$defs/Epoch", "maxLength", json!(8)),
        ("/$defs/Epoch", "format", json!("uuid")),
        ("/$defs/SiteKey", "pattern", json!("^[a-z]+$")),
        (
            "/$defs/HistoryQuery/properties/limit",
            "format",
            json!("uint16"),
        ),
        (
            "/$defs/CreateInvite/properties/valid_ms",
            "type",
            json!("integer"),
        ),
    ];
    for (pointer, key, value) in narrowed {
        let breaking = changed(pointer, |schema| schema[key] = value);
        assert_breaks(&breaking, BreakingChange::TypeNarrowed, "");
    }
}

#[test]
fn another_type_is_caught_at_any_depth() {
    for pointer in [
        "/$defs/Timestamp",
        "/$defs/Reaction/properties/count",
        "/$defs/Limits/properties/send_window_ms",
        "/$defs/Member/properties/user",
    ] {
        let breaking = changed(pointer, |schema| *schema = json!({ "type": "string" }));
        assert_breaks(&breaking, BreakingChange::TypeChanged, "");
    }
    let breaking = changed("/$defs/SessionList/properties/sessions", |list| {
        list["items"] = json!({ "type": "string" });
    });
    assert_breaks(
        &breaking,
        BreakingChange::TypeChanged,
        "list_sessions.response.sessions[]",
    );
}

#[test]
fn a_widened_type_is_caught_only_where_clients_read_it() {
    let widen = |schema: &mut Value| schema["format"] = json!("uint64");
    let breaking = changed("/$defs/Reaction/properties/count", widen);
    assert_breaks(&breaking, BreakingChange::TypeWidened, ".count");
    assert_eq!(changed("/$defs/HistoryQuery/properties/limit", widen), []);
}

#[test]
fn a_newly_required_field_is_caught_whether_it_is_new_or_was_optional() {
    let breaking = changed("/$defs/CreateRoom", |schema| require(schema, "topic"));
    assert_breaks(
        &breaking,
        BreakingChange::FieldRequired,
        "create_room.body.topic",
    );
    let breaking = changed(&variant("Command", "t", "send"), |send| {
        send["properties"]["priority"] = json!({ "type": "integer" });
        require(send, "priority");
    });
    assert_breaks(&breaking, BreakingChange::FieldRequired, ":send.priority");
    // A newer client would refuse what an older server sends.
    let breaking = changed("/$defs/Message", |message| {
        message["properties"]["mood"] = json!({ "type": "string" });
        require(message, "mood");
    });
    assert_breaks(&breaking, BreakingChange::FieldRequired, ".mood");
}

#[test]
fn a_field_that_may_be_absent_now_is_caught_only_where_clients_read_it() {
    let breaking = changed("/$defs/Message", |schema| unrequire(schema, "author"));
    assert_breaks(&breaking, BreakingChange::FieldOptional, ".author");
    assert_eq!(
        changed("/$defs/React", |schema| unrequire(schema, "on")),
        []
    );
}

#[test]
fn a_removed_variant_is_caught_in_every_union() {
    for (of, tag, name) in [
        ("Command", "t", "pin"),
        ("ServerDoc", "t", "resync"),
        ("Change", "kind", "reacted"),
        ("Content", "kind", "deleted"),
        ("Ephemeral", "kind", "read"),
    ] {
        let breaking = changed(&format!("/$defs/{of}/oneOf"), |variants| {
            let variants = variants.as_array_mut().expect("variants");
            variants.retain(|variant| variant["properties"][tag]["const"] != name);
        });
        assert_breaks(
            &breaking,
            BreakingChange::VariantRemoved,
            &format!(":{name}"),
        );
    }
}

#[test]
fn a_renamed_variant_is_caught() {
    let breaking = changed(&variant("Change", "kind", "pinned"), |variant| {
        variant["properties"]["kind"]["const"] = json!("stuck");
    });
    assert_breaks(&breaking, BreakingChange::VariantRemoved, ":pinned");
}

#[test]
fn a_renamed_enum_value_is_caught_in_every_enumeration() {
    for of in [
        "UserKind",
        "RoomKind",
        "Role",
        "ErrorCode",
        "TextReason",
        "UnsubReason",
    ] {
        let mut old = String::new();
        let breaking = changed(&format!("/$defs/{of}/oneOf/0/const"), |word| {
            word.as_str().expect("a word").clone_into(&mut old);
            *word = json!("renamed");
        });
        assert_breaks(&breaking, BreakingChange::WordRemoved, &format!("={old}"));
    }
}

#[test]
fn a_removed_moved_or_closed_endpoint_is_caught() {
    let breaking = changed("/endpoints", |endpoints| remove(endpoints, "get_room"));
    assert_breaks(&breaking, BreakingChange::EndpointRemoved, "get_room");
    for (key, value) in [("path", "/v1/room/{room}"), ("method", "POST")] {
        let breaking = changed("/endpoints/get_room", |endpoint| {
            endpoint[key] = json!(value);
        });
        assert_breaks(&breaking, BreakingChange::Moved, "get_room");
    }
    let breaking = changed("/endpoints/get_room", |endpoint| {
        endpoint["access"] = json!("user");
    });
    assert_breaks(&breaking, BreakingChange::AccessNarrowed, "get_room");
    let breaking = changed("/socket", |socket| {
        socket["subprotocol"] = json!("chat.v2.json");
    });
    assert_breaks(&breaking, BreakingChange::Moved, "socket");
}

#[test]
fn additions_break_nothing() {
    let optional = json!({ "type": ["string", "null"] });
    let new_variant = |tag: &str| {
        json!({
            "type": "object",
            "properties": { tag: { "type": "string", "const": "new" }, "x": { "type": "integer" } },
            "required": [tag, "x"]
        })
    };
    let push = |list: &mut Value, item: Value| list.as_array_mut().expect("a list").push(item);
    assert_eq!(
        changed("/$defs/Message/properties", |p| p["new"] = optional.clone()),
        []
    );
    assert_eq!(
        changed("/$defs/CreateRoom/properties", |p| p["new"] =
            optional.clone()),
        []
    );
    let send = variant("Command", "t", "send") + "/properties";
    assert_eq!(changed(&send, |p| p["new"] = optional.clone()), []);
    for (of, tag) in [
        ("Command", "t"),
        ("ServerDoc", "t"),
        ("Change", "kind"),
        ("Ephemeral", "kind"),
    ] {
        let pointer = format!("/$defs/{of}/oneOf");
        assert_eq!(changed(&pointer, |list| push(list, new_variant(tag))), []);
    }
    let word = json!({ "type": "string", "const": "new" });
    assert_eq!(
        changed("/$defs/ErrorCode/oneOf", |list| push(list, word)),
        []
    );
    let endpoint = json!({
        "method": "GET", "path": "/v1/new", "access": "user",
        "query": { "$ref": "#/$defs/Empty" }, "body": { "$ref": "#/$defs/Empty" }, "response": { "$ref": "#/$defs/Empty" }
    });
    assert_eq!(
        changed("/endpoints", |endpoints| endpoints["new"] = endpoint),
        []
    );
    assert_eq!(
        changed("/$defs/Message", |schema| schema["description"] =
            json!("other words")),
        []
    );
}

/// A type renamed in the code, with the same shape, is the same on the wire.
#[test]
fn names_of_types_do_not_matter_but_their_shapes_do() {
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is read")]
    struct Before {
        inner: Inner,
    }
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is read")]
    struct Inner {
        size_bytes: u32,
        next: Option<Box<Inner>>,
    }
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is read")]
    struct After {
        inner: Renamed,
    }
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is read")]
    struct Renamed {
        size_bytes: u16,
        next: Option<Box<Renamed>>,
    }
    let before = schemars::schema_for!(Before).to_value();
    let after = schemars::schema_for!(After).to_value();
    assert_eq!(compare(&before, &before, Direction::ToServer), []);
    let breaking = compare(&before, &after, Direction::ToServer);
    assert_eq!(breaking.len(), 1, "{breaking:?}");
    assert_breaks(&breaking, BreakingChange::TypeNarrowed, ".inner.size_bytes");
    assert_eq!(
        breaking[0].to_string(),
        ".inner.size_bytes: values that were allowed are refused now"
    );
}
