//! The released back end on today's schema: its code through its own tests, as while the new release is
//! rolled out, and its program on a database that today's has migrated, as after a roll-back.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use chat_testbed::{Durability, Postgres};

use super::before::{self, Before};
use super::migrations::Migrations;
use super::released::Released;
use crate::{paths, process, run, servers};

/// The stores, by their crates.
const STORES: [&str; 2] = ["chat-store-sqlite", "chat-store-postgres"];

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
            changed.push((store, old.serve(&new)));
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    let postgres = servers::private_postgres(Durability::Quick)?;
    check_code(&before, &postgres)?;
    run::build_servers()?;
    for (store, may_start) in changed {
        check_roll_back(&before, store, &postgres, may_start)?;
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

/// Starts the released program on a database that today's has migrated; whether it may is what the floor
/// says.
fn check_roll_back(
    before: &Before,
    store: &str,
    postgres: &Postgres,
    may_start: bool,
) -> anyhow::Result<()> {
    let data = before::folder().join("data");
    drop(std::fs::remove_dir_all(&data));
    let name = format!("roll_back_{}", std::process::id());
    let url = match store {
        "chat-store-postgres" => postgres.create_database(&name)?,
        _ => format!("sqlite:{}", data.join("chat.db").display()),
    };
    std::fs::create_dir_all(&data)?;
    migrate(&paths::binary("chat-backend"), &url)
        .context("today's back end cannot migrate an empty database")?;
    let started = migrate(&before.back_end()?, &url);
    match (started, may_start) {
        (Ok(()), true) => println!("{store}: a roll-back to the release starts"),
        (Err(refused), false) => {
            println!("{store}: a roll-back is refused, as the floor says: {refused:#}");
        }
        (Err(refused), true) => {
            return Err(
                refused.context("the floor lets the release start, and yet a roll-back fails")
            );
        }
        (Ok(()), false) => {
            bail!("the release starts on a schema whose floor is above what it knows")
        }
    }
    Ok(())
}

fn migrate(program: &Path, url: &str) -> anyhow::Result<()> {
    let output = Command::new(program)
        .arg("migrate")
        .env(
            "SECRET_KEY",
            "a key that signs nothing but this check 0123456789",
        )
        .env("DATABASE_URL", url)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
