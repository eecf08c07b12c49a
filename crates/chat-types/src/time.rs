//! Instants and durations on the wire. This crate never asks what time it is.

use serde::{Deserialize, Serialize};

/// An instant: milliseconds since 1970-01-01T00:00:00Z, a JSON number below 2^53.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Timestamp(
    #[serde(deserialize_with = "crate::number::deserialize")]
    #[cfg_attr(feature = "schema", schemars(range(max = crate::number::MAX)))]
    pub u64,
);

impl Timestamp {
    /// This instant moved forward by `ms` milliseconds, at most to the end of time.
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this instant; 0 when `earlier` is later.
    pub const fn since_ms(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
