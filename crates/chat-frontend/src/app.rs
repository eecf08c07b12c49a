//! The app: every route.

use leptos::prelude::*;
use leptos_router::components::{FlatRoutes, Route, Router};
use leptos_router::path;

use crate::pages::not_found::NotFoundPage;
use crate::state::look::provide_lang;

/// Every route, in the language of the page.
#[component]
pub fn App() -> impl IntoView {
    provide_lang();
    view! {
        <Router>
            <FlatRoutes fallback=NotFoundPage>
                <Route path=path!("/") view=NotFoundPage/>
            </FlatRoutes>
        </Router>
    }
}
