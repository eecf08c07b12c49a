//! Workloads, and the objects that scale, spread and protect them.

use serde_json::{Value, json};

use crate::delivery::fault::{Fault, Rule};
use crate::delivery::known::Known;
use crate::delivery::tree::{Pods, Tree, list, name_of, selects, text};

/// The shortest time without need after which an autoscaler may take a pod away.
const QUIET_S: u64 = 300;
/// How the name of a metric looks to GKE's adapter.
const GKE_METRIC: (&str, &str) = ("prometheus.googleapis.com|", "|gauge");

/// What GKE Autopilot takes as it is: steps of the CPU in thousandths, and the least memory in MiB.
const CPU_STEP: u64 = 50;
const LEAST_MIB: u64 = 52;
/// And how many GiB of memory a CPU has, in tenths.
const GIB_PER_CPU: std::ops::RangeInclusive<u64> = 10..=65;

/// Mistakes of workloads and their disruption budgets.
pub(crate) fn faults(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for pods in tree.pods() {
        faults.extend(pod_faults(tree, &pods));
        if pods.are_long_lived() {
            faults.extend(service_faults(tree, &pods));
        }
        if pods.are_ours() {
            faults.extend(server_faults(tree, &pods));
        }
    }
    faults.extend(
        tree.of_kind("PodDisruptionBudget")
            .flat_map(|budget| budget_faults(tree, budget)),
    );
    faults
}

/// What every pod must have.
fn pod_faults(tree: &Tree, pods: &Pods<'_>) -> Vec<Fault> {
    let place = tree.place(pods.workload);
    let mut faults = Vec::new();
    let mut fault = |rule, says: &str| faults.push(Fault::new(rule, &place, says));
    if pods.spec["enableServiceLinks"] != false {
        fault(Rule::ServiceLinksOn, "enableServiceLinks is not false");
    }
    if pods.spec["automountServiceAccountToken"] != false {
        fault(
            Rule::TokenMounted,
            "automountServiceAccountToken is not false",
        );
    }
    let security = &pods.spec["securityContext"];
    let is_numbered = security["runAsUser"].as_u64().is_some_and(|user| user > 0);
    if security["runAsNonRoot"] != true || !is_numbered {
        fault(
            Rule::SecurityContextWeak,
            "the pod's user is not a number above 0 with runAsNonRoot",
        );
    }
    if security["seccompProfile"]["type"] != "RuntimeDefault" {
        fault(
            Rule::SecurityContextWeak,
            "seccompProfile is not RuntimeDefault",
        );
    }
    for container in pods.containers() {
        let name = name_in(container);
        let own = &container["securityContext"];
        let is_closed = own["allowPrivilegeEscalation"] == false
            && own["readOnlyRootFilesystem"] == true
            && own["capabilities"]["drop"] == json!(["ALL"])
            && own["capabilities"].get("add").is_none();
        if !is_closed {
            let says = format!("{name}: escalation, a writable root or capabilities");
            fault(Rule::SecurityContextWeak, &says);
        }
        let resources = &container["resources"];
        let is_given = ["/requests/cpu", "/requests/memory", "/limits/memory"]
            .iter()
            .all(|field| resources.pointer(field).is_some());
        if !is_given || resources.pointer("/limits/cpu").is_some() {
            let says =
                format!("{name}: needs requests of both, a limit of memory, none of the CPU");
            fault(Rule::ResourcesWrong, &says);
        } else if !is_left_as_it_is(&resources["requests"]) {
            let says = format!("{name}: {} is raised by Autopilot", resources["requests"]);
            fault(Rule::RequestsRaised, &says);
        }
    }
    faults
}

/// Whether Autopilot changes nothing in a container's requests.
fn is_left_as_it_is(requests: &Value) -> bool {
    let cpu = text(&requests["cpu"]);
    let cpu = cpu.strip_suffix('m').map_or_else(
        || cpu.parse().ok().map(|cpus: u64| cpus * 1_000),
        |thousandths| thousandths.parse().ok(),
    );
    let memory = text(&requests["memory"]);
    let gib = memory.strip_suffix("Gi").and_then(|gib| gib.parse().ok());
    let mib = memory.strip_suffix("Mi").and_then(|mib| mib.parse().ok());
    let (Some(cpu), Some(mib)) = (cpu, mib.or(gib.map(|gib: u64| gib * 1_024))) else {
        return false;
    };
    // In tenths of a GiB for each CPU, without a fraction lost: mib / 1024 / (cpu / 1000) * 10.
    let (memory, cpus) = (mib * 10 * 1_000, cpu * 1_024);
    let has_step = cpu > 0 && cpu % CPU_STEP == 0 && mib >= LEAST_MIB;
    has_step && memory >= GIB_PER_CPU.start() * cpus && memory <= GIB_PER_CPU.end() * cpus
}

