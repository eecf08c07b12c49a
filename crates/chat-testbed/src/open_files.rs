//! A process that has no files left to open.

use std::collections::HashSet;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::{Error, Result};

/// Leaves a process so many files to open: the limit is on their numbers, and the lowest that is free
/// is used first. On Linux only; elsewhere processes cannot be limited by others.
///
/// # Errors
/// When the process is not there, or is not this user's.
pub fn leave_files(process: u32, files: usize) -> Result<()> {
    let place = format!("/proc/{process}/fd");
    let open = std::fs::read_dir(&place).map_err(Error::system(place))?;
    let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let open: HashSet<u64> = open.flatten().filter_map(number).collect();
    let limit = (0..).filter(|number| !open.contains(number)).nth(files);
    let limit = Rlimit {
        current: limit,
        maximum: limit,
    };
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    prlimit(pid, Resource::Nofile, limit)
        .map(drop)
        .map_err(|error| Error::system("the limit of open files cannot be set")(error.into()))
}
