//! What the tests of the wire and the generator of its fixtures share: which types there are, and
//! which fixture belongs to which.

use std::path::{Path, PathBuf};

use chat_types::decode::{self, Decode};
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

/// The same for what a server sends, which clients read in a way of their own: to the same end.
fn again_both<T: Serialize + DeserializeOwned + Decode + PartialEq>(
    value: &Value,
) -> Result<Value, String> {
    let text = value.to_string();
    let decoded = decode::from_text::<T>(&text);
    assert!(
        decoded == serde_json::from_str(&text).ok(),
        "clients read it in another way: {text}"
    );
    again::<T>(value)
}

macro_rules! wire_types {
    (sent { $($sent_module:ident: $($sent:ident)*;)* } received { $($module:ident: $($name:ident)*;)* }) => {
        /// Reads the value as the named type and writes it again. What a server sends is read in both ways.
        pub(crate) fn read_again(type_name: &str, value: &Value) -> Result<Value, String> {
            match type_name {
                $($(stringify!($sent) => again_both::<chat_types::$sent_module::$sent>(value),)*)*
                $($(stringify!($name) => again::<chat_types::$module::$name>(value),)*)*
                _ => Err(format!("{type_name} is not in `wire_types!`")),
            }
        }
    };
}

wire_types! {
    sent {
        ws: ServerDoc;
        problem: Problem;
        account: SignedIn Me SessionList OfferedName Meta Empty;
        room: RoomPage RoomSummary MemberPage Invite Sent Changed History Site;
    }
    received {
        ws: Command;
        account: CreateGuest Register SignIn Refresh ChangePassword;
        room: CreateRoom UpdateRoom OpenPage OpenDirect CreateInvite AcceptInvite SendMessage
            EditMessage React Pin HistoryQuery ListQuery MarkRead;
    }
}

/// A socket's fixture is a document of its direction; the others begin with their type's name.
pub(crate) fn type_of<'a>(kind: &str, name: &'a str) -> &'a str {
    match kind {
        "c2s" => "Command",
        "s2c" => "ServerDoc",
        _ => name.split('.').next().unwrap_or(name),
    }
}
