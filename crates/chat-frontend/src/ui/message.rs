//! One row of the timeline.

use std::time::Duration;

use chat_client::RowState;
use chat_types::event::{Reaction, UserKind};
use chat_types::id::MessageId;
use chat_types::room::Role;
use chat_types::time::Timestamp;
use leptos::html;
use leptos::prelude::*;

use crate::api::time;
use crate::i18n::{Key, fill, text, tr, trouble, use_lang};
use crate::state::room::RoomModel;
use crate::state::rows::{Body, RowData};
use crate::state::text::is_jumbo;
use crate::test_ids;
use crate::ui::avatar::Avatar;
use crate::ui::icons::{Icon, IconName};
use crate::ui::message_actions::MessageActions;
use crate::ui::message_text::MessageText;
use crate::ui::row_keys;

/// A text that is higher is folded, to the height in the style, which is less: unfolding shows something.
const FOLD_FROM_PX: i32 = 600;

/// One row: who, what, when, and what can be done with it.
#[component]
pub fn MessageRow(
    /// The row as it is now.
    row: ArcRwSignal<RowData>,
) -> impl IntoView {
    let row = RwSignal::from(row);
    let pointed = RwSignal::new(false);
    let focused = RwSignal::new(false);
    let open = RwSignal::new(false);
    let key = row.with_untracked(|row| row.key.to_string());
    view! {
        <li
            class=move || row.with(class)
            tabindex="-1"
            data-testid=test_ids::MESSAGE
            data-key=key
            data-state=move || row.with(|row| state_name(row.state))
            data-message-id=move || row.with(|row| row.message_id.map(|id| id.to_string()))
            data-number=move || row.with(|row| row.number.map(|number| number.to_string()))
            on:pointerenter=move |_| pointed.set(true)
            on:pointerleave=move |_| pointed.set(false)
            on:focusin=move |_| focused.set(true)
            on:focusout=move |_| focused.set(false)
        >
            <Face row/>
            <div class="message__content">
                <Head row/>
                <div class="message__line">
                    <div class="message__bubble">
                        <Quote row/>
                        <Foldable row/>
                    </div>
                    <span class="message__aside">
                        <Aside row/>
                    </span>
                </div>
                <Reactions row/>
                <Fix row/>
            </div>
            <Show when=move || pointed.get() || focused.get() || open.get()>
                <MessageActions row open/>
            </Show>
        </li>
    }
}

/// The text. One that is too high is folded, whatever makes it so high, until somebody asks for all of it
/// or gets to a link in it.
#[component]
fn Foldable(row: RwSignal<RowData>) -> impl IntoView {
    let body = NodeRef::<html::Div>::new();
    let high = RwSignal::new(false);
    let whole = RwSignal::new(false);
    Effect::new(move |_| {
        row.track();
        // By then the text is there, and nothing is painted yet.
        request_animation_frame(move || {
            if let Some(Some(body)) = body.try_get_untracked() {
                high.try_set(body.scroll_height() > FOLD_FROM_PX);
            }
        });
    });
    let folded = Memo::new(move |_| high.get() && !whole.get());
    view! {
        <div
            class="message__body"
            class:message__body--folded=move || folded.get()
            node_ref=body
            on:focusin=move |_| whole.set(true)
        >
            <span data-testid=test_ids::BODY>
                <BodyText row/>
            </span>
            <EditedMark row/>
        </div>
        <Show when=move || folded.get()>
            <button
                class="message__more"
                type="button"
                tabindex="-1"
                data-testid=test_ids::SHOW_MORE
                on:click=move |_| {
                    // The button goes with the fold.
                    row_keys::back_to_row();
                    whole.set(true);
                }
            >
                {tr(Key::ShowMore)}
            </button>
        </Show>
    }
}

