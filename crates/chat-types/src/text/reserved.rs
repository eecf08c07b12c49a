//! Names that would pass for staff or for the service itself, in whatever letters.

use std::sync::LazyLock;

use super::Skeleton;

/// Reserved as a word of a name: "Staff Kim", not "Staffan". Those of badges are among them.
const WORDS: [&str; 30] = [
    "admin",
    "admins",
    "mod",
    "mods",
    "owner",
    "staff",
    "support",
    "system",
    "sysop",
    "root",
    "webmaster",
    "official",
    "operator",
    "helpdesk",
    "security",
    "관리인",
    "운영팀",
    "시스템",
    "고객센터",
    "공지사항",
    "공지",
    "공식",
    "방장",
    "부방장",
    "게스트",
    "멤버",
    "사랑방",
    "管理",
    "運営",
    "公式",
];

/// Reserved at the beginning of a name. Not anywhere in it: there is "badminton".
const BEGINNINGS: [&str; 1] = ["admin"];

/// What politeness adds to a word.
const HONORIFIC: &str = "님";

/// Reserved anywhere in a name.
const PARTS: [&str; 14] = [
    "administ",
    "sysadmin",
    "superadmin",
    "moderator",
    "sarangbang",
    "관리자",
    "운영자",
    "운영진",
    "매니저",
    "스태프",
    "스탭",
    "管理者",
    "管理人",
    "モデレーター",
];

struct Reserved {
    honorific: Skeleton,
    words: Vec<Skeleton>,
    beginnings: Vec<Skeleton>,
    parts: Vec<Skeleton>,
}

static RESERVED: LazyLock<Reserved> = LazyLock::new(|| Reserved {
    honorific: Skeleton::of(HONORIFIC),
    words: WORDS.map(Skeleton::of).to_vec(),
    beginnings: BEGINNINGS.map(Skeleton::of).to_vec(),
    parts: PARTS.map(Skeleton::of).to_vec(),
});

/// Whether a name is reserved, looks reserved, or reads so with digits and signs for letters.
pub(super) fn is_reserved(name: &str) -> bool {
    let read: String = name.chars().map(as_letter).collect();
    looks_reserved(name) || (read != name && looks_reserved(&read))
}

fn looks_reserved(name: &str) -> bool {
    let whole = Skeleton::of(name);
    let starts = |stem: &Skeleton| whole.as_str().starts_with(stem.as_str());
    let contains = |part: &Skeleton| whole.as_str().contains(part.as_str());
    is_word(&whole)
        || RESERVED.beginnings.iter().any(starts)
        || RESERVED.parts.iter().any(contains)
        || words(name).any(|word| is_word(&Skeleton::of(word)))
}

fn is_word(word: &Skeleton) -> bool {
    let word = word.as_str();
    let plain = word
        .strip_suffix(RESERVED.honorific.as_str())
        .unwrap_or(word);
    RESERVED
        .words
        .iter()
        .any(|reserved| [word, plain].contains(&reserved.as_str()))
}

fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_alphabetic())
        .filter(|word| !word.is_empty())
}

/// The letter that a digit or sign stands for among people who write "4dm1n".
fn as_letter(c: char) -> char {
    match c {
        '@' | '4' => 'a',
        '8' => 'b',
        '3' | '€' => 'e',
        '6' | '9' => 'g',
        '!' | '1' | '|' | '¡' => 'i',
        '0' => 'o',
        '$' | '5' => 's',
        '7' | '+' => 't',
        _ => c,
    }
}
