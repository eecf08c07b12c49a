//! One command, one operation, one outcome. This is the table of what a socket can do.

use chat_store::Cursor;
use chat_types::id::{ConnectionId, Epoch, Number, RequestId, RoomId, Seq, SessionId};
use chat_types::limits::{REPLAY, SYNC_PAGE, TAIL};
use chat_types::problem::ErrorCode;
use chat_types::room::{React, SendMessage, Sent};
use chat_types::ws::{self, Command, ServerDoc};

use super::codec::{Doc, encode};
use super::starts::{self, Answer};
use crate::auth::{self, Caller};
use crate::error::ApiError;
use crate::messages::{Sender, Sending};
use crate::metrics;
use crate::reads::Position;
use crate::rooms::permissions::Act;
use crate::state::AppState;
use crate::{messages, reads, rooms};
use chat_listener::AddressKey;
use chat_listener::traces::Span;
use tracing::Instrument;

/// How often a reader looks at a room that moves on meanwhile, before they read their own start of it.
const LOOKS: usize = 3;
/// The command to send a message, in traces.
const SEND: &str = "send";

/// On whose behalf, and over which connection.
pub(super) struct Context {
    pub(super) state: AppState,
    pub(super) caller: Option<Caller>,
    pub(super) connection: ConnectionId,
    pub(super) address: AddressKey,
}

impl Context {
    fn sender(&self) -> Result<Sender<'_>, ApiError> {
        let visitor = || ApiError::new(ErrorCode::Unauthorized).detail("a visitor only reads");
        Ok(Sender {
            caller: self.caller.as_ref().ok_or_else(visitor)?,
            address: self.address,
        })
    }
}

/// The command to send a message.
pub(super) struct SendCommand {
    pub(super) id: RequestId,
    pub(super) room: RoomId,
    pub(super) message: SendMessage,
}

/// A message that is under way.
pub(super) struct BegunSend {
    id: RequestId,
    room: RoomId,
    sending: Sending,
    span: Span,
}

impl BegunSend {
    /// Whether the next message may be under way beside it.
    pub(super) fn leads(&self) -> bool {
        self.sending.leads
    }

    pub(super) async fn finish(self) -> SendAnswer {
        let in_log = self.span.in_log();
        let sent = self.sending.sent.instrument(in_log).await;
        if let Err(refused) = &sent {
            let is_fault = refused.status().is_server_error();
            self.span.refused(refused.code.name(), is_fault);
        }
        SendAnswer {
            id: self.id,
            room: self.room,
            sent,
        }
    }
}

/// What became of a message.
pub(super) struct SendAnswer {
    pub(super) id: RequestId,
    pub(super) room: RoomId,
    pub(super) sent: Result<Sent, ApiError>,
}

/// What a command came to; the connection acts on it.
pub(super) enum Outcome {
    /// Nothing is to be said.
    Silent,
    /// Messages that were under way together, in their order.
    Sent(Vec<SendAnswer>),
    /// The caller may write in the room, so others are told who types.
    Typing(RoomId),
    /// The answer.
    Reply(Doc),
    /// The room is followed after `head`, once `doc` is sent.
    Subscribed {
        id: RequestId,
        room: RoomId,
        epoch: Epoch,
        head: Seq,
        doc: Doc,
    },
    /// The room may not be followed.
    NotSubscribed { room: RoomId, doc: Doc },
    /// A page of missed changes; after the last one the reader knows everything up to `upto`.
    Synced {
        room: RoomId,
        upto: Seq,
        more: bool,
        doc: Doc,
    },
    /// A token was accepted.
    Authenticated { id: RequestId, caller: Caller },
    /// What the store says of the connection's rights.
    Rechecked {
        /// The session that was looked up; none of a visitor.
        of: Option<SessionId>,
        caller: Result<Option<Caller>, ApiError>,
        lost: Vec<RoomId>,
    },
}

/// Runs a command to its end.
pub(super) async fn run(context: Context, command: Command) -> Outcome {
    let id = command.request_id();
    let followed = match &command {
        Command::Sub { room, .. } => Some(*room),
        _ => None,
    };
    let span = Span::command(command.name());
    let in_log = span.in_log();
    match obey(&context, command).instrument(in_log).await {
        Ok(outcome) => outcome,
        Err(error) => {
            span.refused(error.code.name(), error.status().is_server_error());
            let doc = refuse(id, &error);
            match followed {
                Some(room) => Outcome::NotSubscribed { room, doc },
                None => Outcome::Reply(doc),
            }
        }
    }
}

