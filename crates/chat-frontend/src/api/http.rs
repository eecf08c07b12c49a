//! HTTP requests, made from the endpoints that both sides share.

use chat_types::decode::{self, Decode as _};
use chat_types::endpoint::{Endpoint, Method};
use chat_types::problem::{ErrorCode, Problem};
use chat_types::text::TextReason;
use gloo_net::http::RequestBuilder;
use gloo_timers::callback::Timeout;
use js_sys::Reflect;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::Value;
use wasm_bindgen::JsValue;
use web_sys::{AbortController, RequestInit};

use super::document;

/// A request whose whole answer has not come within so many milliseconds has failed: whoever waits for
/// it, such as a reconnect for its token, goes on.
pub const REQUEST_MS: u32 = 15_000;

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// What to act on. A network that fails is [`ErrorCode::Unavailable`].
    pub code: ErrorCode,
    /// The field that was refused.
    pub field: Option<String>,
    /// Why it was refused.
    pub reason: Option<TextReason>,
    /// After how many milliseconds another attempt makes sense.
    pub retry_after_ms: Option<u64>,
}

impl ApiError {
    /// The API cannot be reached, or answers with something else than it promises.
    pub const UNREACHABLE: Self = Self {
        code: ErrorCode::Unavailable,
        field: None,
        reason: None,
        retry_after_ms: None,
    };
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        let reason = problem
            .reason
            .and_then(|word| TextReason::decode(word.into()));
        Self {
            code: problem.code,
            field: problem.field,
            reason,
            retry_after_ms: problem.retry_after_ms,
        }
    }
}

/// A request, ready to be sent. Only making one and reading its answer know the endpoint's types, so
/// that everything between is compiled once.
pub struct Request {
    method: Method,
    url: String,
    body: Option<String>,
    outlives_page: bool,
}

impl Request {
    /// A request to an endpoint. `path` has a value for each `{name}` of the endpoint's path.
    pub fn to<E: Endpoint>(path: &[(&str, String)], query: &E::Query, body: &E::Body) -> Self {
        let sends = !matches!(E::METHOD, Method::Get | Method::Delete);
        Self {
            method: E::METHOD,
            url: format!(
                "{}{}{}",
                document::api_base(),
                fill_path(E::PATH, path),
                query_string(query)
            ),
            body: if sends {
                serde_json::to_string(body).ok()
            } else {
                None
            },
            outlives_page: false,
        }
    }

    /// The same, and the browser goes on with it when the page is closed or loaded anew.
    pub fn outliving_page(self) -> Self {
        Self {
            outlives_page: true,
            ..self
        }
    }

    /// Sends it and returns the body of a successful answer.
    ///
    /// # Errors
    /// What the server says, or [`ApiError::UNREACHABLE`], also after [`REQUEST_MS`].
    pub async fn send(&self, token: Option<&str>) -> Result<String, ApiError> {
        let limit = AbortController::new().map_err(|_| ApiError::UNREACHABLE)?;
        let signal = limit.signal();
        let _limit = Timeout::new(REQUEST_MS, move || limit.abort());
        let mut request = RequestBuilder::new(&self.url)
            .method(method(self.method))
            .abort_signal(Some(&signal));
        if let Some(token) = token {
            request = request.header("authorization", &format!("Bearer {token}"));
        }
        let request = match &self.body {
            None => request.build(),
            Some(json) => request
                .header("content-type", "application/json")
                .body(json),
        };
        let mut request = request.map_err(|_| ApiError::UNREACHABLE)?;
        if self.outlives_page {
            request = keep_alive(request).ok_or(ApiError::UNREACHABLE)?;
        }
        let sent = request.send().await;
        let response = sent.map_err(|_| ApiError::UNREACHABLE)?;
        let text = response.text().await.map_err(|_| ApiError::UNREACHABLE)?;
        if response.ok() {
            return Ok(text);
        }
        let problem: Problem = decode::from_text(&text).ok_or(ApiError::UNREACHABLE)?;
        Err(problem.into())
    }
}

