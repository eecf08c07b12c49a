//! Why a server is not there, each a sentence for the person who runs the tests.

use std::io;
use std::path::PathBuf;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is not on this machine.
    #[error("{program} is not installed; {install}")]
    Missing {
        /// Which one.
        program: &'static str,
        /// What to do about it.
        install: &'static str,
    },
    /// A program cannot be started, or a file not be made.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// A server ended, or did not become ready.
    #[error("{name} {what}; the end of its log {log}:\n{tail}")]
    Server {
        /// Which server.
        name: &'static str,
        /// What it did.
        what: &'static str,
        /// Where it logs.
        log: PathBuf,
        /// What it said last.
        tail: String,
    },
    /// A program that was run to completion refused.
    #[error("`{command}` failed: {said}")]
    Refused {
        /// What was run.
        command: String,
        /// What it said.
        said: String,
    },
}

impl Error {
    /// Makes an error of the system say what was tried.
    pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }
}
