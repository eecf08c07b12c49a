//! Whole numbers on the wire. Browsers read JSON numbers as 64-bit floats, which are exact only
//! below 2^53, so a larger number is refused rather than silently changed.

use serde::de::{Deserialize, Deserializer, Error, Unexpected};

/// The largest number on the wire, JavaScript's `Number.MAX_SAFE_INTEGER`.
pub const MAX: u64 = (1 << 53) - 1;

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(deserializer)?;
    if number > MAX {
        return Err(D::Error::invalid_value(
            Unexpected::Unsigned(number),
            &"a whole number below 2^53",
        ));
    }
    Ok(number)
}
