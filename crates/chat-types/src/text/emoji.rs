//! One emoji, for reactions.

use std::iter::Peekable;
use std::str::Chars;

use unicode_properties::{EmojiStatus, UnicodeEmoji};

use super::TextReason;
use crate::limits;

const ZERO_WIDTH_JOINER: char = '\u{200d}';
const TEXT_STYLE: char = '\u{fe0e}';
const EMOJI_STYLE: char = '\u{fe0f}';
const KEYCAP: char = '\u{20e3}';
const TAG_END: char = '\u{e007f}';

text_type!(
    /// One emoji under a message, as Unicode calls "fully qualified", so that one emoji is one
    /// reaction whatever keyboard it came from. At most 40 bytes, the longest in use has 35.
    ///
    /// Sequences follow UTS #51, section 1.4.9; which of them fonts draw as one picture is not
    /// checked, since every year has new ones.
    Emoji
);

impl Emoji {
    /// Parses a reaction.
    ///
    /// # Errors
    /// [`TextReason::NotAnEmoji`] for anything else than exactly one emoji.
    pub fn parse(text: &str) -> Result<Self, TextReason> {
        if text.len() > limits::EMOJI_BYTES {
            return Err(TextReason::NotAnEmoji);
        }
        let mut rest = text.chars().peekable();
        let emoji = read(&mut rest)
            .filter(|emoji| rest.next().is_none() && emoji.len() <= limits::EMOJI_BYTES);
        emoji.map(Self).ok_or(TextReason::NotAnEmoji)
    }
}

type Rest<'a> = Peekable<Chars<'a>>;

fn read(rest: &mut Rest<'_>) -> Option<String> {
    let first = rest.next()?;
    if first.is_ascii() {
        return read_keycap(first, rest);
    }
    if is_regional_indicator(first) {
        let second = rest.next_if(|c| is_regional_indicator(*c))?;
        return Some([first, second].iter().collect());
    }
    let mut emoji = String::new();
    read_element(first, rest, &mut emoji)?;
    while rest.next_if_eq(&ZERO_WIDTH_JOINER).is_some() {
        emoji.push(ZERO_WIDTH_JOINER);
        let next = rest.next()?;
        read_element(next, rest, &mut emoji)?;
    }
    Some(emoji)
}

/// `0` to `9`, `#` and `*` in a box; the character alone is no emoji.
fn read_keycap(first: char, rest: &mut Rest<'_>) -> Option<String> {
    if !(first.is_ascii_digit() || first == '#' || first == '*') {
        return None;
    }
    rest.next_if_eq(&EMOJI_STYLE);
    rest.next_if_eq(&KEYCAP)?;
    Some([first, EMOJI_STYLE, KEYCAP].iter().collect())
}

/// One part of a joined sequence: a picture, with its skin tone or its tags.
fn read_element(base: char, rest: &mut Rest<'_>, emoji: &mut String) -> Option<()> {
    if base.is_ascii() || !base.is_emoji_char() || is_skin_tone(base) || is_regional_indicator(base)
    {
        return None;
    }
    emoji.push(base);
    if rest.peek() == Some(&TEXT_STYLE) {
        return None;
    }
    rest.next_if_eq(&EMOJI_STYLE);
    if let Some(tone) = rest.next_if(|c| is_skin_tone(*c)) {
        emoji.push(tone);
    } else if !shows_as_emoji(base) {
        emoji.push(EMOJI_STYLE);
    }
    read_tags(rest, emoji)
}

/// The letters of a subdivision's flag, such as Scotland's.
fn read_tags(rest: &mut Rest<'_>, emoji: &mut String) -> Option<()> {
    let mut tagged = false;
    while let Some(tag) = rest.next_if(|c| ('\u{e0020}'..='\u{e007e}').contains(c)) {
        tagged = true;
        emoji.push(tag);
    }
    if tagged {
        emoji.push(rest.next_if_eq(&TAG_END)?);
    }
    Some(())
}

