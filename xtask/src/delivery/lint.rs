//! The linters from elsewhere: each runs over all that it is about, and none has a blanket exception.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use super::python::Tools;
use super::tree::Tree;
use super::watch;
use crate::{paths, process, servers};

/// The oldest and the newest Kubernetes that the manifests are for.
const KUBERNETES: [&str; 2] = ["1.32", "1.37"];
/// Kinds that a cluster has only with what defines them; no schema of Kubernetes knows them.
const DEFINED_ELSEWHERE: [&str; 10] = [
    "AppProject with api version argoproj.io/v1alpha1",
    "Application with api version argoproj.io/v1alpha1",
    "GCPBackendPolicy with api version networking.gke.io/v1",
    "Gateway with api version gateway.networking.k8s.io/v1",
    "HTTPRoute with api version gateway.networking.k8s.io/v1",
    "HealthCheckPolicy with api version networking.gke.io/v1",
    "PodMonitor with api version monitoring.coreos.com/v1",
    "PodMonitoring with api version monitoring.googleapis.com/v1",
    "PrometheusRule with api version monitoring.coreos.com/v1",
    "Rules with api version monitoring.googleapis.com/v1",
];

/// Runs every linter; `folder` takes the rendered trees.
pub(crate) fn run(trees: &[&Tree], folder: &Path) -> anyhow::Result<()> {
    let rendered = write(trees, folder)?;
    let mut failed = Vec::new();
    for (name, outcome) in [
        ("yamllint", yamllint()),
        ("kubernetes-validate", kubernetes_validate(&rendered)),
        ("checkov", checkov(folder)),
        ("hadolint", hadolint()),
        ("actionlint", actionlint()),
        ("zizmor", zizmor()),
        ("shellcheck", shellcheck()),
        ("promtool", watch::check(trees)),
    ] {
        match outcome {
            Ok(()) => println!("{name}: nothing to say"),
            Err(error) => failed.push(format!("{name}: {error:#}")),
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!("{}", failed.join("\n"))
}

fn write(trees: &[&Tree], folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let file = |tree: &Tree| {
        folder
            .join(tree.name.replace('/', "-"))
            .with_extension("yaml")
    };
    for tree in trees {
        fs::write(file(tree), &tree.text)?;
    }
    Ok(trees.iter().map(|tree| file(tree)).collect())
}

fn yamllint() -> anyhow::Result<()> {
    let mut lint = Tools::Linters.command("yamllint");
    lint.args([
        "--strict",
        "--config-file",
        "xtask/delivery/yamllint.yaml",
        "k8s",
        ".github",
    ]);
    lint.args(files(".", |name| {
        name.starts_with("compose") && has_extension(name, "yaml")
    })?);
    process::run(&mut lint)
}

/// Fields, their types, and versions of the API that a cluster does not have any more: for those there
/// is no schema, which is only right for what is defined elsewhere.
fn kubernetes_validate(rendered: &[PathBuf]) -> anyhow::Result<()> {
    for version in KUBERNETES {
        let mut validate = Tools::Linters.command("kubernetes-validate");
        validate
            .args(["--strict", "--kubernetes-version", version])
            .args(rendered);
        let output = validate
            .output()
            .context("kubernetes-validate cannot be started")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let faults: Vec<_> = said.lines().filter(|line| !is_harmless(line)).collect();
        if !output.status.success() || !faults.is_empty() {
            bail!(
                "for {version}: {}\n{}",
                faults.join("\n"),
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
    Ok(())
}

fn is_harmless(line: &str) -> bool {
    line.starts_with("INFO")
        || DEFINED_ELSEWHERE
            .iter()
            .any(|kind| line.contains(&format!("kind {kind} ")))
}

fn checkov(rendered: &Path) -> anyhow::Result<()> {
    let config = paths::root().join("xtask/delivery/checkov/config.yaml");
    let mut check = Tools::Checkov.command("checkov");
    check
        .args(["--framework", "kubernetes", "--directory"])
        .arg(rendered);
    process::run(check.arg("--config-file").arg(&config))?;
    for file in dockerfiles()? {
        let mut check = Tools::Checkov.command("checkov");
        check
            .args(["--framework", "dockerfile", "--file"])
            .arg(file);
        process::run(check.arg("--config-file").arg(&config))?;
    }
    Ok(())
}

fn hadolint() -> anyhow::Result<()> {
    let files = dockerfiles()?;
    if files.is_empty() {
        return Ok(());
    }
    process::run(Tools::Linters.command("hadolint").args(files))
}

fn actionlint() -> anyhow::Result<()> {
    process::run(Tools::Linters.command("actionlint").args(workflows()?))
}

fn zizmor() -> anyhow::Result<()> {
    let mut lint = Tools::Linters.command("zizmor");
    process::run(lint.args([
        "--offline",
        "--no-progress",
        "--quiet",
        "--persona",
        "pedantic",
        ".github",
    ]))
}

fn shellcheck() -> anyhow::Result<()> {
    servers::install_program("shellcheck", "the checks of the delivery")?;
    let mut check = Command::new("shellcheck");
    check
        .current_dir(paths::root())
        .args(files(".ci", |_| true)?);
    if paths::root().join("images").is_dir() {
        check.args(files("images", |name| has_extension(name, "sh"))?);
    }
    process::run(&mut check)
}

fn dockerfiles() -> anyhow::Result<Vec<PathBuf>> {
    files(".", |name| {
        name.starts_with("Dockerfile.") && !has_extension(name, "dockerignore")
    })
}

/// The workflows.
pub(crate) fn workflows() -> anyhow::Result<Vec<PathBuf>> {
    files(".github/workflows", |_| true)
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|own| own == extension)
}

/// The files of one folder of the workspace that a test of their name takes, in order.
fn files(folder: &str, takes: fn(&str) -> bool) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in
        fs::read_dir(paths::root().join(folder)).with_context(|| format!("cannot read {folder}"))?
    {
        let entry = entry?;
        if entry.file_type()?.is_file() && takes(&entry.file_name().to_string_lossy()) {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}
