//! The device's clock, and instants in words: in the reader's zone and language, by the browser.

use std::time::Duration;

use chat_types::time::Timestamp;
use js_sys::{Array, Date, Intl, Object, Promise, Reflect};
use leptos::prelude::window;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::i18n::Lang;

/// The device's clock.
pub fn now() -> Timestamp {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole milliseconds since 1970"
    )]
    Timestamp(Date::now() as u64)
}

/// What a promise brings, unless that takes longer than so many milliseconds or is nothing.
pub async fn within(limit_ms: i32, promise: &Promise) -> Option<JsValue> {
    let over = Promise::new(&mut |over, _| {
        // A browser without timers waits for the promise.
        let _ = window().set_timeout_with_callback_and_timeout_and_arguments_0(&over, limit_ms);
    });
    let first = Promise::race(&Array::of2(promise, &over));
    let brought = JsFuture::from(first).await.ok()?;
    (!brought.is_undefined()).then_some(brought)
}

/// The calendar day of an instant in the reader's zone, to be compared.
pub fn day(at: Timestamp) -> i32 {
    let date = date(at);
    let part = |value: u32| i32::try_from(value).unwrap_or_default();
    part(date.get_full_year()) * 10_000 + part(date.get_month()) * 100 + part(date.get_date())
}

/// The calendar day before that of an instant, whatever its length.
pub fn day_before(at: Timestamp) -> i32 {
    day(instant(&midnight(at, -1)))
}

/// How long it is from an instant to the next midnight in the reader's zone.
pub fn to_midnight(at: Timestamp) -> Duration {
    Duration::from_millis(instant(&midnight(at, 1)).since_ms(at))
}

/// The beginning of the day of an instant, or of one so many days later.
fn midnight(at: Timestamp, days: i32) -> Date {
    let date = date(at);
    let day = i32::try_from(date.get_date()).unwrap_or_default() + days;
    let month = i32::try_from(date.get_month()).unwrap_or_default();
    // Days beyond a month's ends are days of its neighbours.
    Date::new_with_year_month_day(date.get_full_year(), month, day)
}

fn instant(date: &Date) -> Timestamp {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole milliseconds since 1970"
    )]
    Timestamp(date.get_time() as u64)
}

/// The time of day, such as `9:41 PM`.
pub fn time_of_day(lang: Lang, at: Timestamp) -> String {
    format(lang, at, &[("hour", "numeric"), ("minute", "2-digit")])
}

/// The day, such as `Sunday, November 22`; with the year when it is not this year.
pub fn day_in_words(lang: Lang, at: Timestamp) -> String {
    let mut options = vec![("weekday", "long"), ("month", "long"), ("day", "numeric")];
    if date(at).get_full_year() != date(now()).get_full_year() {
        options.push(("year", "numeric"));
    }
    format(lang, at, &options)
}

/// Day and time, such as `November 22, 2026 at 9:41 PM`.
pub fn in_full(lang: Lang, at: Timestamp) -> String {
    format(lang, at, &[("dateStyle", "long"), ("timeStyle", "short")])
}

/// For lists: the time today, else the day, such as `Nov 22`.
pub fn short(lang: Lang, at: Timestamp) -> String {
    if day(at) == day(now()) {
        return time_of_day(lang, at);
    }
    format(lang, at, &[("month", "short"), ("day", "numeric")])
}

/// The instant as `<time datetime>` takes it.
pub fn machine(at: Timestamp) -> String {
    date(at).to_iso_string().into()
}

fn date(at: Timestamp) -> Date {
    #[expect(clippy::cast_precision_loss, reason = "instants stay below 2^53")]
    Date::new(&JsValue::from_f64(at.0 as f64))
}

fn format(lang: Lang, at: Timestamp, options: &[(&str, &str)]) -> String {
    let settings = Object::new();
    for (name, value) in options {
        // Setting a plain property of a fresh object cannot fail.
        let _ = Reflect::set(
            &settings,
            &JsValue::from_str(name),
            &JsValue::from_str(value),
        );
    }
    let formatter =
        Intl::DateTimeFormat::new(&Array::of1(&JsValue::from_str(lang.tag())), &settings);
    formatter
        .format()
        .call1(&JsValue::UNDEFINED, &date(at))
        .ok()
        .and_then(|text| text.dyn_into::<js_sys::JsString>().ok())
        .map(String::from)
        .unwrap_or_default()
}
