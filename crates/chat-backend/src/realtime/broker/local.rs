//! One node alone: there is nobody else to tell.

use std::sync::Weak;

use bytes::Bytes;
use chat_types::id::RoomId;

use super::{Broker, Inbox, Status, Topic};
use crate::shutdown::Lifecycle;

/// The broker of a process that has the database to itself.
#[derive(Debug, Clone, Copy)]
pub struct Local;

impl Broker for Local {
    fn start(&self, _: Weak<dyn Inbox>, _: &Lifecycle) {}
    fn publish(&self, _: Topic, _: Bytes) {}
    fn follow(&self, _: RoomId) {}
    fn unfollow(&self, _: RoomId) {}

    fn status(&self) -> Status {
        Status::Alone
    }
}
