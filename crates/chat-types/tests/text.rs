//! The text types against spoofed names, naughty strings and arbitrary input.

use chat_types::limits;
use chat_types::text::{
    Emoji, MessageBody, Nickname, Password, RoomName, Skeleton, TextReason, Topic, Username,
};
use proptest::prelude::*;
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// Letters that pass for the first one of their row, in small and in capital form.
const HOMOGLYPHS: [(char, &str); 12] = [
    ('a', "аαɑａ𝐚𝒂𝓪𝕒𝗮𝚊ⓐᵃᴀáàäâåȧą@4АΑＡ𝐀🅐🅰🇦"),
    ('d', "ԁⅾɗｄ𝐝𝒅𝓭𝕕𝗱𝚍ⓓᵈᴅďḍđᎠ𝐃🅓🅳🇩"),
    ('m', "ⅿｍ𝐦𝒎𝓶𝕞𝗺𝚖ⓜᵐᴍмṁṃМΜＭ𝐌🅜🅼🇲"),
    ('i', "іιıｉ𝐢𝒊𝓲𝕚𝗶𝚒ⓘⁱɪíìïîｌlІΙӀ1!|🅘🅸🇮"),
    ('n', "ոｎ𝐧𝒏𝓷𝕟𝗻𝚗ⓝⁿɴñńηΝＮ𝐍🅝🅽🇳"),
    ('o', "оοօｏ𝐨𝒐𝓸𝕠𝗼𝚘ⓞᵒᴏöóòô0ОΟ🅞🅾🇴"),
    ('e', "еｅ𝐞𝒆𝓮𝕖𝗲𝚎ⓔᵉᴇéèëê3ЕΕ🅔🅴🇪"),
    ('r', "ｒ𝐫𝒓𝓻𝕣𝗿𝚛ⓡʳʀŕřг🅡🆁🇷"),
    ('t', "ｔ𝐭𝒕𝓽𝕥𝘁𝚝ⓣᵗᴛťтτ7ТΤ🅣🆃🇹"),
    ('s', "ѕｓ𝐬𝒔𝓼𝕤𝘀𝚜ⓢˢꜱśšş$5Ѕ🅢🆂🇸"),
    ('f', "ｆ𝐟𝒇𝓯𝕗𝗳𝚏ⓕᶠꜰḟ🅕🅵🇫"),
    ('w', "ｗ𝐰𝒘𝓌𝕨𝘄𝚠ⓦʷᴡŵẁωԝ🅦🆆🇼"),
];

const STAFF: [&str; 8] = [
    "admin",
    "moderator",
    "mod",
    "owner",
    "staff",
    "root",
    "operator",
    "admins",
];

/// Spoofs that are no substitution of single letters.
const OTHER_SPOOFS: [&str; 88] = [
    "방장",
    "방 장",
    "방.장",
    "[방장]",
    "방장님",
    "방 장 님",
    "★방장★",
    "방장1",
    "부방장",
    "게스트",
    "게 스 트",
    "게스트77",
    "게스트님",
    "멤버",
    "멤버 김",
    "공지",
    "[공지]",
    "공지님",
    "공식",
    "공식 계정",
    "스태프",
    "우리스태프",
    "스탭",
    "매니저",
    "카페매니저",
    "매 니 저",
    "시스템님",
    "\u{1107}\u{1161}\u{11bc}\u{110c}\u{1161}\u{11bc}",
    "관리자",
    "운영자",
    "사랑방",
    "관 리 자",
    "관.리.자",
    "★관리자★",
    "[관리자]",
    "관리자님",
    "총관리자",
    "부관리자",
    "운영자1",
    "운영자 김",
    "관리자_김",
    "운영진",
    "운영팀",
    "시스템",
    "고객센터",
    "\u{1100}\u{116a}\u{11ab}\u{1105}\u{1175}\u{110c}\u{1161}",
    "관\u{1105}\u{1175}자",
    "管理者",
    "管理人",
    "運営",
    "公式",
    "モデレーター",
    "ﾓﾃﾞﾚｰﾀｰ",
    "Admin",
    "ADMIN",
    "aDmIn",
    "a d m i n",
    "a.d.m.i.n",
    "a-d-m-i-n",
    "_admin_",
    "~*admin*~",
    "(admin)",
    "admin1",
    "admin 2",
    "admin123",
    "1admin",
    "the admin",
    "Admin Kim",
    "adminkim",
    "kim-admin",
    "real admin",
    "🅰dmin",
    "admin✔",
    "✔ Admin",
    "Moderator",
    "Mod",
    "MOD Kim",
    "rnoderator",
    "rnod",
    "moderators",
    "Super Admin",
    "superadmin",
    "sysadmin",
    "Administrator",
    "SarangBang",
    "sarangbang팀",
    "Official Kim",
    "System",
];

