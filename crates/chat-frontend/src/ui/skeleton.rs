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
