//! The page around the embed, spoken to through `embed.js`: each message has a name in `sarangbang`,
//! a `value`, and where it is about something that is kept, its `key`. Only the frame's own parent is heard, and only the origin that the loader named is
//! told; a page that may not frame the embed never gets this far.

use js_sys::{Object, Reflect};
use leptos::prelude::window;
use percent_encoding::percent_decode_str;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::MessageEvent;

const NAME: &str = "sarangbang";
const VALUE: &str = "value";
const KEY: &str = "key";

/// Whether the embed was put into its page by the loader, so that there is somebody to talk to.
pub fn is_named() -> bool {
    named_origin().is_some()
}

/// Tells the host something. A bare frame, without the loader, has nobody to tell.
pub fn tell(name: &str, value: &JsValue) {
    tell_about(name, &JsValue::UNDEFINED, value);
}

/// Tells the host something about what it keeps under `key`.
pub fn tell_about(name: &str, key: &JsValue, value: &JsValue) {
    let (Some(origin), Ok(Some(parent))) = (named_origin(), window().parent()) else {
        return;
    };
    let message = Object::new();
    for (part, value) in [(NAME, &name.into()), (KEY, key), (VALUE, value)] {
        // Setting a plain property of a fresh object cannot fail.
        let _ = Reflect::set(&message, &part.into(), value);
    }
    // An origin that is none was made up by the page that framed this; it is told nothing.
    let _ = parent.post_message(&message, &origin);
}

/// Calls `react` with key and value of each message of this name from the host, for as long as the
/// page lives.
pub fn listen(name: &'static str, react: impl Fn(Option<String>, Option<String>) + 'static) {
    let hear = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        if !is_from_parent(&event) {
            return;
        }
        let part = |key: &str| Reflect::get(&event.data(), &key.into()).ok()?.as_string();
        if part(NAME).as_deref() == Some(name) {
            react(part(KEY), part(VALUE));
        }
    });
    // Only an exhausted engine refuses a listener; then the embed keeps its look.
    let _ = window().add_event_listener_with_callback("message", hear.as_ref().unchecked_ref());
    hear.forget();
}

fn is_from_parent(event: &MessageEvent) -> bool {
    let (Some(source), Ok(Some(parent))) = (event.source(), window().parent()) else {
        return false;
    };
    Object::is(&source, &parent) && !Object::is(&parent, &window())
}

/// The origin that the loader names in the frame's address.
fn named_origin() -> Option<String> {
    parameter(&window().location().search().ok()?, "host")
}

fn parameter(search: &str, name: &str) -> Option<String> {
    let pairs = search.strip_prefix('?')?.split('&');
    let value = pairs
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)?
        .1;
    Some(percent_decode_str(value).decode_utf8().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::parameter;

    #[test]
    fn the_host_is_read_from_the_frames_address() {
        let search = "?theme=dark&host=https%3A%2F%2Fblog.example%3A8443";
        assert_eq!(
            parameter(search, "host").as_deref(),
            Some("https://blog.example:8443")
        );
        assert_eq!(parameter("?theme=dark", "host"), None);
        assert_eq!(parameter("", "host"), None);
    }
}