fn spoofs() -> Vec<String> {
    let mut spoofs: Vec<String> = OTHER_SPOOFS.map(str::to_owned).to_vec();
    for name in STAFF {
        for (letter, others) in HOMOGLYPHS {
            let Some(at) = name.find(letter) else {
                continue;
            };
            for other in others.chars() {
                let mut spoof = name.to_owned();
                spoof.replace_range(at..=at, &other.to_string());
                spoofs.push(spoof);
            }
        }
    }
    // The same place of every row: names wholly in other letters.
    for name in STAFF {
        for style in 0..8 {
            let other = |c: char| {
                let row = HOMOGLYPHS.iter().find(|(letter, _)| *letter == c);
                row.and_then(|(_, others)| others.chars().nth(style))
                    .unwrap_or(c)
            };
            spoofs.push(name.chars().map(other).collect());
        }
    }
    spoofs
}

#[test]
fn no_spoof_of_a_staff_name_becomes_a_nickname() {
    let spoofs = spoofs();
    assert!(spoofs.len() >= 200, "{} spoofs", spoofs.len());
    let passed: Vec<&String> = spoofs
        .iter()
        .filter(|spoof| Nickname::parse(spoof) != Err(TextReason::Reserved))
        .collect();
    assert!(
        passed.is_empty(),
        "{} of {} pass or are refused for another reason: {passed:?}",
        passed.len(),
        spoofs.len()
    );
}

