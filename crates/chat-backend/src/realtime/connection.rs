//! One task owns one socket, from its `hello` to its close code.
//!
//! The task reads commands, runs them one after another beside the reading (so that replies and a
//! room's order follow the order of sending), and writes replies, orders and news of rooms. Messages
//! that are sent one behind another are under way together, in the order of the store's queue. It
//! keeps no events: what a reader has not had yet stays in the rings, which all readers share.

mod under_way;

use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

use chat_types::close::CloseCode;
use chat_types::id::{RequestId, RoomId};
use chat_types::limits::{FRAME_DOCUMENTS, OUT_FRAME_BYTES};
use chat_types::problem::ErrorCode;
use chat_types::room::SendMessage;
use chat_types::ws::{Command, Head, ServerDoc, UnsubReason};
use futures_util::FutureExt;
use tokio::time::{Instant, sleep_until};

use self::under_way::{Holds, Place, UnderWay};
use super::codec::{self, Doc, Frame, Received, encode};
use super::deadlines::{Deadlines, Due, LAST_COMMANDS, Leaving};
use super::dispatch::{self, BegunSend, Context, Outcome, SendAnswer, SendCommand, refuse};
use super::greeting::{Greeted, greet};
use super::hub::{RETRY_MS, Registration, Subscription};
use super::mailbox::Order;
use super::rate::Rate;
use super::registry::TooMany;
use super::room::{TYPING_EVERY, Taken};
use super::wire::{Incoming, SendError, Wire};
use crate::auth::Caller;
use crate::error::ApiError;
use crate::metrics::{self, Closed, socket_closed};
use crate::state::AppState;

/// Commands that wait at most; the socket is not read while there are more.
const PIPELINE: usize = 2 * FRAME_DOCUMENTS;
/// Frames above the limit that are answered before the connection is closed, and how many of them
/// per second are forgiven.
const STRIKES: u32 = 60;
const FORGIVEN_PER_SECOND: u32 = 2;
/// When a connection that was closed for its rate, or for being one too many, may come back.
pub(super) const COME_BACK_MS: u64 = 5_000;
/// For how long a welcome waits for the answers to what came with its `hello`, to leave in one frame.
const WELCOME_WAITS: Duration = Duration::from_millis(200);
/// Between the notice that an old connection should be renewed and its close.
const AGE_NOTICE: Duration = Duration::from_secs(5);

/// How a connection ends.
#[derive(Debug)]
pub(super) enum End {
    /// The other side has closed.
    Left,
    /// The other side is gone without a word.
    Gone,
    /// It broke the WebSocket protocol; the code is that of RFC 6455.
    Broken(u16),
    /// This side closes.
    Close(CloseCode, Option<u64>),
}

impl End {
    /// A message was begun and not completed in time.
    pub(super) const UNFINISHED: Self = Self::Close(CloseCode::HeartbeatLost, None);

    /// For measurements.
    const fn as_measured(&self) -> Closed {
        match self {
            Self::Left => Closed::Left,
            Self::Gone => Closed::Gone,
            Self::Broken(_) => Closed::Broken,
            Self::Close(code, _) => Closed::Code(*code),
        }
    }

    /// The node has told the connection to close.
    pub(super) fn ordered(code: CloseCode) -> Self {
        match code {
            CloseCode::TooManyConnections => TooMany.into(),
            code => Self::Close(code, None),
        }
    }
}

impl From<SendError> for End {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Gone => Self::Gone,
            SendError::Stalled => Self::Close(CloseCode::SlowReader, None),
        }
    }
}

impl From<TooMany> for End {
    fn from(TooMany: TooMany) -> Self {
        Self::Close(CloseCode::TooManyConnections, Some(COME_BACK_MS))
    }
}

/// Serves a socket until it ends.
pub(super) async fn serve(state: AppState, mut wire: Box<Wire>, registration: Registration) {
    // Boxed: what only the first seconds need must not stay in the task's memory.
    let greeted = Box::pin(greet(&state, &mut wire, &registration)).await;
    let end = match greeted {
        Ok(greeted) => {
            let mut connection = Connection::new(state, registration, greeted);
            connection.run(&mut wire).await
        }
        Err(end) => end,
    };
    socket_closed(end.as_measured());
    match end {
        End::Left | End::Gone => {}
        End::Broken(code) => Box::pin(wire.close(code, String::new())).await,
        End::Close(code, retry_ms) => {
            Box::pin(wire.close(code.code(), code.reason(retry_ms))).await;
        }
    }
}

