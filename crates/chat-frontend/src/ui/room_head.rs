//! The head of a room: its name, and who is here.

use chat_client::RoomStatus;
use chat_types::id::UserId;
use chat_types::room::RoomKind;
use leptos::prelude::*;

use crate::i18n::{Key, counted, text, tr, use_lang};
use crate::state::room::RoomModel;
use crate::state::session::use_session;
use crate::ui::icons::{Icon, IconName};
use crate::ui::invite::InviteButton;
use crate::ui::title::name_room;
use crate::{routes, test_ids};

/// The head of the room in the context.
#[component]
pub fn RoomHead(
    /// The embed has no way back to a lobby.
    compact: bool,
    /// Whether the people are shown.
    people: RwSignal<bool>,
) -> impl IntoView {
    let model = expect_context::<RoomModel>();
    let lang = use_lang();
    let user = use_session().user();
    let name = move || room_name(&model, user.with(|user| user.as_ref().map(|user| user.id)));
    let topic = move || {
        model
            .room
            .with(|room| room.as_ref().map(|room| room.topic.clone()))
            .filter(|t| !t.is_empty())
    };
    // Nobody is here before it is known who is: the reader is one of them.
    let count = Memo::new(move |_| {
        let count = model.presence.with(|presence| presence.count);
        (count > 0).then_some(count)
    });
    let here = move || match count.get() {
        Some(count) => counted(lang.get(), Key::OneHere, Key::ManyHere, count.into()),
        None => text(lang.get(), Key::People).to_owned(),
    };
    name_room(Signal::derive(name), model);
    let alone = move || format!("{} · {}", text(lang.get(), Key::OpenInWindow), name());
    view! {
        <header class="room__head">
            {(!compact).then(|| view! {
                <a class="icon-button icon-button--back" href=routes::LOBBY aria-label=tr(Key::ToLobby)>
                    <Icon name=IconName::Back/>
                </a>
            })}
            <div class="room__title">
                <h1 class="room__name"><bdi>{name}</bdi></h1>
                {move || topic().map(|topic| view! { <p class="room__topic"><bdi>{topic}</bdi></p> })}
            </div>
            <InviteButton/>
            <button
                class="icon-button icon-button--labelled"
                type="button"
                hidden=move || matches!(model.status.get(), RoomStatus::Refused(_))
                title=here
                aria-expanded=move || people.get().to_string()
                data-testid=test_ids::WHO
                on:click=move |_| people.update(|shown| *shown = !*shown)
            >
                <Icon name=IconName::Users/>
                <span aria-hidden="true">{move || count.get()}</span>
                <span class="visually-hidden">{here}</span>
            </button>
            {compact.then(|| view! {
                <a
                    class="icon-button"
                    href=routes::room(model.id())
                    target="_blank"
                    rel="noopener"
                    aria-label=alone
                >
                    <Icon name=IconName::External/>
                </a>
            })}
        </header>
    }
}

/// A direct room has the name of the other one.
fn room_name(model: &RoomModel, reader: Option<UserId>) -> String {
    let peer = || {
        model.members.with(|members| {
            let other = members
                .listed
                .iter()
                .find(|member| Some(member.user.id) != reader);
            other.map(|member| member.user.name.clone())
        })
    };
    let named = model
        .room
        .with(|room| room.as_ref().map(|room| (room.kind, room.name.clone())));
    match named {
        Some((RoomKind::Direct, _)) => peer().unwrap_or_default(),
        Some((_, name)) => name,
        None => String::new(),
    }
}
