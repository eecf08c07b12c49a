//! A room in a list.

use chat_types::room::{RoomKind, RoomSummary};
use leptos::prelude::*;

use crate::api::time;
use crate::i18n::{Key, Lang, counted, text, use_lang};
use crate::state::my_rooms::unread;
use crate::ui::avatar::Avatar;
use crate::ui::icons::{Icon, IconName};
use crate::{routes, test_ids};

/// Numbers above this are shown as "99+".
const BADGE_MAX: u64 = 99;

/// A link to a room: its face, name, what it is about, and what is unread.
#[component]
pub fn RoomLink(
    /// The room.
    summary: RoomSummary,
    /// Whether it is the room on the screen.
    #[prop(into)]
    current: Signal<bool>,
) -> impl IntoView {
    let lang = use_lang();
    let unread = unread(&summary);
    let class = if unread > 0 {
        "room-link room-link--unread"
    } else {
        "room-link"
    };
    let id = summary.room.id;
    let last_at = summary.last_at;
    let face = face(&summary);
    let named = summary.clone();
    view! {
        <li>
            <a
                class=class
                href=routes::room(id)
                data-testid=test_ids::ROOM_LINK
                data-room-id=id.to_string()
                aria-current=move || current.get().then_some("page")
            >
                {face}
                <span class="room-link__text">
                    <bdi class="room-link__name">{move || name(lang.get(), &named)}</bdi>
                    <bdi class="room-link__meta">{move || about(lang.get(), &summary)}</bdi>
                </span>
                <span class="room-link__end">
                    {last_at.map(|at| {
                        view! {
                            <time datetime=time::machine(at)>
                                {move || time::short(lang.get(), at)}
                            </time>
                        }
                    })}
                    {(unread > 0).then(|| view! { <UnreadBadge count=unread/> })}
                </span>
            </a>
        </li>
    }
    .into_any()
}

/// How much is unread.
#[component]
fn UnreadBadge(
    /// How many messages.
    count: u64,
) -> impl IntoView {
    let lang = use_lang();
    let shown = if count > BADGE_MAX {
        format!("{BADGE_MAX}+")
    } else {
        count.to_string()
    };
    view! {
        <span class="badge">
            <span aria-hidden="true">{shown}</span>
            <span class="visually-hidden">
                {move || counted(lang.get(), Key::OneUnread, Key::ManyUnread, count)}
            </span>
        </span>
    }
}

/// The room's name; in a direct room, the other one's.
pub fn name(lang: Lang, summary: &RoomSummary) -> String {
    let name = match (&summary.peer, summary.room.kind) {
        (Some(peer), RoomKind::Direct) => &peer.name,
        _ => &summary.room.name,
    };
    if name.is_empty() {
        text(lang, Key::UnnamedRoom).to_owned()
    } else {
        name.clone()
    }
}

fn about(lang: Lang, summary: &RoomSummary) -> String {
    if !summary.room.topic.is_empty() {
        return summary.room.topic.clone();
    }
    match summary.room.kind {
        RoomKind::Direct => text(lang, Key::DirectMessage).to_owned(),
        _ if summary.members_count == 0 => text(lang, Key::NoMembers).to_owned(),
        _ => counted(
            lang,
            Key::OneMember,
            Key::Members,
            u64::from(summary.members_count),
        ),
    }
}

fn face(summary: &RoomSummary) -> AnyView {
    if let Some(peer) = &summary.peer {
        let name = peer.name.clone();
        return view! { <Avatar name=Signal::stored(name)/> }.into_any();
    }
    view! {
        <span class="room-link__icon">
            <Icon name=icon(summary.room.kind)/>
        </span>
    }
    .into_any()
}

/// The icon of a kind of room.
pub const fn icon(kind: RoomKind) -> IconName {
    match kind {
        RoomKind::Page => IconName::Page,
        RoomKind::Private => IconName::Lock,
        RoomKind::Direct => IconName::Chat,
        RoomKind::Public | RoomKind::Unknown => IconName::Hash,
    }
}

#[cfg(test)]
mod tests {
    use chat_types::event::{User, UserKind};

    use super::*;
    use crate::state::my_rooms::tests::summary;

    #[test]
    fn a_direct_room_is_named_after_the_other_one() {
        let mut direct = summary(1, 0, 0);
        direct.room.kind = RoomKind::Direct;
        direct.room.name = String::new();
        direct.peer = Some(User {
            id: "00000000-0000-4000-8000-0000000000aa".parse().unwrap(),
            name: "민아".to_owned(),
            kind: UserKind::Account,
        });
        assert_eq!(name(Lang::En, &direct), "민아");
    }

    #[test]
    fn a_room_without_a_topic_tells_its_members() {
        let mut room = summary(1, 0, 0);
        room.members_count = 0;
        assert_eq!(about(Lang::En, &room), "Be the first");
        room.members_count = 2;
        assert_eq!(about(Lang::En, &room), "2 members");
        room.room.topic = "walks".to_owned();
        assert_eq!(about(Lang::En, &room), "walks");
    }
}
