//! The accepted messages that are held of a room: a window of consecutive numbers.

use std::collections::BTreeMap;

use chat_types::event::Message;
use chat_types::id::{ClientId, MessageId, Number};

/// The window. `more_before` and `more_after` tell whether the room has messages beyond it.
#[derive(Default)]
pub(crate) struct Timeline {
    pub(crate) rows: BTreeMap<Number, Message>,
    pub(crate) by_id: BTreeMap<MessageId, Number>,
    pub(crate) own: BTreeMap<ClientId, Number>,
    pub(crate) more_before: bool,
    pub(crate) more_after: bool,
}
