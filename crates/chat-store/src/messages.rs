//! Messages: append exactly once, change, page through.

use std::pin::Pin;

use async_trait::async_trait;
use chat_types::event::{Change, Content, Event, Message, ReplyPreview, User};
use chat_types::id::{ClientId, MessageId, Number, RoomId, Seq, UserId};
use chat_types::room::{History, Role, Sent};
use chat_types::text::{Emoji, MessageBody};
use chat_types::time::Timestamp;

use crate::Result;

/// A message to be appended.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// The new message's id.
    pub id: MessageId,
    /// To which room.
    pub room: RoomId,
    /// Who writes.
    pub author: UserId,
    /// The sender's own id of the message.
    pub client_id: ClientId,
    /// What it says.
    pub body: MessageBody,
    /// The message that it answers.
    pub reply_to: Option<MessageId>,
    /// The role with which the author becomes a member if they are none yet.
    pub joins_as: Role,
    /// Now.
    pub at: Timestamp,
}

impl NewMessage {
    /// What it is once it has its place in the room: the acknowledgement, and the event as a load shows
    /// the message. `author` and `reply_to` are what its author and what it answers are then.
    pub fn at_place(
        &self,
        seq: Seq,
        number: Number,
        author: User,
        reply_to: Option<ReplyPreview>,
    ) -> Appended {
        let message = Message {
            id: self.id,
            number,
            seq,
            author,
            client_id: self.client_id,
            content: Content::Text {
                body: self.body.as_str().to_owned(),
            },
            sent_at: self.at,
            edited_at: None,
            pinned: false,
            reply_to,
            reactions: Vec::new(),
        };
        let event = Event {
            room: self.room,
            seq,
            at: self.at,
            change: Change::Message {
                message: Box::new(message),
            },
        };
        let sent = Sent {
            id: self.id,
            seq,
            number,
            at: self.at,
            duplicate: false,
        };
        Appended {
            sent,
            events: vec![event],
        }
    }
}

/// A message that is committed.
#[derive(Debug, Clone)]
pub struct Appended {
    /// The acknowledgement; with `duplicate`, that of the first time.
    pub sent: Sent,
    /// The changes to publish, by rising `seq`: the author's new membership if there is one, then
    /// the message. Empty for a duplicate.
    pub events: Vec<Event>,
}

/// A message on its way into the store. Dropped, it goes on; only nobody hears what became of it.
pub type Appending = Pin<Box<dyn Future<Output = Result<Appended>> + Send>>;

/// Another text for a message.
#[derive(Debug, Clone)]
pub struct EditMessage {
    /// In which room.
    pub room: RoomId,
    /// Which message.
    pub id: MessageId,
    /// Who does it.
    pub by: UserId,
    /// The new text.
    pub body: MessageBody,
    /// Now.
    pub at: Timestamp,
}

/// The end of a message's text.
#[derive(Debug, Clone)]
pub struct DeleteMessage {
    /// In which room.
    pub room: RoomId,
    /// Which message.
    pub id: MessageId,
    /// Who does it.
    pub by: UserId,
    /// Whether somebody other than the author does it.
    pub by_moderator: bool,
    /// Now.
    pub at: Timestamp,
}

/// An emoji put under a message or taken away.
#[derive(Debug, Clone)]
pub struct SetReaction {
    /// In which room.
    pub room: RoomId,
    /// Which message.
    pub id: MessageId,
    /// Who.
    pub user: UserId,
    /// Which emoji.
    pub emoji: Emoji,
    /// Put or take away.
    pub on: bool,
    /// Now.
    pub at: Timestamp,
}

/// A message pinned or unpinned.
#[derive(Debug, Clone)]
pub struct SetPin {
    /// In which room.
    pub room: RoomId,
    /// Which message.
    pub id: MessageId,
    /// Who does it.
    pub by: UserId,
    /// Pin or unpin.
    pub on: bool,
    /// Now.
    pub at: Timestamp,
}

/// Where a page of history lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryFrom {
    /// The newest messages.
    Newest,
    /// The messages just before this number.
    Before(Number),
    /// The messages just after this number.
    After(Number),
    /// The messages around this number, itself included.
    Around(Number),
}

