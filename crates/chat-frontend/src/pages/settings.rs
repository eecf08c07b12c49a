//! Settings: who one is, how the pages look, where one is signed in.

use chat_types::account::{ChangePassword, Empty as Nothing, Me, Session as Device};
use chat_types::endpoint::{GetMe, ListSessions, RevokeSession, SetPassword, SignOutEverywhere};
use chat_types::event::{User, UserKind};
use chat_types::id::SessionId;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::api::http::ApiError;
use crate::api::time;
use crate::i18n::{Key, fill, text, tr, use_lang};
use crate::routes::{self, Page};
use crate::state::device;
use crate::state::load::Load;
use crate::state::navigation::use_navigation;
use crate::state::session::use_session;
use crate::test_ids;
use crate::ui::avatar::{Avatar, AvatarSize};
use crate::ui::dialog::Dialog;
use crate::ui::empty::Empty;
use crate::ui::field::{Field, field_error, other_error};
use crate::ui::icons::{Icon, IconName};
use crate::ui::look::{LangSelect, ThemeSelect};
use crate::ui::notice::{ProblemNotice, in_words};
use crate::ui::sidebar::{Sidebar, kind_words};
use crate::ui::skeleton::SkeletonLines;
use crate::ui::title::name_page_by;

/// Settings. A visitor can choose the looks.
#[component]
pub fn SettingsPage() -> impl IntoView {
    name_page_by(Key::Settings);
    let session = use_session();
    let user = session.user();
    let account = Memo::new(move |_| {
        user.with(|user| {
            user.as_ref()
                .is_some_and(|user| user.kind == UserKind::Account)
        })
    });
    let known = Memo::new(move |_| user.with(Option::is_some));
    view! {
        <div class="app__frame app__frame--page">
            <Sidebar/>
            <main class="app__main" id="content">
                <div class="app__page app__page--narrow">
                    <header class="topbar">
                        <a
                            class="icon-button icon-button--back"
                            href=routes::LOBBY
                            aria-label=tr(Key::ToLobby)
                        >
                            <Icon name=IconName::Back/>
                        </a>
                        <h1 class="page-title">{tr(Key::Settings)}</h1>
                    </header>
                    {move || match user.get() {
                        Some(user) => view! { <Profile user/> }.into_any(),
                        None => view! { <NotSignedIn/> }.into_any(),
                    }}
                    <Appearance/>
                    {move || known.get().then(|| view! { <Devices/> })}
                    {move || account.get().then(|| view! { <PasswordForm/> })}
                    {move || known.get().then(|| view! { <SignOutButtons account/> })}
                </div>
            </main>
        </div>
    }
}

#[component]
fn NotSignedIn() -> impl IntoView {
    let lang = use_lang();
    let words = move |key| Signal::derive(move || text(lang.get(), key).to_owned());
    view! {
        <div class="card">
            <Empty
                icon=IconName::Lock
                title=words(Key::SignInFirst)
                text=words(Key::SignInFirstText)
            >
                <a class="button button--primary" href=routes::SIGN_IN>{tr(Key::SignIn)}</a>
            </Empty>
        </div>
    }
}

/// Who one is. A guest is shown the way to an account.
#[component]
fn Profile(user: User) -> impl IntoView {
    let guest = user.kind == UserKind::Guest;
    view! {
        <section class="card profile">
            <Avatar name=Signal::stored(user.name.clone()) size=AvatarSize::Large/>
            <div class="profile__text">
                <p class="profile__name">
                    <bdi>{user.name}</bdi>
                    <span class="tag">{tr(kind_words(user.kind))}</span>
                </p>
                {if guest {
                    view! { <p class="profile__hint">{tr(Key::GuestHint)}</p> }.into_any()
                } else {
                    view! { <SignInName/> }.into_any()
                }}
            </div>
        </section>
        {guest.then(|| {
            view! {
                <div class="notice notice--accent">
                    <p class="notice__text">{tr(Key::GuestNotice)}</p>
                    <a
                        class="button button--primary button--small"
                        href=routes::REGISTER
                        data-testid=test_ids::REGISTER_OPEN
                    >
                        {tr(Key::CreateAccount)}
                    </a>
                </div>
            }
        })}
    }
}

