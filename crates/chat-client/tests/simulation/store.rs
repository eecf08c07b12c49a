//! The model's store: rooms as the protocol describes them, and nothing that the client shares.

use std::collections::BTreeMap;

use chat_types::event::{
    Change, Content, Event, Message, Reaction, ReplyPreview, SeqChange, User, UserKind,
};
use chat_types::id::{ClientId, Epoch, MessageId, Number, RoomId, Seq, UserId};
use chat_types::room::{History, HistoryQuery, Member, MembersSummary, Role, Room, RoomKind, Sent};
use chat_types::time::Timestamp;
use uuid::Uuid;

/// A message with who reacted.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) id: MessageId,
    pub(crate) number: u64,
    pub(crate) created: u64,
    pub(crate) seq: u64,
    pub(crate) author: UserId,
    pub(crate) client_id: ClientId,
    sent_at: Timestamp,
    pub(crate) content: Content,
    edited_at: Option<Timestamp>,
    reply_to: Option<MessageId>,
    pinned: bool,
    reactions: Vec<(String, Vec<UserId>)>,
}

#[derive(Clone)]
struct Membership {
    seq: u64,
    role: Role,
    joined_at: Timestamp,
}

/// A room with all of its history.
#[derive(Clone)]
pub(crate) struct ModelRoom {
    pub(crate) room: Room,
    room_seq: u64,
    pub(crate) epoch: u64,
    pub(crate) head: u64,
    pub(crate) rows: Vec<Row>,
    members: BTreeMap<UserId, Membership>,
    left: BTreeMap<UserId, u64>,
    pub(crate) read: BTreeMap<UserId, u64>,
}

/// What a `send` did.
pub(crate) enum Wrote {
    New(Sent, Event),
    Duplicate(Sent),
    Conflict,
}

/// All that outlives a restart.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) rooms: BTreeMap<RoomId, ModelRoom>,
    pub(crate) users: BTreeMap<UserId, User>,
    last_id: u128,
    last_epoch: u64,
}

impl Store {
    pub(crate) fn add_user(&mut self, n: u64, kind: UserKind) -> UserId {
        let id = UserId::from_uuid(Uuid::from_u128(0xA000 + u128::from(n)));
        let name = format!("user {n}");
        self.users.insert(id, User { id, name, kind });
        id
    }

    pub(crate) fn add_room(&mut self, n: u64) -> RoomId {
        let id = RoomId::from_uuid(Uuid::from_u128(0xB000 + u128::from(n)));
        let room = Room {
            id,
            kind: RoomKind::Public,
            name: format!("room {n}"),
            topic: String::new(),
            archived: false,
            read_only: false,
            created_at: Timestamp(1),
        };
        self.last_epoch += 1;
        let model = ModelRoom {
            room,
            room_seq: 0,
            epoch: self.last_epoch,
            head: 0,
            rows: Vec::new(),
            members: BTreeMap::new(),
            left: BTreeMap::new(),
            read: BTreeMap::new(),
        };
        self.rooms.insert(id, model);
        id
    }

