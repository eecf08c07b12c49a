//! Which commits run: what a release has to get on with.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::{paths, process};

/// The tag of a side that never ran.
const NONE: &str = "0000000000000000000000000000000000000000";

/// The commits whose images run. The sides are released apart, so they may differ.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Released {
    /// The back end's.
    pub(super) backend: String,
    /// The front end's.
    pub(super) frontend: String,
}

impl Released {
    /// The revision that was named; else what the overlays run; else the newest tag; else what to take
    /// as long as there is none of these.
    pub(super) fn find(against: Option<&str>, fallback: Option<&str>) -> anyhow::Result<Self> {
        if let Some(revision) = against {
            return Self::both(revision);
        }
        if let Some(released) = Self::of_overlays(paths::root())? {
            return Ok(released);
        }
        if let Some(tag) = process::answer("git", &["describe", "--tags", "--abbrev=0"]) {
            return Self::both(&tag);
        }
        match fallback {
            Some(revision) => Self::both(revision),
            None => bail!(
                "nothing runs yet: the overlays of production name the commit of forty zeros, and there is no tag; name a commit with `--against`"
            ),
        }
    }

    fn both(revision: &str) -> anyhow::Result<Self> {
        let commit = commit(revision)?;
        Ok(Self {
            backend: commit.clone(),
            frontend: commit,
        })
    }

    /// What the overlays run. A side that never ran is taken to be released with the other one.
    fn of_overlays(root: &Path) -> anyhow::Result<Option<Self>> {
        let (backend, frontend) = (running(root, "backend")?, running(root, "frontend")?);
        let Some(backend) = backend.clone().or_else(|| frontend.clone()) else {
            return Ok(None);
        };
        Ok(Some(Self {
            frontend: commit(&frontend.unwrap_or_else(|| backend.clone()))?,
            backend: commit(&backend)?,
        }))
    }

    /// The commits without repetition.
    pub(super) fn commits(&self) -> Vec<&str> {
        let mut commits = vec![self.backend.as_str(), self.frontend.as_str()];
        commits.dedup();
        commits
    }

    /// Both in words.
    pub(super) fn describe(&self) -> String {
        let short = |commit: &str| commit[..12].to_owned();
        if self.backend == self.frontend {
            return short(&self.backend);
        }
        format!(
            "the back end of {} and the front end of {}",
            short(&self.backend),
            short(&self.frontend)
        )
    }
}

/// The commit that a side's overlay of production runs.
fn running(root: &Path, side: &str) -> anyhow::Result<Option<String>> {
    let file = root.join(format!(
        "k8s/{side}/overlays/prod/release/kustomization.yaml"
    ));
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let tag = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("newTag: \"")?.strip_suffix('"'))
        .with_context(|| format!("{} names no commit", file.display()))?;
    Ok((tag != NONE).then(|| tag.to_owned()))
}

fn commit(revision: &str) -> anyhow::Result<String> {
    let name = format!("{revision}^{{commit}}");
    process::answer("git", &["rev-parse", "--verify", "--quiet", &name]).with_context(|| {
        format!("there is no commit {revision} here; fetch the whole history (`git fetch --unshallow --tags`)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlays(backend: &str, frontend: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (side, tag) in [("backend", backend), ("frontend", frontend)] {
            let folder = root
                .path()
                .join(format!("k8s/{side}/overlays/prod/release"));
            fs::create_dir_all(&folder).unwrap();
            let text = format!("images:\n  - name: chat-{side}\n    newTag: \"{tag}\"\n");
            fs::write(folder.join("kustomization.yaml"), text).unwrap();
        }
        root
    }

    #[test]
    fn nothing_runs_before_the_first_release() {
        let root = overlays(NONE, NONE);
        assert_eq!(Released::of_overlays(root.path()).unwrap(), None);
    }

    #[test]
    fn a_side_that_never_ran_is_released_with_the_other() {
        let head = commit("HEAD").unwrap();
        let root = overlays(NONE, &head);
        let released = Released::of_overlays(root.path()).unwrap().unwrap();
        assert_eq!(released.commits(), [&head]);
    }

    #[test]
    fn an_unknown_commit_is_asked_for_in_words() {
        let root = overlays(&"1".repeat(40), NONE);
        let error = Released::of_overlays(root.path()).unwrap_err().to_string();
        assert!(error.contains("fetch the whole history"), "{error}");
    }

    #[test]
    fn what_is_named_goes_before_what_runs() {
        let head = commit("HEAD").unwrap();
        let released = Released::find(Some("HEAD"), None).unwrap();
        assert_eq!(released.describe(), head[..12]);
    }
}
