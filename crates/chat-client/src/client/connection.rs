//! Getting connected and staying so: back-off, heartbeat, probes, going idle, stopping.

use chat_types::close::{CloseCode, Verdict, retry_ms, verdict};
use chat_types::id::RequestId;
use chat_types::time::Timestamp;
use chat_types::ws::{Command, Welcome};

use super::{Client, Request};
use crate::effect::{ConnectionState, Effect, Notice, StopReason};
use crate::frames::Frames;
use crate::input::ConnId;

/// The first back-off is a random time up to this; each one after it may be twice as long.
const BACKOFF_BASE_MS: u64 = 500;
/// No back-off is longer.
const BACKOFF_CAP_MS: u64 = 30_000;
/// Who loses a healthy connection with something unanswered waits a random time up to this before the
/// first attempt. The rest of a crowd is as spread as ever, and those few come before it.
const UNANSWERED_BACKOFF_MS: u64 = 100;
/// A connection that lived so long ends the series of failures.
const HEALTHY_MS: u64 = 60_000;
/// Opening a socket and being greeted on it take at most this, each.
const OPEN_MS: u64 = 10_000;
/// A probe is answered within this, or the socket is dead.
const PROBE_MS: u64 = 2_000;
/// A request without an answer, and a server that says nothing at all for so long: it is probed.
const DOUBT_MS: u64 = 4_000;
/// A request is answered within this, or the connection is not worth keeping.
const ANSWER_MS: u64 = 30_000;
/// Impatience (focus, a click, something unanswered) does not make two attempts closer than this.
const IMPATIENT_MS: u64 = 1_000;
/// Hidden for so long: no ephemeral events.
const IDLE_MS: u64 = 60_000;
/// Hidden for so long: no connection.
const PAUSE_MS: u64 = 15 * 60_000;

/// Where the connection stands.
pub(super) enum Link {
    Stopped(StopReason),
    Paused,
    /// Backing off.
    Waiting {
        until: Timestamp,
    },
    /// Due, but there is no valid token to greet with.
    NeedsToken,
    Opening {
        conn: ConnId,
        until: Timestamp,
    },
    Greeting {
        conn: ConnId,
        until: Timestamp,
    },
    Online(Online),
}

/// A connection that was greeted.
pub(super) struct Online {
    pub(super) conn: ConnId,
    since: Timestamp,
    /// When the server was last heard.
    heard_at: Timestamp,
    /// After how long a silence the connection counts as dead.
    silence_ms: u64,
    probe_until: Option<Timestamp>,
    /// Whether the server knows the user here.
    pub(super) authorised: bool,
    idle: bool,
    /// When the server said to come back after it closes.
    come_back_ms: Option<u64>,
}

impl Link {
    /// The socket on which documents leave.
    pub(super) fn conn(&self) -> Option<ConnId> {
        match self {
            Self::Greeting { conn, .. } => Some(*conn),
            Self::Online(online) => Some(online.conn),
            _ => None,
        }
    }

    /// The socket that exists, open or not yet.
    fn socket(&self) -> Option<ConnId> {
        match self {
            Self::Opening { conn, .. } => Some(*conn),
            _ => self.conn(),
        }
    }
}

/// What spreads and slows the attempts.
#[derive(Default)]
pub(super) struct Reconnect {
    next_conn: u64,
    /// Attempts since the last healthy connection.
    attempts: u32,
    /// The server asked not to come back earlier.
    not_before: Timestamp,
    tried_at: Timestamp,
    /// When the connection was lost; `None` before the first loss, and while online.
    lost_since: Option<Timestamp>,
}

impl Client {
    pub(super) fn start(&mut self, now: Timestamp) {
        if matches!(self.link, Link::Stopped(_) | Link::Paused) {
            self.reconnect.lost_since = None;
            self.connect(now);
        }
    }

    pub(super) fn connect(&mut self, now: Timestamp) {
        if self.needs_token(now) {
            self.link = Link::NeedsToken;
            self.ask_refresh(now);
            return;
        }
        self.reconnect.next_conn += 1;
        self.reconnect.tried_at = now;
        let conn = ConnId(self.reconnect.next_conn);
        let until = now.plus_ms(OPEN_MS);
        self.link = Link::Opening { conn, until };
        self.effects.push_back(Effect::Connect { conn });
    }

