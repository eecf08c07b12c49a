//! What holds of every bus between nodes: its conformance suite.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use chat_backend::realtime::broker::{Status, Topic};
use chat_backend::realtime::{Broker, Inbox};
use chat_backend::shutdown::Lifecycle;
use chat_types::id::RoomId;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;
use uuid::Uuid;

use crate::support::{Bus, PATIENCE};

/// What a node was told.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Message(Topic, Bytes),
    Followed(Vec<RoomId>),
    Doubt,
    Turned(Status),
}

struct Ear(mpsc::UnboundedSender<Told>);

impl Inbox for Ear {
    fn receive(&self, topic: Topic, message: Bytes) {
        let _ = self.0.send(Told::Message(topic, message));
    }

    fn followed(&self, rooms: &[RoomId]) {
        let _ = self.0.send(Told::Followed(rooms.to_vec()));
    }

    fn doubt(&self) {
        let _ = self.0.send(Told::Doubt);
    }

    fn turned(&self, status: Status) {
        let _ = self.0.send(Told::Turned(status));
    }
}

/// A node that only listens.
struct Node {
    broker: Box<dyn Broker>,
    told: Mutex<mpsc::UnboundedReceiver<Told>>,
    _ear: Arc<dyn Inbox>,
}

impl Node {
    async fn on(bus: &Bus) -> Self {
        let (sender, told) = mpsc::unbounded_channel();
        let ear: Arc<dyn Inbox> = Arc::new(Ear(sender));
        let weak: Weak<dyn Inbox> = Arc::downgrade(&ear);
        let lifecycle = Lifecycle::new();
        let broker = bus.broker();
        broker.start(weak, &lifecycle);
        let told = Mutex::new(told);
        let node = Self {
            broker,
            told,
            _ear: ear,
        };
        node.is(Status::Up).await;
        node
    }

    async fn is(&self, status: Status) {
        let reached = async {
            while self.broker.status() != status {
                tokio::task::yield_now().await;
            }
        };
        assert!(timeout(PATIENCE, reached).await.is_ok(), "not {status:?}");
    }

    /// The first of what is told that `wanted` picks.
    async fn told<T>(&self, wanted: impl Fn(Told) -> Option<T>) -> T {
        let mut told = self.told.lock().await;
        let picked = async {
            loop {
                if let Some(picked) = wanted(told.recv().await.unwrap()) {
                    return picked;
                }
            }
        };
        timeout(PATIENCE, picked).await.expect("it is told in time")
    }

    async fn message(&self) -> (Topic, Bytes) {
        self.told(|told| match told {
            Told::Message(topic, message) => Some((topic, message)),
            _ => None,
        })
        .await
    }

    async fn follow(&self, room: RoomId) {
        self.broker.follow(room);
        self.is_following(room).await;
    }

    async fn is_following(&self, room: RoomId) {
        self.told(|told| match told {
            Told::Followed(rooms) => rooms.contains(&room).then_some(()),
            _ => None,
        })
        .await;
    }

    fn publish(&self, topic: Topic, message: &'static str) {
        self.broker.publish(topic, Bytes::from(message));
    }
}

fn room(n: u128) -> RoomId {
    RoomId::from_uuid(Uuid::from_u128(n))
}

async fn who_follows_a_room_gets_its_messages_as_they_are_and_nobody_else_does(bus: Bus) {
    let (speaker, reader) = (Node::on(&bus).await, Node::on(&bus).await);
    reader.follow(room(1)).await;
    speaker.follow(room(1)).await;
    speaker.publish(Topic::Room(room(2)), "not read");
    speaker.publish(Topic::Room(room(1)), "{\"t\":\"ev\"}\n\0");
    let heard = reader.message().await;
    assert_eq!(
        heard,
        (Topic::Room(room(1)), Bytes::from("{\"t\":\"ev\"}\n\0"))
    );
    // The speaker does not hear itself: what it hears first is the answer.
    reader.publish(Topic::Room(room(1)), "answer");
    assert_eq!(speaker.message().await.1, "answer");
}

