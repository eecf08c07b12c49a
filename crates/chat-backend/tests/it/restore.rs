//! Backup and restore, with the commands of docs/operations.md: what was said before the backup is there
//! again, and no client goes on from what is not.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use chat_store::Store;
use chat_store_postgres::PostgresStore;
use chat_store_sqlite::SqliteStore;
use chat_types::event::Content;
use chat_types::id::RoomId;
use chat_types::ws::Subbed;

use crate::support::{Person, TestApp};

/// Runs the program on a database.
fn program(database: &str, arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_chat-backend"));
    program.env("DATABASE_URL", database).args(arguments);
    program.output().unwrap()
}

fn runs(database: &str, arguments: &[&str]) {
    succeeds(&program(database, arguments));
}

fn refused(database: &str, arguments: &[&str]) -> String {
    let output = program(database, arguments);
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

fn succeeds(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

fn file(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

/// A room in which something was said before the backup and something after it.
struct Talk {
    app: TestApp,
    mina: Person,
    room: RoomId,
}

impl Talk {
    async fn begin(store: Arc<dyn Store>) -> Self {
        let app = TestApp::start_on(store, &[]).await;
        let mina = app.account("mina").await;
        let room = mina.open_page("blog", "/restore").await.room.id;
        mina.send(room, "before").await.unwrap();
        Self { app, mina, room }
    }

    /// Goes on after the backup; how far a reader has come then.
    async fn go_on(&self) -> Box<Subbed> {
        self.mina.send(self.room, "after").await.unwrap();
        let mut reader = self.app.socket(Some(self.mina.token())).await;
        reader.follow(self.room).await
    }

    /// What is there on the restored database, and for the reader who had read more.
    async fn restored(&self, store: Arc<dyn Store>, known: &Subbed) {
        let app = TestApp::start_on(store, &[]).await;
        let mina = app.visitor().signed_in(self.mina.login().clone());
        let bodies = async || {
            let history = mina.history(self.room).await.unwrap();
            let bodies = history
                .messages
                .into_iter()
                .map(|message| match message.content {
                    Content::Text { body } => body,
                    Content::Deleted { .. } | Content::Unknown => String::new(),
                });
            bodies.collect::<Vec<_>>()
        };
        assert_eq!(bodies().await, ["before"]);
        // The feed reaches the number again that the reader knows, with another message.
        mina.send(self.room, "instead").await.unwrap();
        let mut reader = app.socket(Some(mina.token())).await;
        let resumed = reader.resume(self.room, &known.epoch, known.head).await;
        assert_eq!(resumed.head, known.head, "the case that a new epoch is for");
        assert!(!resumed.recovered, "the reader loads afresh");
        assert_eq!(bodies().await.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_sqlite_is_taken_while_it_is_served_and_restored() {
    let folder = tempfile::tempdir().unwrap();
    let [served, backup, restored] =
        ["chat.db", "backup.db", "restored.db"].map(|name| folder.path().join(name));
    let store = Arc::new(SqliteStore::open(&served).await.unwrap());
    let talk = Talk::begin(store).await;
    let arguments = ["backup", backup.to_str().unwrap()];
    runs(&file(&served), &arguments);
    let known = talk.go_on().await;
    assert!(refused(&file(&served), &arguments).contains("exists"));
    let arguments = ["restore", backup.to_str().unwrap()];
    let busy = refused(&file(&served), &arguments);
    assert!(busy.contains("in use by another process"), "{busy}");

    runs(&file(&restored), &arguments);
    let store = Arc::new(SqliteStore::open(&restored).await.unwrap());
    talk.restored(store, &known).await;
}

/// The database of a server that was killed, so that what it wrote last is in the log beside it.
async fn killed(at: &Path) {
    let store = SqliteStore::open(at).await.unwrap();
    let talk = Talk::begin(Arc::new(store)).await;
    let killed = at.with_extension("killed");
    let log =
        |path: &Path| path.with_extension(format!("{}-wal", path.extension().unwrap().display()));
    std::fs::copy(at, &killed).unwrap();
    std::fs::copy(log(at), log(&killed)).unwrap();
    drop(talk);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_takes_the_place_of_what_a_killed_server_left() {
    let folder = tempfile::tempdir().unwrap();
    let [served, backup, left] =
        ["chat.db", "backup.db", "left.db"].map(|name| folder.path().join(name));
    let store = Arc::new(SqliteStore::open(&served).await.unwrap());
    let talk = Talk::begin(store).await;
    runs(&file(&served), &["backup", backup.to_str().unwrap()]);
    let known = talk.go_on().await;
    killed(&left).await;
    let left = left.with_extension("killed");
    runs(&file(&left), &["restore", backup.to_str().unwrap()]);
    let store = Arc::new(SqliteStore::open(&left).await.unwrap());
    talk.restored(store, &known).await;
}

#[tokio::test]
async fn what_is_no_whole_backup_leaves_the_database_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let [database, other] = ["chat.db", "other.db"].map(|name| folder.path().join(name));
    chat_store_sqlite::migrate(&database).await.unwrap();
    let before = std::fs::read(&database).unwrap();
    let of_others = include_bytes!("newer.db");
    for (other_bytes, words) in [
        (&b"no database, whatever its name"[..], "cannot be used"),
        (b"", "no whole database"),
        (of_others, "no whole database"),
        (&before[..before.len() / 2], "other.db"),
    ] {
        std::fs::write(&other, other_bytes).unwrap();
        let said = refused(&file(&database), &["restore", other.to_str().unwrap()]);
        assert!(said.contains(words), "{said}");
        assert_eq!(std::fs::read(&database).unwrap(), before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_without_what_lies_beside_it_is_no_backup() {
    let folder = tempfile::tempdir().unwrap();
    let [left, restored] = ["left.db", "restored.db"].map(|name| folder.path().join(name));
    killed(&left).await;
    let left = left.with_extension("killed");
    let arguments = ["restore", left.to_str().unwrap()];
    for database in [&restored, &left] {
        let said = refused(&file(database), &arguments);
        assert!(said.contains("is no backup"), "{said}");
    }
    assert!(!restored.exists(), "not even an empty one");
    let said = refused("postgre://typo/chat", &arguments);
    assert!(said.contains("DATABASE_URL must begin"), "{said}");
}

#[tokio::test]
async fn a_database_that_cannot_be_read_is_not_lost_to_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let [served, backup, damaged] =
        ["chat.db", "backup.db", "damaged.db"].map(|name| folder.path().join(name));
    chat_store_sqlite::migrate(&served).await.unwrap();
    runs(&file(&served), &["backup", backup.to_str().unwrap()]);
    std::fs::write(&damaged, "what somebody may still save").unwrap();
    let arguments = ["restore", backup.to_str().unwrap()];
    let said = refused(&file(&damaged), &arguments);
    assert!(
        said.contains("move it and the files beside it away"),
        "{said}"
    );
    assert_eq!(
        std::fs::read(&damaged).unwrap(),
        b"what somebody may still save"
    );
    std::fs::rename(&damaged, folder.path().join("away")).unwrap();
    runs(&file(&damaged), &arguments);
}

#[cfg(unix)]
#[tokio::test]
async fn a_backup_is_its_users_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let [served, backup] = ["chat.db", "backup.db"].map(|name| folder.path().join(name));
    chat_store_sqlite::migrate(&served).await.unwrap();
    runs(&file(&served), &["backup", backup.to_str().unwrap()]);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&backup), 0o600);
    // So is what is restored, whatever became of the backup on its way.
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(&backup, open).unwrap();
    let restored = folder.path().join("restored.db");
    runs(&file(&restored), &["restore", backup.to_str().unwrap()]);
    assert_eq!(mode(&restored), 0o600);
}

#[test]
fn a_database_that_is_not_there_is_not_backed_up() {
    let folder = tempfile::tempdir().unwrap();
    let [missing, backup] = ["chat.db", "backup.db"].map(|name| folder.path().join(name));
    let said = refused(&file(&missing), &["backup", backup.to_str().unwrap()]);
    assert!(said.contains("chat.db"), "{said}");
    assert!(!missing.exists() && !backup.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_of_postgresql_is_restored_into_another_database() {
    let (served, restored) = (
        chat_testbed::database().unwrap(),
        chat_testbed::database().unwrap(),
    );
    let open = async |url: &str| {
        let settings = chat_store_postgres::Settings::of(url);
        Arc::new(PostgresStore::open(&settings).await.unwrap())
    };
    let talk = Talk::begin(open(served.url()).await).await;
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("chat.dump");
    let mut pg_dump = Command::new("pg_dump");
    pg_dump.args(["--format", "custom", "--file"]);
    succeeds(&pg_dump.arg(&dump).arg(served.url()).output().unwrap());
    let known = talk.go_on().await;
    let told = refused(served.url(), &["backup", "any.db"]);
    assert!(told.contains("pg_dump"), "{told}");

    let mut pg_restore = Command::new("pg_restore");
    pg_restore.args(["--no-owner", "--exit-on-error", "--single-transaction"]);
    pg_restore.args(["--dbname", restored.url()]).arg(&dump);
    succeeds(&pg_restore.output().unwrap());
    runs(restored.url(), &["new-epochs"]);
    talk.restored(open(restored.url()).await, &known).await;
}
