//! Tells whether a newer protocol still understands an older one, in both directions: servers and
//! clients of neighbouring releases meet in any order. Generic tools for schemas do not see into
//! tagged unions, which is most of this protocol.
//!
//! Start at [`compare_protocols`]; [`compare`] does the same for one schema. What is allowed: new
//! optional fields, new variants, new words, new endpoints, and a server that accepts more. Readers
//! keep variants and words that they do not know as `Unknown`, so new ones break nobody.

mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use shape::{Field, Scalar, Shape};

/// Which way a document travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Older clients keep sending it: the newer server may accept more, never less.
    ToServer,
    /// Older clients keep reading it, and newer clients read what older servers send: nothing that
    /// exists may change.
    ToClient,
}

/// A change that an older or newer neighbour would not survive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Breaking {
    /// Where, as a path of fields and variants.
    pub at: String,
    /// What changed there.
    pub change: BreakingChange,
}

/// What breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BreakingChange {
    /// A field is gone, or has another name.
    FieldRemoved,
    /// A field must be there that was not there, or could be left out.
    FieldRequired,
    /// A field may be absent that readers rely on.
    FieldOptional,
    /// Values that were allowed are not any more.
    TypeNarrowed,
    /// Values are allowed that older readers refuse.
    TypeWidened,
    /// Another type altogether.
    TypeChanged,
    /// A variant of a tagged union is gone, or has another name.
    VariantRemoved,
    /// The tag of a union has another name.
    TagRenamed,
    /// A word of an enumeration is gone, or is spelt differently.
    WordRemoved,
    /// An endpoint is gone.
    EndpointRemoved,
    /// An endpoint or the socket moved: another method, path or subprotocol.
    Moved,
    /// An endpoint asks for a token that it did not ask for.
    AccessNarrowed,
}

impl fmt::Display for Breaking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.change {
            BreakingChange::FieldRemoved => "the field was removed or renamed",
            BreakingChange::FieldRequired => "the field is required now",
            BreakingChange::FieldOptional => "the field may be absent now",
            BreakingChange::TypeNarrowed => "values that were allowed are refused now",
            BreakingChange::TypeWidened => "values are allowed now that older readers refuse",
            BreakingChange::TypeChanged => "the type changed",
            BreakingChange::VariantRemoved => "the variant was removed or renamed",
            BreakingChange::TagRenamed => "the union's tag was renamed",
            BreakingChange::WordRemoved => "the word was removed or renamed",
            BreakingChange::EndpointRemoved => "the endpoint was removed or renamed",
            BreakingChange::Moved => "it moved: method, path or subprotocol changed",
            BreakingChange::AccessNarrowed => "it asks for a token now",
        };
        write!(f, "{}: {what}", self.at)
    }
}

/// Everything in the newer protocol that breaks neighbours of the older one; both as
/// [`crate::schema::protocol`] makes them.
pub fn compare_protocols(old: &Value, new: &Value) -> Vec<Breaking> {
    let mut comparison = Comparison::new(old, new);
    let sockets = (&old["socket"], &new["socket"]);
    comparison.same("socket", sockets, &["path", "subprotocol"]);
    comparison.documents("socket", sockets, "client", Direction::ToServer);
    comparison.documents("socket", sockets, "server", Direction::ToClient);
    comparison.documents("problem", (old, new), "problem", Direction::ToClient);
    for (operation, before) in old["endpoints"].as_object().into_iter().flatten() {
        match new["endpoints"].get(operation) {
            None => comparison.report(operation, BreakingChange::EndpointRemoved),
            Some(after) => comparison.endpoint(operation, (before, after)),
        }
    }
    comparison.breaking
}

/// Everything in the newer schema that breaks neighbours of the older one. Each is a JSON Schema
/// with its definitions under `$defs`.
pub fn compare(old: &Value, new: &Value, direction: Direction) -> Vec<Breaking> {
    let mut comparison = Comparison::new(old, new);
    comparison.schemas("", old, new, direction);
    comparison.breaking
}

struct Comparison<'a> {
    old: &'a Value,
    new: &'a Value,
    /// Pairs of named types that were compared, or are being compared, in a direction.
    known: BTreeSet<(String, String, bool)>,
    breaking: Vec<Breaking>,
}

impl<'a> Comparison<'a> {
    fn new(old: &'a Value, new: &'a Value) -> Self {
        Self {
            old: &old["$defs"],
            new: &new["$defs"],
            known: BTreeSet::new(),
            breaking: Vec::new(),
        }
    }

    fn report(&mut self, at: &str, change: BreakingChange) {
        let at = at.to_owned();
        self.breaking.push(Breaking { at, change });
    }

