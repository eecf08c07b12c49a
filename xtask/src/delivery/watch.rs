//! The rules of each side and their tests, as they are in the repository, in the hands of promtool.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use super::fault::Fault;
use super::known::EXPORTED;
use super::promtool;
use super::render::SIDES;
use super::rules::watching;
use super::tree::Tree;
use crate::paths;

/// What one side is watched by.
pub(crate) struct Watched {
    place: String,
    pub(crate) groups: Value,
    pub(crate) tests: Value,
}

impl Watched {
    /// Reads the rules and the tests of a side.
    pub(crate) fn read(root: &Path, side: &str) -> anyhow::Result<Self> {
        let place = format!("k8s/{side}/monitoring");
        let read = |name: &str| -> anyhow::Result<Value> {
            let file = root.join(&place).join(name);
            let text = fs::read_to_string(&file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            serde_saphyr::from_str(&text).with_context(|| format!("{} is no YAML", file.display()))
        };
        Ok(Self {
            groups: read("rules.yaml")?["spec"]["groups"].take(),
            tests: read("rules.test.yaml")?,
            place,
        })
    }

    /// Alerts that are not tested both ways.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        watching::test_faults(&self.place, &self.groups, &self.tests)
    }

    /// Checks the rules and runs their tests, by files in `folder`.
    pub(crate) fn check(&self, folder: &Path) -> anyhow::Result<()> {
        promtool::check_rules(&self.groups, folder)?;
        promtool::test_rules(&self.tests, folder)
    }
}

/// Lets promtool check rules, tests, the queries of dashboards and what servers export.
pub(crate) fn check(trees: &[&Tree]) -> anyhow::Result<()> {
    let work = paths::target().join("delivery/watched");
    for side in SIDES {
        Watched::read(paths::root(), side)?.check(&work.join(side))?;
    }
    let queries: Vec<_> = trees
        .iter()
        .flat_map(|tree| watching::queries(tree))
        .collect();
    promtool::check_queries(queries.iter().map(String::as_str), &work)?;
    for exported in EXPORTED {
        promtool::check_metrics(&paths::root().join(exported))?;
    }
    Ok(())
}
