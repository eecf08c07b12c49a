//! Every identifier on the wire, each a type of its own: a bare `String` or `Uuid` is not an id.

use std::fmt;
use std::str::FromStr;

use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind}")]
pub struct InvalidId {
    /// The kind of id that was expected, in words.
    pub kind: &'static str,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(#[serde(deserialize_with = "hyphenated")] Uuid);

        impl $name {
            /// Wraps a UUID that the caller made or read.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID inside, for storage.
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse_hyphenated(text).map(Self).ok_or(InvalidId { kind: $kind })
            }
        }
    };
}

uuid_id!(
    /// A guest or an account. Public: it proves nothing about who presents it.
    UserId, "user id"
);
uuid_id!(
    /// A room. 122 random bits, so a private room cannot be guessed.
    RoomId, "room id"
);
uuid_id!(
    /// A message, made by the server. UUIDv7, so ids of one node sort by time.
    MessageId, "message id"
);
uuid_id!(
    /// Chosen by the sender before the first attempt (UUIDv7); the same id never makes two messages
    /// of one author in one room, which makes every retry harmless.
    ClientId, "client message id"
);
uuid_id!(
    /// A login that can be listed and revoked.
    SessionId, "session id"
);
uuid_id!(
    /// One socket, for logs and support. It grants nothing.
    ConnectionId, "connection id"
);

/// The position of a change in its room: 1 for the first, then contiguous. Below 2^53.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Seq(
    #[serde(deserialize_with = "crate::number::deserialize")]
    #[cfg_attr(feature = "schema", schemars(range(max = crate::number::MAX)))]
    pub u64,
);

impl Seq {
    /// Before the first change.
    pub const ZERO: Self = Self(0);

    /// The position that follows.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A message's number in its room: the n-th message ever sent there, 1 for the first. Used by
/// permalinks, history cursors and read positions. Below 2^53.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Number(
    #[serde(deserialize_with = "crate::number::deserialize")]
    #[cfg_attr(feature = "schema", schemars(range(max = crate::number::MAX)))]
    pub u64,
);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one history of a room. It changes when a room's history is restored or reset, which tells a
/// client that its cursor belongs to another history. Opaque.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Epoch(pub String);

/// A request's id within its connection, chosen by the client and echoed by the reply. Below 2^53.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct RequestId(
    #[serde(deserialize_with = "crate::number::deserialize")]
    #[cfg_attr(feature = "schema", schemars(range(max = crate::number::MAX)))]
    pub u64,
);

macro_rules! key {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The key as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.to_owned())) } else { Err(InvalidId { kind: $kind }) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

key!(
    /// A site that embeds rooms: 1 to 40 of `a-z`, `0-9` and `-`, not at either end.
    SiteKey, "site key", |text| {
        (1..=40).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-')
    }
);
key!(
    /// A page of a site: 1 to 200 bytes of visible ASCII, by convention the path of the page or a
    /// key that the site chooses. Compared as bytes.
    PageKey, "page key", |text| {
        (1..=200).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
    }
);
key!(
    /// The secret part of an invite link: 22 characters of base64url, 128 random bits.
    InviteCode, "invite code", |text| {
        text.len() == 22
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    }
);

/// The one form in which ids travel: 36 characters with hyphens, the form that ids are written in.
/// Braces, URNs and bare digits name the same UUID, but two texts for one id invite mistakes in
/// caches, logs and comparisons elsewhere.
fn parse_hyphenated(text: &str) -> Option<Uuid> {
    if text.len() != uuid::fmt::Hyphenated::LENGTH {
        return None;
    }
    Uuid::try_parse(text).ok()
}

fn hyphenated<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
    struct HyphenatedVisitor;

    impl Visitor<'_> for HyphenatedVisitor {
        type Value = Uuid;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a UUID of 36 characters with hyphens")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Uuid, E> {
            parse_hyphenated(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
        }
    }

    deserializer.deserialize_str(HyphenatedVisitor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    const ROOM: &str = "018f9a3e-0000-7000-8000-00000000000a";

    fn read<T: serde::de::DeserializeOwned>(json: &str) -> Option<T> {
        serde_json::from_str(json).ok()
    }

    #[test]
    fn an_id_is_read_in_its_hyphenated_form_and_written_in_lower_case() {
        let room: RoomId = ROOM.parse().unwrap();
        assert_eq!(room.to_string(), ROOM);
        assert_eq!(ROOM.to_uppercase().parse(), Ok(room));
        assert_eq!(read(&format!("\"{ROOM}\"")), Some(room));
        assert_eq!(serde_json::to_string(&room).unwrap(), format!("\"{ROOM}\""));
    }

    #[test]
    fn no_other_form_of_a_uuid_is_an_id() {
        let bare = ROOM.replace('-', "");
        let others = [
            bare.clone(),
            format!("{{{ROOM}}}"),
            format!("urn:uuid:{ROOM}"),
            format!(" {ROOM}"),
            format!("{ROOM}0"),
            ROOM[..35].to_owned(),
            format!("{}-----", &bare[..31]),
            ROOM.replace('a', "g"),
            String::new(),
        ];
        for other in others {
            assert_eq!(
                other.parse::<RoomId>(),
                Err(InvalidId { kind: "room id" }),
                "{other:?}"
            );
            assert_eq!(read::<RoomId>(&format!("{other:?}")), None, "{other:?}");
        }
        assert_eq!(read::<RoomId>("7"), None);
    }

    #[test]
    fn numbers_end_before_2_to_the_53() {
        let last = 9_007_199_254_740_991_u64;
        assert_eq!(read(&last.to_string()), Some(Seq(last)));
        assert_eq!(read(&last.to_string()), Some(Number(last)));
        assert_eq!(read(&last.to_string()), Some(RequestId(last)));
        assert_eq!(read(&last.to_string()), Some(Timestamp(last)));
        for text in [
            "9007199254740992",
            "18446744073709551615",
            "-1",
            "1.5",
            "1e3",
            "\"1\"",
            "null",
        ] {
            assert_eq!(read::<Seq>(text), None, "{text}");
            assert_eq!(read::<Number>(text), None, "{text}");
            assert_eq!(read::<RequestId>(text), None, "{text}");
            assert_eq!(read::<Timestamp>(text), None, "{text}");
        }
        assert_eq!(read("0"), Some(Seq::ZERO));
    }

    #[test]
    fn a_site_key_is_1_to_40_small_letters_digits_and_inner_hyphens() {
        for good in ["a", "my-blog-2", &"a".repeat(40)] {
            assert_eq!(good.parse::<SiteKey>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", "a-", "A", "a b", "가", &"a".repeat(41)] {
            assert!(bad.parse::<SiteKey>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_page_key_is_1_to_200_visible_ascii_bytes() {
        for good in ["/", "/posts/1?x=y#z", &"a".repeat(200)] {
            assert_eq!(good.parse::<PageKey>().unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a\n", "/글", &"a".repeat(201)] {
            assert!(bad.parse::<PageKey>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_invite_code_is_22_characters_of_base64url() {
        assert!("AZaz09-_AZaz09-_AZaz09".parse::<InviteCode>().is_ok());
        for bad in [
            "",
            "AZaz09-_AZaz09-_AZaz0",
            "AZaz09-_AZaz09-_AZaz090",
            "AZaz09+/AZaz09-_AZaz09",
        ] {
            assert!(bad.parse::<InviteCode>().is_err(), "{bad:?}");
        }
    }
}
