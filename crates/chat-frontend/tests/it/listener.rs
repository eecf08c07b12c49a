//! Clients that do not play along cost the others nothing.

use std::net::TcpStream;

use chat_testbed::leave_files;

use crate::support::{BIG, FrontEnd, HALF, PATIENCE, rest, until};

const ASSET: &[u8] = b"GET /assets/app.wasm HTTP/1.1\r\nHost: a\r\n\r\n";

fn is_served(front_end: &FrontEnd) -> bool {
    front_end.get("/embed.js", "").starts_with("HTTP/1.1 200")
}

#[test]
fn a_head_that_does_not_end_is_cut() {
    let front_end = FrontEnd::start(&[("CHAT_FRONTEND_HEADERS_MS", "200")]);
    for started in [&b""[..], b"GET / HT", HALF] {
        let answer = front_end.answer_to(started);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"));
    }
}

#[test]
fn one_connection_too_many_is_told_to_come_back() {
    for variable in [
        "CHAT_FRONTEND_LIMIT_CONNECTIONS",
        "CHAT_FRONTEND_LIMIT_CONNECTIONS_PER_ADDRESS",
    ] {
        let front_end = FrontEnd::start(&[(variable, "2")]);
        let held = [front_end.connect(HALF), front_end.connect(HALF)];
        let answer = front_end.answer_to(b"");
        assert!(answer.starts_with("HTTP/1.1 503"), "{variable}: {answer}");
        assert!(answer.contains("retry-after"), "{variable}: {answer}");
        drop(held);
        until("a place is given back", || is_served(&front_end));
    }
}

#[test]
fn a_reader_that_takes_nothing_loses_its_place() {
    let front_end = FrontEnd::start(&[
        ("CHAT_FRONTEND_LIMIT_CONNECTIONS", "1"),
        ("CHAT_FRONTEND_WRITE_STALL_MS", "300"),
    ]);
    let deaf = front_end.connect(ASSET);
    until("the reader is cut", || is_served(&front_end));
    assert!(rest(deaf).len() < BIG);
}

#[test]
fn a_request_needs_exactly_one_valid_host() {
    let front_end = FrontEnd::start(&[]);
    for hosts in ["", "Host: a\r\nHost: a\r\n", "Host: a b\r\n"] {
        let request = format!("GET / HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        let answer = front_end.answer_to(request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400"), "{hosts:?}: {answer}");
    }
}

#[test]
fn a_process_without_open_files_serves_again_when_there_are_some() {
    let front_end = FrontEnd::start_with_open_files(300, &[]);
    assert!(front_end.log().contains("CHAT_FRONTEND_LIMIT_CONNECTIONS"));
    assert!(front_end.log().contains("connections=44"));
    leave_files(front_end.id(), 3).unwrap();
    let idle: Vec<_> = (0..20)
        .map(|_| TcpStream::connect(front_end.address))
        .collect();
    front_end.says("could not be accepted");
    drop(idle);
    let answer =
        front_end.connect(b"GET /embed.js HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    answer.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(rest(answer).starts_with("HTTP/1.1 200"));
}

#[test]
fn a_log_that_is_a_file_has_no_colours() {
    let front_end = FrontEnd::start(&[]);
    assert!(!front_end.log().contains('\u{1b}'), "{}", front_end.log());
}
