//! The life of the process: what runs, when it stops taking work, and in which order it ends.
//!
//! The phases after SIGTERM: *not ready* (the load balancer looks away), *drain* (no new
//! connections; every socket is told when to come back and closed at its own moment of the
//! window), then everything tracked has ended or the grace period is over.

use std::time::Duration;

use chat_listener::Running;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::realtime::Hub;

/// How the process ends.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Between "not ready" and the end of accepting: the time a load balancer needs to notice.
    pub delay: Duration,
    /// Over which the sockets are closed, each at a random moment.
    pub window: Duration,
    /// After the window, for what is still under way.
    pub grace: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            window: Duration::from_secs(10),
            grace: Duration::from_secs(10),
        }
    }
}

/// The process's phase and everything that runs in it. Clones share one life.
#[derive(Clone, Default)]
pub struct Lifecycle {
    not_ready: CancellationToken,
    ended: CancellationToken,
    running: Running,
}

impl Lifecycle {
    /// A process that is ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a load balancer should send connections here.
    pub fn is_ready(&self) -> bool {
        !self.not_ready.is_cancelled()
    }

    /// Whether the public listener has stopped accepting.
    pub fn is_draining(&self) -> bool {
        self.running.draining.is_cancelled()
    }

    /// Returns when accepting must end.
    pub async fn draining(&self) {
        self.running.draining.cancelled().await;
    }

    /// Returns when every background task must end.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Where every task of the process is spawned.
    pub fn tasks(&self) -> &TaskTracker {
        &self.running.tasks
    }

    /// Where the public port's connections run and how they are told to end.
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// Where the connections of what serves until every background task must end run.
    pub fn to_the_end(&self) -> Running {
        Running {
            tasks: self.tasks().clone(),
            draining: self.ended.clone(),
        }
    }

    /// Runs `work` to its end even if the caller is dropped meanwhile: a client that hangs up must
    /// not cut a commit from its publication.
    ///
    /// # Panics
    /// When `work` panics, with the same payload.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        match self.tasks().spawn(work).await {
            Ok(output) => output,
            Err(error) => match error.try_into_panic() {
                Ok(payload) => std::panic::resume_unwind(payload),
                Err(_) => unreachable!("tracked tasks are never aborted"),
            },
        }
    }

    /// Ends the process's work in order; returns whether all of it ended within the time.
    pub async fn shut_down(&self, hub: &Hub, settings: &Settings) -> bool {
        self.not_ready.cancel();
        tokio::time::sleep(settings.delay).await;
        let deadline = Instant::now() + settings.window + settings.grace;
        self.running.draining.cancel();
        hub.drain(settings.window);
        let sockets_closed = timeout_at(deadline, hub.all_closed()).await.is_ok();
        self.ended.cancel();
        self.tasks().close();
        let tasks_ended = timeout_at(deadline, self.tasks().wait()).await.is_ok();
        sockets_closed && tasks_ended
    }
}

/// Returns at the first SIGTERM or SIGINT.
///
/// # Errors
/// When the signal handlers cannot be installed.
pub async fn signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
