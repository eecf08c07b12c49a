//! Headings with the time that has passed, so that a long build never looks stuck.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// Times a sequence of stages.
pub(crate) struct Stages {
    began: Instant,
}

impl Stages {
    /// Starts the clock.
    pub(crate) fn begin() -> Self {
        Self {
            began: Instant::now(),
        }
    }

    /// Announces a stage.
    pub(crate) fn heading(&self, title: &str) {
        let at = clock(self.began.elapsed());
        if std::io::stdout().is_terminal() {
            println!("\n\x1b[1m==> [{at}] {title}\x1b[0m");
        } else {
            println!("\n==> [{at}] {title}");
        }
    }

    /// Since the beginning.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

/// Minutes and seconds.
pub(crate) fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}
