//! Values on their way between rows and records.

use chat_store::TokenHash;
use chat_types::event::{User, UserKind};
use chat_types::id::{Number, Seq, UserId};
use chat_types::room::{Role, RoomKind};
use chat_types::time::Timestamp;
use uuid::Uuid;

use crate::error::{Failure, Result};

/// A number of the wire (below 2^53 there) as SQLite's signed integer.
pub(crate) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn natural(value: i64, column: &'static str) -> Result<u64> {
    u64::try_from(value).map_err(|_| Failure::damaged(column))
}

pub(crate) fn count(value: i64, column: &'static str) -> Result<u32> {
    u32::try_from(value).map_err(|_| Failure::damaged(column))
}

pub(crate) fn seq(value: i64) -> Result<Seq> {
    natural(value, "seq").map(Seq)
}

pub(crate) fn number(value: i64) -> Result<Number> {
    natural(value, "number").map(Number)
}

pub(crate) fn instant(value: i64) -> Result<Timestamp> {
    natural(value, "an instant").map(Timestamp)
}

pub(crate) fn instant_or_none(value: Option<i64>) -> Result<Option<Timestamp>> {
    value.map(instant).transpose()
}

pub(crate) fn role(rank: i64) -> Result<Role> {
    match rank {
        1 => Ok(Role::Guest),
        2 => Ok(Role::Member),
        3 => Ok(Role::Moderator),
        4 => Ok(Role::Owner),
        _ => Err(Failure::damaged("memberships.role")),
    }
}

pub(crate) fn user_kind(text: &str) -> Result<UserKind> {
    match text {
        "guest" => Ok(UserKind::Guest),
        "account" => Ok(UserKind::Account),
        _ => Err(Failure::damaged("users.kind")),
    }
}

pub(crate) fn room_kind(text: &str) -> Result<RoomKind> {
    match text {
        "page" => Ok(RoomKind::Page),
        "public" => Ok(RoomKind::Public),
        "private" => Ok(RoomKind::Private),
        "direct" => Ok(RoomKind::Direct),
        _ => Err(Failure::damaged("rooms.kind")),
    }
}

pub(crate) fn room_kind_text(kind: RoomKind) -> Result<&'static str> {
    match kind {
        RoomKind::Page => Ok("page"),
        RoomKind::Public => Ok("public"),
        RoomKind::Private => Ok("private"),
        RoomKind::Direct => Ok("direct"),
        RoomKind::Unknown => Err(Failure::damaged("an unknown kind of room")),
    }
}

pub(crate) fn user(id: Uuid, name: String, kind: &str) -> Result<User> {
    Ok(User {
        id: UserId::from_uuid(id),
        name,
        kind: user_kind(kind)?,
    })
}

/// A hash as a bound value.
pub(crate) fn hash(hash: &TokenHash) -> Vec<u8> {
    hash.0.to_vec()
}

/// Ids as the JSON that a statement unpacks with `unhex`.
pub(crate) fn ids_as_json<'a>(ids: impl Iterator<Item = &'a Uuid>) -> String {
    strings_as_json(ids.map(|id| id.simple().to_string()))
}

/// Texts as a JSON array, which a statement unpacks.
pub(crate) fn strings_as_json(texts: impl Iterator<Item = String>) -> String {
    let texts: Vec<String> = texts.collect();
    serde_json::to_string(&texts).expect("strings become JSON")
}
