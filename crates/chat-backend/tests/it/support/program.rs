//! The program itself in a process of its own, and what it logs.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use super::PATIENCE;

/// A running program; dropping it ends it.
pub struct Program {
    pub child: Child,
    pub log: Receiver<String>,
    _folder: tempfile::TempDir,
}

impl Program {
    /// Starts it with these variables, after a command of the shell such as `ulimit -n 300`.
    pub fn start(variables: &[(&str, &str)], before: &str) -> Self {
        Self::start_as(&[], variables, before)
    }

    /// The same with arguments.
    pub fn start_as(arguments: &[&str], variables: &[(&str, &str)], before: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{before} && exec \"$0\" \"$@\"")]);
        shell.arg(env!("CARGO_BIN_EXE_chat-backend"));
        shell.args(arguments);
        shell.env("SECRET_KEY", "0123456789abcdefghijklmnopqrstuvwxyz");
        shell.env("CHAT_ADDR", "127.0.0.1:0");
        shell.env("CHAT_ADMIN_ADDR", "127.0.0.1:0");
        shell.env("CHAT_LOG_FORMAT", "json");
        shell.env("CHAT_DATA_DIR", folder.path());
        shell.envs(variables.iter().copied());
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

    /// Asks it to end.
    pub fn terminate(&self) {
        let process = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &process]).status();
        assert!(asked.unwrap().success());
    }

    /// Waits for a line with these words.
    pub fn says(&self, words: &str) -> String {
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

    /// Waits until it serves, and says where.
    pub fn serving(&self) -> String {
        self.serving_at().0
    }

    /// The same, with its admin address.
    pub fn serving_at(&self) -> (String, String) {
        let serving: serde_json::Value = serde_json::from_str(&self.says("serving")).unwrap();
        let at = |port: &str| serving[port].as_str().unwrap().to_owned();
        (at("api"), at("admin"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
