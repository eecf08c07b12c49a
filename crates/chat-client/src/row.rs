//! Rows of a timeline: accepted messages and, after them, the user's own that are being sent.

use std::fmt;

use chat_types::decode::{Decode, Fields};
use chat_types::event::{Content, Message, Reaction, ReplyPreview, User};
use chat_types::id::{ClientId, MessageId, Number, RoomId};
use chat_types::problem::ErrorCode;
use chat_types::text::TextReason;
use chat_types::time::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// Names a row for as long as it is shown: an own message keeps its key when it is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKey {
    /// A message of the user.
    Own(ClientId),
    /// A message of somebody else.
    Other(MessageId),
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(id) => id.fmt(f),
            Self::Other(id) => id.fmt(f),
        }
    }
}

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pending {
    /// To which room.
    pub room: RoomId,
    /// Its id over every retry.
    pub client_id: ClientId,
    /// The text.
    pub body: String,
    /// The message that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyPreview>,
    /// When the user sent it, by this device's clock.
    pub at: Timestamp,
    /// How far it is.
    pub state: PendingState,
}

impl Decode for Pending {
    fn decode(tree: Value) -> Option<Self> {
        let mut fields = Fields::of(tree)?;
        Some(Self {
            room: fields.need("room")?,
            client_id: fields.need("client_id")?,
            body: fields.need("body")?,
            reply_to: fields.may("reply_to")?,
            at: fields.need("at")?,
            state: fields.may("state")?,
        })
    }
}

/// How far a message on its way is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum PendingState {
    /// Waiting or under way; it is tried again by itself.
    #[default]
    Sending,
    /// Accepted; its place in the timeline is not known here yet.
    Accepted {
        /// Its id.
        id: MessageId,
        /// Its number in the room.
        number: Number,
        /// Its place in the room's feed.
        seq: chat_types::id::Seq,
    },
    /// Refused for good; a person may retry or discard it.
    Failed {
        /// Why.
        code: ErrorCode,
        /// Why the text was refused.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<TextReason>,
    },
}

impl Decode for PendingState {
    fn decode(tree: Value) -> Option<Self> {
        let mut fields = Fields::of(tree)?;
        let word: String = fields.need("is")?;
        match word.as_str() {
            "sending" => Some(Self::Sending),
            "accepted" => Some(Self::Accepted {
                id: fields.need("id")?,
                number: fields.need("number")?,
                seq: fields.need("seq")?,
            }),
            "failed" => Some(Self::Failed {
                code: fields.need("code")?,
                reason: fields.may("reason")?,
            }),
            _ => None,
        }
    }
}

/// How far a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowState {
    /// Accepted by the server.
    Sent,
    /// Waiting or under way.
    Sending,
    /// Refused for good.
    Failed {
        /// Why.
        code: ErrorCode,
        /// Why the text was refused.
        reason: Option<TextReason>,
    },
}

/// One row of a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row<'a> {
    /// An accepted message.
    Accepted {
        /// The row's key.
        key: RowKey,
        /// The message as it is now.
        message: &'a Message,
    },
    /// A message of the user on its way.
    Pending {
        /// The message.
        pending: &'a Pending,
        /// The user, where they are known.
        author: Option<&'a User>,
    },
}

impl<'a> Row<'a> {
    /// The row's key.
    pub fn key(&self) -> RowKey {
        match self {
            Self::Accepted { key, .. } => *key,
            Self::Pending { pending, .. } => RowKey::Own(pending.client_id),
        }
    }

    /// Whether the user wrote it.
    pub fn is_own(&self) -> bool {
        matches!(self.key(), RowKey::Own(_))
    }

    /// How far it is.
    pub fn state(&self) -> RowState {
        match self {
            Self::Accepted { .. } => RowState::Sent,
            Self::Pending { pending, .. } => match pending.state {
                PendingState::Sending => RowState::Sending,
                PendingState::Accepted { .. } => RowState::Sent,
                PendingState::Failed { code, reason } => RowState::Failed { code, reason },
            },
        }
    }

    /// The message's id, once it is accepted.
    pub fn message_id(&self) -> Option<MessageId> {
        match self {
            Self::Accepted { message, .. } => Some(message.id),
            Self::Pending { pending, .. } => match pending.state {
                PendingState::Accepted { id, .. } => Some(id),
                PendingState::Sending | PendingState::Failed { .. } => None,
            },
        }
    }

    /// The message's number, once it is accepted.
    pub fn number(&self) -> Option<Number> {
        match self {
            Self::Accepted { message, .. } => Some(message.number),
            Self::Pending { pending, .. } => match pending.state {
                PendingState::Accepted { number, .. } => Some(number),
                PendingState::Sending | PendingState::Failed { .. } => None,
            },
        }
    }

    /// Who wrote it; `None` for an own row before the first connect of a session.
    pub fn author(&self) -> Option<&'a User> {
        match self {
            Self::Accepted { message, .. } => Some(&message.author),
            Self::Pending { author, .. } => *author,
        }
    }

    /// Its text; `None` for a deleted message or content that this build does not know.
    pub fn body(&self) -> Option<&'a str> {
        match self {
            Self::Accepted { message, .. } => match &message.content {
                Content::Text { body } => Some(body),
                Content::Deleted { .. } | Content::Unknown => None,
            },
            Self::Pending { pending, .. } => Some(&pending.body),
        }
    }

    /// Whether it was deleted.
    pub fn is_deleted(&self) -> bool {
        matches!(self, Self::Accepted { message, .. } if matches!(message.content, Content::Deleted { .. }))
    }

    /// When it was sent.
    pub fn sent_at(&self) -> Timestamp {
        match self {
            Self::Accepted { message, .. } => message.sent_at,
            Self::Pending { pending, .. } => pending.at,
        }
    }

    /// When it was last edited.
    pub fn edited_at(&self) -> Option<Timestamp> {
        match self {
            Self::Accepted { message, .. } => message.edited_at,
            Self::Pending { .. } => None,
        }
    }

    /// The message that it answers.
    pub fn reply_to(&self) -> Option<&'a ReplyPreview> {
        match self {
            Self::Accepted { message, .. } => message.reply_to.as_ref(),
            Self::Pending { pending, .. } => pending.reply_to.as_ref(),
        }
    }

    /// The emoji under it.
    pub fn reactions(&self) -> &'a [Reaction] {
        match self {
            Self::Accepted { message, .. } => &message.reactions,
            Self::Pending { .. } => &[],
        }
    }
}
