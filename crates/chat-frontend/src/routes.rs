//! The paths of the pages, in one place for the server, the router and the links.

use chat_types::id::{InviteCode, RoomId};

/// The lobby.
pub const LOBBY: &str = "/";
/// Signing in and registering.
pub const SIGN_IN: &str = "/sign-in";
/// Language, theme, account.
pub const SETTINGS: &str = "/settings";
/// Accepts an invite. The code is in the fragment, which no server and no log sees.
pub const INVITE: &str = "/invite";

/// The page of a room.
pub fn room(id: RoomId) -> String {
    format!("/r/{id}")
}

/// The link that invites to a room.
pub fn invite(code: &InviteCode) -> String {
    format!("{INVITE}#{code}")
}
