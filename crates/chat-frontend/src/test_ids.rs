//! Hooks for tests (`data-testid`). They are stable: tests of any kind find elements by these.

/// The attribute of the document's element that says how the page is connected: `connecting`, `online`,
/// `reconnecting`, `paused` or `stopped`. Only the module sets it, so that it is also the sign that the
/// module has taken over the server's page.
pub const CONNECTION_ATTRIBUTE: &str = "data-connection";

macro_rules! test_ids {
    ($($name:ident = $value:literal;)*) => {
        $(
            #[doc = concat!("`data-testid=\"", $value, "\"`")]
            pub const $name: &str = $value;
        )*
        /// Every hook.
        pub const ALL: &[&str] = &[$($value),*];
    };
}

test_ids! {
    MESSAGE = "message";
    AUTHOR = "author";
    BODY = "body";
    QUOTE = "quote";
    REACTION = "reaction";
    COMPOSER = "composer";
    SEND = "send";
    JOIN_NAME = "join-name";
    JOIN = "join";
    SIGN_IN_OPEN = "signin-open";
    REGISTER_OPEN = "register-open";
    USERNAME = "username";
    PASSWORD = "password";
    SUBMIT = "submit";
    ROOM_LINK = "room-link";
    CREATE_ROOM = "create-room";
    NEW_ROOM_NAME = "new-room-name";
    CONNECTION_BANNER = "connection-banner";
    NEW_MESSAGES = "new-messages";
    UNREAD_DIVIDER = "unread-divider";
    TYPING = "typing";
    WHO = "who";
    MESSAGE_ACTIONS = "message-actions";
    ACTION_EDIT = "action-edit";
    ACTION_DELETE = "action-delete";
    ACTION_REPLY = "action-reply";
    ACTION_REACT = "action-react";
    RETRY = "retry";
    DISCARD = "discard";
    LANG = "lang";
    THEME = "theme";
    ACCOUNT_MENU = "account-menu";
    SIGN_OUT = "sign-out";
    REFUSAL = "refusal";
    INVITE = "invite";
    INVITE_LINK = "invite-link";
    PERSON = "person";
    CONFIRM = "confirm";
    REVEAL = "reveal";
    DISPLAY_NAME = "display-name";
    FIRST_UNREAD = "first-unread";
    LEAVE = "leave";
    NEW_DIRECT = "new-direct";
    SOUGHT = "sought";
    TOAST = "toast";
    SHOW_MORE = "show-more";
    SHOW_NEWER = "show-newer";
    RETRY_NOW = "retry-now";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn no_two_hooks_are_the_same() {
        let mut sorted = ALL.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), ALL.len());
    }
}
