//! Says that the connection is gone, once that has lasted; short losses are not worth a word.

use std::time::Duration;

use chat_client::{ConnectionState, Input, StopReason};
use leptos::prelude::*;

use crate::api::document;
use crate::i18n::{Key, tr};
use crate::state::connection::use_connection;
use crate::test_ids;

/// How long a loss lasts before it is told.
const PATIENCE: Duration = Duration::from_secs(2);

/// The banner under the room's head.
#[component]
pub fn ConnectionBanner() -> impl IntoView {
    let connection = use_connection();
    let state = connection.state();
    let lasting = RwSignal::new(false);
    let trying = Memo::new(move |_| {
        matches!(
            state.get(),
            ConnectionState::Connecting | ConnectionState::Reconnecting { .. }
        )
    });
    Effect::new(move |_| {
        lasting.set(false);
        if trying.get() {
            let timer = set_timeout_with_handle(
                move || {
                    lasting.try_set(true);
                },
                PATIENCE,
            );
            on_cleanup(move || {
                if let Ok(timer) = timer {
                    timer.clear();
                }
            });
        }
    });
    let upgrade = connection.upgrade_needed();
    let words = Memo::new(move |_| match state.get() {
        _ if upgrade.get() => Some(Key::StoppedVersion),
        ConnectionState::Connecting => lasting.get().then_some(Key::Connecting),
        ConnectionState::Reconnecting { .. } => lasting.get().then_some(Key::Reconnecting),
        ConnectionState::Stopped(reason) => stopped(reason),
        ConnectionState::Online | ConnectionState::Paused => None,
    });
    move || {
        words.get().map(|words| {
            let way = Way::out_of(words);
            let go = move |_| match way {
                Way::Wake => connection.feed(Input::Wake),
                Way::Start => connection.feed(Input::Start),
                Way::Reload => document::reload(),
            };
            view! {
                <div class="banner room__banner" role="status" data-testid=test_ids::CONNECTION_BANNER>
                    {tr(words)}
                    <button class="banner__action" type="button" data-testid=test_ids::RETRY_NOW on:click=go>
                        {tr(way.words())}
                    </button>
                </div>
            }
        })
    }
}

/// What a person can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Try at once instead of at the end of the pause.
    Wake,
    /// Try again although the server said to stop.
    Start,
    /// Load the page anew, for a newer program.
    Reload,
}

impl Way {
    const fn out_of(words: Key) -> Self {
        match words {
            Key::Connecting | Key::Reconnecting => Self::Wake,
            Key::StoppedVersion => Self::Reload,
            _ => Self::Start,
        }
    }

    const fn words(self) -> Key {
        match self {
            Self::Wake => Key::RetryNow,
            Self::Start => Key::TryAgain,
            Self::Reload => Key::Reload,
        }
    }
}

const fn stopped(reason: StopReason) -> Option<Key> {
    Some(match reason {
        StopReason::NotStarted => return None,
        StopReason::SignedOut => Key::StoppedSession,
        StopReason::Banned => Key::StoppedBanned,
        StopReason::UnsupportedVersion => Key::StoppedVersion,
        StopReason::OriginRefused => Key::StoppedOrigin,
        StopReason::Refused(_) => Key::Stopped,
    })
}
