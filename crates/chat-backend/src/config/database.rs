//! How much of a PostgreSQL server a node takes, in words of the environment.

use std::time::Duration;

use clap::Args;

use super::sockets::milliseconds;

/// How much of a PostgreSQL server a node takes.
#[derive(Debug, Clone, Args)]
pub struct Database {
    /// Connections to PostgreSQL of this process at most; 4 of them append messages. All processes
    /// together must stay below the server's `max_connections`.
    #[arg(
        id = "database-connections",
        long,
        env = "CHAT_DATABASE_CONNECTIONS",
        default_value_t = 20
    )]
    pub connections: u32,
    /// Milliseconds that a request waits for a connection to PostgreSQL before it is refused as
    /// `unavailable`.
    #[arg(long = "database-wait-ms", env = "CHAT_DATABASE_WAIT_MS", default_value = "3000", value_parser = milliseconds)]
    pub wait: Duration,
    /// Milliseconds that a statement may take on PostgreSQL before it is given up; a transaction may
    /// take a second more.
    #[arg(long = "database-statement-ms", env = "CHAT_DATABASE_STATEMENT_MS", default_value = "5000", value_parser = milliseconds)]
    pub statement: Duration,
}
