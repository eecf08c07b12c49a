//! What stands in a frame whose room cannot be shown: a small page without scripts, in the reader's
//! language and theme. It may stand in any page, since it holds nothing but the reason.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use leptos::prelude::*;

use super::shell::Head;
use super::sites::SiteError;
use crate::i18n::{Key, text};
use crate::ui::empty::Empty;
use crate::ui::icons::IconName;

/// After how many seconds a frame is loaded again by the browser; each at a moment of its own, so
/// that the readers of a page do not come back as one.
const AGAIN_S: std::ops::Range<u64> = 20..40;

/// Nothing is loaded but the style sheet and its pictures.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors *";

/// Says why there is no room here. What may pass is tried again by the browser: a reload needs no
/// script, leaves no trace in the host page's history, and is one small page.
pub(super) fn refuse(error: SiteError, head: &Head) -> Response {
    let status = match error {
        SiteError::NotFound => StatusCode::NOT_FOUND,
        SiteError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        SiteError::TooMany => StatusCode::TOO_MANY_REQUESTS,
    };
    // Not through the renderer of pages: it adds scripts, for a client that takes over.
    let markup = Owner::new_root(None).with(|| document(error, head).to_html());
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "accept-language"),
    ];
    let mut response = (status, headers, Html(markup)).into_response();
    if error != SiteError::NotFound {
        let again = HeaderValue::from(rand::random_range(AGAIN_S));
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, again.clone());
        headers.insert(header::REFRESH, again);
    }
    response
}

fn document(error: SiteError, head: &Head) -> impl IntoView + use<> {
    let (icon, title, what) = match error {
        SiteError::NotFound => (IconName::Page, Key::NoSuchSite, Key::NoSuchSiteText),
        SiteError::Unavailable | SiteError::TooMany => {
            (IconName::Alert, Key::RoomFailed, Key::ServiceDown)
        }
    };
    let (lang, theme) = (head.lang, head.theme);
    let style = format!("/assets/{}", head.css);
    let words = move |key| Signal::stored(text(lang, key).to_owned());
    view! {
        <!DOCTYPE html>
        <html lang=lang.tag() data-theme=theme>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="robots" content="noindex"/>
                <title inner_html=text(lang, Key::Product)></title>
                <link rel="stylesheet" href=style/>
            </head>
            <body class="frame-notice">
                <main>
                    <Empty icon title=words(title) text=words(what) page=true/>
                </main>
            </body>
        </html>
    }
}
