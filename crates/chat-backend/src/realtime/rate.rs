//! How often something may happen: a rate with a burst, in two words of memory.

use std::time::Duration;

use tokio::time::Instant;

/// A rate limiter (the generic cell rate algorithm, ITU-T I.371): it remembers only until when its
/// allowance is used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    every: Duration,
    burst: u32,
    used_until: Instant,
}

impl Rate {
    /// `per_second` over time, `burst` at once.
    pub(super) fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        Self {
            every: Duration::from_secs(1) / per_second.max(1),
            burst: burst.max(1),
            used_until: now,
        }
    }

    /// Uses one; or says how long to wait for the next.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let used_until = self.used_until.max(now) + self.every;
        let allowed_until = now + self.every * self.burst;
        if used_until > allowed_until {
            return Err(used_until - allowed_until);
        }
        self.used_until = used_until;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_then_the_wait_that_is_named_is_enough() {
        let mut rate = Rate::new(20, 40, Instant::now());
        for _ in 0..40 {
            rate.take(Instant::now()).unwrap();
        }
        let wait = rate.take(Instant::now()).unwrap_err();
        assert_eq!(wait, Duration::from_millis(50));
        tokio::time::advance(wait).await;
        rate.take(Instant::now()).unwrap();
        assert!(rate.take(Instant::now()).is_err());
    }
}
