//! The released code, checked out and built beside today's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::{paths, process, run};

/// Where everything of the check lies.
pub(super) fn folder() -> PathBuf {
    paths::target().join("release-check")
}

/// Where everything of the check is built. A target directory of its own: cargo names what it builds of
/// a workspace by the path within it, so in today's the released crates would pass for today's.
pub(super) fn target() -> PathBuf {
    folder().join("target")
}

/// The workspace as it was released. There is one folder for it, so that the next release builds only
/// what it changed.
pub(super) struct Before {
    folder: PathBuf,
}

impl Before {
    /// Checks a commit out.
    pub(super) fn at(commit: &str) -> anyhow::Result<Self> {
        let before = Self {
            folder: folder().join("before"),
        };
        let shown = before.folder.to_string_lossy().into_owned();
        if before.folder.join(".git").is_file() {
            git(&["-C", &shown, "checkout", "--quiet", "--force", commit])?;
            git(&["-C", &shown, "clean", "--quiet", "--force", "-d"])?;
        } else {
            git(&["worktree", "prune"])?;
            git(&[
                "worktree", "add", "--quiet", "--force", "--detach", &shown, commit,
            ])?;
        }
        Ok(before)
    }

    /// The root of the workspace.
    pub(super) fn root(&self) -> &Path {
        &self.folder
    }

    /// Cargo of the toolchain that the release names.
    pub(super) fn cargo(&self) -> Command {
        let mut cargo = Command::new("cargo");
        cargo
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .env_remove("RUSTUP_TOOLCHAIN")
            .env_remove("CARGO")
            .env("CARGO_TARGET_DIR", target());
        cargo
    }

    /// The released back end.
    pub(super) fn back_end(&self) -> anyhow::Result<PathBuf> {
        self.build_servers()?;
        Ok(target().join("debug/chat-backend"))
    }

    /// The released front end: its server, and what it gives to browsers.
    pub(super) fn front_end(&self) -> anyhow::Result<(PathBuf, PathBuf)> {
        self.build_servers()?;
        process::run(self.cargo().args(["xtask", "build"]))
            .context("the released web client cannot be built")?;
        Ok((target().join("debug/chat-frontend"), target().join("site")))
    }

    /// Builds both servers as the release's own tests did, so that what one part has built another one
    /// finds.
    fn build_servers(&self) -> anyhow::Result<()> {
        let mut build = self.cargo();
        build
            .arg("build")
            .args(process::PRODUCT)
            .args(["--bins", "--example", run::ECHO]);
        process::run(&mut build).context("the released servers cannot be built")
    }
}

/// Runs git in today's workspace.
fn git(arguments: &[&str]) -> anyhow::Result<()> {
    let mut git = Command::new("git");
    git.current_dir(paths::root()).args(arguments);
    process::run(&mut git)
}

/// Puts the files of a folder in the place of those of another.
pub(super) fn replace(old: &Path, new: &Path) -> anyhow::Result<()> {
    if old.exists() {
        fs::remove_dir_all(old).with_context(|| format!("cannot empty {}", old.display()))?;
    }
    fs::create_dir_all(old)?;
    for entry in fs::read_dir(new).with_context(|| format!("cannot read {}", new.display()))? {
        let file = entry?;
        fs::copy(file.path(), old.join(file.file_name()))?;
    }
    Ok(())
}
