//! The headers that guard every answer, and the page's security policy.

use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::config::{origin, socket_base};

/// Headers of every answer.
pub async fn common(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("strict-origin-when-cross-origin"),
    );
    headers.insert(
        "permissions-policy",
        HeaderValue::from_static("camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    );
    response
}

/// The page's Content-Security-Policy. Scripts run by nonce only, and the one framing rule is that of
/// `frame_ancestors`: `'none'`, or the origins of a site. Text becomes markup by the page's one Trusted
/// Types policy only.
pub fn content_security_policy(nonce: &str, api_base: &str, frame_ancestors: &str) -> String {
    let api = origin(api_base);
    let socket = socket_base(api);
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; \
         connect-src 'self' {api} {socket}; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         manifest-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; \
         frame-ancestors {frame_ancestors}; require-trusted-types-for 'script'; trusted-types default"
    )
}
