//! The accepted messages that are held of a room: a window of consecutive numbers.

use std::collections::BTreeMap;

use chat_types::event::{Content, Message, ReplyPreview};
use chat_types::id::{ClientId, MessageId, Number, Seq, UserId};

use crate::effect::Place;
use crate::row::RowKey;

/// The most messages held of one room.
pub(crate) const CAPACITY: usize = 10_000;
/// Characters of an answered message that are shown above the answer.
const EXCERPT_CHARS: usize = 120;

/// The window. `more_before` and `more_after` tell whether the room has messages beyond it.
#[derive(Default)]
pub(crate) struct Timeline {
    pub(crate) rows: BTreeMap<Number, Message>,
    pub(crate) by_id: BTreeMap<MessageId, Number>,
    pub(crate) own: BTreeMap<ClientId, Number>,
    pub(crate) more_before: bool,
    pub(crate) more_after: bool,
}

/// What putting a message into the window did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    Inserted(Place),
    Replaced,
    /// Held already as new as this, or outside of the window.
    Ignored,
}

/// The key of a message's row.
pub(crate) fn key_of(message: &Message, user: Option<UserId>) -> RowKey {
    if user == Some(message.author.id) {
        RowKey::Own(message.client_id)
    } else {
        RowKey::Other(message.id)
    }
}

/// The beginning of a message's text; empty when it has none any more.
pub(crate) fn excerpt(content: &Content) -> String {
    match content {
        Content::Text { body } => body.chars().take(EXCERPT_CHARS).collect(),
        Content::Deleted { .. } | Content::Unknown => String::new(),
    }
}

impl Timeline {
    pub(crate) fn get(&self, id: MessageId) -> Option<&Message> {
        self.rows.get(self.by_id.get(&id)?)
    }

    pub(crate) fn first(&self) -> Option<Number> {
        self.rows.first_key_value().map(|(number, _)| *number)
    }

    pub(crate) fn last(&self) -> Option<Number> {
        self.rows.last_key_value().map(|(number, _)| *number)
    }

    /// Starts the window anew.
    pub(crate) fn replace(&mut self, messages: Vec<Message>, user: Option<UserId>) {
        self.rows.clear();
        self.by_id.clear();
        self.own.clear();
        for message in messages {
            self.insert(message, user);
        }
    }

    /// Puts in a message that may be new, changed or known. `last_number` is the room's newest
    /// before it: a message beyond it is new, one before it is not taken into an empty window.
    pub(crate) fn put(
        &mut self,
        message: Message,
        live: bool,
        last_number: Number,
        user: Option<UserId>,
    ) -> Put {
        if let Some(held) = self.get(message.id) {
            // A live event does not know `mine`; at the same place what is held is as good or better.
            let known = held.seq > message.seq || (live && held.seq == message.seq);
            if known || *held == message {
                return Put::Ignored;
            }
            self.insert(message, user);
            return Put::Replaced;
        }
        let place = match (self.first(), self.last()) {
            (Some(_), Some(last)) if message.number > last => {
                if self.more_after {
                    return Put::Ignored;
                }
                if message.number > last_number {
                    Place::New
                } else {
                    Place::End
                }
            }
            (Some(first), Some(_)) if message.number > first => Place::Middle,
            (Some(_), Some(_)) if !self.more_before => Place::Start,
            (None, None) if self.more_after => return Put::Ignored,
            (None, None) if message.number > last_number => Place::New,
            // The room was empty when the window was made: nothing can be missing before it.
            (None, None) if !self.more_before => Place::End,
            _ => return Put::Ignored,
        };
        self.insert(message, user);
        Put::Inserted(place)
    }

    /// Puts in a message without asking.
    pub(crate) fn insert(&mut self, message: Message, user: Option<UserId>) {
        self.by_id.insert(message.id, message.number);
        // Number 1 is the first message that the room ever had.
        self.more_before &= message.number > Number(1);
        if user == Some(message.author.id) {
            self.own.insert(message.client_id, message.number);
        }
        self.rows.insert(message.number, message);
    }

    /// Changes a message unless it is as new already. Returns whether it did.
    pub(crate) fn change(
        &mut self,
        id: MessageId,
        seq: Seq,
        change: impl FnOnce(&mut Message),
    ) -> bool {
        let held = self
            .by_id
            .get(&id)
            .and_then(|number| self.rows.get_mut(number));
        let Some(message) = held.filter(|message| message.seq < seq) else {
            return false;
        };
        message.seq = seq;
        change(message);
        true
    }

    /// Rewrites what is shown of a message above its answers. Returns the answers that changed.
    pub(crate) fn refresh_previews(
        &mut self,
        change: impl Fn(&mut ReplyPreview) -> bool,
        user: Option<UserId>,
    ) -> Vec<RowKey> {
        let mut changed = Vec::new();
        for message in self.rows.values_mut() {
            if message.reply_to.as_mut().is_some_and(&change) {
                changed.push(key_of(message, user));
            }
        }
        changed
    }

    /// Shows above each answer what is held of the answered message. Returns the answers that
    /// changed.
    pub(crate) fn heal_previews(&mut self, user: Option<UserId>) -> Vec<RowKey> {
        let healed = self.rows.values().filter_map(|answer| {
            let preview = answer.reply_to.as_ref()?;
            let answered = self.get(preview.id)?;
            let healed = ReplyPreview {
                author: answered.author.name.clone(),
                excerpt: excerpt(&answered.content),
                ..preview.clone()
            };
            (healed != *preview).then_some((answer.number, healed))
        });
        let healed: Vec<(Number, ReplyPreview)> = healed.collect();
        let changed = healed.into_iter().filter_map(|(number, preview)| {
            let answer = self.rows.get_mut(&number)?;
            answer.reply_to = Some(preview);
            Some(key_of(answer, user))
        });
        changed.collect()
    }

    /// Learns which rows are the user's.
    pub(crate) fn claim(&mut self, user: Option<UserId>) {
        let own = self
            .rows
            .values()
            .filter(|message| user == Some(message.author.id));
        self.own.clear();
        // Not collected: that would sort them first, by code of its own.
        self.own.extend(own.map(|m| (m.client_id, m.number)));
    }

    /// Drops the first rows above the capacity.
    pub(crate) fn trim_start(&mut self, user: Option<UserId>) -> Vec<RowKey> {
        let mut dropped = Vec::new();
        while self.rows.len() > CAPACITY {
            let Some((_, message)) = self.rows.pop_first() else {
                break;
            };
            self.more_before = true;
            dropped.push(self.forget(&message, user));
        }
        dropped
    }

    /// Drops the last rows above the capacity.
    pub(crate) fn trim_end(&mut self, user: Option<UserId>) -> Vec<RowKey> {
        let mut dropped = Vec::new();
        while self.rows.len() > CAPACITY {
            let Some((_, message)) = self.rows.pop_last() else {
                break;
            };
            self.more_after = true;
            dropped.push(self.forget(&message, user));
        }
        dropped
    }

    fn forget(&mut self, message: &Message, user: Option<UserId>) -> RowKey {
        self.by_id.remove(&message.id);
        let key = key_of(message, user);
        if let RowKey::Own(client_id) = key {
            self.own.remove(&client_id);
        }
        key
    }
}
