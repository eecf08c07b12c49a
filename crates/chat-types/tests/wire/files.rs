//! The fixtures, read.

use serde_json::Value;

use crate::support::{folder, type_of};

/// One file of `tests/wire/v1`.
pub(crate) struct Fixture {
    /// Its path below the folder, with `/`.
    pub(crate) path: String,
    /// The type of its document.
    pub(crate) type_name: String,
    /// The document.
    pub(crate) value: Value,
    /// The file as it is.
    pub(crate) text: String,
}

/// Every fixture, in the order of their paths.
pub(crate) fn fixtures() -> Vec<Fixture> {
    let mut fixtures = Vec::new();
    for kind in ["c2s", "s2c", "http"] {
        let entries = std::fs::read_dir(folder().join(kind)).expect("the folder of the fixtures");
        for entry in entries {
            let name = entry.expect("an entry of the folder").file_name();
            let name = name.to_str().expect("a name in UTF-8");
            fixtures.push(read(kind, name));
        }
    }
    fixtures.sort_by(|a, b| a.path.cmp(&b.path));
    fixtures
}

fn read(kind: &str, name: &str) -> Fixture {
    let path = format!("{kind}/{name}");
    let text = std::fs::read_to_string(folder().join(&path)).expect("a fixture in UTF-8");
    let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    let type_name = type_of(kind, name).to_owned();
    Fixture {
        path,
        type_name,
        value,
        text,
    }
}
