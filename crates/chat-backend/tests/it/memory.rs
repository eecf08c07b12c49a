//! What the process keeps of the memory that its work needs.

use chat_types::account::SignIn;
use futures_util::future::join_all;

use crate::support::Program;

/// What one hash works in.
const HASH_KIB: usize = 19 * 1024;
/// Beside that: caches, stacks and buffers that were not there at the start.
const SLACK_KIB: usize = 24 * 1024;

fn resident_kib(program: &Program) -> usize {
    let path = format!("/proc/{}/status", program.child.id());
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.unwrap().split_whitespace().next();
    number.unwrap().parse().unwrap()
}

#[tokio::test]
async fn hashing_keeps_no_more_memory_than_its_pool_has() {
    let rates = [
        ("CHAT_LIMIT_SIGN_INS", "1000/1m"),
        ("CHAT_LIMIT_SIGN_INS_OF_ADDRESS", "1000/1m"),
    ];
    let program = Program::start(&rates, "true");
    let url = format!("http://{}/v1/sessions", program.serving());
    let before = resident_kib(&program);
    let http = reqwest::Client::new();
    let attempt = SignIn {
        username: "nobody".to_owned(),
        password: "wrong wrong wrong".to_owned(),
    };
    for _ in 0..8 {
        let attempts = (0..16).map(|_| http.post(&url).json(&attempt).send());
        for answer in join_all(attempts).await {
            assert_eq!(answer.unwrap().status(), 401);
        }
    }
    let cores = std::thread::available_parallelism().unwrap().get();
    let (grown, most) = (
        resident_kib(&program) - before,
        cores * HASH_KIB + SLACK_KIB,
    );
    assert!(grown <= most, "{grown} KiB for {cores} cores");
}
