//! What went wrong with the last action, said where the action is.

use leptos::prelude::*;

use crate::api::http::ApiError;
use crate::i18n::{trouble, use_lang};

/// The problem in words; nothing while there is none.
#[component]
pub fn ProblemNotice(
    /// The problem.
    #[prop(into)]
    error: Signal<Option<ApiError>>,
) -> impl IntoView {
    let lang = use_lang();
    let words = move || error.get().map(|error| in_words(lang.get(), &error));
    move || {
        words().map(|words| {
            view! {
                <div class="notice notice--danger" role="alert">
                    <p class="notice__text">{words}</p>
                </div>
            }
        })
    }
}

/// The words for a problem.
pub fn in_words(lang: crate::i18n::Lang, error: &ApiError) -> String {
    trouble(lang, error.code, error.reason, error.retry_after_ms)
}
