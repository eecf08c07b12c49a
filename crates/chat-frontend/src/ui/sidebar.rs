//! The caller's rooms, beside the page where it is wide enough.

use chat_client::ConnectionState;
use chat_types::event::{User, UserKind};
use chat_types::id::RoomId;
use chat_types::room::{RoomKind, RoomSummary};
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast as _;
use web_sys::HtmlElement;

use crate::i18n::{Key, tr, use_lang};
use crate::state::connection::use_connection;
use crate::state::load::Load;
use crate::state::my_rooms::use_my_rooms;
use crate::state::session::use_session;
use crate::ui::avatar::Avatar;
use crate::ui::brand::Brand;
use crate::ui::icons::{Icon, IconName};
use crate::ui::new_direct::NewDirectDialog;
use crate::ui::new_room::NewRoomDialog;
use crate::ui::notice::in_words;
use crate::ui::room_link::RoomLink;
use crate::ui::skeleton::SkeletonLines;
use crate::{routes, test_ids};

/// The rooms, the way to a new one, and who one is.
#[component]
pub fn Sidebar(
    /// The room on the screen.
    #[prop(optional, into)]
    current: Signal<Option<RoomId>>,
) -> impl IntoView {
    let session = use_session();
    let user = session.user();
    let known = Memo::new(move |_| user.with(Option::is_some));
    let creating = RwSignal::new(false);
    let writing = RwSignal::new(false);
    follow_rooms(current);
    view! {
        <nav class="sidebar" aria-label=tr(Key::YourRooms)>
            <div class="sidebar__head">
                <Brand/>
                {move || {
                    known.get().then(|| {
                        view! {
                            <button
                                class="icon-button"
                                type="button"
                                aria-label=tr(Key::CreateRoom)
                                title=tr(Key::CreateRoom)
                                data-testid=test_ids::CREATE_ROOM
                                on:click=move |_| creating.set(true)
                            >
                                <Icon name=IconName::Plus/>
                            </button>
                        }
                    })
                }}
            </div>
            <div class="sidebar__body">
                {move || {
                    if known.get() {
                        view! { <RoomLists current writing/> }.into_any()
                    } else {
                        let visits = session.restored().get();
                        visits.then(|| view! { <ForVisitors/> }).into_any()
                    }
                }}
            </div>
            <div class="sidebar__foot">
                {move || match user.get() {
                    Some(user) => view! { <Account user/> }.into_any(),
                    None => view! { <SignInLink/> }.into_any(),
                }}
            </div>
            <NewRoomDialog open=creating/>
            <NewDirectDialog open=writing/>
        </nav>
    }
    .into_any()
}

/// Fetches the rooms for each user, and again on each way from room to room and each new connection:
/// news of the connection may be lost, the list may not be wrong for long.
fn follow_rooms(current: Signal<Option<RoomId>>) {
    let rooms = use_my_rooms();
    let session = use_session();
    let connection = use_connection();
    let who = Memo::new(move |_| {
        session
            .user()
            .with(|user| user.as_ref().map(|user| user.id))
    });
    let online = Memo::new(move |_| connection.state().get() == ConnectionState::Online);
    Effect::new(move |_| {
        current.track();
        online.track();
        if who.get().is_some() {
            spawn_local(rooms.refresh());
        }
    });
}

#[component]
fn RoomLists(current: Signal<Option<RoomId>>, writing: RwSignal<bool>) -> impl IntoView {
    let rooms = use_my_rooms();
    let lang = use_lang();
    let body = move || match rooms.list().get() {
        Load::Waiting => view! { <SkeletonLines count=3/> }.into_any(),
        Load::Ready(list) => {
            let (directs, others): (Vec<_>, Vec<_>) = list
                .into_iter()
                .partition(|summary| summary.room.kind == RoomKind::Direct);
            view! {
                <RoomSection title=Key::Rooms empty=Key::NoOwnRooms rooms=others current/>
                <RoomSection title=Key::DirectMessages empty=Key::NoDirects rooms=directs current writing/>
            }
            .into_any()
        }
        Load::Failed(error) => view! {
            <div class="notice notice--danger" role="alert">
                <p class="notice__text">{move || in_words(lang.get(), &error)}</p>
                <button
                    class="button button--small"
                    type="button"
                    on:click=move |_| spawn_local(rooms.refresh())
                >
                    {tr(Key::TryAgain)}
                </button>
            </div>
        }
        .into_any(),
    };
    let kept = StoredValue::new(false);
    move || {
        keep_focus(kept);
        body()
    }
}

