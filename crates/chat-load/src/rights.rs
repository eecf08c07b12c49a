//! Who may do what, while everything else goes on: private rooms whose members leave, or are signed
//! out elsewhere, and come back, and strangers. All of them try to read and to write there all the
//! time. What they are given and what is accepted of them is written down for the audit.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use chat_types::account::Empty;
use chat_types::decode;
use chat_types::endpoint::{
    Endpoint, GetHistory, LeaveRoom, NewInvite, NewRoom, PostMessage, SignOut, UseInvite,
};
use chat_types::event::{Change, Message};
use chat_types::frame;
use chat_types::id::{ClientId, InviteCode, RequestId, RoomId};
use chat_types::problem::Problem;
use chat_types::room::{
    AcceptInvite, CreateInvite, CreateRoom, HistoryQuery, RoomKind, SendMessage,
};
use chat_types::ws::{Command, ServerDoc, Subbed};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::history::{History, What};
use crate::measure::Shared;
use crate::raw::{Raw, next_text, say};
use crate::rng::Rng;
use crate::server::{Account, Api, ApiError, Server, Socket};
use crate::text::{self, Label};

/// How often the owner of a private room says something.
const SPEAKS: Duration = Duration::from_millis(100);
/// How often everybody else tries to read or to write.
const TRIES: Duration = Duration::from_millis(150);
/// How long somebody is a member.
const STAYS: Duration = Duration::from_millis(1_500);
/// How long they try on afterwards: longer than the end of a right may take.
const TRIES_ON: Duration = Duration::from_millis(3_500);
/// Connecting takes no longer; nobody waits for a server that has no answer.
const CONNECTS: Duration = Duration::from_secs(2);
/// The pause before a request is made again that another attempt may make succeed.
const PAUSE: Duration = Duration::from_millis(100);
/// Messages of a page: one that should not be given is as good as many.
const PAGE: u32 = 5;
/// Bytes of a message.
const BYTES: usize = 60;

/// What somebody is to a private room.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Owns it and speaks in it all the time.
    Owner,
    /// Joins and leaves, mostly not through the server of the own socket.
    Leaver,
    /// Joins, and is signed out elsewhere.
    SignedOut,
    /// Was never a member.
    Stranger,
}

/// The people of a private room besides its owner.
const OTHERS: [Part; 4] = [Part::Leaver, Part::Leaver, Part::SignedOut, Part::Stranger];

/// Everybody in and around the private rooms of a run.
pub(crate) struct Rights {
    /// They end when this does.
    stop: watch::Sender<()>,
    people: Vec<JoinHandle<Vec<History>>>,
}

/// Where the people come from.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) servers: &'a Arc<[Server]>,
    pub(crate) api: &'a Api,
    pub(crate) shared: &'a Arc<Shared>,
}

/// A private room and the way into it.
#[derive(Clone)]
struct Closed {
    room: RoomId,
    invite: InviteCode,
}

impl Rights {
    /// Makes so many private rooms with their people, who are numbered from this one on.
    pub(crate) async fn start(
        origin: Origin<'_>,
        rooms: usize,
        mut number: u32,
        rng: &mut Rng,
    ) -> Result<Self, ApiError> {
        let (stop, stopped) = watch::channel(());
        let mut people = Vec::new();
        for _ in 0..rooms {
            let mut owner = origin.somebody(number, rng).await?;
            let closed = make_room(&mut owner).await?;
            let mut cast = vec![Person::new(Part::Owner, number, owner, closed.clone())];
            for part in OTHERS {
                number = number.saturating_add(1);
                let raw = origin.somebody(number, rng).await?;
                cast.push(Person::new(part, number, raw, closed.clone()));
            }
            number = number.saturating_add(1);
            let started = cast.into_iter();
            people.extend(started.map(|person| tokio::spawn(person.run(stopped.clone()))));
        }
        Ok(Self { stop, people })
    }

    /// How many people there are in and around so many rooms.
    pub(crate) fn of(rooms: usize) -> usize {
        rooms * (OTHERS.len() + 1)
    }

