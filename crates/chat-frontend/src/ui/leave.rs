//! The way out of a room, for its members.

use chat_types::account::Empty as Nothing;
use chat_types::endpoint::LeaveRoom;
use chat_types::room::{MembersSummary, Role, RoomKind};
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::api::http::ApiError;
use crate::i18n::{Key, text, tr, use_lang};
use crate::routes::Page;
use crate::state::my_rooms::MyRooms;
use crate::state::navigation::Navigation;
use crate::state::room::RoomModel;
use crate::state::session::use_session;
use crate::test_ids;
use crate::ui::dialog::Dialog;
use crate::ui::icons::{Icon, IconName};
use crate::ui::notice::ProblemNotice;

/// Leaves the room in the context, after a question. A room of two is not left, and the embed has no
/// other page to go to.
#[component]
pub fn LeaveButton() -> impl IntoView {
    let model = expect_context::<RoomModel>();
    let ways = use_context::<Navigation>().zip(use_context::<MyRooms>());
    let (session, lang) = (use_session(), use_lang());
    let open = RwSignal::new(false);
    let error = RwSignal::new(None::<ApiError>);
    let kind = Memo::new(move |_| model.room.with(|room| room.as_ref().map(|room| room.kind)));
    let may = Memo::new(move |_| {
        let left = matches!(
            kind.get(),
            Some(RoomKind::Public | RoomKind::Private | RoomKind::Page)
        );
        left && ways.is_some() && model.role.get().is_some()
    });
    let leave = move |_| {
        let Some((navigation, rooms)) = ways else {
            return;
        };
        spawn_local(async move {
            let path = [("room", model.id().to_string())];
            match session
                .call::<LeaveRoom>(&path, &Nothing {}, &Nothing {})
                .await
            {
                Ok(_) => {
                    rooms.remove(model.id());
                    navigation.go(Page::Lobby);
                }
                Err(problem) => {
                    error.try_set(Some(problem));
                }
            }
        });
    };
    let consequence = move || {
        let key = if kind.get() == Some(RoomKind::Private) {
            Key::LeavePrivateText
        } else if model.role.get() == Some(Role::Owner) && model.members.with(has_one_owner) {
            Key::LeaveOwnedText
        } else {
            Key::LeaveText
        };
        text(lang.get(), key)
    };
    view! {
        <Show when=move || may.get()>
            <button
                class="button button--quiet button--wide"
                type="button"
                data-testid=test_ids::LEAVE
                on:click=move |_| open.set(true)
            >
                <Icon name=IconName::SignOut small=true/>
                {tr(Key::Leave)}
            </button>
        </Show>
        <Dialog open title=Key::LeaveTitle>
            <p class="dialog__text">{consequence}</p>
            <ProblemNotice error/>
            <div class="form__actions">
                <button class="button button--quiet" type="button" on:click=move |_| open.set(false)>
                    {tr(Key::Cancel)}
                </button>
                <button class="button button--danger" type="button" data-testid=test_ids::CONFIRM on:click=leave>
                    {tr(Key::Leave)}
                </button>
            </div>
        </Dialog>
    }
    .into_any()
}

/// Whether the room goes to somebody else with its owner.
fn has_one_owner(members: &MembersSummary) -> bool {
    let listed = &members.listed;
    listed.len() > 1
        && listed
            .iter()
            .filter(|member| member.role == Role::Owner)
            .count()
            == 1
}