/// What waits to be done in order.
enum Job {
    Send(SendCommand),
    Command(Command),
    Recheck,
}

struct Connection {
    state: AppState,
    registration: Registration,
    caller: Option<Caller>,
    idle: bool,
    subscriptions: Vec<Subscription>,
    /// Replies and notices that wait for a frame.
    documents: VecDeque<Doc>,
    /// Rooms that may have more for this reader.
    rooms_with_news: VecDeque<RoomId>,
    jobs: VecDeque<Job>,
    under_way: UnderWay,
    /// Rooms in which a message was refused for now.
    holds: Holds,
    frames: Rate,
    commands: Rate,
    strikes: Rate,
    deadlines: Deadlines,
}

impl Connection {
    fn new(state: AppState, registration: Registration, greeted: Greeted) -> Self {
        let now = Instant::now();
        let settings = state.hub.settings();
        let mut connection = Self {
            frames: Rate::new(settings.frames_per_second, settings.frames_burst, now),
            commands: Rate::new(settings.documents_per_second, settings.documents_burst, now),
            strikes: Rate::new(FORGIVEN_PER_SECOND, STRIKES, now),
            deadlines: Deadlines::new(settings, now),
            state,
            registration,
            caller: None,
            idle: false,
            subscriptions: Vec::new(),
            documents: VecDeque::from([greeted.welcome]),
            rooms_with_news: VecDeque::new(),
            jobs: VecDeque::new(),
            under_way: UnderWay::default(),
            holds: Holds::default(),
        };
        if let Some(caller) = greeted.caller {
            connection.accept(caller);
        }
        for received in greeted.rest {
            connection.receive(received);
        }
        connection
    }

    async fn run(&mut self, wire: &mut Wire) -> End {
        let Err(end) = self.serve(wire).await;
        end
    }

    async fn serve(&mut self, wire: &mut Wire) -> Result<std::convert::Infallible, End> {
        Box::pin(self.answer_greeting()).await?;
        let mut alarm = pin!(sleep_until(self.deadlines.next()));
        loop {
            self.follow_orders()?;
            self.start_jobs();
            self.collect_news();
            if let Some(text) = self.next_frame() {
                wire.send_text(text).await?;
            } else if let Some(leaving) = self.may_leave() {
                return Err(End::Close(leaving.code, Some(leaving.retry_ms)));
            }
            let has_more = self.has_documents();
            // A moment that moves away is found when the alarm goes off: most of them move with all that is
            // heard, and to set an alarm takes a lock that all connections share.
            if self.deadlines.next() < alarm.deadline() {
                alarm.as_mut().reset(self.deadlines.next());
            }
            let reads = self.jobs.len() < PIPELINE && !self.is_leaving();
            tokio::select! {
                incoming = wire.receive(), if reads => self.read(incoming)?,
                outcome = self.under_way.next() => self.settle_all(outcome)?,
                () = self.registration.mailbox.woken() => {}
                () = &mut alarm => {
                    self.act_on_time()?;
                    alarm.as_mut().reset(self.deadlines.next());
                }
                () = std::future::ready(()), if has_more => {}
            }
        }
    }

    /// Runs what came with the `hello`, until it takes longer than a welcome may wait, or fills a frame.
    async fn answer_greeting(&mut self) -> Result<(), End> {
        let until = Instant::now() + WELCOME_WAITS;
        self.start_jobs();
        while !self.under_way.is_empty() && self.waiting_bytes() < OUT_FRAME_BYTES {
            tokio::select! {
                outcome = self.under_way.next() => self.settle_all(outcome)?,
                () = self.registration.mailbox.woken() => self.follow_orders()?,
                () = sleep_until(until) => break,
            }
            self.start_jobs();
        }
        Ok(())
    }

