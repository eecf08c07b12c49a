//! Writing to somebody in person: whom one shares a room with, found by name.

use std::collections::HashSet;

use chat_types::account::Empty as Nothing;
use chat_types::endpoint::ListMembers;
use chat_types::event::User;
use chat_types::limits::MEMBERS_PAGE;
use chat_types::room::{ListQuery, RoomKind};
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::api::http::ApiError;
use crate::api::words::lower_case;
use crate::i18n::{Key, tr, use_lang};
use crate::state::load::Load;
use crate::state::my_rooms::{MyRooms, use_my_rooms};
use crate::state::navigation::use_navigation;
use crate::state::session::{Session, use_session};
use crate::test_ids;
use crate::ui::dialog::Dialog;
use crate::ui::field::Field;
use crate::ui::notice::in_words;
use crate::ui::roster::{Face, open_direct};
use crate::ui::skeleton::SkeletonLines;

/// People of this many rooms, the newest in use, are offered.
const ROOMS: usize = 8;

/// The dialog that finds somebody and goes to the room with them.
#[component]
pub fn NewDirectDialog(
    /// Whether it is open.
    open: RwSignal<bool>,
) -> impl IntoView {
    view! {
        <Dialog open title=Key::NewDirect>
            <Acquaintances open/>
        </Dialog>
    }
}

#[component]
fn Acquaintances(open: RwSignal<bool>) -> impl IntoView {
    let (session, rooms, navigation, lang) =
        (use_session(), use_my_rooms(), use_navigation(), use_lang());
    let sought = RwSignal::new(String::new());
    let people = RwSignal::new(Load::<Vec<User>>::Waiting);
    spawn_local(async move {
        let found = acquaintances(session, rooms).await;
        people.try_set(found.into());
    });
    let choose = Callback::new(move |user: User| {
        spawn_local(async move {
            open_direct(session, user.id, navigation).await;
            open.try_set(false);
        });
    });
    let list = move || match people.get() {
        Load::Waiting => view! { <SkeletonLines count=3/> }.into_any(),
        Load::Failed(error) => {
            view! { <p class="field__error" role="alert">{in_words(lang.get(), &error)}</p> }
                .into_any()
        }
        Load::Ready(people) if people.is_empty() => {
            view! { <p class="dialog__text">{tr(Key::NoAcquaintances)}</p> }.into_any()
        }
        Load::Ready(people) => {
            let found = named(people, &sought.get());
            let nobody = found.is_empty();
            view! {
                <ul class="people">
                    {found.into_iter().map(|user| view! { <Acquaintance user choose/> }).collect_view()}
                </ul>
                {nobody.then(|| view! { <p class="dialog__text" role="status">{tr(Key::NobodyFound)}</p> })}
            }
            .into_any()
        }
    };
    view! {
        <div class="form">
            <Field
                id="sought"
                label=Key::SoughtName
                value=sought
                test_id=test_ids::SOUGHT
                autofocus=true
            />
            {list}
        </div>
    }
    .into_any()
}

#[component]
fn Acquaintance(user: User, choose: Callback<User>) -> impl IntoView {
    let chosen = user.clone();
    view! {
        <li>
            <button
                class="person"
                type="button"
                data-testid=test_ids::PERSON
                on:click=move |_| choose.run(chosen.clone())
            >
                <Face role=None user/>
            </button>
        </li>
    }
}

/// The people of the reader's rooms, by name, without the reader. A room that cannot be looked into adds
/// nobody.
async fn acquaintances(session: Session, rooms: MyRooms) -> Result<Vec<User>, ApiError> {
    rooms.refresh().await;
    let summaries = match rooms.list().get_untracked() {
        Load::Ready(summaries) => summaries,
        Load::Failed(error) => return Err(error),
        Load::Waiting => Vec::new(),
    };
    let reader = session.user().get_untracked().map(|user| user.id);
    let mut seen: HashSet<_> = reader.into_iter().collect();
    let mut people = Vec::new();
    let query = ListQuery {
        cursor: None,
        limit: Some(MEMBERS_PAGE),
    };
    for summary in summaries
        .iter()
        .filter(|summary| summary.room.kind != RoomKind::Direct)
        .take(ROOMS)
    {
        let path = [("room", summary.room.id.to_string())];
        if let Ok(page) = session
            .call::<ListMembers>(&path, &query, &Nothing {})
            .await
        {
            let members = page.members.into_iter().map(|member| member.user);
            people.extend(members.filter(|user| seen.insert(user.id)));
        }
    }
    people.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(people)
}

/// Those whose names hold what is sought, whatever the case.
fn named(people: Vec<User>, sought: &str) -> Vec<User> {
    let sought = lower_case(sought.trim());
    let fits = |user: &User| lower_case(&user.name).contains(&sought);
    people.into_iter().filter(fits).collect()
}

#[cfg(test)]
mod tests {
    use chat_types::event::UserKind;
    use chat_types::id::UserId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn people_are_found_by_a_part_of_their_name_in_any_case() {
        let people: Vec<User> = ["Mina", "jun", "민아"]
            .into_iter()
            .zip(1..)
            .map(|(name, n)| User {
                id: UserId::from_uuid(Uuid::from_u128(n)),
                name: name.to_owned(),
                kind: UserKind::Guest,
            })
            .collect();
        let names = |sought| {
            let found = named(people.clone(), sought);
            found.into_iter().map(|user| user.name).collect::<Vec<_>>()
        };
        assert_eq!(names(" mi"), ["Mina"]);
        assert_eq!(names("민"), ["민아"]);
        assert_eq!(names("").len(), 3);
        assert!(names("서연").is_empty());
    }
}
