//! Writes the wire fixtures that are missing, `cargo run -p chat-types --example wire_fixtures
//! --features schema,text`, and adds their digests. It never changes a file that exists: fixtures
//! are what a released version sent, and that cannot change any more.
//!
//! Each sample below has every optional field; the files for the subsets are derived from it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

#[path = "../../tests/support/mod.rs"]
mod support;

mod samples;

fn main() -> std::io::Result<()> {
    let mut new_digests = Vec::new();
    for sample in samples::all() {
        for (suffix, value) in subsets(&sample) {
            let path = format!("{}/{}{suffix}.json", sample.kind, sample.name);
            let text = format!("{value:#}\n");
            if write_new(&support::folder().join(&path), &text)? {
                new_digests.push((path, support::digest(text.as_bytes())));
            }
        }
    }
    add_digests(new_digests)
}

fn add_digests(new: Vec<(String, String)>) -> std::io::Result<()> {
    let listed = std::fs::read_to_string(support::digests()).unwrap_or_default();
    let listed = listed.lines().filter_map(|line| line.split_once("  "));
    let mut digests: BTreeMap<String, String> = new.into_iter().collect();
    digests.extend(listed.map(|(digest, path)| (path.to_owned(), digest.to_owned())));
    let lines = digests.iter().fold(String::new(), |lines, (path, digest)| {
        lines + &format!("{digest}  {path}\n")
    });
    std::fs::write(support::digests(), lines)
}

/// Whether the file was missing and is written now.
fn write_new(path: &Path, text: &str) -> std::io::Result<bool> {
    if path.exists() {
        return Ok(false);
    }
    let folder = path.parent().expect("a fixture lies in a folder");
    std::fs::create_dir_all(folder)?;
    std::fs::write(path, text)?;
    Ok(true)
}

/// The sample whole, without every optional field, and with each of them alone.
fn subsets(sample: &samples::Sample) -> Vec<(String, Value)> {
    let type_name = support::type_of(sample.kind, &sample.name);
    let again = support::read_again(type_name, &sample.value)
        .unwrap_or_else(|error| panic!("{}: {error}", sample.name));
    assert_eq!(again, sample.value, "{} does not survive", sample.name);
    let optional = optional_fields(type_name, &sample.value);
    if optional.is_empty() || !sample.subsets {
        return vec![(String::new(), sample.value.clone())];
    }
    let only = |kept: Option<&str>| {
        let mut value = sample.value.clone();
        for pointer in &optional {
            let holds_kept =
                kept.is_some_and(|kept| format!("{kept}/").starts_with(&format!("{pointer}/")));
            if !holds_kept {
                remove(&mut value, pointer);
            }
        }
        value
    };
    let mut subsets = vec![
        (".full".to_owned(), sample.value.clone()),
        (".minimal".to_owned(), only(None)),
    ];
    let near = |pointer: &&String| {
        let steps: Vec<&str> = pointer.split('/').skip(1).collect();
        steps.len() <= 3 && steps.iter().all(|step| step.parse::<usize>().is_err())
    };
    for pointer in optional.iter().filter(near) {
        let name = pointer[1..].replace('/', "-");
        subsets.push((format!(".only-{name}"), only(Some(pointer))));
    }
    subsets
}

/// Pointers to the fields without which the document is read and written as it is.
fn optional_fields(type_name: &str, document: &Value) -> Vec<String> {
    let mut pointers = Vec::new();
    collect_fields(document, "", &mut pointers);
    pointers.retain(|pointer| {
        let mut without = document.clone();
        remove(&mut without, pointer);
        support::read_again(type_name, &without).is_ok_and(|again| again == without)
    });
    pointers
}

fn collect_fields(value: &Value, at: &str, pointers: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                let pointer = format!("{at}/{name}");
                pointers.push(pointer.clone());
                collect_fields(inner, &pointer, pointers);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                collect_fields(inner, &format!("{at}/{index}"), pointers);
            }
        }
        _ => {}
    }
}

fn remove(value: &mut Value, pointer: &str) {
    let (parent, field) = pointer
        .rsplit_once('/')
        .expect("a pointer begins with a slash");
    if let Some(Value::Object(fields)) = value.pointer_mut(parent) {
        fields.remove(field);
    }
}
