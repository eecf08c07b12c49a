//! What the browser tells about the device and the page.

use chat_client::Input;
use leptos::prelude::{document, window};
use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;
use web_sys::{Event, EventTarget, VisibilityState};

/// Listeners that live as long as this does.
pub struct Subscriptions {
    _held: Vec<Subscription>,
}

struct Subscription {
    target: EventTarget,
    name: &'static str,
    listener: Closure<dyn FnMut(Event)>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // Removing what is not there is not an error.
        let _ = self
            .target
            .remove_event_listener_with_callback(self.name, self.listener.as_ref().unchecked_ref());
    }
}

/// Whether somebody can see the page.
pub fn page_is_visible() -> bool {
    document().visibility_state() == VisibilityState::Visible
}

/// Whether the page can be seen and has the focus: what it shows is being read.
pub fn page_is_read() -> bool {
    page_is_visible() && document().has_focus().unwrap_or(false)
}

/// Tells the client about network, visibility and focus.
pub fn subscribe(tell: impl Fn(Input) + Clone + 'static) -> Subscriptions {
    let window: EventTarget = window().into();
    let document: EventTarget = document().into();
    let on = |target: &EventTarget, name, input: fn() -> Input| {
        let tell = tell.clone();
        listen(target, name, move |_| tell(input()))
    };
    let held = vec![
        on(&window, "online", || Input::Online),
        on(&window, "offline", || Input::Offline),
        on(&window, "focus", || Input::Wake),
        on(&window, "pageshow", || Input::Wake),
        on(&document, "visibilitychange", || {
            if page_is_visible() {
                Input::Visible
            } else {
                Input::Hidden
            }
        }),
    ];
    Subscriptions { _held: held }
}

fn listen(
    target: &EventTarget,
    name: &'static str,
    react: impl Fn(Event) + 'static,
) -> Subscription {
    let listener = Closure::<dyn FnMut(Event)>::new(react);
    // Only an exhausted engine refuses a listener; then the page works without the hint.
    let _ = target.add_event_listener_with_callback(name, listener.as_ref().unchecked_ref());
    Subscription {
        target: target.clone(),
        name,
        listener,
    }
}
