//! The choice of language and theme.

use leptos::prelude::*;

use crate::i18n::{Key, Lang, tr, use_lang};
use crate::state::look::{Theme, lang_setter, theme_setter, use_theme};
use crate::test_ids;

/// Chooses the language.
#[component]
pub fn LangSelect(
    /// The id, for a label that stands elsewhere; without one it carries its own name.
    #[prop(optional, into)]
    id: Option<&'static str>,
    /// As small as a button in a bar.
    #[prop(optional)]
    small: bool,
) -> impl IntoView {
    let lang = use_lang();
    let set = lang_setter();
    let choose = move |event| {
        if let Some(chosen) = Lang::from_tag(&event_target_value(&event)) {
            set(chosen);
        }
    };
    view! {
        <select
            class=if small { "select select--small" } else { "select" }
            id=id
            aria-label=tr(Key::Language)
            data-testid=test_ids::LANG
            prop:value=move || lang.get().tag()
            on:change=choose
        >
            {Lang::ALL
                .map(|offered| {
                    view! {
                        <option
                            value=offered.tag()
                            lang=offered.tag()
                            selected=move || lang.get() == offered
                        >
                            {offered.name()}
                        </option>
                    }
                })
                .collect_view()}
        </select>
    }
}

/// Chooses the theme.
#[component]
pub fn ThemeSelect(
    /// The id, for its label.
    id: &'static str,
) -> impl IntoView {
    let theme = use_theme();
    let set = theme_setter();
    view! {
        <select
            class="select"
            id=id
            data-testid=test_ids::THEME
            prop:value=move || theme.get().name()
            on:change=move |event| set(Theme::from_name(&event_target_value(&event)))
        >
            {Theme::ALL
                .map(|offered| {
                    view! {
                        <option value=offered.name() selected=move || theme.get() == offered>
                            {tr(words(offered))}
                        </option>
                    }
                })
                .collect_view()}
        </select>
    }
}

const fn words(theme: Theme) -> Key {
    match theme {
        Theme::Auto => Key::ThemeAuto,
        Theme::Light => Key::ThemeLight,
        Theme::Dark => Key::ThemeDark,
    }
}
