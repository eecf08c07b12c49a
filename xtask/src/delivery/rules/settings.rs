//! What the servers are told: variables, the times of their end, and each other's addresses.

use serde_json::Value;

use crate::delivery::fault::{Fault, Rule};
use crate::delivery::known::Known;
use crate::delivery::tree::{Pods, Tree, list, name_of, text};

/// Variables whose values nobody but the cluster may know.
const SECRET: [&str; 5] = [
    "SECRET_KEY",
    "SECRET_KEY_NEXT",
    "SECRET_KEY_PREVIOUS",
    "DATABASE_URL",
    "NATS_URL",
];
/// The parts of each server's end, in milliseconds.
const BACKEND_DRAIN: &[&str] = &["CHAT_DRAIN_DELAY_MS", "CHAT_DRAIN_MS", "CHAT_GRACE_MS"];
const FRONTEND_DRAIN: &[&str] = &["CHAT_FRONTEND_GRACE_MS"];
/// What writes to the API as users do.
const CANARY: &str = "chat-canary";
/// What is left of the grace period at least, for the process to end.
const ROOM_S: u64 = 5;

/// How long a server keeps an idle connection.
const KEEP_ALIVE: [&str; 2] = ["CHAT_HEADERS_MS", "CHAT_FRONTEND_HEADERS_MS"];
/// How long GKE's Gateway keeps its connections to the pods, which nothing can change.
const GATEWAY_KEEPS_MS: u64 = 600_000;

/// Mistakes in what the servers are told.
pub(crate) fn faults(tree: &Tree, known: &Known) -> Vec<Fault> {
    let mut faults = Vec::new();
    for pods in tree.pods().filter(|pods| side_of(pods).is_some()) {
        let place = tree.place(pods.workload);
        let variables = variables(tree, &pods);
        faults.extend(variable_faults(&place, known, &pods, &variables));
        faults.extend(tls_faults(&place, &pods, &variables));
        if pods.are_ours() {
            faults.extend(grace_fault(&place, &pods, &variables));
            faults.extend(keep_alive_fault(tree, &place, &variables));
            faults.extend(bus_fault(tree, &place, &pods, &variables));
        }
    }
    faults.extend(canary_fault(tree));
    faults
}

/// Which server's image pods run, by the workload's name.
fn side_of(pods: &Pods<'_>) -> Option<Side> {
    let name = text(&pods.labels["app.kubernetes.io/name"]);
    match name {
        "chat-backend" => Some(Side::Backend),
        "chat-frontend" => Some(Side::Frontend),
        _ => None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Backend,
    Frontend,
}

/// A variable, and its value where it is not a secret's.
struct Variable {
    name: String,
    value: Option<String>,
}

fn variables(tree: &Tree, pods: &Pods<'_>) -> Vec<Variable> {
    let mut variables = Vec::new();
    for container in pods.containers() {
        for from in list(&container["envFrom"]) {
            let config = tree.find("ConfigMap", text(&from["configMapRef"]["name"]));
            let data = config.and_then(|config| config["data"].as_object());
            for (name, value) in data.into_iter().flatten() {
                let (name, value) = (name.clone(), value.as_str().map(str::to_owned));
                variables.push(Variable { name, value });
            }
        }
        for env in list(&container["env"]) {
            let value = env["value"].as_str().map(str::to_owned);
            variables.push(Variable {
                name: text(&env["name"]).to_owned(),
                value,
            });
        }
    }
    variables
}

fn value<'a>(variables: &'a [Variable], name: &str) -> Option<&'a str> {
    variables
        .iter()
        .find(|variable| variable.name == name)?
        .value
        .as_deref()
}

fn variable_faults(
    place: &str,
    known: &Known,
    pods: &Pods<'_>,
    variables: &[Variable],
) -> Vec<Fault> {
    let names = match side_of(pods) {
        Some(Side::Frontend) => &known.frontend,
        _ => &known.backend,
    };
    let mut faults = Vec::new();
    for Variable { name, value } in variables {
        if !names.contains(name) {
            let says = format!("the server knows no {name}");
            faults.push(Fault::new(Rule::VariableUnknown, place, says));
        }
        if SECRET.contains(&name.as_str()) && value.is_some() {
            let says = format!("the value of {name} stands in the repository");
            faults.push(Fault::new(Rule::SecretInGit, place, says));
        }
    }
    faults
}

