//! Where traces go and how many, in the variables that OpenTelemetry's specification names. An empty
//! variable counts as none there.

use std::collections::HashMap;
use std::time::Duration;

use clap::Args;
use http::uri::Authority;
use http::{HeaderName, HeaderValue, Uri};
use opentelemetry_sdk::trace::Sampler;

/// The one protocol that is spoken.
const PROTOCOL: &str = "http/protobuf";
/// Appended to the address of a collector for all signals.
const TRACES_PATH: &str = "/v1/traces";
/// How long a collector may take with a batch, retries included, in milliseconds.
const TIMEOUT_MS: std::ops::RangeInclusive<u64> = 100..=60_000;

/// Where traces go, and how many of them: the standard variables of OpenTelemetry.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The collector of traces, to which `/v1/traces` is appended, for example
    /// `http://otel-collector.monitoring:4318`; absent: nothing is traced.
    #[arg(
        id = "otlp-endpoint",
        long = "otlp-endpoint",
        env = "OTEL_EXPORTER_OTLP_ENDPOINT"
    )]
    endpoint: Option<String>,
    /// The same for traces alone, to which nothing is appended.
    #[arg(
        id = "otlp-traces-endpoint",
        long = "otlp-traces-endpoint",
        env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
    )]
    traces_endpoint: Option<String>,
    /// Headers for the collector, `name=value`, comma separated, with `%` and two digits for what means
    /// something there.
    #[arg(
        id = "otlp-headers",
        long = "otlp-headers",
        env = "OTEL_EXPORTER_OTLP_HEADERS",
        hide_env_values = true
    )]
    headers: Option<String>,
    /// How the collector is spoken to; only `http/protobuf` is.
    #[arg(
        id = "otlp-protocol",
        long = "otlp-protocol",
        env = "OTEL_EXPORTER_OTLP_PROTOCOL"
    )]
    protocol: Option<String>,
    /// Milliseconds that the collector may take with a batch, 100 to 60000; absent: 10000. What it does
    /// not take is dropped.
    #[arg(
        id = "otlp-timeout-ms",
        long = "otlp-timeout-ms",
        env = "OTEL_EXPORTER_OTLP_TIMEOUT"
    )]
    timeout_ms: Option<String>,
    /// The name of this side in traces; absent: the program's.
    #[arg(
        id = "otel-service-name",
        long = "otel-service-name",
        env = "OTEL_SERVICE_NAME"
    )]
    service_name: Option<String>,
    /// Which traces are recorded: `always_on`, `always_off`, `traceidratio`, or one of these behind
    /// `parentbased_`, which follows who asks with a `traceparent` and decides by itself otherwise;
    /// absent: `parentbased_traceidratio`.
    #[arg(
        id = "otel-traces-sampler",
        long = "otel-traces-sampler",
        env = "OTEL_TRACES_SAMPLER"
    )]
    sampler: Option<String>,
    /// The part of the traces that `traceidratio` records, 0 to 1; absent: 0.01.
    #[arg(
        id = "otel-traces-sampler-arg",
        long = "otel-traces-sampler-arg",
        env = "OTEL_TRACES_SAMPLER_ARG"
    )]
    ratio: Option<String>,
}

/// What the options mean.
pub(super) struct Settings {
    pub(super) endpoint: Uri,
    pub(super) headers: HashMap<String, String>,
    pub(super) timeout: Duration,
    pub(super) service_name: Option<String>,
    pub(super) sampler: Sampler,
}

impl Options {
    /// Every mistake in a sentence that names the variable and no value that may be a secret. Where
    /// nothing is traced there is none: the variables may be meant for other programs.
    pub fn problems(&self) -> Vec<String> {
        self.settings().err().unwrap_or_default()
    }

