//! Which sockets this node has: whose they are, from where, and how many of each there may be.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use chat_types::close::CloseCode;
use chat_types::id::{ConnectionId, SessionId, UserId};

use super::mailbox::{Mailbox, Order};
use crate::auth::Caller;
use chat_listener::AddressKey;

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub struct Caps {
    /// Of one user.
    pub per_user: usize,
    /// Of one address, signed in.
    pub per_address: usize,
    /// Of one address, as a visitor.
    pub visitors_per_address: usize,
    /// Of one address, before `hello`.
    pub greeting_per_address: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            per_user: 10,
            per_address: 100,
            visitors_per_address: 100,
            greeting_per_address: 50,
        }
    }
}

/// A cap is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany;

struct Entry {
    mailbox: Arc<Mailbox>,
    address: AddressKey,
    standing: Standing,
}

/// What a connection has said of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Nothing yet.
    Greeting,
    /// It has shown a signed token of this user and session, which is being looked up: word for the
    /// session reaches it already, and it takes no place of the user's.
    Claims(UserId, SessionId),
    Visitor,
    Of(UserId, SessionId),
}

impl Standing {
    fn owner(self) -> Option<(UserId, SessionId)> {
        match self {
            Self::Of(user, session) | Self::Claims(user, session) => Some((user, session)),
            Self::Greeting | Self::Visitor => None,
        }
    }

    /// The same under another session.
    fn under(self, session: SessionId) -> Self {
        match self {
            Self::Of(user, _) => Self::Of(user, session),
            Self::Claims(user, _) => Self::Claims(user, session),
            other => other,
        }
    }
}

/// The connections of an address. Each standing has a count of its own, so that nobody who is less
/// takes the room of somebody who is more: behind one address there may be a school.
#[derive(Default)]
struct AddressCount {
    /// Those before `hello`, the oldest first.
    greeting: VecDeque<ConnectionId>,
    visitors: usize,
    signed_in: usize,
}

impl AddressCount {
    /// One that stood so does no longer.
    fn leave(&mut self, id: ConnectionId, standing: Standing) {
        match standing {
            Standing::Greeting | Standing::Claims(..) => {
                self.greeting.retain(|other| *other != id);
            }
            Standing::Visitor => self.visitors -= 1,
            Standing::Of(..) => self.signed_in -= 1,
        }
    }

    fn is_empty(&self) -> bool {
        self.greeting.is_empty() && self.visitors + self.signed_in == 0
    }
}

/// Replaced sessions that are remembered: more than are replaced while one connection is let in.
const REPLACED: usize = 64;

