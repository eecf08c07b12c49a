//! Reads the configuration, builds the service, serves it, and says how it ended.

use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use chat_backend::clock::SystemClock;
use chat_backend::config::{self, Cli, Command, Config};
use chat_backend::{App, VERSION, canary, openapi_json, shutdown};
use chat_listener::{logs, open_files, probe, traces};
use chat_store::Store;
use chat_store_postgres::PostgresStore;
use chat_store_sqlite::SqliteStore;
use clap::Parser;
use tokio::net::TcpListener;

/// The service's name in traces.
const SERVICE: &str = "chat-backend";

#[tokio::main]
#[expect(clippy::print_stderr, reason = "the program's last word")]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chat-backend: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the output of the subcommands")]
async fn run(Cli { command, config }: Cli) -> anyhow::Result<()> {
    match command.unwrap_or(Command::Serve) {
        Command::Serve => serve(config).await?,
        Command::Migrate => {
            migrate(&config).await?;
            println!("the database has the schema of this version, or of a newer one");
        }
        Command::Backup { file } => {
            backup(&config, &file).await?;
            println!("the database is copied to {}", file.display());
        }
        Command::Restore { file } => {
            restore(&config, &file).await?;
            println!(
                "the database is that of {}, with new epochs",
                file.display()
            );
        }
        Command::NewEpochs => {
            new_epochs(&config).await?;
            println!("every room's feed has a new epoch");
        }
        Command::Openapi => print!("{}", openapi_json()),
        Command::ConfigDocs => print!("{}", config::markdown()),
        Command::Healthcheck => probe::ask(config.admin_addr)?,
        Command::Canary(canary) => sing(&config, &canary).await?,
    }
    Ok(())
}

async fn serve(mut config: Config) -> anyhow::Result<()> {
    refuse_mistakes(&config)?;
    logs::start(&config.log, config.log_format)?;
    traces::start(&config.traces, SERVICE, VERSION)?;
    let connections = &mut config.sockets.connections;
    let limit = open_files::raise_limit();
    *connections = open_files::connections_within(limit, *connections, "CHAT_LIMIT_CONNECTIONS")?;
    let mut told = pin!(shutdown::signal());
    tokio::select! {
        biased;
        told = &mut told => {
            told?;
            tracing::info!("told to end before the start was over");
            Ok(())
        }
        built = build(config) => {
            let (app, public, admin) = built?;
            let served = app.serve(public, admin, told).await;
            // Also what the drain answered last.
            traces::end().await;
            Ok(served?)
        }
    }
}

/// All that comes before the first request; a database that does not answer may hold it up for long.
async fn build(config: Config) -> anyhow::Result<(App, TcpListener, TcpListener)> {
    let store = open(&config).await?;
    let public = config::bind("CHAT_ADDR", config.addr).await?;
    let admin = config::bind("CHAT_ADMIN_ADDR", config.admin_addr).await?;
    let app = App::build(config, store, Arc::new(SystemClock)).await?;
    Ok((app, public, admin))
}

async fn sing(config: &Config, canary: &config::Canary) -> anyhow::Result<()> {
    logs::start(&config.log, config.log_format)?;
    let admin = config::bind("CHAT_ADMIN_ADDR", config.admin_addr).await?;
    let clock = Arc::new(SystemClock);
    Ok(canary::run(canary, &config.revision, admin, clock).await?)
}

async fn open(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    if let Some(settings) = postgres(config) {
        return Ok(Arc::new(PostgresStore::open(&settings).await?));
    }
    config.make_data_dir()?;
    let store = SqliteStore::open(&config.database_path()).await?;
    Ok(Arc::new(store))
}

async fn migrate(config: &Config) -> anyhow::Result<()> {
    refuse_wrong_database(config)?;
    if let Some(settings) = postgres(config) {
        return Ok(chat_store_postgres::migrate(&settings).await?);
    }
    config.make_data_dir()?;
    Ok(chat_store_sqlite::migrate(&config.database_path()).await?)
}

async fn backup(config: &Config, file: &Path) -> anyhow::Result<()> {
    refuse_postgres(config)?;
    Ok(chat_store_sqlite::backup(&config.database_path(), file).await?)
}

async fn restore(config: &Config, file: &Path) -> anyhow::Result<()> {
    refuse_postgres(config)?;
    config.make_data_dir()?;
    Ok(chat_store_sqlite::restore(&config.database_path(), file).await?)
}

fn refuse_postgres(config: &Config) -> anyhow::Result<()> {
    refuse_wrong_database(config)?;
    if postgres(config).is_some() {
        bail!("PostgreSQL is saved by pg_dump and restored by pg_restore; see docs/operations.md");
    }
    Ok(())
}

async fn new_epochs(config: &Config) -> anyhow::Result<()> {
    refuse_wrong_database(config)?;
    let Some(settings) = postgres(config) else {
        bail!("`restore` has given the feeds new epochs; this is for PostgreSQL");
    };
    Ok(chat_store_postgres::new_epochs(&settings).await?)
}

fn postgres(config: &Config) -> Option<chat_store_postgres::Settings> {
    let url = config.postgres_url()?;
    Some(chat_store_postgres::Settings {
        url: url.to_owned(),
        connections: config.database.connections,
        wait: config.database.wait,
        statement: config.database.statement,
    })
}

/// Says everything that is wrong with the configuration at once, before anything listens.
fn refuse_mistakes(config: &Config) -> anyhow::Result<()> {
    refuse(config.validate().err().unwrap_or_default())
}

/// The same for what only works on the database, and needs no key.
fn refuse_wrong_database(config: &Config) -> anyhow::Result<()> {
    refuse(config.database_problem().into_iter().collect())
}

fn refuse(mut problems: Vec<String>) -> anyhow::Result<()> {
    let unknown = config::unknown_variables(config::environment());
    problems.extend(unknown.iter().map(|name| {
        format!("{name} is not a variable of this service; see `chat-backend --help`.")
    }));
    if problems.is_empty() {
        return Ok(());
    }
    let list = problems.join("\n- ");
    bail!("the configuration has mistakes:\n- {list}")
}
