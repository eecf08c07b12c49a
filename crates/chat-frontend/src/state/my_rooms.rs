//! The caller's rooms, as the sidebar shows them: fetched as a list, kept up to date by news of the
//! connection.

use chat_types::account::Empty;
use chat_types::endpoint::{ListRooms, NewRoom};
use chat_types::id::{Number, RoomId, UserId};
use chat_types::room::{CreateRoom, ListQuery, RoomSummary};
use chat_types::time::Timestamp;
use leptos::prelude::*;

use super::connection::Connection;
use super::load::Load;
use super::session::Session;
use crate::api::http::ApiError;

/// The caller's rooms, newest activity first.
#[derive(Clone, Copy)]
pub struct MyRooms {
    list: RwSignal<Load<Vec<RoomSummary>>>,
    session: Session,
}

/// Puts an empty list into the context. [`MyRooms::refresh`] fills it; whoever uses this device next
/// begins with an empty one, whatever page is shown then.
pub fn provide_my_rooms(session: Session, connection: Connection) -> MyRooms {
    let rooms = MyRooms {
        list: RwSignal::new(Load::Waiting),
        session,
    };
    let who = Memo::new(move |_| {
        session
            .user()
            .with(|user| user.as_ref().map(|user| user.id))
    });
    Effect::new(move |before: Option<Option<UserId>>| {
        let who = who.get();
        if before.is_some_and(|before| before != who) {
            rooms.list.set(Load::Waiting);
        }
        who
    });
    Effect::new(move |_| {
        if let Some(summary) = connection.added().get() {
            rooms.put(summary);
        }
    });
    provide_context(rooms);
    rooms
}

/// The caller's rooms.
pub fn use_my_rooms() -> MyRooms {
    expect_context()
}

impl MyRooms {
    /// The list.
    pub fn list(self) -> Signal<Load<Vec<RoomSummary>>> {
        self.list.into()
    }

    /// Fetches the list. A list that is here stays when that fails.
    pub async fn refresh(self) {
        let query = ListQuery {
            cursor: None,
            limit: Some(chat_types::limits::ROOMS_PAGE),
        };
        let who = self.session.id();
        let page = self.session.call::<ListRooms>(&[], &query, &Empty {}).await;
        if self.session.id() != who {
            // These are the rooms of whoever used this device before.
            return;
        }
        // Gone with its page: nobody looks at the list any more.
        let _ = self.list.try_update(|list| match (page, list) {
            (Ok(page), list) => {
                let known = list.ready().map_or(&[][..], Vec::as_slice);
                *list = Load::Ready(newest(page.rooms, known));
            }
            (Err(_), Load::Ready(_)) => {}
            (Err(error), list) => *list = Load::Failed(error),
        });
    }

    /// Makes a room and puts it into the list.
    ///
    /// # Errors
    /// As the endpoint.
    pub async fn create(self, room: CreateRoom) -> Result<RoomId, ApiError> {
        let made = self.session.call::<NewRoom>(&[], &Empty {}, &room).await?;
        let id = made.room.id;
        self.put(made);
        Ok(id)
    }

    /// A room is new in the list, or different from what the list has.
    pub fn put(self, summary: RoomSummary) {
        self.change(|rooms| put(rooms, summary));
    }

    /// A message was sent to a room.
    pub fn message(self, room: RoomId, number: Number, at: Timestamp) {
        self.change(|rooms| message(rooms, room, number, at));
    }

    /// The caller has read a room up to here.
    pub fn read(self, room: RoomId, number: Number) {
        self.change(|rooms| read(rooms, room, number));
    }

    /// A room has this many members now.
    pub fn members(self, room: RoomId, count: u32) {
        self.change(|rooms| {
            if let Some(summary) = find(rooms, room) {
                summary.members_count = count;
            }
        });
    }

    /// The caller is no longer in a room.
    pub fn remove(self, room: RoomId) {
        self.change(|rooms| rooms.retain(|summary| summary.room.id != room));
    }

    fn change(self, change: impl FnOnce(&mut Vec<RoomSummary>)) {
        // Gone with its page: nobody looks at the list any more.
        let _ = self.list.try_update(|list| {
            if let Load::Ready(rooms) = list {
                change(rooms);
            }
        });
    }
}

/// How many messages the caller has not read, over all rooms.
pub fn all_unread(rooms: &[RoomSummary]) -> u64 {
    rooms.iter().map(unread).sum()
}

/// How many messages the caller has not read.
pub fn unread(summary: &RoomSummary) -> u64 {
    if summary.role.is_none() {
        return 0;
    }
    summary.last_number.0.saturating_sub(summary.read.0)
}

