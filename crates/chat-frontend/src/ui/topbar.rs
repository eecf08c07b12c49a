//! The bar above pages that have no sidebar.

use leptos::prelude::*;

use crate::ui::brand::Brand;
use crate::ui::look::LangSelect;

/// The mark, the language, and what the page adds.
#[component]
pub fn Topbar(
    /// What the page adds at the end.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <header class="topbar">
            <Brand/>
            <div class="topbar__end">
                <LangSelect small=true/>
                {children.map(|children| children())}
            </div>
        </header>
    }
    .into_any()
}
