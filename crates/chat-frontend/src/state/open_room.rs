//! What the room on the screen tells the list beside it.

use chat_types::id::Number;
use chat_types::time::Timestamp;
use leptos::prelude::*;

use super::connection::Connection;
use super::my_rooms::MyRooms;
use super::room::RoomModel;

/// What the list shows of a room.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Glance {
    last_number: Number,
    last_at: Option<Timestamp>,
    members: u32,
}

/// Keeps the list right about the room on the screen. Where there is no list, in an embed, it does
/// nothing.
pub fn tell_list(model: RoomModel, connection: Connection) {
    let Some(rooms) = use_context::<MyRooms>() else {
        return;
    };
    let id = model.id();
    Effect::new(move |_| {
        model.lines.track();
        model.members.track();
        let all_seen = model.unseen.get() == 0;
        let Some(glance) = connection.with_room(id, |room| Glance {
            last_number: room.last_number(),
            last_at: room
                .accepted(room.last_number())
                .next_back()
                .map(|row| row.sent_at()),
            members: room.members().count,
        }) else {
            return;
        };
        if let Some(at) = glance.last_at {
            rooms.message(id, glance.last_number, at);
        }
        if glance.members > 0 {
            rooms.members(id, glance.members);
        }
        if all_seen {
            rooms.read(id, glance.last_number);
        }
    });
}
