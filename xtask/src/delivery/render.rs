//! Rendering: every overlay, Argo CD's objects, and every combination of components.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::python;
use super::tree::Tree;

/// The sides, each with a folder.
pub(crate) const SIDES: [&str; 2] = ["backend", "frontend"];
/// Components of which an installation has one at most.
const EXCLUSIVE: [[&str; 2]; 1] = [["monitoring-operator", "monitoring-gke"]];
/// Components, and which other one each of them is beside.
const BESIDE: [[&str; 2]; 2] = [["gateway", "tls"], ["gateway-only", "gateway"]];

/// A copy of `k8s/`, in which combinations can be written and mistakes be made.
#[derive(Debug)]
pub(crate) struct Manifests {
    folder: PathBuf,
}

/// The rendered combinations.
#[derive(Debug)]
pub(crate) struct Combinations {
    /// Those that are part of no other.
    pub(crate) largest: Vec<Tree>,
    /// The others.
    pub(crate) smaller: Vec<Tree>,
}

impl Manifests {
    /// Copies `k8s/` of a repository into a folder, anew.
    pub(crate) fn copy(repository: &Path, folder: &Path) -> anyhow::Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        copy_folder(&repository.join("k8s"), &folder.join("k8s"))?;
        let folder = folder.to_owned();
        Ok(Self { folder })
    }

    /// Renders one kustomization, named by its folder, such as `k8s/argocd`.
    pub(crate) fn render(&self, name: &str) -> anyhow::Result<Tree> {
        let mut kubectl = Command::new(python::kubectl());
        kubectl
            .arg("kustomize")
            .arg(self.folder.join(name))
            .stdin(Stdio::null());
        let output = kubectl
            .output()
            .context("kubectl cannot be started; install it")?;
        if !output.status.success() {
            bail!(
                "{name} cannot be rendered: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Tree::parse(name, &String::from_utf8(output.stdout)?)
    }

    /// Renders every overlay.
    pub(crate) fn overlays(&self) -> anyhow::Result<Vec<Tree>> {
        let mut trees = Vec::new();
        for side in SIDES {
            let overlays = format!("k8s/{side}/overlays");
            for name in folders(&self.folder.join(&overlays))? {
                trees.push(self.render(&format!("{overlays}/{name}"))?);
            }
        }
        Ok(trees)
    }

    /// Renders the base with each combination of components that can be installed: the largest ones,
    /// which have every component between them, and the others.
    pub(crate) fn combinations(&self) -> anyhow::Result<Combinations> {
        let (mut largest, mut smaller) = (Vec::new(), Vec::new());
        for side in SIDES {
            let components = folders(&self.folder.join(format!("k8s/{side}/components")))?;
            let sets = combinations(&components);
            for set in &sets {
                let is_part = |other: &Vec<&str>| other.len() > set.len() && is_within(set, other);
                let to = if sets.iter().any(is_part) {
                    &mut smaller
                } else {
                    &mut largest
                };
                to.push(self.combination(side, set)?);
            }
        }
        Ok(Combinations { largest, smaller })
    }

    fn combination(&self, side: &str, components: &[&str]) -> anyhow::Result<Tree> {
        let name = format!("k8s/{side}/base+{}", components.join("+"));
        let folder = self.folder.join(&name);
        fs::create_dir_all(&folder)?;
        let listed = components
            .iter()
            .map(|name| format!("../components/{name}"));
        let kustomization = serde_json::json!({
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": "sarangbang",
            "resources": ["../base"],
            "components": listed.collect::<Vec<_>>(),
            "images": [{ "name": format!("chat-{side}"), "newTag": "any" }],
        });
        fs::write(folder.join("kustomization.yaml"), kustomization.to_string())?;
        self.render(&name)
    }

    /// The kustomizations of an overlay's own, by their files.
    pub(crate) fn kustomizations(&self, overlay: &str) -> anyhow::Result<Vec<(String, Value)>> {
        let places = [overlay.to_owned(), format!("{overlay}/release")];
        let files = places.map(|place| format!("{place}/kustomization.yaml"));
        let there = files
            .into_iter()
            .filter(|file| self.folder.join(file).is_file());
        there
            .map(|file| {
                let text = fs::read_to_string(self.folder.join(&file))?;
                let value =
                    serde_saphyr::from_str(&text).with_context(|| format!("{file} is no YAML"))?;
                Ok((file, value))
            })
            .collect()
    }
}

/// Every set of components without two that exclude each other, and with what each of them needs.
fn combinations(components: &[String]) -> Vec<Vec<&str>> {
    let mut sets = vec![Vec::new()];
    for component in components {
        let with = sets
            .iter()
            .map(|set: &Vec<&str>| [&set[..], &[component.as_str()]].concat());
        let with: Vec<_> = with.filter(|set| is_possible(set)).collect();
        sets.extend(with);
    }
    sets.retain(|set| is_complete(set));
    sets
}

fn is_within(set: &[&str], other: &[&str]) -> bool {
    set.iter().all(|component| other.contains(component))
}

fn is_possible(set: &[&str]) -> bool {
    !EXCLUSIVE
        .iter()
        .any(|pair| pair.iter().all(|component| set.contains(component)))
}

fn is_complete(set: &[&str]) -> bool {
    let lacks = |[one, other]: &[&str; 2]| set.contains(one) && !set.contains(other);
    !BESIDE.iter().any(lacks)
}

fn folders(place: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(place).with_context(|| format!("cannot read {}", place.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_leave_out_what_excludes_each_other() {
        let names = ["monitoring-gke", "monitoring-operator", "nats"].map(str::to_owned);
        let sets = combinations(&names);
        assert_eq!(sets.len(), 6, "{sets:?}");
        let both = |set: &Vec<&str>| is_within(&["monitoring-gke", "monitoring-operator"], set);
        assert!(!sets.iter().any(both), "{sets:?}");
    }

    #[test]
    fn combinations_have_what_each_component_needs() {
        let names = ["gateway", "gateway-only", "tls"].map(str::to_owned);
        let sets = combinations(&names);
        let expected: [&[&str]; 4] = [
            &[],
            &["tls"],
            &["gateway", "tls"],
            &["gateway", "gateway-only", "tls"],
        ];
        assert_eq!(sets.len(), expected.len(), "{sets:?}");
        assert!(
            expected.iter().all(|set| sets.contains(&set.to_vec())),
            "{sets:?}"
        );
    }
}
