//! Sites that embed rooms.

use async_trait::async_trait;
use chat_types::id::SiteKey;
use chat_types::room::Site;

use crate::Result;

/// Sites.
#[async_trait]
pub trait Sites {
    /// Makes a site or replaces its origins.
    async fn put_site(&self, site: Site) -> Result<()>;

    /// Looks a site up.
    async fn site(&self, key: &SiteKey) -> Result<Option<Site>>;
}
