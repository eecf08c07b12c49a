//! The page for an address that names nothing.

use leptos::prelude::*;

use crate::i18n::{Key, text, tr, use_lang};
use crate::routes;
use crate::state::session::use_session;
use crate::ui::empty::Empty;
use crate::ui::icons::IconName;
use crate::ui::sidebar::Sidebar;
use crate::ui::title::name_page_by;
use crate::ui::topbar::Topbar;

/// Says so, and shows the way back; to who has rooms, these too.
#[component]
pub fn NotFoundPage() -> impl IntoView {
    name_page_by(Key::NotFoundTitle);
    let lang = use_lang();
    let words = move |key| Signal::derive(move || text(lang.get(), key).to_owned());
    let user = use_session().user();
    let known = Memo::new(move |_| user.with(Option::is_some));
    let frame = move || {
        if known.get() {
            "app__frame app__frame--page"
        } else {
            "app__frame app__frame--plain"
        }
    };
    view! {
        <div class=frame>
            {move || known.get().then(|| view! { <Sidebar/> })}
            <main class="app__main" id="content">
                <div class="app__page">
                    {move || (!known.get()).then(|| view! { <Topbar/> })}
                    <Empty
                        icon=IconName::Page
                        title=words(Key::NotFoundTitle)
                        text=words(Key::NotFoundText)
                        page=true
                    >
                        <a class="button button--primary" href=routes::LOBBY>{tr(Key::ToLobby)}</a>
                    </Empty>
                </div>
            </main>
        </div>
    }
}
