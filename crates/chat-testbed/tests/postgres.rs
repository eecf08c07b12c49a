//! A private server is there when it is asked for, survives its crash and not its owner.

#![expect(clippy::unwrap_used, reason = "the helpers are parts of the tests")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chat_testbed::{Durability, Postgres, database};

/// Tells the copy of this test that runs as a child that it is to be killed.
const OWNER: &str = "CHAT_TESTBED_OWNER";

fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

#[test]
fn a_server_that_crashed_starts_again_with_its_data() {
    let mut server = Postgres::start(Durability::Quick).unwrap();
    server.create_database("kept").unwrap();
    server.crash();
    assert!(!answers(server.port()));
    server.restart().unwrap();
    assert!(answers(server.port()));
    let twice = server.create_database("kept").unwrap_err().to_string();
    assert!(twice.contains("already exists"), "{twice}");
    let folder = server.log().parent().unwrap().to_owned();
    drop(server);
    assert!(!folder.exists());
}

#[test]
fn databases_of_a_shared_server_are_apart_and_dropped() {
    let (one, other) = (database().unwrap(), database().unwrap());
    assert_ne!(one.url(), other.url());
}

#[test]
fn a_server_ends_with_its_owner_even_one_that_is_killed() {
    if std::env::var_os(OWNER).is_some() {
        return serve_until_killed();
    }
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("a_server_ends_with_its_owner_even_one_that_is_killed")
        .env(OWNER, "yes")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let told = lines
        .map_while(Result::ok)
        .find_map(|line| line.split_once("serving ").map(|(_, rest)| rest.to_owned()))
        .unwrap();
    let (port, log) = told.split_once(' ').unwrap();
    let (port, folder) = (port.parse().unwrap(), Path::new(log).parent().unwrap());
    assert!(answers(port) && folder.exists());
    owner.kill().unwrap();
    owner.wait().unwrap();
    let begun = Instant::now();
    while answers(port) || folder.exists() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it still runs");
        std::thread::yield_now();
    }
}

/// Says where the server is, and waits for the end that never comes by itself.
fn serve_until_killed() {
    let server = Postgres::start(Durability::Quick).unwrap();
    let mut out = std::io::stdout().lock();
    writeln!(out, "serving {} {}", server.port(), server.log().display()).unwrap();
    out.flush().unwrap();
    loop {
        std::thread::park();
    }
}
