//! The scripts of CI, run against real repositories: which tags a commit moves, and which it does not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::paths;

const REGISTRY: &str = "registry.example/team/chat";
const NONE: &str = "0000000000000000000000000000000000000000";

/// A repository whose `origin` is another one, and a colleague's clone of that.
struct World {
    folder: TempDir,
}

impl World {
    /// Both sides are on main, and neither has run yet.
    fn begin() -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        git(
            world.folder.path(),
            &[
                "init",
                "--quiet",
                "--bare",
                "--initial-branch=main",
                "origin",
            ],
        );
        git(world.folder.path(), &["clone", "--quiet", "origin", "ci"]);
        git(&world.ci(), &["checkout", "--quiet", "-B", "main"]);
        for script in [
            ".ci/bump",
            ".ci/frozen",
            ".ci/paths/backend",
            ".ci/paths/frontend",
        ] {
            let copy = world.ci().join(script);
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(paths::root().join(script), copy).unwrap();
        }
        for side in ["backend", "frontend"] {
            let tag = format!("images:\n  - name: chat-{side}\n    newTag: \"{NONE}\"\n");
            write(&world.ci().join(release(side)), &tag);
        }
        world.change("Cargo.toml");
        git(
            world.folder.path(),
            &["clone", "--quiet", "origin", "colleague"],
        );
        world
    }

    fn ci(&self) -> PathBuf {
        self.folder.path().join("ci")
    }

    /// A commit on main that changes one file; its name.
    fn change(&self, file: &str) -> String {
        let ci = self.ci();
        if git(&ci, &["ls-remote", "origin"]).contains("refs/heads/main") {
            git(
                &ci,
                &[
                    "pull",
                    "--quiet",
                    "--rebase",
                    "--autostash",
                    "origin",
                    "main",
                ],
            );
        }
        let path = ci.join(file);
        let before = fs::read_to_string(&path).unwrap_or_default();
        write(&path, &format!("{before}changed\n"));
        git(&ci, &["add", "--all"]);
        git(
            &ci,
            &["commit", "--quiet", "--message", &format!("Change {file}")],
        );
        git(&ci, &["push", "--quiet", "origin", "HEAD:main"]);
        git(&ci, &["rev-parse", "HEAD"])
    }

    /// What CI does at its end.
    fn bump(&self, commit: &str) -> Output {
        let mut script = Command::new(self.ci().join(".ci/bump"));
        script.args([commit, REGISTRY]).current_dir(self.ci());
        run(&mut script)
    }

    fn bumped(&self, commit: &str) {
        let output = self.bump(commit);
        assert!(output.status.success(), "{}", said(&output));
    }

    /// What both sides run by main: names of commits.
    fn runs(&self) -> [String; 2] {
        ["backend", "frontend"].map(|side| {
            let text = self.origin(&["show", &format!("main:{}", release(side))]);
            let (_, tag) = text.split_once("newTag: \"").unwrap();
            tag.split_once('"').unwrap().0.to_owned()
        })
    }

    fn commits(&self) -> usize {
        self.origin(&["rev-list", "--count", "main"])
            .parse()
            .unwrap()
    }

    fn origin(&self, arguments: &[&str]) -> String {
        git(&self.folder.path().join("origin"), arguments)
    }

    /// Before each push of CI a colleague pushes, as often as `times` says.
    fn let_a_colleague_push_first(&self, times: usize) {
        let hook = self.ci().join(".git/hooks/pre-push");
        let folder = self.folder.path().join("colleague");
        let text = format!(
            "#!/bin/sh\nunset GIT_DIR\ncd '{}'\n[ \"$(git log --oneline --grep=meanwhile | wc -l)\" -lt {times} ] || exit 0\n\
             git pull --quiet --rebase origin main\ngit commit --quiet --allow-empty --message meanwhile\n\
             git push --quiet origin HEAD:main\n",
            folder.display()
        );
        write(&hook, &text);
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn release(side: &str) -> String {
    format!("k8s/{side}/overlays/prod/release/kustomization.yaml")
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Without this machine's settings, and with a name.
fn run(command: &mut Command) -> Output {
    for role in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{role}_NAME"), "ci")
            .env(format!("GIT_{role}_EMAIL"), "ci@example.com");
    }
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null");
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]]
        .map(String::from_utf8_lossy)
        .concat()
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = run(Command::new("git").args(arguments).current_dir(folder));
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        said(&output)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_first_commit_moves_both_sides_with_one_commit_that_starts_nothing() {
    let world = World::begin();
    let first = world.change("docs/a.md");
    let before = world.commits();
    world.bumped(&first);
    assert_eq!(world.runs(), [first.clone(), first]);
    assert_eq!(world.commits(), before + 1);
    assert!(
        world
            .origin(&["log", "-1", "--format=%B", "main"])
            .contains("[skip ci]")
    );
    let changed = world.origin(&["diff", "--name-only", "main~1", "main"]);
    assert_eq!(
        changed,
        [release("backend"), release("frontend")].join("\n")
    );
    let written = world.origin(&["show", &format!("main:{}", release("backend"))]);
    assert!(
        written.contains(&format!("newName: {REGISTRY}/chat-backend\n")),
        "{written}"
    );
}

