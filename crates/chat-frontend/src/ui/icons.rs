//! The icons, drawn by us on a grid of 24: one path each, so that an icon is one element.

use leptos::prelude::*;

/// Which icon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IconName {
    /// A problem.
    Alert,
    /// The way back.
    Back,
    /// A conversation, or a direct room.
    Chat,
    /// Done.
    Check,
    /// On its way.
    Clock,
    /// Close, cancel.
    Close,
    /// To the latest.
    Down,
    /// Change a text.
    Edit,
    /// Opens in a window of its own.
    External,
    /// Show what is hidden.
    Eye,
    /// A public room.
    Hash,
    /// An invite link.
    Link,
    /// A private room, or one that is closed.
    Lock,
    /// More actions.
    More,
    /// The room of a page.
    Page,
    /// Something new.
    Plus,
    /// Put an emoji.
    React,
    /// Answer.
    Reply,
    /// Send.
    Send,
    /// Settings.
    Settings,
    /// Another one, please; also try again.
    Shuffle,
    /// Sign out, leave.
    SignOut,
    /// Delete.
    Trash,
    /// To the first unread.
    Up,
    /// People.
    Users,
}

impl IconName {
    const fn path(self) -> &'static str {
        match self {
            Self::Alert => "M3.5 12a8.5 8.5 0 1 0 17 0 8.5 8.5 0 1 0-17 0ZM12 7.5v5M12 16v.01",
            Self::Back => "m14.5 5.5-6.5 6.5 6.5 6.5",
            Self::Chat => "M4 5.5h16v11h-9L6.5 20v-3.5H4v-11Z",
            Self::Check => "m5 12.5 4.5 4.5L19 7.5",
            Self::Clock => "M3.5 12a8.5 8.5 0 1 0 17 0 8.5 8.5 0 1 0-17 0ZM12 7.5V12l3 2",
            Self::Close => "m6 6 12 12M18 6 6 18",
            Self::Down => "M12 5v14m-6-6 6 6 6-6",
            Self::Edit => {
                "m5 15-1 5 5-1L19.5 8.5a2.1 2.1 0 0 0 0-3l-1-1a2.1 2.1 0 0 0-3 0L5 15Zm8.5-8.5 4 4"
            }
            Self::External => {
                "M13.5 4.5h6v6M19.5 4.5l-8.5 8.5M10 6H6a1.5 1.5 0 0 0-1.5 1.5V18A1.5 1.5 0 0 0 6 19.5h10.5A1.5 1.5 0 0 0 18 18v-4"
            }
            Self::Eye => {
                "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12ZM9 12a3 3 0 1 0 6 0 3 3 0 1 0-6 0Z"
            }
            Self::Hash => "M9.5 4 7.5 20M16.5 4l-2 16M4.5 9h16M3.5 15h16",
            Self::Link => {
                "M10 14a4.2 4.2 0 0 0 6 0l3-3a4.2 4.2 0 0 0-6-6l-1 1M14 10a4.2 4.2 0 0 0-6 0l-3 3a4.2 4.2 0 0 0 6 6l1-1"
            }
            Self::Lock => {
                "M7 10.5h10a2 2 0 0 1 2 2V18a2 2 0 0 1-2 2H7a2 2 0 0 1-2-2v-5.5a2 2 0 0 1 2-2ZM8 10.5V8a4 4 0 0 1 8 0v2.5"
            }
            Self::More => {
                "M5 12a.5.5 0 1 0 1 0 .5.5 0 1 0-1 0ZM11.5 12a.5.5 0 1 0 1 0 .5.5 0 1 0-1 0ZM18 12a.5.5 0 1 0 1 0 .5.5 0 1 0-1 0Z"
            }
            Self::Page => "M6 3.5h8L18.5 8v12.5h-13v-17H14V8h4.5M9 12.5h6M9 16h4",
            Self::Plus => "M12 5v14M5 12h14",
            Self::React => {
                "M3.5 12a8.5 8.5 0 1 0 17 0 8.5 8.5 0 1 0-17 0ZM8.5 14c.8 1.3 2 2 3.5 2s2.7-.7 3.5-2M9 9.5v.01M15 9.5v.01"
            }
            Self::Reply => "m9 7-5 5 5 5M4 12h10a6 6 0 0 1 6 6v1",
            Self::Send => "M12 19V5m-6 6 6-6 6 6",
            Self::Settings => {
                "M4 7h9.5M18.5 7H20M4 17h1.5M10.5 17H20M13.5 7a2.5 2.5 0 1 0 5 0 2.5 2.5 0 1 0-5 0ZM5.5 17a2.5 2.5 0 1 0 5 0 2.5 2.5 0 1 0-5 0Z"
            }
            Self::Shuffle => {
                "M19.5 8A8 8 0 0 0 5 9.5M4.5 16A8 8 0 0 0 19 14.5M19.5 3.5V8H15M4.5 20.5V16H9"
            }
            Self::SignOut => {
                "M14 4.5H6.5a1 1 0 0 0-1 1v13a1 1 0 0 0 1 1H14M10.5 12H20m-3.5-4 4 4-4 4"
            }
            Self::Trash => "M4.5 7h15M9.5 7V4.5h5V7M6.5 7l.8 12.5h9.4L17.5 7M10 11v5M14 11v5",
            Self::Up => "m6 14.5 6-6 6 6",
            Self::Users => {
                "M5.5 8a3.5 3.5 0 1 0 7 0 3.5 3.5 0 1 0-7 0ZM2.5 19.5c.5-3.5 3-5.5 6.5-5.5s6 2 6.5 5.5M15.5 4.8a3.5 3.5 0 0 1 0 6.4M18 14.5c2 .8 3.2 2.5 3.5 5"
            }
        }
    }
}

/// An icon. It says nothing by itself: the control around it carries the words.
#[component]
pub fn Icon(
    /// Which one.
    name: IconName,
    /// As small as the text beside it.
    #[prop(optional)]
    small: bool,
) -> impl IntoView {
    let class = if small { "icon icon--small" } else { "icon" };
    view! {
        <svg class=class viewBox="0 0 24 24" aria-hidden="true">
            <path d=name.path()></path>
        </svg>
    }
}
