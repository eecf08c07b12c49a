//! One node alone: there is nobody else to tell.

use chat_types::event::Event;

use super::{Broker, Notice};

/// The broker of a process that has the database to itself.
#[derive(Debug, Clone, Copy)]
pub(in crate::realtime) struct Local;

impl Broker for Local {
    fn event(&self, _: &Event) {}
    fn notice(&self, _: &Notice) {}
}
