//! Rooms, members and sites, and the HTTP requests about them.

use serde::{Deserialize, Serialize};

use crate::event::{Message, User};
use crate::id::{Epoch, InviteCode, MessageId, Number, PageKey, RoomId, Seq, SiteKey, UserId};
use crate::time::Timestamp;

/// What kind of room this is. It never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RoomKind {
    /// Belongs to one page of a site; made on the first visit; anyone reads, guests join.
    Page,
    /// Listed in the directory; anyone reads, signed-in users and guests join.
    Public,
    /// By invitation only.
    Private,
    /// Between two users.
    Direct,
    /// A kind that this reader does not know.
    #[serde(other)]
    Unknown,
}

/// What a member may do in a room, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A guest who wrote here.
    Guest,
    /// A member with an account.
    Member,
    /// Deletes, mutes, bans.
    Moderator,
    /// All of that, and the room's settings.
    Owner,
    /// A role that this reader does not know; it is shown without a badge.
    #[serde(other)]
    Unknown,
}

impl Role {
    /// Orders roles by power, 0 for one that is not known.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Guest => 1,
            Self::Member => 2,
            Self::Moderator => 3,
            Self::Owner => 4,
        }
    }
}

/// A room as its readers see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Room {
    /// Which room.
    pub id: RoomId,
    /// What kind.
    pub kind: RoomKind,
    /// The name to show; untrusted text. Empty in a direct room: show the other member.
    pub name: String,
    /// One line about the room; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub topic: String,
    /// Nobody writes here any more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub archived: bool,
    /// Only moderators write here.
    #[serde(default, skip_serializing_if = "is_false")]
    pub read_only: bool,
    /// When the room was made.
    pub created_at: Timestamp,
}

/// A user in a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Member {
    /// Who.
    pub user: User,
    /// What they may do here.
    pub role: Role,
    /// Since when they are a member.
    pub joined_at: Timestamp,
}

/// Who belongs to a room, as far as a reader needs it at once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MembersSummary {
    /// How many there are.
    pub count: u32,
    /// The first of them, highest role first, then longest membership; at most 100.
    pub listed: Vec<Member>,
}

/// A room in the caller's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomSummary {
    /// The room.
    pub room: Room,
    /// The `seq` of its newest change.
    pub head: Seq,
    /// Which history `head` belongs to.
    pub epoch: Epoch,
    /// The number of its newest message; 0 when there is none.
    pub last_number: Number,
    /// When its newest message was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    /// Up to which message the caller has read.
    #[serde(default)]
    pub read: Number,
    /// The caller's role; absent when they are not a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// How many members the room has.
    pub members_count: u32,
    /// The other one, in a direct room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<User>,
}

/// `POST /v1/rooms`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreateRoom {
    /// Public or private; the other kinds have endpoints of their own.
    pub kind: RoomKind,
    /// The name, 1 to 60 characters.
    pub name: String,
    /// One line about the room, up to 200 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub topic: String,
}

/// `PATCH /v1/rooms/{room}`: what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UpdateRoom {
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A new topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Archive or bring back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
    /// Only moderators write, or everyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
}

/// `POST /v1/pages`: the room of a page, made if this is its first visit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OpenPage {
    /// The site that embeds.
    pub site: SiteKey,
    /// The page within the site.
    pub page: PageKey,
    /// The page's title, used as the room's name when it is made; cut to 60 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// `POST /v1/directs`: the direct room with a user, made if there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OpenDirect {
    /// The other one.
    pub user: UserId,
}

/// A list of rooms, newest activity first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomPage {
    /// The rooms of this page.
    pub rooms: Vec<RoomSummary>,
    /// The cursor of the next page; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A page of members, in the order of [`MembersSummary::listed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MemberPage {
    /// The members of this page.
    pub members: Vec<Member>,
    /// The cursor of the next page; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `POST /v1/rooms/{room}/invites`: a link by which somebody may join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreateInvite {
    /// After how many milliseconds it ends; absent: after 7 days; at most 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_ms: Option<u64>,
}

/// An invite link's secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Invite {
    /// The code; shown once, stored hashed.
    pub code: InviteCode,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// `POST /v1/invites`: joins by an invite. The code travels in the body, so no log of URLs has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AcceptInvite {
    /// The code from the link.
    pub code: InviteCode,
}

/// `POST /v1/rooms/{room}/messages`, and the HTTP form of a socket's `send`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SendMessage {
    /// Chosen once, kept over every retry.
    pub client_id: crate::id::ClientId,
    /// The text, 1 to 4,000 characters.
    pub body: String,
    /// The message that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
}

/// The acknowledgement of a message: it is committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sent {
    /// The message's id.
    pub id: MessageId,
    /// Its place in the feed when it was created.
    pub seq: Seq,
    /// Its number in the room.
    pub number: Number,
    /// When it was accepted.
    pub at: Timestamp,
    /// Whether it had been accepted before; these are then the first acknowledgement's values.
    #[serde(default, skip_serializing_if = "is_false")]
    pub duplicate: bool,
}

/// `PATCH /v1/rooms/{room}/messages/{message}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EditMessage {
    /// The new text, 1 to 4,000 characters.
    pub body: String,
}

/// `PUT /v1/rooms/{room}/messages/{message}/reactions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct React {
    /// One emoji.
    pub emoji: String,
    /// Put it or take it away.
    pub on: bool,
}

/// `PUT /v1/rooms/{room}/messages/{message}/pin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pin {
    /// Pin it or not.
    pub on: bool,
}

/// The acknowledgement of any other change: it is committed at this place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Changed {
    /// The place in the feed; that of the last change when this one changed nothing.
    pub seq: Seq,
}

/// `GET /v1/rooms/{room}/messages`: history, newest page first, each page in rising number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct History {
    /// Which history this is.
    pub epoch: Epoch,
    /// The feed's position of the snapshot that this page was read from.
    pub head: Seq,
    /// The messages, in rising number, tombstones included.
    pub messages: Vec<Message>,
    /// Whether there are older messages than the first of these.
    pub more_before: bool,
    /// Whether there are newer messages than the last of these.
    pub more_after: bool,
}

/// The query of `GET /v1/rooms/{room}/messages`. At most one of the three cursors.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HistoryQuery {
    /// Messages with a smaller number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Number>,
    /// Messages with a larger number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Number>,
    /// Messages on both sides of this number, for permalinks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub around: Option<Number>,
    /// How many, 1 to 100; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// The query of a list that goes on by cursor.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListQuery {
    /// The `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many, 1 to 100; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// `PUT /v1/rooms/{room}/read`, the HTTP form of a socket's `read`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MarkRead {
    /// Read up to this message. It only moves forward.
    pub number: Number,
}

/// `GET /v1/sites/{site}`: what the front end needs to embed a site's rooms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Site {
    /// Which site.
    pub key: SiteKey,
    /// Origins whose pages may embed its rooms; `*` is any.
    pub origins: Vec<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
fn is_false(value: &bool) -> bool {
    !value
}
