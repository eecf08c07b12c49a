//! The device's clock made steady.

use chat_types::time::Timestamp;

/// Turns a clock that may be set back into one that never goes back: a step backwards counts as no
/// time at all, so that no timer waits for the clock to catch up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    now: Timestamp,
    ahead_ms: u64,
}

impl Clock {
    pub(crate) const fn new(now: Timestamp) -> Self {
        Self { now, ahead_ms: 0 }
    }

    /// Takes a reading of the device's clock and returns the steady time.
    pub(crate) fn read(&mut self, device: Timestamp) -> Timestamp {
        let steady = device.plus_ms(self.ahead_ms);
        if steady < self.now {
            self.ahead_ms = self.ahead_ms.saturating_add(self.now.since_ms(steady));
        } else {
            self.now = steady;
        }
        self.now
    }

    /// A steady instant as the device's clock will show it.
    pub(crate) const fn to_device(self, steady: Timestamp) -> Timestamp {
        Timestamp(steady.0.saturating_sub(self.ahead_ms))
    }

    pub(crate) const fn now(self) -> Timestamp {
        self.now
    }
}