/// Reads the body of a successful answer.
///
/// # Errors
/// [`ApiError::UNREACHABLE`] when it is not what the endpoint promises.
pub fn read<E: Endpoint>(text: &str) -> Result<E::Response, ApiError> {
    decode::from_text(text).ok_or(ApiError::UNREACHABLE)
}

/// Calls an endpoint that needs no token.
///
/// # Errors
/// What the server says, or [`ApiError::UNREACHABLE`].
pub async fn call<E: Endpoint>(body: &E::Body) -> Result<E::Response, ApiError>
where
    E::Query: Default,
{
    read::<E>(
        &Request::to::<E>(&[], &E::Query::default(), body)
            .send(None)
            .await?,
    )
}

/// The same request with an option that `RequestInit` has no setter for.
fn keep_alive(request: gloo_net::http::Request) -> Option<gloo_net::http::Request> {
    let options = RequestInit::new();
    Reflect::set(&options, &"keepalive".into(), &JsValue::TRUE).ok()?;
    let request = web_sys::Request::new_with_request_and_init(&request.into(), &options).ok()?;
    Some(request.into())
}

fn method(method: Method) -> gloo_net::http::Method {
    match method {
        Method::Get => gloo_net::http::Method::GET,
        Method::Post => gloo_net::http::Method::POST,
        Method::Put => gloo_net::http::Method::PUT,
        Method::Patch => gloo_net::http::Method::PATCH,
        Method::Delete => gloo_net::http::Method::DELETE,
    }
}

fn fill_path(template: &str, values: &[(&str, String)]) -> String {
    values
        .iter()
        .fold(template.to_owned(), |path, (name, value)| {
            let value = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
            path.replace(&format!("{{{name}}}"), &value)
        })
}

/// A query's fields, those that are absent left out. They are texts and whole numbers.
fn query_string(query: &impl Serialize) -> String {
    let Ok(Value::Object(fields)) = serde_json::to_value(query) else {
        return String::new();
    };
    let pairs: Vec<String> = fields
        .into_iter()
        .filter_map(|(name, value)| {
            let value = match value {
                Value::String(text) => text,
                // That of any number, with fractions, brings tables of 10 KB.
                Value::Number(number) => number.as_u64()?.to_string(),
                _ => return None,
            };
            let value = utf8_percent_encode(&value, NON_ALPHANUMERIC);
            Some(format!("{name}={value}"))
        })
        .collect();
    if pairs.is_empty() {
        String::new()
    } else {
        format!("?{}", pairs.join("&"))
    }
}

#[cfg(test)]
mod tests {
    use chat_types::account::Empty;
    use chat_types::id::Number;
    use chat_types::room::HistoryQuery;

    use super::*;

    #[test]
    fn a_value_in_a_path_stays_one_segment() {
        assert_eq!(
            fill_path("/v1/sites/{site}", &[("site", "a/../b".to_owned())]),
            "/v1/sites/a%2F%2E%2E%2Fb"
        );
    }

    #[test]
    fn a_query_names_what_is_there_and_nothing_else() {
        let query = HistoryQuery {
            before: Some(Number(7)),
            limit: Some(50),
            ..HistoryQuery::default()
        };
        assert_eq!(query_string(&query), "?before=7&limit=50");
        assert_eq!(query_string(&Empty {}), "");
    }

    #[test]
    fn the_reason_of_a_refused_field_is_kept() {
        let problem = r#"{"type":"urn:x","title":"t","status":422,"code":"invalid","retry":false,
            "field":"name","reason":"too_short"}"#;
        let error = ApiError::from(serde_json::from_str::<Problem>(problem).unwrap());
        assert_eq!(error.reason, Some(TextReason::TooShort));
        assert_eq!(error.field.as_deref(), Some("name"));
    }
}
