//! What a room consists of and how it changes: messages, members, and the room's one ordered feed.
//!
//! Every durable change takes the next [`Seq`] of its room. Live, a change travels as an [`Event`]
//! with identical bytes for every reader. Missed changes come as a compacted list: current rows
//! whose newest change is after the cursor, so their `seq` rise but are not contiguous.

use serde::{Deserialize, Serialize};

use crate::id::{ClientId, MessageId, Number, RoomId, Seq, UserId};
use crate::room::{Member, Room};
use crate::time::Timestamp;

/// What kind of user this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum UserKind {
    /// Joined with a nickname, has no password. Always marked as such beside staff.
    Guest,
    /// Has a password, or another way to sign in.
    Account,
    /// A kind that this reader does not know.
    #[serde(other)]
    Unknown,
}

/// A user as others see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct User {
    /// Who.
    pub id: UserId,
    /// The name to show. Untrusted text: show it isolated and escaped.
    pub name: String,
    /// Guest or account.
    pub kind: UserKind,
}

/// A message as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Message {
    /// Which message.
    pub id: MessageId,
    /// Its number in the room.
    pub number: Number,
    /// The `seq` of its newest change.
    pub seq: Seq,
    /// Who wrote it, named as they are named now.
    pub author: User,
    /// The id that its author's client chose: "mine" is the same author and the same client id.
    pub client_id: ClientId,
    /// When the server accepted it.
    pub sent_at: Timestamp,
    /// What it says, or that it was deleted.
    pub content: Content,
    /// When it was last edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyPreview>,
    /// Whether it is pinned.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pinned: bool,
    /// Reactions in the order in which each emoji was first used. `mine` is set only in answers to
    /// one reader; a live event cannot know it and carries none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reaction>,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    /// Text with the service's markup; untrusted.
    Text {
        /// The text as its author wrote it.
        body: String,
    },
    /// A tombstone: the message was deleted and its text is gone.
    Deleted {
        /// When.
        at: Timestamp,
        /// Whether somebody other than the author deleted it.
        #[serde(default, skip_serializing_if = "is_false")]
        by_moderator: bool,
    },
    /// Content that this reader does not know: show a placeholder.
    #[serde(other)]
    Unknown,
}

/// Enough of an answered message to show it above the answer. It is the text at the time of
/// reading, cut to 120 characters; empty when that message was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReplyPreview {
    /// The answered message.
    pub id: MessageId,
    /// Its number, to jump to it.
    pub number: Number,
    /// The name of its author.
    pub author: String,
    /// The beginning of its text.
    pub excerpt: String,
}

/// One emoji under a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reaction {
    /// The emoji.
    pub emoji: String,
    /// How many users chose it.
    pub count: u32,
    /// Whether the reader is one of them.
    #[serde(default, skip_serializing_if = "is_false")]
    pub mine: bool,
}

/// A change of a room, at its place in the room's feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SeqChange {
    /// The place in the feed.
    pub seq: Seq,
    /// What changed.
    pub change: Change,
}

/// What changed in a room. Applying a change twice is the same as applying it once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// A message as it is now: live for a new one, in a compacted list for any change of it.
    /// Replaces what the reader has under this id.
    Message {
        /// The whole message.
        message: Box<Message>,
    },
    /// A message has another text.
    Edited {
        /// Which message.
        message_id: MessageId,
        /// The new text.
        body: String,
        /// When.
        edited_at: Timestamp,
    },
    /// A message was deleted: drop its text, its reactions and its pin.
    Deleted {
        /// Which message.
        message_id: MessageId,
        /// When.
        at: Timestamp,
        /// Whether somebody other than the author deleted it.
        #[serde(default, skip_serializing_if = "is_false")]
        by_moderator: bool,
    },
    /// A user put an emoji under a message or took it away.
    Reacted {
        /// Which message.
        message_id: MessageId,
        /// Who.
        user_id: UserId,
        /// Which emoji.
        emoji: String,
        /// Put or taken away.
        on: bool,
        /// How many have it there now; 0 removes it.
        count: u32,
    },
    /// A message was pinned or unpinned.
    Pinned {
        /// Which message.
        message_id: MessageId,
        /// Pinned or not.
        on: bool,
    },
    /// Somebody is a member now, or a member's name, kind or role changed. Renames the author of
    /// that user's messages.
    Member {
        /// The member as they are now.
        member: Member,
    },
    /// Somebody is no longer a member.
    MemberLeft {
        /// Who.
        user_id: UserId,
    },
    /// The room's name, topic or state changed.
    Room {
        /// The room as it is now.
        room: Room,
    },
    /// A change that this reader does not know: advance the cursor over it.
    #[serde(other)]
    Unknown,
}

/// One sequenced push, the only kind of message that advances a cursor. `at` is when it was
/// committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Event {
    /// In which room.
    pub room: RoomId,
    /// The place in the room's feed: exactly one more than the event before.
    pub seq: Seq,
    /// When it was committed.
    pub at: Timestamp,
    /// What changed.
    pub change: Change,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
fn is_false(value: &bool) -> bool {
    !value
}
