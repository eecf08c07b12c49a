//! Where things lie in the workspace.

use std::path::{Path, PathBuf};

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in a folder of the workspace")
}

/// Cargo's target directory.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => root().join(directory),
        None => root().join("target"),
    }
}

/// The built client.
pub(crate) fn site() -> PathBuf {
    target().join("site")
}

/// A binary of the development profile.
pub(crate) fn binary(name: &str) -> PathBuf {
    binary_of(name, false)
}

/// A binary of the development profile, or of the one for releases.
pub(crate) fn binary_of(name: &str, release: bool) -> PathBuf {
    let profile = if release { "release" } else { "debug" };
    target().join(profile).join(name)
}
