//! Where the browser begins: installs the panic hook and takes over the server's shell.

use wasm_bindgen::prelude::wasm_bindgen;

use crate::api::panic;

/// Runs as soon as the module is loaded.
#[wasm_bindgen(start)]
pub(crate) fn start() {
    panic::install_hook();
    #[cfg(feature = "app")]
    leptos::mount::hydrate_body(crate::app::App);
    #[cfg(not(feature = "app"))]
    leptos::mount::hydrate_body(crate::embed::Embed);
}
