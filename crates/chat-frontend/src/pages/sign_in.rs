//! Signing in, and making an account out of nothing or out of a guest.

use chat_types::event::{User, UserKind};
use chat_types::id::RoomId;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::api::history;
use crate::api::http::ApiError;
use crate::i18n::{Key, fill, text, tr, use_lang};
use crate::routes::{self, Page};
use crate::state::navigation::use_navigation;
use crate::state::session::use_session;
use crate::test_ids;
use crate::ui::field::{Field, field_error, other_error};
use crate::ui::notice::ProblemNotice;
use crate::ui::title::name_page_by;
use crate::ui::topbar::Topbar;

/// What the form is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    SignIn,
    Register,
}

/// Signs in with an account.
#[component]
pub fn SignInPage() -> impl IntoView {
    view! { <AccountPage purpose=Purpose::SignIn/> }
}

/// Makes an account. A guest becomes that account, with id and messages.
#[component]
pub fn RegisterPage() -> impl IntoView {
    view! { <AccountPage purpose=Purpose::Register/> }
}

#[component]
fn AccountPage(purpose: Purpose) -> impl IntoView {
    let (title, question, other, answer) = match purpose {
        Purpose::SignIn => (
            Key::SignIn,
            Key::NoAccountYet,
            routes::REGISTER,
            Key::CreateAccount,
        ),
        Purpose::Register => (
            Key::RegisterTitle,
            Key::AlreadyAccount,
            routes::SIGN_IN,
            Key::SignIn,
        ),
    };
    name_page_by(title);
    view! {
        <div class="app__frame app__frame--plain">
            <main class="app__main" id="content">
                <div class="app__page">
                    <Topbar/>
                    <section class="sign-in">
                        <div>
                            <h1 class="page-title">{tr(title)}</h1>
                            <Lead purpose/>
                        </div>
                        <AccountForm purpose/>
                        <p class="sign-in__switch">
                            {tr(question)} " " <a class="link" href=other>{tr(answer)}</a>
                        </p>
                    </section>
                </div>
            </main>
        </div>
    }
}

/// What will happen; a guest is told what becomes of the guest.
#[component]
fn Lead(purpose: Purpose) -> impl IntoView {
    let lang = use_lang();
    let user = use_session().user();
    let guest = Memo::new(move |_| {
        let user = user.get()?;
        (user.kind == UserKind::Guest).then_some(user.name)
    });
    let words = move || {
        let (plain, with_guest) = match purpose {
            Purpose::SignIn => (Key::SignInLead, Key::SignInLosesGuest),
            Purpose::Register => (Key::RegisterLead, Key::UpgradeLead),
        };
        match guest.get() {
            Some(name) => fill(text(lang.get(), with_guest), &[("name", &name)]),
            None => text(lang.get(), plain).to_owned(),
        }
    };
    view! { <p class="sign-in__lead">{words}</p> }
}

#[component]
fn AccountForm(purpose: Purpose) -> impl IntoView {
    let session = use_session();
    let username = RwSignal::new(String::new());
    let password = RwSignal::new(String::new());
    let display_name = RwSignal::new(String::new());
    let error = RwSignal::new(None::<ApiError>);
    let pending = RwSignal::new(false);
    let navigation = use_navigation();
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if pending.get_untracked() {
            return;
        }
        pending.set(true);
        error.set(None);
        let (name, secret) = (username.get_untracked(), password.get_untracked());
        let shown = Some(display_name.get_untracked()).filter(|name| !name.trim().is_empty());
        let target = target(history::query(routes::ROOM_PARAM).as_deref());
        spawn_local(async move {
            let done = match purpose {
                Purpose::SignIn => session.sign_in(name, secret).await,
                Purpose::Register => session.register(name, secret, shown).await,
            };
            pending.try_set(false);
            match done {
                Ok(()) => navigation.go(target),
                Err(problem) => {
                    error.try_set(Some(problem));
                }
            }
        });
    };
    let registering = purpose == Purpose::Register;
    // A guest has a name already, and keeps it.
    let asks_name = Memo::new(move |_| {
        let guest = |user: &User| user.kind == UserKind::Guest;
        registering && !session.user().with(|user| user.as_ref().is_some_and(guest))
    });
    view! {
        <form class="card form" on:submit=submit>
            <ProblemNotice error=other_error(error, &["username", "password", "name"])/>
            <Field
                id="username"
                label=Key::Username
                value=username
                hint=registering.then_some(Key::UsernameHint)
                error=field_error(error, "username")
                autocomplete="username"
                test_id=test_ids::USERNAME
            />
            <Field
                id="password"
                label=Key::Password
                value=password
                hint=registering.then_some(Key::PasswordHint)
                error=field_error(error, "password")
                kind="password"
                autocomplete=if registering { "new-password" } else { "current-password" }
                test_id=test_ids::PASSWORD
            />
            {move || asks_name.get().then(|| view! {
                <Field
                    id="display-name"
                    label=Key::DisplayName
                    value=display_name
                    hint=Key::DisplayNameHint
                    error=field_error(error, "name")
                    autocomplete="nickname"
                    test_id=test_ids::DISPLAY_NAME
                />
            })}
            <button
                class="button button--primary button--wide"
                data-testid=test_ids::SUBMIT
                disabled=move || !session.restored().get()
                aria-busy=move || pending.get().then_some("true")
            >
                {tr(if registering { Key::CreateAccount } else { Key::SignIn })}
            </button>
        </form>
    }
    .into_any()
}

/// Where to go afterwards: the room where somebody asked to sign in, else the lobby. Only a room id
/// is taken from the address, so that no link can send people elsewhere.
fn target(room: Option<&str>) -> Page {
    room.and_then(|id| id.parse::<RoomId>().ok())
        .map_or(Page::Lobby, Page::Room)
}

#[cfg(test)]
mod tests {
    use super::{Page, target};

    #[test]
    fn signing_in_leads_back_to_the_room() {
        let room = "00000000-0000-4000-8000-000000000001";
        assert_eq!(target(Some(room)), Page::Room(room.parse().unwrap()));
    }

    #[test]
    fn no_address_leads_anywhere_but_to_a_room() {
        assert_eq!(target(Some("//evil.example")), Page::Lobby);
        assert_eq!(target(None), Page::Lobby);
    }
}