fn tls_faults(place: &str, pods: &Pods<'_>, variables: &[Variable]) -> Vec<Fault> {
    let mounts = pods
        .containers()
        .flat_map(|container| list(&container["volumeMounts"]));
    let folders: Vec<_> = mounts.map(|mount| text(&mount["mountPath"])).collect();
    let files = ["TLS_CERT_FILE", "TLS_KEY_FILE"]
        .into_iter()
        .filter_map(|name| value(variables, name));
    let lost = files.filter(|file| !folders.iter().any(|folder| file.starts_with(folder)));
    let says = |file| format!("no volume is mounted where {file} is");
    lost.map(|file| Fault::new(Rule::TlsFileNotMounted, place, says(file)))
        .collect()
}

/// The kubelet counts the preStop sleep into the grace period, and kills at its end.
fn grace_fault(place: &str, pods: &Pods<'_>, variables: &[Variable]) -> Option<Fault> {
    let parts = match side_of(pods)? {
        Side::Backend => BACKEND_DRAIN,
        Side::Frontend => FRONTEND_DRAIN,
    };
    let times = parts
        .iter()
        .map(|name| value(variables, name)?.parse::<u64>().ok());
    let Some(drain_ms) = times.sum::<Option<u64>>() else {
        let says = format!(
            "{} are not all set, so the grace period fits by chance",
            parts.join(", ")
        );
        return Some(Fault::new(Rule::DrainNotSet, place, says));
    };
    let sleep = |container: &Value| container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64();
    let sleep_s = pods.containers().filter_map(sleep).max().unwrap_or(0);
    let needed_s = sleep_s + drain_ms.div_ceil(1_000) + ROOM_S;
    let given_s = pods.spec["terminationGracePeriodSeconds"]
        .as_u64()
        .unwrap_or(30);
    let says = || {
        format!(
            "{given_s} s of grace; {sleep_s} s of sleep, {drain_ms} ms of drain and {ROOM_S} s of room do not fit"
        )
    };
    (given_s < needed_s || sleep_s == 0).then(|| Fault::new(Rule::GraceTooShort, place, says()))
}

/// A request that meets a connection which has just been closed fails in front of the visitor.
fn keep_alive_fault(tree: &Tree, place: &str, variables: &[Variable]) -> Option<Fault> {
    tree.of_kind("Gateway").next()?;
    let kept = KEEP_ALIVE.iter().find_map(|name| value(variables, name));
    let kept_ms = kept.and_then(|text| text.parse::<u64>().ok());
    let is_long = kept_ms.is_some_and(|kept| kept > GATEWAY_KEEPS_MS);
    let says = format!("the Gateway keeps idle connections for {GATEWAY_KEEPS_MS} ms");
    (!is_long).then(|| Fault::new(Rule::KeepAliveTooShort, place, says))
}

fn bus_fault(tree: &Tree, place: &str, pods: &Pods<'_>, variables: &[Variable]) -> Option<Fault> {
    let is_named = variables.iter().any(|variable| variable.name == "NATS_URL");
    let needs_it = side_of(pods) == Some(Side::Backend) && is_overlay(tree);
    let scaled = tree.find("HorizontalPodAutoscaler", name_of(pods.workload))?;
    let most = scaled["spec"]["maxReplicas"].as_u64()?;
    let says = || format!("up to {most} replicas and no NATS_URL: they hear each other late");
    (needs_it && !is_named && most > 1).then(|| Fault::new(Rule::ReplicasWithoutBus, place, says()))
}

