//! The pages and their paths, in one place for the server, the browser and the links.

use chat_types::id::{InviteCode, RoomId};

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

/// Before the id of a room.
const ROOM: &str = "/r/";

/// In the query of signing in: the room to come back to.
pub const ROOM_PARAM: &str = "room";

/// A page of the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Page {
    /// [`LOBBY`].
    Lobby,
    /// A room.
    Room(RoomId),
    /// [`SIGN_IN`].
    SignIn,
    /// [`REGISTER`].
    Register,
    /// [`SETTINGS`].
    Settings,
    /// [`INVITE`].
    Invite,
}

impl Page {
    /// The page of a path, which has neither query nor fragment; `None` for one that names nothing.
    pub fn at(path: &str) -> Option<Self> {
        Some(match path {
            LOBBY => Self::Lobby,
            SIGN_IN => Self::SignIn,
            REGISTER => Self::Register,
            SETTINGS => Self::Settings,
            INVITE => Self::Invite,
            _ => Self::Room(path.strip_prefix(ROOM)?.parse().ok()?),
        })
    }

    /// The path of the page.
    pub fn path(self) -> String {
        match self {
            Self::Lobby => LOBBY.to_owned(),
            Self::Room(id) => room(id),
            Self::SignIn => SIGN_IN.to_owned(),
            Self::Register => REGISTER.to_owned(),
            Self::Settings => SETTINGS.to_owned(),
            Self::Invite => INVITE.to_owned(),
        }
    }

    /// The room that the page shows.
    pub const fn room(self) -> Option<RoomId> {
        match self {
            Self::Room(id) => Some(id),
            _ => None,
        }
    }
}

/// The page of a room.
pub fn room(id: RoomId) -> String {
    format!("{ROOM}{id}")
}

/// Signing in, and back to a room.
pub fn sign_in_for(room: RoomId) -> String {
    format!("{SIGN_IN}?{ROOM_PARAM}={room}")
}

/// The link that invites to a room.
pub fn invite(code: &InviteCode) -> String {
    format!("{INVITE}#{code}")
}

#[cfg(test)]
mod tests {
    use super::Page;

    const ROOM: &str = "00000000-0000-4000-8000-000000000001";

    #[test]
    fn every_page_is_found_again_by_its_path() {
        let pages = [
            Page::Lobby,
            Page::Room(ROOM.parse().unwrap()),
            Page::SignIn,
            Page::Register,
            Page::Settings,
            Page::Invite,
        ];
        for page in pages {
            assert_eq!(Page::at(&page.path()), Some(page));
        }
    }

    #[test]
    fn a_path_that_is_not_exactly_that_of_a_page_names_nothing() {
        for path in [
            "",
            "/nowhere",
            "/settings/",
            "//",
            "/r/",
            "/r/lobby",
            &format!("/r/{ROOM}/x"),
            "/embed/demo/x",
        ] {
            assert_eq!(Page::at(path), None, "{path}");
        }
    }
}
