//! Two versions of the protocol, each of which reads what the other writes. They meet as on the wire,
//! in JSON only: `cargo xtask release-check` compiles this file with the last release in one of the two
//! places, `tests/wire/today.rs` with today's version in both.

use std::path::Path;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// How many documents of each direction are made up.
const MADE_UP: usize = 500;

/// One version of the protocol.
pub(crate) struct Version {
    /// What it is called when something is wrong with it.
    pub(crate) name: &'static str,
    /// Its types, as `chat_types::schema::protocol()` tells them.
    pub(crate) schema: Value,
    /// Reads a document as the type of this name, as servers and as clients do, and writes it again.
    pub(crate) read_again: fn(&str, &Value) -> Result<Value, String>,
    /// What it writes: documents by the names of their types.
    pub(crate) writes: Vec<(String, Value)>,
}

impl Version {
    /// A version that writes its fixtures and made-up documents of both directions.
    pub(crate) fn new(
        name: &'static str,
        schema: Value,
        read_again: fn(&str, &Value) -> Result<Value, String>,
        fixtures: Vec<(String, Value)>,
        commands: Vec<Value>,
        documents: Vec<Value>,
    ) -> Self {
        let of = |name: &'static str| move |value| (name.to_owned(), value);
        let mut writes = fixtures;
        writes.extend(commands.into_iter().map(of("Command")));
        writes.extend(documents.into_iter().map(of("ServerDoc")));
        Self {
            name,
            schema,
            read_again,
            writes,
        }
    }

    fn knows(&self, type_name: &str) -> bool {
        self.schema["$defs"].get(type_name).is_some()
    }
}

/// The fixtures below a folder, by the names of their types.
pub(crate) fn fixtures(
    folder: &Path,
    type_of: for<'a> fn(&'a str, &'a str) -> &'a str,
) -> Vec<(String, Value)> {
    let mut fixtures = Vec::new();
    for kind in ["c2s", "s2c", "http"] {
        for entry in std::fs::read_dir(folder.join(kind)).expect("the folder of the fixtures") {
            let path = entry.expect("an entry of the folder").path();
            let name = path.file_name().and_then(|name| name.to_str());
            let type_name = type_of(kind, name.expect("a name in UTF-8")).to_owned();
            let text = std::fs::read_to_string(&path).expect("a fixture in UTF-8");
            fixtures.push((type_name, serde_json::from_str(&text).expect("JSON")));
        }
    }
    fixtures
}

/// Made-up documents.
pub(crate) fn made_up<S: Strategy<Value: Serialize>>(strategy: &S) -> Vec<Value> {
    let mut runner = TestRunner::default();
    let mut document = || {
        let tree = strategy.new_tree(&mut runner).expect("a document");
        serde_json::to_value(tree.current()).expect("JSON")
    };
    (0..MADE_UP).map(|_| document()).collect()
}

/// Whatever the older version writes has one meaning to both: the newer reads it, and what it writes of
/// it is to the older one what it was.
///
/// # Errors
/// The first document with which it is not so, and for whom.
pub(crate) fn newer_keeps_what_older_writes(
    older: &Version,
    newer: &Version,
) -> Result<(), String> {
    for (type_name, written) in &older.writes {
        let says = |what: String| format!("{what}: {type_name} {written}");
        let passed_on = (newer.read_again)(type_name, written).map_err(|error| {
            says(format!(
                "{} cannot read what {} writes ({error})",
                newer.name, older.name
            ))
        })?;
        let back = (older.read_again)(type_name, &passed_on).map_err(|error| {
            says(format!(
                "{} cannot read what {} makes of it ({error}), {passed_on}",
                older.name, newer.name
            ))
        })?;
        if back != *written {
            return Err(says(format!(
                "{} gave it another meaning, {back}",
                newer.name
            )));
        }
    }
    Ok(())
}