/// Messages.
///
/// What a room accepts is decided in the transaction that writes, because the room and the
/// membership may have changed since the caller looked. Private and direct rooms take messages and
/// changes of messages only from members. An archived room takes no message, edit or reaction; a
/// read-only one only those of its moderators and owners.
#[async_trait]
pub trait Messages {
    /// Appends a message. A new author becomes a member where that is all that it takes: in public
    /// and page rooms.
    ///
    /// Reading: an author who had read everything before has read the own message too; otherwise the
    /// read position stays, so that what others wrote stays unread.
    ///
    /// Order: within a room, `seq` and `number` rise in the order of commits, both without gaps. The
    /// call itself queues the message, what it returns only waits: of two calls for one author and
    /// room, one after the other on this node, the first takes the lower number if both are appended.
    /// Repeats: the same `(room, author, client_id)` returns the first acknowledgement for ever and
    /// takes neither `seq` nor `number`. The text of the repeat must be the same unless the message
    /// was edited or deleted since: then its first text is gone and cannot be compared.
    /// Concurrency: any number of calls; the store may commit several in one transaction, and one
    /// that fails does not touch its neighbours.
    ///
    /// # Errors
    /// `NotFound(Room)`, `NotFound(User)`, `NotFound(Membership)`, `Conflict(ReadOnly)`,
    /// `NotFound(Message)` when the answered message is not in the room,
    /// `Conflict(ClientIdReused)`, `LimitReached` as [`join`](crate::Memberships::join) for a new
    /// member, `Unavailable`. A repeat is answered whatever became of the room
    /// and of the membership since.
    fn append(&self, message: NewMessage) -> Appending;

    /// What [`append`](Self::append) answers to a repeat, without a write; `None` when no message
    /// with this `(room, author, client_id)` is committed.
    ///
    /// # Errors
    /// `Conflict(ClientIdReused)`.
    async fn appended(&self, message: &NewMessage) -> Result<Option<Sent>>;

    /// A message as it is now, seen by `viewer` (whose reactions are marked).
    async fn message(
        &self,
        room: RoomId,
        id: MessageId,
        viewer: Option<UserId>,
    ) -> Result<Option<Message>>;

    /// Who has a reaction under one of these messages, each once, at most `limit` of them.
    async fn reactors(&self, messages: &[MessageId], limit: u32) -> Result<Vec<UserId>>;

    /// Gives a message another text; `None` when it says that already. The old text is gone.
    ///
    /// # Errors
    /// `NotFound(Room)`, `NotFound(Membership)`, `Conflict(ReadOnly)`, `NotFound(Message)`,
    /// `Conflict(MessageDeleted)`.
    async fn edit_message(&self, edit: EditMessage) -> Result<Option<Event>>;

    /// Deletes a message: its body, reactions and pin are gone, a tombstone stays; `None` when it
    /// was deleted before.
    ///
    /// # Errors
    /// `NotFound(Room)`, `NotFound(Membership)`, `NotFound(Message)`.
    async fn delete_message(&self, delete: DeleteMessage) -> Result<Option<Event>>;

    /// Puts an emoji under a message or takes it away; `None` when it is so already.
    ///
    /// # Errors
    /// `NotFound(Room)`, `NotFound(Membership)`, `Conflict(ReadOnly)`, `NotFound(Message)`,
    /// `Conflict(MessageDeleted)`, `LimitReached` for one more kind of emoji than [`REACTIONS_PER_MESSAGE`](chat_types::limits::REACTIONS_PER_MESSAGE).
    async fn set_reaction(&self, reaction: SetReaction) -> Result<Option<Event>>;

    /// Pins a message or unpins it; `None` when it is so already.
    ///
    /// # Errors
    /// `NotFound(Room)`, `NotFound(Membership)`, `NotFound(Message)`, `Conflict(MessageDeleted)`.
    async fn set_pin(&self, pin: SetPin) -> Result<Option<Event>>;

    /// A page of history, read from one snapshot.
    ///
    /// # Errors
    /// `NotFound(Room)`.
    async fn history(
        &self,
        room: RoomId,
        viewer: Option<UserId>,
        from: HistoryFrom,
        limit: u32,
    ) -> Result<History>;
}
