//! Where a message is written. Enter is decided at `beforeinput`, after an input method has had its
//! say: one Enter sends Hangul once and whole, and only picks while a candidate window is open. The
//! button has the composition ended first, or the input method would write its last syllable again.

use std::time::Duration;

use chat_client::{FailedCommand, Failure};
use chat_types::problem::ErrorCode;
use chat_types::text::TextReason;
use leptos::prelude::*;
use leptos::{ev, html};
use wasm_bindgen::JsCast as _;
use web_sys::HtmlElement;

use crate::i18n::{Key, counted, fill, text, tr, trouble, use_lang};
use crate::state::compose::{Compose, Mode, Room, room_left, sends};
use crate::state::connection::use_connection;
use crate::state::room::RoomModel;
use crate::state::session::use_session;
use crate::test_ids;
use crate::ui::icons::{Icon, IconName};

/// Why a text is not sent: the code, and what of the text was refused.
type Why = (ErrorCode, Option<TextReason>);

/// The composer of the room in the context.
#[component]
pub fn Composer() -> impl IntoView {
    let compose = expect_context::<Compose>();
    let model = expect_context::<RoomModel>();
    let field = NodeRef::<html::Textarea>::new();
    let shift = StoredValue::new(false);
    let composing = StoredValue::new(false);
    let send_after = StoredValue::new(false);
    let connection = use_connection();
    let refusal = RwSignal::new(None::<Why>);
    let session = use_session();
    Effect::new(move |_| {
        // Before it is known who writes, it is not known either what they were writing.
        if session.restored().get() {
            adopt(field, compose);
        }
    });
    Effect::new(move |_| put_text(field, compose));
    Effect::new(move |_| take_back(&model, compose, refusal));
    Effect::new(move |_| take_edit_back(connection.returned(), &model, compose, refusal));
    let typed = move |_| {
        if let Some(field) = field.get_untracked() {
            compose.typed(field.value());
            fit(&field);
        }
        refusal.set(None);
        compose.keep_draft();
        if compose.text.with_untracked(|text| !text.trim().is_empty()) {
            model.typed();
        }
    };
    let send = move || send(field, compose, &model, refusal);
    let before_input = move |event: ev::InputEvent| {
        if sends(&event.input_type(), event.is_composing(), shift.get_value()) {
            event.prevent_default();
            send();
        }
    };
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        if !composing.get_value() {
            return send();
        }
        send_after.set_value(true);
        if let Some(field) = field.get_untracked() {
            end_composition(&field);
        }
    };
    // Browsers differ in whether the last input event comes before or after this one; a moment later
    // the text is whole in all of them.
    let composed = move |_| {
        composing.set_value(false);
        if send_after.get_value() {
            send_after.set_value(false);
            set_timeout(send, Duration::ZERO);
        }
    };
    let full = Memo::new(move |_| compose.text.with(|text| room_left(text)));
    view! {
        <form class="composer" on:submit=submit>
            <Context refusal/>
            <textarea
                class="composer__input"
                rows="1"
                autocomplete="off"
                enterkeyhint="send"
                data-testid=test_ids::COMPOSER
                placeholder=tr(Key::MessagePlaceholder)
                aria-label=tr(Key::MessagePlaceholder)
                aria-invalid=move || refusal.with(Option::is_some).then_some("true")
                node_ref=field
                on:input=typed
                on:beforeinput=before_input
                on:compositionstart=move |_| composing.set_value(true)
                on:compositionend=composed
                on:keydown=move |event| {
                    shift.set_value(event.shift_key());
                    on_key(&event, compose, &model, refusal);
                }
            ></textarea>
            <button
                class="composer__send"
                data-testid=test_ids::SEND
                aria-label=tr(Key::Send)
                disabled=move || matches!(full.get(), Room::Empty | Room::Over(_))
                // The field keeps the focus, and a phone its keyboard.
                on:pointerdown=move |event| event.prevent_default()
            >
                <Icon name=IconName::Send/>
            </button>
        </form>
        <Note full refusal/>
    }
}

