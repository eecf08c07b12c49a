//! Names: what is offered to a visitor, and what to try when a name is taken.

use chat_types::limits::NICKNAME_MAX_CHARS;
use chat_types::text::Nickname;

/// Adjectives of offered names, at most four characters with the space that follows.
const KOREAN_ADJECTIVES: [&str; 40] = [
    "용감한",
    "다정한",
    "느긋한",
    "씩씩한",
    "포근한",
    "반가운",
    "즐거운",
    "귀여운",
    "똑똑한",
    "졸린",
    "조용한",
    "활발한",
    "상냥한",
    "명랑한",
    "엉뚱한",
    "든든한",
    "날쌘",
    "따뜻한",
    "행복한",
    "신나는",
    "수줍은",
    "빛나는",
    "푸른",
    "붉은",
    "하얀",
    "달콤한",
    "고운",
    "맑은",
    "싱그런",
    "튼튼한",
    "재빠른",
    "너그런",
    "알뜰한",
    "깜찍한",
    "멋진",
    "기쁜",
    "착한",
    "순한",
    "너른",
    "새로운",
];
const KOREAN_ANIMALS: [&str; 40] = [
    "다람쥐",
    "고양이",
    "강아지",
    "너구리",
    "호랑이",
    "토끼",
    "여우",
    "사슴",
    "수달",
    "두루미",
    "참새",
    "까치",
    "제비",
    "부엉이",
    "올빼미",
    "거북이",
    "개구리",
    "고래",
    "돌고래",
    "물개",
    "펭귄",
    "판다",
    "코알라",
    "기린",
    "코끼리",
    "하마",
    "사자",
    "늑대",
    "고슴도치",
    "오리",
    "백조",
    "비둘기",
    "나비",
    "잠자리",
    "해달",
    "문어",
    "해마",
    "당나귀",
    "염소",
    "망아지",
];
const ENGLISH_ADJECTIVES: [&str; 40] = [
    "Brave", "Kind", "Calm", "Sunny", "Happy", "Clever", "Gentle", "Lucky", "Merry", "Quiet",
    "Swift", "Warm", "Bright", "Cosy", "Eager", "Fair", "Jolly", "Keen", "Lively", "Mellow",
    "Neat", "Proud", "Quick", "Rosy", "Shy", "Tidy", "Vivid", "Witty", "Zesty", "Amber", "Azure",
    "Coral", "Golden", "Ivory", "Olive", "Silver", "Violet", "Polite", "Nimble", "Fresh",
];
const ENGLISH_ANIMALS: [&str; 40] = [
    "Otter", "Fox", "Heron", "Panda", "Robin", "Tiger", "Koala", "Seal", "Whale", "Crane", "Finch",
    "Hare", "Lynx", "Moose", "Newt", "Owl", "Puffin", "Quail", "Raven", "Stork", "Swan", "Toad",
    "Turtle", "Wolf", "Yak", "Zebra", "Badger", "Beaver", "Bear", "Camel", "Deer", "Dove", "Eagle",
    "Gecko", "Goose", "Ibis", "Lemur", "Llama", "Magpie", "Rabbit",
];

/// A friendly name to offer, one of 1,440,000 in the first of the reader's languages that we speak.
pub(super) fn offer(accept_language: &str) -> String {
    let number = rand::random_range(100..1_000_u32);
    if prefers_korean(accept_language) {
        let adjective = pick(&KOREAN_ADJECTIVES);
        let animal = pick(&KOREAN_ANIMALS);
        format!("{adjective} {animal} {number}")
    } else {
        let adjective = pick(&ENGLISH_ADJECTIVES);
        let animal = pick(&ENGLISH_ANIMALS);
        format!("{adjective}{animal}{number}")
    }
}

fn pick(words: &[&'static str]) -> &'static str {
    words[rand::random_range(0..words.len())]
}

/// Whether Korean comes before English in an `Accept-Language` header. Its order is taken as the
/// preference: browsers write it so.
fn prefers_korean(accept_language: &str) -> bool {
    let language = |entry: &str| entry.trim().get(..2).map(str::to_ascii_lowercase);
    let first = accept_language
        .split(',')
        .filter_map(language)
        .find(|language| language == "ko" || language == "en");
    first.as_deref() == Some("ko")
}

/// How many digits the names with a suffix have, in the order in which they are tried. Twelve
/// random names, half of them out of 900,000: a clash of all of them does not happen.
const SUFFIX_DIGITS: [u32; 12] = [2, 2, 3, 3, 4, 4, 6, 6, 6, 6, 6, 6];

/// The name and, behind it, the same name with random numbers, each within the length of a name.
pub(super) fn candidates(name: Nickname) -> Vec<Nickname> {
    with_suffixes(name).collect()
}

fn with_suffixes(name: Nickname) -> impl Iterator<Item = Nickname> {
    let base = name.clone();
    let suffixed = SUFFIX_DIGITS.iter().filter_map(move |digits| {
        let suffix = rand::random_range(10_u32.pow(digits - 1)..10_u32.pow(*digits)).to_string();
        let room = NICKNAME_MAX_CHARS - suffix.len() - 1;
        let start: String = base.as_str().chars().take(room).collect();
        Nickname::parse(&format!("{} {suffix}", start.trim_end())).ok()
    });
    std::iter::once(name).chain(suffixed)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use chat_types::text::Skeleton;

    use super::*;

    #[test]
    fn every_word_makes_a_valid_name() {
        for (adjectives, animals, space) in [
            (KOREAN_ADJECTIVES, KOREAN_ANIMALS, " "),
            (ENGLISH_ADJECTIVES, ENGLISH_ANIMALS, ""),
        ] {
            for adjective in adjectives {
                for animal in animals {
                    let name = format!("{adjective}{space}{animal}{space}999");
                    assert_eq!(Nickname::parse(&name).map(String::from), Ok(name));
                }
            }
        }
    }

    #[test]
    fn the_readers_first_language_decides() {
        assert!(prefers_korean("ko-KR,ko;q=0.9,en-US;q=0.8"));
        assert!(prefers_korean("fr, ko"));
        assert!(!prefers_korean("en-GB,ko;q=0.5"));
        assert!(!prefers_korean(""));
        assert!(!prefers_korean("x,é,한"));
    }

    #[test]
    fn regression_08_ten_thousand_guests_with_offered_names_do_not_clash() {
        let mut taken: HashSet<Skeleton> = HashSet::new();
        for guest in 0..10_000 {
            let name = Nickname::parse(&offer(if guest % 2 == 0 { "ko" } else { "en" })).unwrap();
            let free = with_suffixes(name).find(|name| !taken.contains(&name.skeleton()));
            taken.insert(free.expect("one of the candidates is free").skeleton());
        }
        assert_eq!(taken.len(), 10_000);
    }

    #[test]
    fn even_one_name_chosen_a_thousand_times_finds_a_suffix() {
        let mut taken: HashSet<Skeleton> = HashSet::new();
        for _ in 0..1_000 {
            let name = Nickname::parse("fifteen letters").unwrap();
            let free = with_suffixes(name).find(|name| !taken.contains(&name.skeleton()));
            taken.insert(free.expect("one of the candidates is free").skeleton());
        }
    }
}
