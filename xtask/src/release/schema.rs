//! The released back end on today's schema: its code through its own tests, and an upgrade and a roll-back
//! with both programs on one database, in which people talk before, between and after.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use chat_testbed::{Durability, Postgres};

use super::before::{self, Before};
use super::migrations::Migrations;
use super::released::Released;
use super::talk::Talk;
use crate::process::Service;
use crate::{paths, process, run, servers};

/// The stores, by their crates.
const STORES: [&str; 2] = [SQLITE, POSTGRES];
const SQLITE: &str = "chat-store-sqlite";
const POSTGRES: &str = "chat-store-postgres";
/// What a program says that refuses a database for its schema.
const OF_THE_SCHEMA: &str = "schema version";

pub(super) fn check(released: &Released) -> anyhow::Result<()> {
    let before = Before::at(&released.backend)?;
    let migrations = |root: &Path, store| Migrations::read(&root.join(folder_of(store)));
    let mut changed = Vec::new();
    for store in STORES {
        let old = migrations(before.root(), store)?;
        let new = migrations(paths::root(), store)?;
        if old == new {
            println!("{store}: the schema is the released one");
        } else {
            let starts = old.after_roll_back_from(&new);
            changed.push((store, starts.with_context(|| store.to_owned())?));
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    let postgres = servers::private_postgres(Durability::Quick)?;
    check_code(&before, &postgres)?;
    run::build_servers()?;
    let released = Server {
        program: before.back_end()?,
        name: "released back end",
    };
    let today = Server {
        program: paths::binary("chat-backend"),
        name: "today's back end",
    };
    for (store, may_go_back) in changed {
        println!("{store}: an upgrade and a roll-back");
        let database = Database::empty(store, &postgres)?;
        rehearse(&released, &today, &database, may_go_back).with_context(|| store.to_owned())?;
    }
    Ok(())
}

fn folder_of(store: &str) -> String {
    format!("crates/{store}/migrations")
}

/// Runs the released stores' conformance suites with today's migrations in the place of their own.
fn check_code(before: &Before, postgres: &Postgres) -> anyhow::Result<()> {
    println!("the released stores on today's schemas");
    let kept = before::folder().join("migrations");
    for store in STORES {
        let (own, kept) = (before.root().join(folder_of(store)), kept.join(store));
        before::replace(&kept, &own)?;
        before::replace(&own, &paths::root().join(folder_of(store)))?;
        rebuilt(before, store)?;
    }
    let mut tests = before.cargo();
    tests
        .arg("test")
        .args(process::PRODUCT)
        .args(["--test", "conformance", "--no-fail-fast", "--quiet"])
        // What is wrong is in the messages, and traces would bury them.
        .env("RUST_BACKTRACE", "0")
        .env(servers::DATABASE_URL, postgres.url("postgres"));
    let outcome = process::run(&mut tests);
    for store in STORES {
        before::replace(&before.root().join(folder_of(store)), &kept.join(store))?;
        rebuilt(before, store)?;
    }
    outcome.context(
        "while this is rolled out, nodes of the release fail on today's schema: add first, and take away in a later release",
    )
}

/// Has cargo compile a store again: it does not see that migrations came or went.
fn rebuilt(before: &Before, store: &str) -> anyhow::Result<()> {
    let file = before.root().join(format!("crates/{store}/src/open.rs"));
    let touch = |file: &Path| {
        File::options()
            .append(true)
            .open(file)?
            .set_modified(SystemTime::now())
    };
    touch(&file).with_context(|| format!("cannot touch {}", file.display()))
}

/// A database that both programs use in turn.
struct Database {
    store: &'static str,
    url: String,
}

impl Database {
    fn empty(store: &'static str, postgres: &Postgres) -> anyhow::Result<Self> {
        let data = data();
        drop(fs::remove_dir_all(&data));
        fs::create_dir_all(&data)?;
        let url = match store {
            POSTGRES => postgres.create_database(&format!("rehearsal_{}", std::process::id()))?,
            _ => format!("sqlite:{}", data.join("chat.db").display()),
        };
        Ok(Self { store, url })
    }
}

/// Where the embedded store's database lies.
fn data() -> PathBuf {
    before::folder().join("data")
}

/// People talk through the release, through today's program on what that made of the database, and through the
/// release again, if the floor lets it start.
fn rehearse(
    released: &Server,
    today: &Server,
    database: &Database,
    may_go_back: bool,
) -> anyhow::Result<()> {
    let upgrade = || {
        today
            .migrate(database)
            .context("today's migrations fail on a database in which the release has written")
    };
    let mut talk = released
        .serve(database, Talk::begin)
        .context("the release does not even serve a database of its own")?;
    if database.store == POSTGRES {
        let rolled_out = |api| {
            upgrade()?;
            talk.go_on(api)
                .context("nodes of the release fail once the database is migrated under them: add first, and take away in a later release")
        };
        released.serve(database, rolled_out)?;
    } else {
        upgrade()?;
    }
    today
        .serve(database, |api| talk.go_on(api))
        .context("today's back end does not go on from what the release wrote")?;
    match (released.migrate(database), may_go_back) {
        (Ok(()), true) => released.serve(database, |api| talk.go_on(api)).context(
            "the floor lets the release start, and yet it does not go on after a roll-back",
        ),
        (Err(refused), false) if refused.to_string().contains(OF_THE_SCHEMA) => {
            println!("a roll-back is refused, since the release knows no floors: {refused:#}");
            Ok(())
        }
        (Err(failed), false) => {
            Err(failed.context("the release fails on the newer schema instead of refusing it"))
        }
        (Err(refused), true) => {
            Err(refused.context("the floor lets the release start, and yet a roll-back fails"))
        }
        (Ok(()), false) => {
            bail!("the release starts on a schema whose floor is above what it knows")
        }
    }
}

/// The program of a release.
struct Server {
    program: PathBuf,
    name: &'static str,
}

impl Server {
    fn migrate(&self, database: &Database) -> anyhow::Result<()> {
        let output = self
            .command("migrate", database)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    /// Serves while something is done over its API.
    fn serve<T>(
        &self,
        database: &Database,
        work: impl FnOnce(SocketAddr) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let [api, admin] = [run::free_address()?, run::free_address()?];
        let mut command = self.command("serve", database);
        command
            .env("CHAT_ADDR", api.to_string())
            .env("CHAT_ADMIN_ADDR", admin.to_string())
            .env("CHAT_DRAIN_MS", run::DRAIN_MS)
            .env("ALLOWED_ORIGINS", format!("http://{api}"));
        let mut service = Service::start(self.name, &mut command)?;
        run::await_ready(&mut service, admin)?;
        work(api)
    }

    fn command(&self, what: &str, database: &Database) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(before::folder())
            .arg(what)
            .env(
                "SECRET_KEY",
                "a key that signs nothing but this check 0123456789",
            )
            .env("CHAT_DATA_DIR", data())
            .env("DATABASE_URL", &database.url);
        command
    }
}