#[test]
fn a_commit_moves_the_sides_whose_code_it_changed() {
    let world = World::begin();
    let first = world.change("docs/a.md");
    world.bumped(&first);
    let backend = world.change("crates/chat-backend/src/main.rs");
    world.bumped(&backend);
    assert_eq!(world.runs(), [backend.clone(), first]);
    let frontend = world.change("crates/chat-frontend/src/main.rs");
    world.bumped(&frontend);
    assert_eq!(world.runs(), [backend, frontend]);
    let both = world.change("crates/chat-types/src/lib.rs");
    world.bumped(&both);
    assert_eq!(world.runs(), [both.clone(), both]);
}

#[test]
fn what_a_failed_run_left_behind_is_moved_by_the_next_one() {
    let world = World::begin();
    let first = world.change("docs/a.md");
    world.bumped(&first);
    world.change("crates/chat-backend/src/main.rs");
    let later = world.change("docs/b.md");
    world.bumped(&later);
    assert_eq!(world.runs(), [later, first]);
}

#[test]
fn nothing_to_move_makes_no_commit() {
    let world = World::begin();
    let first = world.change("docs/a.md");
    world.bumped(&first);
    let commits = world.commits();
    world.bumped(&first);
    assert_eq!(world.commits(), commits);
    let docs = world.change("docs/b.md");
    world.bumped(&docs);
    assert_eq!(world.commits(), commits + 1, "the change of docs only");
    assert_eq!(world.runs(), [first.clone(), first]);
}

#[test]
fn a_slow_build_never_moves_a_tag_backwards() {
    let world = World::begin();
    let early = world.change("crates/chat-types/src/lib.rs");
    let late = world.change("crates/chat-types/src/lib.rs");
    world.bumped(&late);
    let commits = world.commits();
    world.bumped(&early);
    assert_eq!(world.runs(), [late.clone(), late]);
    assert_eq!(world.commits(), commits);
}

#[test]
fn its_own_commit_moves_nothing() {
    let world = World::begin();
    let first = world.change("docs/a.md");
    world.bumped(&first);
    let commits = world.commits();
    git(
        &world.ci(),
        &["pull", "--quiet", "--rebase", "origin", "main"],
    );
    world.bumped(&git(&world.ci(), &["rev-parse", "HEAD"]));
    assert_eq!(world.commits(), commits);
}

#[test]
fn after_a_rollback_the_next_change_of_the_side_moves_on_and_no_other() {
    let world = World::begin();
    let good = world.change("crates/chat-backend/src/main.rs");
    world.bumped(&good);
    let bad = world.change("crates/chat-backend/src/main.rs");
    world.bumped(&bad);
    git(
        &world.ci(),
        &["pull", "--quiet", "--rebase", "origin", "main"],
    );
    git(&world.ci(), &["revert", "--no-edit", "HEAD"]);
    git(&world.ci(), &["push", "--quiet", "origin", "HEAD:main"]);
    assert_eq!(world.runs(), [good.clone(), good.clone()]);
    let elsewhere = world.change("docs/b.md");
    world.bumped(&elsewhere);
    assert_eq!(
        world.runs(),
        [good.clone(), good.clone()],
        "it is still bad"
    );
    let fixed = world.change("crates/chat-backend/src/main.rs");
    world.bumped(&fixed);
    assert_eq!(world.runs(), [fixed, good]);
}

