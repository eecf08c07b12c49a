//! The texts of the user interface, Korean and English.

use leptos::prelude::*;

/// A language of the user interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lang {
    /// Korean.
    Ko,
    /// English.
    En,
}

impl Lang {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::Ko, Self::En];

    /// The language of a tag such as `ko` or `en-GB`.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next()?.to_ascii_lowercase();
        Self::ALL.into_iter().find(|lang| lang.tag() == primary)
    }

    /// Its tag (BCP 47).
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Ko => "ko",
            Self::En => "en",
        }
    }
}

/// The language that the page is shown in.
#[derive(Clone, Copy, Debug)]
pub struct LangCtx(pub RwSignal<Lang>);

/// A text of the user interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// The answer to an embed address that names no site.
    NoSuchSite,
    /// The answer while the API cannot be reached.
    ServiceDown,
}

/// The text of a key.
pub const fn text(lang: Lang, key: Key) -> &'static str {
    match (lang, key) {
        (Lang::Ko, Key::NoSuchSite) => "이 주소에는 대화방이 없습니다.",
        (Lang::En, Key::NoSuchSite) => "There is no room at this address.",
        (Lang::Ko, Key::ServiceDown) => {
            "지금은 대화방을 열 수 없습니다. 잠시 뒤에 다시 시도해 주세요."
        }
        (Lang::En, Key::ServiceDown) => {
            "The room cannot be opened right now. Please try again in a moment."
        }
    }
}

/// The language, to react to.
pub fn use_lang() -> Signal<Lang> {
    expect_context::<LangCtx>().0.into()
}

/// A text that follows the language.
pub fn tr(key: Key) -> impl Fn() -> &'static str + Copy + Send + Sync + 'static {
    let lang = use_lang();
    move || text(lang.get(), key)
}

/// Puts values in the place of `{name}`.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    values
        .iter()
        .fold(template.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        })
}
