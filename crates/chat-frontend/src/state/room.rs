//! One room, as its views see it: signals that follow what the client holds.

use std::collections::HashMap;

use chat_client::{
    HistoryState, Input, Place, Presence, RoomChange, RoomStatus, RoomView, RowKey, RowState, Span,
};
use chat_types::event::{Content, ReplyPreview, User};
use chat_types::id::{ClientId, MessageId, Number, RoomId};
use chat_types::problem::ErrorCode;
use chat_types::room::{History, MembersSummary, Role, Room};
use chat_types::text::TextReason;
use chat_types::time::Timestamp;
use leptos::prelude::*;
use uuid::Uuid;

use super::connection::Connection;
use super::place::{Goal, Held, Place as Where, Step};
use super::rows::{Line, LineKey, RowData, lay_out};
use super::window::{self, Window};
use crate::api::{events, time};

/// Messages of the first page.
const TAIL: u32 = 50;

/// A line of the timeline; a row keeps its signal for as long as it is shown.
#[derive(Clone)]
pub enum ShownLine {
    /// A day begins.
    Day {
        /// The day, to tell it from others.
        day: i32,
        /// An instant of it.
        at: Timestamp,
    },
    /// The unread begins here.
    Unread,
    /// A row.
    Row(RowKey, ArcRwSignal<RowData>),
}

impl ShownLine {
    /// Which line.
    pub fn key(&self) -> LineKey {
        match self {
            Self::Day { day, .. } => LineKey::Day(*day),
            Self::Unread => LineKey::Unread,
            Self::Row(key, _) => LineKey::Row(*key),
        }
    }
}

/// A text that the server refused. It waits as a failed row until its author has it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its row.
    pub key: RowKey,
    /// The text.
    pub body: String,
    /// What it answers.
    pub reply_to: Option<ReplyPreview>,
    /// Why, in general.
    pub code: ErrorCode,
    /// Why, in particular.
    pub reason: Option<TextReason>,
}

/// A message that somebody else wrote just now, to be read aloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Who wrote it.
    pub author: String,
    /// What.
    pub text: String,
}

/// One room. Everything is a signal or a copy of one, so it is passed by value.
#[derive(Clone, Copy)]
pub struct RoomModel {
    id: RoomId,
    connection: Connection,
    place: StoredValue<Where>,
    loading: StoredValue<Span>,
    rows: StoredValue<HashMap<RowKey, ArcRwSignal<RowData>>>,
    /// The lines in the order of the screen.
    pub lines: RwSignal<Vec<ShownLine>>,
    /// Whether the room is followed.
    pub status: RwSignal<RoomStatus>,
    /// Its name, topic and state.
    pub room: RwSignal<Option<Room>>,
    /// The reader's role; `None` when they are not a member.
    pub role: RwSignal<Option<Role>>,
    /// Who is typing.
    pub typing: RwSignal<Vec<String>>,
    /// Who is here.
    pub presence: RwSignal<Presence>,
    /// Who belongs to the room.
    pub members: RwSignal<MembersSummary>,
    /// How the loading of history goes.
    pub history: RwSignal<HistoryState>,
    /// Whether the first message of the room is shown.
    pub at_start: RwSignal<bool>,
    /// Whether the newest message of the room is in the page.
    pub at_newest: RwSignal<bool>,
    /// Whether the reader is at the end and new messages scroll into view.
    pub following: RwSignal<bool>,
    /// New messages of others since the reader left the end.
    pub fresh: RwSignal<u32>,
    /// New messages of others that nobody has looked at yet.
    pub unseen: RwSignal<u32>,
    /// The last message that was read when the divider was placed.
    pub unread_after: RwSignal<Option<Number>>,
    /// New messages of others, for the announcer.
    pub arrivals: RwSignal<Vec<Arrival>>,
    /// Texts that were refused, oldest first.
    pub refusals: RwSignal<Vec<Refusal>>,
    /// The calendar day that it is now.
    pub today: RwSignal<i32>,
    /// How far the reader has read.
    pub read: RwSignal<Number>,
    /// A message to scroll to and show briefly.
    pub target: RwSignal<Option<MessageId>>,
    /// Somebody asked for the end of the room.
    pub to_end: Trigger,
    divider_placed: StoredValue<bool>,
    start_at_divider: StoredValue<bool>,
}

