//! A reader as plain as can be: what it holds of a room and how changes move that. The suite compares
//! it with what the store loads afresh.

use std::collections::BTreeMap;

use chat_types::event::{Change, Content, Event, Message, Reaction, SeqChange, User};
use chat_types::id::{MessageId, RoomId, Seq, UserId};
use chat_types::room::{Member, Room};

use super::given::{Shared, fresh, load_members};
use crate::Start;

/// A whole room.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Model {
    pub(crate) room: Room,
    pub(crate) head: Seq,
    pub(crate) messages: BTreeMap<MessageId, Message>,
    pub(crate) members: BTreeMap<UserId, Member>,
}

impl Model {
    /// The room as a fresh load shows it.
    pub(crate) async fn load(store: &Shared, room: RoomId) -> Self {
        let snapshot = fresh(store, room).await;
        let Start::Fresh {
            messages,
            more_before: false,
        } = snapshot.start
        else {
            panic!("not the whole room");
        };
        let members = load_members(store, room, 100).await;
        assert_eq!(snapshot.record.members_count as usize, members.len());
        Self {
            room: snapshot.record.room,
            head: snapshot.record.head,
            messages: messages.into_iter().map(|m| (m.id, m)).collect(),
            members: members.into_iter().map(|m| (m.user.id, m)).collect(),
        }
    }

    /// Applies a live event, which must be the next one.
    pub(crate) fn apply_live(&mut self, event: Event) {
        assert_eq!(event.room, self.room.id);
        assert_eq!(event.seq, self.head.next(), "events are contiguous");
        self.apply(SeqChange {
            seq: event.seq,
            change: event.change,
        });
    }

    /// Applies a resume that reaches `head`.
    pub(crate) fn apply_resume(&mut self, changes: Vec<SeqChange>, head: Seq) {
        for change in changes {
            assert!(change.seq > self.head, "changes come by rising seq");
            self.apply(change);
        }
        self.head = head;
    }

    fn apply(&mut self, SeqChange { seq, change }: SeqChange) {
        self.head = seq;
        match change {
            Change::Message { message } => {
                assert_eq!(message.seq, seq);
                let id = message.id;
                self.messages.insert(id, *message);
                self.refresh_previews(id);
            }
            Change::Edited {
                message_id,
                body,
                edited_at,
            } => {
                let message = self.touch(message_id, seq);
                message.content = Content::Text { body };
                message.edited_at = Some(edited_at);
                self.refresh_previews(message_id);
            }
            Change::Deleted {
                message_id,
                at,
                by_moderator,
            } => {
                let message = self.touch(message_id, seq);
                message.content = Content::Deleted { at, by_moderator };
                message.reactions.clear();
                message.pinned = false;
                self.refresh_previews(message_id);
            }
            Change::Reacted {
                message_id,
                emoji,
                count,
                ..
            } => count_reaction(self.touch(message_id, seq), emoji, count),
            Change::Pinned { message_id, on } => self.touch(message_id, seq).pinned = on,
            Change::Member { member } => {
                self.rename(&member.user);
                self.members.insert(member.user.id, member);
            }
            Change::MemberLeft { user_id } => drop(self.members.remove(&user_id)),
            Change::Room { room } => self.room = room,
            Change::Unknown => panic!("a store sends what it knows"),
        }
    }

    fn touch(&mut self, id: MessageId, seq: Seq) -> &mut Message {
        let message = self.messages.get_mut(&id).expect("a message that is known");
        message.seq = seq;
        message
    }

    fn rename(&mut self, user: &User) {
        let mut renamed = Vec::new();
        for message in self.messages.values_mut() {
            if message.author.id == user.id {
                message.author = user.clone();
                renamed.push(message.id);
            }
        }
        for id in renamed {
            self.refresh_previews(id);
        }
    }

    /// Shows the message as it is now above its answers.
    fn refresh_previews(&mut self, id: MessageId) {
        let answered = &self.messages[&id];
        let author = answered.author.name.clone();
        let excerpt: String = match &answered.content {
            Content::Text { body } => body.chars().take(120).collect(),
            Content::Deleted { .. } | Content::Unknown => String::new(),
        };
        for message in self.messages.values_mut() {
            if let Some(preview) = &mut message.reply_to
                && preview.id == id
            {
                preview.author.clone_from(&author);
                preview.excerpt.clone_from(&excerpt);
            }
        }
    }
}

fn count_reaction(message: &mut Message, emoji: String, count: u32) {
    let known = message.reactions.iter_mut().find(|r| r.emoji == emoji);
    match known {
        Some(_) if count == 0 => message.reactions.retain(|r| r.emoji != emoji),
        Some(reaction) => reaction.count = count,
        None => message.reactions.push(Reaction {
            emoji,
            count,
            mine: false,
        }),
    }
}
