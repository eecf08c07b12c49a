//! Where the rest of the process leaves word for one connection.
//!
//! A mailbox holds no events: only which rooms have news, and orders to the connection. So its size
//! does not depend on how far the reader is behind.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chat_types::close::CloseCode;
use chat_types::id::{ConnectionId, RoomId, SessionId};
use chat_types::ws::UnsubReason;
use tokio::sync::Notify;

use super::codec::Doc;

/// Documents that wait at most; further ones are dropped, since they may be lost.
const WAITING_DOCS: usize = 64;

/// What a connection is told to do.
#[derive(Debug)]
pub(super) enum Order {
    /// End with this code.
    Close(CloseCode),
    /// The user's place in this room has ended.
    Unsubscribe(RoomId, UnsubReason),
    /// The connection's session goes on under another id, perhaps as another kind of user.
    ReplaceSession(SessionId),
    /// Send this; it may be lost.
    Send(Doc),
    /// Send the newest ephemeral of this room and kind; not to an idle connection.
    SendUnlessIdle(Doc),
    /// Look up again what the connection may do.
    Recheck,
    /// The client should come back, to another server: say so, and close after a while.
    GoAway {
        /// Why.
        code: CloseCode,
        /// When to close.
        after: Duration,
        /// When the client may come back, counted from the close.
        retry_ms: u64,
    },
}

#[derive(Default)]
struct Inbox {
    news: Vec<RoomId>,
    orders: VecDeque<Order>,
    docs: usize,
}

/// One connection's mailbox, shared with the hub.
pub(super) struct Mailbox {
    /// Whose it is.
    pub(super) id: ConnectionId,
    wake: Notify,
    inbox: Mutex<Inbox>,
}

impl Mailbox {
    /// An empty mailbox.
    pub(super) fn new(id: ConnectionId) -> Self {
        Self {
            id,
            wake: Notify::new(),
            inbox: Mutex::default(),
        }
    }

    /// Returns when something was left since the last call.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Rooms with news, each once.
    pub(super) fn take_news(&self) -> Vec<RoomId> {
        std::mem::take(&mut self.lock().news)
    }

    /// The next order.
    pub(super) fn next_order(&self) -> Option<Order> {
        let mut inbox = self.lock();
        let order = inbox.orders.pop_front()?;
        if matches!(order, Order::Send(_) | Order::SendUnlessIdle(_)) {
            inbox.docs -= 1;
        }
        if inbox.orders.is_empty() {
            inbox.orders = VecDeque::new();
        }
        Some(order)
    }

    /// Tells of news in a room. The caller tells it once until the news are taken.
    pub(super) fn tell(&self, room: RoomId) {
        self.lock().news.push(room);
        self.wake.notify_one();
    }

    pub(super) fn order(&self, order: Order) {
        let mut inbox = self.lock();
        if matches!(order, Order::Send(_) | Order::SendUnlessIdle(_)) {
            if inbox.docs == WAITING_DOCS {
                return;
            }
            inbox.docs += 1;
        }
        inbox.orders.push_back(order);
        drop(inbox);
        self.wake.notify_one();
    }

    /// Forgets what was left for a user whose the connection turned out not to be. What was said to the
    /// connection itself stays.
    pub(super) fn disown(&self) {
        let mut inbox = self.lock();
        inbox.orders.retain(|order| match order {
            Order::GoAway { .. } | Order::Close(CloseCode::TooManyConnections) => true,
            Order::Close(_)
            | Order::Unsubscribe(..)
            | Order::ReplaceSession(_)
            | Order::Send(_)
            | Order::SendUnlessIdle(_)
            | Order::Recheck => false,
        });
        inbox.docs = 0;
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn documents_for_a_reader_who_takes_none_are_bounded_and_orders_are_kept() {
        let mailbox = Mailbox::new(ConnectionId::from_uuid(uuid::Uuid::nil()));
        for _ in 0..WAITING_DOCS * 2 {
            mailbox.order(Order::Send(Doc::from("{}")));
        }
        mailbox.order(Order::Close(CloseCode::Revoked));
        mailbox.woken().await;
        let mut taken = 0;
        while let Some(Order::Send(_)) = mailbox.next_order() {
            taken += 1;
        }
        assert_eq!(taken, WAITING_DOCS, "and the close order ended the loop");
    }
}
