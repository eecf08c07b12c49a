//! The browser's modules: one crate, compiled once for each artifact, and its bindings.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use wasm_bindgen_cli_support::Bindgen;

use super::{is_current, stamp, trim};
use crate::{paths, process, tools};

/// The artifacts, each named like the feature that selects it.
pub(super) const ARTIFACTS: [&str; 2] = ["app", "embed"];

/// What the modules are made of. Cargo cannot be asked whether they are current, see [`compile`].
const SOURCES: [&str; 7] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    ".cargo/config.toml",
    "crates/chat-types",
    "crates/chat-client",
    "crates/chat-frontend",
];
/// Below a source folder, what does not end up in a module.
const PARTS: [&str; 3] = ["Cargo.toml", "build.rs", "src"];

/// A module with the script that loads it.
pub(super) struct Bound {
    pub(super) script: String,
    pub(super) wasm: Vec<u8>,
    /// The name by which the script asks for the module.
    pub(super) wasm_name: String,
}

/// The compiled modules in the order of [`ARTIFACTS`].
pub(super) fn modules(work: &Path, force: bool) -> anyhow::Result<Vec<PathBuf>> {
    fs::create_dir_all(work)?;
    let modules: Vec<_> = ARTIFACTS
        .iter()
        .map(|artifact| work.join(format!("{artifact}.wasm")))
        .collect();
    let stamp = source_stamp()?;
    let stamp_file = work.join("wasm-stamp");
    if !force && is_current(&stamp_file, &stamp) && modules.iter().all(|module| module.is_file()) {
        return Ok(modules);
    }
    for (artifact, module) in ARTIFACTS.into_iter().zip(&modules) {
        println!("compiling the {artifact} for the browser");
        compile(artifact, module)?;
    }
    fs::write(stamp_file, stamp)?;
    Ok(modules)
}

/// Writes the bindings of a module.
pub(super) fn bind(artifact: &str, module: &Path, work: &Path) -> anyhow::Result<Bound> {
    let folder = work.join(format!("{artifact}-bound"));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let compiled = fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
    Bindgen::new()
        .input_bytes(artifact, trim::trim(&compiled)?)
        .out_name(artifact)
        .web(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(&folder)
        .with_context(|| format!("cannot make the bindings of {}", module.display()))?;
    anyhow::ensure!(
        !folder.join("snippets").exists(),
        "a dependency of the {artifact} brings a script of its own, which nothing here serves; leave that dependency out"
    );
    let wasm_name = format!("{artifact}_bg.wasm");
    Ok(Bound {
        script: fs::read_to_string(folder.join(format!("{artifact}.js")))?,
        wasm: fs::read(folder.join(&wasm_name))?,
        wasm_name,
    })
}

/// Compiles one artifact. Both have the same output file, as a `cdylib` carries no hash in its name,
/// and cargo takes whichever lies there for the one it is asked for. So the file is removed before
/// and copied after, and whether anything changed is known from the sources.
fn compile(artifact: &str, module: &Path) -> anyhow::Result<()> {
    let folder = paths::target().join(tools::WASM).join("wasm");
    for output in [
        folder.join("chat_frontend.wasm"),
        folder.join("deps/chat_frontend.wasm"),
    ] {
        if output.exists() {
            fs::remove_file(&output)?;
        }
    }
    let mut build = process::cargo();
    build.args([
        "rustc",
        "--package",
        "chat-frontend",
        "--lib",
        "--crate-type",
        "cdylib",
    ]);
    build.args([
        "--target",
        tools::WASM,
        "--profile",
        "wasm",
        "--locked",
        "--no-default-features",
        "--features",
        artifact,
    ]);
    process::run(&mut build)?;
    let output = folder.join("chat_frontend.wasm");
    fs::copy(&output, module).with_context(|| format!("cannot copy {}", output.display()))?;
    Ok(())
}

fn source_stamp() -> anyhow::Result<String> {
    let mut places = Vec::new();
    for source in SOURCES {
        let source = paths::root().join(source);
        if source.is_dir() {
            places.extend(PARTS.map(|part| source.join(part)));
        } else {
            places.push(source);
        }
    }
    let api_base = std::env::var("API_BASE_URL").unwrap_or_default();
    Ok(format!("{}\n{api_base}\n", stamp(&places)?))
}
