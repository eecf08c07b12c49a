//! The language of the page: the server's choice first, the reader's stored choice after that.

use leptos::prelude::*;

use crate::api::document;
use crate::i18n::{Lang, LangCtx};

/// Puts the page's language into the context, unless the server has.
pub fn provide_lang() {
    if use_context::<LangCtx>().is_none() {
        let lang = document::lang()
            .as_deref()
            .and_then(Lang::from_tag)
            .unwrap_or(Lang::En);
        provide_context(LangCtx(RwSignal::new(lang)));
    }
}
