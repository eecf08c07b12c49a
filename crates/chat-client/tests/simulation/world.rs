//! The world: a server, people with clients, and a network that does to their frames what networks do.

use std::collections::{BTreeMap, BTreeSet};

use chat_client::{Effect, FetchId, Input, Notice, PendingState, Span};
use chat_types::event::UserKind;
use chat_types::id::{ClientId, Number, RoomId};
use chat_types::room::{HistoryQuery, Role};
use chat_types::time::Timestamp;
use uuid::Uuid;

use crate::actor::{Actor, Given, access_token};
use crate::checks;
use crate::dice::Dice;
use crate::server::{Broken, Out, Server, Sock};

/// How long things go wrong.
const STORM_MS: u64 = 80_000;
/// How long everything works afterwards, until all has to be well: a silence is noticed after 60 s,
/// a back-off takes 30 s at most, the last short token ends.
const CALM_MS: u64 = 200_000;
const BEAT_MS: u64 = 25_000;
/// Replicas of the server, of which one may stand still.
const REPLICAS: u64 = 3;
/// What the model server refuses for good.
pub(crate) const HOPELESS: &str = "refused for good";

/// Something that the checks object to.
#[derive(Debug)]
pub(crate) struct Violation(pub(crate) String);

enum Happening {
    Storm,
    Calm,
    Beat,
    Pump(Sock),
    Opened(Sock),
    Up(Sock, String),
    Down(Sock, String),
    CloseDown(Sock, u16, String),
    CloseUp(Sock),
    Alarm(usize, u64),
    Refreshed(usize, bool),
    Fetch(usize, FetchId, RoomId, HistoryQuery),
    Fetched(usize, FetchId, Option<Box<chat_types::room::History>>),
    ServerBack,
}

/// A socket between a client and the server.
struct Route {
    actor: usize,
    conn: chat_client::ConnId,
    replica: u64,
    up_lost: bool,
    down_lost: bool,
    up_at: u64,
    down_at: u64,
}

/// A replica stands still: its sockets stay open, and what it owes and what it is told waits.
struct Stall {
    replica: u64,
    until: u64,
}

pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) server: Server,
    pub(crate) actors: Vec<Actor>,
    pub(crate) rooms: Vec<RoomId>,
    /// Messages that a restored backup lacks.
    pub(crate) lost: BTreeSet<ClientId>,
    calm: bool,
    server_down: bool,
    stall: Option<Stall>,
    routes: BTreeMap<Sock, Route>,
    queue: BTreeMap<(u64, u64), Happening>,
    queued: u64,
    messages: u64,
    dice: Dice,
    trace: bool,
}

impl World {
    pub(crate) fn new(seed: u64, broken: Broken, trace: bool) -> Self {
        let mut world = Self {
            now: 0,
            server: Server::new(seed, broken),
            actors: Vec::new(),
            rooms: Vec::new(),
            lost: BTreeSet::new(),
            calm: false,
            server_down: false,
            stall: None,
            routes: BTreeMap::new(),
            queue: BTreeMap::new(),
            queued: 0,
            messages: 0,
            dice: Dice::new(seed),
            trace,
        };
        for n in 0..world.dice.between(1, 2) {
            let room = world.server.store.add_room(n);
            world.rooms.push(room);
        }
        for n in 0..world.dice.between(2, 3) {
            let kind = if world.dice.chance(50) {
                UserKind::Guest
            } else {
                UserKind::Account
            };
            let id = world.server.store.add_user(n, kind);
            let user = world.server.store.users[&id].clone();
            let signed_in = world.dice.chance(75);
            let ends = world.dice.between(0, 90_000);
            let actor = Actor::new(world.dice.next(), user, signed_in, 0, ends);
            world.actors.push(actor);
        }
        world
    }

