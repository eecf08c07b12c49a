//! `cargo xtask dev`: runs both sides, and rebuilds and restarts them when a file changes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use crate::run::{self, Sides};
use crate::stage::Stages;
use crate::{paths, site};

/// How often the files are looked at. A few hundred of them cost a millisecond.
const LOOK: Duration = Duration::from_millis(500);

/// When each source file was last written.
type Snapshot = BTreeMap<PathBuf, SystemTime>;

/// Runs until Ctrl-C. A build that fails leaves the old servers running.
pub(crate) fn dev(options: &run::Options) -> anyhow::Result<()> {
    let stages = Stages::begin();
    let mut seen = snapshot();
    run::build(&stages)?;
    let stop = run::stop_flag()?;
    let mut sides = Some(Sides::start(&stages, options)?);
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK);
        if let Some(Err(error)) = sides.as_mut().map(Sides::check) {
            eprintln!("xtask: {error:#}; waiting for a change");
            sides = None;
        }
        let now = snapshot();
        if now == seen {
            continue;
        }
        stages.heading(&format!("Changed: {}", changed(&seen, &now)));
        seen = now;
        match rebuild() {
            Ok(()) => {
                drop(sides.take());
                sides = Sides::start(&stages, options)
                    .map_err(|error| eprintln!("xtask: {error:#}"))
                    .ok();
            }
            Err(error) => eprintln!("xtask: {error:#}; what ran before still runs"),
        }
    }
    println!("\nstopping");
    Ok(())
}

fn rebuild() -> anyhow::Result<()> {
    run::build_servers()?;
    site::build(&site::Options::default())
}

fn snapshot() -> Snapshot {
    let mut files = Snapshot::new();
    for place in ["crates", "Cargo.toml", "Cargo.lock"] {
        collect(&paths::root().join(place), &mut files);
    }
    files
}

fn collect(place: &Path, files: &mut Snapshot) {
    if let Ok(entries) = std::fs::read_dir(place) {
        for entry in entries.flatten() {
            collect(&entry.path(), files);
        }
    } else if let Ok(written) = place.metadata().and_then(|metadata| metadata.modified()) {
        files.insert(place.to_owned(), written);
    }
}

fn changed(before: &Snapshot, after: &Snapshot) -> String {
    let written = after
        .iter()
        .filter(|&(file, at)| before.get(file) != Some(at))
        .map(|(file, _)| file);
    let removed = before.keys().filter(|file| !after.contains_key(*file));
    let names: Vec<_> = written
        .chain(removed)
        .take(3)
        .map(|file| {
            file.strip_prefix(paths::root())
                .unwrap_or(file)
                .display()
                .to_string()
        })
        .collect();
    names.join(", ")
}
