//! The lobby: come in, find a room, make one.

use chat_types::account::Empty as Nothing;
use chat_types::endpoint::ListPublicRooms;
use chat_types::event::UserKind;
use chat_types::room::{ListQuery, RoomPage};
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::api::http::ApiError;
use crate::i18n::{Key, text, tr, use_lang};
use crate::state::load::Load;
use crate::state::session::use_session;
use crate::ui::empty::Empty;
use crate::ui::icons::{Icon, IconName};
use crate::ui::join::JoinForm;
use crate::ui::new_room::NewRoomDialog;
use crate::ui::notice::in_words;
use crate::ui::room_link::RoomLink;
use crate::ui::sidebar::Sidebar;
use crate::ui::skeleton::SkeletonLines;
use crate::ui::title::name_page;
use crate::ui::topbar::Topbar;
use crate::{routes, test_ids};

/// The lobby. A visitor is asked for a name; who has one sees their rooms.
#[component]
pub fn LobbyPage() -> impl IntoView {
    name_page(Signal::stored(String::new()));
    let user = use_session().user();
    let known = Memo::new(move |_| user.with(Option::is_some));
    let frame = move || {
        if known.get() {
            "app__frame app__frame--lobby"
        } else {
            "app__frame app__frame--plain"
        }
    };
    view! {
        <div class=frame>
            {move || known.get().then(|| view! { <Sidebar/> })}
            <main class="app__main" id="content">
                <div class="app__page">
                    {move || {
                        if known.get() {
                            view! { <Welcome/> }.into_any()
                        } else {
                            view! { <Invitation/> }.into_any()
                        }
                    }}
                    <Directory known/>
                </div>
            </main>
        </div>
    }
}

/// For a visitor: what this is, and the way in.
#[component]
fn Invitation() -> impl IntoView {
    view! {
        <Topbar>
            <a
                class="button button--quiet button--small"
                href=routes::SIGN_IN
                data-testid=test_ids::SIGN_IN_OPEN
            >
                {tr(Key::SignIn)}
            </a>
        </Topbar>
        <section class="hero">
            <div>
                <h1 class="hero__title">{tr(Key::HeroTitle)}</h1>
                <p class="hero__text">{tr(Key::HeroText)}</p>
            </div>
            <div class="card card--raised join-card">
                <JoinForm/>
                <p class="join-card__foot">
                    {tr(Key::HaveAccount)} " " <a class="link" href=routes::SIGN_IN>{tr(Key::SignIn)}</a>
                    " · "
                    <a class="link" href=routes::REGISTER data-testid=test_ids::REGISTER_OPEN>
                        {tr(Key::CreateAccount)}
                    </a>
                </p>
            </div>
        </section>
    }
}

/// For who has come in. A guest learns what an account would give.
#[component]
fn Welcome() -> impl IntoView {
    let user = use_session().user();
    let guest = Memo::new(move |_| {
        user.with(|user| {
            user.as_ref()
                .is_some_and(|user| user.kind == UserKind::Guest)
        })
    });
    view! {
        <h1 class="page-title">{tr(Key::LobbyTitle)}</h1>
        {move || {
            guest.get().then(|| {
                view! {
                    <div class="notice notice--accent">
                        <p class="notice__text">{tr(Key::GuestNotice)}</p>
                        <a
                            class="button button--primary button--small"
                            href=routes::REGISTER
                            data-testid=test_ids::REGISTER_OPEN
                        >
                            {tr(Key::CreateAccount)}
                        </a>
                    </div>
                }
            })
        }}
    }
}