/// Kinds of input that broke other systems.
fn naughty() -> Vec<String> {
    let mut naughty: Vec<String> = [
        "",
        "undefined",
        "null",
        "NaN",
        "\\",
        "-1/2",
        "0x0",
        "1e309",
        "../../etc/passwd",
        "'; DROP TABLE users; --",
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "{{7*7}}",
        "${jndi:ldap://x}",
        "%s%n%x",
        "\u{feff}",
        "\u{fffe}",
        "\u{ffff}",
        "\u{10ffff}",
        "\0",
        "a\0b",
        "\u{1b}[31m",
        "\r\n\r\n",
        "\u{85}",
        "\u{2028}\u{2029}",
        "\u{202e}test\u{202c}",
        "\u{2066}\u{2069}",
        "Ṱ̺̺̕o͞ ̷i̲̬n̝̗v̟̜o̘̙k̞̀e̤̱",
        "ﷺ",
        "ﷺﷺﷺﷺﷺﷺﷺﷺﷺﷺﷺﷺ",
        "ㅤ",
        "ﾠﾠ",
        "社會科學院語學研究所",
        "𠜎𠜱𠝹𠱓",
        "Ⱥ",
        "İ",
        "ß",
        "ﬃ",
        "ǅ",
        "ΰ",
        "👩🏽‍🚀",
        "👾🙇💁🙅",
        "🏳️‍🌈",
        "0️⃣1️⃣",
        "🇺🇸🇷🇺🇸",
        "مُنَاقَشَةُ",
        "בְּרֵאשִׁית",
        "क्षि",
        "\u{0344}\u{0344}",
        "\u{1100}\u{1100}\u{1100}",
        "\u{1160}\u{11a8}",
        "\u{e0001}\u{e007f}",
        "\u{fe0f}\u{fe0f}",
        "\u{200d}",
        "¨",
        "a\u{0338}\u{0338}",
    ]
    .map(str::to_owned)
    .to_vec();
    naughty.push("a".repeat(100_000));
    naughty.push("\u{301}".repeat(10_000));
    naughty.push("ﷺ".repeat(10_000));
    naughty.push("👩\u{200d}".repeat(10_000));
    naughty.push("\u{1100}\u{1161}\u{11a8}".repeat(10_000));
    naughty
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

/// What every text type promises about every input.
fn check_promises(text: &str) -> Result<(), TestCaseError> {
    if let Ok(name) = Nickname::parse(text) {
        let length = chars(name.as_str());
        prop_assert!((limits::NICKNAME_MIN_CHARS..=limits::NICKNAME_MAX_CHARS).contains(&length));
        prop_assert_eq!(Nickname::parse(name.as_str()), Ok(name.clone()));
        prop_assert!(!name.as_str().contains(char::is_control));
        prop_assert!(is_nfc(name.as_str()));
        prop_assert!(!name.skeleton().as_str().is_empty());
    }
    if let Ok(body) = MessageBody::parse(text) {
        prop_assert!((1..=limits::MESSAGE_CHARS).contains(&chars(body.as_str())));
        prop_assert_eq!(MessageBody::parse(body.as_str()), Ok(body.clone()));
        prop_assert!(!body.as_str().contains(['\0', '\r']));
        prop_assert!(is_nfc(body.as_str()));
    }
    if let Ok(name) = RoomName::parse(text) {
        prop_assert!((1..=limits::ROOM_NAME_CHARS).contains(&chars(name.as_str())));
        prop_assert_eq!(RoomName::parse(name.as_str()), Ok(name.clone()));
        prop_assert!(!name.as_str().contains(char::is_control));
    }
    if let Ok(topic) = Topic::parse(text) {
        prop_assert!(chars(topic.as_str()) <= limits::TOPIC_CHARS);
        prop_assert_eq!(Topic::parse(topic.as_str()), Ok(topic.clone()));
        prop_assert!(!topic.as_str().contains(char::is_control));
    }
    if let Ok(name) = Username::parse(text) {
        let length = chars(name.as_str());
        prop_assert!((limits::USERNAME_MIN_CHARS..=limits::USERNAME_MAX_CHARS).contains(&length));
        prop_assert!(name.as_str().is_ascii());
        prop_assert_eq!(Username::parse(name.as_str()), Ok(name.clone()));
    }
    if let Ok(emoji) = Emoji::parse(text) {
        prop_assert!((1..=limits::EMOJI_BYTES).contains(&emoji.as_str().len()));
        prop_assert_eq!(Emoji::parse(emoji.as_str()), Ok(emoji.clone()));
    }
    if let Ok(password) = Password::parse(text) {
        let length = chars(password.reveal());
        prop_assert!((limits::PASSWORD_MIN_CHARS..=limits::PASSWORD_MAX_CHARS).contains(&length));
        prop_assert!(
            Password::parse(password.reveal())
                .is_ok_and(|again| again.reveal() == password.reveal())
        );
    }
    Ok(())
}

#[test]
fn naughty_strings_are_refused_or_become_texts_that_keep_their_promise() {
    for text in naughty() {
        check_promises(&text).unwrap_or_else(|broken| {
            panic!("{:?}: {broken}", &text.chars().take(20).collect::<String>())
        });
    }
}

/// Characters at which the rules of the text types turn, mixed with any others.
fn tricky_text() -> impl Strategy<Value = String> {
    let tricky = prop::sample::select(vec![
        ' ',
        '\n',
        '\r',
        '\t',
        '\0',
        'a',
        'A',
        'i',
        'l',
        '1',
        '0',
        '@',
        '.',
        '-',
        '_',
        'ㅎ',
        'ㅏ',
        '한',
        '\u{1112}',
        '\u{1161}',
        '\u{11ab}',
        '\u{3164}',
        '\u{301}',
        '\u{323}',
        '\u{344}',
        '\u{308}',
        '\u{200d}',
        '\u{fe0f}',
        '\u{20e3}',
        '\u{202e}',
        '\u{3099}',
        'か',
        '¨',
        'ﬁ',
        'ﷺ',
        'İ',
        '👍',
        '🏽',
        '❤',
        '🇰',
        '🇷',
        '🏴',
        '\u{e0067}',
        '\u{e007f}',
        '\u{a0}',
        '\u{3000}',
        '\u{85}',
        '\u{2028}',
        'ｶ',
        'ﾞ',
        'м',
        'ι',
        'ᴀ',
    ]);
    prop::collection::vec(prop_oneof![3 => tricky, 1 => any::<char>()], 0..24)
        .prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn parsed_text_is_within_its_limits_and_parses_to_itself(text in tricky_text()) {
        check_promises(&text)?;
    }

    #[test]
    fn composed_and_decomposed_spellings_parse_to_the_same_text(text in tricky_text()) {
        let composed: String = text.nfc().collect();
        let decomposed: String = text.nfd().collect();
        prop_assert_eq!(Nickname::parse(&composed), Nickname::parse(&decomposed));
        prop_assert_eq!(MessageBody::parse(&composed), MessageBody::parse(&decomposed));
        prop_assert_eq!(RoomName::parse(&composed), RoomName::parse(&decomposed));
    }

    #[test]
    fn case_and_spaces_do_not_change_what_a_name_looks_like(text in "[a-zA-Z가-힣]{2,8}") {
        let spaced: String = text.chars().flat_map(|c| [c, ' ']).collect();
        prop_assert_eq!(Skeleton::of(&text), Skeleton::of(&spaced));
        prop_assert_eq!(Skeleton::of(&text.to_lowercase()), Skeleton::of(&text.to_lowercase().to_uppercase()));
    }
}
