//! What the reader is writing, and to what end.

use chat_types::id::{MessageId, Number, RoomId};
use chat_types::limits::MESSAGE_CHARS;
use leptos::prelude::*;

use super::rows::RowData;
use crate::api::storage::{self, Reach};

/// The counter appears when this many characters are left.
const COUNTER_FROM: usize = 200;

/// What sending will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// A message.
    New,
    /// A message that answers another.
    Reply {
        /// The answered message.
        id: MessageId,
        /// Its number, to go there.
        number: Number,
        /// Its author.
        author: String,
        /// Its text.
        text: String,
    },
    /// Another text for a message.
    Edit {
        /// Which message.
        id: MessageId,
        /// The text until now.
        text: String,
    },
}

/// The composer's state, shared with the rows whose actions begin an answer or an edit.
#[derive(Clone, Copy)]
pub struct Compose {
    room: RoomId,
    /// What sending will do.
    pub mode: RwSignal<Mode>,
    /// The text as it is typed.
    pub text: RwSignal<String>,
    /// A text to put into the field, from elsewhere than the keyboard; and whether to focus it.
    pub put: RwSignal<Option<(String, bool)>>,
    draft: StoredValue<String>,
}

impl Compose {
    /// An empty composer.
    pub fn new(room: RoomId) -> Self {
        Self {
            room,
            mode: RwSignal::new(Mode::New),
            text: RwSignal::new(String::new()),
            put: RwSignal::new(None),
            draft: StoredValue::new(String::new()),
        }
    }

    /// Answers a message.
    pub fn reply(self, row: &RowData) {
        let (Some(id), Some(number), Some(author)) =
            (row.message_id, row.number, row.author.as_ref())
        else {
            return;
        };
        let text = row.text().unwrap_or_default().to_owned();
        self.leave_edit();
        self.mode.set(Mode::Reply {
            id,
            number,
            author: author.name.clone(),
            text,
        });
        self.put.set(Some((self.text.get_untracked(), true)));
    }

    /// Edits an own message. What was being written waits until the edit ends.
    pub fn edit(self, row: &RowData) {
        let (Some(id), Some(text)) = (row.message_id, row.text()) else {
            return;
        };
        if !matches!(self.mode.get_untracked(), Mode::Edit { .. }) {
            self.draft.set_value(self.text.get_untracked());
        }
        self.mode.set(Mode::Edit {
            id,
            text: text.to_owned(),
        });
        self.put.set(Some((text.to_owned(), true)));
    }

    /// Ends an answer or an edit without sending. Tells whether there was one.
    pub fn cancel(self) -> bool {
        let mode = self.mode.get_untracked();
        self.leave_edit();
        self.mode.set(Mode::New);
        mode != Mode::New
    }

    /// After sending: an empty field, or what was being written before an edit.
    pub fn sent(self) {
        let edited = matches!(self.mode.get_untracked(), Mode::Edit { .. });
        let text = if edited {
            self.draft.get_value()
        } else {
            String::new()
        };
        self.draft.set_value(String::new());
        self.mode.set(Mode::New);
        self.put.set(Some((text, false)));
    }

    fn leave_edit(self) {
        if matches!(self.mode.get_untracked(), Mode::Edit { .. }) {
            self.put.set(Some((self.draft.get_value(), true)));
            self.draft.set_value(String::new());
        }
    }

    /// Keeps the text for the next visit, unless it is an edit.
    pub fn keep_draft(self) {
        let (Some(text), Some(mode)) =
            (self.text.try_get_untracked(), self.mode.try_get_untracked())
        else {
            return;
        };
        if matches!(mode, Mode::Edit { .. }) {
            return;
        }
        if text.trim().is_empty() {
            storage::remove(Reach::Device, &self.draft_key());
        } else {
            storage::set(Reach::Device, &self.draft_key(), &text);
        }
    }

    /// What is being written, here or on the last visit.
    pub fn unsent(self) -> String {
        let text = self.text.get_untracked();
        if text.is_empty() && self.mode.get_untracked() == Mode::New {
            return storage::get(Reach::Device, &self.draft_key()).unwrap_or_default();
        }
        text
    }

    fn draft_key(self) -> String {
        format!("draft.{}", self.room)
    }
}

/// How full the message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// Nothing to send.
    Empty,
    /// Far from the limit.
    Plenty,
    /// This many characters are left, and it is time to say so.
    Left(usize),
    /// This many characters too many.
    Over(usize),
}

/// How full a text is; the server counts Unicode scalar values too.
pub fn room_left(text: &str) -> Room {
    let count = text.trim().chars().count();
    match count {
        0 => Room::Empty,
        count if count > MESSAGE_CHARS => Room::Over(count - MESSAGE_CHARS),
        count if MESSAGE_CHARS - count <= COUNTER_FROM => Room::Left(MESSAGE_CHARS - count),
        _ => Room::Plenty,
    }
}

/// What to do with a line break that the browser is about to insert. While an input method composes,
/// the key belongs to it; a break that follows the composition is the reader's own.
pub fn sends(input_type: &str, is_composing: bool, shift: bool) -> bool {
    matches!(input_type, "insertLineBreak" | "insertParagraph") && !is_composing && !shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_appears_near_the_limit_and_counts_characters() {
        assert_eq!(room_left(" \n"), Room::Empty);
        assert_eq!(room_left(&"가".repeat(3_799)), Room::Plenty);
        assert_eq!(room_left(&"가".repeat(3_800)), Room::Left(200));
        assert_eq!(room_left(&"가".repeat(4_000)), Room::Left(0));
        assert_eq!(room_left(&"가".repeat(4_001)), Room::Over(1));
    }

    #[test]
    fn a_break_sends_unless_an_input_method_or_shift_wants_it() {
        assert!(sends("insertLineBreak", false, false));
        assert!(!sends("insertLineBreak", true, false));
        assert!(!sends("insertLineBreak", false, true));
        assert!(!sends("insertText", false, false));
        assert!(!sends("insertCompositionText", true, false));
    }
}
