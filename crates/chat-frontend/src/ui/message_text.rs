//! A message's text as views: words and links, never HTML.

use leptos::prelude::*;

use crate::state::text::{Piece, pieces};

/// The text of a message.
#[component]
pub fn MessageText(
    /// The text.
    text: String,
) -> impl IntoView {
    let shown = pieces(&text)
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.into_any(),
            Piece::Link { text, href } => view! {
                <a href=href tabindex="-1" target="_blank" rel="noopener noreferrer nofollow ugc">
                    {text}
                </a>
            }
            .into_any(),
        })
        .collect_view();
    view! { <bdi class="message__text">{shown}</bdi> }
}
