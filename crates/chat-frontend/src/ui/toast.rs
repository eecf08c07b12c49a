//! What went wrong with something that has no place of its own on the screen, and the operator's
//! words. Said politely, one at a time, and gone by itself unless an operator said it.

use std::time::Duration;

use chat_client::{FailedCommand, Failure};
use leptos::prelude::*;

use crate::i18n::{Key, Lang, text, tr, trouble, use_lang};
use crate::state::connection::use_connection;
use crate::test_ids;
use crate::ui::icons::{Icon, IconName};

/// A failure is shown for this long.
const SHOWN: Duration = Duration::from_secs(10);

/// The place of the page where such things are said.
#[component]
pub fn Toast() -> impl IntoView {
    let connection = use_connection();
    let lang = use_lang();
    let (failures, notice) = (connection.failures(), connection.notice());
    let first = Memo::new(move |_| failures.with(|failures| failures.first().cloned()));
    // The next failure may equal the last; its time begins anew all the same.
    let turn = RwSignal::new(0_u32);
    let next = move || {
        // Gone with the page: nobody looks any more.
        let _ = failures.try_update(|failures| failures.drain(..1.min(failures.len())).count());
        let _ = turn.try_update(|turn| *turn = turn.wrapping_add(1));
    };
    Effect::new(move |_| {
        turn.track();
        if first.get().is_some()
            && let Ok(timer) = set_timeout_with_handle(next, SHOWN)
        {
            on_cleanup(move || timer.clear());
        }
    });
    let words = move || match first.get() {
        Some(failure) => Some(in_words(lang.get(), &failure)),
        None => notice.get(),
    };
    let dismiss = move |_| {
        if first.get_untracked().is_some() {
            next();
        } else {
            notice.set(None);
        }
    };
    view! {
        <div class="toasts" role="status">
            {move || words().map(|words| view! {
                <p class="toast" data-testid=test_ids::TOAST>
                    <bdi>{words}</bdi>
                    <button
                        class="icon-button icon-button--small"
                        type="button"
                        aria-label=tr(Key::Dismiss)
                        on:click=dismiss
                    >
                        <Icon name=IconName::Close/>
                    </button>
                </p>
            })}
        </div>
    }
}

fn in_words(lang: Lang, failure: &Failure) -> String {
    let what = match failure.command {
        FailedCommand::Send(_) | FailedCommand::Pin(_) => Key::NotSent,
        FailedCommand::Edit(_) => Key::NotEdited,
        FailedCommand::Delete(_) => Key::NotDeleted,
        FailedCommand::React(_) => Key::NotReacted,
    };
    let why = trouble(lang, failure.code, failure.reason, failure.retry_after_ms);
    format!("{} · {why}", text(lang, what))
}

#[cfg(test)]
mod tests {
    use chat_types::id::{MessageId, RoomId};
    use chat_types::problem::ErrorCode;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_failure_says_what_was_not_done_and_why() {
        let failure = Failure {
            command: FailedCommand::Delete(MessageId::from_uuid(Uuid::nil())),
            room: RoomId::from_uuid(Uuid::nil()),
            code: ErrorCode::Forbidden,
            reason: None,
            retry_after_ms: None,
            body: None,
        };
        assert_eq!(
            in_words(Lang::En, &failure),
            "Not deleted · You are not allowed to do this."
        );
    }
}
