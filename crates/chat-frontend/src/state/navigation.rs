//! Which page of the app is shown, and how another one is.

use leptos::prelude::*;

use crate::api::history;
use crate::routes::Page;

/// The page that a request asks for, told by the server; `None` when its path names nothing.
#[derive(Clone, Copy)]
pub struct Requested(pub Option<Page>);

/// The way from page to page. The embed is a page of its own and has none.
#[derive(Clone, Copy)]
pub struct Navigation {
    page: RwSignal<Option<Page>>,
}

/// Puts the page of the address into the context.
pub fn provide_navigation() -> Navigation {
    let page = match use_context::<Requested>() {
        Some(Requested(page)) => page,
        None => Page::at(&history::path()),
    };
    let navigation = Navigation {
        page: RwSignal::new(page),
    };
    provide_context(navigation);
    navigation
}

/// The way from page to page.
pub fn use_navigation() -> Navigation {
    expect_context()
}

impl Navigation {
    /// The page on the screen; `None` where the address names nothing.
    pub fn page(self) -> Signal<Option<Page>> {
        self.page.into()
    }

    /// Shows another page.
    pub fn go(self, page: Page) {
        history::go(&page.path());
        self.page.set(Some(page));
    }

    /// From now on links between pages load nothing, and the browser's way back is heard.
    pub fn start(self) {
        history::on_return(move || self.page.set(Page::at(&history::path())));
        history::on_link(move |path, address| {
            let page = Page::at(path);
            if page.is_some() {
                history::go(address);
                self.page.set(page);
            }
            page.is_some()
        });
    }
}