    /// Runs to the end and checks on the way and there.
    pub(crate) fn run(mut self) -> Result<(), Violation> {
        for actor in 0..self.actors.len() {
            self.feed(actor, Input::Start)?;
            self.open_rooms(actor)?;
        }
        self.after(100, Happening::Storm);
        self.after(BEAT_MS, Happening::Beat);
        self.after(STORM_MS, Happening::Calm);
        while let Some(((at, _), happening)) = self.queue.pop_first() {
            if at > STORM_MS + CALM_MS {
                break;
            }
            self.now = at;
            self.happen(happening)?;
        }
        checks::at_the_end(&self)
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Violation> {
        if let Some(until) = self.stands_still_until(&happening) {
            self.at(until, happening);
            return Ok(());
        }
        match happening {
            Happening::Storm if self.calm => {}
            Happening::Storm => {
                let pause = self.dice.between(20, 1_500);
                self.after(pause, Happening::Storm);
                self.act()?;
            }
            Happening::Calm => self.calm_down()?,
            Happening::Beat => {
                self.server.beat(self.now);
                self.after(BEAT_MS, Happening::Beat);
                self.pump_all();
            }
            Happening::Pump(sock) => self.pump(sock),
            Happening::Opened(sock) => {
                if let Some((actor, conn)) = self.reaches_client(sock) {
                    self.feed(actor, Input::Opened { conn })?;
                }
            }
            Happening::Up(sock, text) => {
                if self.routes.get(&sock).is_some_and(|route| !route.up_lost) {
                    self.server.receive(self.now, sock, &text);
                    self.pump_all();
                }
            }
            Happening::Down(sock, text) => {
                if let Some((actor, conn)) = self.reaches_client(sock) {
                    self.feed(actor, Input::Frame { conn, text })?;
                }
            }
            Happening::CloseDown(sock, code, reason) => {
                let Some(route) = self.routes.remove(&sock) else {
                    return Ok(());
                };
                self.server.forget(sock);
                let conn = route.conn;
                if self.actors[route.actor].socket == Some((conn, sock)) {
                    self.actors[route.actor].socket = None;
                    self.feed(route.actor, Input::Closed { conn, code, reason })?;
                }
            }
            Happening::CloseUp(sock) => {
                self.routes.remove(&sock);
                self.server.forget(sock);
            }
            Happening::Alarm(actor, alarm) => {
                if self.actors[actor].alarm == alarm {
                    self.feed(actor, Input::Timer)?;
                }
            }
            Happening::Refreshed(actor, worked) => self.refreshed(actor, worked)?,
            Happening::Fetch(actor, fetch, room, query) => self.fetch(actor, fetch, room, &query),
            Happening::Fetched(actor, fetch, page) => {
                let input = match page {
                    Some(page) => Input::HistoryLoaded { fetch, page },
                    None => Input::HistoryFailed { fetch },
                };
                self.feed(actor, input)?;
            }
            Happening::ServerBack => self.server_down = false,
        }
        Ok(())
    }

    /// Until when the replica stands still whose work this is.
    fn stands_still_until(&self, happening: &Happening) -> Option<u64> {
        let (Happening::Opened(sock)
        | Happening::Up(sock, _)
        | Happening::Pump(sock)
        | Happening::CloseUp(sock)) = happening
        else {
            return None;
        };
        let stall = self.stall.as_ref().filter(|stall| stall.until > self.now)?;
        let route = self.routes.get(sock)?;
        (route.replica == stall.replica).then_some(stall.until)
    }

    fn reaches_client(&self, sock: Sock) -> Option<(usize, chat_client::ConnId)> {
        let route = self.routes.get(&sock).filter(|route| !route.down_lost)?;
        let current = self.actors[route.actor].socket == Some((route.conn, sock));
        current.then_some((route.actor, route.conn))
    }

    fn after(&mut self, ms: u64, happening: Happening) {
        self.at(self.now + ms, happening);
    }

    fn at(&mut self, at: u64, happening: Happening) {
        self.queued += 1;
        self.queue.insert((at, self.queued), happening);
    }

    fn delay(&mut self) -> u64 {
        if self.dice.chance(5) {
            self.dice.between(500, 3_000)
        } else {
            self.dice.between(1, 120)
        }
    }

    fn pump_all(&mut self) {
        for sock in self.server.sockets() {
            let lag = self.dice.between(0, 60);
            self.after(lag, Happening::Pump(sock));
        }
    }

    fn pump(&mut self, sock: Sock) {
        for out in self.server.take(self.now, sock) {
            let delay = self.delay();
            let Some(route) = self.routes.get_mut(&sock) else {
                return;
            };
            route.down_at = route.down_at.max(self.now + delay);
            let at = route.down_at;
            match out {
                Out::Frame(text) => self.at(at, Happening::Down(sock, text)),
                Out::Close(code, reason) => self.at(at, Happening::CloseDown(sock, code, reason)),
            }
        }
    }

    /// Feeds a client, carries out what it asks for, and checks what it shows.
    fn feed(&mut self, at: usize, input: Input) -> Result<(), Violation> {
        let device = self.actors[at].device_time(self.now);
        if self.trace {
            self.tell(at, &describe(&input));
        }
        self.actors[at].client.handle(device, input);
        while let Some(effect) = self.actors[at].client.poll_effect() {
            self.carry_out(at, effect);
        }
        self.set_alarm(at, device)?;
        checks::on_the_way(self, at)
    }

    #[expect(clippy::print_stdout, reason = "a replayed seed tells what happens")]
    fn tell(&self, at: usize, what: &str) {
        println!("{:>7} client {at} {what}", self.now);
    }

    fn set_alarm(&mut self, at: usize, device: Timestamp) -> Result<(), Violation> {
        let actor = &mut self.actors[at];
        actor.alarm += 1;
        let alarm = actor.alarm;
        let Some(wake) = actor.client.next_wake() else {
            return Ok(());
        };
        if wake < device {
            let late = device.since_ms(wake);
            return Err(Violation(format!(
                "client {at} asks to be woken {late} ms ago"
            )));
        }
        let wait = wake.since_ms(device).max(1);
        self.after(wait, Happening::Alarm(at, alarm));
        Ok(())
    }

    fn carry_out(&mut self, at: usize, effect: Effect) {
        match effect {
            Effect::Connect { conn } => {
                self.actors[at].attempts.push(self.now);
                self.connect(at, conn);
            }
            Effect::SendFrame { conn, text } => {
                if self.trace {
                    self.tell(at, &format!("sends {text}"));
                }
                let delay = self.delay();
                let Some((current, sock)) = self.actors[at].socket else {
                    return;
                };
                assert_eq!(current, conn, "a frame for a socket that is not the newest");
                if let Some(route) = self.routes.get_mut(&sock) {
                    route.up_at = route.up_at.max(self.now + delay);
                    let at = route.up_at;
                    self.at(at, Happening::Up(sock, text));
                }
            }
            Effect::Disconnect { conn, .. } => {
                if let Some((current, sock)) = self.actors[at].socket
                    && current == conn
                {
                    self.actors[at].socket = None;
                    let delay = self.delay();
                    self.after(delay, Happening::CloseUp(sock));
                }
            }
            Effect::RefreshToken => {
                self.actors[at].attempts.push(self.now);
                let delay = self.dice.between(5, 900);
                let worked = self.calm || self.dice.chance(80);
                self.after(delay, Happening::Refreshed(at, worked));
            }
            Effect::FetchHistory { fetch, room, query } => {
                let delay = self.dice.between(1, 400);
                self.after(delay, Happening::Fetch(at, fetch, room, query));
            }
            Effect::PersistOutbox(text) => self.actors[at].snapshot = Some(text),
            Effect::Notify(notice) => {
                if self.trace {
                    self.tell(at, &format!("shows {notice:?}"));
                }
                if let Notice::SessionEnded = notice {
                    unreachable!("no session ends here");
                }
            }
        }
    }

    fn connect(&mut self, at: usize, conn: chat_client::ConnId) {
        let sock = self.server.connect();
        self.actors[at].socket = Some((conn, sock));
        let route = Route {
            actor: at,
            conn,
            replica: self.dice.between(1, REPLICAS),
            up_lost: false,
            down_lost: false,
            up_at: self.now,
            down_at: self.now,
        };
        self.routes.insert(sock, route);
        let delay = self.delay();
        let reachable = !self.server_down && (self.calm || self.dice.chance(85));
        if reachable {
            self.after(delay, Happening::Opened(sock));
        } else {
            self.after(delay, Happening::CloseDown(sock, 1006, String::new()));
        }
    }

    fn refreshed(&mut self, at: usize, worked: bool) -> Result<(), Violation> {
        let input = if worked {
            let ends = self.now + self.token_life();
            let token = access_token(self.actors[at].id(), self.now, ends);
            Input::TokenRefreshed { token }
        } else {
            let wait = self.dice.chance(30).then(|| self.dice.between(0, 5_000));
            Input::RefreshFailed {
                retry_after_ms: wait,
            }
        };
        self.feed(at, input)
    }

    fn token_life(&mut self) -> u64 {
        if self.calm {
            3_600_000
        } else {
            self.dice.between(100, 90_000)
        }
    }

    fn fetch(&mut self, at: usize, fetch: FetchId, room: RoomId, query: &HistoryQuery) {
        let viewer = self.actors[at].signed_in.then(|| self.actors[at].id());
        let failed = !self.calm && self.dice.chance(10);
        let size = self.dice.between(1, 12);
        let page = self.server.store.history(room, query, size, viewer);
        let page = page.filter(|_| !failed).map(Box::new);
        let delay = self.dice.between(1, 1_500);
        self.after(delay, Happening::Fetched(at, fetch, page));
    }

    fn open_rooms(&mut self, at: usize) -> Result<(), Violation> {
        for room in self.rooms.clone() {
            let viewer = self.actors[at].signed_in.then(|| self.actors[at].id());
            let query = HistoryQuery::default();
            let size = self.dice.between(1, 10);
            let page = self.server.store.history(room, &query, size, viewer);
            let page = page.filter(|_| self.dice.chance(40)).map(Box::new);
            let tail = self.dice.count(0, 15);
            self.feed(at, Input::OpenRoom { room, tail, page })?;
        }
        Ok(())
    }

    /// Something that people, devices, networks or operators do.
    fn act(&mut self) -> Result<(), Violation> {
        let at = self.dice.below(self.actors.len());
        let room = self.rooms[self.dice.below(self.rooms.len())];
        match self.dice.between(0, 99) {
            0..=34 => self.write(at, room)?,
            35..=47 => self.change_a_message(at, room)?,
            48..=51 => self.change_the_room(at, room),
            52..=60 => self.cut(at),
            61 => self.stall(at),
            62..=64 => self.restart_server(),
            65..=66 => self.restore(room),
            67..=70 => self.turn_clock(at),
            71..=74 => {
                let hidden = !self.actors[at].hidden;
                self.actors[at].hidden = hidden;
                let input = if hidden {
                    Input::Hidden
                } else {
                    Input::Visible
                };
                self.feed(at, input)?;
            }
            75..=76 => {
                self.cut(at);
                self.feed(at, Input::Offline)?;
                self.feed(at, Input::Online)?;
            }
            77..=79 => self.reload(at)?,
            80..=86 => {
                let span = match self.dice.between(0, 5) {
                    0..=2 => Span::Older,
                    3 => Span::Newer,
                    4 => Span::Around(Number(self.dice.between(1, 30))),
                    _ => Span::Latest,
                };
                self.feed(at, Input::LoadHistory { room, span })?;
            }
            87..=88 => {
                self.feed(at, Input::CloseRoom { room })?;
                self.actors[at].shown.retain(|(shown, _), _| *shown != room);
                self.actors[at].cursors.remove(&room);
                self.open_rooms(at)?;
            }
            89..=90 => {
                let retry_ms = self.dice.between(0, 3_000);
                self.server.going_away(retry_ms);
                self.pump_all();
            }
            91..=92 => self.sign_in(at)?,
            93..=95 => {
                let number = Number(self.dice.between(1, 40));
                self.feed(at, Input::Typing { room })?;
                self.feed(at, Input::Read { room, number })?;
            }
            96..=97 => self.discard(at)?,
            _ => self.feed(at, Input::Wake)?,
        }
        Ok(())
    }

    fn write(&mut self, at: usize, room: RoomId) -> Result<(), Violation> {
        for _ in 0..self.dice.between(1, 3) {
            self.messages += 1;
            let client_id =
                ClientId::from_uuid(Uuid::from_u128(0xF_0000 + u128::from(self.messages)));
            let hopeless = self.dice.chance(3);
            let body = if hopeless {
                HOPELESS.to_owned()
            } else {
                format!("message {}", self.messages)
            };
            let rows = &self.server.store.rooms[&room].rows;
            let reply_to = self.dice.pick(rows).map(|row| row.id);
            let reply_to = reply_to.filter(|_| self.dice.chance(30));
            let given = Given {
                room,
                hopeless,
                discarded: false,
            };
            self.actors[at].given.insert(client_id, given);
            let input = Input::Send {
                room,
                client_id,
                body,
                reply_to,
            };
            self.feed(at, input)?;
        }
        Ok(())
    }

    fn change_a_message(&mut self, at: usize, room: RoomId) -> Result<(), Violation> {
        let rows = &self.server.store.rooms[&room].rows;
        let Some(message_id) = self.dice.pick(rows).map(|row| row.id) else {
            return Ok(());
        };
        let emoji = ["👍", "🎉"][self.dice.count(0, 1) as usize].to_owned();
        let on = self.dice.chance(70);
        let input = match self.dice.between(0, 9) {
            0..=2 => Input::Edit {
                room,
                message_id,
                body: format!("edited at {}", self.now),
            },
            3 => Input::Delete { room, message_id },
            4 => {
                // A moderator, from elsewhere.
                let at = Timestamp(self.now);
                let event = self
                    .server
                    .store
                    .change(at, room, message_id, |row, at| row.delete(at, true));
                self.server.publish(event);
                self.pump_all();
                return Ok(());
            }
            5 => Input::Pin {
                room,
                message_id,
                on,
            },
            _ => Input::React {
                room,
                message_id,
                emoji,
                on,
            },
        };
        self.feed(at, input)
    }

    fn change_the_room(&mut self, at: usize, room: RoomId) {
        let now = Timestamp(self.now);
        let user = self.actors[at].id();
        let store = &mut self.server.store;
        let events = match self.dice.between(0, 3) {
            0 => store.rename(now, user, format!("name {}", self.now)),
            1 => store.promote(now, user, Role::Moderator),
            2 => Vec::from_iter(store.leave(now, room, user)),
            _ => Vec::from_iter(store.set_topic(now, room, format!("topic {}", self.now))),
        };
        self.server.publish(events);
        self.pump_all();
    }

    /// Cuts a connection: in one direction or both, noticed soon or not at all.
    fn cut(&mut self, at: usize) {
        let Some((_, sock)) = self.actors[at].socket else {
            return;
        };
        let up_too = self.dice.chance(60);
        let noticed = self.dice.chance(70);
        let delay = self.dice.between(0, 3_000);
        if let Some(route) = self.routes.get_mut(&sock) {
            route.down_lost = true;
            route.up_lost = up_too;
        }
        if noticed {
            self.after(delay, Happening::CloseDown(sock, 1006, String::new()));
        }
    }

    /// The replica of somebody stands still for a while, unless another one does.
    fn stall(&mut self, at: usize) {
        let socket = self.actors[at].socket;
        let route = socket.and_then(|(_, sock)| self.routes.get(&sock));
        let Some(replica) = route.map(|route| route.replica) else {
            return;
        };
        if self
            .stall
            .as_ref()
            .is_none_or(|stall| stall.until <= self.now)
        {
            let until = self.now + self.dice.between(1_000, 25_000);
            self.stall = Some(Stall { replica, until });
        }
    }

    fn restart_server(&mut self) {
        for sock in self.server.restart() {
            let noticed = self.dice.chance(80);
            if let Some(route) = self.routes.get_mut(&sock) {
                route.up_lost = true;
                route.down_lost = route.down_lost || !noticed;
            }
            if noticed {
                let delay = self.dice.between(0, 200);
                let reason = "service_restart;retry_ms=50".to_owned();
                self.after(delay, Happening::CloseDown(sock, 1012, reason));
            }
        }
        self.server_down = true;
        let outage = self.dice.between(0, 6_000);
        self.after(outage, Happening::ServerBack);
    }

    fn restore(&mut self, room: RoomId) {
        let lost = self.dice.count(0, 4) as usize;
        let gone = self.server.restore(room, lost);
        for actor in &mut self.actors {
            actor.shown.retain(|(_, id), _| !gone.contains(id));
        }
        self.lost.extend(gone);
        self.pump_all();
    }

    fn turn_clock(&mut self, at: usize) {
        let actor = &mut self.actors[at];
        if self.dice.chance(50) {
            actor.ahead_ms += self.dice.between(0, 20 * 60_000);
        } else {
            actor.ahead_ms /= 2;
        }
    }

    fn reload(&mut self, at: usize) -> Result<(), Violation> {
        if let Some((_, sock)) = self.actors[at].socket {
            let delay = self.delay();
            self.after(delay, Happening::CloseUp(sock));
        }
        let seed = self.dice.next();
        let ends = self.now + self.token_life();
        self.actors[at].reload(seed, self.now, ends);
        self.feed(at, Input::Start)?;
        self.open_rooms(at)
    }

    fn sign_in(&mut self, at: usize) -> Result<(), Violation> {
        if self.actors[at].signed_in {
            return Ok(());
        }
        self.actors[at].signed_in = true;
        let ends = self.now + self.token_life();
        let token = access_token(self.actors[at].id(), self.now, ends);
        let id = self.actors[at].id();
        let user = self.server.store.users[&id].clone();
        self.feed(at, Input::SignedIn { user, token })
    }

    fn discard(&mut self, at: usize) -> Result<(), Violation> {
        let outbox = self.actors[at].client.outbox();
        let waiting = outbox
            .iter()
            .filter(|pending| !matches!(pending.state, PendingState::Accepted { .. }));
        let waiting: Vec<ClientId> = waiting.map(|pending| pending.client_id).collect();
        let Some(client_id) = self.dice.pick(&waiting).copied() else {
            return Ok(());
        };
        if self.dice.chance(50) {
            return self.feed(at, Input::Retry { client_id });
        }
        if let Some(given) = self.actors[at].given.get_mut(&client_id) {
            given.discarded = true;
        }
        self.feed(at, Input::Discard { client_id })
    }

    fn calm_down(&mut self) -> Result<(), Violation> {
        self.calm = true;
        self.server_down = false;
        self.server.refusals = 0;
        self.server.lossy = 0;
        for at in 0..self.actors.len() {
            self.sign_in(at)?;
            self.actors[at].hidden = false;
            self.feed(at, Input::Visible)?;
        }
        Ok(())
    }
}

fn describe(input: &Input) -> String {
    match input {
        Input::Frame { text, .. } => format!("hears {text}"),
        Input::Closed { code, reason, .. } => format!("closed {code} {reason}"),
        Input::Start => "start".to_owned(),
        Input::Opened { .. } => "opened".to_owned(),
        Input::Timer => "timer".to_owned(),
        Input::Visible => "visible".to_owned(),
        Input::Hidden => "hidden".to_owned(),
        Input::Wake => "wake".to_owned(),
        Input::SignedIn { .. } => "signed in".to_owned(),
        Input::TokenRefreshed { .. } => "refreshed".to_owned(),
        Input::OpenRoom { room, tail, page } => {
            let page = page.as_ref().map(|page| page.messages.len());
            format!("opens {room}, tail {tail}, page {page:?}")
        }
        Input::CloseRoom { room } => format!("closes {room}"),
        Input::Send { client_id, .. } => format!("writes {client_id}"),
        Input::Discard { client_id } => format!("discards {client_id}"),
        Input::LoadHistory { span, .. } => format!("loads {span:?}"),
        Input::HistoryLoaded { page, .. } => format!("loaded {page:?}"),
        _ => "another input".to_owned(),
    }
}
