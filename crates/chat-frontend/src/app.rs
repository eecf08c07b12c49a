//! The app: every page.

use std::mem::discriminant;

use leptos::prelude::*;

use crate::i18n::{Key, tr};
use crate::pages::invite::InvitePage;
use crate::pages::lobby::LobbyPage;
use crate::pages::not_found::NotFoundPage;
use crate::pages::room::RoomPage;
use crate::pages::settings::SettingsPage;
use crate::pages::sign_in::{RegisterPage, SignInPage};
use crate::routes::Page;
use crate::state::connection::provide_connection;
use crate::state::look::{provide_lang, restorer};
use crate::state::my_rooms::provide_my_rooms;
use crate::state::navigation::{Navigation, provide_navigation};
use crate::state::session::provide_session;
use crate::ui::toast::Toast;

/// Every page, in the language of the document.
#[component]
pub fn App() -> impl IntoView {
    provide_lang();
    let session = provide_session();
    let connection = provide_connection();
    provide_my_rooms(session, connection);
    let navigation = provide_navigation();
    let restore_look = restorer();
    Effect::new(move |_| {
        restore_look();
        navigation.start();
        session.restore();
        connection.start(session, "web");
    });
    view! {
        <div class="app">
            <a class="skip-link" href="#content">{tr(Key::SkipToContent)}</a>
            {screen(navigation)}
            <Toast/>
        </div>
    }
}

/// The page of the address. From room to room the page stays and shows another room.
fn screen(navigation: Navigation) -> impl IntoView {
    let page = navigation.page();
    let shown = Memo::new_with_compare(move |_| page.get(), is_another);
    move || match shown.get() {
        Some(Page::Lobby) => view! { <LobbyPage/> }.into_any(),
        Some(Page::Room(_)) => view! { <RoomPage/> }.into_any(),
        Some(Page::SignIn) => view! { <SignInPage/> }.into_any(),
        Some(Page::Register) => view! { <RegisterPage/> }.into_any(),
        Some(Page::Settings) => view! { <SettingsPage/> }.into_any(),
        Some(Page::Invite) => view! { <InvitePage/> }.into_any(),
        None => view! { <NotFoundPage/> }.into_any(),
    }
}

/// Whether it is another page, and not merely another room.
fn is_another(before: Option<&Option<Page>>, now: Option<&Option<Page>>) -> bool {
    let kind = |page: Option<&Option<Page>>| page.and_then(Option::as_ref).map(discriminant);
    before.is_none() || kind(before) != kind(now)
}
