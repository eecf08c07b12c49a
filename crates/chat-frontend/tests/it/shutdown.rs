//! The end of a process: in time, and nobody who is being answered is cut.

use std::io::Read;
use std::time::Duration;

use crate::support::{BIG, FrontEnd, HALF, rest};

const ASSET: &[u8] = b"GET /assets/app.wasm HTTP/1.1\r\nHost: a\r\n\r\n";
/// Longer than any test, so that no time limit ends what the drain has to end.
const LONG: &str = "60000";

#[test]
fn connections_without_a_request_are_closed_at_once() {
    let front_end = FrontEnd::start(&[
        ("CHAT_FRONTEND_HEADERS_MS", LONG),
        ("CHAT_FRONTEND_GRACE_MS", LONG),
    ]);
    let silent = front_end.connect(b"");
    let half = front_end.connect(HALF);
    let mut between = front_end.connect(b"HEAD /embed.js HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(between.read(&mut [0; 1024]).unwrap() > 0);
    let (status, took) = front_end.terminate();
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    for stream in [silent, half, between] {
        assert_eq!(rest(stream), "");
    }
}

#[test]
fn an_answer_under_way_is_finished() {
    let front_end = FrontEnd::start(&[("CHAT_FRONTEND_GRACE_MS", LONG)]);
    let mut reader = front_end.connect(ASSET);
    let mut begin = [0; 1024];
    assert!(reader.read(&mut begin).unwrap() > 0);
    let reading = std::thread::spawn(move || rest(reader));
    let (status, _) = front_end.terminate();
    assert!(status.success(), "{status}");
    assert!(reading.join().unwrap().len() + begin.len() > BIG);
}

#[test]
fn an_answer_that_nobody_reads_is_cut_after_the_grace_period() {
    let front_end = FrontEnd::start(&[
        ("CHAT_FRONTEND_WRITE_STALL_MS", LONG),
        ("CHAT_FRONTEND_GRACE_MS", "200"),
    ]);
    let mut deaf = front_end.connect(ASSET);
    assert!(deaf.read(&mut [0; 1024]).unwrap() > 0);
    let (status, took) = front_end.terminate();
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(rest(deaf).len() < BIG);
}