fn is_regional_indicator(c: char) -> bool {
    ('\u{1f1e6}'..='\u{1f1ff}').contains(&c)
}

fn is_skin_tone(c: char) -> bool {
    ('\u{1f3fb}'..='\u{1f3ff}').contains(&c)
}

/// Whether the character is drawn as a picture without being asked to.
fn shows_as_emoji(c: char) -> bool {
    matches!(
        c.emoji_status(),
        EmojiStatus::EmojiPresentation | EmojiStatus::EmojiPresentationAndModifierBase
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOTLAND: &str = "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}";
    const KISS: &str = "🧑🏻\u{200d}❤\u{fe0f}\u{200d}💋\u{200d}🧑🏼";

    #[test]
    fn every_form_of_one_emoji_is_accepted_as_it_is() {
        for one in [
            "👍",
            "👍🏽",
            "❤\u{fe0f}",
            "🇰🇷",
            "1\u{fe0f}\u{20e3}",
            "#\u{fe0f}\u{20e3}",
            SCOTLAND,
            KISS,
            "👨\u{200d}👩\u{200d}👧\u{200d}👦",
            "🏳\u{fe0f}\u{200d}🌈",
            "🕵🏽\u{200d}♂\u{fe0f}",
            "👁\u{fe0f}\u{200d}🗨\u{fe0f}",
            "🐻\u{200d}❄\u{fe0f}",
            "©\u{fe0f}",
            "🫶",
            "🎉",
            "☝🏿",
            "✅",
        ] {
            assert_eq!(Emoji::parse(one).map(String::from).as_deref(), Ok(one));
        }
    }

    #[test]
    fn spellings_of_the_same_emoji_become_one() {
        for (spelling, emoji) in [
            ("❤", "❤\u{fe0f}"),
            ("👍\u{fe0f}", "👍"),
            ("1\u{20e3}", "1\u{fe0f}\u{20e3}"),
            ("🏳\u{200d}🌈", "🏳\u{fe0f}\u{200d}🌈"),
            ("☝\u{fe0f}🏿", "☝🏿"),
        ] {
            assert_eq!(
                Emoji::parse(spelling).unwrap().as_str(),
                emoji,
                "{spelling:?}"
            );
        }
    }

    #[test]
    fn anything_but_exactly_one_emoji_is_refused() {
        for none in [
            "",
            " ",
            "a",
            "가",
            "1",
            "12",
            "#",
            "*",
            ":)",
            "👍👍",
            "👍 ",
            " 👍",
            "👍a",
            "🇰",
            "🇰🇷🇰🇷",
            "🇰👍",
            "🏽",
            "\u{200d}",
            "👍\u{200d}",
            "\u{200d}👍",
            "👨\u{200d}a",
            "❤\u{fe0e}",
            "\u{fe0f}",
            "1\u{fe0f}",
            "a\u{20e3}",
            "👍\u{20e3}",
            "🏴\u{e0067}",
            "👍🏽🏽",
            "👍\u{301}",
            "<b>",
            "\0",
            "👨\u{200d}🇰🇷",
        ] {
            assert_eq!(Emoji::parse(none), Err(TextReason::NotAnEmoji), "{none:?}");
        }
    }

    #[test]
    fn an_emoji_has_at_most_40_bytes() {
        let joined = |count: usize| vec!["👍"; count].join("\u{200d}");
        assert_eq!(joined(6).len(), 39);
        assert!(Emoji::parse(&joined(6)).is_ok());
        let forty = format!("{}\u{200d}©\u{fe0f}\u{200d}🐻\u{200d}👍", joined(3));
        assert_eq!(forty.len(), 40);
        assert!(Emoji::parse(&forty).is_ok());
        let forty_one = format!("{}\u{200d}❄\u{fe0f}\u{200d}🐻\u{200d}👍", joined(3));
        assert_eq!(forty_one.len(), 41);
        assert_eq!(Emoji::parse(&forty_one), Err(TextReason::NotAnEmoji));
    }
}
