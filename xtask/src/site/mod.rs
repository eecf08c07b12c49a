//! `cargo xtask build`: the web client's files in `target/site`, named by their content, with a
//! manifest for the front end's server, and stored compressed.

mod compress;
mod css;
mod names;
mod trim;
mod wasm;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::paths;

/// How to build the client.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Options {
    /// Build everything again, even where nothing changed.
    #[arg(long)]
    force: bool,
}

/// Files by the name that browsers ask for.
type Files = BTreeMap<String, Vec<u8>>;

/// Builds what changed since the last time.
pub(crate) fn build(options: &Options) -> anyhow::Result<()> {
    let front_end = paths::root().join("crates/chat-frontend");
    let work = paths::target().join("site-work");
    let modules = wasm::modules(&work, options.force)?;
    let mut sources = modules.clone();
    sources.extend(["style", "public"].map(|folder| front_end.join(folder)));
    // How the files are made from these.
    sources.push(paths::root().join("xtask/src/site"));
    let stamp = stamp(&sources)?;
    let stamp_file = work.join("site-stamp");
    if !options.force
        && is_current(&stamp_file, &stamp)
        && paths::site().join("manifest.json").is_file()
    {
        println!("the web client in {} is current", shown(&paths::site()));
        return Ok(());
    }
    let files = assemble(&front_end, &modules, &work)?;
    write_site(files, options.force)?;
    fs::write(&stamp_file, stamp)?;
    println!("the web client is in {}", shown(&paths::site()));
    Ok(())
}

/// Bytes as lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a String takes what is written");
            text
        })
}

fn assemble(front_end: &Path, modules: &[PathBuf], work: &Path) -> anyhow::Result<Files> {
    let mut files = Files::new();
    let mut manifest = serde_json::Map::new();
    for (artifact, module) in wasm::ARTIFACTS.into_iter().zip(modules) {
        let bound = names::shorten(wasm::bind(artifact, module, work)?)?;
        let wasm_name = add(&mut files, artifact, "wasm", bound.wasm);
        let script = bound.script.replace(&bound.wasm_name, &wasm_name);
        let js_name = add(&mut files, artifact, "js", script.into_bytes());
        manifest.insert(
            artifact.to_owned(),
            json!({ "js": js_name, "wasm": wasm_name }),
        );
    }
    let style = css::bundle(&front_end.join("style/main.css"))?;
    manifest.insert(
        "css".to_owned(),
        add(&mut files, "main", "css", style.into_bytes()).into(),
    );
    let public = front_end.join("public");
    let loader = public.join("embed.js");
    let bytes = fs::read(&loader).with_context(|| format!("cannot read {}", loader.display()))?;
    manifest.insert(
        "loader".to_owned(),
        add(&mut files, "embed-loader", "js", bytes).into(),
    );
    if let Ok(bytes) = fs::read(public.join("icon.svg")) {
        manifest.insert(
            "icon".to_owned(),
            add(&mut files, "icon", "svg", bytes).into(),
        );
    }
    files.insert(
        "manifest.json".to_owned(),
        serde_json::to_vec_pretty(&manifest)?,
    );
    Ok(files)
}

/// Names a file by its content, so that a browser may keep it for ever.
fn add(files: &mut Files, base: &str, extension: &str, bytes: Vec<u8>) -> String {
    let hash = hex(&Sha256::digest(&bytes));
    let name = format!("{base}-{}.{extension}", &hash[..16]);
    files.insert(name.clone(), bytes);
    name
}

/// Writes beside the old directory and swaps, so that a server never reads half of a build.
fn write_site(files: Files, force: bool) -> anyhow::Result<()> {
    let site = paths::site();
    let fresh = site.with_extension("new");
    let before = if force { &fresh } else { &site };
    let old = site.with_extension("old");
    for leftover in [&fresh, &old] {
        if leftover.exists() {
            fs::remove_dir_all(leftover)?;
        }
    }
    fs::create_dir_all(&fresh)?;
    for (name, bytes) in files {
        for (name, bytes) in compress::forms(name, bytes, before) {
            fs::write(fresh.join(name), bytes)?;
        }
    }
    if site.exists() {
        fs::rename(&site, &old)?;
    }
    fs::rename(&fresh, &site)?;
    if old.exists() {
        fs::remove_dir_all(&old)?;
    }
    Ok(())
}

/// A digest of files and folders, with their names. What does not exist counts as empty.
fn stamp(places: &[PathBuf]) -> anyhow::Result<String> {
    let mut digest = Sha256::new();
    for place in places {
        digest_into(place, &mut digest)?;
    }
    Ok(hex(&digest.finalize()))
}

fn digest_into(place: &Path, digest: &mut Sha256) -> anyhow::Result<()> {
    if place.is_dir() {
        let mut entries = fs::read_dir(place)?
            .map(|entry| Ok(entry?.path()))
            .collect::<anyhow::Result<Vec<_>>>()?;
        entries.sort();
        return entries
            .iter()
            .try_for_each(|entry| digest_into(entry, digest));
    }
    digest.update(place.to_string_lossy().as_bytes());
    if place.is_file() {
        let bytes = fs::read(place).with_context(|| format!("cannot read {}", place.display()))?;
        digest.update(bytes.len().to_le_bytes());
        digest.update(&bytes);
    }
    Ok(())
}

fn is_current(stamp_file: &Path, stamp: &str) -> bool {
    fs::read_to_string(stamp_file).is_ok_and(|before| before == stamp)
}

fn shown(path: &Path) -> String {
    path.strip_prefix(paths::root())
        .unwrap_or(path)
        .display()
        .to_string()
}
