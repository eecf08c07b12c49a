//! A panic ends the module: instead of a page that looks alive and is not, the reader gets a way out.

use std::panic::PanicHookInfo;

use leptos::prelude::document;
use wasm_bindgen::JsCast as _;
use web_sys::HtmlElement;

/// Shows an overlay when the module panics, and writes the reason to the console.
pub fn install_hook() {
    std::panic::set_hook(Box::new(report));
}

fn report(panic: &PanicHookInfo<'_>) {
    leptos::logging::error!("{panic}");
    if show_overlay().is_none() {
        leptos::logging::error!("the overlay could not be shown");
    }
}

/// Built by hand: nothing of the views can be trusted any more.
fn show_overlay() -> Option<()> {
    let korean = super::document::lang().is_some_and(|lang| lang.starts_with("ko"));
    let (sentence, label) = if korean {
        (
            "문제가 생겨 화면이 멈췄습니다. 보낸 메시지는 안전합니다.",
            "다시 열기",
        )
    } else {
        (
            "Something went wrong and this page stopped. Messages that were sent are safe.",
            "Reload",
        )
    };
    let overlay = document().create_element("div").ok()?;
    overlay.set_class_name("crash");
    overlay.set_attribute("role", "alertdialog").ok()?;
    let text = document().create_element("p").ok()?;
    text.set_text_content(Some(sentence));
    let link = document()
        .create_element("a")
        .ok()?
        .dyn_into::<HtmlElement>()
        .ok()?;
    link.set_text_content(Some(label));
    link.set_class_name("button button--primary");
    link.set_attribute("href", "").ok()?;
    // Without a target, a click would be taken by the module, which does nothing any more.
    link.set_attribute("target", "_self").ok()?;
    overlay.append_child(&text).ok()?;
    overlay.append_child(&link).ok()?;
    document().body()?.append_child(&overlay).ok()?;
    link.focus().ok()
}
