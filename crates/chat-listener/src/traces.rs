//! Traces over OTLP, where a collector is named: what is asked over HTTP, by its route, and what is
//! commanded over a socket. A span has methods, routes, statuses and error codes, never a room, a user,
//! a name, an address, a text or a token: there is no way to put one in.
//!
//! [`start`] begins, once per process; without it a [`Span`] is nothing and costs nothing. Nothing here
//! waits for the collector but [`end`], and that not for long.

mod config;
mod export;
mod parent;

use std::sync::OnceLock;
use std::time::Duration;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderValue, Method, StatusCode};
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    self as sdk, BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider,
};
use tracing::Instrument;

pub use opentelemetry::trace::TraceId;

pub use self::config::Options;
use self::config::Settings;
use self::export::{Collector, Counted};
pub(crate) use self::export::{LOST, SENT, SPANS};
pub use self::parent::TRACEPARENT;
use self::parent::parent;
use crate::client;
use crate::metrics::{NO_ROUTE, known};

/// Spans that wait for the collector at most; what comes beyond is dropped. 2,048 are about 2 MB.
const WAITING: usize = 2_048;
/// Spans that go to the collector at once at most.
const BATCH: usize = 512;
/// How long spans wait for others at most.
const EVERY: Duration = Duration::from_secs(5);
/// How long the end of the process waits for the collector at most.
const FLUSH: Duration = Duration::from_secs(2);

struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

static TRACES: OnceLock<Traces> = OnceLock::new();

/// Traces cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum NoTraces {
    /// The options are wrong.
    #[error("{}", .0.join("\n"))]
    Options(Vec<String>),
    /// Nothing is there by which the collector could be trusted.
    #[error(
        "no certificate authority is trusted here, so no traces can be sent over https: {0}; \
         install ca-certificates, or name a file in PEM in SSL_CERT_FILE"
    )]
    Trust(#[from] std::io::Error),
    /// The exporter refuses its settings.
    #[error("traces cannot be sent: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
}

/// Begins to trace where a collector is named, as `name` unless the options have another one; once per
/// process.
///
/// # Errors
/// When the options are wrong, or the collector cannot be spoken to as they say. One that is away is no
/// error.
pub fn start(options: &Options, name: &'static str, release: &'static str) -> Result<(), NoTraces> {
    let Some(settings) = options.settings().map_err(NoTraces::Options)? else {
        return Ok(());
    };
    let Settings {
        endpoint,
        headers,
        timeout,
        service_name,
        sampler,
    } = settings;
    let connector = client::connector(endpoint.scheme_str() == Some("https"))?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Collector::new(connector, timeout))
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint.to_string())
        .with_headers(headers)
        .with_timeout(timeout)
        .build()?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(WAITING)
        .with_max_export_batch_size(BATCH)
        .with_scheduled_delay(EVERY)
        .build();
    let processor = BatchSpanProcessor::builder(Counted::new(exporter)).with_batch_config(batches);
    // With what OTEL_RESOURCE_ATTRIBUTES says of this process.
    let resource = Resource::builder()
        .with_service_name(service_name.unwrap_or_else(|| name.to_owned()))
        .with_attribute(KeyValue::new("service.version", release))
        .build();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(processor.build())
        .with_sampler(sampler)
        .with_resource(resource)
        .build();
    let tracer = provider.tracer(name);
    let _ = TRACES.set(Traces { provider, tracer });
    tracing::info!(collector = %endpoint, "traces are sent");
    Ok(())
}

/// Sends what waits to the collector, as far as it takes that within two seconds; the last thing that a
/// process does.
pub async fn end() {
    let Some(traces) = TRACES.get() else { return };
    let flushing = tokio::task::spawn_blocking(|| traces.provider.shutdown_with_timeout(FLUSH));
    if !matches!(flushing.await, Ok(Ok(()))) {
        tracing::warn!("the last traces were not taken by the collector");
    }
}

