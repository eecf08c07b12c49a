//! Sites that embed rooms.

use async_trait::async_trait;
use chat_store::{Result, Sites, StoreError};
use chat_types::id::SiteKey;
use chat_types::room::Site;

use crate::SqliteStore;
use crate::error::Failure;

const PUT_SITE: &str = "\
INSERT INTO sites (key, origins) VALUES (?1, ?2)
ON CONFLICT (key) DO UPDATE SET origins = excluded.origins, disabled = 0";

const DISABLE_OTHERS: &str =
    "UPDATE sites SET disabled = 1 WHERE key NOT IN (SELECT value FROM json_each(?1))";

const SITE: &str = "SELECT origins FROM sites WHERE key = ?1 AND disabled = 0";

#[async_trait]
impl Sites for SqliteStore {
    async fn put_site(&self, site: Site) -> Result<()> {
        let origins = serde_json::to_string(&site.origins).expect("strings become JSON");
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query(PUT_SITE)
                    .bind(site.key.as_str())
                    .bind(origins)
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    async fn retain_sites(&self, keep: Vec<SiteKey>) -> Result<()> {
        let keep: Vec<_> = keep.iter().map(SiteKey::as_str).collect();
        let keep = serde_json::to_string(&keep).expect("strings become JSON");
        self.write(move |connection| {
            Box::pin(async move {
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
        let mut snapshot = self.read().await?;
        let origins: Option<String> = sqlx::query_scalar(SITE)
            .bind(key.as_str())
            .fetch_optional(&mut *snapshot)
            .await
            .map_err(Failure::from)?;
        let Some(origins) = origins else {
            return Ok(None);
        };
        let origins = serde_json::from_str(&origins)
            .map_err(|_| StoreError::Damaged("sites.origins".to_owned()))?;
        Ok(Some(Site {
            key: key.clone(),
            origins,
        }))
    }
}
