//! A JSON Schema as the comparison sees it: the few shapes that this protocol is made of.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What a schema allows.
pub(super) struct Shape<'a> {
    pub(super) nullable: bool,
    pub(super) kind: Kind<'a>,
}

pub(super) enum Kind<'a> {
    Any,
    Scalar(Scalar<'a>),
    Array(&'a Value),
    Object(BTreeMap<&'a str, Field<'a>>),
    /// A list of words, one of which it is.
    Words(BTreeSet<&'a str>),
    /// A union of objects, told apart by the named field.
    Union(&'a str, BTreeMap<&'a str, &'a Value>),
}

pub(super) struct Field<'a> {
    pub(super) schema: &'a Value,
    pub(super) required: bool,
}

/// A string, number or boolean with its bounds.
pub(super) struct Scalar<'a> {
    pub(super) name: &'a str,
    /// For strings, what they must look like.
    forms: [Option<&'a str>; 2],
    /// The least and the most: of the number, or of the string's length.
    least: f64,
    most: f64,
}

impl<'a> Shape<'a> {
    pub(super) fn of(schema: &'a Value, definitions: &'a Value) -> Self {
        let inner = without_null(schema);
        if let Some(name) = plain_reference(inner) {
            let shape = Self::of(&definitions[name], definitions);
            return Self {
                nullable: shape.nullable || !std::ptr::eq(inner, schema),
                ..shape
            };
        }
        let names = type_names(inner);
        Self {
            nullable: names.contains(&"null") || !std::ptr::eq(inner, schema),
            kind: kind(inner, &names, definitions),
        }
    }
}

/// The other schema of a pair of which one is `null`, or else the schema itself.
fn without_null(schema: &Value) -> &Value {
    let null = |schema: &Value| schema["type"] == "null";
    match schema["anyOf"].as_array().map(Vec::as_slice) {
        Some([other, nothing]) if null(nothing) => other,
        _ => schema,
    }
}

/// The named type that a schema is, `null` or not, when it adds nothing to it.
pub(super) fn plain_reference(schema: &Value) -> Option<&str> {
    let schema = without_null(schema);
    if schema.get("properties").is_some() {
        return None;
    }
    reference(schema)
}

fn kind<'a>(schema: &'a Value, names: &[&'a str], definitions: &'a Value) -> Kind<'a> {
    if let Some(variants) = schema["oneOf"].as_array() {
        return union(variants).unwrap_or_else(|| Kind::Words(words(variants)));
    }
    if schema.get("enum").is_some() || schema.get("const").is_some() {
        return Kind::Words(words(std::slice::from_ref(schema)));
    }
    match names.iter().find(|name| **name != "null") {
        Some(&"object") => Kind::Object(fields(schema, definitions)),
        Some(&"array") => Kind::Array(&schema["items"]),
        Some(name) => Kind::Scalar(Scalar::of(schema, name)),
        None => Kind::Any,
    }
}

fn type_names(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The type that a schema refers to.
fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/$defs/")
}

/// An object's fields, with those of the type that it includes: a variant that wraps a struct has
/// both. The tag is not among them.
pub(super) fn fields<'a>(
    schema: &'a Value,
    definitions: &'a Value,
) -> BTreeMap<&'a str, Field<'a>> {
    let included = reference(schema).map(|name| fields(&definitions[name], definitions));
    let mut all = included.unwrap_or_default();
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        if field.get("const").is_none() {
            let required = required.contains(&name.as_str());
            all.insert(
                name,
                Field {
                    schema: field,
                    required,
                },
            );
        }
    }
    all
}

fn words(schemas: &[Value]) -> BTreeSet<&str> {
    let one = schemas.iter().filter_map(|schema| schema["const"].as_str());
    let many = schemas
        .iter()
        .filter_map(|schema| schema["enum"].as_array());
    one.chain(many.flatten().filter_map(Value::as_str))
        .collect()
}

fn union(variants: &[Value]) -> Option<Kind<'_>> {
    let mut union = BTreeMap::new();
    let mut common = None;
    for variant in variants {
        let properties = variant["properties"].as_object()?;
        let (tag, name) = properties
            .iter()
            .find_map(|(tag, field)| Some((tag.as_str(), field["const"].as_str()?)))?;
        common = Some(tag);
        union.insert(name, variant);
    }
    Some(Kind::Union(common?, union))
}

impl<'a> Scalar<'a> {
    fn of(schema: &'a Value, name: &'a str) -> Self {
        let format = schema["format"].as_str();
        let (keys, implied) = if name == "string" {
            (["minLength", "maxLength"], (0.0, f64::INFINITY))
        } else {
            (["minimum", "maximum"], bounds(format))
        };
        let forms = if name == "string" {
            [format, schema["pattern"].as_str()]
        } else {
            [None, None]
        };
        Self {
            name,
            forms,
            least: schema[keys[0]].as_f64().unwrap_or(implied.0).max(implied.0),
            most: schema[keys[1]].as_f64().unwrap_or(implied.1).min(implied.1),
        }
    }

    /// Whether every value of the other is one of this.
    pub(super) fn accepts_all_of(&self, other: &Self) -> bool {
        let form =
            |index: usize| self.forms[index].is_none() || self.forms[index] == other.forms[index];
        self.least <= other.least && self.most >= other.most && form(0) && form(1)
    }
}

/// What a number's format says about its size.
fn bounds(format: Option<&str>) -> (f64, f64) {
    match format {
        Some("uint8") => (0.0, f64::from(u8::MAX)),
        Some("uint16") => (0.0, f64::from(u16::MAX)),
        Some("uint32") => (0.0, f64::from(u32::MAX)),
        Some("uint64") => (0.0, f64::INFINITY),
        Some("int32") => (f64::from(i32::MIN), f64::from(i32::MAX)),
        _ => (f64::NEG_INFINITY, f64::INFINITY),
    }
}
