//! Sites that embed rooms.

use async_trait::async_trait;
use chat_types::id::SiteKey;
use chat_types::room::Site;

use crate::Result;

/// Sites.
#[async_trait]
pub trait Sites {
    /// Makes a site, or replaces its origins and makes it known again.
    async fn put_site(&self, site: Site) -> Result<()>;

    /// Makes every site but these unknown: its pages cannot be opened any more. Its rooms stay, and
    /// are its rooms again if the site comes back.
    async fn retain_sites(&self, keep: Vec<SiteKey>) -> Result<()>;

    /// Looks a site up.
    async fn site(&self, key: &SiteKey) -> Result<Option<Site>>;
}