    pub(super) fn opened(&mut self, now: Timestamp, conn: ConnId) {
        if !matches!(self.link, Link::Opening { conn: opening, .. } if opening == conn) {
            return;
        }
        let until = now.plus_ms(OPEN_MS);
        self.link = Link::Greeting { conn, until };
        self.frames = Frames::new(now);
        let token = self.auth.token();
        let client = self.info.clone();
        self.ask(now, Request::Hello, |id| Command::Hello {
            id,
            token,
            caps: Vec::new(),
            client,
        });
        self.subscribe_with_greeting(now);
    }

    pub(super) fn welcomed(&mut self, now: Timestamp, welcome: Welcome) {
        let Link::Greeting { conn, .. } = self.link else {
            return;
        };
        self.link = Link::Online(Online {
            conn,
            since: now,
            heard_at: now,
            // 2.4 intervals, as `Welcome::ping_interval_ms` promises.
            silence_ms: welcome.ping_interval_ms.saturating_mul(12) / 5,
            probe_until: None,
            authorised: welcome.user.is_some(),
            idle: false,
            come_back_ms: None,
        });
        self.reconnect.lost_since = None;
        self.frames.obey(&welcome.limits);
        self.outbox.obey(&welcome.limits);
        if older(&self.info.build, &welcome.oldest_client) {
            self.notify(Notice::UpgradeNeeded);
        }
        self.identified(now, welcome.user);
        self.subscribe_all(now);
        self.resend_commands();
    }

    /// The server refused the greeting.
    pub(super) fn hello_refused(&mut self, now: Timestamp, error: &chat_types::ws::Err) {
        use chat_types::problem::ErrorCode::{TokenExpired, Unauthorized};
        if matches!(error.code, TokenExpired | Unauthorized) {
            self.auth.token_ended();
        }
        self.drop_connection(now, error.retry_after_ms);
    }

    /// Something arrived: the server lives.
    pub(super) fn heard(&mut self, now: Timestamp) {
        if let Link::Online(online) = &mut self.link {
            online.heard_at = now;
            online.probe_until = None;
        }
    }

    pub(super) fn going_away(&mut self, retry_ms: u64) {
        if let Link::Online(online) = &mut self.link {
            online.come_back_ms = Some(retry_ms);
        }
    }

    pub(super) fn closed(&mut self, now: Timestamp, conn: ConnId, code: u16, reason: &str) {
        if self.link.socket() != Some(conn) {
            return;
        }
        if verdict(code) == Verdict::Stop {
            self.lose(now);
            self.stop(code);
            return;
        }
        if code == CloseCode::TokenExpired.code() {
            self.auth.token_ended();
        }
        self.lose_and_wait(now, retry_ms(reason));
    }

    /// Gives the socket up and comes back later.
    pub(super) fn drop_connection(&mut self, now: Timestamp, retry_ms: Option<u64>) {
        self.hang_up();
        self.lose_and_wait(now, retry_ms);
    }

    /// Gives the socket up and connects anew at once, for another user.
    pub(super) fn reconnect_at_once(&mut self, now: Timestamp) {
        match self.link {
            Link::Opening { .. } | Link::Greeting { .. } | Link::Online(_) => {
                self.hang_up();
                self.lose(now);
                self.connect(now);
            }
            Link::NeedsToken => self.connect(now),
            Link::Stopped(_) | Link::Paused | Link::Waiting { .. } => {}
        }
    }

    fn hang_up(&mut self) {
        if let Some(conn) = self.link.socket() {
            let code = CloseCode::Normal.code();
            self.effects.push_back(Effect::Disconnect { conn, code });
        }
    }

    fn stop(&mut self, code: u16) {
        let reason = [
            (CloseCode::Revoked, StopReason::SignedOut),
            (CloseCode::SignedOut, StopReason::SignedOut),
            (CloseCode::Banned, StopReason::Banned),
            (
                CloseCode::UnsupportedVersion,
                StopReason::UnsupportedVersion,
            ),
            (CloseCode::OriginRefused, StopReason::OriginRefused),
        ]
        .into_iter()
        .find_map(|(known, reason)| (known.code() == code).then_some(reason))
        .unwrap_or(StopReason::Refused(code));
        self.link = Link::Stopped(reason);
        if reason == StopReason::UnsupportedVersion {
            self.notify(Notice::UpgradeNeeded);
        }
    }