    fn read(&mut self, incoming: Incoming) -> Result<(), End> {
        let now = Instant::now();
        self.deadlines.hear(now);
        let text = match incoming {
            Incoming::Text(text) => Some(text),
            Incoming::Control => None,
            Incoming::Binary(_) => return Err(End::Close(CloseCode::ProtocolViolation, None)),
            Incoming::Closed => return Err(End::Left),
            Incoming::Gone => return Err(End::Gone),
            Incoming::Broken(code) => return Err(End::Broken(code)),
            Incoming::Unfinished => return Err(End::UNFINISHED),
        };
        let mut limited = self.frames.take(now).err();
        if limited.is_some() {
            metrics::rate_limited("frames");
            self.strike(now)?;
        }
        let Some(text) = text else { return Ok(()) };
        let received =
            codec::decode(&text).map_err(|_| End::Close(CloseCode::ProtocolViolation, None))?;
        for received in received {
            if limited.is_none() {
                limited = self.commands.take(now).err();
                if limited.is_some() {
                    metrics::rate_limited("documents");
                    self.strike(now)?;
                }
            }
            match limited {
                None => self.receive(received),
                Some(wait) => self.refuse_for_rate(&received, wait),
            }
        }
        Ok(())
    }

    /// A frame came too often, or brought too many documents. The connection ends when that goes on.
    fn strike(&mut self, now: Instant) -> Result<(), End> {
        let too_many = |_| End::Close(CloseCode::RateLimited, Some(COME_BACK_MS));
        self.strikes.take(now).map_err(too_many)
    }

    fn receive(&mut self, received: Received) {
        match received {
            Received::Command(Command::Pong {}) => {}
            Received::Command(Command::Probe {}) => self.ping(),
            Received::Command(Command::Mode { idle }) => self.set_idle(idle),
            Received::Command(Command::Typing { room }) if !self.may_ask_to_type(room) => {}
            Received::Command(Command::Send {
                id,
                room,
                client_id,
                body,
                reply_to,
            }) => {
                let message = SendMessage {
                    client_id,
                    body,
                    reply_to,
                };
                let send = SendCommand { id, room, message };
                self.jobs.push_back(Job::Send(send));
            }
            Received::Command(command) => self.jobs.push_back(Job::Command(command)),
            Received::Unknown(id) => {
                let unknown = ApiError::new(ErrorCode::Malformed).detail("an unknown command");
                self.documents.push_back(refuse(id, &unknown));
            }
            Received::Malformed(id) => {
                let malformed = ApiError::new(ErrorCode::Malformed).detail("not a document");
                self.documents.push_back(refuse(id, &malformed));
            }
        }
    }

