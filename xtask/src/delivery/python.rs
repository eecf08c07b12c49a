//! The linters, each in the one version that is checked here: two virtual environments under `target`,
//! made once for each state of the lock files.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::{paths, process, tools};

/// A virtual environment and its lock file. Checkov has many dependencies, whose versions others would
/// have to share.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tools {
    /// kubectl, kubernetes-validate, hadolint, actionlint, zizmor, yamllint.
    Linters,
    /// checkov.
    Checkov,
}

impl Tools {
    fn name(self) -> &'static str {
        match self {
            Self::Linters => "linters",
            Self::Checkov => "checkov",
        }
    }

    fn folder(self) -> PathBuf {
        paths::target().join("delivery").join(self.name())
    }

    fn lock_file(self) -> PathBuf {
        paths::root()
            .join("xtask/delivery")
            .join(self.name())
            .join("requirements.txt")
    }

    /// One of its programs.
    pub(crate) fn program(self, name: &str) -> PathBuf {
        self.folder().join("bin").join(name)
    }

    /// A command of one of its programs, from the root of the workspace.
    pub(crate) fn command(self, name: &str) -> Command {
        let mut command = Command::new(self.program(name));
        command.current_dir(paths::root()).stdin(Stdio::null());
        command
    }

    /// Installs exactly what the lock file names, unless that is done.
    pub(crate) fn install(self) -> anyhow::Result<()> {
        let lock = fs::read_to_string(self.lock_file())?;
        let installed = self.folder().join("installed.txt");
        if fs::read_to_string(&installed).is_ok_and(|text| text == lock) {
            return Ok(());
        }
        println!("installing {}", self.name());
        make_environment(&self.folder())?;
        let mut pip = self.command("python");
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        // Nothing that the file does not name, and nothing that has to be built.
        .args(["--no-deps", "--only-binary", ":all:", "--requirement"])
        .arg(self.lock_file());
        let offline = || format!("the {} cannot be installed; check the network", self.name());
        process::run(&mut pip).with_context(offline)?;
        Ok(fs::write(installed, lock)?)
    }
}

fn make_environment(folder: &PathBuf) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let make = || {
        let mut python = Command::new("python3");
        python.args(["-m", "venv"]).arg(folder).stdin(Stdio::null());
        process::run(&mut python)
    };
    // Debian has the module in a package of its own.
    make().or_else(|_| {
        tools::install("the checks of the delivery", &["python3-venv"])?;
        make()
    })
}

/// The pinned kubectl where it is installed, as in every run of `cargo xtask test`; else the machine's.
pub(crate) fn kubectl() -> PathBuf {
    let pinned = Tools::Linters.program("kubectl");
    if pinned.is_file() {
        pinned
    } else {
        PathBuf::from("kubectl")
    }
}
