//! What may be lost and is right all the same when nothing is broken: who is there, who types, what was
//! read. When everybody has come to rest, somebody enters a few rooms, types and goes, and somebody
//! reads on a second device, while every screen is written down. And from the beginning there are
//! ghosts: whoever of them loses the connection does not come back, and is not shown for ever.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use chat_types::account::Empty;
use chat_types::decode;
use chat_types::endpoint::GetRoom;
use chat_types::frame;
use chat_types::id::{Number, RequestId, RoomId, UserId};
use chat_types::ws::{Command, ServerDoc};
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::audit::QUIET_US;
use crate::clock::Clock;
use crate::driver::BROKEN;
use crate::history::{History, What};
use crate::raw::{Raw, next_text, say};
use crate::rights::Origin;
use crate::rng::Rng;
use crate::server::{ApiError, PATIENCE, Server, Socket};

/// After each thing that somebody does: longer than its news may take.
const LINGERS: Duration = Duration::from_micros(QUIET_US + 400_000);
/// How often it is looked whether the machine holds the run up.
const TICK: Duration = Duration::from_millis(10);
/// Ghosts of each room.
const GHOSTS: usize = 2;

/// Who a screen shows in each room, and how many.
pub(crate) type Shown = HashMap<RoomId, (usize, BTreeSet<UserId>)>;

/// A member of a room who has a second device.
pub(crate) struct Member {
    pub(crate) account: crate::server::Account,
    /// The newest message of the room.
    pub(crate) last: Number,
}

/// Those who do not come back.
pub(crate) struct Ghosts {
    /// They end when this does.
    stop: watch::Sender<()>,
    ghosts: Vec<JoinHandle<History>>,
}

impl Ghosts {
    /// Lets ghosts look at each of these rooms, who are numbered from this one on.
    pub(crate) async fn start(
        origin: Origin<'_>,
        rooms: &[RoomId],
        number: u32,
        rng: &mut Rng,
    ) -> Result<Self, ApiError> {
        let (stop, stopped) = watch::channel(());
        let mut ghosts = Vec::new();
        let haunted = rooms.iter().flat_map(|room| [*room; GHOSTS]);
        for (room, number) in haunted.zip(number..) {
            let raw = origin.somebody(number, rng).await?;
            let ghost = Guest::new(number, raw, room);
            ghosts.push(tokio::spawn(ghost.haunt(stopped.clone())));
        }
        Ok(Self { stop, ghosts })
    }

    /// How many there are of so many rooms.
    pub(crate) fn of(rooms: usize) -> usize {
        rooms * GHOSTS
    }

    /// Sends away who is still there, and collects what happened to them.
    pub(crate) async fn end(self) -> Vec<History> {
        drop(self.stop);
        let ghosts = join_all(self.ghosts).await;
        ghosts.into_iter().filter_map(Result::ok).collect()
    }
}

/// Somebody who looks at one room, and does not have its messages.
struct Guest {
    room: RoomId,
    raw: Raw,
    history: History,
    next_id: u64,
}

impl Guest {
    fn new(number: u32, raw: Raw, room: RoomId) -> Self {
        Self {
            room,
            history: History::new(number, Some(raw.account.user.id)),
            raw,
            next_id: 1,
        }
    }

    /// Stays until the connection is lost, and does not come back. Says goodbye at the end of the run.
    async fn haunt(mut self, mut stopped: watch::Receiver<()>) -> History {
        let socket = tokio::select! {
            _ = stopped.changed() => return self.history,
            socket = self.raw.connect() => socket,
        };
        let mut socket = socket;
        let there = async {
            self.enter(&mut socket).await?;
            tokio::select! {
                _ = stopped.changed() => self.leave(&mut socket).await,
                lost = listen(&mut socket) => lost,
            }
        };
        if there.await.is_err() {
            self.note(What::Lost { code: BROKEN });
        }
        self.history
    }

    /// Enters, types and goes, with time after each.
    async fn pass_by(mut self) -> History {
        let Ok(mut socket) = timeout(PATIENCE, self.raw.connect()).await else {
            return self.history;
        };
        let passed = async {
            self.enter(&mut socket).await?;
            listen_for(&mut socket, LINGERS).await?;
            let room = self.room;
            self.note(What::Typed { room });
            say(&mut socket, &Command::Typing { room }).await?;
            listen_for(&mut socket, LINGERS).await?;
            self.leave(&mut socket).await?;
            listen_for(&mut socket, LINGERS).await
        };
        if passed.await.is_err() {
            self.note(What::Lost { code: BROKEN });
        }
        self.history
    }