impl RoomModel {
    /// A room that shows nothing until [`RoomModel::open`].
    pub fn new(id: RoomId, connection: Connection) -> Self {
        Self {
            id,
            connection,
            place: StoredValue::new(Where::END),
            loading: StoredValue::new(Span::Older),
            rows: StoredValue::new(HashMap::new()),
            lines: RwSignal::new(Vec::new()),
            status: RwSignal::new(RoomStatus::Loading),
            room: RwSignal::new(None),
            role: RwSignal::new(None),
            typing: RwSignal::new(Vec::new()),
            presence: RwSignal::new(Presence::default()),
            members: RwSignal::new(MembersSummary::default()),
            history: RwSignal::new(HistoryState::Idle),
            at_start: RwSignal::new(false),
            at_newest: RwSignal::new(true),
            following: RwSignal::new(true),
            fresh: RwSignal::new(0),
            unseen: RwSignal::new(0),
            unread_after: RwSignal::new(None),
            arrivals: RwSignal::new(Vec::new()),
            refusals: RwSignal::new(Vec::new()),
            today: RwSignal::new(0),
            read: RwSignal::new(Number(0)),
            target: RwSignal::new(None),
            to_end: Trigger::new(),
            divider_placed: StoredValue::new(false),
            start_at_divider: StoredValue::new(false),
        }
    }

    /// Which room.
    pub fn id(self) -> RoomId {
        self.id
    }

    /// Follows the room; `page` is its newest page where it is at hand. A room that was left while the
    /// page came stays left.
    pub fn open(self, page: Option<Box<History>>) {
        if self.is_gone() {
            return;
        }
        self.connection
            .listen(self.id, move |changes| self.apply(changes));
        self.feed(Input::OpenRoom {
            room: self.id,
            tail: TAIL,
            page,
        });
    }

    /// Whether the view of this room was left, and its signals with it.
    fn is_gone(self) -> bool {
        self.lines.try_with_untracked(|_| ()).is_none()
    }

    /// Follows it no longer.
    pub fn close(self) {
        self.connection.unlisten(self.id);
        self.feed(Input::CloseRoom { room: self.id });
    }

    /// Sends a message and goes to the end. Where too many wait already it does neither and says so.
    pub fn send(self, body: String, reply_to: Option<MessageId>) -> bool {
        if self.connection.outbox_is_full() {
            return false;
        }
        self.unread_after.set(None);
        self.to_latest();
        let client_id = ClientId::from_uuid(Uuid::now_v7());
        self.feed(Input::Send {
            room: self.id,
            client_id,
            body,
            reply_to,
        });
        true
    }

    /// Sends a failed message again.
    pub fn retry(self, key: RowKey) {
        if let RowKey::Own(client_id) = key {
            self.feed(Input::Retry { client_id });
        }
    }

    /// Gives up a message that is not sent.
    pub fn discard(self, key: RowKey) {
        if let RowKey::Own(client_id) = key {
            self.feed(Input::Discard { client_id });
        }
    }

    /// Gives a message another text.
    pub fn edit(self, message_id: MessageId, body: String) {
        self.feed(Input::Edit {
            room: self.id,
            message_id,
            body,
        });
    }

    /// Deletes a message.
    pub fn delete(self, message_id: MessageId) {
        self.feed(Input::Delete {
            room: self.id,
            message_id,
        });
    }

    /// Puts an emoji under a message or takes it away.
    pub fn react(self, message_id: MessageId, emoji: String, on: bool) {
        self.feed(Input::React {
            room: self.id,
            message_id,
            emoji,
            on,
        });
    }

    /// The reader typed.
    pub fn typed(self) {
        self.feed(Input::Typing { room: self.id });
    }

    /// The reader sees the end of the room.
    pub fn read_to_end(self) {
        if !self.at_newest.get_untracked() || !events::page_is_read() {
            return;
        }
        set(self.unseen, 0);
        let last = self.look(|room| (room.last_number(), room.read(), room.role().is_some()));
        if let Some((last, read, true)) = last
            && last > read
        {
            self.feed(Input::Read {
                room: self.id,
                number: last,
            });
        }
    }

    /// Shows the newest messages.
    pub fn to_latest(self) {
        self.go(Goal::Newest);
    }

