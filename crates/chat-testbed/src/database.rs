//! A database of one's own on the server that a run of tests shares.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use crate::postgres::Programs;
use crate::{Durability, Postgres, Result, config};

/// A server that tests share.
#[derive(Debug)]
struct Server {
    /// How to connect to it.
    url: String,
    programs: Programs,
    /// Ours, unless somebody started it for us. It ends with this process.
    _own: Option<Postgres>,
}

/// The server of this process's tests, once one of them asked for it.
static SERVER: Mutex<Option<Arc<Server>>> = Mutex::new(None);

/// A database that is dropped with this value.
#[derive(Debug)]
pub struct Database {
    server: Arc<Server>,
    name: String,
    url: String,
}

impl Database {
    /// How a client connects to it.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Server { programs, url, .. } = &*self.server;
        // One that is left behind is in nobody's way.
        drop(programs.drop_database(url, &self.name));
    }
}

/// Makes an empty database on the server that `DATABASE_URL` names, or else on one that this process
/// starts and that ends with it.
///
/// # Errors
/// When there is no server and none can be started.
pub fn database() -> Result<Database> {
    let server = shared()?;
    let random = RandomState::new().hash_one(std::process::id());
    let name = format!("chat_test_{random:016x}");
    server.programs.create_database(&server.url, &name)?;
    Ok(Database {
        url: with_database(&server.url, &name),
        server,
        name,
    })
}

fn shared() -> Result<Arc<Server>> {
    let mut shared = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(server) = &*shared {
        return Ok(Arc::clone(server));
    }
    let named = config::database_url();
    let own = match &named {
        Some(_) => None,
        None => Some(Postgres::start(Durability::Quick)?),
    };
    let server = Arc::new(Server {
        url: named
            .or_else(|| own.as_ref().map(|own| own.url("postgres")))
            .expect("one of the two is there"),
        programs: Programs::find()?,
        _own: own,
    });
    Ok(Arc::clone(shared.insert(server)))
}

/// The URL with another database in its path.
fn with_database(url: &str, name: &str) -> String {
    let (url, query) = match url.split_once('?') {
        Some((url, query)) => (url, format!("?{query}")),
        None => (url, String::new()),
    };
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
    let authority = rest.split('/').next().unwrap_or_default();
    format!("{scheme}://{authority}/{name}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_database_leaves_the_rest_of_the_url_alone() {
        for (url, wanted) in [
            ("postgres://a:b@c:1/d", "postgres://a:b@c:1/new"),
            ("postgresql://c", "postgresql://c/new"),
            (
                "postgres://c/d?sslmode=require",
                "postgres://c/new?sslmode=require",
            ),
        ] {
            assert_eq!(with_database(url, "new"), wanted);
        }
    }
}