/// The session that `session` goes on under.
fn newest(replaced: &VecDeque<(SessionId, SessionId)>, session: SessionId) -> SessionId {
    let replaced = replaced.iter();
    replaced.fold(session, |it, (old, new)| if it == *old { *new } else { it })
}

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
    /// Takes a new connection in, which belongs to nobody yet. For one too many the oldest of its
    /// address that has not said hello goes: who means it says hello at once.
    pub(super) fn admit(&mut self, mailbox: Arc<Mailbox>, address: AddressKey, caps: &Caps) {
        let greeting = &mut self.addresses.entry(address).or_default().greeting;
        greeting.push_back(mailbox.id);
        let oldest = (greeting.len() > caps.greeting_per_address)
            .then(|| greeting.pop_front())
            .flatten();
        if let Some(oldest) = oldest.and_then(|id| self.entries.get(&id)) {
            oldest
                .mailbox
                .order(Order::Close(CloseCode::TooManyConnections));
        }
        let entry = Entry {
            mailbox,
            address,
            standing: Standing::Greeting,
        };
        self.entries.insert(entry.mailbox.id, entry);
    }

    /// The connection may be this user's, which is about to be looked up. A session that ends from now
    /// on finds the connection, and one that ended before is found by the look: between the two there
    /// is no gap in which it ends unnoticed.
    pub(super) fn claim(&mut self, id: ConnectionId, user: UserId, session: SessionId) {
        self.disclaim(id);
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        if entry.standing == Standing::Greeting {
            entry.standing = Standing::Claims(user, session);
            self.users.entry(user).or_default().push(id);
        }
    }

    /// The connection is not this user's after all.
    pub(super) fn disclaim(&mut self, id: ConnectionId) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        if let Standing::Claims(user, _) = entry.standing {
            entry.standing = Standing::Greeting;
            entry.mailbox.disown();
            self.forget_of_user(user, id);
        }
    }

    fn forget_of_user(&mut self, user: UserId, id: ConnectionId) {
        if let Some(connections) = self.users.get_mut(&user) {
            connections.retain(|other| *other != id);
            if connections.is_empty() {
                self.users.remove(&user);
            }
        }
    }

    /// The connection is a visitor's.
    pub(super) fn visit(&mut self, id: ConnectionId, caps: &Caps) -> Result<(), TooMany> {
        let Some(entry) = self.entries.get_mut(&id) else {
            return Ok(());
        };
        let count = self.addresses.entry(entry.address).or_default();
        if count.visitors >= caps.visitors_per_address {
            return Err(TooMany);
        }
        count.leave(id, entry.standing);
        count.visitors += 1;
        entry.standing = Standing::Visitor;
        Ok(())
    }

    /// The connection is `caller`'s now.
    pub(super) fn identify(
        &mut self,
        id: ConnectionId,
        caller: &Caller,
        caps: &Caps,
    ) -> Result<(), TooMany> {
        let user = caller.user.id;
        let of_user = self.count_of(user);
        let Some(entry) = self.entries.get_mut(&id) else {
            return Ok(());
        };
        let session = match entry.standing {
            // Word of another session has reached the connection meanwhile.
            Standing::Claims(of, session) if of == user => session,
            _ => newest(&self.replaced, caller.session),
        };
        if session != caller.session {
            entry.mailbox.order(Order::ReplaceSession(session));
        }
        if matches!(entry.standing, Standing::Of(of, _) if of == user) {
            entry.standing = Standing::Of(user, session);
            return Ok(());
        }
        let count = self.addresses.entry(entry.address).or_default();
        if of_user >= caps.per_user || count.signed_in >= caps.per_address {
            return Err(TooMany);
        }
        count.leave(id, entry.standing);
        count.signed_in += 1;
        let before = std::mem::replace(&mut entry.standing, Standing::Of(user, session));
        if before != Standing::Claims(user, session) {
            self.users.entry(user).or_default().push(id);
        }
        Ok(())
    }

    /// How many connections are the user's, without those that only may be.
    fn count_of(&self, user: UserId) -> usize {
        let connections = self.users.get(&user).into_iter().flatten();
        let standings = connections.filter_map(|id| self.entries.get(id));
        let theirs = standings.filter(|entry| matches!(entry.standing, Standing::Of(..)));
        theirs.count()
    }

    /// Forgets a connection.
    pub(super) fn remove(&mut self, id: ConnectionId) {
        let Some(entry) = self.entries.remove(&id) else {
            return;
        };
        if let Some((user, _)) = entry.standing.owner() {
            self.forget_of_user(user, id);
        }
        if let Some(count) = self.addresses.get_mut(&entry.address) {
            count.leave(id, entry.standing);
            if count.is_empty() {
                self.addresses.remove(&entry.address);
            }
        }
    }

    /// The connections of a user, with their sessions.
    pub(super) fn of_user(&self, user: UserId) -> impl Iterator<Item = (SessionId, &Arc<Mailbox>)> {
        let connections = self.users.get(&user).into_iter().flatten();
        connections.filter_map(|id| {
            let entry = self.entries.get(id)?;
            let (_, session) = entry.standing.owner()?;
            Some((session, &entry.mailbox))
        })
    }

    /// The sockets of a session are another session's now.
    pub(super) fn replace_session(&mut self, user: UserId, old: SessionId, new: SessionId) {
        for id in self.users.get(&user).into_iter().flatten() {
            if let Some(entry) = self.entries.get_mut(id)
                && entry.standing.owner() == Some((user, old))
            {
                entry.standing = entry.standing.under(new);
            }
        }
        if self.replaced.len() == REPLACED {
            self.replaced.pop_front();
        }
        self.replaced.push_back((old, new));
    }

    /// The sessions that have connections, each with its user.
    pub(super) fn sessions(&self) -> Vec<(UserId, SessionId)> {
        let owners = self.entries.values().filter_map(|it| it.standing.owner());
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
