//! The address of the page: reading it, changing it without loading, and hearing that it changed.

use leptos::ev;
use leptos::prelude::{window, window_event_listener};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{Element, HtmlAnchorElement, MouseEvent};

/// The path of the page's address.
pub fn path() -> String {
    window().location().pathname().unwrap_or_default()
}

/// A field of the address's query, as it is written there.
pub fn query(field: &str) -> Option<String> {
    let query = window().location().search().ok()?;
    let mut pairs = query.strip_prefix('?')?.split('&');
    pairs.find_map(|pair| Some(pair.strip_prefix(field)?.strip_prefix('=')?.to_owned()))
}

/// What follows the `#` of the address.
pub fn fragment() -> Option<String> {
    let hash = window().location().hash().ok()?;
    hash.strip_prefix('#').map(str::to_owned)
}

/// Gives the page another address and begins at its top. The way back leads to the address before,
/// unless that is the same.
pub fn go(address: &str) {
    let here = window().location();
    let same = [here.pathname(), here.search(), here.hash()].into_iter();
    if same.flatten().collect::<String>() != address
        && let Ok(history) = window().history()
    {
        // It fails for addresses of another origin, which nobody asks for, and for a page that does
        // so a hundred times in a few seconds; the page then works under the old address.
        let _ = history.push_state_with_url(&JsValue::NULL, "", Some(address));
    }
    window().scroll_to_with_x_and_y(0.0, 0.0);
}

/// Calls `tell` when the reader went back or forward.
pub fn on_return(tell: impl Fn() + 'static) {
    window_event_listener(ev::popstate, move |_| tell());
}

/// Calls `follow` with the path and the address of each link of this site that is clicked; where it
/// answers true, the browser does not follow the link.
pub fn on_link(follow: impl Fn(&str, &str) -> bool + 'static) {
    window_event_listener(ev::click, move |event| {
        let Some(link) = clicked(&event) else {
            return;
        };
        let path = link.pathname();
        if follow(&path, &(path.clone() + &link.search() + &link.hash())) {
            event.prevent_default();
        }
    });
}

/// The link that a click opens in the place of this page. The browser keeps links to other sites and
/// to places within this page, downloads, and clicks that open another tab or window.
fn clicked(event: &MouseEvent) -> Option<HtmlAnchorElement> {
    let modified = event.ctrl_key() || event.meta_key() || event.shift_key() || event.alt_key();
    if event.default_prevented() || event.button() != 0 || modified {
        return None;
    }
    let target = event.target()?.dyn_into::<Element>().ok()?;
    let link = target.closest("a[href]").ok()??;
    let link = link.dyn_into::<HtmlAnchorElement>().ok()?;
    let here = window().location();
    let is_here = |part: Result<String, JsValue>, of_link: String| part.ok() == Some(of_link);
    let within = !link.hash().is_empty()
        && is_here(here.pathname(), link.pathname())
        && is_here(here.search(), link.search());
    let browsers = within || !link.target().is_empty() || link.has_attribute("download");
    (!browsers && is_here(here.origin(), link.origin())).then_some(link)
}
