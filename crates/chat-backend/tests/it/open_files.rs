//! A process that runs out of open files: it says so, and serves again when there are some.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::support::PATIENCE;

/// The program under a limit of open files, and what it logs.
struct Program {
    child: Child,
    log: Receiver<String>,
    _folder: tempfile::TempDir,
}

impl Program {
    fn start(open_files: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {open_files} && exec \"$0\"")]);
        shell.arg(env!("CARGO_BIN_EXE_chat-backend"));
        shell.env("SECRET_KEY", "0123456789abcdefghijklmnopqrstuvwxyz");
        shell.env("CHAT_ADDR", "127.0.0.1:0");
        shell.env("CHAT_ADMIN_ADDR", "127.0.0.1:0");
        shell.env("CHAT_LOG_FORMAT", "json");
        shell.env("CHAT_DATA_DIR", folder.path());
        let mut child = shell.stderr(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stderr.take().unwrap());
        let (lines, log) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        Self {
            child,
            log,
            _folder: folder,
        }
    }

    /// Waits for a line with these words.
    fn says(&self, words: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.log.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("it does not say `{words}`"));
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Leaves so many files to open: the limit is on their numbers, and the lowest is used first.
    fn leave(&self, files: usize) {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        let number = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
        let open: HashSet<u64> = open.filter_map(|entry| number(entry.unwrap())).collect();
        let limit = (0..).filter(|number| !open.contains(number)).nth(files);
        let limit = Rlimit {
            current: limit,
            maximum: limit,
        };
        let pid = Pid::from_raw(self.child.id().try_into().unwrap());
        prlimit(pid, Resource::Nofile, limit).unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_process_without_open_files_waits_and_serves_again_when_there_are_some() {
    let program = Program::start(300);
    assert!(program.says("ulimit -n").contains("\"connections\":44"));
    let serving: serde_json::Value = serde_json::from_str(&program.says("serving")).unwrap();
    let address = serving["api"].as_str().unwrap();
    program.leave(3);

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
