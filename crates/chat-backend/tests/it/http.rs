//! What holds of every request: problems, ids, headers, CORS, limits, the document.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::ConnectInfo;
use chat_backend::api::{Api, Call};
use chat_backend::error::ApiError;
use chat_types::endpoint::{ALL, Endpoint, JoinAsGuest, STREAM_PATH};
use chat_types::problem::{ErrorCode, Problem};
use chat_types::room::RoomKind;
use reqwest::{Method, RequestBuilder, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tower::ServiceExt;

use crate::support::{ORIGIN, PATIENCE, TestApp};

async fn problem(request: RequestBuilder, status: u16, code: ErrorCode) -> (Response, Problem) {
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), status);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let copy = answer.headers().clone();
    let problem: Problem = answer.json().await.unwrap();
    assert_eq!((problem.status, problem.code), (status, code));
    assert_eq!(
        problem.kind,
        format!("urn:sarangbang:problem:{}", code.name())
    );
    assert_eq!(
        problem.request_id.as_deref(),
        copy.get("x-request-id").and_then(|id| id.to_str().ok())
    );
    let mut head = http::Response::new(String::new());
    *head.headers_mut() = copy;
    (head.into(), problem)
}

#[tokio::test]
async fn a_change_that_has_begun_is_finished_and_told_though_the_client_hung_up() {
    let app = TestApp::start().await;
    let steps: Arc<Steps> = Arc::default();
    let of_change = steps.clone();
    let change = move |_: Call<JoinAsGuest>| {
        let steps = of_change.clone();
        async move {
            steps.begun.notify_one();
            steps.committed.notified().await;
            steps.told.notify_one();
            Err(ApiError::new(ErrorCode::Internal))
        }
    };
    let api = Api::empty().route::<JoinAsGuest, _, _>(change);
    let request = http::Request::post(JoinAsGuest::PATH)
        .header("content-type", "application/json")
        .extension(ConnectInfo(app.address))
        .body(Body::from(r#"{"name":"mina"}"#));
    let request = api
        .router
        .with_state(app.state.clone())
        .oneshot(request.unwrap());
    let request = tokio::spawn(request);
    steps.begun.notified().await;
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    steps.committed.notify_one();
    timeout(PATIENCE, steps.told.notified()).await.unwrap();
}

/// What happens to a change, in order.
#[derive(Default)]
struct Steps {
    begun: Notify,
    committed: Notify,
    told: Notify,
}

#[tokio::test]
async fn every_refusal_is_a_problem() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let room = mina.room(RoomKind::Public, "lobby").await;
    let messages = app.url(&format!("/v1/rooms/{room}/messages"));
    let post = |url: &str| app.http.post(url).bearer_auth(mina.token());
    let json = "application/json";

    problem(app.http.get(app.url("/nowhere")), 404, ErrorCode::NotFound).await;
    problem(
        app.http.get(app.url("/v1/rooms/not-an-id")),
        404,
        ErrorCode::NotFound,
    )
    .await;
    problem(
        app.http.get(app.url("/v1/rooms/%FF")),
        404,
        ErrorCode::NotFound,
    )
    .await;
    problem(
        app.http.patch(app.url("/v1/meta")),
        405,
        ErrorCode::MethodNotAllowed,
    )
    .await;
    problem(
        app.http.get(app.url("/v1/me")),
        401,
        ErrorCode::Unauthorized,
    )
    .await;
    problem(
        app.http.get(format!("{messages}?limit=many")),
        400,
        ErrorCode::Malformed,
    )
    .await;
    problem(
        post(&messages).header("content-type", json).body("{"),
        400,
        ErrorCode::Malformed,
    )
    .await;
    problem(
        post(&messages).header("content-type", json).body("{}"),
        400,
        ErrorCode::Malformed,
    )
    .await;
    problem(
        post(&messages).body("{}"),
        415,
        ErrorCode::UnsupportedMediaType,
    )
    .await;
    let form = post(&messages)
        .header("content-type", "text/plain")
        .body("{}");
    problem(form, 415, ErrorCode::UnsupportedMediaType).await;
    let large = post(&messages)
        .header("content-type", json)
        .body(" ".repeat(64 * 1024 + 1));
    problem(large, 413, ErrorCode::TooLarge).await;
    let basic = app
        .http
        .get(app.url("/v1/me"))
        .header("authorization", "Basic bWluYTp4");
    problem(basic, 401, ErrorCode::Unauthorized).await;
    let ids = "/v1/rooms/00000000-0000-4000-8000-000000000000";
    problem(app.http.get(app.url(ids)), 404, ErrorCode::NotFound).await;
}

#[tokio::test]
async fn a_bad_token_is_refused_even_where_none_is_needed() {
    let app = TestApp::start().await;
    let request = app
        .http
        .get(app.url("/v1/directory"))
        .bearer_auth("nonsense");
    problem(request, 401, ErrorCode::Unauthorized).await;
}

#[tokio::test]
async fn every_answer_has_its_own_id_and_is_kept_by_nobody() {
    let app = TestApp::start().await;
    let mut ids = BTreeSet::new();
    for path in ["/v1/meta", "/v1/names", "/nowhere", "/v1/me"] {
        let request = app
            .http
            .get(app.url(path))
            .header("x-request-id", "chosen-by-the-client");
        let headers = request.send().await.unwrap().headers().clone();
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(
            headers["content-security-policy"],
            "default-src 'none'; frame-ancestors 'none'"
        );
        assert_eq!(headers["referrer-policy"], "no-referrer");
        ids.insert(headers["x-request-id"].to_str().unwrap().to_owned());
    }
    assert_eq!(ids.len(), 4);
    assert!(!ids.contains("chosen-by-the-client"));
}

#[tokio::test]
async fn regression_11_the_front_end_s_origin_may_call_and_no_other() {
    let app = TestApp::start().await;
    let preflight = async |origin: &str| {
        let request = app.http.request(Method::OPTIONS, app.url("/v1/sessions"));
        let request = request
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,content-type",
            );
        request.send().await.unwrap().headers().clone()
    };
    let ours = preflight(ORIGIN).await;
    assert_eq!(ours["access-control-allow-origin"], ORIGIN);
    assert!(
        ours["access-control-allow-headers"]
            .to_str()
            .unwrap()
            .contains("authorization")
    );
    assert!(ours.get("access-control-allow-credentials").is_none());
    assert!(ours.contains_key("access-control-max-age"));
    let foreign = [
        "http://evil.example",
        "null",
        "http://127.0.0.1:30000",
        "http://127.0.0.1:3000.evil.example",
        "https://127.0.0.1:3000",
        "https://blog.example.com",
    ];
    for origin in foreign {
        let headers = preflight(origin).await;
        assert!(
            headers.get("access-control-allow-origin").is_none(),
            "{origin}"
        );
        assert!(
            headers["vary"]
                .to_str()
                .unwrap()
                .to_lowercase()
                .contains("origin")
        );
    }
}

