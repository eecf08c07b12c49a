//! Today's version as both neighbours, and as one that somebody broke: what `cargo xtask release-check`
//! finds out about the last release.

use chat_types::schema;
use serde_json::{Value, json};

use crate::neighbours::{
    Version, fixtures, made_up, newer_keeps_what_older_writes, older_bears_what_newer_writes,
};
use crate::strategies::{command, server_doc};
use crate::support::{folder, read_again, type_of};

fn today() -> Version {
    Version::new(
        "today's version",
        schema::protocol(),
        read_again,
        fixtures(&folder(), type_of),
        made_up(&command()),
        made_up(&server_doc()),
    )
}

/// A document with one of its words in the place of another, wherever it stands.
fn with(document: &Value, old: &str, new: &str) -> Value {
    let text = document.to_string();
    let changed = text.replace(&format!("\"{old}\""), &format!("\"{new}\""));
    serde_json::from_str(&changed).expect("JSON")
}

/// Today's version after a change that its own tests would not see: what it writes and how it reads.
fn changed(
    change: fn(&Value) -> Value,
    read_again: fn(&str, &Value) -> Result<Value, String>,
) -> Version {
    let mut version = today();
    version.name = "the changed version";
    version.read_again = read_again;
    for (_, document) in &mut version.writes {
        *document = change(document);
    }
    version
}

#[test]
fn neighbours_of_one_version_read_each_other() {
    let today = today();
    assert_eq!(newer_keeps_what_older_writes(&today, &today), Ok(()));
    assert_eq!(older_bears_what_newer_writes(&today, &today), Ok(()));
}

#[test]
fn what_is_only_added_is_borne() {
    let newer = changed(
        |document| match document {
            Value::Object(fields) => {
                let mut fields = fields.clone();
                fields.insert("of_a_later_version".to_owned(), json!([{}]));
                with(&Value::Object(fields), "pinned", "of_a_later_version")
            }
            other => other.clone(),
        },
        read_again,
    );
    assert_eq!(older_bears_what_newer_writes(&today(), &newer), Ok(()));
}

#[test]
fn a_renamed_field_is_caught_in_both_directions() {
    let newer = changed(
        |document| with(document, "client_id", "message_key"),
        |type_name, value| {
            let again = read_again(type_name, &with(value, "message_key", "client_id"))?;
            let is_old = value.to_string().contains("\"client_id\"");
            let renamed = with(&again, "client_id", "message_key");
            if is_old {
                Err("missing field `message_key`".to_owned())
            } else {
                Ok(renamed)
            }
        },
    );
    let kept = newer_keeps_what_older_writes(&today(), &newer).expect_err("it was renamed");
    assert!(
        kept.contains("the changed version cannot read what today's version writes"),
        "{kept}"
    );
    let borne = older_bears_what_newer_writes(&today(), &newer).expect_err("it was renamed");
    assert!(
        borne.contains("today's version cannot read what the changed version writes"),
        "{borne}"
    );
}

#[test]
fn an_optional_field_that_got_another_name_is_caught() {
    let newer = changed(Value::clone, |type_name, value| {
        read_again(type_name, &with(value, "reply_to", "answers"))
    });
    let kept = newer_keeps_what_older_writes(&today(), &newer).expect_err("it was renamed");
    assert!(kept.contains("gave it another meaning"), "{kept}");
}

#[test]
fn a_removed_variant_is_caught() {
    let newer = changed(Value::clone, |type_name, value| {
        read_again(type_name, &with(value, "member_left", "of_no_version"))
    });
    let kept = newer_keeps_what_older_writes(&today(), &newer).expect_err("it was removed");
    assert!(kept.contains("gave it another meaning"), "{kept}");
}
