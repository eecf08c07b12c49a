//! What the room on the screen tells the list beside it.

use chat_client::RoomStatus;
use chat_types::id::Number;
use chat_types::room::RoomSummary;
use chat_types::time::Timestamp;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::connection::Connection;
use super::my_rooms::MyRooms;
use super::room::{RoomModel, read};
use crate::api::events;

/// What the list shows of a room.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Glance {
    last_number: Number,
    last_at: Option<Timestamp>,
    members: u32,
    read: Number,
}

/// Keeps the list right about the room on the screen. Where there is no list, in an embed, it does
/// nothing.
pub fn tell_list(model: RoomModel, connection: Connection) {
    let Some(rooms) = use_context::<MyRooms>() else {
        return;
    };
    let id = model.id();
    // The first message makes its author a member, which nobody announces.
    Effect::new(move |_| {
        let listed = rooms.list().with_untracked(|list| {
            let holds = |list: &Vec<RoomSummary>| list.iter().any(|known| known.room.id == id);
            list.ready().is_none_or(holds)
        });
        if model.role.get().is_some() && !listed {
            spawn_local(async move {
                rooms.refresh().await;
                // The answer may be older than what has been read meanwhile.
                if let Some(read) = connection.with_room(id, read) {
                    rooms.read(id, read);
                }
            });
        }
    });
    Effect::new(move |_| {
        model.lines.track();
        model.members.track();
        model.read.track();
        model.status.track();
        let at_end = model.following.get() && !model.starts_at_divider() && events::page_is_read();
        let Some(glance) = connection.with_room(id, |room| Glance {
            last_number: room.last_number(),
            last_at: room
                .accepted(room.last_number())
                .next_back()
                .map(|row| row.sent_at()),
            members: room.members().count,
            // What comes in at the end is read as soon as it is painted: it never counts as new. Of a room that
            // is not live yet nobody knows how far its reader was.
            read: if at_end && room.status() == RoomStatus::Live {
                room.last_number()
            } else {
                room.read()
            },
        }) else {
            return;
        };
        rooms.read(id, glance.read);
        if let Some(at) = glance.last_at {
            rooms.message(id, glance.last_number, at);
        }
        if glance.members > 0 {
            rooms.members(id, glance.members);
        }
    });
}
