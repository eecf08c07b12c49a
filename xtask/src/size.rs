//! `cargo xtask size`: the bytes of a first page as a browser receives them, headers included,
//! against its budget.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::paths;
use crate::run::{self, Sides};
use crate::stage::Stages;

/// The most that a first view may cost, in bytes: a little above what it costs, so that nothing comes in
/// unnoticed. They are to become 220,000 and 130,000.
const ROOM_BUDGET: usize = 330_000;
const EMBED_BUDGET: usize = 288_000;
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// A room that need not exist: the shell is the same for every room.
const ROOM: &str = "/r/00000000-0000-4000-8000-000000000000";
/// A page of the development site.
const EMBED: &str = "/embed/demo/size";

/// Builds, starts both sides on free ports, and measures.
pub(crate) fn size() -> anyhow::Result<()> {
    let stages = Stages::begin();
    run::build(&stages)?;
    check(&stages)
}

/// Measures what is built, prints it, and holds it to its budgets.
pub(crate) fn check(stages: &Stages) -> anyhow::Result<()> {
    let options = run::Options::on_free_ports(paths::target().join("size-data"))?;
    let _sides = Sides::start(stages, &options)?;
    let manifest = std::fs::read(paths::site().join("manifest.json"))
        .context("the web client is not built")?;
    let manifest: Value = serde_json::from_slice(&manifest)?;
    println!(
        "\n{:<8}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "bytes", "HTML", "JS", "WASM", "CSS", "total"
    );
    let room = first_view(options.web(), "room", ROOM, &manifest, "app")?;
    let embed = first_view(options.web(), "embed", EMBED, &manifest, "embed")?;
    keep_within("a room", ROOM_BUDGET, room)?;
    keep_within("an embed", EMBED_BUDGET, embed)
}

fn keep_within(budgeted: &str, budget: usize, bytes: usize) -> anyhow::Result<()> {
    if bytes > budget {
        bail!(
            "the first view of {budgeted} costs {bytes} bytes, {} more than its budget of {budget}",
            bytes - budget
        );
    }
    println!(
        "the budget of {budgeted} is {budget}; {} are left",
        budget - bytes
    );
    Ok(())
}

fn first_view(
    web: SocketAddr,
    name: &str,
    page: &str,
    manifest: &Value,
    artifact: &str,
) -> anyhow::Result<usize> {
    let asset = |file: &Value| {
        let file = file
            .as_str()
            .context("the manifest does not name every file")?;
        received(web, &format!("/assets/{file}"))
    };
    let parts = [
        received(web, page)?,
        asset(&manifest[artifact]["js"])?,
        asset(&manifest[artifact]["wasm"])?,
        asset(&manifest["css"])?,
    ];
    let total = parts.iter().sum();
    let [html, js, wasm, css] = parts;
    println!("{name:<8}{html:>10}{js:>10}{wasm:>10}{css:>10}{total:>10}");
    Ok(total)
}

/// The bytes of an answer to a browser that takes brotli.
fn received(web: SocketAddr, path: &str) -> anyhow::Result<usize> {
    let mut stream = TcpStream::connect_timeout(&web, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {web}\r\naccept-encoding: gzip, br\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .with_context(|| format!("{path} is not answered"))?;
    if !answer.starts_with(b"HTTP/1.1 200") {
        let status = String::from_utf8_lossy(&answer);
        bail!(
            "{path} is answered with {}",
            status.lines().next().unwrap_or_default()
        );
    }
    Ok(answer.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_may_use_its_budget_up_and_not_one_byte_more() {
        for budget in [ROOM_BUDGET, EMBED_BUDGET] {
            assert!(keep_within("a view", budget, budget).is_ok());
            assert!(keep_within("a view", budget, budget + 1).is_err());
        }
    }
}
