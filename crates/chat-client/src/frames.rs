//! Documents on their way out: joined into frames within the server's limits of size and rate.

use std::collections::VecDeque;

use chat_types::limits::{FRAME_BYTES, FRAME_DOCUMENTS};
use chat_types::time::Timestamp;

const BURST: u64 = 40;
const PER_SECOND: u64 = 20;

/// The queue of one connection.
pub(crate) struct Frames {
    documents: VecDeque<String>,
    frame_bytes: usize,
    burst: u64,
    per_second: u64,
    /// Frames that may go now, in thousandths.
    credit: u64,
    counted_at: Timestamp,
}

impl Frames {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            documents: VecDeque::new(),
            frame_bytes: FRAME_BYTES,
            burst: BURST,
            per_second: PER_SECOND,
            credit: BURST * 1000,
            counted_at: now,
        }
    }

    /// Obeys the server's own limits. A tenth stays unused, for clocks that disagree.
    pub(crate) fn obey(&mut self, limits: &chat_types::limits::Limits) {
        self.frame_bytes = limits.frame_bytes as usize;
        self.burst = (u64::from(limits.frames_burst) * 9 / 10).max(1);
        self.per_second = (u64::from(limits.frames_per_second) * 9 / 10).max(1);
        self.credit = self.credit.min(self.burst * 1000);
    }

    /// The largest document that fits a frame.
    pub(crate) const fn frame_bytes(&self) -> usize {
        self.frame_bytes
    }

    pub(crate) fn push(&mut self, document: String) {
        self.documents.push_back(document);
    }

    /// The next frame, when there is one and it may go now.
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<String> {
        self.count(now);
        if self.credit < 1000 {
            return None;
        }
        let mut frame = self.documents.pop_front()?;
        let mut count = 1;
        while count < FRAME_DOCUMENTS {
            match self.documents.front() {
                Some(next) if frame.len() + 1 + next.len() <= self.frame_bytes => {
                    frame.push('\n');
                    frame.push_str(next);
                    self.documents.pop_front();
                    count += 1;
                }
                _ => break,
            }
        }
        self.credit -= 1000;
        Some(frame)
    }

    /// When the next frame may go.
    pub(crate) fn ready_at(&self) -> Option<Timestamp> {
        if self.documents.is_empty() {
            return None;
        }
        let missing = 1000_u64.saturating_sub(self.credit);
        Some(self.counted_at.plus_ms(missing.div_ceil(self.per_second)))
    }

    fn count(&mut self, now: Timestamp) {
        let earned = now
            .since_ms(self.counted_at)
            .saturating_mul(self.per_second);
        self.credit = self.credit.saturating_add(earned).min(self.burst * 1000);
        self.counted_at = now;
    }
}
