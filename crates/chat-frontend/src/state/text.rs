//! A message's text, cut into what is shown as text and what is shown as a link. Nothing is ever
//! shown as HTML.

use linkify::{LinkFinder, LinkKind};

/// More characters than this are never "only emoji".
const JUMBO_CHARS: usize = 24;

/// A piece of a text, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Shown as it is.
    Text(String),
    /// Shown as it is, and leads to `href`.
    Link {
        /// The words.
        text: String,
        /// Where: http, https or mailto.
        href: String,
    },
}

/// Cuts a text into pieces; their words together are the text.
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut finder = LinkFinder::new();
    finder.kinds(&[LinkKind::Url, LinkKind::Email]);
    finder
        .spans(text)
        .map(|span| {
            let words = span.as_str().to_owned();
            match span.kind().and_then(|kind| address(kind, &words)) {
                Some(href) => Piece::Link { text: words, href },
                None => Piece::Text(words),
            }
        })
        .collect()
}

fn address(kind: &LinkKind, words: &str) -> Option<String> {
    let lower = words.get(..8).unwrap_or(words).to_ascii_lowercase();
    match kind {
        LinkKind::Email => Some(format!("mailto:{words}")),
        LinkKind::Url if lower.starts_with("http://") || lower.starts_with("https://") => {
            Some(words.to_owned()).filter(|words| is_plain(words))
        }
        _ => None,
    }
}

/// Whether an address reads as it leads: nothing in it turns the words around, and no name of a user
/// stands where a reader looks for the host.
fn is_plain(address: &str) -> bool {
    let turns = |c| matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let after = address.split_once("//").map_or("", |(_, after)| after);
    let authority = after.split(['/', '?', '#']).next().unwrap_or(after);
    !address.contains(turns) && !authority.contains('@')
}

/// Whether a text is one to three emoji and nothing else; those are shown large.
pub fn is_jumbo(text: &str) -> bool {
    let text = text.trim();
    let emoji =
        |c: &char| matches!(u32::from(*c), 0x1F300..=0x1FAFF | 0x2600..=0x27BF | 0x1F1E6..=0x1F1FF);
    let joins =
        |c: char| matches!(c, '\u{200D}' | '\u{FE0F}') || matches!(u32::from(c), 0x1F3FB..=0x1F3FF);
    let mut count = 0;
    let mut joined = false;
    for c in text.chars() {
        if joins(c) {
            joined = c == '\u{200D}';
            continue;
        }
        if !emoji(&c) {
            return false;
        }
        count += usize::from(!joined);
        joined = false;
    }
    (1..=3).contains(&count) && text.chars().count() <= JUMBO_CHARS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(text: &str) -> Vec<String> {
        let href = |piece| match piece {
            Piece::Link { href, .. } => Some(href),
            Piece::Text(_) => None,
        };
        pieces(text).into_iter().filter_map(href).collect()
    }

    #[test]
    fn web_and_mail_addresses_are_links_without_the_full_stop() {
        assert_eq!(
            links("see https://a.example/b?c=d."),
            ["https://a.example/b?c=d"]
        );
        assert_eq!(
            links("mail mina@a.example, please"),
            ["mailto:mina@a.example"]
        );
        assert_eq!(
            links("한글https://a.example/가나 다음"),
            ["https://a.example/가나"]
        );
    }

    #[test]
    fn no_other_scheme_is_a_link() {
        for text in [
            "javascript:alert(1)",
            "javascript://a.example/%0aalert(1)",
            "data:text/html,x",
            "file:///etc",
        ] {
            assert_eq!(links(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn an_address_that_reads_otherwise_than_it_leads_is_no_link() {
        for text in [
            "https://a.example/\u{202E}gnp.exe",
            "https://a.example/\u{2067}gnp.exe",
            "http://user:pw@b.example",
            "https://a.example@b.example/c",
        ] {
            assert_eq!(links(text), [""; 0], "{text:?}");
        }
        assert_eq!(
            links("https://a.example/@mina"),
            ["https://a.example/@mina"]
        );
    }

    #[test]
    fn the_pieces_are_the_whole_text() {
        let text = "<img src=x onerror=alert(1)> https://a.example\n끝";
        let words: String = pieces(text)
            .into_iter()
            .map(|piece| match piece {
                Piece::Text(text) | Piece::Link { text, .. } => text,
            })
            .collect();
        assert_eq!(words, text);
    }

    #[test]
    fn a_few_emoji_alone_are_large() {
        for text in ["🎉", "🎉🎉", "👩‍👩‍👧‍👦 ".trim(), "❤️", "👍🏽"]
        {
            assert!(is_jumbo(text), "{text}");
        }
        for text in ["", "🎉🎉🎉🎉", "좋아 🎉", "1", "ㅋㅋ"] {
            assert!(!is_jumbo(text), "{text}");
        }
    }
}
