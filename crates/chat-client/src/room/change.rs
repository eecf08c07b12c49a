//! How a room changes: the one place where a [`Change`] meets what is held.

use chat_types::event::{Change, Content, Message, Reaction, User};
use chat_types::id::{ClientId, MessageId, Seq, UserId};
use chat_types::room::Member;

use super::timeline::{Put, excerpt, key_of};
use super::{RoomState, members};
use crate::effect::{Place, RoomChange};

/// What applying changes did, for the view and the outbox.
#[derive(Default)]
pub(crate) struct Applied {
    pub(crate) changes: Vec<RoomChange>,
    /// Own messages that the feed has brought.
    pub(crate) own: Vec<ClientId>,
    /// The user, where they have another name now.
    pub(crate) renamed: Option<User>,
}

/// Where a change comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The live feed: the same bytes for everybody.
    Live,
    /// A compacted list made for this reader.
    Compacted,
    /// Seen before, put once more over a page of history that is older.
    Replay,
}

impl RoomState {
    /// Applies one change. Changes that a row has seen already do nothing to it, so overlapping
    /// pages are harmless.
    pub(crate) fn apply(
        &mut self,
        user: Option<UserId>,
        seq: Seq,
        change: Change,
        source: Source,
        applied: &mut Applied,
    ) {
        match change {
            Change::Message { message } => self.put(user, *message, source, applied),
            Change::Edited {
                message_id,
                body,
                edited_at,
            } => {
                let content = Content::Text { body };
                let shown = excerpt(&content);
                self.change_message(user, message_id, seq, applied, |message| {
                    message.content = content;
                    message.edited_at = Some(edited_at);
                });
                self.refresh_excerpt(user, message_id, &shown, applied);
            }
            Change::Deleted {
                message_id,
                at,
                by_moderator,
            } => {
                self.change_message(user, message_id, seq, applied, |message| {
                    message.content = Content::Deleted { at, by_moderator };
                    message.reactions.clear();
                    message.pinned = false;
                });
                self.refresh_excerpt(user, message_id, "", applied);
            }
            Change::Reacted {
                message_id,
                user_id,
                emoji,
                on,
                count,
            } => {
                let mine = (user == Some(user_id)).then_some(on);
                self.change_message(user, message_id, seq, applied, |message| {
                    react(&mut message.reactions, emoji, count, mine);
                });
            }
            Change::Pinned { message_id, on } => {
                self.change_message(user, message_id, seq, applied, |message| {
                    message.pinned = on;
                });
            }
            Change::Member { member } => {
                self.rename_author(user, &member.user, applied);
                if source != Source::Replay {
                    self.put_member(user, member, applied);
                }
            }
            Change::MemberLeft { user_id } if source != Source::Replay => {
                self.remove_member(user, user_id, applied);
            }
            Change::Room { room } if source != Source::Replay => {
                self.room = Some(room);
                applied.changes.push(RoomChange::Meta);
            }
            Change::MemberLeft { .. } | Change::Room { .. } | Change::Unknown => {}
        }
    }

    fn put(
        &mut self,
        user: Option<UserId>,
        message: Message,
        source: Source,
        applied: &mut Applied,
    ) {
        let key = key_of(&message, user);
        let number = message.number;
        let rewritten =
            message.edited_at.is_some() || !matches!(message.content, Content::Text { .. });
        let shown = rewritten.then(|| (message.id, excerpt(&message.content)));
        if user == Some(message.author.id) {
            applied.own.push(message.client_id);
        }
        self.stop_typing(message.author.id, applied);

        let live = source == Source::Live;
        match self.timeline.put(message, live, self.last_number, user) {
            Put::Inserted(place) => applied.changes.push(RoomChange::Inserted {
                keys: vec![key],
                place,
            }),
            Put::Replaced => applied.changes.push(RoomChange::Updated(key)),
            Put::Ignored => {}
        }
        if number > self.last_number {
            self.last_number = number;
            applied.changes.push(RoomChange::Read);
        }
        if let Some((id, excerpt)) = shown {
            self.refresh_excerpt(user, id, &excerpt, applied);
        }
        let dropped = self.timeline.trim_start(user);
        if !dropped.is_empty() {
            applied.changes.push(RoomChange::History);
        }
        let dropped = dropped.into_iter().map(RoomChange::Removed);
        applied.changes.extend(dropped);
    }

