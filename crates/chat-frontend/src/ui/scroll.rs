//! Keeps the reader's place: at the end while they follow it, else at the row that they look at,
//! whatever is put above, below or around it.

use std::rc::Rc;
use std::time::Duration;

use leptos::html;
use leptos::prelude::*;
use send_wrapper::SendWrapper;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;
use web_sys::{Element, HtmlElement, ResizeObserver};

use crate::api::events;
use crate::state::room::RoomModel;
use crate::test_ids;

/// Closer to the end than this many pixels, the reader follows it.
const FOLLOW_PX: i32 = 100;
/// The divider goes when the end was seen for this long: long enough to find it.
const SEEN: Duration = Duration::from_secs(5);
/// A row that was jumped to stands out for this long.
const FLASH: Duration = Duration::from_secs(2);

/// The first row that is seen, and how far its top is below that of the view.
#[derive(Debug, Clone, PartialEq)]
struct Anchor {
    key: String,
    offset: f64,
}

type Observer = SendWrapper<Rc<(ResizeObserver, Closure<dyn FnMut()>)>>;

/// The keeper of one timeline.
#[derive(Clone, Copy)]
pub(crate) struct ScrollKeeper {
    log: NodeRef<html::Div>,
    model: RoomModel,
    anchor: StoredValue<Option<Anchor>>,
    settling: StoredValue<bool>,
    clearing: StoredValue<bool>,
    observer: StoredValue<Option<Observer>>,
    /// The first unread message is above what is seen.
    pub(crate) unread_above: RwSignal<bool>,
}

impl ScrollKeeper {
    /// A keeper for the element of `log`.
    pub(crate) fn new(log: NodeRef<html::Div>, model: &RoomModel) -> Self {
        let model = *model;
        let keeper = Self {
            log,
            model,
            anchor: StoredValue::new(None),
            settling: StoredValue::new(false),
            clearing: StoredValue::new(false),
            observer: StoredValue::new(None),
            unread_above: RwSignal::new(false),
        };
        Effect::new(move |_| {
            model.lines.track();
            model.at_start.track();
            model.history.track();
            model.typing.track();
            model.to_end.track();
            keeper.settle();
        });
        Effect::new(move |_| keeper.watch_size());
        Effect::new(move |_| keeper.show_target());
        keeper
    }

    /// The reader scrolled.
    pub(crate) fn scrolled(self) {
        if !self.settling.get_value() {
            self.observe();
        }
    }

    /// Restores the place at once, and again before the next paint, when everything has its size.
    pub(crate) fn settle(self) {
        if self.settling.try_get_value().is_none() {
            return;
        }
        self.restore();
        if self.settling.get_value() {
            return;
        }
        self.settling.set_value(true);
        request_animation_frame(move || {
            if self.settling.try_get_value().is_some() {
                self.settling.set_value(false);
                self.restore();
                // By now the rows are there, so a divider that is not among them is farther up.
                self.model.has_started();
                self.observe();
            }
        });
    }

    fn element(self) -> Option<HtmlElement> {
        self.log
            .try_get_untracked()
            .flatten()
            .map(|log| (*log).clone().unchecked_into())
    }

    fn restore(self) {
        let Some(log) = self.element() else { return };
        if self.model.following.get_untracked() {
            log.set_scroll_top(log.scroll_height());
            if self.model.starts_at_divider() {
                self.start_at_divider(&log);
            }
            return;
        }
        let Some(anchor) = self.anchor.get_value() else {
            return;
        };
        let Some(row) = find(&log, &format!("[data-key=\"{}\"]", anchor.key)) else {
            return;
        };
        scroll_by(&log, offset(&log, &row) - anchor.offset);
    }

    /// A reader who comes back begins where they stopped, unless all that is new fits.
    fn start_at_divider(self, log: &HtmlElement) {
        let Some(divider) = find_divider(log) else {
            return;
        };
        if offset(log, &divider) < 0.0 {
            self.model.set_following(false);
            scroll_by(
                log,
                offset(log, &divider) - f64::from(log.client_height()) / 4.0,
            );
            self.anchor.set_value(first_seen(log));
        }
    }

