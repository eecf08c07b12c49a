//! The name of the page in the browser's tab and history.

use leptos::prelude::*;

use crate::api::document;
use crate::i18n::{Key, text, use_lang};
use crate::state::my_rooms::{MyRooms, all_unread};
use crate::state::room::RoomModel;

/// Names the page; an empty name leaves that of the service alone. Where the caller's rooms are known,
/// what is unread in all of them is counted before it.
pub fn name_page(name: Signal<String>) {
    name_page_with(name, Signal::stored(0));
}

/// Names the page of a room. What is new in it is counted here only while the list does not do so: it
/// holds the rooms of members.
pub fn name_room(name: Signal<String>, model: RoomModel) {
    let listed = use_context::<MyRooms>().is_some();
    let unlisted = Signal::derive(move || {
        let counted = listed && model.role.get().is_some();
        if counted {
            0
        } else {
            model.unseen.get().into()
        }
    });
    name_page_with(name, unlisted);
}

fn name_page_with(name: Signal<String>, unlisted: Signal<u64>) {
    let lang = use_lang();
    let rooms = use_context::<MyRooms>();
    Effect::new(move |_| {
        let listed = rooms.map_or(0, |rooms| {
            rooms
                .list()
                .with(|list| list.ready().map_or(0, |rooms| all_unread(rooms)))
        });
        let unread = listed + unlisted.get();
        let service = text(lang.get(), Key::Product);
        document::set_title(&title(unread, &name.get(), service));
    });
}

fn title(unread: u64, name: &str, service: &str) -> String {
    let count = if unread > 0 {
        format!("({unread}) ")
    } else {
        String::new()
    };
    if name.is_empty() {
        format!("{count}{service}")
    } else {
        format!("{count}{name} · {service}")
    }
}

/// Names the page by a text of the user interface.
pub fn name_page_by(key: Key) {
    let lang = use_lang();
    name_page(Signal::derive(move || text(lang.get(), key).to_owned()));
}

#[cfg(test)]
mod tests {
    use super::title;

    #[test]
    fn the_title_counts_what_is_unread_and_names_the_room() {
        assert_eq!(title(3, "Garden", "Sarangbang"), "(3) Garden · Sarangbang");
        assert_eq!(title(0, "Garden", "Sarangbang"), "Garden · Sarangbang");
        assert_eq!(title(2, "", "Sarangbang"), "(2) Sarangbang");
        assert_eq!(title(0, "", "Sarangbang"), "Sarangbang");
    }
}
