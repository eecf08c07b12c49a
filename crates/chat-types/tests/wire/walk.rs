//! Walks a document beside its schema and says what each place is.

use serde_json::Value;

/// What a place of a document is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// An object whose reader ignores unknown fields: the named type and its optional fields.
    Object {
        /// The type, with the variant for a tagged one.
        of: String,
        /// Fields that may be absent.
        optional: Vec<String>,
    },
    /// A tagged object, by this tag; also reported as an object.
    Tagged {
        /// The enum's name.
        of: String,
        /// The field that tells the variants apart.
        tag: String,
        /// The variant.
        variant: String,
    },
    /// A word out of a list.
    Word {
        /// The enum's name.
        of: String,
        /// The word.
        word: String,
    },
}

/// Every place of a document with its JSON pointer.
pub(crate) fn places(schema: &Value, type_name: &str, document: &Value) -> Vec<(String, Place)> {
    let mut walk = Walk {
        definitions: &schema["$defs"],
        found: Vec::new(),
    };
    walk.named(type_name, document, String::new());
    walk.found
}

struct Walk<'a> {
    definitions: &'a Value,
    found: Vec<(String, Place)>,
}

impl Walk<'_> {
    fn named(&mut self, name: &str, value: &Value, at: String) {
        let definitions = self.definitions;
        let schema = &definitions[name];
        assert!(schema.is_object(), "{name} is not in the schema");
        self.schema(schema, name, value, at);
    }

    fn schema(&mut self, schema: &Value, of: &str, value: &Value, at: String) {
        if let Some(variants) = schema["oneOf"].as_array() {
            self.one_of(variants, of, value, at);
        } else if let Some(alternatives) = schema["anyOf"].as_array() {
            if !value.is_null() {
                self.schema(&alternatives[0], of, value, at);
            }
        } else if let Some(reference) = reference(schema) {
            self.named(reference, value, at);
        } else if let Some(items) = value.as_array() {
            for (index, item) in items.iter().enumerate() {
                self.schema(&schema["items"], of, item, format!("{at}/{index}"));
            }
        } else if value.is_object() {
            self.object(&[schema], of, value, at);
        }
    }

    fn one_of(&mut self, variants: &[Value], of: &str, value: &Value, at: String) {
        if let Some(word) = value.as_str() {
            let of = of.to_owned();
            let word = word.to_owned();
            self.found.push((at, Place::Word { of, word }));
            return;
        }
        let (tag, name, variant) = variants
            .iter()
            .find_map(|variant| matching(variant, value))
            .unwrap_or_else(|| panic!("{value} is no variant of {of}"));
        self.found.push((
            at.clone(),
            Place::Tagged {
                of: of.to_owned(),
                tag: tag.to_owned(),
                variant: name.to_owned(),
            },
        ));
        let definitions = self.definitions;
        match reference(variant) {
            Some(inner) => self.object(&[variant, &definitions[inner]], inner, value, at),
            None => self.object(&[variant], &format!("{of}::{name}"), value, at),
        }
    }

    fn object(&mut self, schemas: &[&Value], of: &str, value: &Value, at: String) {
        let properties = schemas
            .iter()
            .filter_map(|schema| schema["properties"].as_object());
        let required = |field: &str| {
            let lists = schemas.iter().filter_map(|s| s["required"].as_array());
            lists.flatten().any(|name| name == field)
        };
        let optional: Vec<String> = properties
            .clone()
            .flat_map(|fields| fields.keys())
            .filter(|field| !required(field))
            .cloned()
            .collect();
        let of = of.to_owned();
        self.found.push((
            at.clone(),
            Place::Object {
                of: of.clone(),
                optional,
            },
        ));
        for (field, schema) in properties.flatten() {
            if let Some(inner) = value.get(field) {
                self.schema(schema, &of, inner, format!("{at}/{field}"));
            }
        }
    }
}

fn matching<'a>(variant: &'a Value, value: &Value) -> Option<(&'a str, &'a str, &'a Value)> {
    let properties = variant["properties"].as_object()?;
    let (tag, name) = properties
        .iter()
        .find_map(|(tag, schema)| Some((tag.as_str(), schema["const"].as_str()?)))?;
    (value.get(tag)?.as_str()? == name).then_some((tag, name, variant))
}

fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/$defs/")
}
