//! Edits, deletions, reactions and pins. Each sets something, so repeating it after a lost
//! connection is harmless: they wait in memory until they are answered.

use std::collections::VecDeque;

use chat_types::id::{MessageId, RequestId, RoomId};
use chat_types::problem::ErrorCode;
use chat_types::time::Timestamp;
use chat_types::ws::{Command, Err};

use super::{Client, Request};
use crate::effect::{FailedCommand, Failure, Notice, RoomChange};
use crate::list_map::ListMap;
use crate::room::key_of;

/// The most commands that wait at once.
const CAPACITY: usize = 32;
/// How often a command is tried before the person is told.
const ATTEMPTS: u32 = 4;
/// The pause after a refusal that may pass.
const RETRY_MS: u64 = 1_000;

/// What a command does to its message.
#[derive(Clone)]
pub(super) enum Act {
    Edit(String),
    Delete,
    React(String, bool),
    Pin(bool),
}

/// A command and its message.
#[derive(Clone)]
pub(super) struct Mutation {
    room: RoomId,
    message_id: MessageId,
    act: Act,
    attempts: u32,
}

/// The commands that wait, or that the server has not answered yet.
#[derive(Default)]
pub(crate) struct Commands {
    waiting: VecDeque<Mutation>,
    under_way: ListMap<RequestId, Mutation>,
    hold_until: Option<Timestamp>,
}

impl Commands {
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.under_way.clear();
    }

    pub(super) fn ready_at(&self) -> Option<Timestamp> {
        self.hold_until.filter(|_| !self.waiting.is_empty())
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The connection is gone: what it did not answer is asked again on the next one, in order.
    pub(super) fn recall(&mut self) {
        for mutation in self.under_way.take_values().rev() {
            self.waiting.push_front(mutation);
        }
    }

    /// Whether a change of this message is not answered yet.
    pub(crate) fn concern(&self, id: MessageId) -> bool {
        let mut open = self.waiting.iter().chain(self.under_way.values());
        open.any(|mutation| mutation.message_id == id)
    }
}

impl Client {
    pub(super) fn command(&mut self, room: RoomId, message_id: MessageId, act: Act) {
        let mutation = Mutation {
            room,
            message_id,
            act,
            attempts: 0,
        };
        if self.user.is_none() {
            self.command_failed(mutation, ErrorCode::Unauthorized, None);
        } else if self.commands.waiting.len() >= CAPACITY {
            self.command_failed(mutation, ErrorCode::LimitReached, None);
        } else {
            self.commands.waiting.push_back(mutation);
            self.show_command(room, message_id);
        }
    }

    pub(super) fn send_commands(&mut self, now: Timestamp) {
        if self.commands.hold_until.is_some_and(|until| until > now) {
            return;
        }
        self.commands.hold_until = None;
        while let Some(mut mutation) = self.commands.waiting.pop_front() {
            mutation.attempts += 1;
            let command = mutation.clone();
            let id = self.ask(now, Request::Command, |id| command.into_wire(id));
            self.commands.under_way.insert(id, mutation);
        }
    }

    /// Lets commands go that waited for another connection.
    pub(super) fn resend_commands(&mut self) {
        self.commands.hold_until = None;
    }

    /// The connection is gone, and with it every answer.
    pub(super) fn recall_requests(&mut self) {
        self.asked.clear();
        self.commands.recall();
        self.outbox.reset_under_way();
    }

    /// Whether a person's message or change waits for a connection.
    pub(super) fn has_unanswered(&self) -> bool {
        self.outbox.is_waiting() || self.commands.is_waiting()
    }

    pub(super) fn command_done(&mut self, id: RequestId) {
        if let Some(mutation) = self.commands.under_way.remove(id) {
            self.show_command(mutation.room, mutation.message_id);
        }
    }

    pub(super) fn command_refused(&mut self, now: Timestamp, id: RequestId, error: &Err) {
        let Some(mutation) = self.commands.under_way.remove(id) else {
            return;
        };
        if error.code == ErrorCode::TokenExpired {
            self.ask_refresh(now);
        }
        if error.retry && mutation.attempts < ATTEMPTS {
            let pause = error.retry_after_ms.unwrap_or(RETRY_MS);
            self.commands.hold_until = Some(now.plus_ms(pause));
            self.commands.waiting.push_front(mutation);
            return;
        }
        self.show_command(mutation.room, mutation.message_id);
        self.command_failed(mutation, error.code, Some(error));
    }

    /// The row says whether a change of it is open.
    fn show_command(&mut self, room: RoomId, id: MessageId) {
        let user = self.user.as_ref().map(|user| user.id);
        let message = self
            .rooms
            .get(room)
            .and_then(|state| state.timeline.get(id));
        if let Some(key) = message.map(|message| key_of(message, user)) {
            self.notify_room(room, RoomChange::Updated(key));
        }
    }

    fn command_failed(&mut self, mutation: Mutation, code: ErrorCode, error: Option<&Err>) {
        self.notify(Notice::CommandFailed(Failure {
            command: mutation.name(),
            room: mutation.room,
            code,
            reason: error.and_then(|error| error.reason),
            retry_after_ms: error.and_then(|error| error.retry_after_ms),
            body: match mutation.act {
                Act::Edit(body) => Some(body),
                Act::Delete | Act::React(..) | Act::Pin(_) => None,
            },
        }));
    }
}

impl Mutation {
    fn name(&self) -> FailedCommand {
        let id = self.message_id;
        match self.act {
            Act::Edit(_) => FailedCommand::Edit(id),
            Act::Delete => FailedCommand::Delete(id),
            Act::React(..) => FailedCommand::React(id),
            Act::Pin(_) => FailedCommand::Pin(id),
        }
    }

    fn into_wire(self, id: chat_types::id::RequestId) -> Command {
        let Self {
            room, message_id, ..
        } = self;
        match self.act {
            Act::Edit(body) => Command::Edit {
                id,
                room,
                message_id,
                body,
            },
            Act::Delete => Command::Delete {
                id,
                room,
                message_id,
            },
            Act::React(emoji, on) => Command::React {
                id,
                room,
                message_id,
                emoji,
                on,
            },
            Act::Pin(on) => Command::Pin {
                id,
                room,
                message_id,
                on,
            },
        }
    }
}
