//! A disk that is full: what cannot be kept is refused with a reason and the word to try again, what
//! was acknowledged stays, and it goes on when there is room.
//!
//! A disk of its own needs the right to mount one. Where there is none, this says so in capitals and
//! has tested nothing.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chat_load::{Control, Load, Scenario, Server, Verdict, run};
use chat_types::account::{CreateGuest, SignedIn};
use chat_types::endpoint::{Endpoint as _, JoinAsGuest, OpenPageRoom, PostMessage};
use chat_types::problem::{ErrorCode, Problem};
use chat_types::room::{OpenPage, RoomSummary, SendMessage};
use uuid::Uuid;

use crate::server::Process;

/// The size of the disk.
const DISK: &str = "size=6m";
/// How often a condition is looked at before it counts as never coming.
const ATTEMPTS: u32 = 5_000;
/// The disk stays full until so many messages were refused, so that the clients meet it too.
const REFUSALS: u32 = 300;

/// A small disk in memory. Dropping it unmounts it.
struct Disk(tempfile::TempDir);

impl Disk {
    /// `None`: this user may not mount one.
    fn mount() -> Option<Self> {
        let place = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", DISK, "tmpfs"])
            .arg(place.path())
            .output();
        let mounted = mounted.is_ok_and(|output| output.status.success());
        mounted.then_some(Self(place))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that is left; the server may take some of it meanwhile.
    fn fill(&self) {
        let mut filler = fs::File::create(self.filler()).unwrap();
        let piece = vec![1_u8; 1024 * 1024];
        // What still fits of the last piece stays.
        let full = loop {
            if let Err(full) = filler.write_all(&piece) {
                break full;
            }
        };
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    }

    fn free(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> std::path::PathBuf {
        self.path().join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the server that is killed at the same time may still hold files.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// Somebody who writes over HTTP and looks at the answers.
struct Writer {
    http: reqwest::Client,
    server: Server,
    guest: SignedIn,
    room: RoomSummary,
}

impl Writer {
    async fn join(server: Server) -> Self {
        let http = reqwest::Client::new();
        let url = |path: &str| format!("http://{}{path}", server.authority());
        let guest = CreateGuest {
            name: "mina".to_owned(),
        };
        let guest = http.post(url(JoinAsGuest::PATH)).json(&guest).send().await;
        let guest: SignedIn = guest.unwrap().json().await.unwrap();
        let page = OpenPage {
            site: "load".parse().unwrap(),
            page: "/disk".parse().unwrap(),
            title: None,
        };
        let room = http.post(url(OpenPageRoom::PATH)).json(&page).send().await;
        let room = room.unwrap().json().await.unwrap();
        Self {
            http,
            server,
            guest,
            room,
        }
    }

    /// The reason for which a message is refused; `None` when it is taken.
    async fn refusal(&self) -> Option<Problem> {
        let path = PostMessage::PATH.replace("{room}", &self.room.room.id.to_string());
        let message = SendMessage {
            client_id: chat_types::id::ClientId::from_uuid(Uuid::new_v4()),
            body: "x".repeat(1_000),
            reply_to: None,
        };
        let request = self
            .http
            .post(format!("http://{}{path}", self.server.authority()))
            .bearer_auth(&self.guest.tokens.access_token)
            .json(&message);
        let answer = request.send().await.unwrap();
        if answer.status().is_success() {
            return None;
        }
        Some(answer.json().await.unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_with_a_reason_loses_nothing_and_recovers() {
    let Some(disk) = Disk::mount() else {
        eprintln!("NOT RUN: A FULL DISK. This user may not mount a disk; run the test as root.");
        return;
    };
    let server = Process::start_in(disk.path()).await;
    let writer = Writer::join(server.server()).await;
    assert_eq!(writer.refusal().await, None);
    let (control, mut faults) = Control::with_faults();
    let scenario = Scenario {
        servers: vec![server.server()],
        clients: 4,
        load: Load::Rate {
            senders: 4,
            per_second: 20,
        },
        time: Duration::from_secs(1),
        // A sender whom the server asked to try again waits for up to 30 s.
        converge_within: Duration::from_secs(40),
        ..Scenario::default()
    };
    let running = tokio::spawn(run(scenario, control));
    assert!(faults.load_began().await);
    faults.begin("disk full");
    disk.fill();
    let mut attempts = 0..ATTEMPTS;
    let mut refused = 0;
    while refused < REFUSALS {
        attempts.next().unwrap();
        if let Some(refusal) = writer.refusal().await {
            assert_eq!(refusal.code, ErrorCode::Unavailable, "{refusal:?}");
            assert!(refusal.retry, "{refusal:?}");
            refused += 1;
        }
    }
    disk.free();
    let mut attempts = 0..ATTEMPTS;
    while writer.refusal().await.is_some() {
        attempts.next().unwrap();
    }
    drop(faults);
    let report = running.await.unwrap().unwrap();
    assert_eq!(report.verdict(), Verdict::Sound, "{report}");
    assert!(report.load.retried > 0, "{report}");
    assert_eq!(report.load.sent, report.load.acked, "{report}");
}
