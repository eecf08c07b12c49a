//! One room: head, timeline, and where one writes. The app and the embed show the same.

use chat_client::RoomStatus;
use chat_types::decode;
use chat_types::id::RoomId;
use chat_types::problem::ErrorCode;
use chat_types::room::{History, Role};
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::api::{document, host};
use crate::i18n::{Key, text, tr, trouble, use_lang};
use crate::state::compose::Compose;
use crate::state::connection::use_connection;
use crate::state::open_room::tell_list;
use crate::state::room::RoomModel;
use crate::state::session::{Session, use_session};
use crate::test_ids;
use crate::ui::announcer::Announcer;
use crate::ui::composer::Composer;
use crate::ui::connection_banner::ConnectionBanner;
use crate::ui::dialog::Dialog;
use crate::ui::empty::Empty;
use crate::ui::icons::{Icon, IconName};
use crate::ui::join::JoinForm;
use crate::ui::message_actions::Deleting;
use crate::ui::room_head::RoomHead;
use crate::ui::roster::Roster;
use crate::ui::timeline::Timeline;
use crate::ui::typing::Typing;

/// A room, followed for as long as this is shown.
#[component]
pub fn RoomView(
    /// Which room.
    id: RoomId,
    /// In the embed.
    #[prop(optional)]
    compact: bool,
    /// Called when there is no such room, or no longer.
    #[prop(optional, into)]
    gone: Option<Callback<()>>,
) -> impl IntoView {
    let (connection, session) = (use_connection(), use_session());
    let model = RoomModel::new(id, connection);
    let compose = Compose::new(id, session);
    provide_context(model);
    provide_context(compose);
    provide_context(Deleting(RwSignal::new(None)));
    Effect::new(move |_| {
        if connection.started().get() {
            spawn_local(async move { open(&model, session).await });
        }
    });
    // In an effect, so that the server, which has nothing to close, does not.
    Effect::new(move |_| on_cleanup(move || model.close()));
    tell_list(model, connection);
    let people = RwSignal::new(false);
    if let Some(gone) = gone {
        Effect::new(move |_| {
            if model.status.get() == RoomStatus::Refused(ErrorCode::NotFound) {
                gone.run(());
            }
        });
    }
    if compact {
        Effect::new(move |_| host::tell("unread", &model.unseen.get().into()));
    }
    view! {
        <main class="room" id="content">
            <RoomHead compact people/>
            <ConnectionBanner/>
            <Body/>
            <div class="room__foot">
                <Typing/>
                <Foot/>
            </div>
            <Announcer/>
            <DeleteDialog/>
        </main>
        <Show when=move || people.get()>
            <Roster open=people/>
        </Show>
    }
}

/// Opens the room with the page that was fetched beside the module, where it can be used.
async fn open(model: &RoomModel, session: Session) {
    let page = document::head_start(&format!("/rooms/{}/", model.id())).await;
    let page = page.and_then(|text| decode::from_text::<History>(&text));
    // It was fetched without a token, so it cannot know which reactions are the reader's own.
    let visitor = session.user().with_untracked(Option::is_none);
    let usable = |page: &History| {
        visitor
            || page
                .messages
                .iter()
                .all(|message| message.reactions.is_empty())
    };
    model.open(page.filter(usable).map(Box::new));
}

/// The timeline, or why there is none.
#[component]
fn Body() -> impl IntoView {
    let model = expect_context::<RoomModel>();
    let lang = use_lang();
    let refused = Memo::new(move |_| match model.status.get() {
        RoomStatus::Refused(code) => Some(Some(code)),
        RoomStatus::Ended(_) => Some(None),
        RoomStatus::Loading | RoomStatus::Live | RoomStatus::CatchingUp => None,
    });
    move || match refused.get() {
        None => view! { <Timeline/> }.into_any(),
        Some(code) => {
            let words = move || match code {
                Some(code) => trouble(lang.get(), code, None, None),
                None => text(lang.get(), Key::NotFoundText).to_owned(),
            };
            view! {
                <div class="room__body">
                    <Empty
                        icon=IconName::Lock
                        title=Signal::derive(move || text(lang.get(), Key::RoomFailed).to_owned())
                        text=Signal::derive(words)
                        problem=true
                    />
                </div>
            }
            .into_any()
        }
    }
}

/// What a person may do at the foot of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Writes,
    Visits,
    ReadsOnly(Key),
    Nothing,
}

#[component]
fn Foot() -> impl IntoView {
    let model = expect_context::<RoomModel>();
    let session = use_session();
    let standing = Memo::new(move |_| {
        if matches!(
            model.status.get(),
            RoomStatus::Refused(_) | RoomStatus::Ended(_)
        ) {
            return Standing::Nothing;
        }
        let moderates = model
            .role
            .get()
            .is_some_and(|role| role.rank() >= Role::Moderator.rank());
        let closed = model.room.with(|room| {
            room.as_ref().and_then(|room| {
                let read_only = (room.read_only && !moderates).then_some(Key::ReadOnlyRoom);
                if room.archived {
                    Some(Key::Archived)
                } else {
                    read_only
                }
            })
        });
        match closed {
            Some(words) => Standing::ReadsOnly(words),
            None if session.restored().get() && session.user().with(Option::is_none) => {
                Standing::Visits
            }
            None => Standing::Writes,
        }
    });
    move || match standing.get() {
        Standing::Writes => view! { <Composer/> }.into_any(),
        Standing::Visits => view! { <JoinForm bar=true/> }.into_any(),
        Standing::ReadsOnly(words) => view! {
            <p class="composer composer--closed">
                <Icon name=IconName::Lock small=true/>
                {tr(words)}
            </p>
        }
        .into_any(),
        Standing::Nothing => ().into_any(),
    }
}

#[component]
fn DeleteDialog() -> impl IntoView {
    let model = expect_context::<RoomModel>();
    let Deleting(deleting) = expect_context::<Deleting>();
    let open = RwSignal::new(false);
    Effect::new(move |_| {
        if deleting.get().is_some() {
            open.set(true);
        }
    });
    Effect::new(move |_| {
        if !open.get() {
            deleting.set(None);
        }
    });
    let confirm = move |_| {
        if let Some(id) = deleting.get_untracked() {
            model.delete(id);
        }
        open.set(false);
    };
    view! {
        <Dialog open title=Key::DeleteTitle>
            <p class="dialog__text">{tr(Key::DeleteText)}</p>
            <div class="form__actions">
                <button class="button button--quiet" type="button" on:click=move |_| open.set(false)>
                    {tr(Key::Cancel)}
                </button>
                <button class="button button--danger" type="button" data-testid=test_ids::CONFIRM on:click=confirm>
                    {tr(Key::Delete)}
                </button>
            </div>
        </Dialog>
    }
}