async fn every_node_gets_what_is_said_to_all(bus: Bus) {
    let nodes = [
        Node::on(&bus).await,
        Node::on(&bus).await,
        Node::on(&bus).await,
    ];
    nodes[0].publish(Topic::Control, "all");
    for node in &nodes[1..] {
        assert_eq!(node.message().await, (Topic::Control, Bytes::from("all")));
    }
}

async fn a_room_is_followed_again_after_it_was_left(bus: Bus) {
    let (speaker, reader) = (Node::on(&bus).await, Node::on(&bus).await);
    for _ in 0..3 {
        reader.follow(room(1)).await;
        speaker.publish(Topic::Room(room(1)), "hello");
        assert_eq!(reader.message().await.1, "hello");
        reader.broker.unfollow(room(1));
    }
}

async fn many_rooms_are_followed_at_once(bus: Bus) {
    let (speaker, reader) = (Node::on(&bus).await, Node::on(&bus).await);
    for n in 0..500 {
        reader.broker.follow(room(n));
    }
    for n in 0..500 {
        // Told in batches of any size and order; the last word on each counts.
        if n % 2 == 1 {
            reader.broker.unfollow(room(n));
        }
    }
    reader.follow(room(1_000)).await;
    for n in 0..500 {
        speaker.broker.publish(Topic::Room(room(n)), Bytes::new());
    }
    let mut heard: Vec<_> = Vec::new();
    while heard.len() < 250 {
        let (topic, _) = reader.message().await;
        if (0..250).any(|n| topic == Topic::Room(room(2 * n))) {
            heard.push(topic);
        }
    }
}

async fn a_restart_is_told_and_what_was_followed_is_followed_again(mut bus: Bus) {
    let (speaker, reader) = (Node::on(&bus).await, Node::on(&bus).await);
    reader.follow(room(1)).await;
    bus.cut();
    for node in [&speaker, &reader] {
        node.is(Status::Down).await;
        node.told(|told| (told == Told::Turned(Status::Down)).then_some(()))
            .await;
    }
    speaker.publish(Topic::Room(room(1)), "into the void");
    reader.broker.follow(room(2));
    bus.mend();
    for node in [&speaker, &reader] {
        node.told(|told| (told == Told::Turned(Status::Up)).then_some(()))
            .await;
        node.is(Status::Up).await;
    }
    reader.follow(room(3)).await;
    for n in 1..=2 {
        speaker.publish(Topic::Room(room(n)), "after");
        let heard = reader.message().await;
        assert_eq!(heard, (Topic::Room(room(n)), Bytes::from("after")));
    }
}

async fn a_flood_blocks_nobody_and_what_comes_after_it_arrives(bus: Bus) {
    let (speaker, reader) = (Node::on(&bus).await, Node::on(&bus).await);
    reader.follow(room(1)).await;
    let flood = Bytes::from(vec![b'x'; 1_000]);
    for _ in 0..50_000 {
        speaker.broker.publish(Topic::Room(room(1)), flood.clone());
    }
    // Its own queue may be full for a moment.
    let after = async {
        loop {
            speaker.publish(Topic::Control, "after");
            let heard = reader.told(|told| match told {
                Told::Message(topic, message) => Some((topic, message)),
                _ => None,
            });
            let (topic, message) = heard.await;
            if topic == Topic::Control {
                return message;
            }
        }
    };
    assert_eq!(timeout(PATIENCE, after).await.unwrap(), "after");
}

/// Runs each property over each bus.
macro_rules! over_every_bus {
    ($($property:ident)*) => {
        mod switch {
            $(#[tokio::test]
            async fn $property() {
                super::$property(crate::support::Bus::switch()).await;
            })*
        }
        mod nats {
            $(#[tokio::test]
            async fn $property() {
                super::$property(crate::support::Bus::nats()).await;
            })*
        }
    };
}
pub(crate) use over_every_bus;

over_every_bus! {
    who_follows_a_room_gets_its_messages_as_they_are_and_nobody_else_does
    every_node_gets_what_is_said_to_all
    a_room_is_followed_again_after_it_was_left
    many_rooms_are_followed_at_once
    a_restart_is_told_and_what_was_followed_is_followed_again
    a_flood_blocks_nobody_and_what_comes_after_it_arrives
}