    /// Remembers the place, and asks for more where the reader comes near an edge.
    fn observe(self) {
        let Some(log) = self.element() else { return };
        let (top, height) = (log.scroll_top(), log.client_height());
        let below = log.scroll_height() - top - height;
        let at_newest = self.model.at_newest.get_untracked();
        self.anchor.set_value(first_seen(&log));
        let at_end = below <= FOLLOW_PX && at_newest;
        let unread_above = self.model.unread_after.get_untracked().is_some()
            && match find_divider(&log) {
                Some(divider) => offset(&log, &divider) < 0.0,
                // So many are new that it is not even among the rows.
                None => at_end,
            };
        if self.unread_above.get_untracked() != unread_above {
            self.unread_above.set(unread_above);
        }
        self.model.set_following(at_end);
        let near = height + height / 2;
        if top < near {
            self.model.earlier();
        } else if below < near && !at_newest {
            self.model.later();
        }
        if at_end {
            self.model.read_to_end();
            self.clear_divider_soon();
        }
    }

    fn clear_divider_soon(self) {
        let model = self.model;
        if self.clearing.get_value()
            || model.unread_after.get_untracked().is_none()
            || !events::page_is_read()
        {
            return;
        }
        self.clearing.set_value(true);
        set_timeout(
            move || {
                if self.clearing.try_get_value().is_none() {
                    return;
                }
                self.clearing.set_value(false);
                if model.following.get_untracked() && events::page_is_read() {
                    model.clear_divider();
                }
            },
            SEEN,
        );
    }

    /// Rows and the view itself change size without a change of the lines: an edit, a keyboard.
    fn watch_size(self) {
        let Some(log) = self.log.get() else { return };
        let resized = Closure::<dyn FnMut()>::new(move || self.settle());
        let Ok(observer) = ResizeObserver::new(resized.as_ref().unchecked_ref()) else {
            return;
        };
        observer.observe(&log);
        if let Some(rows) = log.first_element_child() {
            observer.observe(&rows);
        }
        let observer = SendWrapper::new(Rc::new((observer, resized)));
        self.observer.set_value(Some(observer));
        on_cleanup(move || {
            if let Some(Some(observer)) = self.observer.try_get_value() {
                observer.0.disconnect();
            }
        });
    }

    /// Scrolls to the message that somebody asked for, and lets it flash.
    fn show_target(self) {
        let Some(id) = self.model.target.get() else {
            return;
        };
        request_animation_frame(move || {
            let Some(log) = self.element() else { return };
            let Some(row) = find(&log, &format!("[data-message-id=\"{id}\"]")) else {
                return;
            };
            scroll_by(
                &log,
                offset(&log, &row) - f64::from(log.client_height()) / 3.0,
            );
            self.observe();
            // Only a detached element refuses a class.
            let _ = row.class_list().add_1("message--flash");
            set_timeout(
                move || drop(row.class_list().remove_1("message--flash")),
                FLASH,
            );
            self.model.target.try_set(None);
        });
    }
}

fn find(log: &HtmlElement, selector: &str) -> Option<Element> {
    log.query_selector(selector).ok().flatten()
}

fn find_divider(log: &HtmlElement) -> Option<Element> {
    find(log, &format!("[data-testid={}]", test_ids::UNREAD_DIVIDER))
}

fn offset(log: &HtmlElement, row: &Element) -> f64 {
    row.get_bounding_client_rect().top() - log.get_bounding_client_rect().top()
}

fn scroll_by(log: &HtmlElement, delta: f64) {
    #[expect(clippy::cast_possible_truncation, reason = "a distance on a screen")]
    let delta = delta.round() as i32;
    if delta != 0 {
        log.set_scroll_top(log.scroll_top() + delta);
    }
}

fn first_seen(log: &HtmlElement) -> Option<Anchor> {
    let rows = log.query_selector_all("[data-key]").ok()?;
    let top = log.get_bounding_client_rect().top();
    (0..rows.length()).find_map(|index| {
        let row = rows.get(index)?.dyn_into::<Element>().ok()?;
        let place = row.get_bounding_client_rect();
        let seen = place.bottom() > top;
        if seen {
            Some(Anchor {
                key: row.get_attribute("data-key")?,
                offset: place.top() - top,
            })
        } else {
            None
        }
    })
}