/// What a visitor finds in the place of their rooms: the way to those of everybody.
#[component]
fn ForVisitors() -> impl IntoView {
    view! {
        <section class="room-list">
            <p class="room-list__empty">{tr(Key::NoOwnRooms)}</p>
            <a class="button button--quiet button--wide" href=routes::LOBBY>{tr(Key::OpenRooms)}</a>
        </section>
    }
}

/// A message lifts its room to the top of the list; the focus stays with its room, not at its place.
/// While it is about to be put back (`kept`), what has it is not what the reader gave it to.
fn keep_focus(kept: StoredValue<bool>) {
    if kept.get_value() {
        return;
    }
    let focused = || document().active_element()?.get_attribute("data-room-id");
    let Some(room) = focused() else { return };
    kept.set_value(true);
    request_animation_frame(move || {
        kept.try_set_value(false);
        if focused().as_ref() == Some(&room) {
            return;
        }
        let link = document().query_selector(&format!(".sidebar [data-room-id=\"{room}\"]"));
        if let Ok(Some(link)) = link {
            // Only a detached element cannot be focused.
            let _ = link.unchecked_into::<HtmlElement>().focus();
        }
    });
}

#[component]
fn RoomSection(
    title: Key,
    empty: Key,
    rooms: Vec<RoomSummary>,
    current: Signal<Option<RoomId>>,
    /// Opens the dialog that finds somebody to write to.
    #[prop(optional)]
    writing: Option<RwSignal<bool>>,
) -> impl IntoView {
    let nothing = rooms.is_empty();
    view! {
        <section class="room-list">
            <div class="room-list__head">
                <h2 class="room-list__title">{tr(title)}</h2>
                {writing.map(|writing| view! {
                    <button
                        class="icon-button icon-button--small"
                        type="button"
                        aria-label=tr(Key::NewDirect)
                        title=tr(Key::NewDirect)
                        data-testid=test_ids::NEW_DIRECT
                        on:click=move |_| writing.set(true)
                    >
                        <Icon name=IconName::Plus/>
                    </button>
                })}
            </div>
            {nothing.then(|| view! { <p class="room-list__empty">{tr(empty)}</p> })}
            <ul class="room-list__items">
                {rooms
                    .into_iter()
                    .map(|summary| {
                        let id = summary.room.id;
                        view! {
                            <RoomLink
                                summary
                                current=Signal::derive(move || current.get() == Some(id))
                            />
                        }
                    })
                    .collect_view()}
            </ul>
        </section>
    }
}

#[component]
fn Account(user: User) -> impl IntoView {
    let kind = kind_words(user.kind);
    view! {
        <a class="account" href=routes::SETTINGS data-testid=test_ids::ACCOUNT_MENU>
            <Avatar name=Signal::stored(user.name.clone())/>
            <span class="account__name">
                <bdi>{user.name}</bdi>
                <span class="account__kind">{tr(kind)}</span>
            </span>
            <Icon name=IconName::Settings/>
            <span class="visually-hidden">{tr(Key::Settings)}</span>
        </a>
    }
}

#[component]
fn SignInLink() -> impl IntoView {
    view! {
        <a
            class="button button--quiet button--wide"
            href=routes::SIGN_IN
            data-testid=test_ids::SIGN_IN_OPEN
        >
            {tr(Key::SignIn)}
        </a>
    }
}

/// What to call a kind of user.
pub const fn kind_words(kind: UserKind) -> Key {
    match kind {
        UserKind::Account => Key::Member,
        UserKind::Guest | UserKind::Unknown => Key::Guest,
    }
}
