//! The app: every route.

use leptos::prelude::*;
use leptos_router::components::{FlatRoutes, Route, Router};
use leptos_router::path;

use crate::i18n::{Key, tr};
use crate::pages::invite::InvitePage;
use crate::pages::lobby::LobbyPage;
use crate::pages::not_found::NotFoundPage;
use crate::pages::room::RoomPage;
use crate::pages::settings::SettingsPage;
use crate::pages::sign_in::{RegisterPage, SignInPage};
use crate::state::connection::provide_connection;
use crate::state::look::{provide_lang, restorer};
use crate::state::my_rooms::provide_my_rooms;
use crate::state::session::provide_session;
use crate::ui::toast::Toast;

/// Every route, in the language of the page.
#[component]
pub fn App() -> impl IntoView {
    provide_lang();
    let session = provide_session();
    let connection = provide_connection();
    provide_my_rooms(session);
    let restore_look = restorer();
    Effect::new(move |_| {
        restore_look();
        session.restore();
        connection.start(session, "web");
    });
    view! {
        <Router>
            <div class="app">
                <a class="skip-link" href="#content">{tr(Key::SkipToContent)}</a>
                <FlatRoutes fallback=NotFoundPage>
                    <Route path=path!("/") view=LobbyPage/>
                    <Route path=path!("/r/:room") view=RoomPage/>
                    <Route path=path!("/sign-in") view=SignInPage/>
                    <Route path=path!("/register") view=RegisterPage/>
                    <Route path=path!("/settings") view=SettingsPage/>
                    <Route path=path!("/invite") view=InvitePage/>
                </FlatRoutes>
                <Toast/>
            </div>
        </Router>
    }
}