    fn same(&mut self, at: &str, (old, new): (&Value, &Value), keys: &[&str]) {
        if keys.iter().any(|key| old[key] != new[key]) {
            self.report(at, BreakingChange::Moved);
        }
    }

    fn documents(
        &mut self,
        at: &str,
        (old, new): (&Value, &Value),
        part: &str,
        direction: Direction,
    ) {
        self.schemas(&format!("{at}.{part}"), &old[part], &new[part], direction);
    }

    fn endpoint(&mut self, operation: &str, pair: (&Value, &Value)) {
        self.same(operation, pair, &["method", "path"]);
        let needs_token = |endpoint: &Value| endpoint["access"] == "user";
        if needs_token(pair.1) && !needs_token(pair.0) {
            self.report(operation, BreakingChange::AccessNarrowed);
        }
        self.documents(operation, pair, "query", Direction::ToServer);
        self.documents(operation, pair, "body", Direction::ToServer);
        self.documents(operation, pair, "response", Direction::ToClient);
    }

    fn schemas(&mut self, at: &str, old: &Value, new: &Value, direction: Direction) {
        let before = Shape::of(old, self.old);
        let after = Shape::of(new, self.new);
        if before.nullable && !after.nullable {
            self.report(at, BreakingChange::TypeNarrowed);
        }
        if after.nullable && !before.nullable && direction == Direction::ToClient {
            self.report(at, BreakingChange::TypeWidened);
        }
        let names = (shape::plain_reference(old), shape::plain_reference(new));
        if let (Some(before), Some(after)) = names {
            let to_server = direction == Direction::ToServer;
            let pair = (before.to_owned(), after.to_owned(), to_server);
            if !self.known.insert(pair) {
                return;
            }
        }
        self.kinds(at, before.kind, after.kind, direction);
    }

    fn kinds(
        &mut self,
        at: &str,
        old: shape::Kind<'_>,
        new: shape::Kind<'_>,
        direction: Direction,
    ) {
        use shape::Kind::{Any, Array, Object, Scalar, Union, Words};
        match (old, new) {
            (Any, Any) => {}
            (Scalar(old), Scalar(new)) => self.scalars(at, &old, &new, direction),
            (Array(old), Array(new)) => self.schemas(&format!("{at}[]"), old, new, direction),
            (Object(old), Object(new)) => self.objects(at, &old, &new, direction),
            (Words(old), Words(new)) => {
                for word in old.difference(&new) {
                    self.report(&format!("{at}={word}"), BreakingChange::WordRemoved);
                }
            }
            (Union(old_tag, old), Union(new_tag, new)) => {
                if old_tag != new_tag {
                    self.report(at, BreakingChange::TagRenamed);
                }
                self.unions(at, &old, &new, direction);
            }
            _ => self.report(at, BreakingChange::TypeChanged),
        }
    }

    fn unions(
        &mut self,
        at: &str,
        old: &BTreeMap<&str, &Value>,
        new: &BTreeMap<&str, &Value>,
        direction: Direction,
    ) {
        for (variant, before) in old {
            let at = format!("{at}:{variant}");
            let Some(after) = new.get(variant) else {
                self.report(&at, BreakingChange::VariantRemoved);
                continue;
            };
            let before = shape::fields(before, self.old);
            let after = shape::fields(after, self.new);
            self.objects(&at, &before, &after, direction);
        }
    }

    fn objects(
        &mut self,
        at: &str,
        old: &BTreeMap<&str, Field<'_>>,
        new: &BTreeMap<&str, Field<'_>>,
        direction: Direction,
    ) {
        for (name, before) in old {
            let at = format!("{at}.{name}");
            let Some(after) = new.get(name) else {
                self.report(&at, BreakingChange::FieldRemoved);
                continue;
            };
            if after.required && !before.required {
                self.report(&at, BreakingChange::FieldRequired);
            }
            if before.required && !after.required && direction == Direction::ToClient {
                self.report(&at, BreakingChange::FieldOptional);
            }
            self.schemas(&at, before.schema, after.schema, direction);
        }
        for (name, field) in new {
            if field.required && !old.contains_key(name) {
                self.report(&format!("{at}.{name}"), BreakingChange::FieldRequired);
            }
        }
    }

    fn scalars(&mut self, at: &str, old: &Scalar<'_>, new: &Scalar<'_>, direction: Direction) {
        if old.name != new.name && !(old.name == "integer" && new.name == "number") {
            self.report(at, BreakingChange::TypeChanged);
            return;
        }
        if !new.accepts_all_of(old) {
            self.report(at, BreakingChange::TypeNarrowed);
        }
        let widened = !old.accepts_all_of(new) || old.name != new.name;
        if widened && direction == Direction::ToClient {
            self.report(at, BreakingChange::TypeWidened);
        }
    }
}
