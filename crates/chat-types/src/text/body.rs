//! What a message says.

use unicode_normalization::UnicodeNormalization;

use super::TextReason;
use super::characters::{check_length, check_stacks, is_visible};
use crate::limits;

text_type!(
    /// What a message says: NFC, 1 to 4,000 characters, line breaks as `\n`, no other control
    /// characters but tabs, at most 10 blank lines in a row and 8 combining marks on a letter. Stored
    /// raw; markup is a matter of display.
    ///
    /// Format characters stay, the bidi controls among them: emoji, Persian and Indic scripts need
    /// the joiners, and Hebrew or Arabic writers the marks. So whoever shows a body isolates it
    /// (`dir="auto"` in an element of its own), and nothing in it can turn its surroundings.
    MessageBody
);

impl MessageBody {
    /// Parses what a user wrote. White space at the end goes, and blank lines at the beginning and
    /// above [`BLANK_LINES`](limits::BLANK_LINES) in a row.
    ///
    /// # Errors
    /// The [`TextReason`] for which the body is refused; nothing else is cut off.
    pub fn parse(text: &str) -> Result<Self, TextReason> {
        let body = text.replace("\r\n", "\n");
        let body = body.replace(['\r', '\u{2028}', '\u{2029}'], "\n");
        if body.chars().any(is_forbidden_control) {
            return Err(TextReason::ForbiddenCharacter);
        }
        let body = if body.is_ascii() {
            body
        } else {
            body.nfc().collect()
        };
        check_stacks(&body, limits::BODY_MARKS)?;
        let body = without_long_gaps(&body);
        let body = body.trim_end().trim_start_matches('\n');
        if !body.chars().any(is_visible) {
            return Err(TextReason::Empty);
        }
        check_length(body, 1, limits::MESSAGE_CHARS)?;
        Ok(Self(body.to_owned()))
    }
}

/// The lines without those that make a gap longer than it may be: nobody pushes what others wrote off
/// the screen.
fn without_long_gaps(body: &str) -> String {
    let mut blank = 0;
    let kept = body.split('\n').filter(|line| {
        blank = if line.chars().any(is_visible) {
            0
        } else {
            blank + 1
        };
        blank <= limits::BLANK_LINES
    });
    kept.collect::<Vec<_>>().join("\n")
}

fn is_forbidden_control(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Result<String, TextReason> {
        MessageBody::parse(text).map(String::from)
    }

    #[test]
    fn a_body_has_1_to_4000_characters_whatever_their_size() {
        assert_eq!(body(""), Err(TextReason::Empty));
        assert_eq!(body("a"), Ok("a".to_owned()));
        for letter in ["a", "가", "😀"] {
            let longest = letter.repeat(4_000);
            assert_eq!(body(&longest), Ok(longest.clone()));
            assert_eq!(body(&(longest + letter)), Err(TextReason::TooLong));
        }
    }

    #[test]
    fn what_is_cut_off_does_not_count_as_length() {
        let longest = "a".repeat(4_000);
        assert_eq!(body(&format!("\n\r\n{longest} \n")), Ok(longest));
    }

    #[test]
    fn line_breaks_of_every_system_become_one_kind() {
        assert_eq!(body("a\r\nb\rc\nd"), Ok("a\nb\nc\nd".to_owned()));
        assert_eq!(body("a\r\n\r\nb"), Ok("a\n\nb".to_owned()));
    }

    #[test]
    fn ten_blank_lines_in_a_row_stay_and_more_go() {
        let gap = |lines: usize| format!("a{}b", "\n".repeat(lines + 1));
        assert_eq!(body(&gap(10)), Ok(gap(10)));
        for more in [11, 12, 3_000] {
            assert_eq!(body(&gap(more)), Ok(gap(10)));
        }
        let invisible = format!("a\n{}b", " \t\u{3164}\u{200b}\n".repeat(11));
        assert_eq!(body(&invisible).unwrap().lines().count(), 12);
        let poem = "a\n\n".repeat(100);
        assert_eq!(body(&poem), Ok(poem.trim_end().to_owned()));
        assert_eq!(body("a\u{2028}b\u{2029}c"), Ok("a\nb\nc".to_owned()));
    }

    #[test]
    fn a_letter_carries_at_most_eight_marks() {
        let stack = |marks: usize| format!("go{}d", "\u{323}\u{489}".repeat(marks / 2));
        assert!(body(&stack(8)).is_ok());
        assert_eq!(body(&stack(10)), Err(TextReason::TooManyMarks));
        assert_eq!(
            body(&format!("a{}", "\u{301}".repeat(8))).map(|_| ()),
            Ok(())
        );
        for between in ["", "\u{200d}", "\u{200b}", "\u{3164}"] {
            let nine = format!("a{}", format!("\u{301}{between}").repeat(9));
            assert_eq!(body(&nine), Err(TextReason::TooManyMarks), "{between:?}");
        }
        for fine in [
            "ཧྐྵྨླྺྼྻྂ",
            "בְּרֵאשִׁ֖ית",
            "ٱلرَّحْمَٰنِ",
            "น้ำที่นี่",
            "क्षत्रिय",
            "🏳\u{fe0f}\u{200d}🌈👁\u{fe0f}\u{200d}🗨\u{fe0f}",
        ] {
            assert!(body(&fine.repeat(20)).is_ok(), "{fine}");
        }
    }

    #[test]
    fn control_characters_are_refused_but_not_tabs_and_line_breaks() {
        for c in (0..=0x1f).chain(0x7f..=0x9f).filter_map(char::from_u32) {
            let text = format!("a{c}b");
            if matches!(c, '\n' | '\r' | '\t') {
                assert!(body(&text).is_ok(), "{c:?}");
            } else {
                assert_eq!(body(&text), Err(TextReason::ForbiddenCharacter), "{c:?}");
            }
        }
        assert_eq!(body("\0"), Err(TextReason::ForbiddenCharacter));
    }

    #[test]
    fn a_body_that_shows_nothing_is_empty() {
        for nothing in [
            "",
            " ",
            "\n\n",
            "\t \u{3000}",
            "\u{200b}\u{200d}",
            "\u{3164}",
            "\u{2800} \u{feff}",
            "\u{202e}",
            "\u{fe0f}",
        ] {
            assert_eq!(body(nothing), Err(TextReason::Empty), "{nothing:?}");
        }
    }

    #[test]
    fn korean_emoji_and_right_to_left_text_stay_as_written() {
        for text in [
            "안녕하세요, 반갑습니다! ㅋㅋㅋ ㅠㅠ",
            "👨\u{200d}👩\u{200d}👧\u{200d}👦 🏳\u{fe0f}\u{200d}🌈 👍🏽 1\u{fe0f}\u{20e3} 🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "שלום \u{200f}abc",
            "می\u{200c}خواهم",
            "a \u{202e}b\u{202c} c",
            "    fn indented() {}\n\tx",
            "<img src=x onerror=alert(1)>",
        ] {
            assert_eq!(body(text), Ok(text.to_owned()));
        }
    }

    #[test]
    fn decomposed_hangul_is_composed() {
        assert_eq!(
            body("\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}"),
            Ok("한글".to_owned())
        );
    }
}
