//! What can be done with a message: react, answer, edit, delete. Only the row that is pointed at or
//! focused has these, so that a long timeline stays light.

use chat_client::RowState;
use chat_types::event::Reaction;
use chat_types::id::MessageId;
use chat_types::room::Role;
use leptos::prelude::*;

use crate::i18n::{Key, tr};
use crate::state::compose::Compose;
use crate::state::room::RoomModel;
use crate::state::rows::RowData;
use crate::state::session::use_session;
use crate::test_ids;
use crate::ui::icons::{Icon, IconName};
use crate::ui::row_keys;

/// The emoji that are offered.
const EMOJI: [&str; 24] = [
    "👍", "❤️", "😂", "🎉", "🙏", "👏", "🔥", "😮", "😢", "😍", "🤔", "👀", "✅", "❌", "💯", "🙌",
    "😅", "😊", "😭", "🤣", "💪", "✨", "👋", "🫶",
];

/// Which of the menus is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Menu {
    None,
    Emoji,
    More,
}

/// The message that is about to be deleted.
#[derive(Clone, Copy)]
pub struct Deleting(pub RwSignal<Option<MessageId>>);

/// The actions of a row.
#[component]
pub fn MessageActions(
    /// The row.
    row: RwSignal<RowData>,
    /// Whether a menu is open; the actions stay while it is.
    open: RwSignal<bool>,
) -> impl IntoView {
    let compose = expect_context::<Compose>();
    let model = expect_context::<RoomModel>();
    let session = use_session();
    let menu = RwSignal::new(Menu::None);
    Effect::new(move |_| {
        let shown = menu.get() != Menu::None;
        open.set(shown);
        if shown {
            request_animation_frame(row_keys::into_menu);
        }
    });
    let possible = Memo::new(move |_| {
        let joined = session.user().with(Option::is_some);
        row.with(|row| {
            joined
                && row.message_id.is_some()
                && row.text().is_some()
                && row.state == RowState::Sent
        })
    });
    let toggle = move |wanted: Menu| {
        let shown = menu.get_untracked();
        menu.set(if shown == wanted { Menu::None } else { wanted });
    };
    let may_change = Memo::new(move |_| {
        let moderates = model
            .role
            .get()
            .is_some_and(|role| role.rank() >= Role::Moderator.rank());
        row.with(|row| row.is_own() || moderates)
    });
    view! {
        <Show when=move || possible.get()>
            <div
                class="message__actions"
                on:keydown=move |event| {
                    if event.key() == "Escape" && menu.get_untracked() != Menu::None {
                        event.stop_propagation();
                        row_keys::out_of_menu();
                        menu.set(Menu::None);
                    }
                }
                on:focusout=move |event| if left(&event) { menu.set(Menu::None) }
            >
                <Tool
                    label=Key::React
                    icon=IconName::React
                    testid=test_ids::ACTION_REACT
                    expanded=Signal::derive(move || menu.get() == Menu::Emoji)
                    run=move |()| toggle(Menu::Emoji)
                />
                <Tool
                    label=Key::Reply
                    icon=IconName::Reply
                    testid=test_ids::ACTION_REPLY
                    run=move |()| row.with_untracked(|row| compose.reply(row))
                />
                <Show when=move || may_change.get()>
                    <Tool
                        label=Key::More
                        icon=IconName::More
                        testid=test_ids::MESSAGE_ACTIONS
                        expanded=Signal::derive(move || menu.get() == Menu::More)
                        run=move |()| toggle(Menu::More)
                    />
                </Show>
                <Show when=move || menu.get() == Menu::Emoji>
                    <EmojiGrid row menu/>
                </Show>
                <Show when=move || menu.get() == Menu::More>
                    <MoreMenu row menu/>
                </Show>
            </div>
        </Show>
    }
}

/// Whether the focus went somewhere else than into the same actions.
fn left(event: &web_sys::FocusEvent) -> bool {
    use wasm_bindgen::JsCast as _;
    let inside = event
        .current_target()
        .and_then(|actions| actions.dyn_into::<web_sys::Node>().ok());
    let to = event
        .related_target()
        .and_then(|to| to.dyn_into::<web_sys::Node>().ok());
    match (inside, to) {
        (Some(actions), Some(to)) => !actions.contains(Some(&to)),
        // A click on nothing that takes the focus, such as an emoji in some browsers: stay.
        _ => false,
    }
}

#[component]
fn Tool(
    label: Key,
    icon: IconName,
    testid: &'static str,
    #[prop(optional, into)] expanded: Option<Signal<bool>>,
    #[prop(into)] run: Callback<()>,
) -> impl IntoView {
    view! {
        <button
            class="icon-button icon-button--small"
            type="button"
            tabindex="-1"
            aria-label=tr(label)
            title=tr(label)
            aria-expanded=move || expanded.map(|expanded| expanded.get().to_string())
            data-testid=testid
            on:click=move |_| run.run(())
        >
            <Icon name=icon/>
        </button>
    }
}

#[component]
fn EmojiGrid(row: RwSignal<RowData>, menu: RwSignal<Menu>) -> impl IntoView {
    let model = expect_context::<RoomModel>();
    let choose = move |emoji: &'static str| {
        row_keys::back_to_row();
        menu.set(Menu::None);
        let (id, mine) = row.with_untracked(|row| {
            let same = |reaction: &Reaction| reaction.mine && reaction.emoji == emoji;
            (row.message_id, row.reactions.iter().any(same))
        });
        // The row shows at once that it is changing, so nothing may be looking at it here.
        if let Some(id) = id {
            model.react(id, emoji.to_owned(), !mine);
        }
    };
    view! {
        <div class="emoji-grid" role="group" aria-label=tr(Key::React)>
            {EMOJI
                .into_iter()
                .map(|emoji| {
                    view! {
                        <button class="emoji-bar__item" type="button" tabindex="-1" on:click=move |_| choose(emoji)>
                            {emoji}
                        </button>
                    }
                })
                .collect_view()}
        </div>
    }
}

#[component]
fn MoreMenu(row: RwSignal<RowData>, menu: RwSignal<Menu>) -> impl IntoView {
    let compose = expect_context::<Compose>();
    let Deleting(deleting) = expect_context::<Deleting>();
    let own = row.with_untracked(RowData::is_own);
    view! {
        <div class="menu message__menu">
            {own.then(|| view! {
                <button
                    class="menu__item"
                    type="button"
                    tabindex="-1"
                    data-testid=test_ids::ACTION_EDIT
                    on:click=move |_| {
                        menu.set(Menu::None);
                        row.with_untracked(|row| compose.edit(row));
                    }
                >
                    <Icon name=IconName::Edit/>
                    {tr(Key::Edit)}
                </button>
            })}
            <button
                class="menu__item menu__item--danger"
                type="button"
                tabindex="-1"
                data-testid=test_ids::ACTION_DELETE
                on:click=move |_| {
                    // The dialog gives the focus back to where it was; the menu is gone by then.
                    row_keys::back_to_row();
                    menu.set(Menu::None);
                    deleting.set(row.with_untracked(|row| row.message_id));
                }
            >
                <Icon name=IconName::Trash/>
                {tr(Key::Delete)}
            </button>
        </div>
    }
}