    /// Shows a message and where it stands, loading its surroundings where they are not held.
    pub fn go_to(self, number: Number) {
        self.go(Goal::Message(number));
    }

    fn go(self, goal: Goal) {
        self.place
            .update_value(|place| *place = place.heading_for(goal));
        self.refresh();
    }

    /// The reader is at the end, or left it.
    pub fn set_following(self, following: bool) {
        if self.following.get_untracked() == following {
            return;
        }
        self.place.update_value(|place| {
            place.following = following;
            if following {
                place.window = Window::LATEST;
            }
        });
        self.settle();
    }

    /// Shows or loads earlier messages; the reader is near the first row.
    pub fn earlier(self) {
        let Some(held) = self.look(held).flatten() else {
            return;
        };
        let Where {
            window, following, ..
        } = self.place.get_value();
        if following && !window.has_room(held) {
            return;
        }
        self.show_or_load(window.earlier(held), Span::Older);
    }

    /// Shows or loads later messages; the reader is near the last row.
    pub fn later(self) {
        if let Some(held) = self.look(held).flatten() {
            let window = self.place.get_value().window;
            self.show_or_load(window.later(held), Span::Newer);
        }
    }

    fn show_or_load(self, window: Option<Window>, span: Span) {
        if let Some(window) = window {
            self.place.update_value(|place| place.window = window);
            self.refresh();
        } else if self.history.get_untracked() == HistoryState::Idle {
            self.load(span);
        }
    }

    fn load(self, span: Span) {
        self.loading.set_value(span);
        self.feed(Input::LoadHistory {
            room: self.id,
            span,
        });
    }

    /// Loads again what could not be loaded.
    pub fn retry_history(self) {
        self.load(self.loading.get_value());
    }

    /// The reader has seen what is new.
    pub fn clear_divider(self) {
        if self.unread_after.try_get_untracked().flatten().is_some() {
            self.unread_after.set(None);
            self.refresh();
        }
    }

    /// Whether the room has just been opened and is still to be shown at its first unread message.
    pub fn starts_at_divider(self) -> bool {
        self.start_at_divider.get_value()
    }

    /// The room is shown where its reader begins.
    pub fn has_started(self) {
        self.start_at_divider.set_value(false);
    }

    /// The newest own message that can be edited.
    pub fn last_own(self) -> Option<RowData> {
        self.look(|room| {
            let row = room
                .accepted(Number(0))
                .rev()
                .find(|row| row.is_own() && row.body().is_some())?;
            Some(RowData::of(row, None))
        })
        .flatten()
    }

    /// What a message says that is held.
    pub fn text_of(self, id: MessageId) -> Option<String> {
        self.look(|room| match &room.message(id)?.content {
            Content::Text { body } => Some(body.clone()),
            Content::Deleted { .. } | Content::Unknown => None,
        })
        .flatten()
    }

    fn feed(self, input: Input) {
        self.connection.feed(input);
    }

