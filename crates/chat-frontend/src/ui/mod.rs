//! What is shown; nothing here fetches by itself what it shows.

pub mod announcer;
pub mod avatar;
pub mod brand;
pub mod composer;
pub mod connection_banner;
pub mod dialog;
pub mod empty;
pub mod field;
pub mod icons;
pub mod invite;
pub mod join;
#[cfg(any(feature = "ssr", feature = "app"))]
pub mod leave;
pub mod look;
pub mod message;
pub mod message_actions;
pub mod message_text;
#[cfg(any(feature = "ssr", feature = "app"))]
pub mod new_direct;
#[cfg(any(feature = "ssr", feature = "app"))]
pub mod new_room;
pub mod notice;
pub mod room_head;
pub mod room_link;
pub mod room_view;
pub mod roster;
mod row_keys;
mod scroll;
#[cfg(any(feature = "ssr", feature = "app"))]
pub mod sidebar;
pub mod skeleton;
pub mod timeline;
pub mod title;
pub mod toast;
#[cfg(any(feature = "ssr", feature = "app"))]
pub mod topbar;
pub mod typing;
