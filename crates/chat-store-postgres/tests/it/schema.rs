//! What is checked by reading.

use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &str, kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(path.to_str().unwrap(), kind));
        } else if path.extension().is_some_and(|it| it == kind) {
            found.push(path);
        }
    }
    found
}

/// In a transaction that writes it makes all writers wait for one lock of the whole server, eight
/// times slower with 32 of them.
#[test]
fn nothing_is_told_through_the_database() {
    let forbidden = concat!("NOT", "IFY");
    let mut read = 0;
    for path in files("src", "rs")
        .into_iter()
        .chain(files("migrations", "sql"))
    {
        let text = fs::read_to_string(&path).unwrap().to_uppercase();
        // The runtime has a type of that name.
        let text = text.replace(&format!("{forbidden}_"), "");
        assert!(!text.contains(forbidden), "{}", path.display());
        read += 1;
    }
    assert!(read > 10, "only {read} files were found");
}

/// Nodes of the release before go on working while a new one is rolled out.
#[test]
fn the_release_before_is_run_on_the_new_schema_once_there_are_two() {
    let schemas = files("migrations", "sql").len();
    assert_eq!(
        schemas, 1,
        "write the test that runs the code of the release before (its tag, as a dependency of this \
         crate's tests under another name) through the suite on the schema of this one"
    );
}
