//! What may be in the dependency tree: the lists of `deny.toml`, checked against what cargo resolves.
//!
//! `cargo deny check` reads the same file and knows more, advisories above all; it has to be installed
//! and needs its database. This part of it needs neither, so it is never left out.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::{paths, process, tools};

/// The one registry that dependencies come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The lists of `deny.toml` that are checked here.
struct Policy {
    licences: BTreeSet<String>,
    banned: BTreeSet<String>,
}

/// Every dependency that `deny.toml` does not allow, each with what is wrong with it.
pub(crate) fn faults() -> anyhow::Result<Vec<String>> {
    let file = paths::root().join("deny.toml");
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let policy = Policy::read(&text)?;
    let metadata = metadata()?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo names no packages")?;
    Ok(packages
        .iter()
        .flat_map(|package| policy.faults_of(package))
        .collect())
}

/// What cargo resolves for the platforms whose crates are fetched.
fn metadata() -> anyhow::Result<Value> {
    let mut arguments = vec![
        "metadata",
        "--format-version",
        "1",
        "--all-features",
        "--filter-platform",
        tools::WASM,
    ];
    let host = tools::host();
    if let Some(host) = &host {
        arguments.extend(["--filter-platform", host]);
    }
    let text = process::answer("cargo", &arguments).context("`cargo metadata` failed")?;
    Ok(serde_json::from_str(&text)?)
}

impl Policy {
    fn read(text: &str) -> anyhow::Result<Self> {
        let licences = list(text, "allow")?;
        let banned = list(text, "deny")?;
        let name_of = |line: &str| Some(quoted(line.split_once("crate =")?.1)?.to_owned());
        Ok(Self {
            licences: licences
                .filter_map(|line| quoted(line).map(str::to_owned))
                .collect(),
            banned: banned.filter_map(name_of).collect(),
        })
    }

    fn faults_of(&self, package: &Value) -> Vec<String> {
        let name = package["name"].as_str().unwrap_or_default();
        let licence = package["license"].as_str().unwrap_or_default();
        let mut faults = Vec::new();
        let mut fault = |what: String| faults.push(format!("deny.toml: {name}: {what}"));
        if self.banned.contains(name) {
            fault("is banned".to_owned());
        }
        if !self.allows(licence) {
            fault(format!("the licence {licence:?} is not allowed"));
        }
        match package["source"].as_str() {
            None => {
                for wild in wildcards(package) {
                    fault(format!("takes any version of {wild}"));
                }
            }
            Some(REGISTRY) => {}
            Some(source) => fault(format!("comes from {source}")),
        }
        faults
    }

    /// Whether an SPDX expression can be met with allowed licences. The old `MIT/Apache-2.0` is a choice.
    fn allows(&self, expression: &str) -> bool {
        let spaced = expression
            .replace('(', " ( ")
            .replace(')', " ) ")
            .replace('/', " OR ")
            .replace(" WITH ", "+WITH+");
        let mut words = spaced.split_whitespace().peekable();
        self.any(&mut words) && words.next().is_none()
    }

    fn any<'a>(&self, words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) -> bool {
        let mut met = self.all(words);
        while words.next_if_eq(&"OR").is_some() {
            met |= self.all(words);
        }
        met
    }

    fn all<'a>(&self, words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) -> bool {
        let mut met = self.one(words);
        while words.next_if_eq(&"AND").is_some() {
            met &= self.one(words);
        }
        met
    }

    fn one<'a>(&self, words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) -> bool {
        match words.next() {
            Some("(") => {
                let met = self.any(words);
                words.next_if_eq(&")").is_some() && met
            }
            Some(licence) => self.licences.contains(&licence.replace("+WITH+", " WITH ")),
            None => false,
        }
    }
}

/// The dependencies of a package of the workspace whose version may be anything.
fn wildcards(package: &Value) -> impl Iterator<Item = &str> {
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    dependencies
        .filter(|dependency| dependency["req"] == "*" && dependency["path"].is_null())
        .filter_map(|dependency| dependency["name"].as_str())
}

/// The lines of a list, `name = [` to `]`.
fn list<'a>(text: &'a str, name: &str) -> anyhow::Result<impl Iterator<Item = &'a str>> {
    let begin = format!("{name} = [");
    let mut lines = text.lines();
    if !lines.by_ref().any(|line| line == begin) {
        bail!("deny.toml has no list `{name}`");
    }
    Ok(lines.take_while(|line| *line != "]"))
}

fn quoted(text: &str) -> Option<&str> {
    text.split('"').nth(1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DENY: &str = "[licenses]\nallow = [\n    \"MIT\",\n    \"Apache-2.0\",\n    \"Apache-2.0 WITH LLVM-exception\",\n]\n[bans]\ndeny = [\n    # Why.\n    { crate = \"openssl-sys\", reason = \"rustls\" },\n]\n";

    fn policy() -> Policy {
        Policy::read(DENY).unwrap()
    }

    #[test]
    fn a_licence_is_met_by_one_alternative_and_by_every_part() {
        let policy = policy();
        for met in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/MIT",
            "MIT AND Apache-2.0",
            "(GPL-3.0 OR MIT) AND Apache-2.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(policy.allows(met), "{met}");
        }
        for unmet in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "GPL-3.0 WITH LLVM-exception",
            "MIT)",
            "(MIT",
            "MIT GPL-3.0",
        ] {
            assert!(!policy.allows(unmet), "{unmet}");
        }
    }

    #[test]
    fn a_banned_crate_a_foreign_source_and_any_version_are_faults() {
        let faults = |package: Value| policy().faults_of(&package).len();
        let good = json!({ "name": "serde", "license": "MIT", "source": REGISTRY });
        assert_eq!(faults(good), 0);
        let banned = json!({ "name": "openssl-sys", "license": "MIT", "source": REGISTRY });
        assert_eq!(faults(banned), 1);
        let foreign =
            json!({ "name": "a", "license": "MIT", "source": "git+https://example.org/a" });
        assert_eq!(faults(foreign), 1);
        let wild = json!({ "name": "own", "license": "MIT", "source": null, "dependencies": [
            { "name": "any", "req": "*", "path": null },
            { "name": "sister", "req": "*", "path": "/sister" },
        ] });
        assert_eq!(faults(wild), 1);
    }
}
