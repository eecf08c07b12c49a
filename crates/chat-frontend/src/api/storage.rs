//! What survives a reload. In a third-party frame the mere look at the browser's storage may throw;
//! then values live in memory, and those of the device also with the page around the frame, whose
//! storage is its own.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use gloo_timers::future::TimeoutFuture;
use leptos::prelude::window;
use leptos::task::spawn_local;
use web_sys::Storage;

use super::host;

/// How long the page around the frame may take to say what it keeps; a bare frame has nobody to ask.
const HOST_PATIENCE_MS: u32 = 1_000;

/// How far a value reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Every tab of this site, after a restart of the browser too.
    Device,
    /// This tab only, and its reloads.
    Tab,
}

thread_local! {
    static MEMORY: RefCell<HashMap<(Reach, String), String>> = RefCell::default();
}

/// Calls `go_on` once stored values can be read: at once, or where this frame may not store, when the
/// page around it has said what it keeps.
pub fn when_ready(go_on: impl FnOnce() + 'static) {
    if area(Reach::Device).is_some() || !host::is_named() {
        return go_on();
    }
    let go_on = Cell::new(Some(go_on));
    let go_on = Rc::new(move || {
        if let Some(go_on) = go_on.take() {
            go_on();
        }
    });
    let answered = Rc::clone(&go_on);
    host::listen("kept", move |kept| {
        remember(&kept);
        answered();
    });
    host::tell("load", &wasm_bindgen::JsValue::UNDEFINED);
    spawn_local(async move {
        TimeoutFuture::new(HOST_PATIENCE_MS).await;
        go_on();
    });
}

/// Reads a value.
pub fn get(reach: Reach, key: &str) -> Option<String> {
    match area(reach) {
        Some(storage) => storage.get_item(&name(key)).ok().flatten(),
        None => MEMORY.with_borrow(|memory| memory.get(&(reach, key.to_owned())).cloned()),
    }
}

/// Keeps a value. A full storage keeps it in memory.
pub fn set(reach: Reach, key: &str, value: &str) {
    let stored = area(reach).is_some_and(|storage| storage.set_item(&name(key), value).is_ok());
    if !stored {
        MEMORY.with_borrow_mut(|memory| {
            memory.insert((reach, key.to_owned()), value.to_owned());
        });
        keep_with_host(reach);
    }
}

/// Forgets a value.
pub fn remove(reach: Reach, key: &str) {
    MEMORY.with_borrow_mut(|memory| memory.remove(&(reach, key.to_owned())));
    keep_with_host(reach);
    if let Some(storage) = area(reach) {
        // A storage that refuses to forget has nothing either: it is the same refusal as on reading.
        let _ = storage.remove_item(&name(key));
    }
}

/// Gives the page around the frame what the browser does not let this frame keep.
fn keep_with_host(reach: Reach) {
    if reach != Reach::Device || area(reach).is_some() {
        return;
    }
    let text = MEMORY.with_borrow(|memory| {
        let kept: HashMap<&str, &str> = memory
            .iter()
            .filter(|((reach, _), _)| *reach == Reach::Device)
            .map(|((_, key), value)| (key.as_str(), value.as_str()))
            .collect();
        serde_json::to_string(&kept)
    });
    if let Ok(text) = text {
        host::tell("keep", &text.into());
    }
}

/// Takes over what the page around the frame kept; what was set meanwhile is newer and stays.
fn remember(kept: &str) {
    let Ok(kept) = serde_json::from_str::<HashMap<String, String>>(kept) else {
        return;
    };
    MEMORY.with_borrow_mut(|memory| {
        for (key, value) in kept {
            memory.entry((Reach::Device, key)).or_insert(value);
        }
    });
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
