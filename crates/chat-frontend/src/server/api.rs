//! The client with which this server asks the API, over http or https.

use std::time::Duration;

use anyhow::Context as _;
use axum::body::Bytes;
use axum::http::{HeaderValue, Method, Request, StatusCode};
use chat_listener::client;
use chat_listener::traces::{Span, TRACEPARENT};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;
use tracing::Instrument;

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
        let connector = client::connector(base.starts_with("https://")).context(
            "no certificate authority is trusted here, so the API cannot be asked over https; \
             install ca-certificates, or name a file in PEM in SSL_CERT_FILE",
        )?;
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { base, client })
    }

    /// What the API answers to `GET path`, whole and in time. The question is a trace of its own, by the
    /// route of that path: many visitors may wait for its answer, or nobody. `None`, and why in the log, when
    /// it cannot be reached, is not the one that it says, or is too slow or too long.
    pub async fn get(&self, route: &'static str, path: &str) -> Option<(StatusCode, Bytes)> {
        let span = Span::question(&Method::GET, route);
        let in_log = span.in_log();
        let asking = async {
            let asking = timeout(PATIENCE, self.ask(path, span.traceparent()));
            match asking.await.unwrap_or_else(|late| Err(late.into())) {
                Ok((status, body)) => {
                    span.answered(status);
                    Some((status, body))
                }
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "the API cannot be asked");
                    span.refused("unavailable", true);
                    None
                }
            }
        };
        asking.instrument(in_log).await
    }

    async fn ask(
        &self,
        path: &str,
        traceparent: Option<HeaderValue>,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let mut request = Request::get(format!("{}{path}", self.base)).body(Empty::new())?;
        if let Some(parent) = traceparent {
            request.headers_mut().insert(TRACEPARENT, parent);
        }
        let response = self.client.request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES).collect();
        let body = body.await.map_err(anyhow::Error::from_boxed)?;
        Ok((status, body.to_bytes()))
    }
}
