//! Where there is nothing to show: what that means and what to do about it.

use leptos::prelude::*;

use crate::ui::icons::{Icon, IconName};

/// A friendly nothing, or a problem.
#[component]
pub fn Empty(
    /// The picture.
    icon: IconName,
    /// What is the case.
    #[prop(into)]
    title: Signal<String>,
    /// What it means.
    #[prop(into)]
    text: Signal<String>,
    /// Whether it is a problem: then it is announced.
    #[prop(optional)]
    problem: bool,
    /// Whether it is the whole page: then its title is the page's heading.
    #[prop(optional)]
    page: bool,
    /// What to do about it.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let class = if problem {
        "empty empty--problem"
    } else {
        "empty"
    };
    view! {
        <div class=class role=problem.then_some("alert")>
            <span class="empty__art">
                <Icon name=icon/>
            </span>
            {if page {
                view! { <h1 class="empty__title">{title}</h1> }.into_any()
            } else {
                view! { <p class="empty__title">{title}</p> }.into_any()
            }}
            <p class="empty__text">{text}</p>
            {children.map(|children| view! { <div class="empty__action">{children()}</div> })}
        </div>
    }
    .into_any()
}
