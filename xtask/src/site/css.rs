//! The style sheet: the files that `main.css` imports, one after the other, without comments and
//! needless white space.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

/// Reads `main.css`, puts its imports in their places and makes the result small.
pub(super) fn bundle(main: &Path) -> anyhow::Result<String> {
    Ok(minify(&inline(main)?))
}

fn inline(file: &Path) -> anyhow::Result<String> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let folder = file.parent().expect("a file lies in a folder");
    let mut bundled = String::with_capacity(text.len());
    for line in text.lines() {
        match imported(line) {
            Some(name) => bundled.push_str(&inline(&folder.join(name))?),
            None => bundled.push_str(line),
        }
        bundled.push('\n');
    }
    Ok(bundled)
}

/// The file that a line imports, written `@import url("name.css");`.
fn imported(line: &str) -> Option<&str> {
    line.trim()
        .strip_prefix("@import url(\"")?
        .strip_suffix("\");")
}

/// Drops comments and the white space around `{`, `}`, `;` and `,`; any other run of white space
/// becomes one space. White space around `:`, `+`, `>` and brackets can carry meaning and stays.
fn minify(css: &str) -> String {
    let mut small = String::with_capacity(css.len());
    let mut rest = css;
    while let Some(c) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after);
        } else if c == '"' || c == '\'' {
            let (string, after) = rest.split_at(string_length(rest, c));
            small.push_str(string);
            rest = after;
        } else if c.is_whitespace() {
            rest = rest.trim_start();
            if !small.is_empty() && !small.ends_with([' ', '{', '}', ';', ',']) {
                small.push(' ');
            }
        } else {
            if matches!(c, '{' | '}' | ';' | ',') && small.ends_with(' ') {
                small.pop();
            }
            if c == '}' && small.ends_with(';') {
                small.pop();
            }
            small.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    small.trim_end().to_owned()
}

/// The bytes of the string at the beginning of `text`, quotes included.
fn string_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_needless_space_go() {
        assert_eq!(
            minify("/* a */\n.a ,\n.b {\n  color : red ;\n}\n"),
            ".a,.b{color : red}"
        );
    }

    #[test]
    fn space_that_means_something_stays() {
        assert_eq!(minify(".a  .b{margin:0  1px}"), ".a .b{margin:0 1px}");
        assert_eq!(
            minify("a{width:calc(1px + 2px)}"),
            "a{width:calc(1px + 2px)}"
        );
        assert_eq!(minify("a :hover{b:c}"), "a :hover{b:c}");
    }

    #[test]
    fn strings_are_left_alone() {
        assert_eq!(
            minify(r#"a::after { content: "/* \" ;  */"; }"#),
            r#"a::after{content: "/* \" ;  */"}"#
        );
    }

    #[test]
    fn only_a_whole_import_line_is_an_import() {
        assert_eq!(imported(r#"@import url("ui/a.css");"#), Some("ui/a.css"));
        assert_eq!(imported("@layer a, b;"), None);
    }
}
