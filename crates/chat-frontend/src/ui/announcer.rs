//! Reads new messages aloud: a hidden polite region of its own, since the timeline also holds
//! history and edits. At most one update in two seconds; more messages at once are counted.

use std::time::Duration;

use leptos::prelude::*;

use crate::i18n::{Key, Lang, counted, use_lang};
use crate::state::room::{Arrival, RoomModel};

const PAUSE: Duration = Duration::from_secs(2);
/// More than this many at once are counted instead of read.
const READ: usize = 3;
/// A long message is read up to here.
const CHARS: usize = 200;

/// The region.
#[component]
pub fn Announcer() -> impl IntoView {
    let model = expect_context::<RoomModel>();
    let lang = use_lang();
    let spoken = RwSignal::new(String::new());
    let resting = StoredValue::new(false);
    let speak = move || {
        if resting.try_get_value() != Some(false) || model.arrivals.with_untracked(Vec::is_empty) {
            return false;
        }
        let arrivals = model
            .arrivals
            .try_update(std::mem::take)
            .unwrap_or_default();
        let words = words(lang.get_untracked(), &arrivals);
        spoken.update(|spoken| *spoken = told_anew(spoken, words));
        resting.set_value(true);
        true
    };
    Effect::new(move |_| {
        model.arrivals.track();
        say_and_rest(speak, resting);
    });
    view! { <div class="visually-hidden" aria-live="polite" aria-atomic="true">{spoken}</div> }
}

fn say_and_rest(speak: impl Fn() -> bool + Copy + 'static, resting: StoredValue<bool>) {
    if speak() {
        set_timeout(
            move || {
                if resting.try_get_value().is_some() {
                    resting.set_value(false);
                    say_and_rest(speak, resting);
                }
            },
            PAUSE,
        );
    }
}

fn words(lang: Lang, arrivals: &[Arrival]) -> String {
    if arrivals.len() > READ {
        let count = u64::try_from(arrivals.len()).unwrap_or(u64::MAX);
        return counted(lang, Key::OneNew, Key::ManyNew, count);
    }
    let line = |arrival: &Arrival| {
        format!(
            "{}: {}",
            arrival.author,
            arrival.text.chars().take(CHARS).collect::<String>()
        )
    };
    arrivals.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Readers tell a change of the region: words that are in it already get a space that nobody hears.
fn told_anew(before: &str, mut words: String) -> String {
    if before == words {
        words.push('\u{a0}');
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(count: usize) -> Vec<Arrival> {
        vec![
            Arrival {
                author: "mina".to_owned(),
                text: "hi".to_owned()
            };
            count
        ]
    }

    #[test]
    fn a_few_messages_are_read_and_many_are_counted() {
        assert_eq!(words(Lang::En, &arrivals(2)), "mina: hi\nmina: hi");
        assert_eq!(words(Lang::En, &arrivals(12)), "12 new messages");
    }

    #[test]
    fn the_same_words_again_change_the_region_each_time() {
        let first = told_anew("", "mina: 네".to_owned());
        let second = told_anew(&first, "mina: 네".to_owned());
        let third = told_anew(&second, "mina: 네".to_owned());
        assert_ne!(first, second);
        assert_ne!(second, third);
        assert_eq!(second.trim_end(), first);
    }
}
