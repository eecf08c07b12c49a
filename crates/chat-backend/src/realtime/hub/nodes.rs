//! The other nodes: what they tell this one, and what is known of them.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use chat_types::id::{RoomId, Seq};
use tokio::time::{Instant, sleep};

use super::Hub;
use crate::realtime::broker::{Inbox, Status, Topic};
use crate::realtime::mailbox::Order;
use crate::realtime::message::{Beat, Message, NodeId, Notice, Share};
use crate::realtime::room::ANSWER_DEBOUNCE;

/// Nodes that are known at most.
const NODES: usize = 256;

struct Node {
    connections: u32,
    heard: Instant,
}

/// The other nodes that gave a sign of life.
#[derive(Default)]
pub(super) struct Nodes(HashMap<NodeId, Node>);

impl Nodes {
    /// Hears that a node lives, or that it goes away.
    fn hear(&mut self, node: NodeId, beat: Beat, now: Instant) {
        if beat.draining {
            self.0.remove(&node);
        } else if self.0.len() < NODES || self.0.contains_key(&node) {
            let connections = beat.connections;
            let heard = now;
            self.0.insert(node, Node { connections, heard });
        }
    }

    /// Forgets nodes that have said nothing for `age`.
    pub(super) fn forget_silent(&mut self, age: Duration, now: Instant) {
        self.0
            .retain(|_, node| now.duration_since(node.heard) < age);
    }

    /// Whether a node has said nothing for `age` and may still be there: then its messages do not
    /// get through.
    pub(super) fn is_any_silent(&self, age: Duration, now: Instant) -> bool {
        let mut nodes = self.0.values();
        nodes.any(|node| now.duration_since(node.heard) >= age)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// How many connections each of them has that said something within `age`.
    pub(super) fn connections(&self, age: Duration, now: Instant) -> impl Iterator<Item = u32> {
        let nodes = self.0.values();
        let heard = nodes.filter(move |node| now.duration_since(node.heard) < age);
        heard.map(|node| node.connections)
    }
}

impl Hub {
    /// Tells the other nodes.
    pub(super) fn tell_nodes(&self, topic: Topic, message: &Message) {
        if self.broker.status() != Status::Alone {
            metrics::counter!("chat_bus_published_total").increment(1);
            let encoded = message.encode(self.node);
            if message.is_ephemeral() {
                self.broker.publish_ephemeral(topic, encoded);
            } else {
                self.broker.publish(topic, encoded);
            }
        }
    }

    /// Tells the nodes that follow a room who looks at it here: what is new, or all of it if
    /// `anyway`. With `ask` they tell theirs.
    pub(super) fn share_presence(&self, room: RoomId, anyway: bool, ask: bool) {
        let Some(active) = self.rooms.get(room) else {
            return;
        };
        if let Some(mut share) = active.share(|| self.next_version(), anyway) {
            share.ask = ask;
            self.tell_nodes(Topic::Room(room), &Message::Share(share));
        }
    }

    /// Tells that nobody looks at a room here any more.
    pub(super) fn say_goodbye(&self, room: RoomId) {
        let nobody = Share {
            version: self.next_version(),
            epoch: None,
            head: Seq::ZERO,
            count: 0,
            users: Vec::new(),
            ask: false,
        };
        self.tell_nodes(Topic::Room(room), &Message::Share(nobody));
    }

    fn hear_share(&self, room: RoomId, node: NodeId, share: Share) {
        let Some(active) = self.rooms.get(room) else {
            return;
        };
        let ask = share.ask;
        let (is_new, repair) = active.hear(node, share);
        if is_new {
            self.tell_presence_soon(room);
        }
        self.repair(active.clone(), repair);
        if ask
            && active.collect_answer()
            && let Some(hub) = self.me.upgrade()
        {
            self.tasks.spawn(async move {
                sleep(ANSWER_DEBOUNCE).await;
                active.answering();
                hub.share_presence(room, true, false);
            });
        }
    }

