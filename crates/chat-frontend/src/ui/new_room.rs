//! Making a room.

use chat_types::room::{CreateRoom, RoomKind};
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::api::http::ApiError;
use crate::i18n::{Key, tr};
use crate::routes::Page;
use crate::state::my_rooms::use_my_rooms;
use crate::state::navigation::use_navigation;
use crate::test_ids;
use crate::ui::dialog::Dialog;
use crate::ui::field::{Field, field_error, other_error};
use crate::ui::icons::Icon;
use crate::ui::notice::ProblemNotice;

/// The dialog that makes a room and goes there.
#[component]
pub fn NewRoomDialog(
    /// Whether it is open.
    open: RwSignal<bool>,
) -> impl IntoView {
    view! {
        <Dialog open title=Key::CreateRoom>
            <NewRoomForm open/>
        </Dialog>
    }
}

#[component]
fn NewRoomForm(open: RwSignal<bool>) -> impl IntoView {
    let name = RwSignal::new(String::new());
    let topic = RwSignal::new(String::new());
    let kind = RwSignal::new(RoomKind::Public);
    let error = RwSignal::new(None::<ApiError>);
    let pending = RwSignal::new(false);
    let rooms = use_my_rooms();
    let navigation = use_navigation();
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if pending.get_untracked() {
            return;
        }
        pending.set(true);
        let room = CreateRoom {
            kind: kind.get_untracked(),
            name: name.get_untracked(),
            topic: topic.get_untracked(),
        };
        spawn_local(async move {
            let made = rooms.create(room).await;
            pending.try_set(false);
            match made {
                Ok(room) => {
                    open.try_set(false);
                    navigation.go(Page::Room(room));
                }
                Err(problem) => {
                    error.try_set(Some(problem));
                }
            }
        });
    };
    view! {
        <form class="form" on:submit=submit>
            <Field
                id="new-room-name"
                label=Key::RoomName
                value=name
                error=field_error(error, "name")
                test_id=test_ids::NEW_ROOM_NAME
                autofocus=true
            />
            <Field id="new-room-topic" label=Key::RoomTopic value=topic error=field_error(error, "topic")/>
            <fieldset class="choice">
                <legend class="field__label">{tr(Key::WhoMayCome)}</legend>
                <KindChoice kind offered=RoomKind::Public name=Key::Everyone hint=Key::EveryoneHint/>
                <KindChoice kind offered=RoomKind::Private name=Key::Invited hint=Key::InvitedHint/>
            </fieldset>
            <ProblemNotice error=other_error(error, &["name", "topic"])/>
            <div class="form__actions">
                <button
                    class="button button--quiet"
                    type="button"
                    on:click=move |_| open.set(false)
                >
                    {tr(Key::Cancel)}
                </button>
                <button
                    class="button button--primary"
                    data-testid=test_ids::SUBMIT
                    aria-busy=move || pending.get().then_some("true")
                >
                    {tr(Key::Create)}
                </button>
            </div>
        </form>
    }
    .into_any()
}

#[component]
fn KindChoice(kind: RwSignal<RoomKind>, offered: RoomKind, name: Key, hint: Key) -> impl IntoView {
    view! {
        <label class="choice__item">
            <input
                class="choice__input"
                type="radio"
                name="room-kind"
                prop:checked=move || kind.get() == offered
                on:change=move |_| kind.set(offered)
            />
            <Icon name=crate::ui::room_link::icon(offered)/>
            <span class="choice__label">
                <span class="choice__name">{tr(name)}</span>
                <span class="choice__text">{tr(hint)}</span>
            </span>
        </label>
    }
}
