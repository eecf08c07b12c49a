//! How nodes hear of each other. A broker carries bytes, at most once and in no order, and is never
//! the truth: the hub believes an event only when its `seq` is the next one, and reads the store for
//! the rest. So whatever a broker loses, doubles or reorders costs time, not messages.

mod local;
mod nats;

use std::sync::Weak;

use bytes::Bytes;
use chat_types::id::RoomId;

pub use local::Local;
pub use nats::{Nats, check_servers};

use crate::shutdown::Lifecycle;

/// What a message is about, which decides who gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A room: for the nodes that [follow](Broker::follow) it.
    Room(RoomId),
    /// Users, sessions and nodes: for every node.
    Control,
}

/// Whether messages get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// There is no other node to tell.
    Alone,
    /// They do, as far as is known.
    Up,
    /// They do not: what is published is dropped.
    Down,
}

/// Carries messages to the other nodes. No call blocks or waits, and none calls the [`Inbox`]
/// before it has returned.
pub trait Broker: Send + Sync {
    /// Begins to carry, in tasks of `lifecycle`. What arrives, of other nodes only, goes to `inbox`.
    fn start(&self, inbox: Weak<dyn Inbox>, lifecycle: &Lifecycle);

    /// Tells the other nodes. What cannot be taken now is dropped and counted.
    fn publish(&self, topic: Topic, message: Bytes);

    /// The same for what may be lost. It is dropped first, so that it never takes the place of
    /// anything else.
    fn publish_ephemeral(&self, topic: Topic, message: Bytes) {
        self.publish(topic, message);
    }

    /// From some moment on, which [`Inbox::followed`] tells, messages about this room arrive.
    fn follow(&self, room: RoomId);

    /// Messages about this room need not arrive any more.
    fn unfollow(&self, room: RoomId);

    /// Whether messages get through.
    fn status(&self) -> Status;
}

/// What a broker tells its node. No call blocks or waits.
pub trait Inbox: Send + Sync {
    /// A message of another node.
    fn receive(&self, topic: Topic, message: Bytes);

    /// These rooms are followed from now on. What was published about them before may have been
    /// missed.
    fn followed(&self, rooms: &[RoomId]);

    /// Messages of other nodes were lost.
    fn doubt(&self);

    /// Whether messages get through has changed, or some of this node's were lost on the way: with
    /// `Up` they get through again.
    fn turned(&self, status: Status);
}