async fn obey(context: &Context, command: Command) -> Result<Outcome, ApiError> {
    match command {
        Command::Sub {
            id,
            room,
            epoch,
            since,
            tail,
        } => {
            let cursor = epoch.zip(since);
            let cursor = cursor.map(|(epoch, since)| Cursor { epoch, since });
            subscribe(context, id, room, cursor, tail).await
        }
        Command::Sync {
            id,
            room,
            after,
            limit,
        } => sync(context, id, room, after, limit).await,
        Command::Auth { id, token } => authenticate(context, id, &token).await,
        // Not answered: who may not write is not told as typing.
        Command::Typing { room } => Ok(match may_type(context, room).await {
            Ok(()) => Outcome::Typing(room),
            Err(_) => Outcome::Silent,
        }),
        Command::Read { room, number } => {
            read(context, room, number).await;
            Ok(Outcome::Silent)
        }
        command => change(context, command).await,
    }
}

/// Begins to send a message, which puts it into the store's queue; one that is `held` is refused so.
pub(super) fn begin_send(
    context: &Context,
    command: SendCommand,
    held: Option<ApiError>,
) -> BegunSend {
    let SendCommand { id, room, message } = command;
    let span = Span::command(SEND);
    let state = &context.state;
    let sending = match context.sender() {
        Err(refused) => Sending::refused(refused),
        Ok(sender) => match held {
            None => messages::send(state, sender, room, message),
            Some(held) => messages::hold_back(state, sender, room, message, held),
        },
    };
    BegunSend {
        id,
        room,
        sending,
        span,
    }
}

/// Other commands that change a room.
async fn change(context: &Context, command: Command) -> Result<Outcome, ApiError> {
    let (state, sender) = (&context.state, context.sender()?);
    match command {
        Command::Edit {
            id,
            room,
            message_id,
            body,
        } => messages::edit(state, sender, room, message_id, body)
            .await
            .map(|seq| changed_reply(id, seq)),
        Command::Delete {
            id,
            room,
            message_id,
        } => messages::delete(state, sender, room, message_id)
            .await
            .map(|seq| changed_reply(id, seq)),
        Command::React {
            id,
            room,
            message_id,
            emoji,
            on,
        } => messages::react(state, sender, room, message_id, React { emoji, on })
            .await
            .map(|seq| changed_reply(id, seq)),
        Command::Pin {
            id,
            room,
            message_id,
            on,
        } => messages::pin(state, sender, room, message_id, on)
            .await
            .map(|seq| changed_reply(id, seq)),
        _ => Err(ApiError::new(ErrorCode::Malformed).detail("not a command of this place")),
    }
}

/// Looks up again what the connection may do, in case a notice was lost.
pub(super) async fn recheck(context: Context, followed: Vec<RoomId>) -> Outcome {
    let of = context.caller.as_ref().map(|caller| caller.session);
    let caller = match &context.caller {
        Some(caller) => match auth::check_live(&context.state, caller).await {
            Ok(caller) => Some(caller),
            Err(error) => {
                return Outcome::Rechecked {
                    of,
                    caller: Err(error),
                    lost: Vec::new(),
                };
            }
        },
        None => None,
    };
    let mut lost = Vec::new();
    for room in followed {
        let answer = rooms::may_read(&context.state, caller.as_ref(), room).await;
        if answer.is_err_and(|error| !error.code.retry()) {
            lost.push(room);
        }
    }
    Outcome::Rechecked {
        of,
        caller: Ok(caller),
        lost,
    }
}

/// The `err` for a refusal.
pub(super) fn refuse(id: Option<RequestId>, error: &ApiError) -> Doc {
    metrics::socket_refused(error.code);
    encode(&ServerDoc::Err(error.to_ws(id)))
}

/// The `ok` of a command that yields nothing.
pub(super) fn ok(id: RequestId) -> Doc {
    encode(&ServerDoc::Ok(ws::Ok {
        id,
        seq: None,
        sent: None,
    }))
}