    pub(crate) fn write(
        &mut self,
        now: Timestamp,
        room: RoomId,
        author: UserId,
        client_id: ClientId,
        body: &str,
        reply_to: Option<MessageId>,
    ) -> Option<(Wrote, Option<Event>)> {
        self.last_id += 1;
        let id = MessageId::from_uuid(Uuid::from_u128(0xC_0000 + self.last_id));
        let model = self.rooms.get_mut(&room)?;
        let known = model
            .rows
            .iter()
            .find(|row| row.author == author && row.client_id == client_id);
        if let Some(row) = known {
            let same = match &row.content {
                Content::Text { body: stored } => stored == body || row.edited_at.is_some(),
                _ => true,
            };
            if !same {
                return Some((Wrote::Conflict, None));
            }
            let sent = Sent {
                id: row.id,
                seq: Seq(row.created),
                number: Number(row.number),
                at: row.sent_at,
                duplicate: true,
            };
            return Some((Wrote::Duplicate(sent), None));
        }
        let joined = if model.members.contains_key(&author) {
            None
        } else {
            model.head += 1;
            let membership = Membership {
                seq: model.head,
                role: Role::Member,
                joined_at: now,
            };
            model.members.insert(author, membership);
            model.left.remove(&author);
            Some(model.head)
        };
        model.head += 1;
        let number = model.rows.len() as u64 + 1;
        let reply_to = reply_to.filter(|id| model.rows.iter().any(|row| row.id == *id));
        model.rows.push(Row {
            id,
            number,
            created: model.head,
            seq: model.head,
            author,
            client_id,
            sent_at: now,
            content: Content::Text {
                body: body.to_owned(),
            },
            edited_at: None,
            reply_to,
            pinned: false,
            reactions: Vec::new(),
        });
        let sent = Sent {
            id,
            seq: Seq(model.head),
            number: Number(number),
            at: now,
            duplicate: false,
        };
        let message = Box::new(self.message(room, number, None)?);
        let event = Self::event(now, room, sent.seq.0, Change::Message { message });
        let joined = joined.and_then(|seq| {
            let member = self.member(room, author)?;
            Some(Self::event(now, room, seq, Change::Member { member }))
        });
        Some((Wrote::New(sent, event), joined))
    }

    /// Breaks the promise of one message per client id: the next write does not know it.
    pub(crate) fn forget_client_id(&mut self, room: RoomId, client_id: ClientId) {
        let Some(model) = self.rooms.get_mut(&room) else {
            return;
        };
        for row in model
            .rows
            .iter_mut()
            .filter(|row| row.client_id == client_id)
        {
            row.client_id = ClientId::from_uuid(Uuid::from_u128(row.number.into()));
        }
    }

    fn event(at: Timestamp, room: RoomId, seq: u64, change: Change) -> Event {
        let seq = Seq(seq);
        Event {
            room,
            seq,
            at,
            change,
        }
    }

    /// Changes a message that is not deleted; `None` when there is none.
    pub(crate) fn change(
        &mut self,
        now: Timestamp,
        room: RoomId,
        id: MessageId,
        change: impl FnOnce(&mut Row, Timestamp) -> Change,
    ) -> Option<Event> {
        let model = self.rooms.get_mut(&room)?;
        let row = model.rows.iter_mut().find(|row| row.id == id)?;
        if matches!(row.content, Content::Deleted { .. }) {
            return None;
        }
        model.head += 1;
        row.seq = model.head;
        let change = change(row, now);
        let seq = model.head;
        Some(Self::event(now, room, seq, change))
    }

    pub(crate) fn set_topic(
        &mut self,
        now: Timestamp,
        room: RoomId,
        topic: String,
    ) -> Option<Event> {
        let model = self.rooms.get_mut(&room)?;
        model.head += 1;
        model.room_seq = model.head;
        model.room.topic = topic;
        let change = Change::Room {
            room: model.room.clone(),
        };
        let seq = model.head;
        Some(Self::event(now, room, seq, change))
    }

    /// Gives a user another name, in every room of theirs. Nothing in the feed names somebody who
    /// left, so here nobody does both.
    pub(crate) fn rename(&mut self, now: Timestamp, user: UserId, name: String) -> Vec<Event> {
        let mut rooms = self.rooms.values();
        let left = rooms.any(|room| room.left.contains_key(&user));
        if left {
            return Vec::new();
        }
        if let Some(user) = self.users.get_mut(&user) {
            user.name = name;
        }
        self.touch_member(now, user, |_| {})
    }

    /// Gives a member another role in every room of theirs.
    pub(crate) fn promote(&mut self, now: Timestamp, user: UserId, role: Role) -> Vec<Event> {
        self.touch_member(now, user, |membership| membership.role = role)
    }

    fn touch_member(
        &mut self,
        now: Timestamp,
        user: UserId,
        change: impl Fn(&mut Membership),
    ) -> Vec<Event> {
        let mut events = Vec::new();
        let rooms: Vec<RoomId> = self.rooms.keys().copied().collect();
        for room in rooms {
            let Some(model) = self.rooms.get_mut(&room) else {
                continue;
            };
            let Some(membership) = model.members.get_mut(&user) else {
                continue;
            };
            model.head += 1;
            membership.seq = model.head;
            change(membership);
            let seq = model.head;
            if let Some(member) = self.member(room, user) {
                events.push(Self::event(now, room, seq, Change::Member { member }));
            }
        }
        events
    }

