//! What the manifests are held against: the servers' variables and metrics, and the documented secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context as _, bail};

use super::promql::selectors;
use crate::paths;

/// What the rest of the repository says.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// Variables of the back end, from docs/config.md, which a test keeps complete.
    pub(crate) backend: BTreeSet<String>,
    /// Variables of the front end.
    pub(crate) frontend: BTreeSet<String>,
    /// The series that servers export, with their labels.
    pub(crate) metrics: BTreeMap<String, BTreeSet<String>>,
    /// The pages of docs/runbooks.
    pub(crate) runbooks: BTreeSet<String>,
    /// Secrets and their keys, `name/key`, that docs/operations.md tells how to make.
    pub(crate) secrets: BTreeSet<String>,
}

/// What the servers and the canary export, as a test of each has it.
pub(crate) const EXPORTED: [&str; 3] = [
    "docs/metrics/backend.prom",
    "docs/metrics/frontend.prom",
    "docs/metrics/canary.prom",
];
/// Where the front end's variables are.
const FRONTEND_CONFIG: [&str; 2] = [
    "crates/chat-frontend/src/server/config.rs",
    "crates/chat-listener/src/traces/config.rs",
];

impl Known {
    /// Reads the repository.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let known = Self {
            backend: table(&file("docs/config.md")?),
            frontend: environment(
                &FRONTEND_CONFIG
                    .map(file)
                    .into_iter()
                    .collect::<Result<String, _>>()?,
            ),
            metrics: exported(
                &EXPORTED
                    .map(file)
                    .into_iter()
                    .collect::<Result<Vec<_>, _>>()?,
            ),
            runbooks: runbooks()?,
            secrets: secrets(&file("docs/operations.md")?),
        };
        for (what, found) in [
            ("variable of the back end", &known.backend),
            ("variable of the front end", &known.frontend),
            ("runbook", &known.runbooks),
            ("metric", &known.metrics.keys().cloned().collect()),
            ("documented secret", &known.secrets),
        ] {
            if found.is_empty() {
                bail!("no {what} was found where they used to be");
            }
        }
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

/// What servers export, each series with its labels, from the outlines that tests keep current.
fn exported(outlines: &[String]) -> BTreeMap<String, BTreeSet<String>> {
    let lines = outlines.iter().flat_map(|outline| outline.lines());
    let mut metrics: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for line in lines.filter(|line| !line.starts_with('#')) {
        for selector in selectors(line) {
            let labels = metrics.entry(selector.name).or_default();
            labels.extend(selector.labels);
        }
    }
    metrics
}

/// The names of the pages in docs/runbooks.
fn runbooks() -> anyhow::Result<BTreeSet<String>> {
    let place = paths::root().join("docs/runbooks");
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(&place).with_context(|| format!("cannot read {}", place.display()))? {
        names.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
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
                && known.frontend.contains("OTEL_EXPORTER_OTLP_ENDPOINT")
        );
        assert!(
            known.metrics.contains_key("chat_connections"),
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
