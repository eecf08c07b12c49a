//! The servers that tests share: each test by itself would start its own, which takes longer than most
//! of them run.

use std::path::{Path, PathBuf};

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
    private_postgres(Durability::Quick).map(Some)
}

/// A private PostgreSQL, installed first where it is missing.
pub(crate) fn private_postgres(durability: Durability) -> anyhow::Result<Postgres> {
    let server = match Postgres::start(durability) {
        Err(Error::Missing { .. }) => {
            tools::install("the tests and the cluster", &["postgresql"])?;
            Postgres::start(durability)
        }
        started => started,
    };
    server.context("there is no private PostgreSQL server")
}

/// Makes sure that NATS is there, which tests start for themselves.
pub(crate) fn install_nats() -> anyhow::Result<()> {
    install_program("nats-server", "the tests of the bus")
}

/// Makes sure that a server of this name is there, of Debian's package of the same name.
pub(crate) fn install_program(name: &'static str, whom: &str) -> anyhow::Result<()> {
    match find(name) {
        Some(_) => Ok(()),
        None => tools::install(whom, &[name]),
    }
}

/// A server's program; Debian does not put them on everybody's path.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let debian = || Some(Path::new("/usr/sbin").join(name)).filter(|file| file.is_file());
    tools::find(name).or_else(debian)
}