    /// Everything that was asked on the connection is open again.
    fn lose(&mut self, now: Timestamp) {
        if let Link::Online(online) = &self.link
            && now.since_ms(online.since) >= HEALTHY_MS
        {
            self.reconnect.attempts = 0;
        }
        self.reconnect.lost_since = self.reconnect.lost_since.or(Some(now));
        self.frames = Frames::new(now);
        self.recall_requests();
        self.rooms_disconnected();
    }

    fn lose_and_wait(&mut self, now: Timestamp, retry_ms: Option<u64>) {
        let (promised, was_online) = match &self.link {
            Link::Online(online) => (online.come_back_ms, true),
            _ => (None, false),
        };
        self.lose(now);
        if let Some(ms) = retry_ms.or(promised) {
            self.reconnect.not_before = now.plus_ms(ms);
        }
        let is_hasty = now.since_ms(self.reconnect.tried_at) < IMPATIENT_MS;
        let is_first = self.reconnect.attempts == 0;
        let backoff = self.backoff();
        // A move that was announced is no failure: what breaks soon after it breaks for the first time.
        if promised.is_none() {
            self.reconnect.attempts = self.reconnect.attempts.saturating_add(1);
        }
        let longest = if was_online && is_first && !is_hasty && self.has_unanswered() {
            UNANSWERED_BACKOFF_MS
        } else {
            backoff
        };
        let until = now.plus_ms(self.rng.up_to(longest));
        let until = until.max(self.reconnect.not_before);
        self.link = Link::Waiting { until };
        if self.needs_token(now) {
            self.ask_refresh(now);
        }
    }

    fn backoff(&self) -> u64 {
        BACKOFF_BASE_MS
            .saturating_mul(1 << self.reconnect.attempts.min(16))
            .min(BACKOFF_CAP_MS)
    }

    /// A person looks, or the network came back: find out now whether the socket lives.
    pub(super) fn nudge(&mut self, now: Timestamp) {
        let earliest = self.reconnect.tried_at.plus_ms(IMPATIENT_MS);
        match &mut self.link {
            Link::Online(online) if online.probe_until.is_none() => {
                online.probe_until = Some(now.plus_ms(PROBE_MS));
                self.tell(&Command::Probe {});
            }
            Link::Waiting { until } => {
                let sooner = earliest.max(self.reconnect.not_before).max(now);
                *until = sooner.min(*until);
            }
            Link::NeedsToken => self.auth.hurry(now),
            _ => {}
        }
    }

    pub(super) fn visible(&mut self, now: Timestamp) {
        self.hidden_since = None;
        match &mut self.link {
            Link::Paused => {
                self.reconnect.lost_since = None;
                self.connect(now);
            }
            Link::Online(online) if online.idle => {
                online.idle = false;
                self.tell(&Command::Mode { idle: false });
                self.nudge(now);
            }
            _ => self.nudge(now),
        }
    }

    pub(super) fn check_link(&mut self, now: Timestamp) {
        let patient = self.patience_ends();
        match &self.link {
            Link::Waiting { until } if *until <= now => self.connect(now),
            Link::Opening { until, .. } | Link::Greeting { until, .. } if *until <= now => {
                self.drop_connection(now, None);
            }
            Link::Online(online) if online.probe_until.is_some_and(|until| until <= now) => {
                // Whoever probed is waiting: no back-off for the first attempt.
                self.drop_connection(now, None);
                self.nudge(now);
            }
            Link::Online(_) if patient.is_some_and(|until| until <= now) => {
                self.drop_connection(now, None);
            }
            Link::Online(_) if self.doubt_begins().is_some_and(|at| at <= now) => self.nudge(now),
            _ => {}
        }
        self.check_hidden(now);
    }

    fn check_hidden(&mut self, now: Timestamp) {
        let Some(since) = self.hidden_since else {
            return;
        };
        let hidden_ms = now.since_ms(since);
        if hidden_ms >= PAUSE_MS && !self.outbox.is_waiting() {
            if !matches!(self.link, Link::Stopped(_) | Link::Paused) {
                self.hang_up();
                self.lose(now);
                self.link = Link::Paused;
            }
        } else if hidden_ms >= IDLE_MS
            && let Link::Online(online) = &mut self.link
            && !online.idle
        {
            online.idle = true;
            self.tell(&Command::Mode { idle: true });
        }
    }

