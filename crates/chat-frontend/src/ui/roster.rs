//! Who is here, and who else belongs to the room.

use chat_types::event::User;
use chat_types::room::Role;
use leptos::prelude::*;

use crate::i18n::{Key, tr};
use crate::state::room::RoomModel;
use crate::ui::avatar::{Avatar, AvatarSize};
use crate::ui::icons::{Icon, IconName};
use crate::ui::message::tag;

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
    view! {
        <aside class="roster" aria-label=tr(Key::People)>
            <div class="roster__head">
                <h2 class="roster__title">{tr(Key::People)}</h2>
                <button class="icon-button" type="button" aria-label=tr(Key::Close) on:click=move |_| open.set(false)>
                    <Icon name=IconName::Close/>
                </button>
            </div>
            <Group label=Key::HereNow people=here here=true/>
            <Group label=Key::OtherMembers people=others here=false/>
        </aside>
    }
}

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

#[component]
fn Person(role: Option<Role>, user: User, here: bool) -> impl IntoView {
    let class = if here {
        "person person--here"
    } else {
        "person"
    };
    let tag = tag(role, user.kind).map(|(class, key)| view! { <span class=class>{tr(key)}</span> });
    view! {
        <li>
            <div class=class>
                <span class="person__face">
                    <Avatar name=Signal::stored(user.name.clone()) id=user.id size=AvatarSize::Small/>
                </span>
                <bdi class="person__name">{user.name}</bdi>
                {tag}
            </div>
        </li>
    }
}
