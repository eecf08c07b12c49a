//! Who looks at a room now, here and through other nodes. A crowd is told as a number.

use std::collections::HashMap;
use std::time::Duration;

use chat_types::event::User;
use chat_types::id::UserId;
use chat_types::ws::Ephemeral;
use tokio::time::Instant;

use super::message::{NodeId, Share};

/// Users that presence names at most; above it is only a number.
pub(super) const NAMED_USERS: usize = 200;
/// Changes of presence within this time are told together.
pub(super) const DEBOUNCE: Duration = Duration::from_millis(300);
/// The same where readers were told [`LATELY`]: a room that fills or empties goes on changing, and each
/// telling costs one write per reader. With other nodes a change is collected at two of them, each for
/// half of this: all of it stays well below the second within which a change is to be seen.
pub(super) const BUSY_DEBOUNCE: Duration = Duration::from_millis(700);
/// How long a room counts as changing after its readers were told.
const LATELY: Duration = Duration::from_secs(1);
/// The same for a crowd.
pub(super) const CROWD_DEBOUNCE: Duration = Duration::from_secs(2);

/// Nodes whose readers are counted with a room's at most; more do not run together.
const PEERS: usize = 256;

struct Present {
    user: User,
    connections: u32,
}

/// What another node told of its readers.
struct Peer {
    share: Share,
    heard: Instant,
}

/// Who looks at a room, here and through other nodes.
#[derive(Default)]
pub(super) struct Presence {
    users: HashMap<UserId, Present>,
    visitors: u32,
    peers: HashMap<NodeId, Peer>,
}

impl Presence {
    pub(super) fn enter(&mut self, viewer: Option<&User>) {
        match viewer {
            None => self.visitors += 1,
            Some(user) => {
                let present = self.users.entry(user.id).or_insert_with(|| Present {
                    user: user.clone(),
                    connections: 0,
                });
                present.connections += 1;
                present.user.clone_from(user);
            }
        }
    }

    pub(super) fn leave(&mut self, viewer: Option<UserId>) {
        match viewer {
            None => self.visitors = self.visitors.saturating_sub(1),
            Some(user) => {
                let Some(present) = self.users.get_mut(&user) else {
                    return;
                };
                present.connections -= 1;
                if present.connections == 0 {
                    self.users.remove(&user);
                }
            }
        }
    }

    /// How many look at the room through this node.
    pub(super) fn local_count(&self) -> usize {
        self.users.len() + self.visitors as usize
    }

    /// This node's part: how many, and who unless it is a crowd.
    pub(super) fn local(&self) -> (u32, Vec<User>) {
        let count = narrow(self.local_count());
        if self.local_count() > NAMED_USERS {
            return (count, Vec::new());
        }
        let users = self.users.values().map(|present| present.user.clone());
        (count, in_order(users.collect()))
    }

    /// Takes in what another node tells; whether it says anything new. Of words that come in another
    /// order than they were said the newest counts, so who has left is remembered for a while.
    pub(super) fn hear(&mut self, node: NodeId, share: Share, now: Instant) -> bool {
        if let Some(peer) = self.peers.get_mut(&node) {
            if share.version < peer.share.version {
                return false;
            }
            let is_new = (share.count, &share.users) != (peer.share.count, &peer.share.users);
            *peer = Peer { share, heard: now };
            return is_new;
        }
        let is_new = share.count > 0;
        if self.peers.len() < PEERS {
            self.peers.insert(node, Peer { share, heard: now });
        }
        is_new
    }

    /// Forgets nodes that have said nothing for `age`; whether anybody was there.
    pub(super) fn forget_silent(&mut self, age: Duration, now: Instant) -> bool {
        let mut was_somebody = false;
        self.peers.retain(|_, peer| {
            let is_silent = now.duration_since(peer.heard) >= age;
            was_somebody |= is_silent && peer.share.count > 0;
            !is_silent
        });
        was_somebody
    }

    /// For how long changes are collected when readers were last told at `told`: longer for a crowd. The
    /// count is not exact, since somebody may be here through two nodes.
    pub(super) fn debounce(&self, told: Option<Instant>, alone: bool, now: Instant) -> Duration {
        let elsewhere: u32 = self.peers.values().map(|peer| peer.share.count).sum();
        let is_busy = told.is_some_and(|told| now.duration_since(told) < LATELY);
        if self.local_count() + elsewhere as usize > NAMED_USERS {
            CROWD_DEBOUNCE
        } else if !is_busy {
            DEBOUNCE
        } else if alone {
            BUSY_DEBOUNCE
        } else {
            BUSY_DEBOUNCE / 2
        }
    }

    /// What readers are told. A user who is here through several nodes counts once, unless one of
    /// the nodes has a crowd, which it only counts.
    pub(super) fn tell(&self) -> Ephemeral {
        let (mut count, local) = self.local();
        let mut users: HashMap<UserId, User> = local.into_iter().map(|it| (it.id, it)).collect();
        for Peer { share, .. } in self.peers.values() {
            let named = share.users.iter();
            let again = named.filter(|user| users.contains_key(&user.id)).count();
            count = count.saturating_add(share.count.saturating_sub(narrow(again)));
            for user in &share.users {
                users.entry(user.id).or_insert_with(|| user.clone());
            }
        }
        let is_crowd = count as usize > NAMED_USERS;
        let users = if is_crowd {
            Vec::new()
        } else {
            users.into_values().collect()
        };
        Ephemeral::Presence {
            count,
            users: in_order(users),
        }
    }
}

fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn in_order(mut users: Vec<User>) -> Vec<User> {
    users.sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
    users
}

#[cfg(test)]
mod tests {
    use chat_types::event::UserKind;
    use uuid::Uuid;

    use super::*;

    fn user(n: usize) -> User {
        User {
            id: UserId::from_uuid(Uuid::from_u128(n as u128)),
            name: format!("user {n:04}"),
            kind: UserKind::Guest,
        }
    }

    #[test]
    fn a_user_on_two_devices_is_here_once_and_until_the_last_one_leaves() {
        let mut presence = Presence::default();
        presence.enter(Some(&user(1)));
        presence.enter(Some(&user(1)));
        presence.enter(None);
        assert_eq!(presence.local_count(), 2);
        presence.leave(Some(user(1).id));
        assert_eq!(presence.local_count(), 2);
        presence.leave(Some(user(1).id));
        presence.leave(None);
        let nobody = Ephemeral::Presence {
            count: 0,
            users: vec![],
        };
        assert_eq!(presence.tell(), nobody);
    }

    #[test]
    fn two_hundred_are_named_and_one_more_makes_a_number() {
        let mut presence = Presence::default();
        for n in 0..NAMED_USERS {
            presence.enter(Some(&user(n)));
        }
        let Ephemeral::Presence { users, .. } = presence.tell() else {
            unreachable!()
        };
        assert_eq!(users.len(), NAMED_USERS);
        presence.enter(None);
        let crowd = Ephemeral::Presence {
            count: 201,
            users: vec![],
        };
        assert_eq!(presence.tell(), crowd);
    }

    fn share(version: u64, users: &[usize], visitors: u32) -> Share {
        Share {
            version,
            epoch: None,
            head: chat_types::id::Seq::ZERO,
            count: u32::try_from(users.len()).unwrap() + visitors,
            users: users.iter().map(|n| user(*n)).collect(),
            ask: false,
        }
    }

    fn told(presence: &Presence) -> (u32, usize) {
        match presence.tell() {
            Ephemeral::Presence { count, users } => (count, users.len()),
            _ => unreachable!(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn users_of_several_nodes_count_once_and_visitors_add_up() {
        let mut presence = Presence::default();
        presence.enter(Some(&user(1)));
        presence.enter(None);
        let (first, second) = (NodeId::random(), NodeId::random());
        assert!(presence.hear(first, share(1, &[1, 2], 3), Instant::now()));
        assert!(presence.hear(second, share(1, &[2], 0), Instant::now()));
        assert_eq!(told(&presence), (6, 2), "users 1 and 2, visitors 1 and 3");
        assert!(
            !presence.hear(second, share(2, &[2], 0), Instant::now()),
            "nothing new"
        );
        assert!(
            presence.hear(first, share(2, &[], 0), Instant::now()),
            "they left"
        );
        assert_eq!(told(&presence), (3, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_word_that_comes_late_brings_nobody_back() {
        let mut presence = Presence::default();
        let node = NodeId::random();
        presence.hear(node, share(5, &[], 0), Instant::now());
        assert!(!presence.hear(node, share(4, &[1], 0), Instant::now()));
        assert_eq!(told(&presence), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_died_is_forgotten_after_its_silence() {
        let mut presence = Presence::default();
        presence.hear(NodeId::random(), share(1, &[1], 0), Instant::now());
        let age = Duration::from_secs(30);
        tokio::time::advance(Duration::from_millis(29_999)).await;
        assert!(!presence.forget_silent(age, Instant::now()));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(presence.forget_silent(age, Instant::now()));
        assert_eq!(told(&presence), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn changes_are_collected_for_longer_just_after_a_telling_and_in_a_crowd() {
        let mut presence = Presence::default();
        let told = Some(Instant::now());
        let debounce = |presence: &Presence, alone| presence.debounce(told, alone, Instant::now());
        assert_eq!(presence.debounce(None, true, Instant::now()), DEBOUNCE);
        tokio::time::advance(Duration::from_millis(999)).await;
        assert_eq!(debounce(&presence, true), BUSY_DEBOUNCE);
        assert_eq!(debounce(&presence, false), BUSY_DEBOUNCE / 2);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(debounce(&presence, true), DEBOUNCE);
        presence.visitors = narrow(NAMED_USERS);
        assert_eq!(debounce(&presence, true), DEBOUNCE);
        presence.enter(None);
        assert_eq!(debounce(&presence, true), CROWD_DEBOUNCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_of_several_nodes_is_a_number() {
        let mut presence = Presence::default();
        let half: Vec<_> = (0..NAMED_USERS / 2).collect();
        presence.hear(NodeId::random(), share(1, &half, 0), Instant::now());
        presence.hear(NodeId::random(), share(1, &[], 100), Instant::now());
        assert_eq!(told(&presence), (200, 100));
        presence.enter(None);
        assert_eq!(told(&presence), (201, 0));
    }
}
