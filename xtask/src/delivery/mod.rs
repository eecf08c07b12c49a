//! The checks of how Sarangbang is delivered and watched: manifests, Argo CD, workflows, Dockerfiles,
//! scripts, alerts, dashboards.
//!
//! Linters from elsewhere know the form; the rules here know what belongs together.

mod fault;
mod known;
mod lint;
mod promql;
mod promtool;
mod python;
mod render;
mod rules;
mod tree;
mod watch;

#[cfg(test)]
mod broken;
#[cfg(test)]
mod scripts;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::{paths, process};
use fault::{Fault, Rule};
use known::Known;
use python::Tools;
use render::{Combinations, Manifests, SIDES};
use rules::release::Images;
use rules::{release, settings, watching, workflow};
use tree::Tree;
use watch::Watched;

/// Installs what renders manifests and checks alerts, which tests need as well.
pub(crate) fn install_tools() -> anyhow::Result<()> {
    Tools::Linters.install()?;
    promtool::install()
}

/// Checks all of it.
pub(crate) fn check() -> anyhow::Result<()> {
    install_tools()?;
    Tools::Checkov.install()?;
    let work = paths::target().join("delivery");
    let manifests = Manifests::copy(paths::root(), &work.join("copy"))?;
    let rendered = Rendered::of(&manifests)?;
    let mut faults = rendered.faults(&manifests, &Known::read()?)?;
    faults.extend(repository_faults(paths::root())?);
    for fault in &faults {
        println!("{fault}");
    }
    println!(
        "{} trees rendered, {} faults by our own rules",
        rendered.all().len(),
        faults.len()
    );
    let linted = lint::run(&rendered.largest(), &work.join("rendered"));
    if !faults.is_empty() {
        bail!(
            "{} faults by our own rules are listed above; linters: {linted:?}",
            faults.len()
        );
    }
    linted
}

/// Everything that was rendered.
struct Rendered {
    overlays: Vec<Tree>,
    combinations: Combinations,
    argocd: Tree,
}

impl Rendered {
    fn of(manifests: &Manifests) -> anyhow::Result<Self> {
        Ok(Self {
            overlays: manifests.overlays()?,
            combinations: manifests.combinations()?,
            argocd: manifests.render("k8s/argocd")?,
        })
    }

    /// What is linted: between them these have every object in each of its forms.
    fn largest(&self) -> Vec<&Tree> {
        let argocd = std::iter::once(&self.argocd);
        self.overlays
            .iter()
            .chain(&self.combinations.largest)
            .chain(argocd)
            .collect()
    }

    /// What an application may bring into the cluster.
    fn delivered(&self) -> Vec<&Tree> {
        let combinations = self.combinations.largest.iter();
        self.overlays.iter().chain(combinations).collect()
    }

    fn all(&self) -> Vec<&Tree> {
        let smaller = self.combinations.smaller.iter();
        self.largest().into_iter().chain(smaller).collect()
    }

    /// The overlay of one side and stage.
    fn overlay(&self, side: &str, stage: &str) -> anyhow::Result<&Tree> {
        let name = format!("k8s/{side}/overlays/{stage}");
        let found = self.overlays.iter().find(|tree| tree.name == name);
        found.with_context(|| format!("there is no {name}"))
    }

    fn faults(&self, manifests: &Manifests, known: &Known) -> anyhow::Result<Vec<Fault>> {
        let mut faults: Vec<_> = self
            .all()
            .iter()
            .flat_map(|tree| rules::faults_of(tree, known))
            .collect();
        for overlay in &self.overlays {
            let kustomizations = manifests.kustomizations(&overlay.name)?;
            faults.extend(release::image_faults(overlay, &kustomizations));
            faults.extend(generator_faults(&kustomizations));
        }
        for stage in ["dev", "prod"] {
            let [backend, frontend] = SIDES.map(|side| self.overlay(side, stage));
            faults.extend(settings::faults_between(backend?, frontend?));
        }
        faults.extend(watching::difference_faults(self.all().into_iter()));
        faults.extend(release::application_faults(&self.argocd, &self.overlays));
        faults.extend(release::kind_faults(&self.argocd, &self.delivered()));
        Ok(faults)
    }
}

/// A generator of Secrets would need their values in the repository.
fn generator_faults(kustomizations: &[(String, Value)]) -> Vec<Fault> {
    let generating = kustomizations
        .iter()
        .filter(|(_, value)| value.get("secretGenerator").is_some());
    let says = "a secretGenerator needs values in the repository";
    generating
        .map(|(file, _)| Fault::new(Rule::SecretInGit, file, says))
        .collect()
}

/// Mistakes of the files beside the manifests.
fn repository_faults(root: &Path) -> anyhow::Result<Vec<Fault>> {
    let mut faults = Vec::new();
    for path in lint::workflows()? {
        let text = fs::read_to_string(&path)?;
        let file = path.to_string_lossy();
        faults.extend(release::action_faults(&file, &text));
        faults.extend(workflow::faults(&file, &serde_saphyr::from_str(&text)?));
    }
    for file in compose_files(root)? {
        let text = fs::read_to_string(&file)?;
        faults.extend(release::compose_faults(&file.to_string_lossy(), &text));
    }
    for side in SIDES {
        let file = format!("Dockerfile.{side}");
        let text = fs::read_to_string(root.join(&file))?;
        faults.extend(release::base_faults(&file, &text));
    }
    let dependabot = fs::read_to_string(root.join(".github/dependabot.yml"))?;
    faults.extend(release::dependabot_faults(
        &serde_saphyr::from_str(&dependabot)?,
        &image_places(root)?,
    ));
    for side in SIDES {
        faults.extend(Watched::read(root, side)?.faults());
        let paths = fs::read_to_string(root.join(".ci/paths").join(side))?;
        faults.extend(release::path_faults(
            side,
            &paths,
            &crates_of(&format!("chat-{side}"))?,
        ));
    }
    Ok(faults)
}

/// The compose files of the root.
fn compose_files(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("compose") && name.ends_with(".yaml") {
            files.push(path);
        }
    }
    Ok(files)
}

/// Where images are named: Dockerfiles and compose files in the root, and manifests with images of others.
fn image_places(root: &Path) -> anyhow::Result<BTreeSet<Images>> {
    let mut places = BTreeSet::new();
    for ecosystem in ["docker", "docker-compose"] {
        let folder = "/".to_owned();
        places.insert(Images { ecosystem, folder });
    }
    let mut folders = vec![root.join("k8s")];
    while let Some(place) = folders.pop() {
        for entry in fs::read_dir(&place)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if fs::read_to_string(&path)?.contains("image: docker.io/") {
                let folder = place.strip_prefix(root)?;
                let folder = format!("/{}", folder.to_string_lossy());
                let ecosystem = "docker";
                places.insert(Images { ecosystem, folder });
            }
        }
    }
    Ok(places)
}

/// The folders of the workspace's crates that a program is made of.
fn crates_of(package: &str) -> anyhow::Result<BTreeSet<String>> {
    let arguments = [
        "tree",
        "--package",
        package,
        "--edges",
        "normal,build",
        "--prefix",
        "none",
    ];
    let tree = process::answer("cargo", &arguments).context("`cargo tree` failed")?;
    let root = format!("({}/", paths::root().display());
    let folders = tree.lines().filter_map(|line| line.split_once(&root));
    Ok(folders
        .filter_map(|(_, rest)| Some(rest.split_once(')')?.0.to_owned()))
        .collect())
}
