//! The audit on histories made by hand and by chance, the bad network over loopback, and whole runs
//! against the real service: sound, killed, cut, as several replicas, with a full disk, and sabotaged.

#![expect(clippy::unwrap_used, reason = "the helpers are parts of the tests")]

mod attention;
mod audit;
mod correct;
mod disk_full;
mod faults;
mod model;
mod proxy;
mod replicas;
mod rights;
mod runs;
mod sabotage;
mod server;
