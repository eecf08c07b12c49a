//! The page of a room, beside the reader's other rooms.

use chat_types::id::RoomId;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_params_map};

use super::not_found::NotFoundPage;
use crate::routes::Go;
use crate::ui::room_view::RoomView;
use crate::ui::sidebar::Sidebar;

/// `/r/{room}`.
#[component]
pub fn RoomPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("room")?.parse::<RoomId>().ok()));
    let navigate = use_navigate();
    provide_context(Go(Callback::new(move |path: String| {
        navigate(&path, NavigateOptions::default());
    })));
    view! {
        <div class="app__frame app__frame--room">
            <Sidebar current=id/>
            {move || match id.get() {
                Some(id) => view! { <RoomView id/> }.into_any(),
                None => view! { <NotFoundPage/> }.into_any(),
            }}
        </div>
    }
}
