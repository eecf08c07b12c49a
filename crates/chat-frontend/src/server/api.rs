//! The client with which this server asks the API, over http or https.

use std::time::Duration;

use anyhow::Context as _;
use axum::body::Bytes;
use axum::http::{StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// How long the API may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long an answer may be.
const ANSWER_BYTES: usize = 256 * 1024;

/// The API, as this server reaches it.
pub struct Api {
    base: String,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl Api {
    /// The API at `base`, an http or https address without a slash at the end. What the machine
    /// trusts is trusted, or else what `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
    ///
    /// # Errors
    /// When the address is https and the machine trusts nobody.
    pub fn new(base: String) -> anyhow::Result<Self> {
        let config = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()?;
        let config = if base.starts_with("https://") {
            config.with_native_roots().context(
                "no certificate authority is trusted here, so the API cannot be asked over https; \
                 install ca-certificates, or name a file in PEM in SSL_CERT_FILE",
            )?
        } else {
            config.with_root_certificates(RootCertStore::empty())
        };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config.with_no_client_auth())
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { base, client })
    }

    /// What the API answers to `GET path`, whole and in time.
    ///
    /// # Errors
    /// When it cannot be reached, is not the one that it says, or is too slow or too long.
    pub async fn get(&self, path: &str) -> anyhow::Result<(StatusCode, Bytes)> {
        let address: Uri = format!("{}{path}", self.base).parse()?;
        let asking = async {
            let response = self.client.get(address).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_BYTES).collect();
            let body = body.await.map_err(anyhow::Error::from_boxed)?;
            anyhow::Ok((status, body.to_bytes()))
        };
        timeout(PATIENCE, asking).await?
    }
}
