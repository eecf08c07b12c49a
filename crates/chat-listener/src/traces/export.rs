//! The way of spans to the collector, all of it on the exporter's own thread: a collector that is slow
//! or away costs no request anything, and what it does not take is dropped and counted. What finds the
//! queue full is dropped as well, and counted nowhere.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use metrics::counter;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{self, SpanData};
use tokio::runtime;
use tokio::time::timeout;

/// How long a collector's answer may be.
const ANSWER_BYTES: usize = 64 * 1024;
/// The counter of what became of spans.
pub(crate) const SPANS: &str = "traces_spans_total";
/// What may become of a span that ended, as the label `result`.
pub(crate) const SENT: &str = "sent";
pub(crate) const LOST: &str = "lost";

/// The exporter, counted, and told of in the log when it begins to fail and when that is over.
#[derive(Debug)]
pub(super) struct Counted {
    exporter: SpanExporter,
    fails: AtomicBool,
}

impl Counted {
    pub(super) fn new(exporter: SpanExporter) -> Self {
        Self {
            exporter,
            fails: AtomicBool::new(false),
        }
    }
}

impl trace::SpanExporter for Counted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let done = self.exporter.export(batch).await;
        let failed_before = self.fails.swap(done.is_err(), Ordering::Relaxed);
        match &done {
            Ok(()) if failed_before => tracing::info!("the collector takes traces again"),
            Err(error) if !failed_before => {
                tracing::warn!(%error, "the collector takes no traces; they are dropped until it does");
            }
            _ => {}
        }
        let result = if done.is_ok() { SENT } else { LOST };
        counter!(SPANS, "result" => result).increment(spans);
        done
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// The collector, over a connection of its own for each batch.
pub(super) struct Collector {
    connector: HttpsConnector<HttpConnector>,
    patience: Duration,
}

impl Collector {
    pub(super) fn new(connector: HttpsConnector<HttpConnector>, patience: Duration) -> Self {
        Self {
            connector,
            patience,
        }
    }

    async fn ask(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(self.connector.clone());
        let asking = async {
            let answer = client.request(request.map(Full::new)).await?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER_BYTES).collect().await?;
            Ok(Response::from_parts(head, body.to_bytes()))
        };
        timeout(self.patience, asking).await?
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // The exporter's thread may wait, and has no runtime: the server's is not to work for it.
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let answer = runtime.block_on(self.ask(request));
        // Not to wait for a look-up of a name that nobody waits for any more.
        runtime.shutdown_background();
        answer
    }
}
