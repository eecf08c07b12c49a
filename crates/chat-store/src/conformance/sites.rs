//! Sites that embed rooms.

use chat_types::room::Site;

use super::given::{Shared, site_key};

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
