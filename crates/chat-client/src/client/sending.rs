//! Messages on their way: queued at once, sent in order, repeated under the same id until answered.

use chat_types::event::ReplyPreview;
use chat_types::id::{ClientId, MessageId, RoomId};
use chat_types::problem::ErrorCode;
use chat_types::room::Sent;
use chat_types::time::Timestamp;
use chat_types::ws::{Command, Err};

use super::{Client, Request};
use crate::effect::{FailedCommand, Failure, Notice, Place, RoomChange};
use crate::room::{RoomState, excerpt};
use crate::row::{Pending, PendingState, RowKey};

/// The first pause after a refusal that may pass; each one after it is twice as long.
const RETRY_BASE_MS: u64 = 1_000;
/// No pause is longer.
const RETRY_CAP_MS: u64 = 30_000;
/// Bytes of a `send` beside its body, for any ids and escapes of its own.
const ENVELOPE_BYTES: usize = 64;

impl Client {
    pub(super) fn send(
        &mut self,
        room: RoomId,
        client_id: ClientId,
        body: String,
        reply_to: Option<MessageId>,
    ) {
        let sent = self
            .rooms
            .get(room)
            .is_some_and(|state| state.timeline.own.contains_key(&client_id));
        if sent || self.outbox.get(client_id).is_some() {
            return;
        }
        if self.outbox.is_full() {
            self.notify(Notice::CommandFailed(Failure {
                command: FailedCommand::Send(client_id),
                room,
                code: ErrorCode::LimitReached,
                reason: None,
                retry_after_ms: None,
                body: Some(body),
            }));
            return;
        }
        let reply_to = reply_to.and_then(|id| self.preview(room, id));
        self.outbox.push(Pending {
            room,
            client_id,
            body,
            reply_to,
            at: self.clock.to_device(self.clock.now()),
            state: PendingState::Sending,
        });
        let keys = vec![RowKey::Own(client_id)];
        let place = Place::Own;
        self.notify_room(room, RoomChange::Inserted { keys, place });
    }

    fn preview(&self, room: RoomId, id: MessageId) -> Option<ReplyPreview> {
        let message = self.rooms.get(room)?.timeline.get(id)?;
        Some(ReplyPreview {
            id,
            number: message.number,
            author: message.author.name.clone(),
            excerpt: excerpt(&message.content),
        })
    }

    pub(super) fn retry(&mut self, client_id: ClientId) {
        let failed = self
            .outbox
            .get(client_id)
            .is_some_and(|pending| matches!(pending.state, PendingState::Failed { .. }));
        if failed {
            self.set_pending(client_id, PendingState::Sending);
        }
    }

    pub(super) fn discard(&mut self, client_id: ClientId) {
        let accepted = self
            .outbox
            .get(client_id)
            .is_some_and(|pending| matches!(pending.state, PendingState::Accepted { .. }));
        if accepted {
            return;
        }
        if let Some(pending) = self.outbox.remove(client_id) {
            let key = RowKey::Own(client_id);
            self.notify_room(pending.room, RoomChange::Removed(key));
        }
    }

    /// Sends what waits and may go.
    pub(super) fn send_pending(&mut self, now: Timestamp) {
        if !self.can_write() {
            return;
        }
        self.send_commands(now);
        while let Some(pending) = self.outbox.next(now) {
            let Pending {
                room,
                client_id,
                body,
                reply_to,
                ..
            } = pending.clone();
            let reply_to = reply_to.map(|preview| preview.id);
            if !self.fits(room, client_id, &body, reply_to) {
                let state = PendingState::Failed {
                    code: ErrorCode::TooLarge,
                    reason: None,
                };
                self.set_pending(client_id, state);
                continue;
            }
            self.ask(now, Request::Send(room, client_id), |id| Command::Send {
                id,
                room,
                client_id,
                body,
                reply_to,
            });
            self.outbox.started(room, client_id, now);
        }
    }

    /// Whether a frame can hold the message. A larger one would close the connection each time.
    fn fits(
        &self,
        room: RoomId,
        client_id: ClientId,
        body: &str,
        reply_to: Option<MessageId>,
    ) -> bool {
        let probe = Command::Send {
            id: chat_types::id::RequestId(0),
            room,
            client_id,
            body: body.to_owned(),
            reply_to,
        };
        let bytes = serde_json::to_string(&probe).map_or(usize::MAX, |text| text.len());
        bytes.saturating_add(ENVELOPE_BYTES) <= self.frames.frame_bytes()
    }

    pub(super) fn accepted(&mut self, room: RoomId, client_id: ClientId, sent: &Sent) {
        self.outbox.ended(room, client_id);
        self.outbox.unhold(room);
        if self.outbox.get(client_id).is_none() {
            return;
        }
        let cursor = self.rooms.get(room).map(RoomState::cursor);
        match cursor {
            // Nobody follows the room: there is no timeline to wait for.
            None => {
                self.outbox.remove(client_id);
            }
            Some(cursor) => {
                let state = PendingState::Accepted {
                    id: sent.id,
                    number: sent.number,
                    seq: sent.seq,
                };
                self.set_pending(client_id, state);
                if cursor.is_some() {
                    self.settle(room);
                }
            }
        }
    }

    pub(super) fn send_refused(
        &mut self,
        now: Timestamp,
        room: RoomId,
        client_id: ClientId,
        error: &Err,
    ) {
        self.outbox.ended(room, client_id);
        if error.retry {
            let refusals = self.outbox.refusals(room);
            let longest = RETRY_BASE_MS
                .saturating_mul(1 << refusals.min(16))
                .min(RETRY_CAP_MS);
            let own_pause = longest / 2 + self.rng.up_to(longest / 2);
            let pause = error.retry_after_ms.unwrap_or(own_pause);
            self.outbox.hold(room, now.plus_ms(pause));
            self.notify_room(room, RoomChange::Updated(RowKey::Own(client_id)));
            if error.code == ErrorCode::TokenExpired {
                self.ask_refresh(now);
            }
            return;
        }
        let state = PendingState::Failed {
            code: error.code,
            reason: error.reason,
        };
        self.set_pending(client_id, state);
    }

    fn set_pending(&mut self, client_id: ClientId, state: PendingState) {
        if self.outbox.set_state(client_id, state)
            && let Some(room) = self.outbox.get(client_id).map(|pending| pending.room)
        {
            self.notify_room(room, RoomChange::Updated(RowKey::Own(client_id)));
        }
    }
}
