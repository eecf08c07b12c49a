//! Moving through the timeline by keyboard. It is one tab stop: Up, Down, Home and End go from row to
//! row, Left and Right through what a row offers, Enter to its actions, Escape back out.

use leptos::prelude::document;
use wasm_bindgen::JsCast as _;
use web_sys::{Element, HtmlElement, KeyboardEvent};

const ROW: &str = ".message";
const MENU: &str = ".menu, .emoji-grid";
const IN_MENU: &str = "button";
/// What a row offers, without what is in an open menu.
const IN_ROW: &str = "a, button:not(.menu *, .emoji-grid *)";
/// Emoji beside each other in the grid.
const EMOJI_COLUMNS: i32 = 6;

/// What a key does.
enum Step {
    /// The focus goes there.
    To(HtmlElement),
    /// The focus leaves the timeline for the composer.
    Out,
    /// Nothing; the browser may do what it does.
    None,
}

/// Reacts to a key. Tells whether the focus left the timeline for the composer.
pub(crate) fn on_key(event: &KeyboardEvent, log: &HtmlElement) -> bool {
    let target = event
        .target()
        .and_then(|target| target.dyn_into::<HtmlElement>().ok());
    let Some(target) = target else { return false };
    if event.alt_key() || event.ctrl_key() || event.meta_key() {
        return false;
    }
    if event.key() == "Tab" {
        // Backwards the log itself would come next, which hands the focus to its rows.
        if event.shift_key() {
            log.set_tab_index(-1);
        }
        return false;
    }
    let next = match step(event.key().as_str(), &target, log) {
        Step::To(next) => next,
        Step::None => return false,
        Step::Out => {
            focus_first(".composer__input");
            return true;
        }
    };
    event.prevent_default();
    focus(&next);
    false
}

/// The focus is in the timeline no longer: its tab stop is the log again.
pub(crate) fn on_leave(event: &web_sys::FocusEvent, log: &HtmlElement) {
    let to = event
        .related_target()
        .and_then(|to| to.dyn_into::<web_sys::Node>().ok());
    if !log.contains(to.as_ref()) {
        log.set_tab_index(0);
    }
}

/// The log was reached by keyboard: the focus goes to the row where it was, if that is in sight, else
/// to the last one in sight.
pub(crate) fn on_enter(log: &HtmlElement, last: Option<&str>) {
    // A click on the empty part of the log is not a wish to go to a row.
    if log.matches(":focus-visible") != Ok(true) {
        return;
    }
    let view = log.get_bounding_client_rect();
    let in_sight = |row: &HtmlElement| {
        let place = row.get_bounding_client_rect();
        place.bottom() > view.top() && place.top() < view.bottom()
    };
    let before = last
        .and_then(|key| find(Some(log.clone().into()), &format!("[data-key=\"{key}\"]")))
        .filter(in_sight);
    let rows = || all(log, ROW).into_iter().rev();
    if let Some(row) = before.or_else(|| rows().find(in_sight)) {
        focus(&row);
    }
}

/// The key of the row that this element belongs to.
pub(crate) fn row_key(event: &web_sys::FocusEvent) -> Option<String> {
    let target = event.target()?.dyn_into::<Element>().ok()?;
    target.closest(ROW).ok()??.get_attribute("data-key")
}

/// Puts the focus on the row in which it is.
pub(crate) fn back_to_row() {
    let row = document()
        .active_element()
        .and_then(|element| closest(&element, ROW));
    row.inspect(focus);
}

/// Puts the focus into the menu that has just been opened, and the menu above its row where there is no
/// room below.
pub(crate) fn into_menu() {
    let opened = ".message__actions > :is(.menu, .emoji-grid)";
    let Some(menu) = find(document().document_element(), opened) else {
        return;
    };
    let bottom = |element: &HtmlElement| element.get_bounding_client_rect().bottom();
    if closest(&menu, ".timeline").is_some_and(|log| bottom(&menu) > bottom(&log)) {
        // Only a detached element refuses a class.
        let _ = menu.class_list().add_1("opens-up");
    }
    find(Some(menu.into()), IN_MENU).inspect(focus);
}

/// Puts the focus on the button that the open menu belongs to.
pub(crate) fn out_of_menu() {
    focus_first(".message__actions [aria-expanded=true]");
}

/// Puts the focus on the first element of a selector.
pub(crate) fn focus_first(selector: &str) {
    find(document().document_element(), selector).inspect(focus);
}

fn step(key: &str, target: &HtmlElement, log: &HtmlElement) -> Step {
    let to = |next: Option<HtmlElement>| next.map_or(Step::None, Step::To);
    let Some(row) = closest(target, ROW) else {
        return match key {
            "ArrowUp" | "End" => to(all(log, ROW).pop()),
            "Home" => to(all(log, ROW).into_iter().next()),
            "Escape" => Step::Out,
            _ => Step::None,
        };
    };
    if let Some(menu) = closest(target, MENU) {
        let grid = menu.class_list().contains("emoji-grid");
        let line = if grid { EMOJI_COLUMNS } else { 1 };
        return to(match key {
            "ArrowRight" => neighbour(&menu, IN_MENU, target, 1),
            "ArrowLeft" => neighbour(&menu, IN_MENU, target, -1),
            "ArrowDown" => neighbour(&menu, IN_MENU, target, line),
            "ArrowUp" => neighbour(&menu, IN_MENU, target, -line),
            _ => None,
        });
    }
    let on_row = row == *target;
    match key {
        "ArrowUp" => to(neighbour(log, ROW, &row, -1)),
        "ArrowDown" => to(neighbour(log, ROW, &row, 1)),
        "Home" => to(all(log, ROW).into_iter().next()),
        "End" => to(all(log, ROW).pop()),
        "ArrowRight" if on_row => to(all(&row, IN_ROW).into_iter().next()),
        "ArrowRight" => to(neighbour(&row, IN_ROW, target, 1)),
        "ArrowLeft" if !on_row => Step::To(neighbour(&row, IN_ROW, target, -1).unwrap_or(row)),
        "Enter" if on_row => to(find(Some(row.into()), ".message__actions button")),
        "Escape" if on_row => Step::Out,
        "Escape" => Step::To(row),
        _ => Step::None,
    }
}

/// What stands `steps` after `from` among the elements of a selector.
fn neighbour(
    inside: &HtmlElement,
    selector: &str,
    from: &HtmlElement,
    steps: i32,
) -> Option<HtmlElement> {
    let elements = all(inside, selector);
    let at = elements.iter().position(|element| element == from)?;
    let to = i32::try_from(at).ok()?.checked_add(steps)?;
    elements.into_iter().nth(usize::try_from(to).ok()?)
}

fn all(inside: &HtmlElement, selector: &str) -> Vec<HtmlElement> {
    let Ok(found) = inside.query_selector_all(selector) else {
        return Vec::new();
    };
    (0..found.length())
        .filter_map(|at| found.get(at)?.dyn_into().ok())
        .collect()
}

fn find(inside: Option<Element>, selector: &str) -> Option<HtmlElement> {
    inside?.query_selector(selector).ok()??.dyn_into().ok()
}

fn closest(element: &Element, selector: &str) -> Option<HtmlElement> {
    element.closest(selector).ok()??.dyn_into().ok()
}

fn focus(element: &HtmlElement) {
    // Only a detached element cannot be focused.
    let _ = element.focus();
}
