//! Which commits run: what a release has to get on with.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, bail};

use crate::{paths, process};

/// The commits whose images run. The sides are released apart, so they may differ.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Released {
    /// The back end's.
    pub(super) backend: String,
    /// The front end's.
    pub(super) frontend: String,
}

impl Released {
    /// The revision that was named; else what the branch `release` says; else the newest tag; else, as long as
    /// there is none of these, what HEAD has in common with the fallback: that one runs nowhere, so that HEAD
    /// may lack some of it.
    pub(super) fn find(against: Option<&str>, fallback: Option<&str>) -> anyhow::Result<Self> {
        if let Some(revision) = against {
            return Self::both(revision);
        }
        if let Some(released) = Self::of_sides(running("backend")?, running("frontend")?)? {
            return Ok(released);
        }
        if let Some(tag) = process::answer("git", &["describe", "--tags", "--abbrev=0"]) {
            return Self::both(&tag);
        }
        match fallback {
            Some(revision) => Self::both(&in_common(paths::root(), revision)?),
            None => bail!(
                "nothing was released yet: there is no branch `origin/release`, and no tag; name a commit with `--against`"
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

    /// A side that never ran is taken to be released with the other one.
    fn of_sides(backend: Option<String>, frontend: Option<String>) -> anyhow::Result<Option<Self>> {
        let Some(backend) = backend.or_else(|| frontend.clone()) else {
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

    /// The commit that runs though it is later than HEAD. CI releases nothing of HEAD then, for either side:
    /// see `.ci/bump`.
    pub(super) fn overtaking(&self) -> anyhow::Result<Option<&str>> {
        for commit in self.commits() {
            match Order::of(paths::root(), commit, "HEAD")? {
                Order::Earlier => {}
                Order::Later => return Ok(Some(commit)),
                Order::Apart => {
                    bail!(
                        "{commit} runs and is no part of this branch: merge it, or rebase onto it"
                    )
                }
            }
        }
        Ok(None)
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

/// How a commit stands to another one in the history.
#[derive(Debug, PartialEq, Eq)]
enum Order {
    /// It is a part of the other one, or that one itself.
    Earlier,
    /// The other one is a part of it.
    Later,
    /// Each has something that the other one has not.
    Apart,
}

impl Order {
    fn of(repository: &Path, commit: &str, other: &str) -> anyhow::Result<Self> {
        let holds = |whole: &str, part: &str| {
            let said = merge_base(repository, &["--is-ancestor", part, whole])?;
            anyhow::Ok(said.status.success())
        };
        Ok(if holds(other, commit)? {
            Self::Earlier
        } else if holds(commit, other)? {
            Self::Later
        } else {
            Self::Apart
        })
    }
}

/// The newest commit that a revision and HEAD share.
fn in_common(repository: &Path, revision: &str) -> anyhow::Result<String> {
    let said = merge_base(repository, &[revision, "HEAD"])?;
    if !said.status.success() {
        bail!("{revision} and this branch have no commit in common");
    }
    Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
}

/// What git says of two commits. It says no with the exit code 1; with another one it does not know.
fn merge_base(repository: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
    let said = Command::new("git")
        .arg("-C")
        .arg(repository)
        .arg("merge-base")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .context("cannot start git")?;
    if !matches!(said.status.code(), Some(0 | 1)) {
        bail!(
            "`git merge-base {}` failed: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&said.stderr).trim()
        );
    }
    Ok(said)
}

/// The newest commit that a side ran, as the script of CI tells it.
fn running(side: &str) -> anyhow::Result<Option<String>> {
    let told = process::answer(".ci/released", &[side])
        .with_context(|| format!("`.ci/released {side}` fails"))?;
    Ok((!told.is_empty()).then_some(told))
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

    #[test]
    fn nothing_runs_before_the_first_release() {
        assert_eq!(Released::of_sides(None, None).unwrap(), None);
    }

    #[test]
    fn a_side_that_never_ran_is_released_with_the_other() {
        let head = commit("HEAD").unwrap();
        let released = Released::of_sides(None, Some(head.clone())).unwrap();
        assert_eq!(released.unwrap().commits(), [&head]);
    }

    #[test]
    fn an_unknown_commit_is_asked_for_in_words() {
        let error = Released::of_sides(Some("1".repeat(40)), None).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("fetch the whole history"), "{error}");
    }

    /// A repository without files.
    struct Repository(tempfile::TempDir);

    impl Repository {
        fn begin() -> Self {
            let repository = Self(tempfile::tempdir().unwrap());
            repository.git(&["init", "--quiet"]);
            repository
        }

        fn git(&self, arguments: &[&str]) -> String {
            let folder = self.0.path().to_string_lossy();
            let person = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
            let whole = [&["-C", &*folder], &person[..], arguments].concat();
            process::answer("git", &whole).unwrap()
        }

        fn commit(&self, parents: &[&str], message: &str) -> String {
            let tree = self.git(&["write-tree"]);
            let parents = parents.iter().flat_map(|parent| ["-p", *parent]);
            let commit = ["commit-tree", &*tree, "-m", message].into_iter();
            self.git(&commit.chain(parents).collect::<Vec<_>>())
        }

        fn order(&self, commit: &str, other: &str) -> anyhow::Result<Order> {
            Order::of(self.0.path(), commit, other)
        }
    }

    #[test]
    fn what_runs_is_earlier_later_or_of_another_history() {
        let repository = Repository::begin();
        let first = repository.commit(&[], "first");
        let second = repository.commit(&[&first], "second");
        let sibling = repository.commit(&[&first], "sibling");
        let order = |commit, other| repository.order(commit, other).unwrap();
        assert_eq!(order(&first, &second), Order::Earlier);
        assert_eq!(order(&first, &first), Order::Earlier);
        assert_eq!(order(&second, &first), Order::Later);
        assert_eq!(order(&sibling, &second), Order::Apart);
    }

    #[test]
    fn what_git_does_not_know_is_of_no_history_and_said_in_its_words() {
        let repository = Repository::begin();
        let first = repository.commit(&[], "first");
        let unknown = "1".repeat(40);
        let error = repository.order(&unknown, &first).unwrap_err();
        let error = error.to_string();
        let (_, words) = error.split_once("failed: ").unwrap();
        assert!(words.contains(&unknown), "{error}");
    }

    #[test]
    fn while_nothing_is_released_a_branch_is_compared_with_what_it_began_with() {
        let repository = Repository::begin();
        let root = repository.0.path();
        let first = repository.commit(&[], "first");
        let below = repository.commit(&[&first], "what this one is stacked on, rewritten since");
        let head = repository.commit(&[&first], "change");
        let stranger = repository.commit(&[], "another beginning");
        repository.git(&["update-ref", "HEAD", &head]);
        assert_eq!(in_common(root, &below).unwrap(), first);
        assert_eq!(in_common(root, &first).unwrap(), first);
        let error = in_common(root, &stranger).unwrap_err().to_string();
        assert!(error.contains("no commit in common"), "{error}");
        assert!(in_common(root, "a-branch-that-is-not-there").is_err());
    }

    #[test]
    fn what_is_named_goes_before_what_runs() {
        let head = commit("HEAD").unwrap();
        let released = Released::find(Some("HEAD"), None).unwrap();
        assert_eq!(released.describe(), head[..12]);
    }
}
