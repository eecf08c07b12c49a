//! What survives a reload. In a third-party frame the mere look at the browser's storage may throw,
//! and a full one refuses what is new; then values live in memory.
//!
//! The page around such a frame can keep values for it, in its own storage, where its scripts can read
//! them. So it is lent only what belongs to a guest ([`lend`]): a guest's name is good for the rooms of
//! that site and nothing else. An account's session never leaves the frame.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use js_sys::{Function, Promise};
use leptos::ev;
use leptos::prelude::{window, window_event_listener};
use leptos::task::spawn_local;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::Storage;

use super::{host, time};

/// How many milliseconds the page around the frame may take to say what it keeps. A page that is still
/// loading can be busy for seconds; a frame that was not put there by the loader asks nobody.
const HOST_PATIENCE_MS: i32 = 10_000;
/// The login. Other tabs renew it, so what the page around the frame keeps is newer than what is here.
pub const SESSION: &str = "session";

/// How far a value reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Every tab of this site, after a restart of the browser too.
    Device,
    /// This tab only, and its reloads.
    Tab,
}

impl Reach {
    /// What the page around the frame tells them apart by.
    const fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Tab => "tab",
        }
    }
}

thread_local! {
    /// What the browser does not store.
    static MEMORY: RefCell<HashMap<(Reach, String), String>> = RefCell::default();
    /// Whether the page around the frame may keep it.
    static LENDS: Cell<bool> = const { Cell::new(false) };
    /// Who waits for the page around the frame to say what it keeps.
    static WAITING: RefCell<Vec<Function>> = RefCell::default();
}

/// Calls `go_on` once stored values can be read: at once, or where this frame may not store, when the
/// page around it has said what it keeps. Where that takes too long, `go_on` is called without, and
/// `late` when it has come after all.
pub fn when_ready(go_on: impl FnOnce() + 'static, late: impl FnOnce() + 'static) {
    if !is_away() {
        return go_on();
    }
    host::listen("kept", |key, value| {
        if let Some((reach, key)) = key.as_deref().and_then(read_name) {
            remember(reach, key, value);
        }
    });
    host::listen("loaded", |_, _| {
        for go_on in WAITING.take() {
            // A promise's own function does not throw.
            let _ = go_on.call1(&JsValue::UNDEFINED, &JsValue::TRUE);
        }
    });
    spawn_local(async move {
        let in_time = load().await;
        go_on();
        if !in_time {
            // It is never rejected.
            let _ = JsFuture::from(next_answer()).await;
            late();
        }
    });
}

/// Takes over what the page around the frame keeps now, and says whether it told in time; where this
/// frame stores by itself, there is nothing to wait for.
pub async fn load() -> bool {
    if !is_away() {
        return true;
    }
    let answer = next_answer();
    host::tell("load", &JsValue::UNDEFINED);
    time::within(HOST_PATIENCE_MS, &answer).await.is_some()
}

/// Ends when the page around the frame has said what it keeps.
fn next_answer() -> Promise {
    Promise::new(&mut |answered, _| {
        WAITING.with_borrow_mut(|waiting| waiting.push(answered));
    })
}

/// Lets the page around the frame keep what this frame may not store, or takes all of that back.
pub fn lend(may: bool) {
    if !LENDS.replace(may) || may || !is_away() {
        return;
    }
    MEMORY.with_borrow(|memory| {
        for (reach, key) in memory.keys() {
            host::tell_about("drop", &full_name(*reach, key), &JsValue::UNDEFINED);
        }
    });
}

/// Reads a value. What is in memory is newer than what is stored.
pub fn get(reach: Reach, key: &str) -> Option<String> {
    MEMORY
        .with_borrow(|memory| memory.get(&(reach, key.to_owned())).cloned())
        .or_else(|| area(reach)?.get_item(&name(key)).ok().flatten())
}

