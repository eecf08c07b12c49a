//! Sites that embed rooms.

use async_trait::async_trait;
use chat_store::{Result, Sites};
use chat_types::id::SiteKey;
use chat_types::room::Site;

use crate::PostgresStore;

const PUT_SITE: &str = "\
INSERT INTO sites (key, origins) VALUES ($1, $2)
ON CONFLICT (key) DO UPDATE SET origins = excluded.origins, disabled = FALSE";

const DISABLE_OTHERS: &str =
    "UPDATE sites SET disabled = TRUE WHERE key <> ALL ($1) AND NOT disabled";

const SITE: &str = "SELECT origins FROM sites WHERE key = $1 AND NOT disabled";

#[async_trait]
impl Sites for PostgresStore {
    async fn put_site(&self, site: Site) -> Result<()> {
        self.calls
            .write(site, |connection, site| {
                Box::pin(async move {
                    sqlx::query(PUT_SITE)
                        .bind(site.key.as_str())
                        .bind(&site.origins)
                        .execute(connection)
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    async fn retain_sites(&self, keep: Vec<SiteKey>) -> Result<()> {
        self.calls
            .write(keep, |connection, keep| {
                Box::pin(async move {
                    let keep: Vec<&str> = keep.iter().map(SiteKey::as_str).collect();
                    sqlx::query(DISABLE_OTHERS)
                        .bind(keep)
                        .execute(connection)
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    async fn site(&self, key: &SiteKey) -> Result<Option<Site>> {
        let key = key.clone();
        self.calls
            .read(|connection| {
                Box::pin(async move {
                    let origins: Option<Vec<String>> = sqlx::query_scalar(SITE)
                        .bind(key.as_str())
                        .fetch_optional(connection)
                        .await?;
                    Ok(origins.map(|origins| Site { key, origins }))
                })
            })
            .await
    }
}