/// What is answered or edited, above the field.
#[component]
fn Context(refusal: RwSignal<Option<Why>>) -> impl IntoView {
    let compose = expect_context::<Compose>();
    let model = expect_context::<RoomModel>();
    let lang = use_lang();
    move || {
        let lang = lang.get();
        let (title, words, cancel, number) = match compose.mode.get() {
            Mode::New => return None,
            Mode::Reply {
                author,
                text: words,
                number,
                ..
            } => {
                let title = fill(text(lang, Key::ReplyingTo), &[("name", &author)]);
                (title, words, Key::CancelReply, Some(number))
            }
            Mode::Edit { text: words, .. } => (
                text(lang, Key::EditingMessage).to_owned(),
                words,
                Key::CancelEdit,
                None,
            ),
        };
        let go = move |_| {
            if let Some(number) = number {
                model.go_to(number);
            }
        };
        Some(view! {
            <div class="composer__context">
                <button class="quote" type="button" on:click=go>
                    <bdi class="quote__author">{title}</bdi>
                    <span class="quote__text">{words}</span>
                </button>
                <button
                    class="icon-button icon-button--small"
                    type="button"
                    aria-label=tr(cancel)
                    on:click=move |_| {
                        cancel_begun(compose, refusal);
                    }
                >
                    <Icon name=IconName::Close/>
                </button>
            </div>
        })
    }
}

/// How much room is left, or why the text came back.
#[component]
fn Note(full: Memo<Room>, refusal: RwSignal<Option<Why>>) -> impl IntoView {
    let lang = use_lang();
    let over = move || matches!(full.get(), Room::Over(_));
    let counter = move || {
        let (one, many, count) = match full.get() {
            Room::Left(count) => (Key::CharacterLeft, Key::CharactersLeft, count),
            Room::Over(count) => (Key::CharacterOver, Key::CharactersOver, count),
            Room::Empty | Room::Plenty => return None,
        };
        Some(counted(lang.get(), one, many, count as u64))
    };
    view! {
        {move || {
            refusal.get().map(|(code, reason)| view! {
                <p class="composer__note composer__note--over" role="alert" data-testid=test_ids::REFUSAL>
                    {move || match code {
                        ErrorCode::LimitReached => text(lang.get(), Key::OutboxFull).to_owned(),
                        code => trouble(lang.get(), code, reason, None),
                    }}
                </p>
            })
        }}
        {move || {
            counter().map(|words| view! {
                <p
                    class=move || if over() { "composer__note composer__note--over" } else { "composer__note" }
                    role="status"
                    data-testid=test_ids::REFUSAL
                >
                    {words}
                </p>
            })
        }}
    }
}

/// Sends what is in the field itself: the last syllable may be there and not yet in a signal.
fn send(
    field: NodeRef<html::Textarea>,
    compose: Compose,
    model: &RoomModel,
    refusal: RwSignal<Option<Why>>,
) {
    // Sending may have waited for a composition, and the field gone meanwhile.
    let Some(field) = field.try_get_untracked().flatten() else {
        return;
    };
    let body = field.value();
    compose.text.set(body.clone());
    if matches!(room_left(&body), Room::Empty | Room::Over(_)) {
        return;
    }
    let body = body.trim_matches(['\n', ' ', '\t']).to_owned();
    let taken = match compose.mode.get_untracked() {
        Mode::New => model.send(body, None),
        Mode::Reply { id, .. } => model.send(body, Some(id)),
        Mode::Edit { id, text } => {
            if text != body {
                model.edit(id, body);
            }
            true
        }
    };
    if taken {
        refusal.set(None);
        compose.sent();
    } else {
        refusal.set(Some((ErrorCode::LimitReached, None)));
    }
}

/// Makes the field and the state agree when the field appears. What the field holds already was typed
/// before the page was alive, and stays; an empty one gets what is being written.
fn adopt(field: NodeRef<html::Textarea>, compose: Compose) {
    let Some(field) = field.get() else {
        return;
    };
    let typed = field.value();
    let known = compose.unsent();
    if known == typed {
        return;
    }
    if typed.is_empty() {
        compose.put.set(Some((known, false)));
    } else if known.is_empty() {
        compose.text.set(typed);
        compose.keep_draft();
        fit(&field);
    } else {
        compose.put.set(Some((format!("{known}\n{typed}"), false)));
    }
}