    fn change_message(
        &mut self,
        user: Option<UserId>,
        id: MessageId,
        seq: Seq,
        applied: &mut Applied,
        change: impl FnOnce(&mut Message),
    ) {
        if self.timeline.change(id, seq, change)
            && let Some(message) = self.timeline.get(id)
        {
            let key = key_of(message, user);
            applied.changes.push(RoomChange::Updated(key));
        }
    }

    fn refresh_excerpt(
        &mut self,
        user: Option<UserId>,
        id: MessageId,
        excerpt: &str,
        applied: &mut Applied,
    ) {
        let changed = self.timeline.refresh_previews(
            |preview| {
                let stale = preview.id == id && preview.excerpt != excerpt;
                if stale {
                    excerpt.clone_into(&mut preview.excerpt);
                }
                stale
            },
            user,
        );
        let changed = changed.into_iter().map(RoomChange::Updated);
        applied.changes.extend(changed);
    }

    fn rename_author(&mut self, user: Option<UserId>, author: &User, applied: &mut Applied) {
        let mut changed = Vec::new();
        let mut written = Vec::new();
        for message in self.timeline.rows.values_mut() {
            if message.author.id == author.id {
                written.push(message.id);
                if message.author != *author {
                    message.author.clone_from(author);
                    changed.push(key_of(message, user));
                }
            }
        }
        let answers = self.timeline.refresh_previews(
            |preview| {
                let stale = preview.author != author.name && written.contains(&preview.id);
                if stale {
                    preview.author.clone_from(&author.name);
                }
                stale
            },
            user,
        );
        let rows = changed.into_iter().chain(answers);
        applied.changes.extend(rows.map(RoomChange::Updated));
        if user == Some(author.id) {
            applied.renamed = Some(author.clone());
        }
    }

    fn put_member(&mut self, user: Option<UserId>, member: Member, applied: &mut Applied) {
        if user == Some(member.user.id) {
            self.me = Some(member.clone());
        }
        members::put(&mut self.members, member);
        applied.changes.push(RoomChange::Members);
    }

    fn remove_member(&mut self, user: Option<UserId>, left: UserId, applied: &mut Applied) {
        if user == Some(left) {
            self.me = None;
        }
        members::remove(&mut self.members, left);
        applied.changes.push(RoomChange::Members);
    }

    fn stop_typing(&mut self, author: UserId, applied: &mut Applied) {
        let before = self.typing.len();
        self.typing.retain(|typist| typist.user.id != author);
        if self.typing.len() != before {
            applied.changes.push(RoomChange::Typing);
        }
    }

    /// Puts history that was loaded before the window's first row, or after its last.
    pub(crate) fn put_page(
        &mut self,
        user: Option<UserId>,
        messages: Vec<Message>,
        place: Place,
        applied: &mut Applied,
    ) {
        let mut keys = Vec::new();
        for message in messages {
            if self.timeline.get(message.id).is_none() {
                keys.push(key_of(&message, user));
                self.timeline.insert(message, user);
            }
        }
        if !keys.is_empty() {
            applied.changes.push(RoomChange::Inserted { keys, place });
        }
    }
}

fn react(reactions: &mut Vec<Reaction>, emoji: String, count: u32, mine: Option<bool>) {
    let at = reactions
        .iter()
        .position(|reaction| reaction.emoji == emoji);
    if count == 0 {
        reactions.retain(|reaction| reaction.emoji != emoji);
        return;
    }
    let known = at.and_then(|at| reactions.get_mut(at));
    match known {
        Some(reaction) => {
            reaction.count = count;
            reaction.mine = mine.unwrap_or(reaction.mine);
        }
        None => reactions.push(Reaction {
            emoji,
            count,
            mine: mine.unwrap_or(false),
        }),
    }
}
