//! What is shown; nothing here fetches by itself what it shows.

pub mod avatar;
pub mod brand;
pub mod dialog;
pub mod empty;
pub mod field;
pub mod icons;
pub mod join;
pub mod look;
#[cfg(any(feature = "ssr", feature = "app"))]
pub mod new_room;
pub mod notice;
pub mod room_link;
#[cfg(any(feature = "ssr", feature = "app"))]
pub mod sidebar;
pub mod skeleton;
#[cfg(any(feature = "ssr", feature = "app"))]
pub mod topbar;
