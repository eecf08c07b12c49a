//! A modal dialog on the browser's own `<dialog>`, which keeps the focus in and gives it back.

use leptos::html;
use leptos::prelude::*;

use crate::i18n::{Key, tr};
use crate::ui::icons::{Icon, IconName};

/// A dialog. Its content is made anew each time it opens.
#[component]
pub fn Dialog(
    /// Whether it is open.
    open: RwSignal<bool>,
    /// What it is about.
    title: Key,
    /// What is in it.
    children: ChildrenFn,
) -> impl IntoView {
    let node = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let (Some(dialog), wanted) = (node.get(), open.get()) else {
            return;
        };
        // After the content is there, so that the browser finds what to focus.
        request_animation_frame(move || match (wanted, dialog.open()) {
            // It fails only for a dialog that has left the page, where nobody waits for it.
            (true, false) => drop(dialog.show_modal()),
            (false, true) => dialog.close(),
            _ => {}
        });
    });
    view! {
        <dialog
            class="dialog"
            node_ref=node
            aria-label=tr(title)
            on:close=move |_| open.set(false)
            on:click=move |event| {
                // The dialog itself is hit only beside its content: on the veil.
                if event.target() == event.current_target() {
                    open.set(false);
                }
            }
        >
            <div class="dialog__box">
                <div class="dialog__head">
                    <h2 class="dialog__title">{tr(title)}</h2>
                    <button
                        class="icon-button"
                        type="button"
                        aria-label=tr(Key::Close)
                        on:click=move |_| open.set(false)
                    >
                        <Icon name=IconName::Close/>
                    </button>
                </div>
                {move || open.get().then(|| children())}
            </div>
        </dialog>
    }
    .into_any()
}