/// The name that an account signs in with.
#[component]
fn SignInName() -> impl IntoView {
    let session = use_session();
    let lang = use_lang();
    let me = RwSignal::new(None::<Me>);
    Effect::new(move |_| {
        spawn_local(async move {
            if let Ok(found) = session.call::<GetMe>(&[], &Nothing {}, &Nothing {}).await {
                me.try_set(Some(found));
            }
        });
    });
    let words = move || {
        let username = me.get()?.username?;
        Some(fill(
            text(lang.get(), Key::AccountHint),
            &[("username", &username)],
        ))
    };
    view! { <p class="profile__hint">{words}</p> }
}

#[component]
fn Appearance() -> impl IntoView {
    view! {
        <section class="section">
            <h2 class="section__title">{tr(Key::Appearance)}</h2>
            <div class="card">
                <div class="setting">
                    <label class="setting__text setting__name" for="setting-lang">
                        {tr(Key::Language)}
                    </label>
                    <LangSelect id="setting-lang"/>
                </div>
                <div class="setting">
                    <label class="setting__text setting__name" for="setting-theme">
                        {tr(Key::Theme)}
                    </label>
                    <ThemeSelect id="setting-theme"/>
                </div>
            </div>
        </section>
    }
}

/// Where one is signed in.
#[component]
fn Devices() -> impl IntoView {
    let session = use_session();
    let lang = use_lang();
    let devices = RwSignal::new(Load::<Vec<Device>>::Waiting);
    let problem = RwSignal::new(None::<ApiError>);
    let load = move || {
        spawn_local(async move {
            let list = session
                .call::<ListSessions>(&[], &Nothing {}, &Nothing {})
                .await;
            devices.try_set(list.map(|list| list.sessions).into());
        });
    };
    let revoke = Callback::new(move |id: SessionId| {
        spawn_local(async move {
            let path = [("session", id.to_string())];
            let ended = session
                .call::<RevokeSession>(&path, &Nothing {}, &Nothing {})
                .await;
            problem.try_set(ended.err());
            load();
        });
    });
    Effect::new(move |_| load());
    view! {
        <section class="section">
            <h2 class="section__title">{tr(Key::Devices)}</h2>
            <ProblemNotice error=problem/>
            <div class="card">
                {move || match devices.get() {
                    Load::Waiting => view! { <SkeletonLines count=2/> }.into_any(),
                    Load::Failed(error) => view! {
                        <p class="field__error" role="alert">{move || in_words(lang.get(), &error)}</p>
                    }
                    .into_any(),
                    Load::Ready(list) => list
                        .into_iter()
                        .map(|device| view! { <DeviceRow device revoke/> })
                        .collect_view()
                        .into_any(),
                }}
            </div>
        </section>
    }
    .into_any()
}

#[component]
fn DeviceRow(device: Device, revoke: Callback<SessionId>) -> impl IntoView {
    let lang = use_lang();
    let (id, current, last_used_at) = (device.id, device.current, device.last_used_at);
    let known = device::in_words(&device.device);
    let name = Signal::derive(move || {
        known
            .clone()
            .unwrap_or_else(|| text(lang.get(), Key::UnknownDevice).to_owned())
    });
    let used = move || {
        let when = time::in_full(lang.get(), last_used_at);
        fill(text(lang.get(), Key::LastUsed), &[("when", &when)])
    };
    let label =
        move || name.with(|name| fill(text(lang.get(), Key::SignOutDevice), &[("device", name)]));
    view! {
        <div class="setting">
            <div class="setting__text">
                <p class="setting__name">
                    <bdi>{name}</bdi>
                    {current.then(|| {
                        view! { <span class="tag tag--staff">{tr(Key::ThisDevice)}</span> }
                    })}
                </p>
                <p class="setting__hint">{used}</p>
            </div>
            {(!current).then(|| {
                view! {
                    <button
                        class="button button--small button--danger"
                        type="button"
                        aria-label=label
                        on:click=move |_| revoke.run(id)
                    >
                        {tr(Key::SignOut)}
                    </button>
                }
            })}
        </div>
    }
}

