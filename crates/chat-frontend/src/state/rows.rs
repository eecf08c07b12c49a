//! What the timeline shows, line by line: rows, days, and where the unread begins.

use std::collections::HashSet;

use chat_client::{Row, RowKey, RowState};
use chat_types::event::{Content, Reaction, ReplyPreview, User};
use chat_types::id::{MessageId, Number};
use chat_types::room::Role;
use chat_types::time::Timestamp;

/// Messages of one author within this time stand together.
const TOGETHER_MS: u64 = 5 * 60 * 1_000;

/// What a row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Text.
    Text(String),
    /// It was deleted.
    Deleted {
        /// By somebody else than its author.
        by_moderator: bool,
    },
    /// Something that this build does not know.
    Unknown,
}

/// One row, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowData {
    /// Which row.
    pub key: RowKey,
    /// The message's id, once it is accepted.
    pub message_id: Option<MessageId>,
    /// The message's number, once it is accepted.
    pub number: Option<Number>,
    /// Who wrote it.
    pub author: Option<User>,
    /// What the author may do here, as far as it is known.
    pub role: Option<Role>,
    /// What it says.
    pub body: Body,
    /// What it answers.
    pub reply_to: Option<ReplyPreview>,
    /// The emoji under it.
    pub reactions: Vec<Reaction>,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// Whether it was edited.
    pub edited: bool,
    /// How far it is.
    pub state: RowState,
    /// When it is sent, where the server's limit holds it back.
    pub due: Option<Timestamp>,
    /// Whether an edit, a deletion or a reaction of it is on its way.
    pub changing: bool,
    /// Whether it follows a row of the same author closely.
    pub next: bool,
}

impl RowData {
    /// Reads a row of the client.
    pub fn of(row: Row<'_>, role: Option<Role>) -> Self {
        Self {
            key: row.key(),
            message_id: row.message_id(),
            number: row.number(),
            author: row.author().cloned(),
            role,
            body: body_of(row),
            reply_to: row.reply_to().cloned(),
            reactions: row.reactions().to_vec(),
            sent_at: row.sent_at(),
            edited: row.edited_at().is_some(),
            state: row.state(),
            due: None,
            changing: false,
            next: false,
        }
    }

    /// Whether the reader wrote it.
    pub fn is_own(&self) -> bool {
        matches!(self.key, RowKey::Own(_))
    }

    /// Its text, if it has one.
    pub fn text(&self) -> Option<&str> {
        match &self.body {
            Body::Text(text) => Some(text),
            Body::Deleted { .. } | Body::Unknown => None,
        }
    }

    fn follows(&self, before: &Self) -> bool {
        let author = |row: &Self| row.author.as_ref().map(|author| author.id);
        self.is_own() == before.is_own()
            && author(self) == author(before)
            && self.sent_at.since_ms(before.sent_at) < TOGETHER_MS
    }
}

fn body_of(row: Row<'_>) -> Body {
    match row {
        Row::Pending { pending, .. } => Body::Text(pending.body.clone()),
        Row::Accepted { message, .. } => match &message.content {
            Content::Text { body } => Body::Text(body.clone()),
            Content::Deleted { by_moderator, .. } => Body::Deleted {
                by_moderator: *by_moderator,
            },
            Content::Unknown => Body::Unknown,
        },
    }
}

/// Names a line for as long as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineKey {
    /// The beginning of a day.
    Day(i32),
    /// Where the unread begins.
    Unread,
    /// A row.
    Row(RowKey),
}

/// One line of the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A day begins.
    Day {
        /// The day, to tell it from others.
        day: i32,
        /// An instant of it.
        at: Timestamp,
    },
    /// The unread begins here.
    Unread,
    /// A row.
    Row(Box<RowData>),
}

impl Line {
    /// Which line.
    pub fn key(&self) -> LineKey {
        match self {
            Self::Day { day, .. } => LineKey::Day(*day),
            Self::Unread => LineKey::Unread,
            Self::Row(row) => LineKey::Row(row.key),
        }
    }
}

