//! The user interface in Korean and English. `texts` holds every text in both languages side by
//! side, so a text without a translation does not compile; `errors` says what went wrong in the
//! reader's words.

mod errors;
mod texts;

use leptos::prelude::*;

pub use errors::{refusal, trouble};
pub use texts::{Key, text};

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

    /// Its name in itself, for the choice of languages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ko => "한국어",
            Self::En => "English",
        }
    }
}

/// The language that the page is shown in.
#[derive(Clone, Copy, Debug)]
pub struct LangCtx(pub RwSignal<Lang>);

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

/// A text about `{count}` things: the first key for one of them, the second for any other number.
/// Korean does not tell them apart and gives both the same text.
pub fn counted(lang: Lang, one: Key, many: Key, count: u64) -> String {
    let key = if count == 1 { one } else { many };
    fill(text(lang, key), &[("count", &count.to_string())])
}

#[cfg(test)]
mod tests {
    use super::{Key, Lang, counted, fill, text};

    fn placeholders(text: &str) -> Vec<&str> {
        let mut found: Vec<_> = text
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
            .collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn no_text_is_empty() {
        for key in Key::ALL {
            for lang in Lang::ALL {
                assert!(!text(lang, *key).trim().is_empty(), "{key:?} in {lang:?}");
            }
        }
    }

    #[test]
    fn both_languages_have_the_same_placeholders() {
        for key in Key::ALL {
            let korean = placeholders(text(Lang::Ko, *key));
            let english = placeholders(text(Lang::En, *key));
            assert_eq!(korean, english, "{key:?}");
        }
    }

    #[test]
    fn korean_texts_are_korean_and_english_texts_are_not() {
        let has_hangul = |text: &str| text.chars().any(|c| ('가'..='힣').contains(&c));
        for key in Key::ALL {
            assert!(has_hangul(text(Lang::Ko, *key)), "{key:?}");
            assert!(!has_hangul(text(Lang::En, *key)), "{key:?}");
        }
    }

    #[test]
    fn a_tag_with_a_region_finds_its_language() {
        assert_eq!(Lang::from_tag("ko-KR"), Some(Lang::Ko));
        assert_eq!(Lang::from_tag("EN"), Some(Lang::En));
        assert_eq!(Lang::from_tag("fr"), None);
    }

    #[test]
    fn values_take_the_place_of_their_names() {
        assert_eq!(fill("{a} and {b}", &[("a", "1"), ("b", "2")]), "1 and 2");
    }

    #[test]
    fn one_and_many_differ_in_english_only() {
        let members = |lang, n| counted(lang, Key::OneMember, Key::Members, n);
        assert_eq!(members(Lang::En, 1), "1 member");
        assert_eq!(members(Lang::En, 0), "0 members");
        assert_eq!(members(Lang::Ko, 1), "멤버 1명");
        assert_eq!(members(Lang::Ko, 12), "멤버 12명");
    }
}
