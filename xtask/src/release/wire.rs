//! The released `chat-types` linked beside today's, in a small crate that the check writes: whatever one
//! of them writes, the other reads.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;

use super::before::{self, Before};
use super::released::Released;
use crate::{paths, process};

/// The protocol's tests, in the workspace.
const TESTS: &str = "crates/chat-types/tests";

pub(super) fn check(released: &Released) -> anyhow::Result<()> {
    for commit in released.commits() {
        let before = Before::at(commit)?;
        let folder = before::folder().join("wire");
        write_crate(&folder, &before, commit)?;
        let mut tests = Command::new("cargo");
        tests
            .current_dir(&folder)
            .stdin(Stdio::null())
            .env("CARGO_TARGET_DIR", before::target())
            // What is wrong is in the message, and a trace would bury it.
            .env("RUST_BACKTRACE", "0")
            .args(["test", "--quiet"]);
        process::run(&mut tests).with_context(|| {
            format!(
                "clients or servers of {} and of today do not understand each other; which of them, and over which document, is above",
                &commit[..12]
            )
        })?;
    }
    Ok(())
}

fn write_crate(folder: &Path, before: &Before, commit: &str) -> anyhow::Result<()> {
    let write = |name: &str, text: String| {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().expect("a file lies in a folder"))?;
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
    };
    let read = |root: &Path, name: &str| {
        let file = root.join(TESTS).join(name);
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
    };
    for (name, root) in [("before", before.root()), ("today", paths::root())] {
        for (module, file) in [
            ("strategies", "wire/strategies.rs"),
            ("support", "support/mod.rs"),
        ] {
            let text = read(root, file)?.replace("chat_types", &format!("{name}_types"));
            write(&format!("tests/{name}/{module}.rs"), text)?;
        }
        let modules = "pub(crate) mod strategies;\npub(crate) mod support;\n";
        write(&format!("tests/{name}/mod.rs"), modules.to_owned())?;
    }
    write(
        "tests/wire/neighbours.rs",
        read(paths::root(), "wire/neighbours.rs")?,
    )?;
    write("tests/wire/main.rs", main(before))?;
    write("src/lib.rs", String::new())?;
    write("Cargo.toml", manifest(commit)?)?;
    fs::copy(paths::root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    Ok(())
}

/// The released crate comes through git: two crates of one name and version, both from paths, cannot
/// stand in one lock file.
fn manifest(commit: &str) -> anyhow::Result<String> {
    let repository = process::answer(
        "git",
        &["rev-parse", "--path-format=absolute", "--git-common-dir"],
    )
    .context("this is no git repository")?;
    let today = paths::root().join("crates/chat-types");
    let today = today.to_string_lossy();
    let workspace = fs::read_to_string(paths::root().join("Cargo.toml"))?;
    let versions = section(&workspace, "[workspace.dependencies]")
        .context("the workspace's Cargo.toml lists no dependencies")?;
    Ok(format!(
        "[package]
name = \"neighbours\"
version = \"0.0.0\"
edition = \"2024\"

[workspace]

[workspace.dependencies]
{versions}
[dependencies]
before_types = {{ package = \"chat-types\", git = \"file://{repository}\", rev = \"{commit}\", features = [\"schema\", \"text\"] }}
today_types = {{ package = \"chat-types\", path = {today:?}, features = [\"schema\", \"text\"] }}
proptest.workspace = true
serde.workspace = true
serde_json.workspace = true
sha2.workspace = true
uuid.workspace = true

[[test]]
name = \"wire\"
path = \"tests/wire/main.rs\"
"
    ))
}

/// What stands under a heading of a manifest, up to the next one.
fn section<'a>(manifest: &'a str, heading: &str) -> Option<&'a str> {
    let (_, rest) = manifest.split_once(&format!("{heading}\n"))?;
    Some(rest.split_once("\n[").map_or(rest, |(section, _)| section))
}

fn main(before: &Before) -> String {
    let version = |name: &str, called: &str, root: &Path| {
        let fixtures = root.join(TESTS).join("wire/v1");
        let fixtures = fixtures.to_string_lossy();
        format!(
            "
fn {name}() -> Version {{
    Version::new(
        {called:?},
        {name}_types::schema::protocol(),
        {name}::support::read_again,
        fixtures(std::path::Path::new({fixtures:?}), {name}::support::type_of),
        made_up(&{name}::strategies::command()),
        made_up(&{name}::strategies::server_doc()),
    )
}}
"
        )
    };
    let versions = [
        version("before", "the release", before.root()),
        version("today", "today's version", paths::root()),
    ];
    let tests = [
        (
            "today_keeps_what_the_release_writes",
            "newer_keeps_what_older_writes",
        ),
        (
            "the_release_bears_what_today_writes",
            "older_bears_what_newer_writes",
        ),
    ]
    .map(|(name, check)| {
        format!(
            "
#[test]
fn {name}() {{
    if let Err(what) = {check}(&before(), &today()) {{
        panic!(\"{{what}}\");
    }}
}}
"
        )
    });
    let promises = "
#[test]
fn today_keeps_what_the_release_promises() {
    let [before, today] = [before_types::schema::protocol(), today_types::schema::protocol()];
    let broken = today_types::schema_diff::compare_protocols(&before, &today);
    let broken: Vec<String> = broken.iter().map(ToString::to_string).collect();
    assert!(broken.is_empty(), \"against the release:\\n{}\", broken.join(\"\\n\"));
}
";
    format!(
        "#![allow(dead_code)]
#[path = \"../before/mod.rs\"]
mod before;
mod neighbours;
#[path = \"../today/mod.rs\"]
mod today;

use neighbours::{{Version, fixtures, made_up, newer_keeps_what_older_writes, older_bears_what_newer_writes}};
{}{}{promises}",
        versions.concat(),
        tests.concat()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_ends_where_the_next_begins() {
        let manifest = "[a]\nx = 1\n\n[b]\ny = 2\nz = [\n  3,\n]\n\n[c]\n";
        assert_eq!(section(manifest, "[b]"), Some("y = 2\nz = [\n  3,\n]\n"));
        assert_eq!(section(manifest, "[d]"), None);
    }
}
