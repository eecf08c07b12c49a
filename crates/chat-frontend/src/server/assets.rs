//! The built client: read from disk once, before the server listens, and served from memory with
//! the encoding that the browser prefers. On disk most files are compressed only, since they are sent so;
//! for the rare client that takes no encoding they are unpacked once.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use axum::body::Bytes;
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::read::GzDecoder;
use serde::Deserialize;

use super::AppState;

/// What `manifest.json` names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Manifest {
    /// The artifact with every route.
    pub app: Artifact,
    /// The artifact of the embed.
    pub embed: Artifact,
    /// The style sheet of both.
    pub css: String,
    /// The script that other sites include.
    pub loader: String,
    /// The icon of the page.
    #[serde(default)]
    pub icon: Option<String>,
}

/// One WASM module and the script that loads it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Artifact {
    /// The script.
    pub js: String,
    /// The module.
    pub wasm: String,
}

/// Every file of the built client.
#[derive(Debug)]
pub struct Assets {
    manifest: Manifest,
    files: HashMap<String, Bytes>,
}

impl Assets {
    /// Reads the directory that `cargo xtask build` wrote.
    ///
    /// # Errors
    /// Names the file that is missing, not readable or not what its name says.
    pub fn load(directory: &Path) -> anyhow::Result<Self> {
        let mut files = HashMap::new();
        let entries = std::fs::read_dir(directory).with_context(|| {
            format!(
                "cannot read the client's assets in {}; build them with `cargo xtask build`",
                directory.display()
            )
        })?;
        for entry in entries {
            let entry = entry?;
            if !entry.file_type()?.is_file() {
                continue;
            }
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let bytes = std::fs::read(entry.path())
                .with_context(|| format!("cannot read {}", entry.path().display()))?;
            files.insert(name, Bytes::from(bytes));
        }
        unpack(&mut files)?;
        let manifest = files
            .get("manifest.json")
            .context("the client's assets have no manifest.json")?;
        let manifest =
            serde_json::from_slice(manifest).context("manifest.json is not as expected")?;
        let assets = Self { manifest, files };
        assets.check()?;
        Ok(assets)
    }

    /// What the client consists of.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn check(&self) -> anyhow::Result<()> {
        let Manifest {
            app,
            embed,
            css,
            loader,
            icon,
        } = &self.manifest;
        let named = [&app.js, &app.wasm, &embed.js, &embed.wasm, css, loader];
        for name in named.into_iter().chain(icon) {
            anyhow::ensure!(
                self.files.contains_key(name),
                "manifest.json names {name}, which is missing"
            );
        }
        Ok(())
    }

    fn respond(&self, name: &str, request: &HeaderMap, cache: &'static str) -> Response {
        let Some(content_type) = content_type(name) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let (suffix, encoding) = self.encoding(name, request);
        let Some(bytes) = self.files.get(&format!("{name}{suffix}")) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let mut response = bytes.clone().into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if let Some(encoding) = encoding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    }

    /// The best stored form that the browser takes.
    fn encoding(&self, name: &str, request: &HeaderMap) -> (&'static str, Option<&'static str>) {
        let accepted = request
            .get(header::ACCEPT_ENCODING)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let takes = |encoding: &str| {
            accepted.split(',').any(|offer| {
                let (name, quality) = offer.split_once(';').unwrap_or((offer, ""));
                name.trim().eq_ignore_ascii_case(encoding) && quality.trim() != "q=0"
            })
        };
        [(".br", "br"), (".gz", "gzip")]
            .into_iter()
            .find(|(suffix, encoding)| {
                takes(encoding) && self.files.contains_key(&format!("{name}{suffix}"))
            })
            .map_or(("", None), |(suffix, encoding)| (suffix, Some(encoding)))
    }
}

/// Adds the plain form of each file that has none.
fn unpack(files: &mut HashMap<String, Bytes>) -> anyhow::Result<()> {
    let mut plain = Vec::new();
    for (packed, bytes) in &*files {
        let Some(name) = packed.strip_suffix(".gz") else {
            continue;
        };
        if files.contains_key(name) {
            continue;
        }
        let mut unpacked = Vec::new();
        GzDecoder::new(&**bytes)
            .read_to_end(&mut unpacked)
            .with_context(|| format!("{packed} cannot be unpacked"))?;
        plain.push((name.to_owned(), Bytes::from(unpacked)));
    }
    files.extend(plain);
    Ok(())
}

/// The types that are served; anything else in the directory is not for browsers.
fn content_type(name: &str) -> Option<&'static str> {
    let (_, extension) = name.rsplit_once('.')?;
    Some(match extension {
        "js" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}

/// `GET /assets/{file}`: names carry a hash of the content, so they never change.
pub async fn asset(
    State(state): State<AppState>,
    UrlPath(file): UrlPath<String>,
    request: HeaderMap,
) -> Response {
    state
        .assets()
        .respond(&file, &request, "public, max-age=31536000, immutable")
}

/// `GET /embed.js`: the stable address of the loader; its content changes with releases. Other sites
/// include it, so it may be read across origins.
pub async fn loader(State(state): State<AppState>, request: HeaderMap) -> Response {
    let loader = state.assets().manifest().loader.clone();
    let mut response = state
        .assets()
        .respond(&loader, &request, "public, max-age=300");
    response.headers_mut().insert(
        "cross-origin-resource-policy",
        HeaderValue::from_static("cross-origin"),
    );
    response
}
