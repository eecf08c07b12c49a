//! Chance that a seed replays.

/// `SplitMix64`, as in the client, but a stream of the test's own.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed ^ 0x005E_ED0F_C4A7)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From `least` to `most`.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    /// From `least` to `most`, for counts.
    pub(crate) fn count(&mut self, least: u32, most: u32) -> u32 {
        let picked = self.between(least.into(), most.into());
        picked.try_into().expect("it is not above `most`")
    }

    /// A place in a list of `len`.
    pub(crate) fn below(&mut self, len: usize) -> usize {
        let picked = self.between(0, len as u64 - 1);
        picked.try_into().expect("it is below `len`")
    }

    /// True `percent` times of a hundred.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() {
            return None;
        }
        let at = self.below(from.len());
        from.get(at)
    }
}