    /// Reads everything on a second device, says afterwards something older, and asks each server how
    /// far that has come.
    async fn read(mut self, last: Number, servers: &[Server]) -> History {
        let Ok(mut socket) = timeout(PATIENCE, self.raw.connect()).await else {
            return self.history;
        };
        let room = self.room;
        let read = async {
            self.note(What::MarkedRead { room, number: last });
            for number in [last, Number(1)] {
                say(&mut socket, &Command::Read { room, number }).await?;
                listen_for(&mut socket, LINGERS).await?;
            }
            io::Result::Ok(())
        };
        if read.await.is_err() {
            // What was not said is not asked for.
            return History::new(self.history.client, self.history.user);
        }
        for server in servers {
            self.raw.servers = Arc::new([server.clone()]);
            let path = [("room", room.to_string())];
            if let Ok(summary) = self.raw.call::<GetRoom>(&path, &Empty {}, &Empty {}).await {
                let read = summary.read;
                self.note(What::ReadTold { room, read });
            }
        }
        self.history
    }

    async fn enter(&mut self, socket: &mut Socket) -> io::Result<()> {
        let (id, room) = (self.next_id(), self.room);
        let follow = Command::Sub {
            id,
            room,
            epoch: None,
            since: None,
            tail: 0,
        };
        say(socket, &follow).await?;
        answered(socket, id).await?;
        self.note(What::Entered { room });
        Ok(())
    }

    async fn leave(&mut self, socket: &mut Socket) -> io::Result<()> {
        let (id, room) = (self.next_id(), self.room);
        say(socket, &Command::Unsub { id, room }).await?;
        answered(socket, id).await?;
        self.note(What::Gone { room });
        Ok(())
    }

    fn next_id(&mut self) -> RequestId {
        self.next_id += 1;
        RequestId(self.next_id)
    }

    fn note(&mut self, what: What) {
        let now_us = self.raw.shared.clock.now_us();
        self.history.push(now_us, what);
    }
}

/// What happens in a room while it is quiet.
pub(crate) struct Scene {
    pub(crate) room: RoomId,
    /// Who passes by, through a server of their own.
    pub(crate) passer: Raw,
    /// Who reads on a second device, through another one.
    pub(crate) reader: Option<(Raw, Number)>,
    /// Their numbers: this one and the next.
    pub(crate) number: u32,
}

/// Plays all scenes at once. The last history says how long the machine held the run up meanwhile.
pub(crate) async fn play(scenes: Vec<Scene>, servers: &[Server], clock: Clock) -> Vec<History> {
    let number = scenes.iter().map(|scene| scene.number).max().unwrap_or(0);
    let played = scenes.into_iter().map(|scene| async move {
        let passer = Guest::new(scene.number, scene.passer, scene.room);
        let passing = passer.pass_by();
        let Some((raw, last)) = scene.reader else {
            return vec![passing.await];
        };
        let reader = Guest::new(scene.number + 1, raw, scene.room);
        let (entered, read) = tokio::join!(passing, reader.read(last, servers));
        vec![entered, read]
    });
    let played = join_all(played);
    tokio::pin!(played);
    let mut held_up_us = 0;
    let mut due = Instant::now();
    let mut histories = loop {
        due += TICK;
        tokio::select! {
            histories = &mut played => break histories.concat(),
            () = tokio::time::sleep_until(due) => {
                let late = due.elapsed();
                held_up_us = u64::try_from(late.as_micros()).unwrap_or(u64::MAX).max(held_up_us);
                due = Instant::now();
            }
        }
    };
    let mut machine = History::new(number + 2, None);
    machine.push(clock.now_us(), What::HeldUp { us: held_up_us });
    histories.push(machine);
    histories
}

/// Reads on until the connection is lost.
async fn listen(socket: &mut Socket) -> io::Result<()> {
    loop {
        let text = next_text(socket).await?;
        answer_pings(socket, &text).await?;
    }
}

async fn listen_for(socket: &mut Socket, time: Duration) -> io::Result<()> {
    match timeout_at(Instant::now() + time, listen(socket)).await {
        Ok(lost) => lost,
        Err(_) => Ok(()),
    }
}

async fn answer_pings(socket: &mut Socket, text: &str) -> io::Result<()> {
    for document in frame::split(text).map_err(io::Error::other)? {
        if let Some(ServerDoc::Ping { .. }) = decode::from_text(document) {
            say(socket, &Command::Pong {}).await?;
        }
    }
    Ok(())
}

/// Reads on until this is answered; an error when it is refused.
async fn answered(socket: &mut Socket, id: RequestId) -> io::Result<()> {
    loop {
        let text = next_text(socket).await?;
        answer_pings(socket, &text).await?;
        for document in frame::split(&text).map_err(io::Error::other)? {
            match decode::from_text(document) {
                Some(ServerDoc::Subbed(subbed)) if subbed.id == id => return Ok(()),
                Some(ServerDoc::Ok(ok)) if ok.id == id => return Ok(()),
                Some(ServerDoc::Err(error)) if error.id == Some(id) => {
                    return Err(io::Error::other(error.message));
                }
                _ => {}
            }
        }
    }
}
