//! One labelled line of text, with its hint and what is wrong with it.

use leptos::prelude::*;

use crate::api::http::ApiError;
use crate::i18n::{Key, tr, use_lang};
use crate::test_ids;
use crate::ui::icons::{Icon, IconName};
use crate::ui::notice::in_words;

/// A labelled text field. It has no `name`: a form that is sent before the module runs must not put
/// what was typed into an address.
#[component]
pub fn Field(
    /// Its id within the page.
    id: &'static str,
    /// What to type.
    label: Key,
    /// What was typed.
    value: RwSignal<String>,
    /// How to type it.
    #[prop(default = None, into)]
    hint: Option<Key>,
    /// What is wrong with it.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// The type of the input.
    #[prop(default = "text")]
    kind: &'static str,
    /// What a browser may fill in.
    #[prop(default = "off")]
    autocomplete: &'static str,
    /// The hook for tests.
    #[prop(optional, into)]
    test_id: Option<&'static str>,
    /// Whether a dialog begins here.
    #[prop(optional)]
    autofocus: bool,
) -> impl IntoView {
    let described = format!("{id}-hint {id}-error");
    let secret = kind == "password";
    let shown = RwSignal::new(false);
    view! {
        <div class="field">
            <label class="field__label" for=id>{tr(label)}</label>
            <div class="field__box">
            <input
                class="input"
                id=id
                type=move || if shown.get() { "text" } else { kind }
                autocomplete=autocomplete
                autocapitalize="off"
                spellcheck="false"
                autofocus=autofocus
                data-testid=test_id
                aria-describedby=described
                aria-invalid=move || error.with(Option::is_some).then_some("true")
                bind:value=value
            />
            {secret.then(|| view! { <Reveal id shown/> })}
            </div>
            {hint.map(|hint| view! { <p class="field__hint" id=format!("{id}-hint")>{tr(hint)}</p> })}
            {move || {
                error.get().map(|words| {
                    view! {
                        <p class="field__error" id=format!("{id}-error") role="alert">
                            <Icon name=IconName::Alert small=true/>
                            {words}
                        </p>
                    }
                })
            }}
        </div>
    }
    .into_any()
}

/// Shows a password while it is pressed in.
#[component]
fn Reveal(id: &'static str, shown: RwSignal<bool>) -> impl IntoView {
    view! {
        <button
            class="icon-button field__reveal"
            type="button"
            aria-label=tr(Key::ShowPassword)
            title=tr(Key::ShowPassword)
            aria-controls=id
            aria-pressed=move || shown.get().to_string()
            data-testid=test_ids::REVEAL
            on:click=move |_| shown.update(|shown| *shown = !*shown)
        >
            <Icon name=IconName::Eye/>
        </button>
    }
}

/// What is wrong with one field, in words.
pub fn field_error(
    error: RwSignal<Option<ApiError>>,
    field: &'static str,
) -> Signal<Option<String>> {
    let lang = use_lang();
    Signal::derive(move || {
        let error = error.get().filter(|error| is_of(error, &[field]))?;
        Some(in_words(lang.get(), &error))
    })
}

/// The problem, unless it is of one of the fields that say it themselves.
pub fn other_error(
    error: RwSignal<Option<ApiError>>,
    fields: &'static [&'static str],
) -> Signal<Option<ApiError>> {
    Signal::derive(move || error.get().filter(|error| !is_of(error, fields)))
}

fn is_of(error: &ApiError, fields: &[&str]) -> bool {
    error
        .field
        .as_deref()
        .is_some_and(|field| fields.contains(&field))
}
