//! The servers that tests share: each test by itself would start its own, which takes longer than most
//! of them run.

use anyhow::Context as _;
use chat_testbed::{Durability, Error, Postgres};

use crate::tools;

/// By this variable a PostgreSQL server is named, to the tests as to the service.
pub(crate) const DATABASE_URL: &str = "DATABASE_URL";

/// A private PostgreSQL for the tests of this run, unless the environment names one.
pub(crate) fn postgres() -> anyhow::Result<Option<Postgres>> {
    if std::env::var_os(DATABASE_URL).is_some() {
        println!("the tests use the PostgreSQL server of {DATABASE_URL}");
        return Ok(None);
    }
    let start = || Postgres::start(Durability::Quick);
    let server = match start() {
        Err(Error::Missing { .. }) => {
            tools::install("the tests of the PostgreSQL store", &["postgresql"])?;
            start()
        }
        started => started,
    };
    server
        .map(Some)
        .context("the tests have no PostgreSQL server")
}