#[test]
fn it_begins_anew_when_main_moved_before_its_push() {
    let world = World::begin();
    let first = world.change("docs/a.md");
    world.let_a_colleague_push_first(2);
    world.bumped(&first);
    assert_eq!(world.runs(), [first.clone(), first]);
    let log = world.origin(&["log", "--format=%s", "main"]);
    assert_eq!(log.matches("meanwhile").count(), 2, "{log}");
}

#[test]
fn it_gives_up_when_main_never_rests() {
    let world = World::begin();
    let first = world.change("docs/a.md");
    world.let_a_colleague_push_first(9_999);
    let output = world.bump(&first);
    assert!(!output.status.success());
    assert!(
        said(&output).contains("main moved 5 times"),
        "{}",
        said(&output)
    );
    assert_eq!(world.runs(), [NONE, NONE]);
}

#[test]
fn a_commit_that_is_not_on_main_is_refused() {
    let world = World::begin();
    world.change("docs/a.md");
    git(
        &world.ci(),
        &["commit", "--quiet", "--allow-empty", "--message", "local"],
    );
    let output = world.bump(&git(&world.ci(), &["rev-parse", "HEAD"]));
    assert!(!output.status.success());
    assert!(
        said(&output).contains("is not on main"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_tag_that_is_no_commit_before_this_one_stops_it() {
    let world = World::begin();
    let first = world.change("docs/a.md");
    let strange = first.chars().rev().collect::<String>();
    let file = world.ci().join(release("backend"));
    let text = fs::read_to_string(&file).unwrap().replace(NONE, &strange);
    write(&file, &text);
    let next = world.change("docs/b.md");
    let output = world.bump(&next);
    assert!(!output.status.success());
    assert!(said(&output).contains("no ancestor"), "{}", said(&output));
    assert_eq!(world.runs(), [strange.as_str(), NONE]);
}

#[test]
fn what_git_cannot_do_is_a_failure_and_moves_nothing() {
    let world = World::begin();
    let first = world.change("docs/a.md");
    git(&world.ci(), &["remote", "set-url", "origin", "/nowhere"]);
    assert!(!world.bump(&first).status.success());
    assert_eq!(world.runs(), [NONE, NONE]);
}

#[test]
fn a_missing_registry_is_refused() {
    let world = World::begin();
    let first = world.change("docs/a.md");
    // As it is when the variables of the repository are not set.
    let output = run(Command::new(world.ci().join(".ci/bump")).args([&first, "//sarangbang"]));
    assert!(!output.status.success());
    assert_eq!(world.runs(), [NONE, NONE]);
}

#[test]
fn the_list_of_frozen_fixtures_only_grows() {
    const LIST: &str = "crates/chat-types/tests/wire/v1/FROZEN.sha256";
    let world = World::begin();
    let list = world.ci().join(LIST);
    let frozen = |before: &str| {
        run(Command::new(world.ci().join(".ci/frozen")).arg(before))
            .status
            .success()
    };
    write(&list, "aa  c2s/hello.json\nbb  c2s/send.json\n");
    let before = world.change("docs/a.md");
    write(
        &list,
        "aa  c2s/hello.json\nbb  c2s/send.json\ncc  c2s/new.json\n",
    );
    world.change("docs/b.md");
    assert!(frozen(&before));
    write(&list, "aa  c2s/hello.json\ndd  c2s/send.json\n");
    world.change("docs/c.md");
    assert!(!frozen(&before));
}

#[test]
fn a_released_schema_is_never_edited() {
    const SCHEMA: &str = "crates/chat-types/schema/released/a.json";
    let world = World::begin();
    write(
        &world
            .ci()
            .join("crates/chat-types/tests/wire/v1/FROZEN.sha256"),
        "",
    );
    let before = world.change(SCHEMA);
    world.change("crates/chat-types/schema/released/b.json");
    let frozen = || {
        run(Command::new(world.ci().join(".ci/frozen")).arg(&before))
            .status
            .success()
    };
    assert!(frozen());
    world.change(SCHEMA);
    assert!(!frozen());
}
