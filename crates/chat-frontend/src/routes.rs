//! The paths of the pages, in one place for the server, the router and the links.

use chat_types::id::{InviteCode, RoomId};
use leptos::prelude::Callback;

/// The lobby.
pub const LOBBY: &str = "/";
/// Signing in.
pub const SIGN_IN: &str = "/sign-in";
/// Making an account.
pub const REGISTER: &str = "/register";
/// Language, theme, account.
pub const SETTINGS: &str = "/settings";
/// Accepts an invite. The code is in the fragment, which no server and no log sees.
pub const INVITE: &str = "/invite";

/// In the query of signing in: the room to come back to.
pub const ROOM_PARAM: &str = "room";

/// Signing in, and back to a room.
pub fn sign_in_for(room: RoomId) -> String {
    format!("{SIGN_IN}?{ROOM_PARAM}={room}")
}

/// Goes to another page of the app. The embed has no other pages and does not provide it.
#[derive(Clone, Copy)]
pub struct Go(pub Callback<String>);

/// The page of a room.
pub fn room(id: RoomId) -> String {
    format!("/r/{id}")
}

/// The link that invites to a room.
pub fn invite(code: &InviteCode) -> String {
    format!("{INVITE}#{code}")
}
