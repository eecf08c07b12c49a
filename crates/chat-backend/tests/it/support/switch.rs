//! A bus within one process that connects any number of nodes, and loses, doubles and reorders what
//! they say when told to.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;
use chat_backend::realtime::broker::{Status, Topic};
use chat_backend::realtime::{Broker, Inbox};
use chat_backend::shutdown::Lifecycle;
use chat_types::id::RoomId;
use tokio::sync::mpsc;

/// How often of a hundred times what goes wrong.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    pub lost: u32,
    pub doubled: u32,
    /// Held back until after later ones.
    pub late: u32,
    /// Every word for all nodes is lost; what is said about rooms arrives.
    pub notices_lost: bool,
}

/// The bus. Clones are the same one.
#[derive(Clone, Default)]
pub struct Switch(Arc<Mutex<Plugs>>);

#[derive(Default)]
struct Plugs {
    all: Vec<Arc<Plug>>,
    faults: Faults,
    dice: u64,
    is_cut: bool,
}

/// What a plug tells its node.
enum Word {
    Message(Topic, Bytes),
    Followed(Vec<RoomId>),
    Turned(Status),
}

struct Plug {
    words: mpsc::UnboundedSender<Word>,
    queue: Mutex<Option<mpsc::UnboundedReceiver<Word>>>,
    rooms: Mutex<HashSet<RoomId>>,
    late: Mutex<Vec<(Topic, Bytes)>>,
    is_dead: AtomicBool,
}

impl Plug {
    fn say(&self, word: Word) {
        // The node may have ended.
        let _ = self.words.send(word);
    }

    fn followed(&self) -> Vec<RoomId> {
        self.rooms.lock().unwrap().iter().copied().collect()
    }
}

/// One node's place in the switch.
pub struct Plugged {
    switch: Switch,
    plug: Arc<Plug>,
}

impl Switch {
    /// A place for one more node.
    pub fn plug(&self) -> Plugged {
        let (words, queue) = mpsc::unbounded_channel();
        let plug = Arc::new(Plug {
            words,
            queue: Mutex::new(Some(queue)),
            rooms: Mutex::default(),
            late: Mutex::default(),
            is_dead: AtomicBool::new(false),
        });
        self.0.lock().unwrap().all.push(plug.clone());
        let switch = self.clone();
        Plugged { switch, plug }
    }

    pub fn set_faults(&self, faults: Faults) {
        self.0.lock().unwrap().faults = faults;
    }

    /// Nobody hears anybody any more.
    pub fn cut(&self) {
        self.set_cut(true);
    }

    /// They hear each other again.
    pub fn mend(&self) {
        self.set_cut(false);
    }

    /// The node that was plugged in as number `index` falls silent without a word, as when its
    /// process is killed.
    pub fn silence(&self, index: usize) {
        let plugs = self.0.lock().unwrap();
        plugs.all[index].is_dead.store(true, Ordering::SeqCst);
    }

    fn set_cut(&self, is_cut: bool) {
        let mut plugs = self.0.lock().unwrap();
        plugs.is_cut = is_cut;
        for plug in &plugs.all {
            plug.late.lock().unwrap().clear();
            plug.say(Word::Turned(if is_cut { Status::Down } else { Status::Up }));
            if !is_cut {
                plug.say(Word::Followed(plug.followed()));
            }
        }
    }
}

impl Plugs {
    /// Whether something happens that happens so many times of a hundred. The dice are the same in
    /// every run.
    fn happens(&mut self, of_a_hundred: u32) -> bool {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695);
        (self.dice >> 33) % 100 < u64::from(of_a_hundred)
    }

    fn carry(&mut self, to: &Plug, topic: Topic, message: &Bytes) {
        let faults = self.faults;
        if (faults.notices_lost && topic == Topic::Control) || self.happens(faults.lost) {
            return;
        }
        let times = 1 + u32::from(self.happens(faults.doubled));
        for _ in 0..times {
            if self.happens(faults.late) {
                to.late.lock().unwrap().push((topic, message.clone()));
            } else {
                to.say(Word::Message(topic, message.clone()));
            }
        }
        if self.happens(50) {
            for (topic, message) in to.late.lock().unwrap().drain(..).rev() {
                to.say(Word::Message(topic, message));
            }
        }
    }
}

impl Broker for Plugged {
    fn start(&self, inbox: Weak<dyn Inbox>, lifecycle: &Lifecycle) {
        let mut queue = self
            .plug
            .queue
            .lock()
            .unwrap()
            .take()
            .expect("started once");
        let ends = lifecycle.clone();
        lifecycle.tasks().spawn(async move {
            loop {
                let word = tokio::select! {
                    () = ends.ended() => return,
                    word = queue.recv() => word,
                };
                let (Some(word), Some(inbox)) = (word, inbox.upgrade()) else {
                    return;
                };
                match word {
                    Word::Message(topic, message) => inbox.receive(topic, message),
                    Word::Followed(rooms) => inbox.followed(&rooms),
                    Word::Turned(status) => inbox.turned(status),
                }
            }
        });
    }

    fn publish(&self, topic: Topic, message: Bytes) {
        if self.status() == Status::Down {
            return;
        }
        let mut plugs = self.switch.0.lock().unwrap();
        for other in plugs.all.clone() {
            let follows = match topic {
                Topic::Room(room) => other.rooms.lock().unwrap().contains(&room),
                Topic::Control => true,
            };
            if follows && !Arc::ptr_eq(&other, &self.plug) && !other.is_dead.load(Ordering::SeqCst)
            {
                plugs.carry(&other, topic, &message);
            }
        }
    }

    fn follow(&self, room: RoomId) {
        self.plug.rooms.lock().unwrap().insert(room);
        if self.status() == Status::Up {
            self.plug.say(Word::Followed(vec![room]));
        }
    }

    fn unfollow(&self, room: RoomId) {
        self.plug.rooms.lock().unwrap().remove(&room);
    }

    fn status(&self) -> Status {
        let is_dead = self.plug.is_dead.load(Ordering::SeqCst);
        if is_dead || self.switch.0.lock().unwrap().is_cut {
            Status::Down
        } else {
            Status::Up
        }
    }
}
