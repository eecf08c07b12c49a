//! What the tests of the wire and the generator of its fixtures share: which types there are, and
//! which fixture belongs to which.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The folder of the fixtures of this version of the protocol.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/v1")
}

/// The list of the fixtures' digests, in the format of `sha256sum`.
pub(crate) fn digests() -> PathBuf {
    folder().join("FROZEN.sha256")
}

/// The SHA-256 of a file's bytes in hexadecimal digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |digits, byte| {
            digits + &format!("{byte:02x}")
        })
}

fn again<T: Serialize + DeserializeOwned>(value: &Value) -> Result<Value, String> {
    // Through text, as on the wire: a number may read differently from a value in memory.
    let text = value.to_string();
    let read: T = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    serde_json::to_value(&read).map_err(|error| error.to_string())
}

macro_rules! wire_types {
    ($($module:ident: $($name:ident)*;)*) => {
        /// Reads the value as the named type and writes it again.
        pub(crate) fn read_again(type_name: &str, value: &Value) -> Result<Value, String> {
            match type_name {
                $($(stringify!($name) => again::<chat_types::$module::$name>(value),)*)*
                _ => Err(format!("{type_name} is not in `wire_types!`")),
            }
        }
    };
}

wire_types! {
    ws: Command ServerDoc;
    problem: Problem;
    account: CreateGuest Register SignIn Refresh ChangePassword SignedIn Me SessionList OfferedName Meta
        Empty;
    room: CreateRoom UpdateRoom OpenPage OpenDirect RoomPage RoomSummary MemberPage CreateInvite Invite
        AcceptInvite SendMessage Sent EditMessage React Pin Changed History HistoryQuery ListQuery
        MarkRead Site;
}

/// A socket's fixture is a document of its direction; the others begin with their type's name.
pub(crate) fn type_of<'a>(kind: &str, name: &'a str) -> &'a str {
    match kind {
        "c2s" => "Command",
        "s2c" => "ServerDoc",
        _ => name.split('.').next().unwrap_or(name),
    }
}
