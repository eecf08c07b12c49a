//! The scripts of CI, run against real repositories: what a commit releases, and what it does not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use super::render::{Manifests, SIDES};
use super::rules::release::BRANCH;
use crate::paths;

const REGISTRY: &str = "registry.example/team/chat";
const NONE: &str = "0000000000000000000000000000000000000000";
/// What both sides run before the first release.
const NOTHING: [Option<String>; 2] = [None, None];

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
            ".ci/released",
            ".ci/paths/backend",
            ".ci/paths/frontend",
        ] {
            let copy = world.ci().join(script);
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(paths::root().join(script), copy).unwrap();
        }
        for side in SIDES {
            let tag = format!("images:\n  - name: chat-{side}\n    newTag: \"{NONE}\"\n");
            write(&world.ci().join(release(side)), &tag);
            write(&world.ci().join(base(side)), "first\n");
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

    /// The commits whose images both sides run, once they have been released.
    fn runs(&self) -> [Option<String>; 2] {
        SIDES.map(|side| {
            let text = self.released(&release(side))?;
            let (_, tag) = text.split_once("newTag: \"")?;
            Some(tag.split_once('"')?.0.to_owned())
        })
    }

    /// A file as the cluster has it.
    fn released(&self, file: &str) -> Option<String> {
        let name = format!("{BRANCH}:{file}");
        let show = run(Command::new("git")
            .args(["show", &name])
            .current_dir(self.folder.path().join("origin")));
        let text = String::from_utf8(show.stdout).unwrap();
        show.status.success().then_some(text)
    }

    /// How often the cluster was given something.
    fn releases(&self) -> usize {
        let log = self.origin(&["rev-list", "--count", "--all", "--not", "main"]);
        log.parse().unwrap()
    }

    /// Undoes the newest release by hand, as docs/operations.md says.
    fn roll_back(&self) {
        self.by_hand(&[&["revert", "--no-edit", "HEAD"]]);
    }

    /// The same for one side of it.
    fn roll_one_back(&self, side: &str) {
        let folder = format!("k8s/{side}");
        let restore = [
            "restore",
            "--source",
            "HEAD~1",
            "--staged",
            "--worktree",
            &folder,
        ];
        self.by_hand(&[
            &restore,
            &["commit", "--quiet", "--message", "Take it back"],
        ]);
    }

    /// What somebody does on the branch of releases.
    fn by_hand(&self, commands: &[&[&str]]) {
        let colleague = self.folder.path().join("colleague");
        git(&colleague, &["fetch", "--quiet", "origin"]);
        let branch = format!("origin/{BRANCH}");
        git(
            &colleague,
            &["switch", "--quiet", "--force-create", BRANCH, &branch],
        );
        for command in commands {
            git(&colleague, command);
        }
        git(&colleague, &["push", "--quiet", "origin", BRANCH]);
    }

    fn origin(&self, arguments: &[&str]) -> String {
        git(&self.folder.path().join("origin"), arguments)
    }

    /// Before each push of CI a colleague pushes to the branch of releases, as often as `times` says.
    fn let_a_colleague_push_first(&self, times: usize) {
        let hook = self.ci().join(".git/hooks/pre-push");
        let folder = self.folder.path().join("colleague");
        let text = format!(
            "#!/bin/sh\nunset GIT_DIR GIT_INDEX_FILE\ncd '{}'\ngit fetch --quiet origin\n\
             git checkout --quiet --detach origin/{BRANCH}\n\
             [ \"$(git log --oneline --grep=meanwhile | wc -l)\" -lt {times} ] || exit 0\n\
             git commit --quiet --allow-empty --message meanwhile\n\
             git push --quiet origin HEAD:{BRANCH}\n",
            folder.display()
        );
        write(&hook, &text);
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn release(side: &str) -> String {
    format!("k8s/{side}/overlays/prod/release/kustomization.yaml")
}

/// A manifest of a side.
fn base(side: &str) -> String {
    format!("k8s/{side}/base/deployment.yaml")
}

fn both(commit: &str) -> [Option<String>; 2] {
    each(commit, commit)
}

fn each(backend: &str, frontend: &str) -> [Option<String>; 2] {
    [backend, frontend].map(|commit| Some(commit.to_owned()))
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
fn the_first_release_is_both_sides_in_one_commit_that_starts_nothing() {
    let world = World::begin();
    let first = world.change("docs/a.md");
    world.bumped(&first);
    assert_eq!(world.runs(), both(&first));
    assert_eq!(world.releases(), 1);
    assert!(
        world
            .origin(&["log", "-1", "--format=%B", BRANCH])
            .contains("[skip ci]")
    );
    assert_eq!(
        world.origin(&["rev-parse", "main"]),
        first,
        "main is left alone"
    );
    let written = world.released(&release("backend")).unwrap();
    assert!(
        written.contains(&format!("newName: {REGISTRY}/chat-backend\n")),
        "{written}"
    );
}

#[test]
fn a_release_has_the_manifests_of_both_sides_and_nothing_that_could_start_a_workflow() {
    let world = World::begin();
    world.change(".github/workflows/ci.yml");
    let first = world.change("k8s/argocd/backend.yaml");
    world.bumped(&first);
    let files = world.origin(&["ls-tree", "-r", "--name-only", BRANCH]);
    let expected = SIDES.map(|side| format!("{}\n{}", base(side), release(side)));
    assert_eq!(files, expected.join("\n"));
}

#[test]
fn a_commit_moves_the_sides_whose_code_it_changed() {
    let world = World::begin();
    let first = world.change("docs/a.md");
    world.bumped(&first);
    let backend = world.change("crates/chat-backend/src/main.rs");
    world.bumped(&backend);
    assert_eq!(world.runs(), each(&backend, &first));
    let frontend = world.change("crates/chat-frontend/src/main.rs");
    world.bumped(&frontend);
    assert_eq!(world.runs(), each(&backend, &frontend));
    let types = world.change("crates/chat-types/src/lib.rs");
    world.bumped(&types);
    assert_eq!(world.runs(), both(&types));
}

#[test]
fn manifests_go_live_with_the_image_of_their_commit_and_not_before() {
    let world = World::begin();
    let first = world.change("docs/a.md");
    world.bumped(&first);
    let manifest = world.change(&base("backend"));
    assert_eq!(world.released(&base("backend")).unwrap(), "first\n");
    world.bumped(&manifest);
    assert_eq!(
        world.released(&base("backend")).unwrap(),
        "first\nchanged\n"
    );
    assert_eq!(world.runs(), each(&manifest, &first));
}

#[test]
fn the_other_sides_manifests_stay_with_their_image() {
    let world = World::begin();
    let first = world.change("docs/a.md");
    world.bumped(&first);
    let page = world.change(&base("frontend"));
    world.bumped(&page);
    world.roll_back();
    let backend = world.change("crates/chat-backend/src/main.rs");
    world.bumped(&backend);
    assert_eq!(world.runs(), each(&backend, &first));
    assert_eq!(world.released(&base("frontend")).unwrap(), "first\n");
}

#[test]
fn what_a_failed_run_left_behind_is_moved_by_the_next_one() {
    let world = World::begin();
    let first = world.change("docs/a.md");
    world.bumped(&first);
    world.change("crates/chat-backend/src/main.rs");
    let later = world.change("docs/b.md");
    world.bumped(&later);
    assert_eq!(world.runs(), each(&later, &first));
}

#[test]
fn nothing_to_move_makes_no_commit() {
    let world = World::begin();
    let first = world.change("docs/a.md");
    world.bumped(&first);
    world.bumped(&first);
    world.bumped(&world.change("docs/b.md"));
    assert_eq!(world.releases(), 1);
    assert_eq!(world.runs(), both(&first));
}

#[test]
fn a_slow_build_never_moves_a_tag_backwards() {
    let world = World::begin();
    let early = world.change("crates/chat-types/src/lib.rs");
    let late = world.change("crates/chat-types/src/lib.rs");
    world.bumped(&late);
    world.bumped(&early);
    assert_eq!(world.runs(), both(&late));
    assert_eq!(world.releases(), 1);
}

#[test]
fn what_a_later_release_took_back_is_not_released_after_it() {
    let world = World::begin();
    let first = world.change("docs/a.md");
    world.bumped(&first);
    let page = world.change("crates/chat-frontend/src/lib.rs");
    git(&world.ci(), &["revert", "--no-edit", &page]);
    let late = world.change("crates/chat-backend/src/main.rs");
    world.bumped(&late);
    world.bumped(&page);
    assert_eq!(world.runs(), each(&late, &first));
}

#[test]
fn after_a_rollback_the_next_change_of_the_side_moves_on_and_no_other() {
    let world = World::begin();
    let good = world.change("crates/chat-backend/src/main.rs");
    world.bumped(&good);
    world.change(&base("backend"));
    let bad = world.change("crates/chat-backend/src/main.rs");
    world.bumped(&bad);
    world.roll_back();
    assert_eq!(world.runs(), both(&good));
    assert_eq!(
        world.released(&base("backend")).unwrap(),
        "first\n",
        "its manifests went back with it"
    );
    world.bumped(&world.change("docs/b.md"));
    assert_eq!(world.runs(), both(&good), "it is still bad");
    let fixed = world.change("crates/chat-backend/src/main.rs");
    world.bumped(&fixed);
    assert_eq!(world.runs(), each(&fixed, &good));
}

#[test]
fn one_side_of_a_release_is_taken_back_alone_with_its_manifests() {
    let world = World::begin();
    let good = world.change("docs/a.md");
    world.bumped(&good);
    write(&world.ci().join("k8s/backend/base/new.yaml"), "new\n");
    let bad = world.change("crates/chat-types/src/lib.rs");
    world.bumped(&bad);
    assert!(world.released("k8s/backend/base/new.yaml").is_some());
    world.roll_one_back("backend");
    assert_eq!(world.runs(), each(&good, &bad));
    assert_eq!(world.released("k8s/backend/base/new.yaml"), None);
}

#[test]
fn it_begins_anew_when_the_branch_moved_before_its_push() {
    let world = World::begin();
    world.bumped(&world.change("docs/a.md"));
    let next = world.change("crates/chat-types/src/lib.rs");
    world.let_a_colleague_push_first(2);
    world.bumped(&next);
    assert_eq!(world.runs(), both(&next));
    let log = world.origin(&["log", "--format=%s", BRANCH]);
    assert_eq!(log.matches("meanwhile").count(), 2, "{log}");
}

#[test]
fn it_gives_up_when_the_branch_never_rests() {
    let world = World::begin();
    let first = world.change("docs/a.md");
    world.bumped(&first);
    let next = world.change("crates/chat-types/src/lib.rs");
    world.let_a_colleague_push_first(9_999);
    let output = world.bump(&next);
    assert!(!output.status.success());
    assert!(said(&output).contains("moved 5 times"), "{}", said(&output));
    assert_eq!(world.runs(), both(&first));
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

/// Main without its newest commit, and another one instead.
fn overwrite_main(world: &World) -> String {
    git(&world.ci(), &["reset", "--quiet", "--hard", "HEAD~1"]);
    write(&world.ci().join("docs/other.md"), "other\n");
    git(&world.ci(), &["add", "--all"]);
    git(&world.ci(), &["commit", "--quiet", "--message", "Other"]);
    git(
        &world.ci(),
        &["push", "--quiet", "--force", "origin", "HEAD:main"],
    );
    git(&world.ci(), &["rev-parse", "HEAD"])
}

#[test]
fn a_main_that_lost_what_runs_stops_it() {
    let world = World::begin();
    let first = world.change("docs/a.md");
    world.bumped(&first);
    let output = world.bump(&overwrite_main(&world));
    assert!(!output.status.success());
    assert!(said(&output).contains("no ancestor"), "{}", said(&output));
    assert_eq!(world.runs(), both(&first));
}

#[test]
fn what_git_cannot_do_is_a_failure_and_moves_nothing() {
    let world = World::begin();
    let first = world.change("docs/a.md");
    git(&world.ci(), &["remote", "set-url", "origin", "/nowhere"]);
    assert!(!world.bump(&first).status.success());
    assert_eq!(world.runs(), NOTHING);
}

#[test]
fn a_missing_registry_is_refused() {
    let world = World::begin();
    let first = world.change("docs/a.md");
    // As it is when the variables of the repository are not set.
    let output = run(Command::new(world.ci().join(".ci/bump")).args([&first, "//sarangbang"]));
    assert!(!output.status.success());
    assert_eq!(world.runs(), NOTHING);
}

#[test]
fn what_is_released_of_todays_manifests_renders_by_itself() {
    let world = World::begin();
    let copy = Manifests::copy(paths::root(), &world.folder.path().join("today")).unwrap();
    let ci = world.ci();
    fs::remove_dir_all(ci.join("k8s")).unwrap();
    fs::rename(world.folder.path().join("today/k8s"), ci.join("k8s")).unwrap();
    drop(copy);
    let commit = world.change("docs/a.md");
    world.bumped(&commit);
    let cluster = world.folder.path().join("cluster");
    let clone = ["clone", "--quiet", "--branch", BRANCH, "origin", "cluster"];
    git(world.folder.path(), &clone);
    let released = Manifests::copy(&cluster, &world.folder.path().join("released")).unwrap();
    for side in SIDES {
        let tree = released
            .render(&format!("k8s/{side}/overlays/prod"))
            .unwrap();
        let image = format!("image: {REGISTRY}/chat-{side}:{commit}\n");
        assert!(tree.text.contains(&image), "{side}");
    }
}

const FIXTURE: &str = "crates/chat-types/tests/wire/v1/c2s/hello.json";
const LIST: &str = "crates/chat-types/tests/wire/v1/FROZEN.sha256";
const SCHEMA: &str = "crates/chat-types/schema/released/a.json";

/// Something of the protocol is released; what follows may add to it.
fn with_a_frozen_protocol() -> World {
    let world = World::begin();
    let list = "aa  c2s/hello.json\nbb  c2s/send.json\n";
    write(&world.ci().join(LIST), list);
    write(&world.ci().join(FIXTURE), "released\n");
    world.bumped(&world.change(SCHEMA));
    world
}

/// What CI says of the commit that is checked out.
fn frozen(world: &World) -> bool {
    git(&world.ci(), &["fetch", "--quiet", "origin"]);
    let mut script = Command::new(world.ci().join(".ci/frozen"));
    run(&mut script).status.success()
}

#[test]
fn the_list_of_frozen_fixtures_only_grows() {
    let world = with_a_frozen_protocol();
    let list = world.ci().join(LIST);
    assert!(frozen(&world));
    let more = "aa  c2s/hello.json\nbb  c2s/send.json\ncc  c2s/new.json\n";
    write(&list, more);
    world.change("docs/b.md");
    assert!(frozen(&world));
    write(&list, "aa  c2s/hello.json\ndd  c2s/send.json\n");
    world.change("docs/c.md");
    assert!(!frozen(&world));
    world.change("docs/d.md");
    assert!(!frozen(&world), "many commits hide nothing");
}

#[test]
fn what_only_one_side_has_released_is_frozen_too() {
    let world = with_a_frozen_protocol();
    let list = world.ci().join(LIST);
    let before = fs::read_to_string(&list).unwrap();
    write(&list, &format!("{before}cc  c2s/new.json\n"));
    world.bumped(&world.change("crates/chat-frontend/src/main.rs"));
    write(&list, &before);
    world.change("docs/b.md");
    assert!(!frozen(&world));
}

#[test]
fn a_released_schema_is_never_edited() {
    let world = with_a_frozen_protocol();
    world.change("crates/chat-types/schema/released/b.json");
    assert!(frozen(&world));
    world.change(SCHEMA);
    assert!(!frozen(&world));
}

#[test]
fn a_released_fixture_is_never_edited_not_even_before_it_is_committed() {
    let world = with_a_frozen_protocol();
    let fixture = world.ci().join(FIXTURE);
    let released = fs::read_to_string(&fixture).unwrap();
    write(&fixture, "edited\n");
    assert!(!frozen(&world), "before it is committed");
    world.change("docs/b.md");
    assert!(!frozen(&world), "in a commit that leaves the list alone");
    write(&fixture, &released);
    write(&fixture.with_file_name("new.json"), "new\n");
    world.change("docs/c.md");
    assert!(frozen(&world));
    fs::remove_file(&fixture).unwrap();
    assert!(!frozen(&world));
}

#[test]
fn an_overwritten_main_hides_no_release() {
    let world = with_a_frozen_protocol();
    overwrite_main(&world);
    assert!(!frozen(&world));
}

#[test]
fn before_the_first_release_nothing_is_frozen() {
    let world = World::begin();
    write(&world.ci().join(LIST), "aa  c2s/hello.json\n");
    world.change("docs/a.md");
    assert!(frozen(&world));
}
