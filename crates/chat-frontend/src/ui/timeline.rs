//! The messages of a room, with days, the unread divider and the way to what is new.

use chat_client::{HistoryState, RoomStatus};
use leptos::prelude::*;
use leptos::{ev, html};
use wasm_bindgen::JsCast as _;
use web_sys::HtmlElement;

use crate::api::{events, time};
use crate::i18n::{Key, counted, text, tr, use_lang};
use crate::state::room::{RoomModel, ShownLine};
use crate::test_ids;
use crate::ui::empty::Empty;
use crate::ui::icons::{Icon, IconName};
use crate::ui::message::MessageRow;
use crate::ui::scroll::ScrollKeeper;
use crate::ui::skeleton::SkeletonRows;

/// The timeline of the room in the context.
#[component]
pub fn Timeline() -> impl IntoView {
    let model = expect_context::<RoomModel>();
    let log = NodeRef::<html::Div>::new();
    let keeper = ScrollKeeper::new(log, &model);
    read_when_looked_at(&model);
    view! {
        <div class="room__body">
            <div
                class="timeline"
                role="log"
                aria-live="off"
                tabindex="0"
                aria-label=tr(Key::Messages)
                aria-busy=move || (model.status.get() == RoomStatus::Loading).then_some("true")
                node_ref=log
                on:scroll=move |_| keeper.scrolled()
                on:keydown=move |event| on_key(&event, &model)
            >
                <ol class="timeline__rows">
                    <Beginning/>
                    <For each=move || model.lines.get() key=ShownLine::key children=line/>
                </ol>
            </div>
            <Pills/>
        </div>
    }
}

fn line(line: ShownLine) -> AnyView {
    match line {
        ShownLine::Day { at, .. } => {
            let lang = use_lang();
            let words = move || day_name(lang.get(), at);
            view! { <li class="divider"><span>{words}</span></li> }.into_any()
        }
        ShownLine::Unread => view! {
            <li class="divider divider--unread" data-testid=test_ids::UNREAD_DIVIDER>
                <span>{tr(Key::UnreadDivider)}</span>
            </li>
        }
        .into_any(),
        ShownLine::Row(_, row) => view! { <MessageRow row/> }.into_any(),
    }
}

fn day_name(lang: crate::i18n::Lang, at: chat_types::time::Timestamp) -> String {
    const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
    let now = time::now();
    if time::day(at) == time::day(now) {
        text(lang, Key::Today).to_owned()
    } else if time::day(at.plus_ms(DAY_MS)) == time::day(now) {
        text(lang, Key::Yesterday).to_owned()
    } else {
        time::day_in_words(lang, at)
    }
}

fn words(key: Key) -> Signal<String> {
    let lang = use_lang();
    Signal::derive(move || text(lang.get(), key).to_owned())
}

/// What stands above the first row: the start of the room, a page on its way, or nothing yet.
#[component]
fn Beginning() -> impl IntoView {
    let model = expect_context::<RoomModel>();
    let shown = Memo::new(move |_| {
        let empty = model.lines.with(Vec::is_empty);
        (
            model.status.get(),
            empty,
            model.at_start.get(),
            model.history.get(),
        )
    });
    move || {
        match shown.get() {
        (RoomStatus::Loading, true, _, _) => view! { <li><SkeletonRows/></li> }.into_any(),
        (_, true, true, _) => view! {
            <li class="empty-line">
                <Empty icon=IconName::Chat title=words(Key::QuietTitle) text=words(Key::QuietText)/>
            </li>
        }
        .into_any(),
        (_, false, true, _) => {
            view! { <li class="timeline__start">{tr(Key::RoomStart)}</li> }.into_any()
        }
        (_, _, _, HistoryState::Loading) => {
            view! { <li class="timeline__loading" role="status">{tr(Key::LoadingOlder)}</li> }.into_any()
        }
        (_, _, _, HistoryState::Failed) => view! {
            <li class="timeline__loading" role="alert">
                <button class="button button--small" type="button" on:click=move |_| model.retry_history()>
                    {tr(Key::TryAgain)}
                </button>
            </li>
        }
        .into_any(),
        _ => view! { <li class="timeline__loading"></li> }.into_any(),
    }
    }
}

/// The way to the end, for a reader who is elsewhere.
#[component]
fn Pills() -> impl IntoView {
    let model = expect_context::<RoomModel>();
    let lang = use_lang();
    let words = move || match model.fresh.get() {
        0 => text(lang.get(), Key::ToLatest).to_owned(),
        count => counted(lang.get(), Key::OneNew, Key::ManyNew, count.into()),
    };
    let away = Memo::new(move |_| !model.following.get() && !model.lines.with(Vec::is_empty));
    let class = move || {
        if model.fresh.get() == 0 {
            "pill pill--quiet"
        } else {
            "pill"
        }
    };
    view! {
        <div class="timeline__pills">
            <Show when=move || away.get()>
                <button
                    class=class
                    type="button"
                    data-testid=test_ids::NEW_MESSAGES
                    on:click=move |_| model.to_latest()
                >
                    <Icon name=IconName::Down small=true/>
                    {words}
                </button>
            </Show>
        </div>
    }
}

/// The end counts as read when the page is looked at, also when the reader comes back to it.
fn read_when_looked_at(model: &RoomModel) {
    let model = *model;
    Effect::new(move |_| {
        let looked_at = window_event_listener(ev::focus, move |_| {
            if model.following.get_untracked() && events::page_is_read() {
                model.read_to_end();
            }
        });
        on_cleanup(move || looked_at.remove());
    });
}

/// Up and Down go from row to row, Enter to a row's actions, Esc takes the divider away.
fn on_key(event: &web_sys::KeyboardEvent, model: &RoomModel) {
    if event.key() == "Escape" {
        model.clear_divider();
        return;
    }
    let target = event
        .target()
        .and_then(|target| target.dyn_into::<HtmlElement>().ok());
    let Some(target) = target else { return };
    let on_row = target.class_list().contains("message");
    let on_log = target.class_list().contains("timeline");
    if !(on_row || on_log) || event.alt_key() || event.ctrl_key() || event.meta_key() {
        return;
    }
    let next = match event.key().as_str() {
        "ArrowUp" if on_row => sibling(&target, false),
        "ArrowDown" if on_row => sibling(&target, true),
        "ArrowUp" | "End" => edge(&target, true),
        "Home" => edge(&target, false),
        "Enter" if on_row => target
            .query_selector(".message__actions button")
            .ok()
            .flatten()
            .and_then(|button| button.dyn_into().ok()),
        _ => return,
    };
    if let Some(next) = next {
        event.prevent_default();
        // Only a detached element cannot be focused.
        let _ = next.focus();
    }
}

fn sibling(row: &HtmlElement, forward: bool) -> Option<HtmlElement> {
    let step = |row: &web_sys::Element| {
        if forward {
            row.next_element_sibling()
        } else {
            row.previous_element_sibling()
        }
    };
    let mut next = step(row);
    while let Some(row) = next {
        if row.class_list().contains("message") {
            return row.dyn_into().ok();
        }
        next = step(&row);
    }
    None
}

fn edge(inside: &HtmlElement, last: bool) -> Option<HtmlElement> {
    let log = inside.closest(".timeline").ok().flatten()?;
    let rows = log.query_selector_all(".message").ok()?;
    let index = if last {
        rows.length().checked_sub(1)?
    } else {
        0
    };
    rows.get(index)?.dyn_into().ok()
}