    /// Ends everybody and collects what they saw.
    pub(crate) async fn end(self) -> Vec<History> {
        drop(self.stop);
        let mut histories = Vec::new();
        for person in self.people {
            // Whoever has failed is missed by their history.
            histories.extend(person.await.unwrap_or_default());
        }
        histories
    }
}

impl Origin<'_> {
    /// Somebody new, under this number.
    pub(crate) async fn somebody(&self, number: u32, rng: &mut Rng) -> Result<Raw, ApiError> {
        let mut rng = rng.fork();
        let account = join(self.api, self.servers, self.shared, number, &mut rng).await?;
        let (servers, shared) = (Arc::clone(self.servers), Arc::clone(self.shared));
        Ok(Raw::new(
            account,
            servers,
            self.api.clone(),
            None,
            rng,
            shared,
        ))
    }
}

async fn join(
    api: &Api,
    servers: &[Server],
    shared: &Shared,
    number: u32,
    rng: &mut Rng,
) -> Result<Account, ApiError> {
    let server = &servers[rng.index(servers.len())];
    // Two runs on one server differ, and so do those who begin anew under the same number.
    let name = format!(
        "r{:03x}{:05} {number}",
        shared.run & 0xfff,
        rng.below(100_000)
    );
    Account::join(api, server, shared.clock, name).await
}

/// Makes a private room, and an invite to it.
async fn make_room(owner: &mut Raw) -> Result<Closed, ApiError> {
    let room = CreateRoom {
        kind: RoomKind::Private,
        name: "closed".to_owned(),
        topic: String::new(),
    };
    let made = insist::<NewRoom>(owner, &[], &room).await;
    let room = made.map_err(ApiError::Problem)?.room.id;
    let path = [("room", room.to_string())];
    let invite = insist::<NewInvite>(owner, &path, &CreateInvite { valid_ms: None }).await;
    let invite = invite.map_err(ApiError::Problem)?.code;
    Ok(Closed { room, invite })
}

