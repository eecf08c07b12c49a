//! What there is to show of a room.

use chat_types::event::{Message, User};
use chat_types::id::{Epoch, MessageId, Number, Seq, UserId};
use chat_types::room::{Member, MembersSummary, Role, Room};
use chat_types::time::Timestamp;

use super::timeline::key_of;
use super::{HistoryState, Presence, RoomState, RoomStatus};
use crate::client::Commands;
use crate::row::{Pending, Row, RowKey};

/// What there is to show of a followed room. Borrowed from the client, cheap to copy.
#[derive(Clone, Copy)]
pub struct RoomView<'a> {
    pub(crate) state: &'a RoomState,
    pub(crate) outbox: &'a [Pending],
    pub(crate) held: Option<(RowKey, Timestamp)>,
    pub(crate) commands: &'a Commands,
    pub(crate) user: Option<&'a User>,
    pub(crate) id: chat_types::id::RoomId,
}

impl<'a> RoomView<'a> {
    /// Whether it is followed.
    pub fn status(self) -> RoomStatus {
        self.state.status
    }

    /// The place in the room's feed up to which everything was applied; `None` before the first
    /// snapshot.
    pub fn cursor(self) -> Option<Seq> {
        self.state.cursor()
    }

    /// Which history the cursor belongs to.
    pub fn epoch(self) -> Option<&'a Epoch> {
        self.state.epoch.as_ref()
    }

    /// Its name, kind, topic and state; `None` until the server has told.
    pub fn room(self) -> Option<&'a Room> {
        self.state.room.as_ref()
    }

    /// Every row in the order of the screen: accepted messages by number, then the user's own that
    /// are on their way in the order of sending.
    pub fn rows(self) -> impl Iterator<Item = Row<'a>> {
        self.accepted(Number(0)).chain(self.pending())
    }

    /// Accepted rows from this number on, in rising order.
    pub fn accepted(self, from: Number) -> impl DoubleEndedIterator<Item = Row<'a>> {
        self.state
            .timeline
            .rows
            .range(from..)
            .map(move |(_, message)| self.row_of(message))
    }

    /// The user's own rows on their way, in the order of sending. They belong below the newest
    /// message: while [`RoomView::more_after`], a view may leave them out.
    pub fn pending(self) -> impl DoubleEndedIterator<Item = Row<'a>> {
        self.outbox
            .iter()
            .filter(move |pending| pending.room == self.id)
            .map(move |pending| Row::Pending {
                pending,
                author: self.user,
            })
    }

    /// The next of them while nothing is under way, and from when on the server's limit lets it go.
    pub fn held(self) -> Option<(RowKey, Timestamp)> {
        self.held
    }

    /// The row of a key.
    pub fn row(self, key: RowKey) -> Option<Row<'a>> {
        match key {
            RowKey::Other(id) => self.message(id).map(|message| self.row_of(message)),
            RowKey::Own(client_id) => {
                let number = self.state.timeline.own.get(&client_id);
                let accepted = number.and_then(|number| self.state.timeline.rows.get(number));
                match accepted {
                    Some(message) => Some(self.row_of(message)),
                    None => self.pending().find(|row| row.key() == key),
                }
            }
        }
    }

    /// An accepted message that is held.
    pub fn message(self, id: MessageId) -> Option<&'a Message> {
        let number = self.state.timeline.by_id.get(&id)?;
        self.state.timeline.rows.get(number)
    }

    /// Whether an edit, a deletion, a reaction or a pin of this message waits for its answer.
    pub fn is_changing(self, id: MessageId) -> bool {
        self.commands.concern(id)
    }

    /// How many accepted rows are held. Their numbers are consecutive.
    pub fn accepted_len(self) -> usize {
        self.state.timeline.rows.len()
    }

    /// Whether the room has messages before the first that is held.
    pub fn more_before(self) -> bool {
        self.state.timeline.more_before
    }

    /// Whether the room has messages after the last that is held, which are not added by
    /// themselves: load [`Span::Newer`](crate::Span::Newer) or [`Latest`](crate::Span::Latest).
    pub fn more_after(self) -> bool {
        self.state.timeline.more_after
    }

    /// How the loading of history goes.
    pub fn history(self) -> HistoryState {
        self.state.history
    }

    /// Who belongs to the room: how many, and the first 100.
    pub fn members(self) -> &'a MembersSummary {
        &self.state.members
    }

    /// The user's own membership.
    pub fn me(self) -> Option<&'a Member> {
        self.state.me.as_ref()
    }

    /// The user's role; `None` when they are not a member.
    pub fn role(self) -> Option<Role> {
        self.me().map(|me| me.role)
    }

    /// The role of a user, as far as they are listed.
    pub fn role_of(self, user: UserId) -> Option<Role> {
        let members = &self.state.members.listed;
        members.iter().find(|m| m.user.id == user).map(|m| m.role)
    }

    /// Who is typing, the user themselves left out.
    pub fn typing(self) -> impl Iterator<Item = &'a User> {
        let typists = self.state.typing.iter().map(|typist| &typist.user);
        let own = self.user.map(|user| user.id);
        typists.filter(move |user| Some(user.id) != own)
    }

    /// Who is here.
    pub fn presence(self) -> &'a Presence {
        &self.state.presence
    }

    /// Up to which message the user has read.
    pub fn read(self) -> Number {
        self.state.read
    }

    /// The number of the room's newest message, held or not; 0 when there is none.
    pub fn last_number(self) -> Number {
        self.state.last_number
    }

    /// How many messages the user has not read.
    pub fn unread_count(self) -> u64 {
        self.last_number().0.saturating_sub(self.read().0)
    }

    fn row_of(self, message: &'a Message) -> Row<'a> {
        let key = key_of(message, self.user.map(|user| user.id));
        Row::Accepted { key, message }
    }
}
