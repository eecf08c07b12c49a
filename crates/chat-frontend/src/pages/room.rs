//! The page of a room, beside the reader's other rooms.

use chat_types::id::RoomId;
use leptos::prelude::*;

use crate::routes::Page;
use crate::state::navigation::use_navigation;
use crate::ui::room_view::RoomView;
use crate::ui::sidebar::Sidebar;

/// `/r/{room}`.
#[component]
pub fn RoomPage() -> impl IntoView {
    let page = use_navigation().page();
    // On the way to another page it stays that of the last room.
    let id = Memo::new(move |last: Option<&Option<RoomId>>| {
        let room = page.get().and_then(Page::room);
        room.or_else(|| last.copied().flatten())
    });
    view! {
        <div class="app__frame app__frame--room">
            <Sidebar current=id/>
            {move || id.get().map(|id| view! { <RoomView id/> })}
        </div>
    }
}
