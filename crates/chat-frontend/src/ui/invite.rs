//! The way to ask somebody into a private room: a link, made when it is asked for.

use chat_types::account::Empty as Nothing;
use chat_types::endpoint::NewInvite;
use chat_types::room::{CreateInvite, Role, RoomKind};
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::api::document;
use crate::api::http::ApiError;
use crate::i18n::{Key, tr};
use crate::routes;
use crate::state::room::RoomModel;
use crate::state::session::use_session;
use crate::test_ids;
use crate::ui::dialog::Dialog;
use crate::ui::icons::{Icon, IconName};
use crate::ui::notice::ProblemNotice;

/// The button in the head of a private room, for those who may invite.
#[component]
pub fn InviteButton() -> impl IntoView {
    let model = expect_context::<RoomModel>();
    let open = RwSignal::new(false);
    let may = Memo::new(move |_| {
        let private = model.room.with(|room| {
            room.as_ref()
                .is_some_and(|room| room.kind == RoomKind::Private)
        });
        private
            && model
                .role
                .get()
                .is_some_and(|role| role.rank() >= Role::Moderator.rank())
    });
    view! {
        <Show when=move || may.get()>
            <button
                class="icon-button"
                type="button"
                aria-label=tr(Key::Invite)
                title=tr(Key::Invite)
                data-testid=test_ids::INVITE
                on:click=move |_| open.set(true)
            >
                <Icon name=IconName::Link/>
            </button>
        </Show>
        <Dialog open title=Key::Invite>
            <InviteLink/>
        </Dialog>
    }
}

/// A fresh link and a way to copy it.
#[component]
fn InviteLink() -> impl IntoView {
    let model = expect_context::<RoomModel>();
    let session = use_session();
    let link = RwSignal::new(String::new());
    let error = RwSignal::new(None::<ApiError>);
    let copied = RwSignal::new(false);
    let field = NodeRef::<html::Input>::new();
    Effect::new(move |_| {
        spawn_local(async move {
            let path = [("room", model.id().to_string())];
            match session
                .call::<NewInvite>(&path, &Nothing {}, &CreateInvite { valid_ms: None })
                .await
            {
                Ok(invite) => {
                    link.try_set(document::origin() + &routes::invite(&invite.code));
                }
                Err(problem) => {
                    error.try_set(Some(problem));
                }
            }
        });
    });
    let copy = move |_| {
        if let Some(field) = field.get_untracked() {
            field.select();
            copied.set(document::copy_selection());
        }
    };
    view! {
        <ProblemNotice error/>
        <div class="field">
            <label class="field__label" for="invite-link">{tr(Key::InviteLink)}</label>
            <input
                class="input"
                id="invite-link"
                readonly
                data-testid=test_ids::INVITE_LINK
                node_ref=field
                prop:value=move || link.get()
            />
            <p class="field__hint">{tr(Key::InviteLinkHint)}</p>
        </div>
        <div class="form__actions">
            <span role="status">{move || copied.get().then(tr(Key::Copied))}</span>
            <button class="button button--primary" type="button" on:click=copy>{tr(Key::Copy)}</button>
        </div>
    }
}