/// What pods that stay must have.
fn service_faults(tree: &Tree, pods: &Pods<'_>) -> Vec<Fault> {
    let place = tree.place(pods.workload);
    let mut faults = Vec::new();
    let mut fault = |rule, says: String| faults.push(Fault::new(rule, &place, says));
    if !selects(&pods.workload["spec"]["selector"], pods.labels) {
        fault(
            Rule::SelectorMatchesNotItsPods,
            "the selector and the pods' labels differ".to_owned(),
        );
    }
    for container in pods.containers() {
        let name = name_in(container);
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let probed = &container[probe];
            let port = &probed["httpGet"]["port"];
            if probed.is_null() {
                fault(Rule::ProbeMissing, format!("{name} has no {probe}"));
            } else if !port.is_null() && !pods.have_port(port) {
                fault(
                    Rule::ProbePortUnknown,
                    format!("{name}: {probe} asks the port {port}"),
                );
            }
        }
    }
    faults
}

/// What the two servers must have.
fn server_faults(tree: &Tree, pods: &Pods<'_>) -> Vec<Fault> {
    let place = tree.place(pods.workload);
    let spec = &pods.workload["spec"];
    let mut faults = Vec::new();
    let mut fault = |rule, says: &str| faults.push(Fault::new(rule, &place, says));
    if spec["strategy"]["rollingUpdate"]["maxUnavailable"] != 0 {
        fault(
            Rule::RolloutDropsPods,
            "a rollout may take a pod away before its successor is ready",
        );
    }
    for container in pods.containers() {
        let path = |probe: &str| container[probe]["httpGet"]["path"].clone();
        if path("livenessProbe") == path("readinessProbe") {
            fault(
                Rule::LivenessAsksReadiness,
                "liveness asks what readiness asks",
            );
        }
    }
    let spreads = list(&pods.spec["topologySpreadConstraints"]);
    let is_own = |spread: &Value| selects(&spread["labelSelector"], pods.labels);
    let is_over_zones = |spread: &Value| spread["topologyKey"] == "topology.kubernetes.io/zone";
    if !spreads.iter().any(is_over_zones) || !spreads.iter().all(is_own) {
        fault(
            Rule::SpreadMissing,
            "the pods are not spread over zones by their own labels",
        );
    }
    let name = name_of(pods.workload);
    let is_scaled = tree
        .of_kind("HorizontalPodAutoscaler")
        .any(|scaler| scaler["spec"]["scaleTargetRef"]["name"] == name);
    let is_budgeted = tree
        .of_kind("PodDisruptionBudget")
        .any(|budget| selects(&budget["spec"]["selector"], pods.labels));
    if !is_scaled || !is_budgeted {
        fault(
            Rule::ServerUnguarded,
            "no autoscaler or no disruption budget is about it",
        );
    }
    faults
}

fn budget_faults(tree: &Tree, budget: &Value) -> Vec<Fault> {
    let place = tree.place(budget);
    let spec = &budget["spec"];
    let mut faults = Vec::new();
    if tree.selected(&spec["selector"]).is_empty() {
        faults.push(Fault::new(
            Rule::BudgetSelectsNothing,
            &place,
            "its selector matches no pod",
        ));
    }
    if spec["maxUnavailable"] != 1 {
        let says = "maxUnavailable is not 1, so that draining a node may wait for ever";
        faults.push(Fault::new(Rule::BudgetBlocksDrains, &place, says));
    }
    faults
}

/// Mistakes of autoscalers.
pub(crate) fn autoscaler_faults(tree: &Tree, known: &Known) -> Vec<Fault> {
    let scalers = tree.of_kind("HorizontalPodAutoscaler");
    scalers
        .flat_map(|scaler| scaler_faults(tree, known, scaler))
        .collect()
}

fn scaler_faults(tree: &Tree, known: &Known, scaler: &Value) -> Vec<Fault> {
    let place = tree.place(scaler);
    let spec = &scaler["spec"];
    let mut faults = Vec::new();
    let mut fault = |rule, says: String| faults.push(Fault::new(rule, &place, says));
    let (kind, name) = (
        text(&spec["scaleTargetRef"]["kind"]),
        text(&spec["scaleTargetRef"]["name"]),
    );
    match tree.find(kind, name) {
        None => fault(
            Rule::AutoscalerTargetMissing,
            format!("there is no {kind} {name}"),
        ),
        Some(target) if target["spec"].get("replicas").is_some() => {
            fault(
                Rule::ReplicasBesideAutoscaler,
                format!("{kind} {name} has `replicas` as well"),
            );
        }
        Some(_) => {}
    }
    let quiet = spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"].as_u64();
    if quiet.is_none_or(|quiet| quiet < QUIET_S) {
        fault(
            Rule::AutoscalerShrinksFast,
            format!("it does not wait {QUIET_S} s before it shrinks"),
        );
    }
    for metric in list(&spec["metrics"]) {
        let asked = text(&metric["pods"]["metric"]["name"]);
        let (before, after) = GKE_METRIC;
        let bare = asked
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after));
        let exported = bare.unwrap_or(asked);
        if metric["type"] == "Pods" && !known.metrics.contains_key(exported) {
            fault(
                Rule::AutoscalerMetricUnknown,
                format!("the server does not export {exported}"),
            );
        }
    }
    faults
}

fn name_in(container: &Value) -> &str {
    text(&container["name"])
}
