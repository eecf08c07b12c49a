//! Every property of `chat-store`, in a database of its own each.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use chat_store::Store;
use chat_store::conformance::{Harness, Reopen};
use chat_store_sqlite::{OpenError, SqliteStore};
use tempfile::TempDir;

struct InMemory(Arc<SqliteStore>);

#[async_trait]
impl Harness for InMemory {
    async fn fresh() -> Self {
        let store = SqliteStore::open_temporary().await.expect("a database");
        Self(Arc::new(store))
    }

    fn store(&self) -> Arc<dyn Store> {
        self.0.clone()
    }
}

struct OnDisk {
    folder: TempDir,
    store: Arc<SqliteStore>,
}

impl OnDisk {
    async fn open(folder: TempDir) -> Self {
        let store = Arc::new(open_when_free(&folder.path().join("chat.db")).await);
        Self { folder, store }
    }
}

/// A store that was dropped lets go of its file once its last write is done.
async fn open_when_free(path: &Path) -> SqliteStore {
    loop {
        match SqliteStore::open(path).await {
            Err(OpenError::InUse { .. }) => tokio::task::yield_now().await,
            opened => return opened.expect("a database"),
        }
    }
}

#[async_trait]
impl Harness for OnDisk {
    async fn fresh() -> Self {
        Self::open(tempfile::tempdir().expect("a folder")).await
    }

    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }
}

#[async_trait]
impl Reopen for OnDisk {
    async fn reopen(self) -> Self {
        drop(self.store);
        Self::open(self.folder).await
    }
}

mod in_memory {
    chat_store::conformance_suite!(super::InMemory);
}

mod on_disk {
    chat_store::conformance_suite!(super::OnDisk);
    chat_store::durability_suite!(super::OnDisk);
}
