//! Joining as a guest: a name is offered, one click takes it.

use chat_types::problem::ErrorCode;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::api::http::ApiError;
use crate::i18n::{Key, text, tr, use_lang};
use crate::state::session::{Session, use_session};
use crate::test_ids;
use crate::ui::avatar::{Avatar, AvatarSize};
use crate::ui::icons::{Icon, IconName};
use crate::ui::notice::in_words;

/// What a visitor is about to join with.
#[derive(Clone, Copy)]
struct Joining {
    session: Session,
    name: RwSignal<String>,
    /// The visitor has been in the field: it is theirs from then on.
    touched: RwSignal<bool>,
    error: RwSignal<Option<ApiError>>,
    /// The name that was offered before belongs to somebody else by now.
    replaced: RwSignal<bool>,
    pending: RwSignal<bool>,
}

impl Joining {
    fn new() -> Self {
        Self {
            session: use_session(),
            name: RwSignal::new(String::new()),
            touched: RwSignal::new(false),
            error: RwSignal::new(None),
            replaced: RwSignal::new(false),
            pending: RwSignal::new(false),
        }
    }

    /// Offers a name, unless the visitor is typing one: nothing is put into a field that somebody,
    /// perhaps in the middle of a syllable, writes in.
    async fn offer(self) {
        if let Ok(offered) = self.session.offer_name().await {
            // Gone with its page: nobody needs a name there any more.
            let free = self.touched.try_get_untracked() == Some(false);
            let _ = self.name.try_update(|name| {
                if free && name.is_empty() {
                    *name = offered;
                }
            });
        }
    }

    async fn offer_another(self) {
        self.replaced.set(false);
        match self.session.offer_name().await {
            Ok(offered) => {
                self.name.try_set(offered);
                self.error.try_set(None);
            }
            Err(error) => {
                self.error.try_set(Some(error));
            }
        }
    }

    async fn join(self) {
        if self.pending.get_untracked() {
            return;
        }
        self.pending.set(true);
        self.error.set(None);
        self.replaced.set(false);
        let offered = !self.touched.get_untracked();
        match self.session.join(self.name.get_untracked()).await {
            // It was free when it was offered, and nobody chose it: there are others.
            Err(error) if offered && error.code == ErrorCode::NameTaken => {
                self.offer_another().await;
                let replaced = self.error.try_with_untracked(Option::is_none);
                self.replaced.try_set(replaced == Some(true));
            }
            joined => {
                self.error.try_set(joined.err());
            }
        }
        self.pending.try_set(false);
    }
}

/// The form with which a visitor joins.
#[component]
pub fn JoinForm(
    /// The bar in the place of a room's composer, instead of the lobby's card.
    #[prop(optional)]
    bar: bool,
) -> impl IntoView {
    let joining = Joining::new();
    let lang = use_lang();
    Effect::new(move |_| {
        if joining.session.restored().get() && joining.session.user().get_untracked().is_none() {
            spawn_local(joining.offer());
        }
    });
    let error = Memo::new(move |_| {
        if joining.replaced.get() {
            return Some(text(lang.get(), Key::NameReplaced).to_owned());
        }
        let error = joining.error.get()?;
        Some(in_words(lang.get(), &error))
    });
    let join = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        spawn_local(joining.join());
    };
    let invitation = Memo::new(move |_| {
        if joining.session.ended().get() {
            Key::StoppedSession
        } else {
            Key::JoinInvitation
        }
    });
    if bar {
        view! {
            <form class="join-bar" on:submit=join>
                {move || match error.get() {
                    Some(words) => {
                        view! { <p class="join-bar__text join-bar__text--error" role="alert">{words}</p> }
                            .into_any()
                    }
                    None => view! { <p class="join-bar__text" role="status">{tr(invitation.get())}</p> }.into_any(),
                }}
                <Avatar name=joining.name/>
                <NameInput joining/>
                <JoinButton joining label=Key::Join/>
            </form>
        }
        .into_any()
    } else {
        view! {
            <form class="join-card" on:submit=join>
                <div class="join-card__who">
                    <Avatar name=joining.name size=AvatarSize::Large/>
                    <div class="field">
                        <label class="field__label" for="join-name">{tr(Key::Nickname)}</label>
                        <NameInput joining/>
                    </div>
                </div>
                {move || {
                    error.get().map(|words| {
                        view! {
                            <p class="field__error" role="alert">
                                <Icon name=IconName::Alert small=true/>
                                {words}
                            </p>
                        }
                    })
                }}
                <JoinButton joining label=Key::JoinAsGuest/>
            </form>
        }
        .into_any()
    }
}

/// The name, with the offer of another one.
#[component]
fn NameInput(
    /// What is about to be joined with.
    joining: Joining,
) -> impl IntoView {
    view! {
        <div class="join-bar__name">
            <input
                class="input"
                id="join-name"
                data-testid=test_ids::JOIN_NAME
                autocomplete="nickname"
                spellcheck="false"
                aria-label=tr(Key::Nickname)
                aria-invalid=move || joining.error.with(Option::is_some).then_some("true")
                on:focus=move |_| joining.touched.set(true)
                bind:value=joining.name
            />
            <button
                class="icon-button join-bar__shuffle"
                type="button"
                aria-label=tr(Key::SuggestName)
                on:click=move |_| spawn_local(joining.offer_another())
            >
                <Icon name=IconName::Shuffle/>
            </button>
        </div>
    }
}

/// Joins. It waits until the page is alive, so that no click is lost.
#[component]
fn JoinButton(
    /// What is about to be joined with.
    joining: Joining,
    /// What it says.
    label: Key,
) -> impl IntoView {
    view! {
        <button
            class="button button--primary button--wide"
            data-testid=test_ids::JOIN
            disabled=move || !joining.session.restored().get()
            aria-busy=move || joining.pending.get().then_some("true")
        >
            {tr(label)}
        </button>
    }
}