    fn look<R>(self, look: impl FnOnce(RoomView<'_>) -> R) -> Option<R> {
        self.connection.with_room(self.id, look)
    }

    /// Takes in what changed. The room may be gone from the page already: signals are only tried.
    fn apply(self, changes: &[RoomChange]) {
        if self.is_gone() {
            return;
        }
        let mut rows = false;
        for change in changes {
            match change {
                RoomChange::Typing => self.show_typing(),
                RoomChange::Presence => self.show_presence(),
                RoomChange::Read => self.show_read(),
                RoomChange::Status => {
                    self.ask_again();
                    rows = true;
                }
                RoomChange::Inserted {
                    keys,
                    place: Place::New,
                } => {
                    self.arrived(keys);
                    rows = true;
                }
                RoomChange::Inserted { place, .. } => {
                    self.extend(*place);
                    rows = true;
                }
                RoomChange::Updated(key) => {
                    self.notice_refusal(*key);
                    rows = true;
                }
                _ => rows = true,
            }
        }
        if rows {
            self.refresh();
        }
        if changes.contains(&RoomChange::Reset) {
            self.show_typing();
            self.show_presence();
        }
    }

    fn show_typing(self) {
        let names = self.look(|room| {
            room.typing()
                .map(|user| user.name.clone())
                .collect::<Vec<_>>()
        });
        self.typing.set(names.unwrap_or_default());
    }

    fn show_read(self) {
        set(self.read, self.look(read).unwrap_or_default());
    }

    fn show_presence(self) {
        self.presence.set(
            self.look(|room| room.presence().clone())
                .unwrap_or_default(),
        );
    }

    /// The room is followed again: what could not be loaded on the way to a place is loaded now.
    fn ask_again(self) {
        if self.look(|room| room.status() == RoomStatus::Live) == Some(true) {
            self.place.update_value(|place| *place = place.ask_again());
        }
    }

    /// Somebody wrote. A reader who looks elsewhere finds the divider when they come back.
    fn arrived(self, keys: &[RowKey]) {
        let others: Vec<Arrival> = self
            .look(|room| {
                let others = keys.iter().filter(|key| matches!(key, RowKey::Other(_)));
                others.filter_map(|key| arrival(room, *key)).collect()
            })
            .unwrap_or_default();
        if others.is_empty() {
            return;
        }
        let following = self.following.get_untracked();
        let count = u32::try_from(others.len()).unwrap_or(u32::MAX);
        if !following {
            self.fresh
                .update(|fresh| *fresh = fresh.saturating_add(count));
        }
        if !following || !events::page_is_read() {
            self.unseen
                .update(|unseen| *unseen = unseen.saturating_add(count));
        }
        if !events::page_is_read() && self.unread_after.get_untracked().is_none() {
            let first_new = self.look(|room| {
                let numbers = keys.iter().filter_map(|key| room.row(*key)?.number());
                numbers.min()
            });
            self.unread_after.set(
                first_new
                    .flatten()
                    .map(|number| Number(number.0.saturating_sub(1))),
            );
        }
        self.arrivals.update(|arrivals| arrivals.extend(others));
    }

    /// A page came that the reader scrolled for: show the part of it that is next to them.
    fn extend(self, to: Place) {
        let Some(held) = self.look(held).flatten() else {
            return;
        };
        self.place.update_value(|place| {
            let window = place.window;
            let more = match to {
                Place::Start => window.hold(held).earlier(held),
                Place::End => window.later(held),
                Place::Middle | Place::New | Place::Own => None,
            };
            place.window = more.unwrap_or(window);
        });
    }

    /// A text that the server refuses is offered to its author, who can mend it.
    fn notice_refusal(self, key: RowKey) {
        let refused = self.look(|room| {
            let row = room.row(key)?;
            match row.state() {
                RowState::Failed {
                    code: code @ (ErrorCode::Invalid | ErrorCode::TooLarge),
                    reason,
                } => Some(Refusal {
                    key,
                    body: row.body()?.to_owned(),
                    reply_to: row.reply_to().cloned(),
                    code,
                    reason,
                }),
                _ => None,
            }
        });
        if let Some(Some(refusal)) = refused {
            self.refusals.update(|refusals| refusals.push(refusal));
        }
    }

    /// Brings the place in line with what is held.
    fn settle(self) -> Step {
        let held = self.look(|room| Held {
            span: held(room),
            more_after: room.more_after(),
            history: room.history(),
            known: room.epoch().is_some(),
        });
        let Some(held) = held else {
            return Step::Stay;
        };
        let (place, step) = self.place.get_value().settle(held);
        self.place.set_value(place);
        set(self.following, place.following);
        if place.following {
            set(self.fresh, 0);
        }
        step
    }

    /// Reads everything that is shown anew; only what differs is set.
    pub fn refresh(self) {
        let step = self.settle();
        let Some(seen) = self.look(|room| self.see(room)) else {
            return;
        };
        self.place_divider(&seen);
        set(self.read, seen.read);
        set(self.status, seen.status);
        set(self.room, seen.room);
        set(self.role, seen.role);
        set(self.members, seen.members);
        set(self.history, seen.history);
        set(self.at_start, seen.at_start);
        set(self.at_newest, seen.at_newest);
        let unread_after = self.unread_after.get_untracked();
        self.show_lines(lay_out(seen.rows, unread_after, time::day));
        match step {
            Step::Stay => {}
            Step::Show(number) => self.show_target(number),
            Step::ShowEnd => self.to_end.notify(),
            Step::Load(Goal::Message(number)) => self.load(Span::Around(number)),
            Step::Load(Goal::Newest) => self.load(Span::Latest),
        }
    }

    fn see(self, room: RoomView<'_>) -> Seen {
        let window = self.place.get_value().window;
        let held = held(room);
        let shown = held.map(|held| window.shown(held));
        let at_newest = held.is_none_or(|held| window.reaches_end(held)) && !room.more_after();
        let mut rows: Vec<RowData> = Vec::new();
        if let Some(window::Span { first, last }) = shown {
            let accepted = room.accepted(Number(first));
            let inside =
                accepted.take_while(|row| row.number().is_none_or(|number| number.0 <= last));
            rows.extend(inside.map(|row| {
                let changing = row.message_id().is_some_and(|id| room.is_changing(id));
                RowData {
                    changing,
                    ..RowData::of(row, role_of(room, row.author()))
                }
            }));
        }
        if at_newest {
            let held = room.held().filter(|(_, until)| *until > time::now());
            rows.extend(room.pending().map(|row| RowData {
                due: held.and_then(|(key, until)| (key == row.key()).then_some(until)),
                ..RowData::of(row, None)
            }));
        }
        Seen {
            status: room.status(),
            room: room.room().cloned(),
            role: room.role(),
            members: room.members().clone(),
            history: room.history(),
            // Before the server has told, nobody knows where the room begins.
            at_start: room.epoch().is_some()
                && !room.more_before()
                && held
                    .zip(shown)
                    .is_none_or(|(held, shown)| held.first == shown.first),
            at_newest,
            read: room.read(),
            last: room.last_number(),
            rows,
        }
    }

    /// The divider is placed once, when the room first shows what is new.
    fn place_divider(self, seen: &Seen) {
        if self.divider_placed.get_value() || seen.status != RoomStatus::Live {
            return;
        }
        self.divider_placed.set_value(true);
        if seen.role.is_some() && seen.read.0 > 0 && seen.last > seen.read {
            self.unread_after.set(Some(seen.read));
            self.start_at_divider.set_value(true);
        }
    }

    fn show_lines(self, lines: Vec<Line>) {
        let mut kept = HashMap::with_capacity(lines.len());
        let shown: Vec<ShownLine> = self.rows.with_value(|rows| {
            lines
                .into_iter()
                .map(|line| match line {
                    Line::Day { day, at } => ShownLine::Day { day, at },
                    Line::Unread => ShownLine::Unread,
                    Line::Row(row) => {
                        let key = row.key;
                        let signal = match rows.get(&key) {
                            Some(signal) => {
                                if signal.with_untracked(|old| *old != *row) {
                                    signal.set(*row);
                                }
                                signal.clone()
                            }
                            None => ArcRwSignal::new(*row),
                        };
                        kept.insert(key, signal.clone());
                        ShownLine::Row(key, signal)
                    }
                })
                .collect()
        });
        self.rows.set_value(kept);
        let same = self.lines.with_untracked(|old| {
            old.len() == shown.len()
                && old
                    .iter()
                    .zip(&shown)
                    .all(|(old, new)| old.key() == new.key())
        });
        if !same {
            self.lines.set(shown);
        }
    }

    fn show_target(self, number: Number) {
        let found = self.look(|room| room.accepted(number).next()?.message_id());
        self.target.set(found.flatten());
    }
}

struct Seen {
    status: RoomStatus,
    room: Option<Room>,
    role: Option<Role>,
    members: MembersSummary,
    history: HistoryState,
    at_start: bool,
    at_newest: bool,
    read: Number,
    last: Number,
    rows: Vec<RowData>,
}

fn held(room: RoomView<'_>) -> Option<window::Span> {
    let mut rows = room.accepted(Number(0));
    let first = rows.next()?.number()?.0;
    let last = rows
        .next_back()
        .and_then(|row| row.number())
        .map_or(first, |number| number.0);
    Some(window::Span { first, last })
}

/// How far the reader of a room has read.
pub fn read(room: RoomView<'_>) -> Number {
    room.read()
}

fn role_of(room: RoomView<'_>, author: Option<&User>) -> Option<Role> {
    room.role_of(author?.id)
}

fn arrival(room: RoomView<'_>, key: RowKey) -> Option<Arrival> {
    let row = room.row(key)?;
    Some(Arrival {
        author: row.author()?.name.clone(),
        text: row.body()?.to_owned(),
    })
}

fn set<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    if signal.with_untracked(|old| *old != value) {
        signal.set(value);
    }
}