/// The canary goes where users go: by the scheme that the side speaks, to a name that it answers.
fn canary_fault(tree: &Tree) -> Option<Fault> {
    let canary = tree.pods().find(|pods| name_of(pods.workload) == CANARY)?;
    let told = variables(tree, &canary);
    let server = value(&told, "CANARY_SERVER").unwrap_or_default();
    let (scheme, rest) = server.split_once("://").unwrap_or_default();
    let host = rest.split(':').next().unwrap_or_default();
    let all: Vec<_> = tree
        .pods()
        .flat_map(|pods| variables(tree, &pods))
        .collect();
    let hosts = value(&all, "ALLOWED_HOSTS");
    let is_answered = hosts.is_none_or(|hosts| hosts.split(',').any(|allowed| allowed == host));
    let is_spoken = (scheme == "https") == is_secure(tree) && !scheme.is_empty();
    let says = format!("it goes to {server:?}, which is not how users reach the API");
    let misled = is_overlay(tree) && !(is_answered && is_spoken);
    misled.then(|| Fault::new(Rule::CanaryMisled, tree.place(canary.workload), says))
}

/// Whether a tree is one that is installed, other than one of the combinations of parts.
fn is_overlay(tree: &Tree) -> bool {
    tree.name.contains("overlays")
}

/// What the sides say of each other: the front end's pages call the API under a name that it serves,
/// from an origin that it allows, and its servers may reach the API's pods.
pub(crate) fn faults_between(backend: &Tree, frontend: &Tree) -> Vec<Fault> {
    let told = |tree: &Tree, name: &str| {
        let all: Vec<_> = tree
            .pods()
            .flat_map(|pods| variables(tree, &pods))
            .collect();
        value(&all, name).map(str::to_owned)
    };
    let place = format!("{} and {}", backend.name, frontend.name);
    let mut faults = Vec::new();
    let mut fault = |rule, says: String| faults.push(Fault::new(rule, &place, says));
    let api = told(frontend, "API_BASE_URL").unwrap_or_default();
    let (scheme, rest) = api.split_once("://").unwrap_or_default();
    let host = rest.split(['/', ':']).next().unwrap_or_default();
    if let Some(hosts) = told(backend, "ALLOWED_HOSTS")
        && !hosts.split(',').any(|allowed| allowed == host)
    {
        fault(
            Rule::SidesDisagree,
            format!("API_BASE_URL is {api}, ALLOWED_HOSTS is {hosts}"),
        );
    }
    let secure = is_secure(backend);
    if secure != (scheme == "https") {
        fault(
            Rule::SidesDisagree,
            format!("API_BASE_URL is {api}, https of the back end: {secure}"),
        );
    }
    let origins = told(backend, "ALLOWED_ORIGINS").unwrap_or_default();
    let page = if is_secure(frontend) {
        "https://"
    } else {
        "http://"
    };
    if !origins.split(',').any(|origin| origin.starts_with(page)) {
        fault(
            Rule::SidesDisagree,
            format!("no {page} origin of the front end in {origins}"),
        );
    }
    for peer in foreign_peers(frontend) {
        let is_there = |pods: &Pods<'_>| crate::delivery::tree::selects(peer, pods.labels);
        if !backend.pods().any(|pods| is_there(&pods)) {
            fault(
                Rule::PolicyPeerSelectsNothing,
                format!("{peer} matches no pod of the back end"),
            );
        }
    }
    faults
}

/// Whether browsers reach a side by https: its pods speak TLS, or a Gateway in front of them.
fn is_secure(tree: &Tree) -> bool {
    let speaks_tls = |pods: Pods<'_>| value(&variables(tree, &pods), "TLS_CERT_FILE").is_some();
    tree.of_kind("Gateway").next().is_some() || tree.pods().any(speaks_tls)
}

/// Pods of the other side, whichever namespace it has, that the policies of one side name.
fn foreign_peers(tree: &Tree) -> impl Iterator<Item = &Value> {
    let rules = tree
        .of_kind("NetworkPolicy")
        .flat_map(|policy| list(&policy["spec"]["egress"]));
    let peers = rules.flat_map(|rule| list(&rule["to"]));
    let of_others = peers.filter(|peer| peer["namespaceSelector"] == serde_json::json!({}));
    of_others.filter_map(|peer| peer.get("podSelector"))
}
