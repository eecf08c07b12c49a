//! `cargo xtask tidy`: the rules of ARCHITECTURE.md that no compiler and no clippy lint knows.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::{dependencies, paths};

/// A rule about the text of files.
struct Rule {
    /// What is said about a line that breaks it.
    says: &'static str,
    /// The texts that break it.
    forbidden: &'static [&'static str],
    /// Which files it is about, by their path in the workspace.
    about: fn(&str) -> bool,
    /// Which part of those files it is about.
    part: Part,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// All lines.
    Whole,
    /// Only what runs in tests.
    Tests,
    /// Only what does not run in tests.
    Product,
}

const RULES: &[Rule] = &[
    Rule {
        says: "the environment is read in config.rs only",
        forbidden: &["env::var", "env::vars", "env = \""],
        about: |path| is_rust(path) && !is_config(path),
        part: Part::Product,
    },
    Rule {
        says: "the system's time is read in clock.rs only",
        forbidden: &["SystemTime::now", "UNIX_EPOCH.elapsed"],
        about: |path| is_rust(path) && !path.ends_with("/clock.rs"),
        part: Part::Product,
    },
    Rule {
        says: "SQL lives in the store crates",
        forbidden: &[
            "sqlx",
            "\"SELECT ",
            "\"INSERT ",
            "\"UPDATE ",
            "\"DELETE FROM",
        ],
        about: |path| {
            (is_rust(path) || path.ends_with("Cargo.toml"))
                && !path.starts_with("crates/chat-store-")
        },
        part: Part::Whole,
    },
    Rule {
        says: "the protocol and the client's state machine do no I/O",
        forbidden: &[
            "std::fs",
            "std::net",
            "tokio",
            "reqwest",
            "web_sys",
            "Instant::now",
        ],
        about: |path| {
            path.starts_with("crates/chat-types/src") || path.starts_with("crates/chat-client/src")
        },
        part: Part::Whole,
    },
    Rule {
        says: "a test waits for a condition, it does not sleep",
        forbidden: &["sleep(", "waitForTimeout", "setTimeout("],
        about: |path| is_rust(path) || path.starts_with("e2e/tests/"),
        part: Part::Tests,
    },
    Rule {
        says: "a test runs or does not exist",
        forbidden: &["#[ignore"],
        about: is_rust,
        part: Part::Tests,
    },
    Rule {
        says: "a test runs or does not exist",
        forbidden: &["test.skip(", "test.todo(", "skip: ", "todo: "],
        about: |path| path.starts_with("e2e/tests/"),
        part: Part::Whole,
    },
    Rule {
        says: "what people type is rendered as views, never as markup",
        forbidden: &[
            "innerHTML",
            "inner_html",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
        ],
        about: |path| path.starts_with("crates/chat-frontend/") && !path.contains("/server/"),
        part: Part::Whole,
    },
    Rule {
        says: "NOTIFY in the write transaction makes writers wait for each other",
        forbidden: &["NOTIFY ", "pg_notify"],
        about: |path| path.starts_with("crates/"),
        part: Part::Whole,
    },
    Rule {
        says: "what is not done is not in the tree",
        forbidden: &["TODO", "FIXME", "XXX"],
        about: |path| path.starts_with("crates/") || path.starts_with("e2e/"),
        part: Part::Whole,
    },
    Rule {
        says: "the lock file names no registry host: install with `omit-lockfile-registry-resolved`",
        forbidden: &["\"resolved\""],
        about: |path| path.ends_with("package-lock.json"),
        part: Part::Whole,
    },
];

/// The crates whose public items are all documented.
const DOCUMENTED: [&str; 3] = ["chat-types", "chat-client", "chat-store"];

/// Folders that hold nothing written by people.
const SKIPPED: [&str; 3] = ["node_modules", "target", ".git"];

/// Checks the workspace and lists every line that breaks a rule.
pub(crate) fn tidy() -> anyhow::Result<()> {
    let mut faults = undocumented_crates()?;
    faults.extend(dependencies::faults()?);
    for place in ["crates", "e2e"] {
        visit(&paths::root().join(place), &mut faults)?;
    }
    for fault in &faults {
        println!("{fault}");
    }
    if faults.is_empty() {
        println!("{} rules hold, and those of deny.toml", RULES.len() + 1);
        return Ok(());
    }
    bail!(
        "{} places break a rule; they are listed above",
        faults.len()
    )
}

fn visit(place: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    if place.is_dir() {
        if place
            .file_name()
            .is_some_and(|name| SKIPPED.iter().any(|skipped| name == *skipped))
        {
            return Ok(());
        }
        let mut entries = fs::read_dir(place)?
            .map(|entry| Ok(entry?.path()))
            .collect::<anyhow::Result<Vec<_>>>()?;
        entries.sort();
        return entries.iter().try_for_each(|entry| visit(entry, faults));
    }
    let path = place
        .strip_prefix(paths::root())
        .unwrap_or(place)
        .to_string_lossy();
    let bytes = fs::read(place).with_context(|| format!("cannot read {path}"))?;
    if let Ok(text) = String::from_utf8(bytes) {
        faults.extend(faults_of(&path, &text));
    }
    Ok(())
}

