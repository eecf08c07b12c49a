//! Load, faults and the audit: real clients of the public protocol, and what they saw held against
//! what the store has.
//!
//! A [`Scenario`] says what happens, [`run`] makes it happen and returns a [`Report`]. Whoever kills
//! and cuts meanwhile holds the [`Faults`] of [`Control::with_faults`]; the load goes on for as long
//! as they do. [`audit::audit`] judges the histories, [`proxy`] is a bad network, and [`SERVER_FLAGS`]
//! are what a server under load is started with.
//!
//! Most clients are [`chat_client`]'s state machine, the one that browsers run. Readers that only
//! count are cheap, so that a measured fan-out is the server's.

mod attention;
pub mod audit;
mod clock;
mod driver;
mod faults;
pub mod history;
mod measure;
mod pipeline;
pub mod proxy;
mod quiet;
mod raw;
mod reader;
pub mod report;
mod rights;
mod rng;
mod run;
mod scenario;
mod server;
mod tap;
mod text;
mod truth;

pub use faults::{Control, Faults, Felt, Live, Phase};
pub use measure::{LatencySummary, Usage, usage};
pub use report::{Report, Verdict};
pub use run::{LoadError, run};
pub use scenario::{Floors, JUDGED_ALONE, Load, Mix, SERVER_FLAGS, SITE, Scenario};
pub use server::{ApiError, InvalidServer, Server};

/// Raises this process's limit of open files as far as the system lets it: a connection is one.
pub fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // Where it is not granted, connections fail and say so.
    let _ = setrlimit(Resource::Nofile, wanted);
}