/// Calls an endpoint until it is answered: with what was asked for, or with a refusal for good.
async fn insist<E: Endpoint<Query = Empty>>(
    raw: &mut Raw,
    path: &[(&str, String)],
    body: &E::Body,
) -> Result<E::Response, Box<Problem>> {
    loop {
        match raw.call::<E>(path, &Empty {}, body).await {
            Ok(answer) => return Ok(answer),
            Err(ApiError::Problem(problem)) if !problem.retry => return Err(problem),
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// What waits for its answer on a socket.
enum Asked {
    Page { at_us: u64 },
    Send { client_id: ClientId, at_us: u64 },
}

struct Person {
    part: Part,
    closed: Closed,
    has_right: bool,
    raw: Raw,
    history: History,
    /// Of those who they were before their sessions ended.
    before: Vec<History>,
    socket: Option<Box<Socket>>,
    asked: HashMap<RequestId, Asked>,
    next_id: u64,
    said: u64,
}

impl Person {
    fn new(part: Part, number: u32, raw: Raw, closed: Closed) -> Self {
        Self {
            part,
            closed,
            has_right: part == Part::Owner,
            history: History::new(number, Some(raw.account.user.id)),
            raw,
            before: Vec::new(),
            socket: None,
            asked: HashMap::new(),
            next_id: 1,
            said: 0,
        }
    }

    async fn run(mut self, mut stopped: watch::Receiver<()>) -> Vec<History> {
        tokio::select! {
            // Nothing is said there; it ends.
            _ = stopped.changed() => {}
            () = self.live() => {}
        }
        self.before.push(self.history);
        self.before
    }

    async fn live(&mut self) {
        match self.part {
            Part::Owner => self.speak_on().await,
            Part::Stranger => loop {
                self.try_for(TRIES_ON).await;
            },
            Part::Leaver => loop {
                self.come_and_go().await;
            },
            Part::SignedOut => loop {
                self.come_and_go().await;
                self.become_somebody_else().await;
            },
        }
    }

    async fn speak_on(&mut self) {
        let room = self.closed.room;
        self.note(What::Admitted { room });
        let mut turns = interval(SPEAKS);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            self.post().await;
        }
    }

    async fn come_and_go(&mut self) {
        let room = self.closed.room;
        self.note(What::Admitted { room });
        self.has_right = true;
        let code = self.closed.invite.clone();
        let invite = AcceptInvite { code };
        // Whoever is not let in only tries in vain.
        let _ = insist::<UseInvite>(&mut self.raw, &[], &invite).await;
        self.try_for(STAYS).await;
        // A refusal says that an attempt before it, whose answer was lost, has done it.
        if self.part == Part::Leaver {
            let path = [("room", room.to_string())];
            let _ = insist::<LeaveRoom>(&mut self.raw, &path, &Empty {}).await;
        } else {
            let _ = insist::<SignOut>(&mut self.raw, &[], &Empty {}).await;
        }
        self.note(What::RightEnded { room });
        self.has_right = false;
        self.raw.shared.counters.rights_ended.add(1);
        self.try_for(TRIES_ON).await;
    }

    async fn become_somebody_else(&mut self) {
        self.hang_up();
        let number = self.history.client;
        let Raw {
            api,
            servers,
            shared,
            rng,
            ..
        } = &mut self.raw;
        let account = loop {
            match join(api, servers, shared, number, rng).await {
                Ok(account) => break account,
                Err(_) => sleep(PAUSE).await,
            }
        };
        let history = History::new(number, Some(account.user.id));
        self.before
            .push(std::mem::replace(&mut self.history, history));
        self.raw.account = account;
    }

    /// Reads what comes, and tries to read and to write, for so long.
    async fn try_for(&mut self, time: Duration) {
        let until = Instant::now() + time;
        let mut tries = interval(TRIES);
        tries.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while Instant::now() < until {
            tokio::select! {
                text = heard(&mut self.socket) => {
                    let heard = match text {
                        Ok(text) => self.hears(&text).await,
                        Err(lost) => Err(lost),
                    };
                    if heard.is_err() {
                        self.hang_up();
                    }
                }
                _ = tries.tick() => self.try_something().await,
            }
        }
    }

    async fn try_something(&mut self) {
        if self.socket.is_none() {
            let connected = timeout(CONNECTS, self.raw.try_to_connect()).await;
            self.socket = connected.ok().flatten();
        }
        match self.raw.rng.below(4) {
            0 => self.load().await,
            1 => self.post().await,
            2 => self.follow().await,
            _ => self.send().await,
        }
    }

    /// Asks for a page over HTTP.
    async fn load(&mut self) {
        let asked_us = self.now_us();
        let path = [("room", self.closed.room.to_string())];
        let query = HistoryQuery {
            limit: Some(PAGE),
            ..HistoryQuery::default()
        };
        match self.raw.call::<GetHistory>(&path, &query, &Empty {}).await {
            Ok(page) => self.given(&page.messages, Some(asked_us)),
            Err(error) => self.refused(&error),
        }
    }

    /// Writes over HTTP.
    async fn post(&mut self) {
        let (client_id, body) = self.next_message();
        let asked_us = self.now_us();
        let path = [("room", self.closed.room.to_string())];
        let message = SendMessage {
            client_id,
            body,
            reply_to: None,
        };
        match self
            .raw
            .call::<PostMessage>(&path, &Empty {}, &message)
            .await
        {
            Ok(_) => self.accepted(client_id, asked_us),
            Err(error) => self.refused(&error),
        }
    }

    /// Follows the room on the socket, which answers with a page.
    async fn follow(&mut self) {
        let at_us = self.now_us();
        let id = self.ask(Asked::Page { at_us });
        let room = self.closed.room;
        self.say(&Command::Sub {
            id,
            room,
            epoch: None,
            since: None,
            tail: PAGE,
        })
        .await;
    }

    /// Writes on the socket.
    async fn send(&mut self) {
        let (client_id, body) = self.next_message();
        let at_us = self.now_us();
        let id = self.ask(Asked::Send { client_id, at_us });
        let room = self.closed.room;
        self.say(&Command::Send {
            id,
            room,
            client_id,
            body,
            reply_to: None,
        })
        .await;
    }

    fn ask(&mut self, asked: Asked) -> RequestId {
        self.next_id += 1;
        let id = RequestId(self.next_id);
        self.asked.insert(id, asked);
        id
    }

    async fn say(&mut self, command: &Command) {
        let Some(socket) = &mut self.socket else {
            return;
        };
        let said = timeout(CONNECTS, say(socket, command)).await;
        if !matches!(said, Ok(Ok(()))) {
            self.hang_up();
        }
    }

    fn hang_up(&mut self) {
        self.socket = None;
        self.asked.clear();
    }

    async fn hears(&mut self, text: &str) -> io::Result<()> {
        for document in frame::split(text).map_err(io::Error::other)? {
            match decode::from_text(document) {
                Some(ServerDoc::Ev(event)) => {
                    if let Change::Message { message } = event.change {
                        self.given([&*message], None);
                    }
                }
                Some(ServerDoc::Subbed(subbed)) => self.followed(*subbed),
                Some(ServerDoc::Ok(ok)) => {
                    if let Some(Asked::Send { client_id, at_us }) = self.asked.remove(&ok.id) {
                        self.accepted(client_id, at_us);
                    }
                }
                Some(ServerDoc::Err(error)) => {
                    let asked = error.id.and_then(|id| self.asked.remove(&id));
                    self.count_refusal(asked.is_some() && !error.retry);
                }
                Some(ServerDoc::Ping { .. }) => self.say(&Command::Pong {}).await,
                _ => {}
            }
        }
        Ok(())
    }

    fn followed(&mut self, subbed: Subbed) {
        let Some(Asked::Page { at_us }) = self.asked.remove(&subbed.id) else {
            return;
        };
        let changes = subbed.changes.iter();
        let missed = changes.filter_map(|item| match &item.change {
            Change::Message { message } => Some(&**message),
            _ => None,
        });
        self.given(missed.chain(&subbed.messages), Some(at_us));
    }

    fn given<'a>(
        &mut self,
        messages: impl IntoIterator<Item = &'a Message>,
        asked_us: Option<u64>,
    ) {
        let room = self.closed.room;
        for message in messages {
            if self.has_right {
                self.raw.shared.counters.let_in.add(1);
            }
            let client_id = message.client_id;
            self.note(What::Given {
                room,
                client_id,
                asked_us,
            });
        }
    }

    fn accepted(&mut self, client_id: ClientId, asked_us: u64) {
        let room = self.closed.room;
        self.note(What::Accepted {
            room,
            client_id,
            asked_us,
        });
    }

    fn refused(&self, error: &ApiError) {
        let for_good = matches!(error, ApiError::Problem(problem) if !problem.retry);
        self.count_refusal(for_good);
    }

    fn count_refusal(&self, is_one: bool) {
        if is_one && !self.has_right {
            self.raw.shared.counters.kept_out.add(1);
        }
    }

    fn next_message(&mut self) -> (ClientId, String) {
        let clock = self.raw.shared.clock;
        self.said += 1;
        let label = Label {
            run: self.raw.shared.run,
            client: self.history.client,
            n: self.said,
            due_us: clock.now_us(),
        };
        let client_id = text::client_id(clock.device_ms(0).0, &mut self.raw.rng);
        let room = self.closed.room;
        self.note(What::Spoken { room, client_id });
        (client_id, text::write(label, BYTES))
    }

    fn now_us(&self) -> u64 {
        self.raw.shared.clock.now_us()
    }

    fn note(&mut self, what: What) {
        let now_us = self.now_us();
        self.history.push(now_us, what);
    }
}

/// What comes next; for ever nothing where there is no socket.
async fn heard(socket: &mut Option<Box<Socket>>) -> io::Result<Utf8Bytes> {
    match socket {
        Some(socket) => next_text(socket).await,
        None => std::future::pending().await,
    }
}
