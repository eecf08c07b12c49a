//! What the screen shows, computed without a browser.

pub mod compose;
pub mod connection;
pub mod device;
pub mod load;
pub mod look;
pub mod my_rooms;
pub mod navigation;
pub mod open_room;
pub mod place;
pub mod room;
pub mod rows;
pub mod session;
pub mod text;
pub mod window;
