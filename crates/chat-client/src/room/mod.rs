//! A followed room: its place in the feed, its messages and who is there.

mod change;
mod feed;
mod history;
mod members;
mod timeline;
mod view;

use chat_types::event::User;
use chat_types::id::{Epoch, Number, Seq, UserId};
use chat_types::problem::ErrorCode;
use chat_types::room::{Member, MembersSummary, Room};
use chat_types::time::Timestamp;
use chat_types::ws::UnsubReason;

pub(crate) use change::{Applied, Source};
pub(crate) use feed::{Feed, Next};
pub(crate) use history::Loading;
pub(crate) use timeline::{Timeline, excerpt, key_of};
pub use view::RoomView;

/// Whether a room is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomStatus {
    /// Nothing has come yet, or what is shown has not been brought up to date on this connection.
    Loading,
    /// Up to date and followed.
    Live,
    /// Followed, and missed changes are being fetched.
    CatchingUp,
    /// The server refused to let the user follow it.
    Refused(ErrorCode),
    /// The server ended it.
    Ended(UnsubReason),
}

/// How the loading of history goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HistoryState {
    /// Nothing is under way.
    #[default]
    Idle,
    /// A page is under way.
    Loading,
    /// The last load failed.
    Failed,
}

/// Who looks at a room now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Presence {
    /// How many users and visitors.
    pub count: u32,
    /// The users among them; empty in a crowd.
    pub users: Vec<User>,
}

/// Somebody who types, until then.
pub(crate) struct Typist {
    pub(crate) user: User,
    pub(crate) until: Timestamp,
}

/// The own read position on its way to the server.
#[derive(Default)]
pub(crate) struct ReadMark {
    pub(crate) unsent: bool,
    pub(crate) sent_at: Option<Timestamp>,
}

/// What is held of a room.
pub(crate) struct RoomState {
    pub(crate) status: RoomStatus,
    pub(crate) tail: u32,
    pub(crate) epoch: Option<Epoch>,
    pub(crate) feed: Feed,
    pub(crate) room: Option<Room>,
    pub(crate) timeline: Timeline,
    pub(crate) history: HistoryState,
    pub(crate) loading: Option<Loading>,
    pub(crate) members: MembersSummary,
    pub(crate) me: Option<Member>,
    pub(crate) typing: Vec<Typist>,
    /// Who wrote when, for a `typing` that their message overtook.
    pub(crate) wrote: Vec<(UserId, Timestamp)>,
    pub(crate) typed_at: Option<Timestamp>,
    pub(crate) presence: Presence,
    pub(crate) read: Number,
    pub(crate) read_mark: ReadMark,
    pub(crate) last_number: Number,
}

impl RoomState {
    pub(crate) fn new(tail: u32) -> Self {
        Self {
            status: RoomStatus::Loading,
            tail,
            epoch: None,
            feed: Feed::default(),
            room: None,
            timeline: Timeline::default(),
            history: HistoryState::Idle,
            loading: None,
            members: MembersSummary::default(),
            me: None,
            typing: Vec::new(),
            wrote: Vec::new(),
            typed_at: None,
            presence: Presence::default(),
            read: Number(0),
            read_mark: ReadMark::default(),
            last_number: Number(0),
        }
    }

    /// The place up to which everything was applied.
    pub(crate) fn cursor(&self) -> Option<Seq> {
        self.feed.cursor
    }
}
