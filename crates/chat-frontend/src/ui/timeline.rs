//! The messages of a room, with days, the unread divider and the way to what is new.

use chat_client::{HistoryState, RoomStatus};
use chat_types::id::Number;
use leptos::prelude::*;
use leptos::{ev, html};

use crate::api::{events, time};
use crate::i18n::{Key, counted, text, tr, use_lang};
use crate::state::room::{RoomModel, ShownLine};
use crate::test_ids;
use crate::ui::empty::Empty;
use crate::ui::icons::{Icon, IconName};
use crate::ui::message::MessageRow;
use crate::ui::row_keys;
use crate::ui::scroll::ScrollKeeper;
use crate::ui::skeleton::SkeletonRows;

/// The timeline of the room in the context.
#[component]
pub fn Timeline() -> impl IntoView {
    let model = expect_context::<RoomModel>();
    let log = NodeRef::<html::Div>::new();
    let keeper = ScrollKeeper::new(log, &model);
    read_when_looked_at(&model);
    let by_keys = RwSignal::new(false);
    let last_row = StoredValue::new(None::<String>);
    let with_log = move |act: &dyn Fn(&web_sys::HtmlElement)| {
        if let Some(log) = log.get_untracked() {
            act(&log);
        }
    };
    name_days_anew(&model);
    view! {
        <div class="room__body">
            <div
                class="timeline"
                class:timeline--keys=move || by_keys.get()
                role="log"
                aria-live="off"
                tabindex="0"
                aria-label=tr(Key::Messages)
                aria-busy=move || (model.status.get() == RoomStatus::Loading).then_some("true")
                node_ref=log
                on:scroll=move |_| keeper.scrolled()
                on:pointermove=move |_| if by_keys.get_untracked() { by_keys.set(false) }
                on:keydown=move |event| with_log(&|log| {
                    by_keys.set(true);
                    if row_keys::on_key(&event, log) {
                        model.clear_divider();
                    }
                })
                on:focus=move |_| with_log(&|log| last_row.with_value(|key| row_keys::on_enter(log, key.as_deref())))
                on:focusin=move |event| if let Some(key) = row_keys::row_key(&event) { last_row.set_value(Some(key)) }
                on:focusout=move |event| with_log(&|log| row_keys::on_leave(&event, log))
            >
                <ol class="timeline__rows">
                    <Beginning/>
                    <For each=move || model.lines.get() key=ShownLine::key children=line/>
                    <Ending/>
                </ol>
            </div>
            <Pills unread_above=keeper.unread_above/>
        </div>
    }
}

fn line(line: ShownLine) -> AnyView {
    match line {
        ShownLine::Day { at, .. } => {
            let lang = use_lang();
            let today = expect_context::<RoomModel>().today;
            let words = move || {
                today.track();
                day_name(lang.get(), at)
            };
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
    let now = time::now();
    if time::day(at) == time::day(now) {
        text(lang, Key::Today).to_owned()
    } else if time::day(at) == time::day_before(now) {
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

/// What stands below the last row where it is not the newest of the room: the way on.
#[component]
fn Ending() -> impl IntoView {
    let model = expect_context::<RoomModel>();
    let words = Memo::new(move |_| {
        let more = !model.at_newest.get();
        more.then(|| match model.history.get() {
            HistoryState::Idle => Key::ShowNewer,
            HistoryState::Loading => Key::LoadingNewer,
            HistoryState::Failed => Key::TryAgain,
        })
    });
    let go_on = move |_| match model.history.get_untracked() {
        HistoryState::Idle => model.later(),
        HistoryState::Loading => {}
        HistoryState::Failed => model.retry_history(),
    };
    move || {
        words.get().map(|words| {
            view! {
                <li class="timeline__loading">
                    <button
                        class="button button--small button--quiet"
                        type="button"
                        data-testid=test_ids::SHOW_NEWER
                        on:click=go_on
                    >
                        {tr(words)}
                    </button>
                </li>
            }
        })
    }
}

/// The way to the first unread message, and to the end, for a reader who is elsewhere.
#[component]
fn Pills(unread_above: RwSignal<bool>) -> impl IntoView {
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
    let to_first_unread = move |_| {
        if let Some(Number(read)) = model.unread_after.get_untracked() {
            model.go_to(Number(read + 1));
        }
    };
    let unread = Memo::new(move |_| unread_above.get() && model.unread_after.get().is_some());
    view! {
        <div class="timeline__pills">
            <Show when=move || unread.get()>
                <button
                    class="pill pill--quiet"
                    type="button"
                    data-testid=test_ids::FIRST_UNREAD
                    on:click=to_first_unread
                >
                    <Icon name=IconName::Up small=true/>
                    {tr(Key::ToFirstUnread)}
                </button>
            </Show>
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

/// Days are called by other names from midnight on. A timer may be late on a device that slept, so the
/// calendar is also looked at when the page is.
fn name_days_anew(model: &RoomModel) {
    let today = model.today;
    let timer = StoredValue::new(None::<TimeoutHandle>);
    Effect::new(move |_| {
        wait_for_midnight(today, timer);
        let seen = window_event_listener(ev::visibilitychange, move |_| {
            wait_for_midnight(today, timer);
        });
        on_cleanup(move || seen.remove());
    });
}

fn wait_for_midnight(today: RwSignal<i32>, timer: StoredValue<Option<TimeoutHandle>>) {
    // The view was left, and nobody reads its days.
    let Some(earlier) = timer.try_get_value() else {
        return;
    };
    if let Some(earlier) = earlier {
        earlier.clear();
    }
    today.set(time::day(time::now()));
    let wait = move || wait_for_midnight(today, timer);
    let rest = time::to_midnight(time::now());
    timer.set_value(set_timeout_with_handle(wait, rest).ok());
}
