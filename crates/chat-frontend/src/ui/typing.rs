//! Who is typing. The line is always there, so that nothing moves; it is not read aloud.

use leptos::prelude::*;

use crate::i18n::{Key, fill, text, use_lang};
use crate::state::room::RoomModel;
use crate::test_ids;

/// The line above the composer.
#[component]
pub fn Typing() -> impl IntoView {
    let model = expect_context::<RoomModel>();
    let lang = use_lang();
    let words = move || {
        let lang = lang.get();
        model.typing.with(|names| match names.as_slice() {
            [] => None,
            [name] => Some(fill(text(lang, Key::OneTyping), &[("name", name)])),
            [first, second] => Some(fill(
                text(lang, Key::TwoTyping),
                &[("first", first), ("second", second)],
            )),
            names => Some(fill(
                text(lang, Key::ManyTyping),
                &[("count", &names.len().to_string())],
            )),
        })
    };
    view! {
        <div class="typing" data-testid=test_ids::TYPING>
            {move || {
                words().map(|words| view! {
                    <span class="typing__dots" aria-hidden="true"><i></i><i></i><i></i></span>
                    <bdi class="typing__text">{words}</bdi>
                })
            }}
        </div>
    }
}
