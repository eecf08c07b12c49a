//! Why the process does not start, or does not end well: each a sentence for the person who runs it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use chat_store::StoreError;

/// Why the process failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// An address is taken, or is not one of this machine.
    #[error("cannot listen on {addr}: {source}; set {variable} to a free address of this machine")]
    Address {
        /// The address.
        addr: SocketAddr,
        /// The variable that sets it.
        variable: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The data directory does not exist and cannot be made.
    #[error("the data directory {path} (CHAT_DATA_DIR) cannot be made: {source}")]
    DataDirectory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The filter of the log cannot be read.
    #[error("CHAT_LOG is not a filter: {0}")]
    LogFilter(#[from] tracing_subscriber::filter::ParseError),
    /// The process may open too few files to serve anybody.
    #[error(transparent)]
    OpenFiles(#[from] chat_listener::open_files::TooFew),
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] chat_listener::TlsError),
    /// The addresses of the bus are none.
    #[error("NATS_URL cannot be used: {0}")]
    Bus(String),
    /// The store cannot take the configured sites.
    #[error("the configured sites cannot be stored: {0}")]
    Sites(#[from] StoreError),
    /// Signals cannot be waited for, or a socket fails.
    #[error(transparent)]
    System(#[from] io::Error),
    /// The drain ended before everything under way did.
    #[error("some work was still under way after the grace period")]
    Incomplete,
}
