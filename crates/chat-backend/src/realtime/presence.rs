//! Who looks at a room now, on this node. A crowd is told as a number.

use std::collections::HashMap;
use std::time::Duration;

use chat_types::event::User;
use chat_types::id::UserId;
use chat_types::ws::Ephemeral;

/// Users that presence names at most; above it is only a number.
pub(super) const NAMED_USERS: usize = 200;
/// Changes of presence within this time are told together.
pub(super) const DEBOUNCE: Duration = Duration::from_millis(300);
/// The same for a crowd, where each telling costs one write per reader.
pub(super) const CROWD_DEBOUNCE: Duration = Duration::from_secs(2);

struct Present {
    user: User,
    connections: u32,
}

/// Who looks at a room.
#[derive(Default)]
pub(super) struct Presence {
    users: HashMap<UserId, Present>,
    visitors: u32,
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

    pub(super) fn count(&self) -> usize {
        self.users.len() + self.visitors as usize
    }

    pub(super) fn debounce(&self) -> Duration {
        if self.count() > NAMED_USERS {
            CROWD_DEBOUNCE
        } else {
            DEBOUNCE
        }
    }

    /// What readers are told.
    pub(super) fn tell(&self) -> Ephemeral {
        let mut users = Vec::new();
        if self.count() <= NAMED_USERS {
            users.extend(self.users.values().map(|present| present.user.clone()));
            users.sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
        }
        Ephemeral::Presence {
            count: u32::try_from(self.count()).unwrap_or(u32::MAX),
            users,
        }
    }
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
        assert_eq!(presence.count(), 2);
        presence.leave(Some(user(1).id));
        assert_eq!(presence.count(), 2);
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
}
