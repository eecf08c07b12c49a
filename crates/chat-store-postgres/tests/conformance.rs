//! Every property of `chat-store`, in a database of its own each.

use std::sync::Arc;

use async_trait::async_trait;
use chat_store::Store;
use chat_store::conformance::{Harness, Reopen};
use chat_store_postgres::{PostgresStore, Settings};
use chat_testbed::Database;

struct OnServer {
    store: Arc<PostgresStore>,
    database: Database,
}

impl OnServer {
    async fn open(database: Database) -> Self {
        let store = PostgresStore::open(&Settings::of(database.url())).await;
        Self {
            store: Arc::new(store.expect("a store")),
            database,
        }
    }
}

#[async_trait]
impl Harness for OnServer {
    async fn fresh() -> Self {
        Self::open(chat_testbed::database().expect("a database")).await
    }

    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }
}

#[async_trait]
impl Reopen for OnServer {
    async fn reopen(self) -> Self {
        drop(self.store);
        Self::open(self.database).await
    }
}

chat_store::conformance_suite!(OnServer);
chat_store::durability_suite!(OnServer);
