//! The one place that asks what time it is.

use std::time::{Duration, Instant, SystemTime};

use chat_types::time::Timestamp;

/// The time of a run: monotonic for everything that is measured and compared, and a wall clock for
/// what a device believes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    unix_ms: u64,
}

impl Clock {
    /// A run begins now.
    pub(crate) fn start() -> Self {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            started: Instant::now(),
            unix_ms: millis(unix.unwrap_or_default()),
        }
    }

    /// Microseconds since the run began. Never goes back; the same for every client of a run.
    pub(crate) fn now_us(self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Milliseconds since 1970 by a device whose clock is wrong by so much.
    pub(crate) fn device_ms(self, skew_ms: i64) -> Timestamp {
        let right = self.unix_ms.saturating_add(millis(self.started.elapsed()));
        Timestamp(right.saturating_add_signed(skew_ms))
    }

    /// The instant that is so many microseconds after the beginning.
    pub(crate) fn instant(self, at_us: u64) -> Instant {
        self.started + Duration::from_micros(at_us)
    }
}

/// Whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