/// A list that was fetched, with what happened here since it was asked for.
fn newest(mut fetched: Vec<RoomSummary>, known: &[RoomSummary]) -> Vec<RoomSummary> {
    for summary in &mut fetched {
        let before = known
            .iter()
            .find(|known| known.room.id == summary.room.id && known.epoch == summary.epoch);
        if let Some(before) = before {
            summary.read = summary.read.max(before.read);
            summary.last_number = summary.last_number.max(before.last_number);
            summary.last_at = summary.last_at.max(before.last_at);
        }
    }
    sort(&mut fetched);
    fetched
}

fn put(rooms: &mut Vec<RoomSummary>, summary: RoomSummary) {
    rooms.retain(|known| known.room.id != summary.room.id);
    rooms.insert(0, summary);
    sort(rooms);
}

fn message(rooms: &mut [RoomSummary], room: RoomId, number: Number, at: Timestamp) {
    if let Some(summary) = find(rooms, room)
        && summary.last_number < number
    {
        summary.last_number = number;
        summary.last_at = Some(at);
        sort(rooms);
    }
}

fn read(rooms: &mut [RoomSummary], room: RoomId, number: Number) {
    if let Some(summary) = find(rooms, room) {
        summary.read = summary.read.max(number);
    }
}

fn find(rooms: &mut [RoomSummary], room: RoomId) -> Option<&mut RoomSummary> {
    rooms.iter_mut().find(|summary| summary.room.id == room)
}

/// Newest activity first; a room without a message counts from when it was made.
fn sort(rooms: &mut [RoomSummary]) {
    rooms.sort_by_key(|summary| {
        std::cmp::Reverse(summary.last_at.unwrap_or(summary.room.created_at))
    });
}

#[cfg(test)]
pub(crate) mod tests {
    use chat_types::id::{Epoch, Seq};
    use chat_types::room::{Role, Room, RoomKind};

    use super::*;

    fn id(n: u64) -> RoomId {
        format!("00000000-0000-4000-8000-{n:012}").parse().unwrap()
    }

    pub(crate) fn summary(n: u64, last: u64, read: u64) -> RoomSummary {
        RoomSummary {
            room: Room {
                id: id(n),
                kind: RoomKind::Public,
                name: format!("room {n}"),
                topic: String::new(),
                archived: false,
                read_only: false,
                created_at: Timestamp(n),
            },
            head: Seq(last),
            epoch: Epoch("e".to_owned()),
            last_number: Number(last),
            last_at: (last > 0).then_some(Timestamp(100 + last)),
            read: Number(read),
            role: Some(Role::Member),
            members_count: 1,
            peer: None,
        }
    }

    #[test]
    fn unread_is_what_came_after_the_read_position() {
        assert_eq!(unread(&summary(1, 12, 5)), 7);
        assert_eq!(unread(&summary(1, 5, 5)), 0);
    }

    #[test]
    fn a_room_that_one_only_reads_has_nothing_unread() {
        let mut visited = summary(1, 12, 0);
        visited.role = None;
        assert_eq!(unread(&visited), 0);
    }

    #[test]
    fn a_message_lifts_its_room_to_the_top() {
        let mut rooms = vec![summary(1, 9, 9), summary(2, 3, 3)];
        message(&mut rooms, id(2), Number(4), Timestamp(900));
        assert_eq!(rooms[0].room.id, id(2));
        assert_eq!(unread(&rooms[0]), 1);
    }

    #[test]
    fn an_old_message_changes_nothing() {
        let mut rooms = vec![summary(1, 9, 9)];
        message(&mut rooms, id(1), Number(4), Timestamp(900));
        assert_eq!(rooms, [summary(1, 9, 9)]);
    }

    #[test]
    fn the_read_position_only_moves_forward() {
        let mut rooms = vec![summary(1, 9, 5)];
        read(&mut rooms, id(1), Number(8));
        read(&mut rooms, id(1), Number(2));
        assert_eq!(rooms[0].read, Number(8));
    }

    #[test]
    fn a_list_that_was_asked_for_earlier_takes_nothing_back() {
        let known = [summary(1, 9, 9), summary(2, 4, 1)];
        let fetched = vec![summary(2, 6, 2), summary(1, 8, 5)];
        let rooms = newest(fetched, &known);
        assert_eq!(unread(&rooms[0]), 0, "it was read meanwhile");
        assert_eq!(rooms[0].last_number, Number(9));
        assert_eq!(unread(&rooms[1]), 4);
        assert_eq!(all_unread(&rooms), 4);
    }

    #[test]
    fn a_restored_room_counts_from_its_new_history() {
        let known = [summary(1, 9, 9)];
        let mut restored = summary(1, 3, 2);
        restored.epoch = Epoch("f".to_owned());
        assert_eq!(newest(vec![restored.clone()], &known), [restored]);
    }

    #[test]
    fn a_room_is_in_the_list_once() {
        let mut rooms = vec![summary(1, 1, 1)];
        put(&mut rooms, summary(2, 0, 0));
        put(&mut rooms, summary(1, 7, 1));
        assert_eq!(rooms.len(), 2);
        assert_eq!(rooms[0].last_number, Number(7));
    }
}
