//! The service from outside: a real server on a free port, real clients.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]
#![expect(
    unreachable_pub,
    reason = "a test binary exports nothing; `pub` marks what tests may use"
)]

mod auth;
mod broker;
#[cfg(target_os = "linux")]
mod canary;
mod cluster;
mod config;
mod hostile;
mod http;
mod logs;
#[cfg(target_os = "linux")]
mod memory;
mod messages;
#[cfg(target_os = "linux")]
mod metrics;
#[cfg(target_os = "linux")]
mod open_files;
mod postgres;
mod presence;
mod purge;
mod rates;
mod reconnect;
mod restore;
mod rooms;
mod shutdown;
mod socket;
mod starts;
mod stream;
mod support;
#[cfg(target_os = "linux")]
mod tls;
#[cfg(target_os = "linux")]
mod traces;
