//! What the reader is writing, and to what end.

use chat_types::event::ReplyPreview;
use chat_types::id::{MessageId, Number, RoomId, UserId};
use chat_types::limits::MESSAGE_CHARS;
use leptos::prelude::*;

use super::rows::RowData;
use super::session::Session;
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
    session: Session,
    /// What sending will do.
    pub mode: RwSignal<Mode>,
    /// The text as it is typed.
    pub text: RwSignal<String>,
    /// A text to put into the field, from elsewhere than the keyboard; and whether to focus it.
    pub put: RwSignal<Option<(String, bool)>>,
    /// What was being written when an edit began.
    aside: StoredValue<Option<(Mode, String)>>,
    /// Whether the keyboard has been at what is in the field.
    touched: StoredValue<bool>,
}

impl Compose {
    /// An empty composer.
    pub fn new(room: RoomId, session: Session) -> Self {
        Self {
            room,
            session,
            mode: RwSignal::new(Mode::New),
            text: RwSignal::new(String::new()),
            put: RwSignal::new(None),
            aside: StoredValue::new(None),
            touched: StoredValue::new(false),
        }
    }

    /// The reader typed: this is in the field now.
    pub fn typed(self, text: String) {
        self.touched.set_value(true);
        self.text.set(text);
    }

    /// Answers a message with what is being written; an edit that was begun is left.
    pub fn reply(self, row: &RowData) {
        let (Some(id), Some(number), Some(author)) =
            (row.message_id, row.number, row.author.as_ref())
        else {
            return;
        };
        let text = if self.is_editing() {
            self.take_aside().1
        } else {
            self.text.get_untracked()
        };
        let mode = Mode::Reply {
            id,
            number,
            author: author.name.clone(),
            text: row.text().unwrap_or_default().to_owned(),
        };
        self.write(mode, text, true);
    }

    /// Edits an own message. What was being written waits until the edit ends.
    pub fn edit(self, row: &RowData) {
        if let (Some(id), Some(text)) = (row.message_id, row.text()) {
            self.edit_with(id, text.to_owned(), text.to_owned());
        }
    }

    /// Edits a message that says `before`, beginning with `text`.
    pub fn edit_with(self, id: MessageId, before: String, text: String) {
        if !self.is_editing() {
            let aside = (self.mode.get_untracked(), self.text.get_untracked());
            self.aside.set_value(Some(aside));
        }
        self.write(Mode::Edit { id, text: before }, text, true);
    }

    /// Whether an edit is begun.
    pub fn is_editing(self) -> bool {
        self.mode
            .with_untracked(|mode| matches!(mode, Mode::Edit { .. }))
    }

    /// Whether nothing is being written, so that a text may come back into the field.
    pub fn is_free(self) -> bool {
        self.mode.with_untracked(|mode| *mode == Mode::New)
            && self.text.with_untracked(|text| text.trim().is_empty())
    }

    /// Whether a refused edit may come back into the field: what is being written waits aside meanwhile,
    /// but nobody who is typing loses the field.
    pub fn is_free_for_edit(self) -> bool {
        self.is_free() || (!self.is_editing() && !self.touched.get_value())
    }

    /// Puts a text back that was not sent, to be mended.
    pub fn take_back(self, body: String, reply_to: Option<&ReplyPreview>) {
        let mode = reply_to.map_or(Mode::New, |answered| Mode::Reply {
            id: answered.id,
            number: answered.number,
            author: answered.author.clone(),
            text: answered.excerpt.clone(),
        });
        self.write(mode, body, false);
    }

    /// Ends an answer or an edit without sending. Tells whether there was one.
    pub fn cancel(self) -> bool {
        if self.is_editing() {
            let (mode, text) = self.take_aside();
            self.write(mode, text, true);
            return true;
        }
        let answers = self.mode.with_untracked(|mode| *mode != Mode::New);
        self.mode.set(Mode::New);
        answers
    }

    /// After sending: an empty field, or what was being written before an edit.
    pub fn sent(self) {
        let (mode, text) = if self.is_editing() {
            self.take_aside()
        } else {
            (Mode::New, String::new())
        };
        self.write(mode, text, false);
    }

    fn take_aside(self) -> (Mode, String) {
        let aside = self.aside.get_value();
        self.aside.set_value(None);
        aside.unwrap_or((Mode::New, String::new()))
    }

    /// The text is kept at once, whenever the field gets it.
    fn write(self, mode: Mode, text: String, focus: bool) {
        self.touched.set_value(false);
        self.mode.set(mode);
        self.text.set(text.clone());
        self.keep_draft();
        self.put.set(Some((text, focus)));
    }

    /// Keeps the text for the next visit, unless it is an edit.
    pub fn keep_draft(self) {
        let (Some(text), Some(mode)) =
            (self.text.try_get_untracked(), self.mode.try_get_untracked())
        else {
            return;
        };
        if let Some(user) = self.session.id()
            && !matches!(mode, Mode::Edit { .. })
        {
            set_draft(user, self.room, &text);
        }
    }

    /// What is being written, here or on the last visit.
    pub fn unsent(self) -> String {
        let text = self.text.get_untracked();
        if text.is_empty() && !self.is_editing() {
            let user = self.session.id();
            return user
                .and_then(|user| draft(user, self.room))
                .unwrap_or_default();
        }
        text
    }
}

/// What a user was writing in a room and has not sent.
fn draft(user: UserId, room: RoomId) -> Option<String> {
    storage::get(Reach::Device, &draft_key(user, room))
}

/// Keeps what a user is writing in a room; blank text is forgotten.
fn set_draft(user: UserId, room: RoomId, text: &str) {
    if text.trim().is_empty() {
        storage::remove(Reach::Device, &draft_key(user, room));
    } else {
        storage::set(Reach::Device, &draft_key(user, room), text);
    }
}

/// Several people may use a device one after the other.
fn draft_key(user: UserId, room: RoomId) -> String {
    format!("draft.{user}.{room}")
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
    use uuid::Uuid;

    use super::super::session::provide_session;
    use super::*;

    #[test]
    fn a_refused_edit_waits_for_somebody_who_is_typing() {
        let owner = Owner::new();
        owner.set();
        let compose = Compose::new(RoomId::from_uuid(Uuid::nil()), provide_session());
        compose.text.set("a draft of the last visit".to_owned());
        assert!(compose.is_free_for_edit(), "nobody is typing");
        compose.typed("half a wo".to_owned());
        assert!(!compose.is_free_for_edit());
        compose.typed(String::new());
        assert!(compose.is_free_for_edit(), "they took it away again");
    }

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