/// Puts days and the divider between rows, and rows of one author together. `unread_after` is the
/// last message that was read; `day_of` is the calendar of the reader's zone.
pub fn lay_out(
    rows: Vec<RowData>,
    unread_after: Option<Number>,
    day_of: impl Fn(Timestamp) -> i32,
) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::with_capacity(rows.len() + 4);
    let mut days = HashSet::new();
    let mut divided = false;
    for mut row in rows {
        let day = day_of(row.sent_at);
        // A clock that jumped back must not make a second line with the key of the first.
        if days.insert(day) {
            lines.push(Line::Day {
                day,
                at: row.sent_at,
            });
        }
        if !divided && is_unread(&row, unread_after) {
            divided = true;
            lines.push(Line::Unread);
        }
        if let Some(Line::Row(before)) = lines.last() {
            row.next = row.follows(before);
        }
        lines.push(Line::Row(Box::new(row)));
    }
    lines
}

fn is_unread(row: &RowData, unread_after: Option<Number>) -> bool {
    unread_after.is_some_and(|read| row.number.is_some_and(|number| number > read)) && !row.is_own()
}

#[cfg(test)]
mod tests {
    use chat_types::event::UserKind;
    use chat_types::id::UserId;
    use uuid::Uuid;

    use super::*;

    const DAY_MS: u64 = 86_400_000;

    fn row(number: u64, author: u128, sent_at: u64) -> RowData {
        RowData {
            key: RowKey::Other(MessageId::from_uuid(Uuid::from_u128(number.into()))),
            message_id: None,
            number: Some(Number(number)),
            author: Some(User {
                id: UserId::from_uuid(Uuid::from_u128(author)),
                name: "mina".to_owned(),
                kind: UserKind::Guest,
            }),
            role: None,
            body: Body::Text("hello".to_owned()),
            reply_to: None,
            reactions: Vec::new(),
            sent_at: Timestamp(sent_at),
            edited: false,
            state: RowState::Sent,
            due: None,
            changing: false,
            next: false,
        }
    }

    fn day(at: Timestamp) -> i32 {
        i32::try_from(at.0 / DAY_MS).unwrap()
    }

    fn drawn(lines: &[Line]) -> String {
        let sign = |line: &Line| match line {
            Line::Day { .. } => 'D',
            Line::Unread => 'U',
            Line::Row(row) if row.next => '.',
            Line::Row(_) => 'R',
        };
        lines.iter().map(sign).collect()
    }

    #[test]
    fn an_author_within_five_minutes_stands_together() {
        let rows = vec![
            row(1, 7, 0),
            row(2, 7, 299_999),
            row(3, 8, 300_000),
            row(4, 8, 700_000),
        ];
        assert_eq!(drawn(&lay_out(rows, None, day)), "DR.RR");
    }

    #[test]
    fn a_new_day_begins_with_its_name() {
        let rows = vec![row(1, 7, DAY_MS - 1), row(2, 7, DAY_MS)];
        assert_eq!(drawn(&lay_out(rows, None, day)), "DRDR");
    }

    #[test]
    fn a_clock_that_jumps_back_names_no_day_twice() {
        let rows = vec![row(1, 7, DAY_MS), row(2, 8, DAY_MS - 1), row(3, 7, DAY_MS)];
        let lines = lay_out(rows, None, day);
        let keys: HashSet<_> = lines.iter().map(Line::key).collect();
        assert_eq!(keys.len(), lines.len());
    }

    #[test]
    fn the_unread_begins_once_after_the_last_read_message() {
        let rows = vec![row(1, 7, 0), row(2, 7, 1), row(3, 7, 2)];
        assert_eq!(drawn(&lay_out(rows.clone(), Some(Number(1)), day)), "DRUR.");
        assert_eq!(drawn(&lay_out(rows, Some(Number(3)), day)), "DR..");
    }

    #[test]
    fn an_own_message_does_not_begin_the_unread() {
        let mut own = row(2, 7, 1);
        own.key = RowKey::Own(chat_types::id::ClientId::from_uuid(Uuid::from_u128(2)));
        assert_eq!(
            drawn(&lay_out(vec![row(1, 8, 0), own], Some(Number(1)), day)),
            "DRR"
        );
    }
}
