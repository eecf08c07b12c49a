//! What the page was delivered with.

use leptos::prelude::{document, window};

use crate::config::{API_BASE_META, API_BASE_URL};

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

/// What follows the `#` of the address.
pub fn fragment() -> Option<String> {
    let hash = window().location().hash().ok()?;
    hash.strip_prefix('#').map(str::to_owned)
}
