//! Who is here, and who else belongs to the room.

use chat_types::account::Empty as Nothing;
use chat_types::endpoint::OpenDirectRoom;
use chat_types::event::User;
use chat_types::id::UserId;
use chat_types::room::{OpenDirect, Role};
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::i18n::{Key, counted, fill, text, tr, use_lang};
use crate::routes::Page;
use crate::state::navigation::Navigation;
use crate::state::room::RoomModel;
use crate::state::session::{Session, use_session};
use crate::test_ids;
use crate::ui::avatar::{Avatar, AvatarSize};
use crate::ui::icons::{Icon, IconName};
use crate::ui::message::tag;
use crate::ui::row_keys;

/// More people than this without a single name are a crowd, of which the server tells no names.
const NAMELESS: u64 = 200;

/// The people beside the timeline.
#[component]
pub fn Roster(
    /// Whether it is shown.
    open: RwSignal<bool>,
) -> impl IntoView {
    let model = expect_context::<RoomModel>();
    let role_of = move |user: &User| {
        model.members.with(|members| {
            members
                .listed
                .iter()
                .find(|member| member.user.id == user.id)
                .map(|member| member.role)
        })
    };
    let here = Memo::new(move |_| {
        let users = model.presence.with(|presence| presence.users.clone());
        users
            .into_iter()
            .map(|user| (role_of(&user), user))
            .collect::<Vec<_>>()
    });
    let lang = use_lang();
    // Visitors count as present and have no name. Of a crowd nobody is named, so they cannot be told.
    let nameless = Memo::new(move |_| {
        let (count, named) = model
            .presence
            .with(|presence| (presence.count, presence.users.len()));
        let count = u64::from(count).checked_sub(u64::try_from(named).ok()?)?;
        let told = count > 0 && (named > 0 || count <= NAMELESS);
        told.then(|| counted(lang.get(), Key::OneReader, Key::ManyReaders, count))
    });
    let others = Memo::new(move |_| {
        let here = here.get();
        let absent = |user: &User| here.iter().all(|(_, other)| other.id != user.id);
        model.members.with(|members| {
            let listed = members.listed.iter().filter(|member| absent(&member.user));
            listed
                .map(|member| (Some(member.role), member.user.clone()))
                .collect::<Vec<_>>()
        })
    });
    let close = NodeRef::<html::Button>::new();
    // The pane comes after the room: who opened it by keyboard would have to go all the way there.
    Effect::new(move |_| {
        if let Some(close) = close.get() {
            // Only a detached element cannot be focused.
            let _ = close.focus();
        }
    });
    let leave = move || {
        open.set(false);
        row_keys::focus_first(&format!("[data-testid={}]", test_ids::WHO));
    };
    view! {
        <aside
            class="roster"
            aria-label=tr(Key::People)
            on:keydown=move |event| if event.key() == "Escape" { leave() }
        >
            <div class="roster__head">
                <h2 class="roster__title">{tr(Key::People)}</h2>
                <button class="icon-button" type="button" aria-label=tr(Key::Close) node_ref=close on:click=move |_| leave()>
                    <Icon name=IconName::Close/>
                </button>
            </div>
            <Group label=Key::HereNow people=here here=true/>
            {move || nameless.get().map(|words| view! { <p class="roster__note">{words}</p> })}
            <Group label=Key::OtherMembers people=others here=false/>
            {leave_button()}
        </aside>
    }
}

/// The way out; the embed has no other page to go to.
#[cfg(any(feature = "ssr", feature = "app"))]
fn leave_button() -> impl IntoView {
    view! {
        <div class="roster__foot">
            <crate::ui::leave::LeaveButton/>
        </div>
    }
}

#[cfg(not(any(feature = "ssr", feature = "app")))]
const fn leave_button() {}

#[component]
fn Group(label: Key, people: Memo<Vec<(Option<Role>, User)>>, here: bool) -> impl IntoView {
    move || {
        let people = people.get();
        (!people.is_empty()).then(|| view! {
            <div class="roster__group">
                <h3 class="roster__label">{tr(label)}" · "{people.len()}</h3>
                <ul>
                    {people.into_iter().map(|(role, user)| view! { <Person role user here/> }).collect_view()}
                </ul>
            </div>
        })
    }
}

/// A person; in the app, the way to a direct room with them.
#[component]
fn Person(role: Option<Role>, user: User, here: bool) -> impl IntoView {
    let session = use_session();
    let lang = use_lang();
    let class = if here {
        "person person--here"
    } else {
        "person"
    };
    let navigation = use_context::<Navigation>();
    let id = user.id;
    let reader = session
        .user()
        .with_untracked(|user| user.as_ref().map(|user| user.id));
    let label = {
        let name = user.name.clone();
        move || fill(text(lang.get(), Key::MessagePerson), &[("name", &name)])
    };
    let open = navigation.filter(|_| reader.is_some_and(|reader| reader != id));
    let face = view! { <Face role user/> };
    match open {
        Some(navigation) => view! {
            <li>
                <button
                    class=class
                    type="button"
                    title=label
                    data-testid=test_ids::PERSON
                    on:click=move |_| spawn_local(open_direct(session, id, navigation))
                >
                    {face}
                </button>
            </li>
        }
        .into_any(),
        None => view! { <li><div class=class>{face}</div></li> }.into_any(),
    }
}

/// A person's face, name and standing.
#[component]
pub(crate) fn Face(role: Option<Role>, user: User) -> impl IntoView {
    let tag = tag(role, user.kind).map(|(class, key)| view! { <span class=class>{tr(key)}</span> });
    view! {
        <span class="person__face">
            <Avatar name=Signal::stored(user.name.clone()) size=AvatarSize::Small/>
        </span>
        <bdi class="person__name">{user.name}</bdi>
        {tag}
    }
}

/// Goes to the direct room. Where it cannot be had, nothing happens: the person may try again.
pub(crate) async fn open_direct(session: Session, user: UserId, navigation: Navigation) {
    if let Ok(summary) = session
        .call::<OpenDirectRoom>(&[], &Nothing {}, &OpenDirect { user })
        .await
    {
        navigation.go(Page::Room(summary.room.id));
    }
}
