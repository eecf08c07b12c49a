//! Which language and theme a request asks for.

use axum::http::{HeaderMap, header};
use serde::Deserialize;

use crate::i18n::Lang;

/// What a link or an embedding page may set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Look {
    /// A language tag.
    #[serde(default)]
    pub lang: Option<String>,
    /// `light`, `dark` or `auto`.
    #[serde(default)]
    pub theme: Option<String>,
}

impl Look {
    /// The language of the page: the address, then the browser's preference, then English.
    pub fn lang(&self, headers: &HeaderMap) -> Lang {
        let preferred = || {
            let accepted = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
            accepted
                .split(',')
                .find_map(|offer| Lang::from_tag(offer.split(';').next()?.trim()))
        };
        self.lang
            .as_deref()
            .and_then(Lang::from_tag)
            .or_else(preferred)
            .unwrap_or(Lang::En)
    }

    /// The theme that the address asks for; `None` follows the reader's system.
    pub fn theme(&self) -> Option<&'static str> {
        match self.theme.as_deref() {
            Some("light") => Some("light"),
            Some("dark") => Some("dark"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(lang: Option<&str>, accepted: &str) -> Lang {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_LANGUAGE, accepted.parse().unwrap());
        Look {
            lang: lang.map(str::to_owned),
            theme: None,
        }
        .lang(&headers)
    }

    #[test]
    fn the_address_wins_over_the_browser_and_english_is_the_last_resort() {
        assert_eq!(asked(Some("ko"), "en-US,en;q=0.9"), Lang::Ko);
        assert_eq!(asked(None, "fr,ko-KR;q=0.8,en;q=0.5"), Lang::Ko);
        assert_eq!(asked(Some("xx"), "fr"), Lang::En);
    }

    #[test]
    fn only_known_themes_reach_the_page() {
        let theme = |text: &str| {
            Look {
                lang: None,
                theme: Some(text.to_owned()),
            }
            .theme()
        };
        assert_eq!(theme("dark"), Some("dark"));
        assert_eq!(theme("auto"), None);
        assert_eq!(theme("\"><script>"), None);
    }
}