fn changed_reply(id: RequestId, seq: Seq) -> Outcome {
    Outcome::Reply(encode(&ServerDoc::Ok(ws::Ok {
        id,
        seq: Some(seq),
        sent: None,
    })))
}

/// The answer to a message.
pub(super) fn sent_reply(id: RequestId, sent: Result<Sent, ApiError>) -> Doc {
    match sent {
        Err(refused) => refuse(Some(id), &refused),
        Ok(sent) => encode(&ServerDoc::Ok(ws::Ok {
            id,
            seq: Some(sent.seq),
            sent: Some(sent),
        })),
    }
}

async fn subscribe(
    context: &Context,
    id: RequestId,
    room: RoomId,
    cursor: Option<Cursor>,
    tail: u32,
) -> Result<Outcome, ApiError> {
    if tail > TAIL {
        return Err(ApiError::invalid_value("tail", "at most 100"));
    }
    let (state, caller) = (&context.state, context.caller.as_ref());
    let viewer = caller.map(|caller| caller.user.id);
    let had_place = cursor.is_some();
    for _ in 0..LOOKS {
        let place = rooms::may(state, caller, room, Act::Read).await?;
        let starts = state.hub.starts();
        match starts.of(&place, viewer, cursor.as_ref(), tail).await? {
            Answer::Start(start) => {
                metrics::followed(had_place, start.recovered());
                return Ok(Outcome::Subscribed {
                    id,
                    room,
                    doc: start.for_reader(id, place.own.as_ref()),
                    epoch: place.record.epoch,
                    head: place.record.head,
                });
            }
            Answer::Moved => {}
            Answer::Own => break,
        }
    }
    let store = &state.store;
    let snapshot = store.snapshot(room, viewer, cursor, tail, REPLAY).await?;
    let snapshot = snapshot.ok_or(ApiError::new(ErrorCode::NotFound))?;
    let (epoch, head) = (snapshot.record.epoch.clone(), snapshot.record.head);
    let subbed = starts::subbed(id, snapshot);
    metrics::followed(had_place, subbed.recovered);
    Ok(Outcome::Subscribed {
        id,
        room,
        epoch,
        head,
        doc: encode(&ServerDoc::Subbed(Box::new(subbed))),
    })
}

async fn sync(
    context: &Context,
    id: RequestId,
    room: RoomId,
    after: Seq,
    limit: u32,
) -> Result<Outcome, ApiError> {
    if !(1..=SYNC_PAGE).contains(&limit) {
        return Err(ApiError::invalid_value("limit", "1 to 100"));
    }
    rooms::may_read(&context.state, context.caller.as_ref(), room).await?;
    let viewer = context.caller.as_ref().map(|caller| caller.user.id);
    let store = &context.state.store;
    let page = store.changes_after(room, viewer, after, limit).await?;
    let (upto, more) = (page.upto, page.more);
    let doc = encode(&ServerDoc::Page(ws::Page {
        id,
        room,
        epoch: page.epoch,
        changes: page.changes,
        upto,
        head: page.head,
        more,
    }));
    Ok(Outcome::Synced {
        room,
        upto,
        more,
        doc,
    })
}

async fn authenticate(context: &Context, id: RequestId, token: &str) -> Result<Outcome, ApiError> {
    let caller = auth::verify(&context.state, token).await?;
    if let Some(before) = &context.caller
        && before.user.id != caller.user.id
    {
        let forbidden = ApiError::new(ErrorCode::Forbidden);
        return Err(forbidden.detail("the connection belongs to another user"));
    }
    Ok(Outcome::Authenticated { id, caller })
}

async fn may_type(context: &Context, room: RoomId) -> Result<(), ApiError> {
    let caller = context.caller.as_ref();
    let caller = caller.ok_or(ApiError::new(ErrorCode::Unauthorized))?;
    rooms::may_write(&context.state, caller, room).await?;
    Ok(())
}

/// Not answered: what is too soon is stored later, and what is refused moves with the next one.
async fn read(context: &Context, room: RoomId, number: Number) {
    let Some(caller) = &context.caller else {
        return;
    };
    let position = Position {
        room,
        number,
        from: Some(context.connection),
    };
    reads::mark_read_soon(&context.state, caller, position).await;
}
