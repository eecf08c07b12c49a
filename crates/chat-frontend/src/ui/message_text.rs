//! A message's text as views: words and links, never HTML.

use leptos::prelude::*;
use web_sys::Url;

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
            Piece::Link { text, href } => {
                let host = disguised_host(&href);
                view! {
                    <a href=href tabindex="-1" target="_blank" rel="noopener noreferrer nofollow ugc">
                        {text}
                    </a>
                    {host.map(|host| view! { <span class="message__host">{format!(" ({host})")}</span> })}
                }
                .into_any()
            }
        })
        .collect_view();
    view! { <bdi class="message__text">{shown}</bdi> }
}

/// The host of an address as the network knows it, where the address writes it in other letters than
/// these: some of them look like those of another host.
fn disguised_host(href: &str) -> Option<String> {
    let host = Url::new(href).ok()?.hostname();
    (host.contains("xn--") && !href.contains(&host)).then_some(host)
}
