//! How a client reads what a server sends: the text becomes a tree of JSON, and each type takes its
//! fields from there.
//!
//! The derived `Deserialize` says the same and reads anything else that serde can. In the browser it
//! costs a visitor for each type and each kind of input, a tenth of the module; this is one small
//! function for each type. The tests of the wire hold both to the same answers.

mod leaf;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::account::{Empty, Me, Meta, OfferedName, Session, SessionList, SignedIn, Tokens};
use crate::event::{
    Change, Content, Event, Message, Reaction, ReplyPreview, SeqChange, User, UserKind,
};
use crate::id::{
    ClientId, ConnectionId, Epoch, InviteCode, MessageId, Number, RequestId, RoomId, Seq,
    SessionId, SiteKey, UserId,
};
use crate::limits::Limits;
use crate::problem::{ErrorCode, Problem};
use crate::room::{
    Changed, History, Invite, Member, MemberPage, MembersSummary, Role, Room, RoomKind, RoomPage,
    RoomSummary, Sent, Site,
};
use crate::text::TextReason;
use crate::time::Timestamp;
use crate::ws::{Ephemeral, Err, Head, Ok, Page, ServerDoc, Subbed, UnsubReason, Welcome};

/// What a server sends.
pub trait Decode: Sized {
    /// Takes it out of a tree; `None` where the tree has something else.
    fn decode(tree: Value) -> Option<Self>;
}

/// Reads a document; `None` where the text is something else.
pub fn from_text<T: Decode>(text: &str) -> Option<T> {
    T::decode(serde_json::from_str(text).ok()?)
}

/// The fields of an object. What nobody takes is of a later version.
pub struct Fields(Map<String, Value>);

impl Fields {
    /// The fields of a tree that is an object.
    pub fn of(tree: Value) -> Option<Self> {
        match tree {
            Value::Object(fields) => Some(Self(fields)),
            _ => None,
        }
    }

    /// Takes a field that has to be there.
    pub fn need<T: Decode>(&mut self, name: &str) -> Option<T> {
        T::decode(self.0.remove(name)?)
    }

    /// Takes a field that may be absent.
    pub fn may<T: Decode + Default>(&mut self, name: &str) -> Option<T> {
        match self.0.remove(name) {
            Some(tree) => T::decode(tree),
            None => Some(T::default()),
        }
    }

    /// What was not taken.
    pub fn rest(self) -> Value {
        Value::Object(self.0)
    }
}

