//! How nodes tell each other what happened. A broker delivers at most once and in no order, and is
//! never the truth: the hub believes an event only when its `seq` is the next one, and reads the
//! store for the rest.

mod local;

use chat_types::close::CloseCode;
use chat_types::event::Event;
use chat_types::id::{RoomId, SessionId, UserId};
use chat_types::ws::UnsubReason;

pub(super) use local::Local;

use super::codec::Doc;

/// Word for the sockets of a user, wherever they are connected.
#[derive(Debug, Clone)]
pub(super) enum Notice {
    /// A session has ended: its sockets close.
    CloseSession(UserId, SessionId, CloseCode),
    /// A user's sessions have ended, but for one.
    CloseUser(UserId, Option<SessionId>, CloseCode),
    /// The sockets of the first session go on under the second.
    ReplaceSession(UserId, SessionId, SessionId),
    /// The user's place in a room has ended.
    Unsubscribe(UserId, RoomId, UnsubReason),
    /// A document for every socket of the user; it may be lost.
    Send(UserId, Doc),
}

/// Carries events and notices to the other nodes. Neither call blocks or waits.
pub(super) trait Broker: Send + Sync {
    /// A change was committed here.
    fn event(&self, event: &Event);
    /// Something happened to a user here.
    fn notice(&self, notice: &Notice);
}