fn class(row: &RowData) -> String {
    let mut class = "message".to_owned();
    let mut add = |when: bool, name: &str| {
        if when {
            class.push_str(name);
        }
    };
    add(row.next, " message--next");
    add(row.is_own(), " message--mine");
    add(!matches!(row.body, Body::Text(_)), " message--deleted");
    add(
        matches!(row.state, RowState::Failed { .. }),
        " message--failed",
    );
    add(row.changing, " message--changing");
    add(row.text().is_some_and(is_jumbo), " message--jumbo");
    class
}

const fn state_name(state: RowState) -> &'static str {
    match state {
        RowState::Sent => "sent",
        RowState::Sending => "sending",
        RowState::Failed { .. } => "failed",
    }
}

/// Others have a face at the first row of a group.
#[component]
fn Face(row: RwSignal<RowData>) -> impl IntoView {
    let face = Memo::new(move |_| {
        row.with(|row| {
            if row.next || row.is_own() {
                None
            } else {
                row.author.clone()
            }
        })
    });
    move || {
        face.get()
            .map(|author| view! { <Avatar name=Signal::stored(author.name)/> })
    }
}

/// Others have a name at the first row of a group. Everybody's name is there for those who listen.
#[component]
fn Head(row: RwSignal<RowData>) -> impl IntoView {
    let head = Memo::new(move |_| {
        row.with(|row| (row.author.clone(), row.role, row.next || row.is_own()))
    });
    move || {
        let (author, role, quiet) = head.get();
        let author = author?;
        let tag = tag(role, author.kind);
        let class = if quiet {
            "visually-hidden"
        } else {
            "message__head"
        };
        Some(view! {
            <header class=class>
                <bdi class="message__author" data-testid=test_ids::AUTHOR>{author.name}</bdi>
                {(!quiet).then(|| tag.map(|(class, key)| view! { <span class=class>{tr(key)}</span> }))}
            </header>
        })
    }
}

/// Staff carry their role, guests that they are guests.
pub(crate) fn tag(role: Option<Role>, kind: UserKind) -> Option<(&'static str, Key)> {
    match (role, kind) {
        (Some(Role::Owner), _) => Some(("tag tag--staff", Key::Owner)),
        (Some(Role::Moderator), _) => Some(("tag tag--staff", Key::Moderator)),
        (_, UserKind::Guest) => Some(("tag", Key::Guest)),
        _ => None,
    }
}

#[component]
fn Quote(row: RwSignal<RowData>) -> impl IntoView {
    let model = expect_context::<RoomModel>();
    let quote = Memo::new(move |_| row.with(|row| row.reply_to.clone()));
    move || {
        quote.get().map(|reply| {
            let number = reply.number;
            let gone = reply.excerpt.is_empty();
            view! {
                <button
                    class="quote"
                    type="button"
                    tabindex="-1"
                    data-testid=test_ids::QUOTE
                    title=tr(Key::JumpToReply)
                    on:click=move |_| model.go_to(number)
                >
                    <bdi class="quote__author">{reply.author}</bdi>
                    <span class="quote__text">
                        {if gone { tr(Key::DeletedMessage).into_any() } else { reply.excerpt.into_any() }}
                    </span>
                </button>
            }
        })
    }
}

#[component]
fn BodyText(row: RwSignal<RowData>) -> impl IntoView {
    let body = Memo::new(move |_| row.with(|row| row.body.clone()));
    move || match body.get() {
        Body::Text(text) => view! { <MessageText text/> }.into_any(),
        Body::Deleted {
            by_moderator: false,
        } => view! { <em>{tr(Key::DeletedMessage)}</em> }.into_any(),
        Body::Deleted { by_moderator: true } => {
            view! { <em>{tr(Key::DeletedByModerator)}</em> }.into_any()
        }
        Body::Unknown => view! { <em>{tr(Key::UnknownContent)}</em> }.into_any(),
    }
}

#[component]
fn EditedMark(row: RwSignal<RowData>) -> impl IntoView {
    let edited = Memo::new(move |_| row.with(|row| row.edited && row.text().is_some()));
    move || {
        let mark = || view! { <span class="message__edited">{tr(Key::Edited)}</span> };
        edited.get().then(mark)
    }
}

