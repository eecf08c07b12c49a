//! Sites that embed rooms.

use chat_types::room::{RoomKind, Site};

use super::given::{Shared, guest, load, new_room, page_key, record, refused, send, site_key};
use crate::Missing;

fn site(origins: &[&str]) -> Site {
    Site {
        key: site_key("blog"),
        origins: origins.iter().map(ToString::to_string).collect(),
    }
}

pub async fn a_site_is_stored_and_its_origins_replaced(store: Shared) {
    assert_eq!(store.site(&site_key("blog")).await.unwrap(), None);
    for origins in [&["https://a.example", "https://b.example"][..], &["*"], &[]] {
        store.put_site(site(origins)).await.unwrap();
        let stored = store.site(&site_key("blog")).await.unwrap();
        assert_eq!(stored, Some(site(origins)));
    }
    assert_eq!(store.site(&site_key("other")).await.unwrap(), None);
}

pub async fn a_site_that_is_not_retained_is_unknown_and_its_rooms_stay(store: Shared) {
    let (blog, wiki, page) = (site_key("blog"), site_key("wiki"), page_key("/one"));
    store.put_site(site(&["*"])).await.unwrap();
    let other = Site {
        key: wiki.clone(),
        ..site(&["*"])
    };
    store.put_site(other.clone()).await.unwrap();
    let open = |key| {
        let (store, page) = (store.clone(), page.clone());
        async move {
            let new = new_room(RoomKind::Page, "A page");
            store.open_page(&key, &page, new).await
        }
    };
    let room = open(blog.clone()).await.unwrap().0.room.id;
    let jisu = guest(&store, "jisu").await;
    let sent = send(&store, room, jisu, "kept").await.sent;
    store.retain_sites(vec![wiki.clone()]).await.unwrap();
    assert_eq!(store.site(&blog).await.unwrap(), None);
    assert_eq!(store.site(&wiki).await.unwrap(), Some(other));
    refused(open(blog.clone()).await, Missing::Site);
    open(wiki).await.unwrap();
    assert_eq!(load(&store, room, sent.id).await.number, sent.number);
    assert_eq!(record(&store, room).await.last_number, sent.number);
    store.put_site(site(&["*"])).await.unwrap();
    let (again, made) = open(blog.clone()).await.unwrap();
    assert_eq!((again.room.id, made), (room, false));
    store.retain_sites(Vec::new()).await.unwrap();
    assert_eq!(store.site(&blog).await.unwrap(), None);
}
