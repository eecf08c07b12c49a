//! A followed room: its place in the feed, its messages and who is there.

mod timeline;
mod view;

use chat_types::event::User;
use chat_types::id::{Epoch, Number, Seq};
use chat_types::problem::ErrorCode;
use chat_types::room::{Member, MembersSummary, Room};
use chat_types::ws::UnsubReason;

pub(crate) use timeline::Timeline;
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

/// What is held of a room.
pub(crate) struct RoomState {
    pub(crate) status: RoomStatus,
    pub(crate) tail: u32,
    pub(crate) epoch: Option<Epoch>,
    pub(crate) cursor: Option<Seq>,
    pub(crate) room: Option<Room>,
    pub(crate) timeline: Timeline,
    pub(crate) history: HistoryState,
    pub(crate) members: MembersSummary,
    pub(crate) me: Option<Member>,
    pub(crate) typing: Vec<User>,
    pub(crate) presence: Presence,
    pub(crate) read: Number,
    pub(crate) last_number: Number,
}

impl RoomState {
    pub(crate) fn new(tail: u32) -> Self {
        Self {
            status: RoomStatus::Loading,
            tail,
            epoch: None,
            cursor: None,
            room: None,
            timeline: Timeline::default(),
            history: HistoryState::Idle,
            members: MembersSummary::default(),
            me: None,
            typing: Vec::new(),
            presence: Presence::default(),
            read: Number(0),
            last_number: Number(0),
        }
    }
}
