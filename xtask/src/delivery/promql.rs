//! What a query of Prometheus asks for. promtool knows whether it is one; this knows which series it
//! names, which promtool cannot be asked.

use std::iter::Peekable;

/// A series that is asked for, and the labels by which it is chosen.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) name: String,
    pub(crate) labels: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text,
    Sign(char),
}

/// Words that labels in brackets follow.
const GROUPING: [&str; 6] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];
/// Words between queries.
const BETWEEN: [&str; 5] = ["and", "or", "unless", "offset", "bool"];

/// The series of a query, in their order.
pub(crate) fn selectors(query: &str) -> Vec<Selector> {
    let mut tokens = tokens(query).into_iter().peekable();
    let mut found = Vec::new();
    while let Some(token) = tokens.next() {
        match token {
            Token::Sign('[') => skip_to(&mut tokens, ']'),
            Token::Word(word) if GROUPING.contains(&word.as_str()) => skip_to(&mut tokens, ')'),
            Token::Word(word) if !is_series(&word) => {}
            Token::Word(_) if tokens.peek().is_some_and(follows_function) => {}
            Token::Word(name) => {
                let labels = match tokens.next_if_eq(&Token::Sign('{')) {
                    Some(_) => labels(&mut tokens),
                    None => Vec::new(),
                };
                found.push(Selector { name, labels });
            }
            Token::Text | Token::Sign(_) => {}
        }
    }
    found
}

/// Whether this stands behind the name of a function: its arguments, or what it groups by.
fn follows_function(token: &Token) -> bool {
    match token {
        Token::Sign(sign) => *sign == '(',
        Token::Word(word) => matches!(word.as_str(), "by" | "without"),
        Token::Text => false,
    }
}

/// Whether a word can name a series: no number, no duration, no word between queries.
fn is_series(word: &str) -> bool {
    !word.starts_with(|c: char| c.is_ascii_digit() || c == '.') && !BETWEEN.contains(&word)
}

/// The names of the labels up to the end of the braces.
fn labels(tokens: &mut Peekable<impl Iterator<Item = Token>>) -> Vec<String> {
    let within = tokens
        .by_ref()
        .take_while(|token| *token != Token::Sign('}'));
    within
        .filter_map(|token| match token {
            Token::Word(word) => Some(word),
            Token::Text | Token::Sign(_) => None,
        })
        .collect()
}

fn skip_to(tokens: &mut impl Iterator<Item = Token>, end: char) {
    tokens.find(|token| *token == Token::Sign(end));
}

fn tokens(query: &str) -> Vec<Token> {
    let mut chars = query.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(first) = chars.next() {
        if first == '"' {
            // What is quoted holds no quote, in any query here.
            chars.find(|c| *c == '"');
            tokens.push(Token::Text);
        } else if is_of_word(first) {
            let mut word = String::from(first);
            while let Some(next) = chars.next_if(|c| is_of_word(*c)) {
                word.push(next);
            }
            tokens.push(Token::Word(word));
        } else if !first.is_whitespace() {
            tokens.push(Token::Sign(first));
        }
    }
    tokens
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_told_from_functions_labels_and_times() {
        let query = r#"histogram_quantile(0.99, sum by (le, pod) (rate(a_bucket{job=~"(.+/)?a",code!="b"}[5m])))
            > 14.4 * 0.001 and on (pod) b:rate5m offset 5m / time()"#;
        let name = |name: &str, labels: &[&str]| Selector {
            name: name.to_owned(),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        };
        assert_eq!(
            selectors(query),
            [name("a_bucket", &["job", "code"]), name("b:rate5m", &[])]
        );
    }
}
