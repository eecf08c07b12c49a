//! A reader who keeps the promise of the protocol: every change once and in order, and where the
//! server says that it cannot, from the store.

use std::collections::BTreeMap;

use chat_types::event::{Change, Content, Message};
use chat_types::id::{MessageId, RoomId, Seq};
use chat_types::ws::{Command, ServerDoc};
use tokio::time::timeout;

use super::{PATIENCE, Socket};

/// Somebody who follows one room.
pub struct Follower {
    socket: Socket,
    room: RoomId,
    cursor: Seq,
    pulling: bool,
    messages: BTreeMap<MessageId, Message>,
    /// How often the server sent this reader to the store.
    pub resyncs: u32,
}

impl Follower {
    pub async fn start(mut socket: Socket, room: RoomId) -> Self {
        let subbed = socket.follow(room).await;
        let messages = subbed.messages.into_iter().map(|it| (it.id, it)).collect();
        Self {
            socket,
            room,
            cursor: subbed.head,
            pulling: false,
            messages,
            resyncs: 0,
        }
    }

    /// Reads up to `head`.
    ///
    /// # Panics
    /// When an event repeats or leaves one out, or it takes too long.
    pub async fn reach(&mut self, head: Seq) {
        let reading = async {
            while self.cursor < head || self.pulling {
                let text = self.socket.next_text().await;
                self.take(serde_json::from_str(&text).unwrap()).await;
            }
        };
        let reached = timeout(PATIENCE, reading).await;
        assert!(reached.is_ok(), "at {} of {head}", self.cursor);
    }

    /// Texts with the counts of their reactions, in the order of the room.
    pub fn shown(&self) -> Vec<(String, Vec<(String, u32)>)> {
        let mut messages: Vec<_> = self.messages.values().collect();
        messages.sort_by_key(|message| message.number);
        messages.into_iter().map(shown).collect()
    }

    async fn take(&mut self, doc: ServerDoc) {
        match doc {
            ServerDoc::Ev(event) if event.room == self.room => {
                assert!(!self.pulling, "an event before the last page");
                assert_eq!(event.seq, self.cursor.next(), "a gap or a repeat");
                self.cursor = event.seq;
                self.apply(event.change);
            }
            ServerDoc::Resync { .. } => {
                self.resyncs += 1;
                self.pulling = true;
                self.pull().await;
            }
            ServerDoc::Page(page) => {
                page.changes
                    .into_iter()
                    .for_each(|it| self.apply(it.change));
                self.cursor = page.upto;
                self.pulling = page.more;
                if page.more {
                    self.pull().await;
                }
            }
            ServerDoc::Err(err) => panic!("{err:?}"),
            _ => {}
        }
    }

    async fn pull(&mut self) {
        let (id, room, after) = (self.socket.id(), self.room, self.cursor);
        let limit = 100;
        let sync = Command::Sync {
            id,
            room,
            after,
            limit,
        };
        self.socket.send(&sync).await;
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Message { message } => drop(self.messages.insert(message.id, *message)),
            Change::Edited {
                message_id, body, ..
            } => {
                self.message(message_id).content = Content::Text { body };
            }
            Change::Deleted {
                message_id,
                at,
                by_moderator,
            } => {
                let message = self.message(message_id);
                message.content = Content::Deleted { at, by_moderator };
                message.reactions.clear();
            }
            Change::Reacted {
                message_id,
                emoji,
                count,
                ..
            } => {
                let reactions = &mut self.message(message_id).reactions;
                reactions.retain(|it| it.emoji != emoji);
                if count > 0 {
                    let mine = false;
                    reactions.push(chat_types::event::Reaction { emoji, count, mine });
                }
            }
            _ => {}
        }
    }

    fn message(&mut self, id: MessageId) -> &mut Message {
        self.messages
            .get_mut(&id)
            .expect("a change of a message that came before")
    }
}

/// What a person sees of a message.
pub fn shown(message: &Message) -> (String, Vec<(String, u32)>) {
    let text = match &message.content {
        Content::Text { body } => body.clone(),
        _ => String::new(),
    };
    let mut reactions: Vec<_> = message
        .reactions
        .iter()
        .map(|it| (it.emoji.clone(), it.count))
        .collect();
    reactions.sort();
    (text, reactions)
}