    /// What they mean; `None`: nothing is traced.
    ///
    /// # Errors
    /// As [`problems`](Self::problems).
    pub(super) fn settings(&self) -> Result<Option<Settings>, Vec<String>> {
        let Some((variable, address)) = self.address() else {
            return Ok(None);
        };
        let mut problems = Vec::new();
        let endpoint = collector(&address);
        if endpoint.is_none() {
            problems.push(format!(
                "{variable} must be http:// or https:// with a host, without a user and without a query, such as `http://otel-collector:4318`."
            ));
        }
        let protocol = given(self.protocol.as_ref()).unwrap_or(PROTOCOL);
        if protocol != PROTOCOL {
            problems.push(format!(
                "OTEL_EXPORTER_OTLP_PROTOCOL is `{protocol}`; only `{PROTOCOL}` is spoken, which collectors take on port 4318."
            ));
        }
        let headers = headers(given(self.headers.as_ref()).unwrap_or_default());
        if headers.is_none() {
            problems.push("OTEL_EXPORTER_OTLP_HEADERS must be a list such as `name=value,name=value` of HTTP headers.".to_owned());
        }
        let timeout_ms = given(self.timeout_ms.as_ref()).unwrap_or("10000");
        let timeout = timeout_ms.parse().ok().filter(|ms| TIMEOUT_MS.contains(ms));
        if timeout.is_none() {
            let (least, most) = (TIMEOUT_MS.start(), TIMEOUT_MS.end());
            problems.push(format!(
                "OTEL_EXPORTER_OTLP_TIMEOUT is `{timeout_ms}`; it must be {least} to {most} milliseconds."
            ));
        }
        let sampler = self.sampler(&mut problems);
        let (Some(endpoint), Some(headers), Some(timeout), Some(sampler), true) =
            (endpoint, headers, timeout, sampler, problems.is_empty())
        else {
            return Err(problems);
        };
        Ok(Some(Settings {
            endpoint,
            headers,
            timeout: Duration::from_millis(timeout),
            service_name: given(self.service_name.as_ref()).map(str::to_owned),
            sampler,
        }))
    }

    /// The collector, with the variable that names it.
    fn address(&self) -> Option<(&'static str, String)> {
        if let Some(own) = given(self.traces_endpoint.as_ref()) {
            return Some(("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", own.to_owned()));
        }
        let base = given(self.endpoint.as_ref())?.trim_end_matches('/');
        Some((
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            format!("{base}{TRACES_PATH}"),
        ))
    }

    fn sampler(&self, problems: &mut Vec<String>) -> Option<Sampler> {
        let name = given(self.sampler.as_ref()).unwrap_or("parentbased_traceidratio");
        let (is_parent_based, decides) = match name.strip_prefix("parentbased_") {
            Some(decides) => (true, decides),
            None => (false, name),
        };
        let sampler = match decides {
            "always_on" => Sampler::AlwaysOn,
            "always_off" => Sampler::AlwaysOff,
            "traceidratio" => {
                let said = given(self.ratio.as_ref()).unwrap_or("0.01");
                let ratio = said.parse().ok().filter(|it| (0.0..=1.0).contains(it));
                if ratio.is_none() {
                    problems.push(format!(
                        "OTEL_TRACES_SAMPLER_ARG is `{said}`; it must be a number from 0 to 1."
                    ));
                }
                Sampler::TraceIdRatioBased(ratio?)
            }
            _ => {
                problems.push(format!(
                    "OTEL_TRACES_SAMPLER is `{name}`; it must be always_on, always_off or traceidratio, or one of them behind parentbased_."
                ));
                return None;
            }
        };
        Some(if is_parent_based {
            Sampler::ParentBased(Box::new(sampler))
        } else {
            sampler
        })
    }
}

/// What a variable says, if it says anything.
fn given(variable: Option<&String>) -> Option<&str> {
    variable.map(String::as_str).filter(|text| !text.is_empty())
}

/// The address of a collector, if it is one. A user in it would stand in the log.
fn collector(address: &str) -> Option<Uri> {
    let uri: Uri = address.parse().ok()?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let host = uri.authority().map_or("", Authority::as_str);
    let is_plain = !host.is_empty() && !host.contains('@') && uri.query().is_none();
    (is_http && is_plain).then_some(uri)
}

