//! What the server measures.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;

use chat_testbed::outline;

use crate::support::{FrontEnd, PATIENCE, rest};
use crate::tls::{ask, secured};

fn measured(front_end: &FrontEnd) -> String {
    let mut stream = TcpStream::connect(front_end.admin).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(request).unwrap();
    let answer = rest(stream);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    body.to_owned()
}

#[test]
fn the_committed_list_of_metrics_is_what_is_exported() {
    let (front_end, authority) = secured(&[]);
    rest(ask(&front_end, &authority));
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics/frontend.prom");
    let current = outline::outline(&measured(&front_end));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    outline::compare(&current, &committed, folder).unwrap();
}

#[test]
fn the_release_is_told_with_the_commit_that_it_was_built_from() {
    let front_end = FrontEnd::start(&[("CHAT_FRONTEND_REVISION", "4bf92f35")]);
    let text = measured(&front_end);
    assert!(text.contains("revision=\"4bf92f35\"} 1\n"), "{text}");
}

#[test]
fn requests_are_counted_by_their_route_and_never_by_their_path() {
    let front_end = FrontEnd::start(&[]);
    front_end.get("/assets/app.js", "");
    front_end.get("/assets/secret-path.js", "");
    front_end.get("/nobody/knows/this", "");
    let text = measured(&front_end);
    for series in [
        "http_request_duration_seconds_count{method=\"GET\",route=\"/assets/{file}\",status=\"200\"} 1\n",
        "http_request_duration_seconds_count{method=\"GET\",route=\"/assets/{file}\",status=\"404\"} 1\n",
    ] {
        assert!(text.contains(series), "{series} in\n{text}");
    }
    for path in ["secret-path", "nobody"] {
        assert!(!text.contains(path), "{text}");
    }
    assert!(
        !front_end.get("/metrics", "").contains("build_info"),
        "the public port tells nothing"
    );
}
