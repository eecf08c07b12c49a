//! A sender that always has several messages under way: how many a server can take.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::time::Duration;

use chat_types::decode;
use chat_types::frame;
use chat_types::id::{ClientId, RequestId, RoomId};
use chat_types::limits::{FRAME_BYTES, FRAME_DOCUMENTS};
use chat_types::ws::{Command, ServerDoc};
use futures_util::SinkExt as _;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::driver::{Handle, Order};
use crate::history::History;
use crate::measure::Liveness;
use crate::raw::{End, Raw, next_text, say};
use crate::server::{Socket, address_of};
use crate::tap::Tap;
use crate::text::{self, Label};

/// The pause after a refusal that names none.
const PAUSE: Duration = Duration::from_millis(200);

/// What a sender is.
pub(crate) struct Pipeline {
    pub(crate) client: u32,
    /// To which rooms, in turn.
    pub(crate) rooms: Vec<RoomId>,
    /// How many messages are under way at most.
    pub(crate) window: usize,
    pub(crate) body_bytes: usize,
}

struct Sender {
    plan: Pipeline,
    raw: Raw,
    tap: Tap,
    /// Without an acknowledgement, by the order of writing.
    open: VecDeque<(ClientId, RoomId, String)>,
    /// Those of them that have to leave, again or for the first time.
    queue: VecDeque<ClientId>,
    asked: HashMap<RequestId, ClientId>,
    hold_until: Instant,
    next_id: u64,
    written: u64,
    saturating: bool,
    live: Liveness,
}

/// Starts a sender. It connects at once and writes when it is told to.
pub(crate) fn start(plan: Pipeline, raw: Raw) -> Handle {
    let (orders, told) = mpsc::unbounded_channel();
    raw.shared.client_began();
    let mut history = History::new(plan.client, Some(raw.account.user.id));
    history.pipelined = true;
    let sender = Sender {
        tap: Tap::new(history, raw.shared.clone()),
        plan,
        raw,
        open: VecDeque::new(),
        queue: VecDeque::new(),
        asked: HashMap::new(),
        hold_until: Instant::now(),
        next_id: 1,
        written: 0,
        saturating: false,
        live: Liveness::default(),
    };
    tokio::spawn(sender.run(told));
    Handle { orders }
}

impl Sender {
    async fn run(mut self, mut told: mpsc::UnboundedReceiver<Order>) {
        loop {
            let saturate = |order| {
                if let Order::Saturate(on) = order {
                    self.saturating = on;
                }
            };
            let connected = self.raw.connect_unless_told(&mut told, saturate).await;
            let end = match connected {
                Ok(mut socket) => {
                    self.live.turn(true, &self.raw.shared);
                    let end = self.serve(&mut socket, &mut told).await;
                    self.live.turn(false, &self.raw.shared);
                    end
                }
                Err(end) => end,
            };
            match end {
                End::Lost => {
                    self.tap.lost(1006);
                    self.raw.lost();
                }
                End::Finish(to) => {
                    self.tap.end();
                    if let Some(to) = to {
                        // Nobody waits for the history of a run that was given up.
                        let _ = to.send(self.tap.history);
                    }
                    return;
                }
            }
        }
    }

    async fn serve(
        &mut self,
        socket: &mut Socket,
        told: &mut mpsc::UnboundedReceiver<Order>,
    ) -> End {
        self.tap.connected(address_of(socket));
        self.asked.clear();
        self.queue = self.open.iter().map(|(id, ..)| *id).collect();
        loop {
            self.top_up();
            if self.flush(socket).await.is_err() {
                return End::Lost;
            }
            let held = !self.queue.is_empty();
            tokio::select! {
                text = next_text(socket) => {
                    let Ok(text) = text else { return End::Lost };
                    self.tap.receives(&text);
                    if self.receives(&text, socket).await.is_err() {
                        return End::Lost;
                    }
                }
                order = told.recv() => match order {
                    None => return End::Finish(None),
                    Some(Order::Finish(to)) => return End::Finish(Some(to)),
                    Some(Order::Saturate(on)) => self.saturating = on,
                    Some(Order::IsSettled { to, .. }) => {
                        // Who asks may have stopped waiting.
                        let _ = to.send(self.open.is_empty());
                    }
                    Some(_) => {}
                },
                () = tokio::time::sleep_until(self.hold_until), if held => {}
            }
        }
    }