#[component]
fn PasswordForm() -> impl IntoView {
    let session = use_session();
    let current = RwSignal::new(String::new());
    let new = RwSignal::new(String::new());
    let error = RwSignal::new(None::<ApiError>);
    let (pending, done) = (RwSignal::new(false), RwSignal::new(false));
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if pending.get_untracked() {
            return;
        }
        pending.set(true);
        done.set(false);
        error.set(None);
        let body = ChangePassword {
            current: current.get_untracked(),
            new: new.get_untracked(),
        };
        spawn_local(async move {
            let changed = session.call::<SetPassword>(&[], &Nothing {}, &body).await;
            pending.try_set(false);
            if changed.is_ok() {
                current.try_set(String::new());
                new.try_set(String::new());
                done.try_set(true);
            }
            error.try_set(changed.err());
        });
    };
    view! {
        <section class="section">
            <h2 class="section__title">{tr(Key::ChangePassword)}</h2>
            <form class="card form" on:submit=submit>
                <ProblemNotice error=other_error(error, &["current", "new"])/>
                {move || {
                    done.get().then(|| {
                        view! {
                            <p class="notice notice--accent" role="status">
                                {tr(Key::PasswordChanged)}
                            </p>
                        }
                    })
                }}
                <Field
                    id="password-current"
                    label=Key::CurrentPassword
                    value=current
                    error=field_error(error, "current")
                    kind="password"
                    autocomplete="current-password"
                />
                <Field
                    id="password-new"
                    label=Key::NewPassword
                    value=new
                    hint=Key::PasswordHint
                    error=field_error(error, "new")
                    kind="password"
                    autocomplete="new-password"
                />
                <div class="form__actions">
                    <button
                        class="button button--primary"
                        aria-busy=move || pending.get().then_some("true")
                    >
                        {tr(Key::Change)}
                    </button>
                </div>
            </form>
        </section>
    }
    .into_any()
}

/// What a person is about to end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Here,
    Everywhere,
}

/// Signs out here or everywhere. Where something is lost by it, it asks first.
#[component]
fn SignOutButtons(account: Memo<bool>) -> impl IntoView {
    let session = use_session();
    let navigation = use_navigation();
    let error = RwSignal::new(None::<ApiError>);
    let (asking_guest, asking_all) = (RwSignal::new(false), RwSignal::new(false));
    let end = Callback::new(move |ending: Ending| {
        spawn_local(async move {
            let ended = match ending {
                Ending::Here => {
                    session.sign_out();
                    Ok(())
                }
                Ending::Everywhere => {
                    let ended = session
                        .call::<SignOutEverywhere>(&[], &Nothing {}, &Nothing {})
                        .await;
                    if ended.is_ok() {
                        session.forget();
                    }
                    ended.map(|_| ())
                }
            };
            match ended {
                Ok(()) => navigation.go(Page::Lobby),
                Err(problem) => {
                    error.try_set(Some(problem));
                }
            }
        });
    });
    let sign_out = move |_| {
        if account.get_untracked() {
            end.run(Ending::Here);
        } else {
            asking_guest.set(true);
        }
    };
    view! {
        <section class="section">
            <ProblemNotice error/>
            <div class="form__actions">
                <button
                    class="button button--quiet"
                    type="button"
                    data-testid=test_ids::SIGN_OUT
                    on:click=sign_out
                >
                    <Icon name=IconName::SignOut/>
                    {tr(Key::SignOut)}
                </button>
                {move || {
                    account.get().then(|| {
                        view! {
                            <button
                                class="button button--danger"
                                type="button"
                                on:click=move |_| asking_all.set(true)
                            >
                                {tr(Key::SignOutEverywhere)}
                            </button>
                        }
                    })
                }}
            </div>
            <Question
                open=asking_guest
                title=Key::SignOutGuestTitle
                words=Key::SignOutGuestText
                answer=Key::SignOut
                confirm=Callback::new(move |()| end.run(Ending::Here))
            />
            <Question
                open=asking_all
                title=Key::SignOutEverywhere
                words=Key::SignOutEverywhereText
                answer=Key::SignOutEverywhere
                confirm=Callback::new(move |()| end.run(Ending::Everywhere))
            />
        </section>
    }
    .into_any()
}

/// Asks before something that cannot be undone.
#[component]
fn Question(
    open: RwSignal<bool>,
    title: Key,
    words: Key,
    answer: Key,
    confirm: Callback<()>,
) -> impl IntoView {
    view! {
        <Dialog open title>
            <p class="dialog__text">{tr(words)}</p>
            <div class="form__actions">
                <button
                    class="button button--quiet"
                    type="button"
                    on:click=move |_| open.set(false)
                >
                    {tr(Key::Cancel)}
                </button>
                <button
                    class="button button--danger"
                    type="button"
                    data-testid=test_ids::CONFIRM
                    on:click=move |_| {
                        open.set(false);
                        confirm.run(());
                    }
                >
                    {tr(answer)}
                </button>
            </div>
        </Dialog>
    }
}
