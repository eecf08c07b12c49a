//! The embed: one room inside another site's page, without a router.

use leptos::prelude::*;

use crate::state::look::provide_lang;

/// The room of the page that the address names.
#[component]
pub fn Embed() -> impl IntoView {
    provide_lang();
    view! { <main class="embed"></main> }
}