#[tokio::test]
async fn a_page_may_read_a_problem_and_when_to_retry() {
    let app = TestApp::start().await;
    let answer = app
        .http
        .get(app.url("/v1/me"))
        .header("origin", ORIGIN)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.headers()["access-control-allow-origin"], ORIGIN);
    let exposed = answer.headers()["access-control-expose-headers"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(exposed.contains("retry-after") && exposed.contains("x-request-id"));
}

#[tokio::test]
async fn history_is_compressed_for_those_who_can_read_it() {
    let app = TestApp::start().await;
    let mina = app.guest("mina").await;
    let room = mina.room(RoomKind::Public, "lobby").await;
    mina.send(room, &"사랑방 ".repeat(200)).await.unwrap();
    let url = app.url(&format!("/v1/rooms/{room}/messages"));
    let answer = app
        .http
        .get(url)
        .header("accept-encoding", "br")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["content-encoding"], "br");
}

#[tokio::test]
async fn names_are_offered_in_the_readers_language() {
    let app = TestApp::start().await;
    let offer = async |language: &str| {
        let request = app
            .http
            .get(app.url("/v1/names"))
            .header("accept-language", language);
        let offered: chat_types::account::OfferedName =
            request.send().await.unwrap().json().await.unwrap();
        offered.name
    };
    assert!(!offer("ko-KR,en;q=0.5").await.is_ascii());
    assert!(offer("en").await.is_ascii());
}

#[tokio::test]
async fn the_admin_port_tells_health_readiness_and_measurements() {
    let app = TestApp::start().await;
    let admin = async |path: &str| {
        let answer = app
            .http
            .get(format!("http://{}{path}", app.admin_address))
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(admin("/healthz").await.0, 200);
    assert_eq!(admin("/readyz").await.0, 200);
    app.http.get(app.url("/v1/meta")).send().await.unwrap();
    let (_, metrics) = admin("/metrics").await;
    assert!(metrics.contains("build_info{version="), "{metrics}");
    assert!(metrics.contains(
        r#"http_request_duration_seconds_count{method="GET",route="/v1/meta",status="200"}"#
    ));
    for hidden in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(
            app.http.get(app.url(hidden)).send().await.unwrap().status(),
            404
        );
    }
    let mut balancer = TcpStream::connect(app.admin_address).await.unwrap();
    let check = b"GET /readyz HTTP/1.0\r\n\r\n";
    balancer.write_all(check).await.unwrap();
    let mut answer = String::new();
    balancer.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.0 200 "),
        "a balancer's check without a host is answered: {answer}"
    );
    chat_store::Store::close(&*app.store).await;
    assert_eq!(admin("/readyz").await.0, 503);
    assert_eq!(
        admin("/healthz").await.0,
        503,
        "only a restart helps a process whose store has ended"
    );
}

#[test]
fn every_endpoint_is_served_and_documented() {
    let document: serde_json::Value = serde_json::from_str(&chat_backend::openapi_json()).unwrap();
    for (operation, method, path) in ALL {
        let documented = &document["paths"][path][method.as_str().to_lowercase()];
        assert_eq!(
            documented["operationId"],
            *operation,
            "{} {path} is not routed",
            method.as_str()
        );
    }
    let paths = document["paths"].as_object().unwrap();
    let operations: usize = paths
        .values()
        .map(|item| item.as_object().unwrap().len())
        .sum();
    assert_eq!(operations, ALL.len() + 1);
    assert!(paths.contains_key(STREAM_PATH));
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let text = chat_backend::openapi_json();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let references: BTreeSet<&str> = text
        .split("\"#")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(references.len() > 20);
    for reference in references {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
}

#[test]
fn the_committed_documents_are_current() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    for (file, current, command) in [
        ("openapi.json", chat_backend::openapi_json(), "openapi"),
        ("config.md", chat_backend::config::markdown(), "config-docs"),
    ] {
        let committed = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        assert!(
            committed == current,
            "docs/{file} is stale: cargo run -p chat-backend -- {command} > docs/{file}"
        );
    }
}

#[tokio::test]
async fn an_array_of_its_fields_is_not_a_body() {
    let app = TestApp::start().await;
    for (body, status) in [(r#"["mina"]"#, 400), (r#"{"name":"mina"}"#, 201)] {
        let request = app.http.post(app.url("/v1/guests"));
        let request = request.header("content-type", "application/json");
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), status, "{body}");
    }
}
