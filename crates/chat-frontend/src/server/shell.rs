//! The document around the views: everything that the browser needs before the module runs.

use leptos::nonce::Nonce;
use leptos::prelude::*;

use super::assets::Artifact;
use crate::app::App;
use crate::config::{API_BASE_META, origin};
use crate::embed::Embed;
use crate::i18n::{Key, Lang, text};

/// What differs between documents.
#[derive(Debug, Clone)]
pub struct Head {
    /// Allows this document's scripts.
    pub nonce: Nonce,
    /// The language of the page.
    pub lang: Lang,
    /// `light` or `dark`; absent: the reader's system decides.
    pub theme: Option<&'static str>,
    /// Where browsers reach the API.
    pub api_base: String,
    /// Which module takes over.
    pub artifact: Artifact,
    /// The style sheet.
    pub css: String,
    /// The icon.
    pub icon: Option<String>,
    /// The request that begins before the module is there.
    pub head_start: Option<HeadStart>,
    /// Whether the reader's stored theme and language are taken before the first paint. The page around
    /// an embed chooses those of the embed.
    pub own_look: bool,
}

/// A request to the API that the browser begins at once, beside loading the module.
#[derive(Debug, Clone)]
pub struct HeadStart {
    /// Where.
    pub url: String,
    /// What to POST; absent: GET.
    pub body: Option<String>,
}

/// Begins the request. Its data are attributes of its own element, so that no text of the address
/// becomes code.
const HEAD_START: &str = "{const{u,b}=document.currentScript.dataset;window.headStart=fetch(u,b?{method:'POST',\
    headers:{'content-type':'application/json'},body:b}:{}).then(r=>r.ok?r.text():null,()=>null)}";

/// Takes the stored theme and language, as [`crate::state::look`] does later. The words of a page come
/// from the server, which sees no storage: where they are in another language, the page is asked for
/// again, and its address is as it was when it comes. A blocked storage throws.
const OWN_LOOK: &str = "try{const g=k=>localStorage.getItem('sarangbang.'+k),t=g('theme'),l=g('lang'),\
    d=document.documentElement,u=new URL(location),p=u.searchParams;\
    if(t=='auto')delete d.dataset.theme;else if(t=='light'||t=='dark')d.dataset.theme=t;\
    if(l=='ko'||l=='en'){const s=p.get('lang')==l;\
    if(s&&d.lang==l){p.delete('lang');history.replaceState(null,'',u)}\
    else if(!s&&d.lang!=l){p.set('lang',l);location.replace(u)}}}catch{}";

/// The one policy by which text becomes markup under Trusted Types: the views bring static markup
/// with them, and none of it holds a script, a handler of events, an address that is one, or a way to
/// hide one: an entity or a control character. Text never becomes a script or its address.
const MARKUP: &str = "window.trustedTypes?.createPolicy('default',{createHTML:h=>\
    /<(script|iframe|object|embed|base|meta|link|form|animate|set)|[\\s\\/\"']on\\w+\\s*=|script:|&|[\\t\\n\\r]/i\
    .test(h)?null:h})";

/// The document of the app.
#[component]
pub fn AppShell(
    /// What differs between documents.
    head: Head,
) -> impl IntoView {
    view! { <Document head><App/></Document> }
}

/// The document of the embed.
#[component]
pub fn EmbedShell(
    /// What differs between documents.
    head: Head,
) -> impl IntoView {
    view! { <Document head><Embed/></Document> }
}

#[component]
fn Document(head: Head, children: Children) -> impl IntoView {
    let js = format!("/assets/{}", head.artifact.js);
    let wasm = format!("/assets/{}", head.artifact.wasm);
    let start = format!("import start from'{js}';start({{module_or_path:'{wasm}'}})");
    let api_origin = origin(&head.api_base).to_owned();
    view! {
        <!DOCTYPE html>
        <html lang=head.lang.tag() data-theme=head.theme>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name=API_BASE_META content=head.api_base/>
                <title inner_html=text(head.lang, Key::Product)></title>
                <script nonce=head.nonce.clone() inner_html=MARKUP></script>
                {head.own_look.then(|| view! { <script nonce=head.nonce.clone() inner_html=OWN_LOOK></script> })}
                <link rel="preconnect" href=api_origin crossorigin=""/>
                <link rel="stylesheet" href=format!("/assets/{}", head.css)/>
                {head.icon.map(|icon| view! { <link rel="icon" href=format!("/assets/{icon}")/> })}
                {head.head_start.map(|HeadStart { url, body }| view! {
                    <script nonce=head.nonce.clone() data-u=url data-b=body inner_html=HEAD_START></script>
                })}
                <link rel="modulepreload" href=js nonce=head.nonce.clone()/>
                <link rel="preload" href=wasm r#as="fetch" r#type="application/wasm" crossorigin=""/>
                <script type="module" nonce=head.nonce.clone() inner_html=start></script>
            </head>
            <body>{children()}</body>
        </html>
    }
}

#[cfg(test)]
mod tests {
    use super::HEAD_START;

    #[test]
    fn the_head_start_is_small() {
        assert!(HEAD_START.len() < 300, "{} bytes", HEAD_START.len());
    }
}
