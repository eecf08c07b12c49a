//! The front end's server from outside: the real program on ports of its own.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]
#![expect(
    unreachable_pub,
    reason = "a test binary exports nothing; `pub` marks what tests may use"
)]

mod assets;
mod embed;
mod listener;
mod metrics;
mod shutdown;
mod support;
mod tls;
mod traces;
