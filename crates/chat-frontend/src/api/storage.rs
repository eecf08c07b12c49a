//! What survives a reload. In a third-party frame the mere look at the browser's storage may throw;
//! then values live in memory, for as long as the page does.

use std::cell::RefCell;
use std::collections::HashMap;

use leptos::prelude::window;
use web_sys::Storage;

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
    }
}

/// Forgets a value.
pub fn remove(reach: Reach, key: &str) {
    MEMORY.with_borrow_mut(|memory| memory.remove(&(reach, key.to_owned())));
    if let Some(storage) = area(reach) {
        // A storage that refuses to forget has nothing either: it is the same refusal as on reading.
        let _ = storage.remove_item(&name(key));
    }
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
