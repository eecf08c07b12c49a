//! The pages: chooses what the shell is told, renders it, and sets the page's policy.

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chat_types::id::{PageKey, SiteKey};
use chat_types::room::OpenPage;
use leptos::IntoView;
use leptos::nonce::Nonce;
use leptos::prelude::{RwSignal, provide_context};

use super::AppState;
use super::headers::content_security_policy;
use super::locale::Look;
use super::shell::{AppShell, AppShellProps, EmbedShell, EmbedShellProps, Head, HeadStart};
use super::sites::SiteError;
use crate::i18n::{Key, LangCtx, text};
use crate::routes::Page;
use crate::state::navigation::Requested;

/// Every page of the app. A path that names nothing gets the same shell, with the status 404.
pub async fn app(
    State(state): State<AppState>,
    Query(look): Query<Look>,
    request: Request,
) -> Response {
    let page = Page::at(request.uri().path());
    let status = match page {
        Some(_) => StatusCode::OK,
        None => StatusCode::NOT_FOUND,
    };
    let head_start = page.and_then(Page::room).map(|room| HeadStart {
        url: format!(
            "{}/v1/rooms/{room}/messages?limit=50",
            state.config().api_base
        ),
        body: None,
    });
    let head = Head {
        artifact: state.assets().manifest().app.clone(),
        own_look: true,
        ..head(&state, &look, request.headers(), head_start)
    };
    let mut response = render(head, request, "'none'", |head| {
        AppShell(AppShellProps { head })
    })
    .await;
    *response.status_mut() = status;
    response
}

/// A page's room, inside that page.
///
/// # Panics
/// Never: two texts can always be written as JSON.
pub async fn embed(
    State(state): State<AppState>,
    Path((site, page)): Path<(String, String)>,
    Query(look): Query<Look>,
    request: Request,
) -> Response {
    let lang = look.lang(request.headers());
    let refuse = |status: StatusCode, key: Key| (status, text(lang, key)).into_response();
    let (Ok(site), Ok(page)) = (site.parse::<SiteKey>(), page.parse::<PageKey>()) else {
        return refuse(StatusCode::NOT_FOUND, Key::NoSuchSite);
    };
    let ancestors = match state.sites().frame_ancestors(&site).await {
        Ok(ancestors) => ancestors,
        Err(SiteError::NotFound) => return refuse(StatusCode::NOT_FOUND, Key::NoSuchSite),
        Err(SiteError::Unavailable) => {
            return refuse(StatusCode::SERVICE_UNAVAILABLE, Key::ServiceDown);
        }
    };
    let open = OpenPage {
        site,
        page,
        title: None,
    };
    let head_start = HeadStart {
        url: format!("{}/v1/pages", state.config().api_base),
        body: Some(serde_json::to_string(&open).expect("two texts can be written as JSON")),
    };
    let head = head(&state, &look, request.headers(), Some(head_start));
    render(head, request, &ancestors, |head| {
        EmbedShell(EmbedShellProps { head })
    })
    .await
}

fn head(state: &AppState, look: &Look, headers: &HeaderMap, head_start: Option<HeadStart>) -> Head {
    let manifest = state.assets().manifest();
    Head {
        nonce: Nonce::new(),
        lang: look.lang(headers),
        theme: look.theme(),
        api_base: state.config().api_base.clone(),
        artifact: manifest.embed.clone(),
        css: manifest.css.clone(),
        icon: manifest.icon.clone(),
        head_start,
        own_look: false,
    }
}

async fn render<V: IntoView + 'static>(
    head: Head,
    request: Request,
    frame_ancestors: &str,
    shell: fn(Head) -> V,
) -> Response {
    let policy = content_security_policy(&head.nonce, &head.api_base, frame_ancestors);
    let (nonce, lang) = (head.nonce.clone(), head.lang);
    let page = Page::at(request.uri().path());
    let context = move || {
        provide_context(Requested(page));
        provide_context(nonce.clone());
        provide_context(LangCtx(RwSignal::new(lang)));
    };
    let render = leptos_axum::render_app_async_with_context(context, move || shell(head.clone()));
    let mut response = render(request).await;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        policy
            .parse()
            .unwrap_or(HeaderValue::from_static("default-src 'none'")),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-language"));
    response
}