    /// What came too often was not done; who waits for an answer learns when to try again.
    fn refuse_for_rate(&mut self, received: &Received, wait: Duration) {
        let id = match received {
            Received::Command(command) => command.request_id(),
            Received::Unknown(id) | Received::Malformed(id) => *id,
        };
        if id.is_some() {
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX) + 1;
            let error = ApiError::rate_limited(wait_ms);
            self.documents.push_back(refuse(id, &error));
        }
    }

    fn start_jobs(&mut self) {
        loop {
            self.start_sends();
            if !self.under_way.is_empty() {
                return;
            }
            match self.jobs.pop_front() {
                // An idle connection keeps no queue.
                None => return self.jobs.shrink_to(0),
                Some(Job::Send(_)) => unreachable!("with nothing under way it was begun"),
                Some(Job::Command(command)) => self.start(command),
                Some(Job::Recheck) => {
                    let followed = self.subscriptions.iter().map(|s| s.room.id).collect();
                    self.spawn(dispatch::recheck(self.context(), followed));
                }
            }
        }
    }

    /// Begins the messages that are next in turn, as many as may be under way together.
    fn start_sends(&mut self) {
        if !matches!(self.jobs.front(), Some(Job::Send(_))) {
            return;
        }
        let context = self.context();
        let mut begun: Vec<(BegunSend, Place)> = Vec::new();
        while begun.last().is_none_or(|(last, _)| last.leads())
            && let Some(place) = self.under_way.place(&self.state, begun.len())
            && let Some(Job::Send(send)) = self.jobs.pop_front_if(|job| matches!(job, Job::Send(_)))
        {
            let held = self.holds.refusal(send.room, self.state.now());
            begun.push((dispatch::begin_send(&context, send, held), place));
        }
        if !begun.is_empty() {
            let tasks = self.state.lifecycle.tasks();
            self.under_way.start_sends(tasks, begun);
        }
    }

    fn start(&mut self, command: Command) {
        if let Err(too_often) = self.limit_reads(&command) {
            let refusal = refuse(command.request_id(), &too_often);
            self.documents.push_back(refusal);
            return;
        }
        match command {
            Command::Hello { id, .. } => {
                let again = ApiError::new(ErrorCode::Malformed).detail("hello was said");
                self.documents.push_back(refuse(Some(id), &again));
            }
            Command::Sub { id, room, .. } => {
                if self.attach(id, room) {
                    self.spawn(dispatch::run(self.context(), command));
                }
            }
            Command::Unsub { id, room } => {
                self.remove(room);
                self.documents.push_back(dispatch::ok(id));
            }
            command => self.spawn(dispatch::run(self.context(), command)),
        }
    }

    /// What a command reads costs the address as much as over HTTP. Refused before anything of it
    /// happens: a room that is followed stays followed.
    fn limit_reads(&self, command: &Command) -> Result<(), ApiError> {
        match command {
            Command::Sub { .. } | Command::Sync { .. } => {
                self.registration.limit_reads(&self.state)
            }
            _ => Ok(()),
        }
    }

    fn context(&self) -> Context {
        Context {
            state: self.state.clone(),
            caller: self.caller.clone(),
            connection: self.registration.mailbox.id,
            address: self.registration.address,
        }
    }

    /// A task of its own: a command that has begun ends, even if the socket is cut meanwhile.
    fn spawn(&mut self, work: impl Future<Output = Outcome> + Send + 'static) {
        self.under_way
            .start(self.state.lifecycle.tasks().spawn(work));
    }

    /// Becomes a reader of the room before its snapshot is read.
    fn attach(&mut self, id: RequestId, room: RoomId) -> bool {
        // A reader has one place per room, so the one before is given up first.
        self.remove(room);
        let most = self.state.hub.settings().rooms_per_connection;
        if self.subscriptions.len() >= most {
            let error = ApiError::new(ErrorCode::LimitReached).detail("rooms of a connection");
            self.documents.push_back(refuse(Some(id), &error));
            return false;
        }
        let viewer = self.caller.as_ref().map(|caller| caller.user.id);
        let mailbox = &self.registration.mailbox;
        let subscription = self.state.hub.attach(room, mailbox, viewer);
        // Most connections follow one room.
        self.subscriptions.reserve_exact(1);
        self.subscriptions.push(subscription);
        true
    }

    fn remove(&mut self, room: RoomId) -> bool {
        let before = self.subscriptions.len();
        self.subscriptions.retain(|it| it.room.id != room);
        self.subscriptions.len() < before
    }

    fn find(&mut self, room: RoomId) -> Option<&mut Subscription> {
        self.subscriptions.iter_mut().find(|it| it.room.id == room)
    }

    /// Settles what has ended, in the order of the commands, so that it is answered in one frame.
    fn settle_all(&mut self, first: Option<Outcome>) -> Result<(), End> {
        self.settle(first)?;
        while let Some(next) = self.under_way.next().now_or_never() {
            self.settle(next)?;
        }
        Ok(())
    }

    fn settle(&mut self, outcome: Option<Outcome>) -> Result<(), End> {
        match outcome {
            Some(Outcome::Silent) => {}
            Some(Outcome::Sent(answers)) => self.answer_sends(answers),
            Some(Outcome::Typing(room)) => self.tell_typing(room),
            Some(Outcome::Reply(doc)) => self.documents.push_back(doc),
            Some(Outcome::Subscribed {
                id,
                room,
                epoch,
                head,
                doc,
            }) => {
                let viewer = self.caller.as_ref().map(|caller| caller.user.clone());
                // The user's place may have ended while the snapshot was read.
                let Some(subscription) = self.find(room) else {
                    let error = ApiError::new(ErrorCode::NotFound);
                    self.documents.push_back(refuse(Some(id), &error));
                    return Ok(());
                };
                subscription.start(viewer.as_ref(), head, &epoch);
                self.documents.push_back(doc);
                self.rooms_with_news.push_back(room);
            }
            Some(Outcome::NotSubscribed { room, doc }) => {
                self.remove(room);
                self.documents.push_back(doc);
            }
            Some(Outcome::Synced {
                room,
                upto,
                more,
                doc,
            }) => {
                self.documents.push_back(doc);
                let subscription = self.find(room);
                if let Some(place) = subscription.and_then(|it| it.place.as_mut())
                    && place.paused
                    && !more
                {
                    place.paused = false;
                    place.next = upto.next();
                    self.rooms_with_news.push_back(room);
                }
            }
            Some(Outcome::Authenticated { id, caller }) => {
                self.registration.identify(&caller)?;
                self.accept(caller);
                // A session that ended between the look and the registration found no socket.
                self.jobs.push_back(Job::Recheck);
                self.documents.push_back(dispatch::ok(id));
            }
            Some(Outcome::Rechecked { of, caller, lost }) => {
                // Word of another session may have come while this one was looked up.
                self.follow_orders()?;
                if self.caller.as_ref().map(|caller| caller.session) == of {
                    self.apply_recheck(caller, lost)?;
                }
            }
            // The command's task panicked; what it did is not known here.
            None => return Err(End::Close(CloseCode::Internal, None)),
        }
        Ok(())
    }

    fn answer_sends(&mut self, answers: Vec<SendAnswer>) {
        for SendAnswer { id, room, sent } in answers {
            if let Err(refused) = &sent
                && refused.code.retry()
            {
                self.holds.put(room, self.state.now(), refused.clone());
            }
            self.documents.push_back(dispatch::sent_reply(id, sent));
        }
    }

    fn accept(&mut self, caller: Caller) {
        let settings = self.state.hub.settings();
        self.deadlines
            .accept(&caller, settings, self.state.clock.now());
        self.show(&caller);
        self.caller = Some(caller);
    }

    fn show(&self, caller: &Caller) {
        if self.caller.as_ref().map(|it| &it.user) != Some(&caller.user) {
            for subscription in &self.subscriptions {
                subscription.identify(&caller.user);
            }
        }
    }

    fn apply_recheck(
        &mut self,
        caller: Result<Option<Caller>, ApiError>,
        lost: Vec<RoomId>,
    ) -> Result<(), End> {
        match caller {
            Ok(Some(caller)) => {
                self.show(&caller);
                self.caller = Some(caller);
            }
            Ok(None) => {}
            Err(error) if error.code.retry() => return Ok(()),
            Err(_) => return Err(End::Close(CloseCode::Revoked, None)),
        }
        for room in lost {
            self.end_reading(room, UnsubReason::Forbidden);
        }
        Ok(())
    }

    fn end_reading(&mut self, room: RoomId, reason: UnsubReason) {
        if self.remove(room) {
            let unsubbed = ServerDoc::Unsubbed { room, reason };
            self.documents.push_back(encode(&unsubbed));
        }
    }

    fn follow_orders(&mut self) -> Result<(), End> {
        while let Some(order) = self.registration.mailbox.next_order() {
            match order {
                Order::Close(code) => return Err(End::ordered(code)),
                Order::Unsubscribe(room, reason) => self.end_reading(room, reason),
                Order::ReplaceSession(session) => {
                    if let Some(caller) = &mut self.caller {
                        caller.session = session;
                        self.jobs.push_back(Job::Recheck);
                    }
                }
                Order::SendUnlessIdle(_) if self.idle => {}
                Order::Send(doc) | Order::SendUnlessIdle(doc) => self.documents.push_back(doc),
                Order::Recheck => self.jobs.push_back(Job::Recheck),
                Order::GoAway {
                    code,
                    after,
                    retry_ms,
                } => self.leave(after, code, retry_ms),
            }
        }
        Ok(())
    }

    fn leave(&mut self, after: Duration, code: CloseCode, retry_ms: u64) {
        let at = Instant::now() + after;
        self.deadlines.leave(Leaving { at, code, retry_ms });
        self.documents
            .push_back(encode(&ServerDoc::GoingAway { retry_ms }));
    }

    /// Whether the time to leave has come: then nothing new is read.
    fn is_leaving(&self) -> bool {
        self.deadlines.leaving(Instant::now()).is_some()
    }

    /// Leaving waits for the answers of commands under way, for a while.
    fn may_leave(&self) -> Option<Leaving> {
        let now = Instant::now();
        let leaving = self.deadlines.leaving(now)?;
        let answered = self.under_way.is_empty() && self.jobs.is_empty();
        (answered || leaving.at + LAST_COMMANDS <= now).then_some(leaving)
    }

    fn collect_news(&mut self) {
        for room in self.registration.mailbox.take_news() {
            self.has_news(room);
        }
    }

    fn has_news(&mut self, room: RoomId) {
        if !self.rooms_with_news.contains(&room) {
            self.rooms_with_news.push_back(room);
        }
    }

    fn waiting_bytes(&self) -> usize {
        self.documents.iter().map(|document| document.len()).sum()
    }

    fn has_documents(&self) -> bool {
        !self.documents.is_empty() || !self.rooms_with_news.is_empty()
    }

    fn next_frame(&mut self) -> Option<Doc> {
        if !self.has_documents() {
            return None;
        }
        let mut frame = Frame::default();
        while let Some(doc) = self.documents.front() {
            if !frame.has_room_for(doc) {
                return frame.into_text();
            }
            frame.push(doc.clone());
            self.documents.pop_front();
        }
        // An idle connection keeps no queue.
        self.documents.shrink_to(0);
        while !frame.is_full() {
            let Some(room) = self.rooms_with_news.pop_front() else {
                self.rooms_with_news.shrink_to(0);
                break;
            };
            if self.take_news_of(room, &mut frame) == Taken::More {
                self.rooms_with_news.push_back(room);
                break;
            }
        }
        frame.into_text()
    }

    fn take_news_of(&mut self, room: RoomId, frame: &mut Frame) -> Taken {
        let (reader, idle) = (self.registration.mailbox.id, self.idle);
        let Some(subscription) = self.find(room) else {
            return Taken::All;
        };
        let active = subscription.room.clone();
        let Some(place) = &mut subscription.place else {
            return Taken::All;
        };
        let taken = active.take(reader, place, idle, frame);
        if taken == Taken::FellOut {
            metrics::resynced();
            self.documents
                .push_back(encode(&ServerDoc::Resync { room }));
        }
        taken
    }

    fn act_on_time(&mut self) -> Result<(), End> {
        let now = Instant::now();
        while let Some(due) = self.deadlines.due(self.state.hub.settings(), now) {
            match due {
                Due::Dead => return Err(End::Close(CloseCode::HeartbeatLost, None)),
                Due::TokenExpired => return Err(End::Close(CloseCode::TokenExpired, None)),
                // The loop leaves as soon as it may.
                Due::Leave => {}
                Due::AuthSoon => self.ask_for_token(now),
                Due::Age => {
                    let retry_ms = rand::random_range(RETRY_MS);
                    self.leave(AGE_NOTICE, CloseCode::Rebalance, retry_ms);
                }
                Due::Ping => self.ping(),
                Due::Recheck => self.jobs.push_back(Job::Recheck),
            }
        }
        Ok(())
    }

    fn ask_for_token(&mut self, now: Instant) {
        let left = self.deadlines.token_left(now);
        self.documents.push_back(encode(&ServerDoc::AuthSoon {
            expires_in_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
        }));
    }

    fn ping(&mut self) {
        let mut heads = Vec::new();
        for subscription in &mut self.subscriptions {
            if let Some(seq) = subscription.room.head()
                && seq > subscription.pinged
            {
                subscription.pinged = seq;
                let room = subscription.room.id;
                heads.push(Head { room, seq });
            }
        }
        self.documents.push_back(encode(&ServerDoc::Ping { heads }));
    }

    fn set_idle(&mut self, idle: bool) {
        if self.idle && !idle {
            let followed: Vec<_> = self.subscriptions.iter().map(|it| it.room.id).collect();
            for room in followed {
                self.has_news(room);
            }
        }
        self.idle = idle;
    }

    /// Whether the store is asked for the right to type: not more often than typing is told.
    fn may_ask_to_type(&mut self, room: RoomId) -> bool {
        let now = Instant::now();
        let followed = self.find(room).filter(|it| it.place.is_some());
        followed.is_some_and(|subscription| {
            let recent = |at: Instant| now - at < TYPING_EVERY;
            let may = !subscription.typing_at.is_some_and(recent);
            if may {
                subscription.typing_at = Some(now);
            }
            may
        })
    }

    fn tell_typing(&mut self, room: RoomId) {
        let user = self.caller.as_ref().map(|caller| caller.user.clone());
        // The instant of the asking: a later one would be too early for the next time.
        if let (Some(user), Some(subscription)) = (user, self.find(room))
            && let Some(at) = subscription.typing_at
        {
            subscription.typing(&user, at);
        }
    }
}

#[cfg(test)]
mod tests;
