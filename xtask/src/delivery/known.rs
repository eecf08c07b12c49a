//! What the manifests are held against: the servers' variables and metrics, and the documented secrets.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::paths;

/// What the rest of the repository says.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// Variables of the back end, from docs/config.md, which a test keeps complete.
    pub(crate) backend: BTreeSet<String>,
    /// Variables of the front end.
    pub(crate) frontend: BTreeSet<String>,
    /// Names of the back end's metrics.
    pub(crate) metrics: BTreeSet<String>,
    /// Secrets and their keys, `name/key`, that docs/operations.md tells how to make.
    pub(crate) secrets: BTreeSet<String>,
}

/// Read by the front end before its configuration is.
const FRONTEND_LOG: &str = "CHAT_LOG";

impl Known {
    /// Reads the repository.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let mut known = Self {
            backend: table(&file("docs/config.md")?),
            frontend: environment(&file("crates/chat-frontend/src/server/config.rs")?),
            metrics: metrics(&paths::root().join("crates/chat-backend/src"))?,
            secrets: secrets(&file("docs/operations.md")?),
        };
        for (what, found) in [
            ("variable of the back end", &known.backend),
            ("variable of the front end", &known.frontend),
            ("metric", &known.metrics),
            ("documented secret", &known.secrets),
        ] {
            if found.is_empty() {
                bail!("no {what} was found where they used to be");
            }
        }
        known.frontend.insert(FRONTEND_LOG.to_owned());
        Ok(known)
    }
}

/// The variables in the first column of the table.
fn table(markdown: &str) -> BTreeSet<String> {
    let rows = markdown.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| Some(row.split_once('`')?.0.to_owned()))
        .collect()
}

/// The variables in clap's attributes.
fn environment(source: &str) -> BTreeSet<String> {
    let after = source.split("env = \"").skip(1);
    after
        .filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
        .collect()
}

/// Every literal of the modules of metrics that can be a metric's name.
fn metrics(place: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(place).with_context(|| format!("cannot read {}", place.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            names.extend(metrics(&path)?);
        } else if path.to_string_lossy().contains("metrics") {
            let source = fs::read_to_string(&path)?;
            let literals = source.split('"').skip(1).step_by(2);
            names.extend(literals.filter(|text| is_metric(text)).map(str::to_owned));
        }
    }
    Ok(names)
}

fn is_metric(text: &str) -> bool {
    text.contains('_') && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

/// The secrets that the commands in a document make, each key as `name/key`.
fn secrets(markdown: &str) -> BTreeSet<String> {
    let joined = markdown.replace("\\\n", " ");
    let mut found = BTreeSet::new();
    for line in joined
        .lines()
        .filter(|line| line.contains("create secret "))
    {
        let words: Vec<_> = line.split_whitespace().collect();
        let Some(at) = words.iter().position(|word| *word == "secret") else {
            continue;
        };
        let (Some(kind), Some(name)) = (words.get(at + 1), words.get(at + 2)) else {
            continue;
        };
        if *kind == "tls" {
            found.extend(["tls.crt", "tls.key"].map(|key| format!("{name}/{key}")));
        }
        let keys = words.iter().filter_map(|word| word.strip_prefix("--from-"));
        let keys = keys.filter_map(|rest| rest.split_once('=')?.1.split_once('='));
        found.extend(keys.map(|(key, _)| format!("{name}/{}", key.trim_matches('"'))));
    }
    found
}

fn file(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(paths::root().join(path)).with_context(|| format!("cannot read {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secrets_keys_are_those_of_the_command_over_several_lines() {
        let text = "kubectl create secret generic a --namespace n \\\n  --from-literal=K=\"$(x)\" \\\n  --from-file=F=f\nkubectl create secret tls b --cert=c\n";
        let found: Vec<_> = secrets(text).into_iter().collect();
        assert_eq!(found, ["a/F", "a/K", "b/tls.crt", "b/tls.key"]);
    }

    #[test]
    fn what_the_servers_read_is_found() {
        let known = Known::read().unwrap();
        assert!(
            known.backend.contains("CHAT_DRAIN_MS")
                && !known.backend.contains("CHAT_FRONTEND_ADDR")
        );
        assert!(
            known.frontend.contains("CHAT_FRONTEND_ADDR")
                && known.frontend.contains("API_BASE_URL")
        );
        assert!(
            known.metrics.contains("chat_connections"),
            "{:?}",
            known.metrics
        );
        assert!(
            known.secrets.contains("chat-backend/SECRET_KEY"),
            "{:?}",
            known.secrets
        );
    }
}