/// The public rooms.
#[component]
fn Directory(
    /// Whether the reader has a name.
    known: Memo<bool>,
) -> impl IntoView {
    let session = use_session();
    let rooms = RwSignal::new(Load::<RoomPage>::Waiting);
    let fetch = move |cursor: Option<String>| async move {
        let query = ListQuery {
            cursor,
            limit: Some(24),
        };
        session
            .call::<ListPublicRooms>(&[], &query, &Nothing {})
            .await
    };
    let load = move || {
        spawn_local(async move {
            let page = fetch(None).await;
            rooms.try_set(page.into());
        });
    };
    let load_more = move |cursor: String| {
        spawn_local(async move {
            let page = fetch(Some(cursor)).await;
            // Gone with its page: nobody looks at the list any more.
            let _ = rooms.try_update(|rooms| append(rooms, page));
        });
    };
    Effect::new(move |_| {
        known.track();
        if session.restored().get() {
            load();
        }
    });
    let creating = RwSignal::new(false);
    let retry = Callback::new(move |()| {
        rooms.set(Load::Waiting);
        load();
    });
    view! {
        <section class="section" aria-label=tr(Key::OpenRooms)>
            <div class="section__head">
                <h2 class="section__title">{tr(Key::OpenRooms)}</h2>
                {move || known.get().then(|| view! { <CreateButton creating/> })}
            </div>
            {move || match rooms.get() {
                Load::Waiting => view! { <SkeletonLines count=3/> }.into_any(),
                Load::Failed(error) => view! { <Failed error retry/> }.into_any(),
                Load::Ready(page) if page.rooms.is_empty() => view! { <NoRooms known/> }.into_any(),
                Load::Ready(page) => {
                    view! { <Rooms page more=Callback::new(load_more)/> }.into_any()
                }
            }}
            <NewRoomDialog open=creating/>
        </section>
    }
    .into_any()
}

/// Adds a page to those before it. When it could not be had, the button for it stays.
fn append(rooms: &mut Load<RoomPage>, page: Result<RoomPage, ApiError>) {
    if let (Load::Ready(known), Ok(page)) = (rooms, page) {
        known.rooms.extend(page.rooms);
        known.next = page.next;
    }
}

#[component]
fn CreateButton(creating: RwSignal<bool>) -> impl IntoView {
    view! {
        <button
            class="button button--quiet button--small"
            type="button"
            on:click=move |_| creating.set(true)
        >
            <Icon name=IconName::Plus small=true/>
            {tr(Key::CreateRoom)}
        </button>
    }
}

#[component]
fn Rooms(page: RoomPage, more: Callback<String>) -> impl IntoView {
    view! {
        <ul class="room-grid">
            {page
                .rooms
                .into_iter()
                .map(|summary| view! { <RoomLink summary current=false/> })
                .collect_view()}
        </ul>
        {page.next.map(|cursor| {
            view! {
                <button
                    class="button button--quiet"
                    type="button"
                    on:click=move |_| more.run(cursor.clone())
                >
                    {tr(Key::ShowMore)}
                </button>
            }
        })}
    }
}

#[component]
fn NoRooms(known: Memo<bool>) -> impl IntoView {
    let lang = use_lang();
    let hint = move || {
        let key = if known.get() {
            Key::NoRoomsText
        } else {
            Key::NoRoomsVisitorText
        };
        text(lang.get(), key).to_owned()
    };
    let title = Signal::derive(move || text(lang.get(), Key::NoRoomsTitle).to_owned());
    view! {
        <div class="card">
            <Empty icon=IconName::Chat title text=Signal::derive(hint)/>
        </div>
    }
}

#[component]
fn Failed(error: ApiError, retry: Callback<()>) -> impl IntoView {
    let lang = use_lang();
    let title = Signal::derive(move || text(lang.get(), Key::RoomsFailed).to_owned());
    view! {
        <div class="card">
            <Empty
                icon=IconName::Alert
                title
                text=Signal::derive(move || in_words(lang.get(), &error))
                problem=true
            >
                <button class="button" type="button" on:click=move |_| retry.run(())>
                    {tr(Key::TryAgain)}
                </button>
            </Empty>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::my_rooms::tests::summary;

    fn page(n: u64, next: Option<&str>) -> RoomPage {
        RoomPage {
            rooms: vec![summary(n, 0, 0)],
            next: next.map(str::to_owned),
        }
    }

    #[test]
    fn another_page_is_added_to_those_before_it() {
        let mut rooms = Load::Ready(page(1, Some("c")));
        append(&mut rooms, Ok(page(2, None)));
        let all = rooms.ready().unwrap();
        assert_eq!((all.rooms.len(), all.next.as_deref()), (2, None));
    }

    #[test]
    fn a_page_that_could_not_be_had_leaves_the_list_as_it_is() {
        let mut rooms = Load::Ready(page(1, Some("c")));
        append(&mut rooms, Err(ApiError::UNREACHABLE));
        assert_eq!(rooms, Load::Ready(page(1, Some("c"))));
    }
}