/// The lines of a file that break a rule, each with its place and what it breaks.
fn faults_of(path: &str, text: &str) -> Vec<String> {
    let rules: Vec<_> = RULES.iter().filter(|rule| (rule.about)(path)).collect();
    let mut in_tests = is_test_file(path);
    let mut faults = Vec::new();
    for (at, line) in text.lines().enumerate() {
        in_tests |= line.trim_start().starts_with("#[cfg(test)]");
        if is_rust(path) && line.trim_start().starts_with("//") {
            continue;
        }
        for rule in &rules {
            let concerned = match rule.part {
                Part::Whole => true,
                Part::Tests => in_tests,
                Part::Product => !in_tests,
            };
            if concerned && rule.forbidden.iter().any(|text| line.contains(text)) {
                faults.push(format!("{path}:{}: {}: {}", at + 1, rule.says, line.trim()));
            }
        }
    }
    faults
}

fn undocumented_crates() -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    for name in DOCUMENTED {
        let path = format!("crates/{name}/src/lib.rs");
        let text = fs::read_to_string(paths::root().join(&path))
            .with_context(|| format!("cannot read {path}"))?;
        if !text.contains("missing_docs") {
            faults.push(format!(
                "{path}:1: the public items of {name} are all documented: #![warn(missing_docs)]"
            ));
        }
    }
    Ok(faults)
}

/// The one place of a crate that reads the environment, which may have parts; and the build's own.
fn is_config(path: &str) -> bool {
    path.ends_with("/config.rs") || path.contains("/config/") || path.ends_with("/build.rs")
}

fn is_rust(path: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|extension| extension == "rs")
}

fn is_test_file(path: &str) -> bool {
    ["/tests/", "/benches/", "/conformance/", "/tests.rs"]
        .iter()
        .any(|part| path.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaks(path: &str, text: &str) -> bool {
        !faults_of(path, text).is_empty()
    }

    #[test]
    fn each_rule_finds_what_it_forbids_where_it_applies() {
        assert!(breaks(
            "crates/chat-backend/src/auth/mod.rs",
            "let a = std::env::var(\"A\");"
        ));
        assert!(breaks(
            "crates/chat-backend/src/realtime/hub.rs",
            "SystemTime::now()"
        ));
        assert!(breaks(
            "crates/chat-backend/src/rooms/mod.rs",
            "sqlx::query(x)"
        ));
        assert!(breaks(
            "crates/chat-client/src/lib.rs",
            "std::net::TcpStream"
        ));
        assert!(breaks(
            "crates/chat-backend/tests/it/rooms.rs",
            "tokio::time::sleep(second).await"
        ));
        assert!(breaks("crates/chat-backend/tests/it/rooms.rs", "#[ignore]"));
        assert!(breaks(
            "crates/chat-frontend/src/ui/message.rs",
            "<p inner_html=body/>"
        ));
        assert!(breaks(
            "crates/chat-store-postgres/src/messages.rs",
            "NOTIFY room"
        ));
        assert!(breaks(
            "crates/chat-backend/src/lib.rs",
            "let a = 1; // TODO"
        ));
        assert!(breaks(
            "e2e/package-lock.json",
            "\"resolved\": \"https://a\""
        ));
    }

    #[test]
    fn each_rule_leaves_its_one_place_alone() {
        assert!(!breaks(
            "crates/chat-backend/src/config.rs",
            "std::env::var(\"A\")"
        ));
        assert!(!breaks(
            "crates/chat-backend/src/clock.rs",
            "SystemTime::now()"
        ));
        assert!(!breaks(
            "crates/chat-store-sqlite/src/rooms.rs",
            "sqlx::query(\"SELECT 1\")"
        ));
        assert!(!breaks(
            "crates/chat-backend/src/shutdown.rs",
            "tokio::time::sleep(grace).await"
        ));
    }

    #[test]
    fn a_test_module_counts_as_test_and_the_code_above_it_does_not() {
        let text = "fn wait() { sleep(a) }\n#[cfg(test)]\nmod tests { fn a() { sleep(b) } }";
        let faults = faults_of("crates/chat-backend/src/shutdown.rs", text);
        assert_eq!(faults.len(), 1);
        assert!(faults[0].contains(":3: "), "{faults:?}");
    }

    #[test]
    fn comments_may_name_what_code_may_not() {
        assert!(!breaks(
            "crates/chat-client/src/lib.rs",
            "// Unlike tokio, this does no I/O."
        ));
    }
}
