//! The embed: one room inside another site's page, without a router.

use chat_types::account::Empty as NoQuery;
use chat_types::decode;
use chat_types::endpoint::OpenPageRoom;
use chat_types::id::{PageKey, RoomId, SiteKey};
use chat_types::room::{OpenPage, RoomSummary};
use leptos::prelude::*;
use leptos::task::spawn_local;
use percent_encoding::percent_decode_str;
use wasm_bindgen::JsValue;

use crate::api::http::ApiError;
use crate::api::{document, history, host, storage};
use crate::i18n::{Key, text, tr, use_lang};
use crate::state::connection::provide_connection;
use crate::state::look::{Theme, provide_lang};
use crate::state::session::{Session, provide_session};
use crate::ui::empty::Empty;
use crate::ui::icons::IconName;
use crate::ui::notice::in_words;
use crate::ui::room_view::RoomView;
use crate::ui::skeleton::SkeletonRows;
use crate::ui::toast::Toast;

/// The room of the page that the address names.
#[component]
pub fn Embed() -> impl IntoView {
    provide_lang();
    let session = provide_session();
    let connection = provide_connection();
    let room = RwSignal::new(None::<Result<RoomId, ApiError>>);
    let open = move || {
        room.set(None);
        spawn_local(async move {
            let found = find_room(session).await;
            if found.is_ok() {
                host::tell("ready", &JsValue::UNDEFINED);
            }
            room.try_set(Some(found));
        });
    };
    // Nobody wrote in it for so long that it was purged while this tab was away. The page has another
    // one now; where it is the same, asking again would not end.
    let missed = StoredValue::new(None::<RoomId>);
    let find_again = move |id: RoomId| {
        if missed.get_value() != Some(id) {
            missed.set_value(Some(id));
            open();
        }
    };
    Effect::new(move |_| {
        host::listen("theme", |_, theme| {
            let theme = Theme::from_name(&theme.unwrap_or_default());
            document::set_attribute("data-theme", (theme != Theme::Auto).then(|| theme.name()));
        });
        storage::when_ready(
            move || {
                session.restore();
                connection.start(session, "embed");
            },
            move || session.restore_late(),
        );
        open();
    });
    view! {
        <div class="app">
            <div class="embed">
                {move || match room.get() {
                    None => view! { <Waiting/> }.into_any(),
                    Some(Ok(id)) => {
                        view! { <RoomView id compact=true gone=move |()| find_again(id)/> }.into_any()
                    }
                    Some(Err(error)) => view! { <Failed error open/> }.into_any(),
                }}
            </div>
            <Toast/>
        </div>
    }
}

/// The room before it is known which: what the server paints.
#[component]
fn Waiting() -> impl IntoView {
    view! {
        <main class="room" aria-busy="true">
            <div class="room__head"></div>
            <div class="room__body">
                <SkeletonRows/>
            </div>
        </main>
    }
}

#[component]
fn Failed(error: ApiError, open: impl Fn() + Send + 'static) -> impl IntoView {
    let lang = use_lang();
    view! {
        <main class="room">
            <div class="room__body">
                <Empty
                    icon=IconName::Alert
                    title=Signal::derive(move || text(lang.get(), Key::RoomFailed).to_owned())
                    text=Signal::derive(move || in_words(lang.get(), &error))
                    problem=true
                >
                    <button class="button" type="button" on:click=move |_| open()>{tr(Key::TryAgain)}</button>
                </Empty>
            </div>
        </main>
    }
}

/// The room of the page; the request began before this code was there.
async fn find_room(session: Session) -> Result<RoomId, ApiError> {
    let begun = document::head_start("/v1/pages").await;
    if let Some(summary) = begun.and_then(|text| decode::from_text::<RoomSummary>(&text)) {
        return Ok(summary.room.id);
    }
    let missing = ApiError {
        code: chat_types::problem::ErrorCode::NotFound,
        ..ApiError::UNREACHABLE
    };
    let (site, page) = named_page(&history::path()).ok_or(missing)?;
    let body = OpenPage {
        site,
        page,
        title: None,
    };
    Ok(session
        .call::<OpenPageRoom>(&[], &NoQuery {}, &body)
        .await?
        .room
        .id)
}

/// The site and the page of `/embed/{site}/{page}`.
fn named_page(path: &str) -> Option<(SiteKey, PageKey)> {
    let (site, page) = path.strip_prefix("/embed/")?.split_once('/')?;
    let page = percent_decode_str(page).decode_utf8().ok()?;
    Some((site.parse().ok()?, page.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::named_page;

    #[test]
    fn the_page_key_of_the_address_is_decoded_once() {
        let (site, page) = named_page("/embed/blog/%2Fposts%2Fa%2520b").unwrap();
        assert_eq!((site.as_str(), page.as_str()), ("blog", "/posts/a%20b"));
    }

    #[test]
    fn an_address_that_names_no_page_has_no_room() {
        for path in ["/embed/blog", "/embed/Blog/x", "/r/x", "/embed/blog/"] {
            assert!(named_page(path).is_none(), "{path}");
        }
    }
}
