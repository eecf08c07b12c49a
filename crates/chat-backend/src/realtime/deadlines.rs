//! The moments at which a connection has to act by itself. They share one timer, which tokio keeps
//! in one wheel for the whole process.

use std::time::Duration;

use chat_types::close::CloseCode;
use chat_types::time::Timestamp;
use tokio::time::Instant;

use super::settings::Settings;
use crate::auth::Caller;

/// How long commands under way may hold up a close.
pub(super) const LAST_COMMANDS: Duration = Duration::from_secs(5);

/// How a connection will be closed, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaving {
    pub(super) at: Instant,
    pub(super) code: CloseCode,
    pub(super) retry_ms: u64,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Ping,
    Dead,
    AuthSoon,
    TokenExpired,
    Recheck,
    Age,
    Leave,
}

/// A connection's moments.
pub(super) struct Deadlines {
    ping: Instant,
    heard: Instant,
    dead_after: Duration,
    auth_soon: Option<Instant>,
    token_end: Option<Instant>,
    recheck: Instant,
    age: Option<Instant>,
    leaving: Option<Leaving>,
    /// When to look whether the connection can leave.
    leave: Option<Instant>,
}

impl Deadlines {
    pub(super) fn new(settings: &Settings, now: Instant) -> Self {
        Self {
            ping: now + within(settings.ping, 0.1),
            heard: now,
            dead_after: settings.dead,
            auth_soon: None,
            token_end: None,
            recheck: now + within(settings.recheck, 0.2),
            age: Some(now + within(settings.age, 0.2)),
            leaving: None,
            leave: None,
        }
    }

    /// Plans the close.
    pub(super) fn leave(&mut self, leaving: Leaving) {
        self.leave = Some(leaving.at);
        self.leaving = Some(leaving);
    }

    /// How the connection will be closed, once the moment has come.
    pub(super) fn leaving(&self, now: Instant) -> Option<Leaving> {
        self.leaving.filter(|leaving| leaving.at <= now)
    }

    /// The connection's rights are to be looked up again at `now`.
    pub(super) fn recheck_at(&mut self, now: Instant) {
        self.recheck = now;
    }

    /// The other side lives.
    pub(super) fn hear(&mut self, now: Instant) {
        self.heard = now;
    }

    /// A token was accepted at the wall clock's `clock`.
    pub(super) fn accept(&mut self, caller: &Caller, settings: &Settings, clock: Timestamp) {
        let left = Duration::from_millis(caller.expires_at.since_ms(clock));
        let end = Instant::now() + left;
        let notice = settings.auth_soon.min(left / 3);
        self.auth_soon = Some(end - notice);
        self.token_end = Some(end);
    }

    /// When the next of them is.
    pub(super) fn next(&self) -> Instant {
        let optional = [self.auth_soon, self.token_end, self.age, self.leave];
        let always = [self.ping, self.heard + self.dead_after, self.recheck];
        let all = always.into_iter().chain(optional.into_iter().flatten());
        all.min().unwrap_or(self.ping)
    }

    /// One that is due, and plans its repetition.
    pub(super) fn due(&mut self, settings: &Settings, now: Instant) -> Option<Due> {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(Some(self.heard + self.dead_after)) {
            return Some(Due::Dead);
        }
        if is_due(self.token_end) {
            return Some(Due::TokenExpired);
        }
        if is_due(self.leave) {
            // Once more when the commands under way have had their time.
            let last = self.leaving.map(|leaving| leaving.at + LAST_COMMANDS);
            self.leave = last.filter(|last| *last > now);
            return Some(Due::Leave);
        }
        if is_due(self.auth_soon) {
            self.auth_soon = None;
            return Some(Due::AuthSoon);
        }
        if is_due(self.age) {
            self.age = None;
            return Some(Due::Age);
        }
        if is_due(Some(self.ping)) {
            self.ping = now + within(settings.ping, 0.1);
            return Some(Due::Ping);
        }
        if is_due(Some(self.recheck)) {
            self.recheck = now + within(settings.recheck, 0.2);
            return Some(Due::Recheck);
        }
        None
    }

    /// How long the token is still valid.
    pub(super) fn token_left(&self, now: Instant) -> Duration {
        self.token_end.map_or(Duration::ZERO, |end| end - now)
    }
}

/// `time`, give or take a part of it, so that connections do not act in step.
fn within(time: Duration, part: f64) -> Duration {
    time.mul_f64(1.0 + part * (2.0 * rand::random::<f64>() - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_leaves_sleeps_while_its_last_commands_run() {
        let settings = Settings::default();
        let begun = Instant::now();
        let mut deadlines = Deadlines::new(&settings, begun);
        deadlines.leave(Leaving {
            at: begun + Duration::from_secs(1),
            code: CloseCode::ServiceRestart,
            retry_ms: 0,
        });
        for second in [1, 6] {
            tokio::time::sleep_until(deadlines.next()).await;
            let now = Instant::now();
            assert_eq!(now - begun, Duration::from_secs(second));
            assert_eq!(deadlines.due(&settings, now), Some(Due::Leave));
            assert_eq!(deadlines.due(&settings, now), None);
            assert!(deadlines.leaving(now).is_some());
        }
        assert!(deadlines.next() > Instant::now());
    }

    #[tokio::test(start_paused = true)]
    async fn pings_repeat_and_silence_ends_the_connection() {
        let settings = Settings::default();
        let mut deadlines = Deadlines::new(&settings, Instant::now());
        let mut pings = 0;
        loop {
            tokio::time::sleep_until(deadlines.next()).await;
            match deadlines.due(&settings, Instant::now()) {
                Some(Due::Ping) => pings += 1,
                Some(Due::Dead) => break,
                other => assert_eq!(other, Some(Due::Recheck)),
            }
        }
        assert_eq!(pings, 2, "25 s and 50 s, dead after 60 s");
    }
}
