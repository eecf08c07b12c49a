//! The page for an address that names nothing.

use leptos::prelude::*;

use crate::i18n::{Key, tr};
use crate::routes;

/// Says so, and shows the way back.
#[component]
pub fn NotFoundPage() -> impl IntoView {
    view! { <main class="page"><p>{tr(Key::NoSuchSite)}</p><a href=routes::LOBBY>"Sarangbang"</a></main> }
}