/// The time, or how far the message is.
#[component]
fn Aside(row: RwSignal<RowData>) -> impl IntoView {
    let lang = use_lang();
    let state = Memo::new(move |_| row.with(|row| (row.state, row.changing, row.sent_at, row.due)));
    move || {
        match state.get() {
        (RowState::Sent, false, at, _) => view! {
            <time class="message__time" datetime=time::machine(at) title=move || time::in_full(lang.get(), at)>
                {move || time::time_of_day(lang.get(), at)}
            </time>
        }
        .into_any(),
        (RowState::Sending | RowState::Sent, changing, _, due) => view! {
            {due.map(|due| view! { <Countdown due/> })}
            <Icon name=IconName::Clock small=true/>
            <span class="visually-hidden">{tr(if changing { Key::Saving } else { Key::Sending })}</span>
        }
        .into_any(),
        (RowState::Failed { .. }, ..) => view! { <Icon name=IconName::Alert small=true/> }.into_any(),
    }
    }
}

/// How long until a message is sent that was written faster than the room takes them.
#[component]
fn Countdown(due: Timestamp) -> impl IntoView {
    let lang = use_lang();
    let left = move || due.since_ms(time::now()).div_ceil(1_000);
    let seconds = RwSignal::new(left());
    let tick = move || {
        seconds.try_set(left());
    };
    if let Ok(timer) = set_interval_with_handle(tick, Duration::from_secs(1)) {
        on_cleanup(move || timer.clear());
    }
    move || {
        let seconds = seconds.get();
        (seconds > 0).then(|| {
            let words = text(lang.get(), Key::SentIn);
            fill(words, &[("seconds", &seconds.to_string())])
        })
    }
}

#[component]
fn Reactions(row: RwSignal<RowData>) -> impl IntoView {
    let shown = Memo::new(move |_| row.with(|row| (row.message_id, row.reactions.clone())));
    move || {
        let (id, reactions) = shown.get();
        let id = id.filter(|_| !reactions.is_empty())?;
        Some(view! {
            <div class="reactions">
                {reactions.into_iter().map(|reaction| view! { <ReactionButton id reaction/> }).collect_view()}
            </div>
        })
    }
}

#[component]
fn ReactionButton(id: MessageId, reaction: Reaction) -> impl IntoView {
    let model = expect_context::<RoomModel>();
    let Reaction { emoji, count, mine } = reaction;
    let chosen = emoji.clone();
    view! {
        <button
            class="reaction"
            type="button"
            tabindex="-1"
            data-testid=test_ids::REACTION
            aria-pressed=mine.to_string()
            on:click=move |_| {
                if mine && count == 1 {
                    // The button goes with the reaction.
                    row_keys::back_to_row();
                }
                model.react(id, chosen.clone(), !mine);
            }
        >
            <span class="reaction__emoji">{emoji}</span>
            {count}
        </button>
    }
}

/// Why a message was not sent, and what can be done about it.
#[component]
fn Fix(row: RwSignal<RowData>) -> impl IntoView {
    let model = expect_context::<RoomModel>();
    let lang = use_lang();
    let failed = Memo::new(move |_| {
        row.with(|row| match row.state {
            RowState::Failed { code, reason } => Some((row.key, code, reason)),
            RowState::Sent | RowState::Sending => None,
        })
    });
    move || {
        failed.get().map(|(key, code, reason)| {
            view! {
                <div class="message__fix" role="alert">
                    <span>{tr(Key::NotSent)}" · "{move || trouble(lang.get(), code, reason, None)}</span>
                    <button
                        class="button button--small"
                        type="button"
                        data-testid=test_ids::RETRY
                        on:click=move |_| model.retry(key)
                    >
                        {tr(Key::Retry)}
                    </button>
                    <button
                        class="button button--small button--quiet"
                        type="button"
                        data-testid=test_ids::DISCARD
                        on:click=move |_| model.discard(key)
                    >
                        {tr(Key::Discard)}
                    </button>
                </div>
            }
        })
    }
}
