//! A process that runs out of open files: it says so, and serves again when there are some.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use chat_testbed::leave_files;

use crate::support::{PATIENCE, Program};

#[test]
fn a_process_without_open_files_waits_and_serves_again_when_there_are_some() {
    let program = Program::start(&[], "ulimit -n 300");
    assert!(program.says("ulimit -n").contains("\"connections\":44"));
    let address = &program.serving();
    leave_files(program.child.id(), 3).unwrap();

    let begun = Instant::now();
    let idle: Vec<_> = (0..20).map(|_| TcpStream::connect(address)).collect();
    let refused = "could not be accepted";
    program.says(refused);
    drop(idle);
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = "GET /v1/meta HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let tries = program.log.try_iter().filter(|line| line.contains(refused));
    let tries = tries.count() as u128;
    let pauses = begun.elapsed().as_millis() / 50;
    assert!(tries <= pauses, "{tries} tries in {pauses} pauses of 50 ms");
}
