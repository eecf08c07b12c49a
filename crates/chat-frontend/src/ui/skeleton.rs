//! The shape of what is on its way.

use leptos::prelude::*;

use crate::i18n::{Key, tr};

/// Some lines of a list.
#[component]
pub fn SkeletonLines(
    /// How many.
    count: usize,
) -> impl IntoView {
    view! {
        <div class="skeleton-lines" role="status">
            <span class="visually-hidden">{tr(Key::Loading)}</span>
            {(0..count)
                .map(|_| view! { <div class="skeleton__shape skeleton__shape--line"></div> })
                .collect_view()}
        </div>
    }
}

/// Messages that are on their way.
#[component]
pub fn SkeletonRows() -> impl IntoView {
    view! {
        <div class="skeleton" aria-hidden="true">
            <div class="skeleton__row">
                <div class="skeleton__shape skeleton__shape--avatar"></div>
                <div class="skeleton__shape skeleton__shape--long"></div>
            </div>
            <div class="skeleton__row skeleton__row--mine">
                <div class="skeleton__shape skeleton__shape--short"></div>
            </div>
            <div class="skeleton__row">
                <div class="skeleton__shape skeleton__shape--avatar"></div>
                <div class="skeleton__shape skeleton__shape--short"></div>
            </div>
        </div>
    }
}
