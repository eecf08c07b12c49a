//! The name of the page in the browser's tab and history.

use leptos::prelude::*;

use crate::api::document;
use crate::i18n::{Key, text, use_lang};

/// Names the page; an empty name leaves that of the service alone.
pub fn name_page(name: Signal<String>) {
    let lang = use_lang();
    Effect::new(move |_| {
        let service = text(lang.get(), Key::Product);
        let name = name.get();
        if name.is_empty() {
            document::set_title(service);
        } else {
            document::set_title(&format!("{name} · {service}"));
        }
    });
}

/// Names the page by a text of the user interface.
pub fn name_page_by(key: Key) {
    let lang = use_lang();
    name_page(Signal::derive(move || text(lang.get(), key).to_owned()));
}