    /// When silence, or a request without an answer, ends the connection.
    fn patience_ends(&self) -> Option<Timestamp> {
        let Link::Online(online) = &self.link else {
            return None;
        };
        let silence = online.heard_at.plus_ms(online.silence_ms);
        let answer = self.owed_since().map(|since| since.plus_ms(ANSWER_MS));
        earliest(&[Some(silence), answer])
    }

    /// When the oldest request without an answer was made: their ids rise.
    fn owed_since(&self) -> Option<Timestamp> {
        self.asked.values().next().map(|asked| asked.at)
    }

    /// When to ask a server that owes an answer, and says nothing else, whether it is there at all. A
    /// page takes as long as the link needs: who left meanwhile would only ask for it anew.
    fn doubt_begins(&self) -> Option<Timestamp> {
        let Link::Online(online) = &self.link else {
            return None;
        };
        let mut asked = self.asked.values();
        let pages = asked.any(|asked| matches!(asked.what, Request::Sub(_) | Request::Sync(_)));
        if pages || online.probe_until.is_some() {
            return None;
        }
        let since = self.owed_since()?.max(online.heard_at);
        Some(since.plus_ms(DOUBT_MS))
    }

    pub(super) fn link_wake(&self) -> Option<Timestamp> {
        let link = match &self.link {
            Link::Stopped(_) | Link::Paused => return None,
            Link::NeedsToken => None,
            Link::Waiting { until }
            | Link::Opening { until, .. }
            | Link::Greeting { until, .. } => Some(*until),
            Link::Online(online) => earliest(&[
                self.patience_ends(),
                online.probe_until,
                self.doubt_begins(),
            ]),
        };
        let hidden = self.hidden_since.and_then(|since| match &self.link {
            Link::Online(online) if !online.idle => Some(since.plus_ms(IDLE_MS)),
            _ if self.outbox.is_waiting() => None,
            _ => Some(since.plus_ms(PAUSE_MS)),
        });
        earliest(&[link, hidden])
    }

    /// Whether the server takes the user's writes now.
    pub(super) fn can_write(&self) -> bool {
        matches!(&self.link, Link::Online(online) if online.authorised)
    }

    /// Whether the server was greeted.
    pub(super) fn is_online(&self) -> bool {
        matches!(self.link, Link::Online(_))
    }

    /// Whether the server was told that nobody looks.
    pub(super) fn is_idle(&self) -> bool {
        matches!(&self.link, Link::Online(online) if online.idle)
    }

    pub(super) fn show_connection(&mut self) {
        let shown = match (&self.link, self.reconnect.lost_since) {
            (Link::Stopped(reason), _) => ConnectionState::Stopped(*reason),
            (Link::Paused, _) => ConnectionState::Paused,
            (Link::Online(_), _) => ConnectionState::Online,
            (_, None) => ConnectionState::Connecting,
            (link, Some(since)) => ConnectionState::Reconnecting {
                retry_at: match link {
                    Link::Waiting { until } => Some(self.clock.to_device(*until)),
                    _ => None,
                },
                since: self.clock.to_device(since),
            },
        };
        if shown != self.connection {
            self.connection = shown.clone();
            self.notify(Notice::Connection(shown));
        }
    }

    /// Takes a request back that was answered.
    pub(super) fn answered(&mut self, id: RequestId) -> Option<Request> {
        self.asked.remove(id).map(|asked| asked.what)
    }
}

/// Whether a release `a.b.c` comes before another. One that is not of that form does not.
fn older(build: &str, than: &str) -> bool {
    match (release(build), release(than)) {
        (Some(build), Some(than)) => build < than,
        _ => false,
    }
}

fn release(text: &str) -> Option<[u64; 3]> {
    let core = text.split(['-', '+']).next()?;
    let mut parts = core.split('.').map(|part| part.parse().ok());
    Some([parts.next()??, parts.next()??, parts.next()??])
}

/// The first of the times that are set.
fn earliest(times: &[Option<Timestamp>]) -> Option<Timestamp> {
    times.iter().copied().flatten().min()
}
