//! Which characters a text may hold, and how long it may be. Shared by the text types.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeEmoji, UnicodeGeneralCategory};

use super::TextReason;
use crate::limits;

const ZERO_WIDTH_JOINER: char = '\u{200d}';
const EMOJI_STYLE: char = '\u{fe0f}';

/// The text with every run of white space as one space, and none at the ends.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Counts characters (Unicode scalar values), the unit of every limit on text.
pub(super) fn check_length(text: &str, min: usize, max: usize) -> Result<(), TextReason> {
    match text.chars().count() {
        n if n < min => Err(TextReason::TooShort),
        n if n > max => Err(TextReason::TooLong),
        _ => Ok(()),
    }
}

/// A line that people write: no forbidden character but those that hold an emoji together.
pub(super) fn check_line(line: &str) -> Result<(), TextReason> {
    if without_emoji_glue(line).chars().any(is_forbidden) {
        return Err(TextReason::ForbiddenCharacter);
    }
    check_bases(line)?;
    check_stacks(line, limits::NAME_MARKS)
}

/// A name: as a line, and nothing in it joins.
pub(super) fn check_name(name: &str) -> Result<(), TextReason> {
    if name.contains(ZERO_WIDTH_JOINER) {
        return Err(TextReason::ForbiddenCharacter);
    }
    check_line(name)
}

/// At most so many combining marks on a letter: too few for "zalgo". What shows as nothing is no
/// letter between two marks.
pub(super) fn check_stacks(text: &str, most: usize) -> Result<(), TextReason> {
    // No mark is ASCII, and most texts are nothing else.
    if text.is_ascii() {
        return Ok(());
    }
    let mut marks = 0;
    for c in text.nfd() {
        if is_mark(c) {
            marks += 1;
        } else if !is_forbidden(c) || c.is_whitespace() {
            marks = 0;
        }
        if marks > most {
            return Err(TextReason::TooManyMarks);
        }
    }
    Ok(())
}

/// A mark without a letter would land on what is shown before the text.
fn check_bases(text: &str) -> Result<(), TextReason> {
    let mut previous = ' ';
    for c in text.nfd() {
        if is_mark(c) && previous == ' ' {
            return Err(TextReason::ForbiddenCharacter);
        }
        previous = c;
    }
    Ok(())
}

/// Removes the joiners and style selectors of emoji where they do their work; what stays is to be
/// judged by itself.
fn without_emoji_glue(text: &str) -> String {
    let mut plain = String::new();
    let mut after_picture = false;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let joins = c == ZERO_WIDTH_JOINER && rest.peek().is_some_and(|next| is_picture(*next));
        let glue = after_picture && (joins || c == EMOJI_STYLE);
        if !glue {
            plain.push(c);
        }
        after_picture = is_picture(c) || (glue && c == EMOJI_STYLE);
    }
    plain
}

/// Whether this is a part of an emoji that shows; digits are not, though Unicode's table has them
/// for the sake of keycaps.
fn is_picture(c: char) -> bool {
    c.is_emoji_char() && !c.is_ascii()
}

fn is_mark(c: char) -> bool {
    matches!(
        c.general_category(),
        GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark
    )
}

/// Whether the character alone leaves something to see.
pub(super) fn is_visible(c: char) -> bool {
    !c.is_whitespace() && !is_forbidden(c)
}

/// Control, format (bidi controls and zero-width characters are among them), private-use,
/// surrogate and unassigned characters, line separators, and those that show as nothing.
pub(super) fn is_forbidden(c: char) -> bool {
    // The table is searched for each character; of ASCII only the control characters are in it.
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    matches!(
        c.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::PrivateUse
            | GeneralCategory::Surrogate
            | GeneralCategory::Unassigned
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    ) || is_invisible(c)
}

/// Letters, marks and symbols that show as nothing: Hangul fillers, the Braille blank, variation
/// selectors and the like (`Default_Ignorable_Code_Point` beyond the format characters).
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{34f}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{ffa0}'
            | '\u{fffc}'
            | '\u{1d159}'
            | '\u{e0100}'..='\u{e01ef}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_for_ascii_is_what_the_table_says() {
        for c in (0..0x80).map(char::from) {
            let category = c.general_category();
            assert_eq!(
                is_forbidden(c),
                category == GeneralCategory::Control,
                "{c:?}"
            );
            assert!(!is_mark(c) && category != GeneralCategory::Format, "{c:?}");
        }
    }
}
