//! What decides which commit runs where: images, applications, actions, and the paths of each side.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::delivery::fault::{Fault, Rule};
use crate::delivery::tree::{Pods, Tree, list, name_of, text};

/// The branch that CI releases to, and the cluster follows.
pub(crate) const BRANCH: &str = "release";
/// The images that CI builds.
const OURS: [&str; 2] = ["chat-backend", "chat-frontend"];
/// How many numbers a version has with which an image never changes, by the end of its name; three elsewhere.
const SHORT_VERSIONS: (&str, usize) = ("/postgres", 2);

/// An overlay's images: every entry of `images:` replaces something, ours in production are those of a
/// commit, and no image is without a version.
pub(crate) fn image_faults(overlay: &Tree, kustomizations: &[(String, Value)]) -> Vec<Fault> {
    let running = images(overlay);
    let mut faults = Vec::new();
    for (file, kustomization) in kustomizations {
        for entry in list(&kustomization["images"]) {
            let name = entry["newName"].as_str().unwrap_or(text(&entry["name"]));
            let image = format!("{name}:{}", text(&entry["newTag"]));
            if !running.contains(image.as_str()) {
                let says = format!("no pod runs {image}");
                faults.push(Fault::new(Rule::ImageReplacesNothing, file, says));
            }
        }
    }
    let is_production = overlay.name.contains("/prod");
    let unpinned = running
        .iter()
        .filter(|image| !is_pinned(image, is_production));
    let says = |image: &&str| format!("{image} is not pinned");
    faults
        .extend(unpinned.map(|image| Fault::new(Rule::ImageNotPinned, &overlay.name, says(image))));
    faults
}

fn images(tree: &Tree) -> BTreeSet<&str> {
    let pods: Vec<_> = tree.pods().collect();
    pods.iter()
        .flat_map(Pods::containers)
        .map(|container| text(&container["image"]))
        .collect()
}

fn is_pinned(image: &str, is_production: bool) -> bool {
    let (name, tag) = image.rsplit_once(':').unwrap_or((image, ""));
    let is_ours = OURS.iter().any(|ours| name.ends_with(ours));
    if is_ours && is_production {
        return is_commit(tag) && name.contains('/');
    }
    is_ours && !tag.is_empty() || is_whole_version(name, tag)
}

/// Whether a tag of somebody else's image names a release and not the newest of several: `2.11.16`, not `2.11`.
/// A digest would say more; it cannot be read where these manifests are written.
pub(crate) fn is_whole_version(name: &str, tag: &str) -> bool {
    let (short, few) = SHORT_VERSIONS;
    let needed = if name.ends_with(short) { few } else { 3 };
    let version = tag.split('-').next().unwrap_or_default();
    let numbers: Vec<_> = version.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    numbers.len() == needed && numbers.iter().all(is_number)
}

/// Whether this is the full name of a commit.
fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Argo CD's applications: each is of a folder that is there, into the namespace of what it makes, and
/// its project lets everything through that it makes.
pub(crate) fn application_faults(argocd: &Tree, overlays: &[Tree]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for application in argocd.of_kind("Application") {
        let place = argocd.place(application);
        let mut fault = |rule, says: String| faults.push(Fault::new(rule, &place, says));
        let spec = &application["spec"];
        if spec["source"]["targetRevision"] != BRANCH {
            let says = format!("it does not follow {BRANCH}, which has what was tested");
            fault(Rule::ApplicationUntested, says);
        }
        if spec["syncPolicy"]["retry"]["refresh"] != true {
            let says = "it tries again what failed, and not what mends it";
            fault(Rule::RetryWithoutRefresh, says.to_owned());
        }
        let path = text(&spec["source"]["path"]);
        let Some(overlay) = overlays.iter().find(|tree| tree.name == path) else {
            fault(Rule::ApplicationMisled, format!("{path} is no overlay"));
            continue;
        };
        let Some(project) = argocd.find("AppProject", text(&spec["project"])) else {
            fault(
                Rule::ApplicationMisled,
                format!("there is no project {}", spec["project"]),
            );
            continue;
        };
        let namespace = &spec["destination"]["namespace"];
        let goes_there = |object: &Value| object["metadata"]["namespace"] == *namespace;
        if !overlay.objects.iter().all(goes_there) {
            fault(
                Rule::ApplicationMisled,
                format!("{path} does not go into {namespace}"),
            );
        }
        let destinations = list(&project["spec"]["destinations"]);
        let sources = list(&project["spec"]["sourceRepos"]);
        let is_let_in = destinations.iter().any(|to| to["namespace"] == *namespace);
        if !is_let_in || !sources.contains(&spec["source"]["repoURL"]) {
            fault(
                Rule::ApplicationMisled,
                "its project does not let it in".to_owned(),
            );
        }
    }
    faults
}

