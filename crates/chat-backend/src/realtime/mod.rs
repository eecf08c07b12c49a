//! Fan-out: how committed changes reach everybody who reads a room, and how sockets live.
//!
//! [`Hub`] is what the rest of the service talks to. A change enters by [`Hub::publish`], is encoded
//! once into the room's `ring`, and each `connection` takes it from there at its own pace. What a
//! command does is decided by `dispatch`; this module moves frames and knows no rule of rooms.

pub mod broker;
pub mod codec;
mod connection;
mod deadlines;
mod dispatch;
mod greeting;
mod hub;
mod mailbox;
mod message;
mod presence;
mod rate;
mod registry;
mod ring;
mod room;
mod settings;
pub mod socket;
mod starts;
pub mod stream;
pub mod wire;

pub use broker::{Broker, Inbox};
pub use hub::Hub;
pub use registry::Caps;
pub use settings::Settings;
