//! The product's mark: the roof, the paper windows and the step of a sarangbang.

use leptos::prelude::*;

use crate::i18n::{Key, tr};
use crate::routes;

/// The mark and the name, the way to the lobby.
#[component]
pub fn Brand() -> impl IntoView {
    view! {
        <a class="brand" href=routes::LOBBY>
            <svg class="brand__mark" viewBox="0 0 32 32" aria-hidden="true">
                <rect class="brand__ground" width="32" height="32" rx="10"></rect>
                <path
                    class="brand__line"
                    d="M6 14.5C9.5 13.5 13 11 16 8c3 3 6.5 5.5 10 6.5M9 14v9.5h14V14M16 14v9.5M9 18.75h14"
                ></path>
            </svg>
            <span class="brand__name">{tr(Key::Product)}</span>
        </a>
    }
}
