//! The language and the theme of the page: the server's choice first, the reader's stored choice
//! after that.

use leptos::prelude::*;

use crate::api::document;
use crate::api::storage::{self, Reach};
use crate::i18n::{Lang, LangCtx};

/// Also read by the script in the head, before the first paint.
const LANG: &str = "lang";
/// Also read by the script in the head, before the first paint.
const THEME: &str = "theme";

/// Light, dark, or as the device has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Theme {
    /// As the device has it.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// Every theme.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// The word for it in the storage and in the document.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme of a word; an unknown one is [`Theme::Auto`].
    pub fn from_name(name: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|theme| theme.name() == name)
            .unwrap_or_default()
    }
}

/// The theme that the reader chose.
#[derive(Clone, Copy)]
struct ThemeCtx(RwSignal<Theme>);

/// Puts the page's language into the context, unless the server has.
pub fn provide_lang() {
    if use_context::<LangCtx>().is_none() {
        let lang = document::lang()
            .as_deref()
            .and_then(Lang::from_tag)
            .unwrap_or(Lang::En);
        provide_context(LangCtx(RwSignal::new(lang)));
    }
    provide_context(ThemeCtx(RwSignal::new(Theme::default())));
}

/// The theme, to react to.
pub fn use_theme() -> Signal<Theme> {
    expect_context::<ThemeCtx>().0.into()
}

/// A function that takes what the reader chose before. For an effect: it looks into the storage.
pub fn restorer() -> impl Fn() + Copy + 'static {
    let (LangCtx(lang), ThemeCtx(theme)) = (expect_context(), expect_context());
    move || {
        if let Some(chosen) = storage::get(Reach::Device, LANG).and_then(|tag| Lang::from_tag(&tag))
        {
            show_lang(lang, chosen);
        }
        if let Some(name) = storage::get(Reach::Device, THEME) {
            show_theme(theme, Theme::from_name(&name));
        }
    }
}

/// A function that changes the language and remembers it.
pub fn lang_setter() -> impl Fn(Lang) + Copy + 'static {
    let LangCtx(lang) = expect_context();
    move |chosen| {
        storage::set(Reach::Device, LANG, chosen.tag());
        show_lang(lang, chosen);
    }
}

/// A function that changes the theme and remembers it.
pub fn theme_setter() -> impl Fn(Theme) + Copy + 'static {
    let ThemeCtx(theme) = expect_context();
    move |chosen| {
        storage::set(Reach::Device, THEME, chosen.name());
        show_theme(theme, chosen);
    }
}

fn show_lang(lang: RwSignal<Lang>, chosen: Lang) {
    document::set_attribute("lang", Some(chosen.tag()));
    lang.set(chosen);
}

fn show_theme(theme: RwSignal<Theme>, chosen: Theme) {
    let attribute = (chosen != Theme::Auto).then(|| chosen.name());
    document::set_attribute("data-theme", attribute);
    theme.set(chosen);
}

#[cfg(test)]
mod tests {
    use super::Theme;

    #[test]
    fn a_theme_is_found_by_its_word_and_an_unknown_word_follows_the_device() {
        for theme in Theme::ALL {
            assert_eq!(Theme::from_name(theme.name()), theme);
        }
        assert_eq!(Theme::from_name("sepia"), Theme::Auto);
    }
}
