//! What pods name: `ConfigMaps`, Secrets, `ServiceAccounts`, volumes; and Jobs as hooks.

use serde_json::Value;

use crate::delivery::fault::{Fault, Rule};
use crate::delivery::known::Known;
use crate::delivery::tree::{Pods, Tree, list, name_of, text};

/// The annotation that makes an object a hook of Argo CD.
const HOOK: &str = "argocd.argoproj.io/hook";
/// How long a hook may take at most, in seconds: that long a mend waits behind one that hangs.
const HOOK_S: u64 = 300;
/// The length of the digest at the end of a generated name.
const DIGEST: usize = 10;

/// Mistakes of names that pods give.
pub(crate) fn faults(tree: &Tree, known: &Known) -> Vec<Fault> {
    let mut faults: Vec<_> = tree
        .pods()
        .flat_map(|pods| pod_faults(tree, known, &pods))
        .collect();
    for secret in tree.of_kind("Secret") {
        let says = "a Secret is made in the cluster, never here";
        faults.push(Fault::new(Rule::SecretInGit, tree.place(secret), says));
    }
    for job in tree.of_kind("Job") {
        faults.extend(job_fault(tree, job));
        faults.extend(deadline_fault(tree, job));
    }
    faults
}

fn pod_faults(tree: &Tree, known: &Known, pods: &Pods<'_>) -> Vec<Fault> {
    let place = tree.place(pods.workload);
    let mut faults = Vec::new();
    for config in configs(pods) {
        faults.extend(config_fault(tree, &place, &config));
    }
    for secret in secrets(pods) {
        if !known.secrets.contains(&secret) {
            let says = format!("docs/operations.md makes no Secret with {secret}");
            faults.push(Fault::new(Rule::SecretUndocumented, &place, says));
        }
    }
    let account = &pods.spec["serviceAccountName"];
    if !account.is_null() && tree.find("ServiceAccount", text(account)).is_none() {
        let says = format!("there is no ServiceAccount {account}");
        faults.push(Fault::new(Rule::ServiceAccountMissing, &place, says));
    }
    faults.extend(volume_faults(&place, pods));
    let needs_sync = !account.is_null() || !configs(pods).is_empty();
    if hook(pods.workload) == "PreSync" && needs_sync {
        let says = "it runs before its ServiceAccount or its ConfigMap is there";
        faults.push(Fault::new(Rule::HookNeedsSync, &place, says));
    }
    faults
}

/// A `ConfigMap` that pods name, and which key of it, if one is meant.
struct Config<'a> {
    name: &'a str,
    key: Option<&'a str>,
}

fn configs<'a>(pods: &Pods<'a>) -> Vec<Config<'a>> {
    let fields = |field| {
        pods.containers()
            .flat_map(move |container| list(&container[field]))
    };
    let whole = fields("envFrom").map(|from| &from["configMapRef"]);
    let keys = fields("env").map(|env| &env["valueFrom"]["configMapKeyRef"]);
    let mounted = list(&pods.spec["volumes"])
        .iter()
        .map(|volume| &volume["configMap"]);
    let named = whole
        .chain(keys)
        .chain(mounted)
        .filter(|named| !named.is_null());
    let config = |named: &'a Value| Config {
        name: text(&named["name"]),
        key: named["key"].as_str(),
    };
    named.map(config).collect()
}

fn config_fault(tree: &Tree, place: &str, config: &Config<'_>) -> Option<Fault> {
    let name = config.name;
    let Some(found) = tree.find("ConfigMap", name) else {
        return Some(Fault::new(
            Rule::ConfigMissing,
            place,
            format!("there is no ConfigMap {name}"),
        ));
    };
    if let Some(key) = config.key.filter(|key| found["data"].get(key).is_none()) {
        let says = format!("the ConfigMap {name} has no {key}");
        return Some(Fault::new(Rule::ConfigMissing, place, says));
    }
    let digest = name.rsplit_once('-').map_or("", |(_, digest)| digest);
    let is_generated = digest.len() == DIGEST && digest.chars().any(|c| c.is_ascii_digit());
    let says =
        || format!("a change of the ConfigMap {name} rolls no pod; let kustomize generate it");
    (!is_generated).then(|| Fault::new(Rule::ConfigNotGenerated, place, says()))
}

/// The Secrets that pods need, as `name/key`.
fn secrets(pods: &Pods<'_>) -> Vec<String> {
    let mut secrets = Vec::new();
    for container in pods.containers() {
        for env in list(&container["env"]) {
            let named = &env["valueFrom"]["secretKeyRef"];
            if !named.is_null() && named["optional"] != true {
                secrets.push(format!("{}/{}", text(&named["name"]), text(&named["key"])));
            }
        }
        for from in list(&container["envFrom"])
            .iter()
            .filter(|from| !from["secretRef"].is_null())
        {
            secrets.push(format!("{}/*", text(&from["secretRef"]["name"])));
        }
    }
    for volume in list(&pods.spec["volumes"])
        .iter()
        .filter(|volume| !volume["secret"].is_null())
    {
        secrets.push(format!("{}/tls.crt", text(&volume["secret"]["secretName"])));
    }
    secrets
}

fn volume_faults(place: &str, pods: &Pods<'_>) -> Vec<Fault> {
    let claimed = list(&pods.workload["spec"]["volumeClaimTemplates"])
        .iter()
        .map(name_of);
    let volumes = list(&pods.spec["volumes"])
        .iter()
        .map(|volume| text(&volume["name"]));
    let there: Vec<_> = claimed.chain(volumes).collect();
    let mounts = pods
        .containers()
        .flat_map(|container| list(&container["volumeMounts"]));
    let lost = mounts
        .map(|mount| text(&mount["name"]))
        .filter(|name| !there.contains(name));
    lost.map(|name| {
        Fault::new(
            Rule::VolumeMissing,
            place,
            format!("there is no volume {name}"),
        )
    })
    .collect()
}

/// A Job's template cannot be changed: only as a hook it is made anew with each image.
fn job_fault(tree: &Tree, job: &Value) -> Option<Fault> {
    let policy = text(&job["metadata"]["annotations"]["argocd.argoproj.io/hook-delete-policy"]);
    let is_remade = !hook(job).is_empty() && policy.contains("BeforeHookCreation");
    let says = "a Job that is no hook cannot take the next image";
    (!is_remade).then(|| Fault::new(Rule::JobIsNoHook, tree.place(job), says))
}

/// Argo CD syncs nothing else while a hook runs.
fn deadline_fault(tree: &Tree, job: &Value) -> Option<Fault> {
    let deadline = job["spec"]["activeDeadlineSeconds"].as_u64();
    let is_short = deadline.is_some_and(|seconds| seconds <= HOOK_S);
    let says = format!("activeDeadlineSeconds is not {HOOK_S} at most");
    (!is_short).then(|| Fault::new(Rule::HookHangs, tree.place(job), says))
}

fn hook(object: &Value) -> &str {
    text(&object["metadata"]["annotations"][HOOK])
}