/// Keeps a value. A full storage keeps it in memory, and nothing that is older.
pub fn set(reach: Reach, key: &str, value: &str) {
    let stored = area(reach).is_some_and(|storage| {
        let store = || storage.set_item(&name(key), value).is_ok();
        // Without the value before it there may be room; and a stale one is worse than none.
        store() || (storage.remove_item(&name(key)).is_ok() && store())
    });
    MEMORY.with_borrow_mut(|memory| {
        let place = (reach, key.to_owned());
        if stored {
            memory.remove(&place);
        } else {
            memory.insert(place, value.to_owned());
        }
    });
    if LENDS.get() && is_away() {
        host::tell_about("keep", &full_name(reach, key), &value.into());
    }
}

/// Calls `tell` when another tab has stored a value under this key, or has removed it; and says whether
/// there is one now.
pub fn on_news(key: &'static str, tell: impl Fn(bool) + 'static) {
    window_event_listener(ev::storage, move |event| {
        // Without a key, everything was removed.
        if event.key().is_none_or(|changed| changed == name(key)) {
            tell(event.new_value().is_some());
        }
    });
}

/// Forgets a value.
pub fn remove(reach: Reach, key: &str) {
    MEMORY.with_borrow_mut(|memory| memory.remove(&(reach, key.to_owned())));
    if let Some(storage) = area(reach) {
        // A storage that refuses to forget has nothing either: it is the same refusal as on reading.
        let _ = storage.remove_item(&name(key));
    } else if is_away() {
        host::tell_about("drop", &full_name(reach, key), &JsValue::UNDEFINED);
    }
}

/// Takes over a value that the page around the frame keeps. Of what this tab writes itself, such as
/// drafts, its own is the newest.
fn remember(reach: Reach, key: &str, value: Option<String>) {
    MEMORY.with_borrow_mut(|memory| {
        let place = (reach, key.to_owned());
        match value {
            Some(value) if key == SESSION => drop(memory.insert(place, value)),
            Some(value) => drop(memory.entry(place).or_insert(value)),
            None if key == SESSION => drop(memory.remove(&place)),
            None => {}
        }
    });
}

/// Whether this frame may not store and the page around it was put there by the loader.
fn is_away() -> bool {
    area(Reach::Device).is_none() && host::is_named()
}

/// The name of a value for the page around the frame.
fn full_name(reach: Reach, key: &str) -> JsValue {
    format!("{}.{key}", reach.name()).into()
}

fn read_name(name: &str) -> Option<(Reach, &str)> {
    let (reach, key) = name.split_once('.')?;
    [Reach::Device, Reach::Tab]
        .into_iter()
        .find(|known| known.name() == reach)
        .map(|reach| (reach, key))
}

fn area(reach: Reach) -> Option<Storage> {
    let storage = match reach {
        Reach::Device => window().local_storage(),
        Reach::Tab => window().session_storage(),
    };
    storage.ok().flatten()
}

fn name(key: &str) -> String {
    format!("sarangbang.{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(reach: Reach, key: &str) -> Option<String> {
        MEMORY.with_borrow(|memory| memory.get(&(reach, key.to_owned())).cloned())
    }

    #[test]
    fn the_login_follows_other_tabs_and_what_is_typed_here_stays() {
        remember(Reach::Device, SESSION, Some("first".to_owned()));
        remember(Reach::Device, SESSION, Some("renewed".to_owned()));
        assert_eq!(held(Reach::Device, SESSION).as_deref(), Some("renewed"));
        remember(Reach::Device, "draft.1", Some("here".to_owned()));
        remember(Reach::Device, "draft.1", Some("elsewhere".to_owned()));
        assert_eq!(held(Reach::Device, "draft.1").as_deref(), Some("here"));
        remember(Reach::Device, SESSION, None);
        assert_eq!(held(Reach::Device, SESSION), None);
    }

    #[test]
    fn a_name_says_how_far_its_value_reaches() {
        assert_eq!(
            read_name("device.draft.1"),
            Some((Reach::Device, "draft.1"))
        );
        assert_eq!(read_name("tab.outbox"), Some((Reach::Tab, "outbox")));
        assert_eq!(read_name("session"), None);
        assert_eq!(read_name("other.session"), None);
    }
}