    /// Acts on a notice, from this node or from another.
    pub(super) fn heed(&self, notice: &Notice) {
        let mut registry = self.registry();
        match notice {
            Notice::CloseSession {
                user,
                session,
                code,
            } => {
                let of_session = registry.of_user(*user).filter(|(s, _)| s == session);
                of_session.for_each(|(_, mailbox)| mailbox.order(Order::Close(*code)));
            }
            Notice::CloseUser { user, keep, code } => {
                let others = registry.of_user(*user).filter(|(s, _)| Some(*s) != *keep);
                others.for_each(|(_, mailbox)| mailbox.order(Order::Close(*code)));
            }
            Notice::ReplaceSession { user, old, new } => {
                for (_, mailbox) in registry.of_user(*user).filter(|(s, _)| s == old) {
                    mailbox.order(Order::ReplaceSession(*new));
                }
                registry.replace_session(*user, *old, *new);
            }
            Notice::Unsubscribe { user, room, reason } => {
                for (_, mailbox) in registry.of_user(*user) {
                    mailbox.order(Order::Unsubscribe(*room, *reason));
                }
            }
            Notice::Send { user, doc } => {
                for (_, mailbox) in registry.of_user(*user) {
                    mailbox.order(Order::Send(doc.clone()));
                }
            }
            Notice::SendUnlessIdle { user, doc, from } => {
                let others = registry.of_user(*user);
                for (_, mailbox) in others.filter(|(_, it)| Some(it.id) != *from) {
                    mailbox.order(Order::SendUnlessIdle(doc.clone()));
                }
            }
        }
    }
}

impl Inbox for Hub {
    fn receive(&self, topic: Topic, message: Bytes) {
        let Some((node, message)) = Message::decode(message) else {
            metrics::counter!("chat_bus_not_understood_total").increment(1);
            return;
        };
        if node == self.node {
            return;
        }
        metrics::counter!("chat_bus_received_total").increment(1);
        match (topic, message) {
            (Topic::Room(room), Message::Event { seq, left, doc }) => {
                self.take_in(room, seq, doc);
                if let Some(user) = left {
                    self.recheck_soon(user);
                }
            }
            (Topic::Room(room), Message::Typing(user)) => {
                if let Some(room) = self.rooms.get(room) {
                    room.typing(&user, Instant::now());
                }
            }
            (Topic::Room(room), Message::Share(share)) => self.hear_share(room, node, share),
            (Topic::Control, Message::Notice(notice)) => self.heed(&notice),
            (Topic::Control, Message::Beat(beat)) => {
                self.nodes().hear(node, beat, Instant::now());
            }
            (Topic::Control, Message::WasAway) => self.nudge.notify_one(),
            _ => {}
        }
    }

    fn followed(&self, rooms: &[RoomId]) {
        for room in rooms {
            self.share_presence(*room, true, true);
        }
        if let Some(hub) = self.me.upgrade() {
            let rooms = rooms.to_vec();
            self.tasks
                .spawn(async move { hub.compare_heads(&rooms).await });
        }
    }

    fn doubt(&self) {
        self.nudge.notify_one();
    }

    fn turned(&self, status: Status) {
        if status == Status::Up {
            self.tell_nodes(Topic::Control, &Message::WasAway);
        }
        self.nudge.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_of_nodes_that_were_heard_lately() {
        let (age, begin) = (Duration::from_secs(3), Instant::now());
        let mut nodes = Nodes::default();
        let beat = |connections| Beat {
            connections,
            draining: false,
        };
        nodes.hear(NodeId::random(), beat(7), begin);
        nodes.hear(NodeId::random(), beat(8), begin + Duration::from_millis(1));
        let at = |now| nodes.connections(age, now).sum::<u32>();
        assert_eq!(at(begin + Duration::from_millis(1)), 15);
        assert_eq!(at(begin + age), 8, "who is silent may be dead");
        assert_eq!(nodes.len(), 2, "and is not forgotten yet");
    }
}