impl<T: Decode> Decode for Option<T> {
    fn decode(tree: Value) -> Option<Self> {
        match tree {
            Value::Null => Some(None),
            tree => Some(Some(T::decode(tree)?)),
        }
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(tree: Value) -> Option<Self> {
        match tree {
            Value::Array(trees) => trees.into_iter().map(T::decode).collect(),
            _ => None,
        }
    }
}

impl<T: Decode> Decode for Box<T> {
    fn decode(tree: Value) -> Option<Self> {
        T::decode(tree).map(Self::new)
    }
}

/// Leaves of the tree: single words, texts and numbers, which serde reads well enough.
macro_rules! leaves {
    ($($type:ident)*) => {$(
        impl Decode for $type {
            fn decode(tree: Value) -> Option<Self> {
                Self::deserialize(leaf::Leaf(tree)).ok()
            }
        }
    )*};
}

leaves! {
    bool u16 u32 u64 String
    ClientId ConnectionId Epoch InviteCode MessageId Number RequestId RoomId Seq SessionId SiteKey
    Timestamp UserId
    ErrorCode Role RoomKind TextReason UnsubReason UserKind
}

/// Objects: the fields that have to be there, and after the `;` those that may be absent.
macro_rules! objects {
    ($($type:ident { $($need:ident)* $(; $($may:ident)*)? })*) => {$(
        impl Decode for $type {
            fn decode(tree: Value) -> Option<Self> {
                let mut fields = Fields::of(tree)?;
                Some(Self {
                    $($need: fields.need(stringify!($need))?,)*
                    $($($may: fields.may(stringify!($may))?,)*)?
                })
            }
        }
    )*};
}

objects! {
    Welcome { id connection server oldest_client now limits ping_interval_ms; user caps }
    Ok { id; seq sent }
    Err { code message retry; id retry_after_ms reason }
    Subbed {
        id room epoch head recovered last_number members;
        changes messages more_before read me
    }
    Page { id room epoch changes upto head more }
    Head { room seq }
    Limits {
        message_chars frame_bytes rooms_per_connection frames_per_second frames_burst
        sends_per_window send_window_ms
    }

    User { id name kind }
    Message { id number seq author client_id sent_at content; edited_at reply_to pinned reactions }
    ReplyPreview { id number author excerpt }
    Reaction { emoji count; mine }
    SeqChange { seq change }
    Event { room seq at change }

    Room { id kind name created_at; topic archived read_only }
    Member { user role joined_at }
    MembersSummary { count listed }
    RoomSummary { room head epoch last_number members_count; last_at read role peer }
    RoomPage { rooms; next }
    MemberPage { members; next }
    Invite { code expires_at }
    Sent { id seq number at; duplicate }
    Changed { seq }
    History { epoch head messages more_before more_after }
    Site { key origins }

    Tokens { access_token expires_in_ms refresh_token }
    SignedIn { user session tokens }
    Me { user session; username }
    Session { id created_at last_used_at device current }
    SessionList { sessions }
    OfferedName { name }
    Meta { version protocols oldest_client now limits }
}

impl Decode for Empty {
    fn decode(tree: Value) -> Option<Self> {
        Fields::of(tree).map(|_| Self {})
    }
}

impl Decode for Problem {
    fn decode(tree: Value) -> Option<Self> {
        let mut fields = Fields::of(tree)?;
        Some(Self {
            kind: fields.need("type")?,
            title: fields.need("title")?,
            status: fields.need("status")?,
            detail: fields.may("detail")?,
            code: fields.need("code")?,
            retry: fields.need("retry")?,
            retry_after_ms: fields.may("retry_after_ms")?,
            field: fields.may("field")?,
            reason: fields.may("reason")?,
            request_id: fields.may("request_id")?,
        })
    }
}

/// One of several objects, told apart by the word in their field `$tag`. An unknown word is `Unknown`.
macro_rules! tagged {
    ($type:ident by $tag:literal { $($word:literal => $variant:ident $shape:tt)* }) => {
        impl Decode for $type {
            fn decode(tree: Value) -> Option<Self> {
                let mut fields = Fields::of(tree)?;
                let word: String = fields.need($tag)?;
                Some(match word.as_str() {
                    $($word => tagged!(@ fields $variant $shape),)*
                    _ => Self::Unknown,
                })
            }
        }
    };
    (@ $fields:ident $variant:ident (whole)) => {
        Self::$variant(Decode::decode($fields.rest())?)
    };
    (@ $fields:ident $variant:ident { $($need:ident)* $(; $($may:ident)*)? }) => {
        Self::$variant {
            $($need: $fields.need(stringify!($need))?,)*
            $($($may: $fields.may(stringify!($may))?,)*)?
        }
    };
}

tagged! {
    ServerDoc by "t" {
        "welcome" => Welcome(whole)
        "ok" => Ok(whole)
        "err" => Err(whole)
        "subbed" => Subbed(whole)
        "page" => Page(whole)
        "ev" => Ev(whole)
        "eph" => Eph { room data }
        "resync" => Resync { room }
        "unsubbed" => Unsubbed { room reason }
        "room_added" => RoomAdded { summary }
        "ping" => Ping { ; heads }
        "auth_soon" => AuthSoon { expires_in_ms }
        "going_away" => GoingAway { retry_ms }
        "notice" => Notice { text }
    }
}

tagged! {
    Ephemeral by "kind" {
        "typing" => Typing { user }
        "presence" => Presence { count; users }
        "read" => Read { number }
    }
}

tagged! {
    Change by "kind" {
        "message" => Message { message }
        "edited" => Edited { message_id body edited_at }
        "deleted" => Deleted { message_id at; by_moderator }
        "reacted" => Reacted { message_id user_id emoji on count }
        "pinned" => Pinned { message_id on }
        "member" => Member { member }
        "member_left" => MemberLeft { user_id }
        "room" => Room { room }
    }
}

tagged! {
    Content by "kind" {
        "text" => Text { body }
        "deleted" => Deleted { at; by_moderator }
    }
}