/// The headers of a list; the exporter decodes the values.
fn headers(list: &str) -> Option<HashMap<String, String>> {
    let pairs = list.split(',').filter(|pair| !pair.trim().is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let (name, value) = (name.trim(), value.trim());
            HeaderName::try_from(name).ok()?;
            HeaderValue::try_from(value).ok()?;
            Some((name.to_owned(), value.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        traces: Options,
    }

    fn settings(words: &[&str]) -> Result<Option<Settings>, Vec<String>> {
        let words = std::iter::once(&"program").chain(words);
        Program::try_parse_from(words).unwrap().traces.settings()
    }

    fn traced(words: &[&str]) -> Result<Settings, Vec<String>> {
        let words = [&["--otlp-endpoint", "http://collector:4318"], words].concat();
        Ok(settings(&words)?.expect("there is a collector"))
    }

    #[test]
    fn without_a_collector_nothing_is_traced_and_nothing_is_a_mistake() {
        for words in [
            &[][..],
            &["--otlp-endpoint", ""],
            &["--otlp-protocol", "grpc", "--otel-traces-sampler", "xray"],
        ] {
            assert!(matches!(settings(words), Ok(None)), "{words:?}");
        }
    }

    #[test]
    fn the_path_of_traces_is_appended_to_a_collector_of_everything_alone() {
        for (words, address) in [
            (
                &["--otlp-endpoint", "http://a:4318"][..],
                "http://a:4318/v1/traces",
            ),
            (
                &["--otlp-endpoint", "https://a/otel/"],
                "https://a/otel/v1/traces",
            ),
            (&["--otlp-traces-endpoint", "http://a/own"], "http://a/own"),
            (
                &[
                    "--otlp-traces-endpoint",
                    "http://a/own",
                    "--otlp-endpoint",
                    "http://b",
                ],
                "http://a/own",
            ),
        ] {
            let settings = settings(words).unwrap().unwrap();
            assert_eq!(settings.endpoint.to_string(), address);
        }
    }

    #[test]
    fn what_is_no_collector_is_told_without_its_value() {
        for wrong in [
            "collector:4318",
            "grpc://collector:4317",
            "http://user:secret@collector:4318",
            "http://collector:4318?key=secret",
            "http://",
            "two words",
        ] {
            let problems = settings(&["--otlp-endpoint", wrong]).err().unwrap();
            assert!(problems[0].starts_with("OTEL_EXPORTER_OTLP_ENDPOINT must be"));
            assert!(!problems.concat().contains("secret"), "{problems:?}");
        }
    }

    #[test]
    fn each_mistake_is_told_and_names_its_variable() {
        let problems = traced(&[
            "--otlp-protocol",
            "grpc",
            "--otlp-headers",
            "secret",
            "--otlp-timeout-ms",
            "soon",
            "--otel-traces-sampler-arg",
            "1.5",
        ]);
        let problems = problems.err().unwrap();
        for (problem, variable) in problems.iter().zip([
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "OTEL_EXPORTER_OTLP_HEADERS",
            "OTEL_EXPORTER_OTLP_TIMEOUT",
            "OTEL_TRACES_SAMPLER_ARG",
        ]) {
            assert!(problem.starts_with(variable), "{problem}");
        }
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(!problems.concat().contains("secret"), "{problems:?}");
        let problems = traced(&["--otel-traces-sampler", "xray"]).err().unwrap();
        assert!(problems[0].starts_with("OTEL_TRACES_SAMPLER is `xray`"));
    }

    #[test]
    fn the_time_for_a_batch_has_a_least_and_a_most() {
        let takes = |ms: u64| traced(&["--otlp-timeout-ms", &ms.to_string()]).is_ok();
        assert!(takes(100) && takes(60_000));
        assert!(!takes(99) && !takes(60_001));
    }

    #[test]
    fn the_part_that_is_recorded_is_from_nothing_to_all() {
        let takes = |ratio| traced(&[&format!("--otel-traces-sampler-arg={ratio}")]).is_ok();
        assert!(takes("0") && takes("1") && takes("0.5") && takes(""));
        assert!(!takes("-0.1") && !takes("1.1") && !takes("NaN") && !takes("half"));
    }

    #[test]
    fn samplers_have_their_standard_names() {
        let of = |name: &str| traced(&["--otel-traces-sampler", name]).unwrap().sampler;
        assert!(matches!(of("always_on"), Sampler::AlwaysOn));
        assert!(matches!(
            of("parentbased_always_off"),
            Sampler::ParentBased(_)
        ));
        assert!(matches!(of("traceidratio"), Sampler::TraceIdRatioBased(r) if r < 0.011));
        assert!(matches!(of(""), Sampler::ParentBased(_)));
    }

    #[test]
    fn headers_are_a_list_of_names_and_values() {
        let found = headers("authorization=Bearer%20a, x-tenant = b,").unwrap();
        assert_eq!(found["authorization"], "Bearer%20a");
        assert_eq!(found["x-tenant"], "b");
        assert!(headers("").unwrap().is_empty());
        assert!(headers("no value").is_none() && headers("a name=value").is_none());
    }
}