/// A piece of work that is traced, or nothing where nothing is. It ends when it is dropped.
pub struct Span(Option<Box<sdk::Span>>);

impl Span {
    /// What is asked of this server, in the trace of who asks; and that trace, for the log, also where
    /// nothing is traced here. Where the request's route is known, it has to be among its extensions.
    pub fn request(request: &Request) -> (Self, Option<TraceId>) {
        let parent = parent(request.headers());
        let route = request.extensions().get::<MatchedPath>();
        let route = route.map_or(NO_ROUTE, MatchedPath::as_str);
        let span = Self::of_http(SpanKind::Server, request.method(), route, parent.as_ref());
        let trace = span.trace_id().or(parent.map(|parent| parent.trace_id()));
        (span, trace)
    }

    /// What this server asks another one.
    pub fn question(method: &Method, route: &'static str) -> Self {
        Self::of_http(SpanKind::Client, method, route, None)
    }

    /// What is commanded over a socket: a trace of its own, since the socket's would last for hours.
    pub fn command(name: &'static str) -> Self {
        Self::begin(None, || {
            let builder = SpanBuilder::from_name(name).with_kind(SpanKind::Server);
            builder.with_attributes([KeyValue::new("chat.command", name)])
        })
    }

    fn of_http(kind: SpanKind, method: &Method, route: &str, parent: Option<&SpanContext>) -> Self {
        Self::begin(parent, || {
            let method = known(method);
            let name = format!("{method} {route}");
            let builder = SpanBuilder::from_name(name).with_kind(kind);
            builder.with_attributes([
                KeyValue::new("http.request.method", method.to_owned()),
                KeyValue::new("http.route", route.to_owned()),
            ])
        })
    }

    fn begin(parent: Option<&SpanContext>, builder: impl FnOnce() -> SpanBuilder) -> Self {
        Self(TRACES.get().map(|traces| {
            let context = Context::new();
            let context = match parent {
                Some(parent) => context.with_remote_span_context(parent.clone()),
                None => context,
            };
            Box::new(traces.tracer.build_with_context(builder(), &context))
        }))
    }

    /// The same in the log, where it names the trace, which is also there when it is not recorded.
    pub fn in_log(&self) -> tracing::Span {
        self.trace_id().map_or_else(
            tracing::Span::none,
            |trace| tracing::info_span!("traced", trace_id = %trace),
        )
    }

    fn trace_id(&self) -> Option<TraceId> {
        let span = self.0.as_ref()?;
        Some(span.span_context().trace_id())
    }

    /// How another server is told that it works for this.
    pub fn traceparent(&self) -> Option<HeaderValue> {
        let context = self.0.as_ref()?.span_context();
        let (trace, span, flags) = (context.trace_id(), context.span_id(), context.trace_flags());
        HeaderValue::try_from(format!("00-{trace}-{span}-{flags:02x}")).ok()
    }

    /// It was answered.
    pub fn answered(self, status: StatusCode) {
        let Some(mut span) = self.0 else { return };
        let code = i64::from(status.as_u16());
        span.set_attribute(KeyValue::new("http.response.status_code", code));
        if status.is_server_error() {
            span.set_attribute(KeyValue::new("error.type", status.as_str().to_owned()));
            span.set_status(Status::error(""));
        }
    }

    /// It was refused with an error's code, for which this server is at fault or not.
    pub fn refused(self, code: &'static str, is_fault: bool) {
        let Some(mut span) = self.0 else { return };
        span.set_attribute(KeyValue::new("error.type", code));
        if is_fault {
            span.set_status(Status::error(""));
        }
    }
}

/// Traces requests, and names the trace in what they log: a layer of routes, where their templates are
/// known.
pub async fn traced(request: Request, next: Next) -> Response {
    let (span, trace) = Span::request(&request);
    let in_log = trace.map_or_else(
        tracing::Span::none,
        |trace| tracing::info_span!("request", trace_id = %trace),
    );
    let response = next.run(request).instrument(in_log).await;
    span.answered(response.status());
    response
}
