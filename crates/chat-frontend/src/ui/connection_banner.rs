//! Says that the connection is gone, once that has lasted; short losses are not worth a word.

use std::time::Duration;

use chat_client::{ConnectionState, Input, StopReason};
use leptos::prelude::*;

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
    let words = Memo::new(move |_| match state.get() {
        ConnectionState::Connecting => lasting.get().then_some(Key::Connecting),
        ConnectionState::Reconnecting { .. } => lasting.get().then_some(Key::Reconnecting),
        ConnectionState::Stopped(reason) => stopped(reason),
        ConnectionState::Online | ConnectionState::Paused => None,
    });
    move || {
        words.get().map(|words| {
            view! {
                <div class="banner room__banner" role="status" data-testid=test_ids::CONNECTION_BANNER>
                    {tr(words)}
                    <button class="banner__action" type="button" on:click=move |_| connection.feed(Input::Start)>
                        {tr(if trying.get_untracked() { Key::RetryNow } else { Key::TryAgain })}
                    </button>
                </div>
            }
        })
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
