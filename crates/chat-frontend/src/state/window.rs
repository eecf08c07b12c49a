//! Which of the messages that are held are in the page. A room may have any number; the page never
//! has more than [`MAX_ROWS`].

/// Rows in the page at most.
pub const MAX_ROWS: u64 = 200;
/// Rows that are shown at the end of the room.
const END_ROWS: u64 = 100;
/// Rows that are added when the reader comes near the edge.
const STEP: u64 = 50;

/// Message numbers, both ends included. Numbers that are held are consecutive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first number.
    pub first: u64,
    /// The last number.
    pub last: u64,
}

impl Span {
    /// Whether a number is inside.
    pub fn contains(self, number: u64) -> bool {
        (self.first..=self.last).contains(&number)
    }
}

/// The part that is shown. An open side moves with what is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    first: Option<u64>,
    last: Option<u64>,
}

impl Window {
    /// The end of the room, following it.
    pub const LATEST: Self = Self {
        first: None,
        last: None,
    };

    /// The numbers that are shown of those that are held. A window whose first row is held stops
    /// growing at its limit instead of sliding away from it.
    pub fn shown(self, held: Span) -> Span {
        let limit = self
            .first
            .map_or(held.last, |first| first.max(held.first) + MAX_ROWS - 1);
        let last = self.last.unwrap_or(limit).clamp(held.first, held.last);
        let end = last.saturating_sub(END_ROWS - 1);
        let first = self.first.unwrap_or(end).clamp(held.first, last);
        Span {
            first: first.max(last.saturating_sub(MAX_ROWS - 1)),
            last,
        }
    }

    /// Whether the newest held message is shown.
    pub fn reaches_end(self, held: Span) -> bool {
        self.shown(held).last == held.last
    }

    /// Whether any of what is held lies inside.
    pub fn meets(self, held: Span) -> bool {
        self.first.is_none_or(|first| first <= held.last)
            && self.last.is_none_or(|last| last >= held.first)
    }

    /// The reader left the end: what they look at stays, and the page stops growing at its limit.
    #[must_use]
    pub fn hold(self, held: Span) -> Self {
        Self {
            first: Some(self.shown(held).first),
            last: self.last,
        }
    }

    /// Whether there is room for earlier messages without dropping the newest.
    pub fn has_room(self, held: Span) -> bool {
        let Span { first, last } = self.shown(held);
        last - first + 1 + STEP <= MAX_ROWS
    }

    /// Shows earlier messages and drops rows at the other side. `None` when all that are held are
    /// shown: older ones have to be loaded.
    pub fn earlier(self, held: Span) -> Option<Self> {
        let shown = self.shown(held);
        if shown.first == held.first {
            return None;
        }
        let first = shown.first.saturating_sub(STEP).max(held.first);
        let full = first + MAX_ROWS - 1;
        let last = if full < held.last {
            Some(shown.last.min(full))
        } else {
            self.last
        };
        Some(Self {
            first: Some(first),
            last,
        })
    }

    /// Shows later messages and drops rows at the other side. `None` when the newest held is shown.
    pub fn later(self, held: Span) -> Option<Self> {
        let shown = self.shown(held);
        if shown.last == held.last {
            return None;
        }
        let last = (shown.last + STEP).min(held.last);
        let first = shown.first.max(last.saturating_sub(MAX_ROWS - 1));
        Some(Self {
            first: Some(first),
            last: (last < held.last).then_some(last),
        })
    }

    /// The surroundings of one message.
    pub fn around(number: u64) -> Self {
        Self {
            first: Some(number.saturating_sub(STEP)),
            last: Some(number + STEP),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn held(first: u64, last: u64) -> Span {
        Span { first, last }
    }

    #[test]
    fn the_end_of_a_room_follows_new_messages() {
        assert_eq!(Window::LATEST.shown(held(1, 30)), held(1, 30));
        assert_eq!(Window::LATEST.shown(held(1, 1_000)), held(901, 1_000));
        assert_eq!(Window::LATEST.shown(held(1, 1_001)), held(902, 1_001));
    }

    #[test]
    fn a_reader_who_left_the_end_keeps_their_rows() {
        let window = Window::LATEST.hold(held(1, 1_000));
        assert_eq!(window.shown(held(1, 1_050)).first, 901);
        assert_eq!(window.shown(held(1, 1_500)), held(901, 1_100));
        let later = window.hold(held(1, 1_500));
        assert_eq!(later.shown(held(1, 1_500)), held(901, 1_100));
    }

    #[test]
    fn scrolling_back_and_forth_shows_every_message_and_never_too_many() {
        let held = held(1, 1_000);
        let mut window = Window::LATEST;
        let mut seen_first = window.shown(held).first;
        while let Some(earlier) = window.earlier(held) {
            let (before, after) = (window.shown(held), earlier.shown(held));
            assert!(
                after.first < before.first && after.last >= before.first,
                "{before:?} {after:?}"
            );
            assert!(after.last - after.first < MAX_ROWS);
            window = earlier;
            seen_first = after.first;
        }
        assert_eq!(seen_first, 1);
        while let Some(later) = window.later(held) {
            let (before, after) = (window.shown(held), later.shown(held));
            assert!(
                after.last > before.last && after.first <= before.last,
                "{before:?} {after:?}"
            );
            assert!(after.last - after.first < MAX_ROWS);
            window = later;
        }
        assert!(window.reaches_end(held));
    }

    #[test]
    fn at_the_first_held_message_older_ones_have_to_be_loaded() {
        assert_eq!(Window::LATEST.earlier(held(401, 450)), None);
        let loaded = held(351, 450);
        assert_eq!(
            Window::LATEST
                .hold(held(401, 450))
                .earlier(loaded)
                .map(|w| w.shown(loaded)),
            Some(loaded)
        );
    }
}
