//! Where the reader is and where they are going. The rows in the page are always consecutive: a
//! message that is not held is gone to only when the page around it has come, and until then what is
//! read stays.

use chat_client::HistoryState;
use chat_types::id::Number;

use super::window::{Span, Window};

/// Where the reader wants to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// At a message.
    Message(Number),
    /// At the end of the room, following it.
    Newest,
}

/// What is held of the room.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// The numbers of the messages, if there are any.
    pub span: Option<Span>,
    /// Whether the room has newer messages than these.
    pub more_after: bool,
    /// How the loading of others goes.
    pub history: HistoryState,
    /// Whether the room has been loaded at all.
    pub known: bool,
}

/// What is left to do for the reader to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Stay,
    /// Scroll to this message, which is shown now.
    Show(Number),
    /// Scroll to the end, which is shown now.
    ShowEnd,
    /// Load what the goal is in.
    Load(Goal),
}

/// The place of one reader in one room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which of the messages that are held are shown.
    pub window: Window,
    /// Whether the reader is at the end and new messages scroll into view.
    pub following: bool,
    /// Where they are going.
    goal: Option<Goal>,
    /// Whether the page of the goal was asked for.
    asked: bool,
}

impl Place {
    /// At the end, following it.
    pub const END: Self = Self {
        window: Window::LATEST,
        following: true,
        goal: None,
        asked: false,
    };

    /// Sets out for another place.
    #[must_use]
    pub fn heading_for(self, goal: Goal) -> Self {
        Self {
            goal: Some(goal),
            asked: false,
            ..self
        }
    }

    /// What was asked for on a connection that was lost is asked for again.
    #[must_use]
    pub fn ask_again(self) -> Self {
        Self {
            asked: false,
            ..self
        }
    }

    /// The place in what is held now, and what is left to do.
    #[must_use]
    pub fn settle(self, held: Held) -> (Self, Step) {
        match (self.goal, held.span) {
            (Some(Goal::Message(number)), Some(span)) if span.contains(number.0) => {
                let place = Self {
                    window: Window::around(number.0),
                    following: false,
                    ..Self::END
                };
                (place, Step::Show(number))
            }
            (Some(Goal::Newest), _) if !held.more_after => (Self::END, Step::ShowEnd),
            (Some(goal), _) if held.known && !self.asked => {
                let asked = Self {
                    asked: true,
                    ..self.keep(held)
                };
                (asked, Step::Load(goal))
            }
            // The page came, and the message is not there to be shown.
            (Some(_), _) if self.asked && held.history == HistoryState::Idle => {
                let given_up = Self { goal: None, ..self };
                (given_up.keep(held), Step::Stay)
            }
            _ => (self.keep(held), Step::Stay),
        }
    }

