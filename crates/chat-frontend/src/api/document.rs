//! What the page was delivered with.

use js_sys::{Promise, Reflect};
use leptos::prelude::{document, window};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::HtmlDocument;

use super::time;
use crate::config::{API_BASE_META, API_BASE_URL};

/// How many milliseconds the head start may take; then the room is asked for anew. A request that hangs
/// must not hold the page up.
const HEAD_START_MS: i32 = 3_000;

/// The language of the document.
pub fn lang() -> Option<String> {
    document().document_element()?.get_attribute("lang")
}

/// Where the API is: what the server says in the page, else what was compiled in.
pub fn api_base() -> String {
    document()
        .query_selector(&format!("meta[name={API_BASE_META}]"))
        .ok()
        .flatten()
        .and_then(|meta| meta.get_attribute("content"))
        .filter(|base| !base.is_empty())
        .unwrap_or_else(|| API_BASE_URL.to_owned())
}

/// Sets or removes an attribute of the document's element.
pub fn set_attribute(name: &str, value: Option<&str>) {
    let Some(root) = document().document_element() else {
        return;
    };
    // Both fail only for names that no attribute can have.
    let _ = match value {
        Some(value) => root.set_attribute(name, value),
        None => root.remove_attribute(name),
    };
}

/// Names the page in the browser's tab.
pub fn set_title(title: &str) {
    document().set_title(title);
}

/// The body of the answer to the request that the page began before the module was there, if it is
/// for an address with `part` in it and succeeded within its time limit. Given out once.
pub async fn head_start(part: &str) -> Option<String> {
    const NAME: &str = "headStart";
    let address = document()
        .query_selector("script[data-u]")
        .ok()??
        .get_attribute("data-u")?;
    if !address.contains(part) {
        return None;
    }
    let key = JsValue::from_str(NAME);
    let promise = Reflect::get(&window(), &key)
        .ok()?
        .dyn_into::<Promise>()
        .ok()?;
    Reflect::delete_property(&window(), &key).ok()?;
    time::within(HEAD_START_MS, &promise).await?.as_string()
}

/// The origin of the page's address.
pub fn origin() -> String {
    window().location().origin().unwrap_or_default()
}

/// Copies what is selected. It works on plain http, where the clipboard of browsers does not exist.
pub fn copy_selection() -> bool {
    let page = document().dyn_into::<HtmlDocument>();
    page.is_ok_and(|page| page.exec_command("copy").unwrap_or(false))
}

/// Loads the page anew.
pub fn reload() {
    // Only a page that is going away refuses.
    let _ = window().location().reload();
}