/// Whatever the newer version writes is read by the older one, which keeps all that it knows of it and
/// takes variants and words that it does not know for unknown; the newer reads what is left of it.
///
/// # Errors
/// The first document with which it is not so, and for whom.
pub(crate) fn older_bears_what_newer_writes(
    older: &Version,
    newer: &Version,
) -> Result<(), String> {
    for (type_name, written) in &newer.writes {
        if !older.knows(type_name) {
            continue;
        }
        let says = |what: String| format!("{what}: {type_name} {written}");
        let read = (older.read_again)(type_name, written).map_err(|error| {
            says(format!(
                "{} cannot read what {} writes ({error})",
                older.name, newer.name
            ))
        })?;
        let known = Known(&older.schema["$defs"]).of_type(type_name, written);
        if !holds(&read, &known) {
            return Err(says(format!(
                "{} reads {read} where it knows {known}",
                older.name
            )));
        }
        (newer.read_again)(type_name, &read).map_err(|error| {
            says(format!(
                "{} cannot read what {} makes of it ({error}), {read}",
                newer.name, older.name
            ))
        })?;
    }
    Ok(())
}

/// Whether a document says everything that another says; it may say more.
fn holds(document: &Value, known: &Value) -> bool {
    match (document, known) {
        (Value::Object(document), Value::Object(known)) => known
            .iter()
            .all(|(field, known)| document.get(field).is_some_and(|it| holds(it, known))),
        (Value::Array(items), Value::Array(known)) => {
            items.len() == known.len()
                && items.iter().zip(known).all(|(it, known)| holds(it, known))
        }
        (document, known) => document == known,
    }
}

/// The definitions of a version: what of a document it knows.
struct Known<'a>(&'a Value);

impl Known<'_> {
    fn of_type(&self, type_name: &str, value: &Value) -> Value {
        self.of(&self.0[type_name], value)
    }

    fn of(&self, schema: &Value, value: &Value) -> Value {
        if let Some(variants) = schema["oneOf"].as_array() {
            return self.of_union(variants, value);
        }
        if let Some(alternatives) = schema["anyOf"].as_array() {
            let is_null = value.is_null();
            return if is_null {
                Value::Null
            } else {
                self.of(&alternatives[0], value)
            };
        }
        if schema["$ref"].is_string() && schema["properties"].is_null() {
            return self.of(self.referred(schema), value);
        }
        match value {
            Value::Array(items) => {
                let known = items.iter().map(|item| self.of(&schema["items"], item));
                known.collect()
            }
            Value::Object(_) => Value::Object(self.fields(schema, value)),
            value => value.clone(),
        }
    }

    fn of_union(&self, variants: &[Value], value: &Value) -> Value {
        if value.is_string() {
            let is_known = variants.iter().any(|variant| variant["const"] == *value);
            return if is_known {
                value.clone()
            } else {
                json!("unknown")
            };
        }
        let variant = variants
            .iter()
            .find(|variant| tag_of(variant).is_some_and(|(tag, name)| value[tag] == *name));
        match (variant, variants.first().and_then(tag_of)) {
            (Some(variant), _) => Value::Object(self.fields(variant, value)),
            (None, Some((tag, _))) => json!({ tag: "unknown" }),
            (None, None) => value.clone(),
        }
    }

    /// The known fields of an object: those of its schema and of the one that this refers to.
    fn fields(&self, schema: &Value, value: &Value) -> Map<String, Value> {
        let mut known = Map::new();
        for schema in [schema, self.referred(schema)] {
            for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
                if let Some(inner) = value.get(field) {
                    known.insert(field.clone(), self.of(schema, inner));
                }
            }
        }
        known
    }

    fn referred(&self, schema: &Value) -> &Value {
        let name = schema["$ref"].as_str().unwrap_or_default();
        &self.0[name.trim_start_matches("#/$defs/")]
    }
}

/// The field by which variants are told apart, and its word for this one.
fn tag_of(variant: &Value) -> Option<(&str, &Value)> {
    let fields = variant["properties"].as_object()?;
    let tag = |(field, schema): (_, &Value)| schema.get("const").map(|_| field);
    let tag: &String = fields.iter().find_map(tag)?;
    Some((tag, &variant["properties"][tag]["const"]))
}