/// Has the input method write what it holds: it does so when the field loses the focus.
fn end_composition(field: &web_sys::HtmlTextAreaElement) {
    // Only a detached element refuses either.
    let _ = field.blur();
    let _ = field.focus();
}

/// Writes a text into the field that did not come from the keyboard. Nothing else writes there, and
/// what comes back unasked waits for somebody who is typing: it would end their composition.
fn put_text(field: NodeRef<html::Textarea>, compose: Compose) {
    let (Some(field), Some((text, focus))) = (field.get(), compose.put.get()) else {
        return;
    };
    if field.value() != text {
        field.set_value(&text);
    }
    compose.text.set(text);
    fit(&field);
    if focus {
        // Only a detached element cannot be focused.
        let _ = field.focus();
    }
    compose.put.set(None);
}

/// A refused text comes back where nothing else is being written; else it stays a failed row, with
/// its text. Only what is back is given up there.
fn take_back(model: &RoomModel, compose: Compose, shown: RwSignal<Option<Why>>) {
    if model.refusals.with(Vec::is_empty) {
        return;
    }
    let refusals = model.refusals.try_update(std::mem::take);
    for refusal in refusals.unwrap_or_default() {
        if compose.is_free() {
            compose.take_back(refusal.body, refusal.reply_to.as_ref());
            shown.set(Some((refusal.code, refusal.reason)));
            model.discard(refusal.key);
        }
    }
}

/// A refused edit comes back into the editor, one after the other, once nobody is typing; what was
/// written and left waits aside.
fn take_edit_back(
    returned: RwSignal<Vec<Failure>>,
    model: &RoomModel,
    compose: Compose,
    shown: RwSignal<Option<Why>>,
) {
    compose.mode.track();
    compose.text.track();
    let wanted = |failure: &Failure| {
        let free = match failure.command {
            FailedCommand::Edit(_) => compose.is_free_for_edit(),
            _ => compose.is_free(),
        };
        failure.room == model.id() && free
    };
    if !returned.with(|returned| returned.iter().any(wanted)) {
        return;
    }
    let first = returned.try_update(|returned| {
        let at = returned.iter().position(wanted)?;
        Some(returned.remove(at))
    });
    let Some(Some(failure)) = first else { return };
    let text = failure.body.unwrap_or_default();
    if let FailedCommand::Edit(id) = failure.command {
        let before = model.text_of(id).unwrap_or_default();
        compose.edit_with(id, before, text);
    } else {
        compose.take_back(text, None);
    }
    shown.set(Some((failure.code, failure.reason)));
}

/// As high as the text, up to the limit that the style sets.
fn fit(field: &web_sys::HtmlTextAreaElement) {
    let style = field.unchecked_ref::<HtmlElement>().style();
    // Both values are valid lengths.
    let _ = style.set_property("height", "auto");
    let _ = style.set_property("height", &format!("{}px", field.scroll_height()));
}

/// Leaves what was begun, and with it why it came back. Tells whether there was something.
fn cancel_begun(compose: Compose, refusal: RwSignal<Option<Why>>) -> bool {
    let begun = compose.cancel();
    if begun {
        refusal.set(None);
    }
    begun
}

/// Up in an empty field edits the last own message; Esc leaves what was begun.
fn on_key(
    event: &web_sys::KeyboardEvent,
    compose: Compose,
    model: &RoomModel,
    refusal: RwSignal<Option<Why>>,
) {
    if event.is_composing() {
        return;
    }
    match event.key().as_str() {
        "ArrowUp" if compose.text.with_untracked(String::is_empty) => {
            if let Some(row) = model.last_own() {
                event.prevent_default();
                compose.edit(&row);
            }
        }
        "Escape" if !cancel_begun(compose, refusal) => model.clear_divider(),
        _ => {}
    }
}
