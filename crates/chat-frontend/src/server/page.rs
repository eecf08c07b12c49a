//! The pages: chooses what the shell is told, renders it, and sets the page's policy.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use chat_listener::{AddressKey, client_ip};
use chat_types::id::{PageKey, SiteKey};
use chat_types::room::OpenPage;
use leptos::IntoView;
use leptos::nonce::Nonce;
use leptos::prelude::{RwSignal, provide_context};

use super::AppState;
use super::headers::content_security_policy;
use super::locale::Look;
use super::notice;
use super::shell::{AppShell, AppShellProps, EmbedShell, EmbedShellProps, Head, HeadStart};
use super::sites::SiteError;
use crate::i18n::LangCtx;
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
        head_start,
        ..head(&state, &look, request.headers())
    };
    let policy = content_security_policy(&head.nonce, &head.api_base, "'none'");
    let mut response = render(head, request, &policy, |head| {
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
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path((site, page)): Path<(String, String)>,
    Query(look): Query<Look>,
    request: Request,
) -> Response {
    let head = head(&state, &look, request.headers());
    let (Ok(site), Ok(page)) = (site.parse::<SiteKey>(), page.parse::<PageKey>()) else {
        return notice::refuse(SiteError::NotFound, &head);
    };
    let visitor = client_ip(request.headers(), peer, state.config().trusted_proxies);
    let visitor = AddressKey::from(visitor);
    let ancestors = match state.sites().frame_ancestors(&site, visitor).await {
        Ok(ancestors) => ancestors,
        Err(error) => return notice::refuse(error, &head),
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
    let head = Head {
        head_start: Some(head_start),
        ..head
    };
    let policy = content_security_policy(&head.nonce, &head.api_base, &ancestors);
    render(head, request, &policy, |head| {
        EmbedShell(EmbedShellProps { head })
    })
    .await
}

fn head(state: &AppState, look: &Look, headers: &HeaderMap) -> Head {
    let manifest = state.assets().manifest();
    Head {
        nonce: Nonce::new(),
        lang: look.lang(headers),
        theme: look.theme(),
        api_base: state.config().api_base.clone(),
        artifact: manifest.embed.clone(),
        css: manifest.css.clone(),
        icon: manifest.icon.clone(),
        head_start: None,
        own_look: false,
    }
}

/// Renders a document under a policy.
async fn render<V: IntoView + 'static>(
    head: Head,
    request: Request,
    policy: &str,
    shell: impl Fn(Head) -> V + Clone + Send + Sync + 'static,
) -> Response {
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