    pub(crate) fn leave(&mut self, now: Timestamp, room: RoomId, user: UserId) -> Option<Event> {
        if !self.users.get(&user)?.name.starts_with("user") {
            return None;
        }
        let model = self.rooms.get_mut(&room)?;
        model.members.remove(&user)?;
        model.head += 1;
        model.left.insert(user, model.head);
        let seq = model.head;
        Some(Self::event(
            now,
            room,
            seq,
            Change::MemberLeft { user_id: user },
        ))
    }

    /// Restores a backup that lacks the last `without` messages. Returns who wrote what is lost.
    pub(crate) fn restore(&mut self, room: RoomId, without: usize) -> Vec<ClientId> {
        self.last_epoch += 1;
        let Some(model) = self.rooms.get_mut(&room) else {
            return Vec::new();
        };
        let keep = model.rows.len().saturating_sub(without);
        let gone = model.rows.split_off(keep);
        model.epoch = self.last_epoch;
        let rows = model.rows.iter().map(|row| row.seq);
        let members = model.members.values().map(|membership| membership.seq);
        let others = model.left.values().copied().chain([model.room_seq]);
        model.head = rows.chain(members).chain(others).max().unwrap_or(0);
        let last = keep as u64;
        for read in model.read.values_mut() {
            *read = (*read).min(last);
        }
        gone.into_iter().map(|row| row.client_id).collect()
    }

    pub(crate) fn member(&self, room: RoomId, user: UserId) -> Option<Member> {
        let membership = self.rooms.get(&room)?.members.get(&user)?;
        Some(Member {
            user: self.users.get(&user)?.clone(),
            role: membership.role,
            joined_at: membership.joined_at,
        })
    }

    pub(crate) fn members(&self, room: RoomId) -> MembersSummary {
        let Some(model) = self.rooms.get(&room) else {
            return MembersSummary::default();
        };
        let mut listed: Vec<Member> = model
            .members
            .keys()
            .filter_map(|user| self.member(room, *user))
            .collect();
        listed.sort_by_key(|member| {
            let rank = std::cmp::Reverse(member.role.rank());
            (rank, member.joined_at, member.user.id)
        });
        MembersSummary {
            count: u32::try_from(listed.len()).expect("a small room"),
            listed,
        }
    }

    /// A message as it is now, for a reader.
    pub(crate) fn message(
        &self,
        room: RoomId,
        number: u64,
        viewer: Option<UserId>,
    ) -> Option<Message> {
        let model = self.rooms.get(&room)?;
        let row = model
            .rows
            .get(usize::try_from(number).ok()?.checked_sub(1)?)?;
        let reactions = row.reactions.iter().map(|(emoji, users)| Reaction {
            emoji: emoji.clone(),
            count: u32::try_from(users.len()).expect("a small room"),
            mine: viewer.is_some_and(|viewer| users.contains(&viewer)),
        });
        Some(Message {
            id: row.id,
            number: Number(row.number),
            seq: Seq(row.seq),
            author: self.users.get(&row.author)?.clone(),
            client_id: row.client_id,
            sent_at: row.sent_at,
            content: row.content.clone(),
            edited_at: row.edited_at,
            reply_to: row.reply_to.and_then(|id| self.preview(model, id)),
            pinned: row.pinned,
            reactions: reactions.collect(),
        })
    }

    fn preview(&self, model: &ModelRoom, id: MessageId) -> Option<ReplyPreview> {
        let row = model.rows.iter().find(|row| row.id == id)?;
        let excerpt = match &row.content {
            Content::Text { body } => body.chars().take(120).collect(),
            _ => String::new(),
        };
        Some(ReplyPreview {
            id,
            number: Number(row.number),
            author: self.users.get(&row.author)?.name.clone(),
            excerpt,
        })
    }

