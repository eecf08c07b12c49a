//! Joining a room by an invite link. The code is in the fragment, which no server sees.

use chat_types::account::Empty as Nothing;
use chat_types::endpoint::UseInvite;
use chat_types::id::InviteCode;
use chat_types::problem::ErrorCode;
use chat_types::room::AcceptInvite;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::api::history;
use crate::api::http::ApiError;
use crate::i18n::{Key, text, tr, use_lang};
use crate::routes::{self, Page};
use crate::state::my_rooms::use_my_rooms;
use crate::state::navigation::use_navigation;
use crate::state::session::use_session;
use crate::ui::empty::Empty;
use crate::ui::icons::IconName;
use crate::ui::join::JoinForm;
use crate::ui::notice::in_words;
use crate::ui::skeleton::SkeletonLines;
use crate::ui::title::name_page_by;
use crate::ui::topbar::Topbar;

/// Takes the invite as soon as there is a name to join with.
#[component]
pub fn InvitePage() -> impl IntoView {
    name_page_by(Key::InviteTitle);
    let session = use_session();
    let rooms = use_my_rooms();
    let navigation = use_navigation();
    let error = RwSignal::new(None::<ApiError>);
    let known = Memo::new(move |_| session.user().with(Option::is_some));
    Effect::new(move |_| {
        let Some(code) = code() else {
            error.set(Some(gone()));
            return;
        };
        if !known.get() {
            return;
        }
        spawn_local(async move {
            let body = AcceptInvite { code };
            match session.call::<UseInvite>(&[], &Nothing {}, &body).await {
                Ok(summary) => {
                    let room = summary.room.id;
                    rooms.put(summary);
                    navigation.go(Page::Room(room));
                }
                Err(problem) => {
                    error.try_set(Some(problem));
                }
            }
        });
    });
    view! {
        <div class="app__frame app__frame--plain">
            <main class="app__main" id="content">
                <div class="app__page">
                    <Topbar/>
                    <section class="sign-in">
                        {move || match (error.get(), session.restored().get(), known.get()) {
                            (Some(error), ..) => view! { <Failed error/> }.into_any(),
                            (None, true, false) => view! { <Ask/> }.into_any(),
                            (None, ..) => view! { <SkeletonLines count=2/> }.into_any(),
                        }}
                    </section>
                </div>
            </main>
        </div>
    }
}

/// Asks a visitor for a name.
#[component]
fn Ask() -> impl IntoView {
    view! {
        <div>
            <h1 class="page-title">{tr(Key::InviteTitle)}</h1>
            <p class="sign-in__lead">{tr(Key::InviteText)}</p>
        </div>
        <div class="card">
            <JoinForm/>
        </div>
    }
}

#[component]
fn Failed(error: ApiError) -> impl IntoView {
    let lang = use_lang();
    let title = Signal::derive(move || text(lang.get(), Key::RoomFailed).to_owned());
    let words = Signal::derive(move || match error.code {
        ErrorCode::NotFound | ErrorCode::Invalid | ErrorCode::Malformed => {
            text(lang.get(), Key::InviteGone).to_owned()
        }
        _ => in_words(lang.get(), &error),
    });
    view! {
        <div class="card">
            <Empty icon=IconName::Link title text=words problem=true>
                <a class="button" href=routes::LOBBY>{tr(Key::ToLobby)}</a>
            </Empty>
        </div>
    }
}

fn code() -> Option<InviteCode> {
    history::fragment()?.parse().ok()
}

fn gone() -> ApiError {
    ApiError {
        code: ErrorCode::NotFound,
        ..ApiError::UNREACHABLE
    }
}
