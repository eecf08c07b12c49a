//! What a user agent calls itself, in the two words that its owner knows it by.

/// Browsers by the mark in their user agent, the most particular first: most of them also carry the
/// marks of those whose pages they want to be served.
const BROWSERS: [(&str, &str); 10] = [
    ("KAKAOTALK", "KakaoTalk"),
    ("NAVER(", "NAVER"),
    ("Whale/", "Whale"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
];

/// Systems by the mark in the user agent; Android calls itself Linux too, and an iPhone Mac OS X.
const SYSTEMS: [(&str, &str); 7] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

/// The device in words, such as `Chrome · Windows`; what is not known stays as it is, and nothing
/// stays nothing.
pub fn in_words(user_agent: &str) -> Option<String> {
    let text = user_agent.trim();
    if text.is_empty() {
        return None;
    }
    let words = match (browser(text), find(text, &SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} · {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => text.to_owned(),
    };
    Some(words)
}

fn browser(text: &str) -> Option<&'static str> {
    find(text, &BROWSERS).or_else(|| text.contains("Safari/").then_some("Safari"))
}

fn find(text: &str, marks: &[(&str, &'static str)]) -> Option<&'static str> {
    marks
        .iter()
        .find(|(mark, _)| text.contains(mark))
        .map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[track_caller]
    fn assert_words(user_agent: &str, words: &str) {
        assert_eq!(in_words(user_agent).as_deref(), Some(words));
    }

    #[test]
    fn chrome_is_not_taken_for_the_safari_that_it_names() {
        assert_words(
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
            "Chrome · Linux",
        );
    }

    #[test]
    fn edge_is_not_taken_for_the_chrome_that_it_names() {
        assert_words(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0",
            "Edge · Windows",
        );
    }

    #[test]
    fn an_iphone_is_not_taken_for_a_mac() {
        assert_words(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1",
            "Safari · iPhone",
        );
    }

    #[test]
    fn an_android_phone_is_not_taken_for_linux() {
        assert_words(
            "Mozilla/5.0 (Linux; Android 16; SM-S931N) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/29.0 Chrome/140.0.0.0 Mobile Safari/537.36",
            "Samsung Internet · Android",
        );
    }

    #[test]
    fn a_talk_app_is_named_rather_than_its_web_view() {
        assert_words(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 KAKAOTALK 25.8.0",
            "KakaoTalk · iPhone",
        );
    }

    #[test]
    fn what_is_not_a_browser_keeps_its_own_name_and_nothing_has_none() {
        assert_words("curl/8.5.0", "curl/8.5.0");
        assert_eq!(in_words("  "), None);
    }
}