    /// Writes as many messages as the window has room for.
    fn top_up(&mut self) {
        while self.saturating && self.open.len() < self.plan.window {
            self.written += 1;
            let now_us = self.raw.shared.clock.now_us();
            let label = Label {
                run: self.raw.shared.run,
                client: self.plan.client,
                n: self.written,
                due_us: now_us,
            };
            let body = text::write(label, self.plan.body_bytes);
            let at = usize::try_from(self.written).unwrap_or(0) % self.plan.rooms.len();
            let room = self.plan.rooms[at];
            let unix_ms = self.raw.shared.clock.device_ms(0).0;
            let client_id = text::client_id(unix_ms, &mut self.raw.rng);
            self.tap.invoked(room, client_id, &body, now_us);
            self.open.push_back((client_id, room, body));
            self.queue.push_back(client_id);
        }
    }

    /// Sends what is queued, many in a frame.
    async fn flush(&mut self, socket: &mut Socket) -> io::Result<()> {
        while !self.queue.is_empty() && self.hold_until <= Instant::now() {
            let frame = self.next_frame()?;
            if frame.is_empty() {
                continue;
            }
            self.tap.sends(&frame);
            let message = Message::text(frame);
            socket.send(message).await.map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn next_frame(&mut self) -> io::Result<String> {
        let mut frame = String::new();
        for _ in 0..FRAME_DOCUMENTS {
            let Some(client_id) = self.queue.front().copied() else {
                break;
            };
            let found = self.open.iter().find(|(id, ..)| *id == client_id);
            if let Some((client_id, room, body)) = found {
                let id = RequestId(self.next_id + 1);
                let send = Command::Send {
                    id,
                    room: *room,
                    client_id: *client_id,
                    body: body.clone(),
                    reply_to: None,
                };
                let document = serde_json::to_string(&send)?;
                if !frame.is_empty() && frame.len() + 1 + document.len() > FRAME_BYTES {
                    break;
                }
                if !frame.is_empty() {
                    frame.push('\n');
                }
                frame.push_str(&document);
                self.next_id += 1;
                self.asked.insert(id, *client_id);
            }
            self.queue.pop_front();
        }
        Ok(frame)
    }

    async fn receives(&mut self, text: &str, socket: &mut Socket) -> io::Result<()> {
        for document in frame::split(text).map_err(io::Error::other)? {
            match decode::from_text(document) {
                Some(ServerDoc::Ok(ok)) => {
                    if let Some(client_id) = self.asked.remove(&ok.id) {
                        self.open.retain(|(id, ..)| *id != client_id);
                    }
                }
                Some(ServerDoc::Err(error)) => {
                    let asked = error.id.and_then(|id| self.asked.remove(&id));
                    let Some(client_id) = asked else { continue };
                    if error.retry {
                        let pause = error.retry_after_ms.map_or(PAUSE, Duration::from_millis);
                        self.hold_until = Instant::now() + pause;
                        self.queue.push_back(client_id);
                    } else {
                        self.open.retain(|(id, ..)| *id != client_id);
                    }
                }
                Some(ServerDoc::Ping { .. }) => say(socket, &Command::Pong {}).await?,
                Some(ServerDoc::AuthSoon { .. }) => {
                    self.raw.renew().await;
                    let token = self.raw.account.token.clone();
                    self.next_id += 1;
                    let id = RequestId(self.next_id);
                    say(socket, &Command::Auth { id, token }).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}
