//! The messages of a run. Each text says which message it is and when it was due, so that a reader
//! knows how long it took, and no two are alike.

use std::fmt::Write as _;

use chat_types::id::ClientId;
use uuid::Builder;

use crate::rng::Rng;

/// What a text begins with.
const MARK: &str = "load";

/// What a text says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Label {
    /// Which run.
    pub(crate) run: u32,
    /// Whose.
    pub(crate) client: u32,
    /// The n-th text of this client.
    pub(crate) n: u64,
    /// When it was due, in microseconds since the run began.
    pub(crate) due_us: u64,
}

/// A text of so many bytes, or as few as the label needs.
pub(crate) fn write(label: Label, bytes: usize) -> String {
    let Label {
        run,
        client,
        n,
        due_us,
    } = label;
    let mut text = format!("{MARK} {run:08x} {client} {n} {due_us}");
    let mut rng = Rng::new(n ^ due_us ^ u64::from(client));
    while text.len() + 17 <= bytes {
        // Writing to a string does not fail.
        let _ = write!(text, " {:016x}", rng.next_u64());
    }
    let missing = bytes.saturating_sub(text.len());
    text.extend(std::iter::repeat_n('.', missing));
    text
}

/// What a text of this run says about itself; `None`: it is not one.
pub(crate) fn read(text: &str, run: u32) -> Option<Label> {
    let mut words = text.split([' ', '.']);
    if words.next() != Some(MARK) || u32::from_str_radix(words.next()?, 16) != Ok(run) {
        return None;
    }
    Some(Label {
        run,
        client: words.next()?.parse().ok()?,
        n: words.next()?.parse().ok()?,
        due_us: words.next()?.parse().ok()?,
    })
}

/// An id as a device makes it, by its own clock.
pub(crate) fn client_id(unix_ms: u64, rng: &mut Rng) -> ClientId {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&rng.next_u64().to_le_bytes());
    random[8..].copy_from_slice(&rng.next_u64().to_le_bytes()[..2]);
    ClientId::from_uuid(Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_its_length_and_says_what_it_is() {
        for bytes in [0, 40, 41, 64, 128, 1000] {
            let label = Label {
                run: 0xbeef,
                client: 7,
                n: 12,
                due_us: 3_456_789,
            };
            let text = write(label, bytes);
            assert!(
                text.len() == bytes || (text.len() > bytes && bytes < 40),
                "{text}"
            );
            assert_eq!(read(&text, 0xbeef), Some(label));
            assert_eq!(read(&text, 0xbeee), None);
        }
        assert_eq!(read("hello", 1), None);
    }
}
