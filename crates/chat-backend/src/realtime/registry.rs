//! Which sockets this node has: whose they are, from where, and how many of each there may be.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use chat_types::id::{ConnectionId, SessionId, UserId};

use super::mailbox::{Mailbox, Order};
use crate::auth::Caller;
use crate::rate_limit::AddressKey;

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub struct Caps {
    /// Of one user.
    pub per_user: usize,
    /// Of one address, signed in.
    pub per_address: usize,
    /// Of one address, before `hello` and as a visitor.
    pub anonymous_per_address: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            per_user: 10,
            per_address: 50,
            anonymous_per_address: 20,
        }
    }
}

/// A cap is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany;

struct Entry {
    mailbox: Arc<Mailbox>,
    address: AddressKey,
    owner: Option<(UserId, SessionId)>,
}

#[derive(Default)]
struct AddressCount {
    anonymous: usize,
    signed_in: usize,
}

/// Replaced sessions that are remembered: more than are replaced while one connection is let in.
const REPLACED: usize = 64;

/// The sockets of this node.
#[derive(Default)]
pub(super) struct Registry {
    entries: HashMap<ConnectionId, Entry>,
    users: HashMap<UserId, Vec<ConnectionId>>,
    addresses: HashMap<AddressKey, AddressCount>,
    /// Sessions that go on under another one, the newest last. A connection may be let in as one
    /// that was looked up just before it was replaced.
    replaced: VecDeque<(SessionId, SessionId)>,
}

impl Registry {
    /// Takes a new connection in, which belongs to nobody yet.
    pub(super) fn admit(
        &mut self,
        mailbox: Arc<Mailbox>,
        address: AddressKey,
        caps: &Caps,
    ) -> Result<(), TooMany> {
        let count = self.addresses.entry(address).or_default();
        if count.anonymous >= caps.anonymous_per_address {
            return Err(TooMany);
        }
        count.anonymous += 1;
        let entry = Entry {
            mailbox,
            address,
            owner: None,
        };
        self.entries.insert(entry.mailbox.id, entry);
        Ok(())
    }

    /// The connection is `caller`'s now.
    pub(super) fn identify(
        &mut self,
        id: ConnectionId,
        caller: &Caller,
        caps: &Caps,
    ) -> Result<(), TooMany> {
        let Some(entry) = self.entries.get_mut(&id) else {
            return Ok(());
        };
        let replaced = self.replaced.iter();
        let session = replaced.fold(
            caller.session,
            |session, (old, new)| {
                if session == *old { *new } else { session }
            },
        );
        if session != caller.session {
            entry.mailbox.order(Order::ReplaceSession(session));
        }
        let owner = (caller.user.id, session);
        if entry.owner.is_some_and(|(user, _)| user == owner.0) {
            entry.owner = Some(owner);
            return Ok(());
        }
        let connections = self.users.entry(owner.0).or_default();
        let count = self.addresses.entry(entry.address).or_default();
        if connections.len() >= caps.per_user || count.signed_in >= caps.per_address {
            if connections.is_empty() {
                self.users.remove(&owner.0);
            }
            return Err(TooMany);
        }
        connections.push(id);
        count.anonymous -= 1;
        count.signed_in += 1;
        entry.owner = Some(owner);
        Ok(())
    }

    /// Forgets a connection.
    pub(super) fn remove(&mut self, id: ConnectionId) {
        let Some(entry) = self.entries.remove(&id) else {
            return;
        };
        if let Some((user, _)) = entry.owner
            && let Some(connections) = self.users.get_mut(&user)
        {
            connections.retain(|other| *other != id);
            if connections.is_empty() {
                self.users.remove(&user);
            }
        }
        if let Some(count) = self.addresses.get_mut(&entry.address) {
            match entry.owner {
                Some(_) => count.signed_in -= 1,
                None => count.anonymous -= 1,
            }
            if count.anonymous + count.signed_in == 0 {
                self.addresses.remove(&entry.address);
            }
        }
    }

    /// The connections of a user, with their sessions.
    pub(super) fn of_user(&self, user: UserId) -> impl Iterator<Item = (SessionId, &Arc<Mailbox>)> {
        let connections = self.users.get(&user).into_iter().flatten();
        connections.filter_map(|id| {
            let entry = self.entries.get(id)?;
            Some((entry.owner?.1, &entry.mailbox))
        })
    }

    /// The sockets of a session are another session's now.
    pub(super) fn replace_session(&mut self, user: UserId, old: SessionId, new: SessionId) {
        for id in self.users.get(&user).into_iter().flatten() {
            if let Some(entry) = self.entries.get_mut(id)
                && entry.owner == Some((user, old))
            {
                entry.owner = Some((user, new));
            }
        }
        if self.replaced.len() == REPLACED {
            self.replaced.pop_front();
        }
        self.replaced.push_back((old, new));
    }

    /// The sessions that have connections, each with its user.
    pub(super) fn sessions(&self) -> Vec<(UserId, SessionId)> {
        let owners = self.entries.values().filter_map(|entry| entry.owner);
        let sessions: HashSet<_> = owners.collect();
        sessions.into_iter().collect()
    }

    /// Every connection.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Mailbox>> {
        self.entries.values().map(|entry| &entry.mailbox)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn users(&self) -> usize {
        self.users.len()
    }
}
