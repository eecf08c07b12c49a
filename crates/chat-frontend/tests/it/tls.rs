//! The page over TLS, and the health check beside it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output};

use chat_testbed::{Authority, Pair, Valid};

use crate::support::{BIG, FrontEnd, PATIENCE, rest, until};

const ASK: &[u8] = b"GET /assets/app.wasm HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
/// Longer than any test.
const LONG: &str = "60000";

/// A server with a certificate, and who trusts it.
pub fn secured(own: &[(&str, &str)]) -> (FrontEnd, Authority) {
    let authority = Authority::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let Pair { certificate, key } = authority.issue(Valid::Now, folder.path()).unwrap();
    let mut variables = own.to_vec();
    variables.push(("TLS_CERT_FILE", certificate.to_str().unwrap()));
    variables.push(("TLS_KEY_FILE", key.to_str().unwrap()));
    (FrontEnd::start(&variables), authority)
}

pub fn ask(front_end: &FrontEnd, authority: &Authority) -> impl Read + use<> {
    let tcp = TcpStream::connect(front_end.address).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = authority.secure(tcp);
    stream.write_all(ASK).unwrap();
    stream
}

#[test]
fn a_page_is_served_over_tls_and_browsers_stay_with_it() {
    let (front_end, authority) = secured(&[]);
    let answer = rest(ask(&front_end, &authority));
    assert!(answer.starts_with("HTTP/1.1 200"));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("strict-transport-security"), "{head}");
    assert_eq!(body.len(), BIG);

    let plain = FrontEnd::start(&[]).get("/embed.js", "");
    assert!(!plain.contains("strict-transport-security"), "{plain}");
    let refused = front_end.get("/embed.js", "");
    assert!(refused.ends_with("use https\n"), "{refused}");
}

#[test]
fn an_answer_over_tls_that_is_under_way_is_finished_before_the_end() {
    let (front_end, authority) = secured(&[("CHAT_FRONTEND_GRACE_MS", LONG)]);
    let mut reader = ask(&front_end, &authority);
    let read = reader.read(&mut [0; 1024]).unwrap();
    let reading = std::thread::spawn(move || rest(reader));
    let (status, _) = front_end.terminate();
    assert!(status.success(), "{status}");
    assert!(reading.join().unwrap().len() + read > BIG);
}

/// Runs the program to its end.
fn run(variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_chat-frontend"));
    program.env_clear().envs(variables.iter().copied());
    program.args(arguments).output().unwrap()
}

fn healthcheck(admin: &str) -> Option<i32> {
    let checked = run(&[("CHAT_FRONTEND_ADMIN_ADDR", admin)], &["healthcheck"]);
    checked.status.code()
}

#[test]
fn the_health_check_says_by_its_exit_code_whether_the_server_is_ready() {
    let (secured, _) = secured(&[]);
    for mut front_end in [secured, FrontEnd::start(&[])] {
        let admin = front_end.admin.to_string();
        assert_eq!(healthcheck(&admin), Some(0));
        front_end.ask_to_end();
        until("nobody answers any more", || healthcheck(&admin) == Some(1));
    }
}

#[test]
fn tls_without_files_that_work_stops_the_start_with_an_instruction() {
    let (certificate, key) = (("TLS_CERT_FILE", "none"), ("TLS_KEY_FILE", "none"));
    let folder = tempfile::tempdir().unwrap();
    let assets = ("CHAT_FRONTEND_ASSETS", folder.path().to_str().unwrap());
    let both = "TLS_CERT_FILE cannot be read";
    let half = "only one of TLS_CERT_FILE and TLS_KEY_FILE";
    for (files, words) in [
        (&[certificate][..], half),
        (&[key], half),
        (&[certificate, key], both),
    ] {
        let ended = run(&[files, &[assets]].concat(), &[]);
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(!ended.status.success() && said.contains(words), "{said}");
    }
}