    /// What the reader looks at stays. Where it is held no longer, they are at the end of what is.
    fn keep(self, held: Held) -> Self {
        let Some(span) = held.span else {
            return self;
        };
        let meets = self.window.meets(span);
        let following = self.following || !meets;
        let window = if !meets || (following && !self.window.reaches_end(span)) {
            Window::LATEST
        } else if following {
            self.window
        } else {
            self.window.hold(span)
        };
        Self {
            window,
            following,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn held(first: u64, last: u64, more_after: bool, history: HistoryState) -> Held {
        Held {
            span: Some(Span { first, last }),
            more_after,
            history,
            known: true,
        }
    }

    fn shown(place: Place, first: u64, last: u64) -> (u64, u64) {
        let span = place.window.shown(Span { first, last });
        (span.first, span.last)
    }

    #[test]
    fn what_is_read_stays_until_the_page_around_the_message_has_come() {
        let newest = held(191, 240, false, HistoryState::Idle);
        let (place, step) = Place::END
            .heading_for(Goal::Message(Number(10)))
            .settle(newest);
        assert_eq!(step, Step::Load(Goal::Message(Number(10))));
        // Whatever happens in the room meanwhile, the rows on the screen are the same.
        let loading = held(191, 240, false, HistoryState::Loading);
        let (place, step) = place.settle(loading);
        assert_eq!(step, Step::Stay);
        assert_eq!(shown(place, 191, 240), (191, 240));
        let (place, step) = place.settle(held(1, 35, true, HistoryState::Idle));
        assert_eq!(step, Step::Show(Number(10)));
        assert_eq!(shown(place, 1, 35), (1, 35));
        assert!(!place.following);
    }

    #[test]
    fn a_message_that_is_held_is_shown_at_once() {
        let (place, step) = Place::END
            .heading_for(Goal::Message(Number(200)))
            .settle(held(1, 1_000, false, HistoryState::Idle));
        assert_eq!(step, Step::Show(Number(200)));
        assert_eq!(shown(place, 1, 1_000), (150, 250));
    }

    #[test]
    fn a_goal_from_before_the_first_page_is_loaded_once_that_has_come() {
        let nothing = Held {
            span: None,
            more_after: false,
            history: HistoryState::Idle,
            known: false,
        };
        let (place, step) = Place::END
            .heading_for(Goal::Message(Number(10)))
            .settle(nothing);
        assert_eq!(step, Step::Stay);
        let (_, step) = place.settle(held(191, 240, false, HistoryState::Idle));
        assert_eq!(step, Step::Load(Goal::Message(Number(10))));
    }

    #[test]
    fn a_message_that_does_not_exist_is_asked_for_once() {
        let newest = held(191, 240, false, HistoryState::Idle);
        let (place, _) = Place::END
            .heading_for(Goal::Message(Number(999)))
            .settle(newest);
        let (place, step) = place.settle(newest);
        assert_eq!(step, Step::Stay);
        let (place, step) = place.settle(held(191, 999, false, HistoryState::Idle));
        assert_eq!((step, place.following), (Step::Stay, true));
    }

    #[test]
    fn a_load_that_failed_keeps_the_goal_for_the_next_try() {
        let (place, _) = Place::END
            .heading_for(Goal::Message(Number(10)))
            .settle(held(191, 240, false, HistoryState::Idle));
        let (place, step) = place.settle(held(191, 240, false, HistoryState::Failed));
        assert_eq!(step, Step::Stay);
        let (_, step) = place.settle(held(1, 35, true, HistoryState::Idle));
        assert_eq!(step, Step::Show(Number(10)));
    }

    #[test]
    fn what_was_asked_for_while_away_is_asked_for_again_on_the_way_back() {
        let away = held(1, 35, true, HistoryState::Idle);
        let failed = held(1, 35, true, HistoryState::Failed);
        let reading = Place {
            window: Window::around(10),
            following: false,
            ..Place::END
        };
        let (place, step) = reading.heading_for(Goal::Newest).settle(away);
        assert_eq!(step, Step::Load(Goal::Newest));
        let (place, step) = place.settle(failed);
        assert_eq!(step, Step::Stay);
        let (place, step) = place.ask_again().settle(failed);
        assert_eq!(step, Step::Load(Goal::Newest));
        let (place, _) = place.settle(held(191, 241, false, HistoryState::Idle));
        assert_eq!(place, Place::END);
        assert_eq!(place.ask_again(), Place::END, "nothing is left to ask for");
    }

    #[test]
    fn back_to_the_newest_follows_the_end_again_once_it_is_held() {
        let away = held(1, 35, true, HistoryState::Idle);
        let (place, _) = Place::END
            .heading_for(Goal::Message(Number(10)))
            .settle(away);
        let (place, step) = place.heading_for(Goal::Newest).settle(away);
        assert_eq!(step, Step::Load(Goal::Newest));
        assert!(!place.following, "the end of a part is not the end");
        let (place, step) = place.settle(held(191, 241, false, HistoryState::Idle));
        assert_eq!((place, step), (Place::END, Step::ShowEnd));
        assert_eq!(shown(place, 191, 241), (191, 241));
    }

    #[test]
    fn a_reader_whose_place_was_dropped_is_at_the_end_of_what_is_held() {
        let reading = Place {
            window: Window::around(10),
            following: false,
            ..Place::END
        };
        let (place, _) = reading.settle(held(191, 240, false, HistoryState::Idle));
        assert_eq!(shown(place, 191, 240), (191, 240));
        assert!(place.following);
    }
}