/// The kinds of objects that the project lets through: those of every component, since any may be installed.
pub(crate) fn kind_faults(argocd: &Tree, trees: &[&Tree]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for project in argocd.of_kind("AppProject") {
        for tree in trees {
            for kind in foreign_kinds(project, tree) {
                let says = format!("{} lets no {kind} through", name_of(project));
                faults.push(Fault::new(Rule::KindNotAllowed, &tree.name, says));
            }
        }
    }
    faults
}

fn foreign_kinds(project: &Value, overlay: &Tree) -> BTreeSet<String> {
    let allowed = list(&project["spec"]["namespaceResourceWhitelist"]);
    let is_allowed = |object: &Value| {
        let version = text(&object["apiVersion"]);
        let group = version.split_once('/').map_or("", |(group, _)| group);
        allowed
            .iter()
            .any(|entry| entry["group"] == group && entry["kind"] == object["kind"])
    };
    let foreign = overlay.objects.iter().filter(|object| !is_allowed(object));
    foreign
        .map(|object| text(&object["kind"]).to_owned())
        .collect()
}

/// A workflow's actions: each is pinned to a commit, with its version beside it.
pub(crate) fn action_faults(file: &str, workflow: &str) -> Vec<Fault> {
    let lines = workflow
        .lines()
        .map(|line| line.trim_start().trim_start_matches("- "));
    let used = lines.filter_map(|line| line.strip_prefix("uses: "));
    let unpinned = used.filter(|action| !is_fixed(action));
    let says = |action| format!("{action} is not `NAME@COMMIT # vVERSION`");
    unpinned
        .map(|action| Fault::new(Rule::ActionNotPinned, file, says(action)))
        .collect()
}

/// The images of a compose file that are not built here.
pub(crate) fn compose_faults(file: &str, compose: &str) -> Vec<Fault> {
    let lines = compose.lines().map(str::trim_start);
    let images = lines.filter_map(|line| line.strip_prefix("image: "));
    let foreign = images.filter(|image| !image.starts_with("${"));
    let unpinned = foreign.filter(|image| !is_pinned(image, false));
    let says = |image| format!("{image} is not pinned");
    unpinned
        .map(|image| Fault::new(Rule::ImageNotPinned, file, says(image)))
        .collect()
}

/// The bases of an image that are not stages of its own: each is named by version and digest.
pub(crate) fn base_faults(file: &str, dockerfile: &str) -> Vec<Fault> {
    let named = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("FROM "));
    let bases = named.filter_map(|line| line.split_whitespace().next());
    let foreign = bases.filter(|base| base.contains('/'));
    let has_digest = |base: &&str| {
        let digest = base.split_once("@sha256:").map(|(_, digest)| digest);
        digest.is_some_and(|it| it.len() == 64 && it.chars().all(|c| c.is_ascii_hexdigit()))
    };
    let unpinned = foreign.filter(|base| !has_digest(base));
    let says = |base| format!("{base} has no digest");
    unpinned
        .map(|base| Fault::new(Rule::ImageNotPinned, file, says(base)))
        .collect()
}

/// Dependabot: it looks after every folder that names images.
pub(crate) fn dependabot_faults(config: &Value, places: &BTreeSet<Images>) -> Vec<Fault> {
    let looks_after = |images: &Images| {
        let mut updates = list(&config["updates"]).iter();
        updates.any(|update| {
            let one = text(&update["directory"]);
            let mut several = list(&update["directories"]).iter().map(text);
            update["package-ecosystem"] == images.ecosystem
                && (one == images.folder || several.any(|folder| folder == images.folder))
        })
    };
    let forgotten = places.iter().filter(|images| !looks_after(images));
    let says = |images: &Images| format!("nothing renews the images of {}", images.folder);
    let file = ".github/dependabot.yml";
    forgotten
        .map(|images| Fault::new(Rule::ImagesForgotten, file, says(images)))
        .collect()
}

/// A folder in whose files images are named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Images {
    /// How Dependabot calls such files.
    pub(crate) ecosystem: &'static str,
    /// From the root of the repository, with a slash at its beginning.
    pub(crate) folder: String,
}

/// Whether an action is this repository's own, or is pinned.
fn is_fixed(action: &str) -> bool {
    let (name, version) = action.split_once(" # v").unwrap_or((action, ""));
    let (_, commit) = name.split_once('@').unwrap_or_default();
    let is_versioned = version.starts_with(|c: char| c.is_ascii_digit());
    name.starts_with("./") || (is_commit(commit) && is_versioned)
}

/// The paths of a side: the folders of all crates that its image is made of, and its manifests.
pub(crate) fn path_faults(side: &str, paths: &str, crates: &BTreeSet<String>) -> Vec<Fault> {
    let listed: BTreeSet<_> = paths.lines().collect();
    let manifests = format!("k8s/{side}");
    let missing = crates
        .iter()
        .chain([&manifests])
        .filter(|folder| !listed.contains(folder.as_str()));
    let place = format!(".ci/paths/{side}");
    let says = |folder| format!("{folder} is a part of a release and not listed");
    missing
        .map(|folder| Fault::new(Rule::PathsIncomplete, &place, says(folder)))
        .collect()
}