    /// Current rows that changed after a place, by rising place.
    pub(crate) fn changes_after(
        &self,
        room: RoomId,
        after: u64,
        viewer: Option<UserId>,
    ) -> Vec<SeqChange> {
        let Some(model) = self.rooms.get(&room) else {
            return Vec::new();
        };
        let mut changes = Vec::new();
        for row in model.rows.iter().filter(|row| row.seq > after) {
            if let Some(message) = self.message(room, row.number, viewer) {
                let message = Box::new(message);
                changes.push((row.seq, Change::Message { message }));
            }
        }
        for (user, membership) in &model.members {
            if membership.seq > after
                && let Some(member) = self.member(room, *user)
            {
                changes.push((membership.seq, Change::Member { member }));
            }
        }
        for (user_id, seq) in &model.left {
            if *seq > after {
                changes.push((*seq, Change::MemberLeft { user_id: *user_id }));
            }
        }
        if model.room_seq > after {
            let room = model.room.clone();
            changes.push((model.room_seq, Change::Room { room }));
        }
        changes.sort_by_key(|(seq, _)| *seq);
        let changes = changes.into_iter();
        changes
            .map(|(seq, change)| SeqChange {
                seq: Seq(seq),
                change,
            })
            .collect()
    }

    /// The messages with these numbers, as far as there are any.
    pub(crate) fn messages(
        &self,
        room: RoomId,
        first: u64,
        last: u64,
        viewer: Option<UserId>,
    ) -> Vec<Message> {
        (first..=last)
            .filter_map(|number| self.message(room, number, viewer))
            .collect()
    }

    pub(crate) fn history(
        &self,
        room: RoomId,
        query: &HistoryQuery,
        page: u64,
        viewer: Option<UserId>,
    ) -> Option<History> {
        let model = self.rooms.get(&room)?;
        let newest = model.rows.len() as u64;
        let (first, last) = match (query.before, query.after, query.around) {
            (Some(before), _, _) => (before.0.saturating_sub(page), before.0.saturating_sub(1)),
            (_, Some(after), _) => (after.0 + 1, after.0 + page),
            (_, _, Some(around)) => (around.0.saturating_sub(page / 2), around.0 + page / 2),
            _ => ((newest + 1).saturating_sub(page), newest),
        };
        let (first, last) = (first.max(1), last.min(newest));
        Some(History {
            epoch: epoch(model.epoch),
            head: Seq(model.head),
            messages: self.messages(room, first, last, viewer),
            more_before: first.min(newest + 1) > 1,
            more_after: last < newest,
        })
    }
}

impl Row {
    pub(crate) fn edit(&mut self, body: String, at: Timestamp) -> Change {
        self.content = Content::Text { body: body.clone() };
        self.edited_at = Some(at);
        Change::Edited {
            message_id: self.id,
            body,
            edited_at: at,
        }
    }

    pub(crate) fn delete(&mut self, at: Timestamp, by_moderator: bool) -> Change {
        self.content = Content::Deleted { at, by_moderator };
        self.reactions.clear();
        self.pinned = false;
        Change::Deleted {
            message_id: self.id,
            at,
            by_moderator,
        }
    }

    pub(crate) fn pin(&mut self, on: bool) -> Change {
        self.pinned = on;
        Change::Pinned {
            message_id: self.id,
            on,
        }
    }

    pub(crate) fn react(&mut self, user: UserId, emoji: String, on: bool) -> Change {
        let known = self.reactions.iter().position(|(known, _)| *known == emoji);
        let at = known.unwrap_or_else(|| {
            self.reactions.push((emoji.clone(), Vec::new()));
            self.reactions.len() - 1
        });
        let users = &mut self.reactions[at].1;
        users.retain(|known| *known != user);
        if on {
            users.push(user);
        }
        let count = u32::try_from(users.len()).expect("a small room");
        self.reactions.retain(|(_, users)| !users.is_empty());
        Change::Reacted {
            message_id: self.id,
            user_id: user,
            emoji,
            on,
            count,
        }
    }
}

pub(crate) fn epoch(n: u64) -> Epoch {
    Epoch(format!("epoch {n}"))
}
