//! Deliberately broken copies: each kind of mistake, made in what is delivered today, is caught by name.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::fault::{Fault, Rule};
use super::known::Known;
use super::promtool;
use super::render::Manifests;
use super::rules::{self, release, settings, watching, workflow};
use super::tree::Tree;
use super::watch::Watched;
use crate::paths;

const PROD: &str = "k8s/backend/overlays/prod";
const PAGE: &str = "k8s/frontend/overlays/prod";
const DEV: &str = "k8s/backend/overlays/dev";

/// A copy of the manifests that may be changed.
struct Copy {
    manifests: Manifests,
    folder: TempDir,
}

impl Copy {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let manifests = Manifests::copy(paths::root(), &folder.path().join("copy")).unwrap();
        Self { manifests, folder }
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.folder.path().join("copy").join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    /// All mistakes of one overlay.
    fn faults(&self, overlay: &str) -> Vec<Fault> {
        let tree = self.manifests.render(overlay).unwrap();
        let kustomizations = self.manifests.kustomizations(overlay).unwrap();
        let mut faults = rules::faults_of(&tree, &Known::read().unwrap());
        faults.extend(release::image_faults(&tree, &kustomizations));
        faults.extend(super::generator_faults(&kustomizations));
        faults
    }
}

fn overlay(name: &str) -> Tree {
    Copy::make().manifests.render(name).unwrap()
}

fn object<'a>(tree: &'a mut Tree, kind: &str, name: &str) -> &'a mut Value {
    let mut objects = tree.objects.iter_mut();
    let found = objects.find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("there is no {kind} {name}"))
}

fn spec<'a>(tree: &'a mut Tree, kind: &str, name: &str) -> &'a mut Value {
    &mut object(tree, kind, name)["spec"]
}

/// The pods' `spec` of the back end.
fn pod(tree: &mut Tree) -> &mut Value {
    &mut spec(tree, "Deployment", "chat-backend")["template"]["spec"]
}

fn container(tree: &mut Tree) -> &mut Value {
    &mut pod(tree)["containers"][0]
}

/// The data of the back end's `ConfigMap`.
fn config(tree: &mut Tree) -> &mut Value {
    let is_it = |object: &&mut Value| {
        let name = object["metadata"]["name"].as_str().unwrap();
        object["kind"] == "ConfigMap" && name.starts_with("chat-backend")
    };
    &mut tree.objects.iter_mut().find(is_it).unwrap()["data"]
}

fn remove(value: &mut Value, key: &str) {
    value
        .as_object_mut()
        .unwrap()
        .remove(key)
        .unwrap_or_else(|| panic!("there is no {key}"));
}

fn drop_objects(tree: &mut Tree, kind: &str, name: &str) {
    let before = tree.objects.len();
    tree.objects
        .retain(|object| object["kind"] != kind || object["metadata"]["name"] != name);
    assert!(tree.objects.len() < before, "there is no {kind} {name}");
}

fn canary_server(tree: &mut Tree) -> &mut Value {
    let pod = &mut spec(tree, "Deployment", "chat-canary")["template"]["spec"];
    &mut pod["containers"][0]["env"][0]["value"]
}

/// The alert of a name.
fn alert<'a>(tree: &'a mut Tree, name: &str) -> &'a mut Value {
    let is_rules = |object: &&mut Value| object["kind"] == "Rules";
    let objects = tree.objects.iter_mut().filter(is_rules);
    let groups = objects.flat_map(|object| object["spec"]["groups"].as_array_mut().unwrap());
    let mut rules = groups.flat_map(|group| group["rules"].as_array_mut().unwrap());
    rules.find(|rule| rule["alert"] == name).unwrap()
}

fn dashboard_text(tree: &mut Tree) -> &mut Value {
    &mut object(tree, "ConfigMap", "chat-dashboard")["data"]["sarangbang.json"]
}

fn change_dashboard(tree: &mut Tree, make: impl FnOnce(&mut Value)) {
    let text = dashboard_text(tree);
    let mut dashboard = serde_json::from_str(text.as_str().unwrap()).unwrap();
    make(&mut dashboard);
    *text = json!(dashboard.to_string());
}

/// Changes the second panel, which is the first with queries.
fn change_panel(tree: &mut Tree, make: impl FnOnce(&mut Value)) {
    change_dashboard(tree, |dashboard| make(&mut dashboard["panels"][1]));
}

/// A test for each mistake within one rendered overlay.
macro_rules! caught {
    ($($name:ident: $overlay:expr, $rule:ident, $break:expr;)*) => {$(
        #[test]
        fn $name() {
            let known = Known::read().unwrap();
            let mut tree = overlay($overlay);
            assert_eq!(rules::faults_of(&tree, &known), [], "before");
            let make: fn(&mut Tree) = $break;
            make(&mut tree);
            let faults = rules::faults_of(&tree, &known);
            assert!(faults.iter().any(|fault| fault.rule == Rule::$rule), "{faults:?}");
        }
    )*};
}

caught! {
    a_service_that_selects_nothing: PROD, ServiceSelectsNothing, |tree| {
        spec(tree, "Service", "chat-backend")["selector"]["app.kubernetes.io/name"] = json!("chat-bakend");
    };
    a_service_that_selects_only_a_job: PROD, ServiceSelectsNothing, |tree| {
        spec(tree, "Service", "chat-backend")["selector"]["app.kubernetes.io/component"] = json!("migrate");
    };
    a_service_of_a_port_name_that_does_not_exist: PROD, ServicePortUnknown, |tree| {
        spec(tree, "Service", "chat-backend")["ports"][0]["targetPort"] = json!("htpp");
    };
    a_service_of_a_port_number_that_does_not_exist: PROD, ServicePortUnknown, |tree| {
        spec(tree, "Service", "chat-nats")["ports"][0]["targetPort"] = json!(4223);
    };
    metrics_on_the_public_service: PROD, AdminPortOnService, |tree| {
        let ports = spec(tree, "Service", "chat-backend")["ports"].as_array_mut().unwrap();
        ports.push(json!({ "name": "metrics", "port": 9090, "targetPort": 8081 }));
    };
    a_load_balancer_that_hides_addresses: PROD, VisitorsAddressLost, |tree| {
        spec(tree, "Service", "chat-backend")["externalTrafficPolicy"] = json!("Cluster");
    };
    a_deployment_that_does_not_match_its_pods: PROD, SelectorMatchesNotItsPods, |tree| {
        let labels = &mut spec(tree, "Deployment", "chat-backend")["template"]["metadata"]["labels"];
        labels["app.kubernetes.io/component"] = json!("servers");
    };
    replicas_beside_the_autoscaler: PROD, ReplicasBesideAutoscaler, |tree| {
        spec(tree, "Deployment", "chat-backend")["replicas"] = json!(3);
    };
    an_autoscaler_of_a_missing_deployment: PROD, AutoscalerTargetMissing, |tree| {
        spec(tree, "HorizontalPodAutoscaler", "chat-backend")["scaleTargetRef"]["name"] = json!("chat");
    };
    an_autoscaler_by_a_metric_that_nobody_exports: PROD, AutoscalerMetricUnknown, |tree| {
        let metric = &mut spec(tree, "HorizontalPodAutoscaler", "chat-backend")["metrics"][1];
        metric["pods"]["metric"]["name"] = json!("chat_sockets");
    };
    an_autoscaler_that_shrinks_at_once: PROD, AutoscalerShrinksFast, |tree| {
        let behavior = &mut spec(tree, "HorizontalPodAutoscaler", "chat-backend")["behavior"];
        behavior["scaleDown"]["stabilizationWindowSeconds"] = json!(0);
    };
    a_server_without_disruption_budget: PAGE, ServerUnguarded, |tree| {
        drop_objects(tree, "PodDisruptionBudget", "chat-frontend");
    };
    a_server_without_autoscaler: PAGE, ServerUnguarded, |tree| {
        drop_objects(tree, "HorizontalPodAutoscaler", "chat-frontend");
    };
    a_disruption_budget_that_selects_nothing: PROD, BudgetSelectsNothing, |tree| {
        spec(tree, "PodDisruptionBudget", "chat-nats")["selector"]["matchLabels"] = json!({ "app": "nats" });
    };
    a_disruption_budget_that_blocks_drains: PROD, BudgetBlocksDrains, |tree| {
        let budget = spec(tree, "PodDisruptionBudget", "chat-backend");
        remove(budget, "maxUnavailable");
        budget["minAvailable"] = json!(2);
    };
    spreading_by_other_labels: PROD, SpreadMissing, |tree| {
        let spread = &mut pod(tree)["topologySpreadConstraints"][0];
        spread["labelSelector"]["matchLabels"]["app.kubernetes.io/name"] = json!("chat");
    };
    no_spreading: PROD, SpreadMissing, |tree| remove(pod(tree), "topologySpreadConstraints");
    a_rollout_that_drops_pods: PROD, RolloutDropsPods, |tree| {
        let strategy = &mut spec(tree, "Deployment", "chat-backend")["strategy"];
        strategy["rollingUpdate"]["maxUnavailable"] = json!(1);
    };
    a_grace_period_shorter_than_the_drain: PROD, GraceTooShort, |tree| {
        pod(tree)["terminationGracePeriodSeconds"] = json!(45);
    };
    a_drain_longer_than_the_grace_period: PROD, GraceTooShort, |tree| {
        config(tree)["CHAT_DRAIN_MS"] = json!("31000");
    };
    a_grace_period_that_is_the_clusters_own: PROD, GraceTooShort, |tree| {
        remove(pod(tree), "terminationGracePeriodSeconds");
    };
    no_sleep_before_the_drain: PROD, GraceTooShort, |tree| remove(container(tree), "lifecycle");
    a_drain_that_is_not_set: PROD, DrainNotSet, |tree| remove(config(tree), "CHAT_GRACE_MS");
    a_missing_probe: PROD, ProbeMissing, |tree| remove(container(tree), "startupProbe");
    a_probe_of_a_port_that_does_not_exist: PROD, ProbePortUnknown, |tree| {
        container(tree)["livenessProbe"]["httpGet"]["port"] = json!("health");
    };
    liveness_that_asks_the_database: PROD, LivenessAsksReadiness, |tree| {
        container(tree)["livenessProbe"]["httpGet"]["path"] = json!("/readyz");
    };
    no_requests: PROD, ResourcesWrong, |tree| remove(container(tree), "resources");
    a_limit_of_the_cpu: PROD, ResourcesWrong, |tree| {
        container(tree)["resources"]["limits"]["cpu"] = json!("1");
    };
    a_writable_root: PROD, SecurityContextWeak, |tree| {
        container(tree)["securityContext"]["readOnlyRootFilesystem"] = json!(false);
    };
    a_misspelt_security_context: PROD, SecurityContextWeak, |tree| {
        let context = &mut container(tree)["securityContext"];
        remove(context, "readOnlyRootFilesystem");
        context["readOnlyRootFileSystem"] = json!(true);
    };
    root_as_user: PROD, SecurityContextWeak, |tree| pod(tree)["securityContext"]["runAsUser"] = json!(0);
    requests_that_autopilot_raises_to_its_steps: PROD, RequestsRaised, |tree| {
        container(tree)["resources"]["requests"]["cpu"] = json!("510m");
    };
    requests_with_less_memory_than_autopilot_gives_a_cpu: PROD, RequestsRaised, |tree| {
        container(tree)["resources"]["requests"]["memory"] = json!("511Mi");
    };
    requests_with_more_memory_than_autopilot_gives_a_cpu: PROD, RequestsRaised, |tree| {
        container(tree)["resources"]["requests"]["memory"] = json!("3329Mi");
    };
    service_links: PROD, ServiceLinksOn, |tree| remove(pod(tree), "enableServiceLinks");
    a_token_for_the_cluster: PROD, TokenMounted, |tree| remove(pod(tree), "automountServiceAccountToken");
    a_service_account_that_is_not_there: PROD, ServiceAccountMissing, |tree| {
        pod(tree)["serviceAccountName"] = json!("chat");
    };
    a_mount_without_volume: PROD, VolumeMissing, |tree| pod(tree)["volumes"] = json!([]);
    a_config_map_that_is_not_there: PROD, ConfigMissing, |tree| {
        container(tree)["envFrom"][0]["configMapRef"]["name"] = json!("chat-config");
    };
    a_key_that_the_config_map_does_not_have: PROD, ConfigMissing, |tree| {
        let name = container(tree)["envFrom"][0]["configMapRef"]["name"].clone();
        let reference = json!({ "name": name, "key": "ORIGINS" });
        let env = container(tree)["env"].as_array_mut().unwrap();
        env.push(json!({ "name": "ALLOWED_HOSTS", "valueFrom": { "configMapKeyRef": reference } }));
    };
    a_config_map_whose_change_rolls_nothing: PROD, ConfigNotGenerated, |tree| {
        let generated = container(tree)["envFrom"][0]["configMapRef"]["name"].clone();
        let generated = generated.as_str().unwrap();
        object(tree, "ConfigMap", generated)["metadata"]["name"] = json!("chat-settings");
        container(tree)["envFrom"][0]["configMapRef"]["name"] = json!("chat-settings");
    };
    a_key_of_a_secret_that_nobody_makes: PROD, SecretUndocumented, |tree| {
        container(tree)["env"][1]["valueFrom"]["secretKeyRef"]["key"] = json!("JWT_SECRET");
    };
    a_certificate_that_nobody_makes: PROD, SecretUndocumented, |tree| {
        pod(tree)["volumes"][0]["secret"]["secretName"] = json!("chat-tls");
    };
    a_secret_in_the_repository: PROD, SecretInGit, |tree| {
        tree.objects.push(json!({ "kind": "Secret", "metadata": { "name": "a" }, "stringData": {} }));
    };
    a_secrets_value_in_the_config_map: PROD, SecretInGit, |tree| {
        config(tree)["DATABASE_URL"] = json!("postgres://chat:chat@db/chat");
    };
    a_misspelt_variable: PROD, VariableUnknown, |tree| config(tree)["ALOWED_ORIGINS"] = json!("https://a");
    a_variable_of_the_other_side: PROD, VariableUnknown, |tree| {
        config(tree)["CHAT_FRONTEND_GRACE_MS"] = json!("1");
    };
    a_certificate_that_is_not_mounted: PROD, TlsFileNotMounted, |tree| {
        config(tree)["TLS_CERT_FILE"] = json!("/etc/tls/tls.crt");
    };
    replicas_that_do_not_hear_each_other: PROD, ReplicasWithoutBus, |tree| {
        let env = container(tree)["env"].as_array_mut().unwrap();
        env.retain(|variable| variable["name"] != "NATS_URL");
    };
    a_namespace_that_denies_nothing: PROD, NoDefaultDeny, |tree| {
        drop_objects(tree, "NetworkPolicy", "default-deny");
    };
    a_default_deny_that_lets_everything_out: PROD, NoDefaultDeny, |tree| {
        spec(tree, "NetworkPolicy", "default-deny")["egress"] = json!([{}]);
    };
    a_policy_that_selects_nothing: PROD, PolicySelectsNothing, |tree| {
        spec(tree, "NetworkPolicy", "chat-backend-database")["podSelector"]["matchLabels"] = json!({ "app": "chat" });
    };
    a_policy_whose_peer_is_nobody: DEV, PolicyPeerSelectsNothing, |tree| {
        let from = &mut spec(tree, "NetworkPolicy", "chat-postgres")["ingress"][0]["from"][0];
        from["podSelector"]["matchLabels"] = json!({ "app": "chat" });
    };
    a_policy_about_a_port_that_does_not_exist: PROD, PolicyPortUnknown, |tree| {
        spec(tree, "NetworkPolicy", "chat-backend-public")["ingress"][0]["ports"][0]["port"] = json!("web");
    };
    a_way_out_to_a_port_that_does_not_exist: PROD, PolicyPortUnknown, |tree| {
        spec(tree, "NetworkPolicy", "chat-backend-bus")["egress"][0]["ports"][0]["port"] = json!("nats");
    };
    names_that_cannot_be_asked_for_on_the_node: PROD, DnsIncomplete, |tree| {
        let to = &mut spec(tree, "NetworkPolicy", "dns")["egress"][0]["to"];
        to.as_array_mut().unwrap().remove(1);
    };
    names_that_cannot_be_asked_for_at_cloud_dns: PAGE, DnsIncomplete, |tree| {
        spec(tree, "NetworkPolicy", "dns")["egress"][0]["to"].as_array_mut().unwrap().pop();
    };
    a_way_out_to_the_whole_internet: PAGE, PolicyTooWide, |tree| {
        let policy = spec(tree, "NetworkPolicy", "chat-frontend-public-api");
        policy["egress"][0]["to"][0]["ipBlock"]["cidr"] = json!("0.0.0.0/0");
    };
    a_way_out_to_every_private_address: PROD, PolicyTooWide, |tree| {
        let policy = spec(tree, "NetworkPolicy", "chat-backend-database");
        policy["egress"][0]["to"][0]["ipBlock"]["cidr"] = json!("10.0.0.0/23");
    };
    an_admin_port_for_everybody: PROD, AdminPortOpen, |tree| {
        remove(&mut spec(tree, "NetworkPolicy", "chat-backend-metrics")["ingress"][0], "from");
    };
    every_port_for_everybody: PROD, AdminPortOpen, |tree| {
        spec(tree, "NetworkPolicy", "chat-backend-public")["ingress"] = json!([{}]);
    };
    a_scraper_of_nothing: PROD, MonitorScrapesNothing, |tree| {
        spec(tree, "PodMonitoring", "chat-backend")["endpoints"][0]["port"] = json!("metrics");
    };
    a_canary_to_a_name_that_is_not_answered: PROD, CanaryMisled, |tree| {
        *canary_server(tree) = json!("https://chat-backend");
    };
    a_canary_that_does_not_speak_tls: PROD, CanaryMisled, |tree| {
        *canary_server(tree) = json!("http://api.chat.example.com");
    };
    an_alert_that_nobody_is_told_of: PROD, AlertIncomplete, |tree| remove(alert(tree, "ChatBusDown"), "labels");
    an_alert_of_a_severity_that_goes_nowhere: PROD, AlertIncomplete, |tree| {
        alert(tree, "ChatBusDown")["labels"]["severity"] = json!("critical");
    };
    an_alert_without_a_summary: PAGE, AlertIncomplete, |tree| {
        remove(&mut alert(tree, "ChatPagesFail")["annotations"], "summary");
    };
    an_alert_without_a_runbook: PROD, AlertWithoutRunbook, |tree| {
        remove(&mut alert(tree, "ChatBusDown")["annotations"], "runbook_url");
    };
    an_alert_whose_runbook_does_not_exist: PROD, AlertWithoutRunbook, |tree| {
        let url = "https://github.com/example/sarangbang/blob/main/docs/runbooks/bus.md";
        alert(tree, "ChatBusDown")["annotations"]["runbook_url"] = json!(url);
    };
    an_alert_by_a_metric_that_nobody_exports: PROD, MetricUnknown, |tree| {
        alert(tree, "ChatBusDown")["expr"] = json!("min by (namespace) (chat_bus_status) == 0");
    };
    an_alert_by_a_label_that_the_metric_does_not_have: PROD, MetricUnknown, |tree| {
        let query = r#"sum(rate(chat_sockets_closed_total{code="slow_reader"}[5m])) > 1"#;
        alert(tree, "ChatSlowReaders")["expr"] = json!(query);
    };
    a_dashboard_that_is_no_json: PROD, DashboardWrong, |tree| *dashboard_text(tree) = json!("{");
    a_panel_by_a_metric_that_nobody_exports: PROD, MetricUnknown, |tree| change_panel(tree, |panel| {
        panel["targets"][0]["expr"] = json!("sum(chat_sockets)");
    });
    two_panels_of_one_id: PROD, DashboardWrong, |tree| change_panel(tree, |panel| panel["id"] = json!(1));
    a_panel_beyond_the_edge: PROD, DashboardWrong, |tree| {
        change_panel(tree, |panel| panel["gridPos"]["x"] = json!(20));
    };
    a_panel_upon_another: PROD, DashboardWrong, |tree| {
        change_panel(tree, |panel| panel["gridPos"]["y"] = json!(0));
    };
    a_panel_of_a_source_of_its_own: PROD, DashboardWrong, |tree| {
        change_panel(tree, |panel| panel["targets"][0]["datasource"]["uid"] = json!("prometheus"));
    };
    a_dashboard_whose_source_nobody_chooses: PROD, DashboardWrong, |tree| {
        change_dashboard(tree, |dashboard| dashboard["templating"]["list"] = json!([]));
    };
    a_job_that_cannot_take_the_next_image: PROD, JobIsNoHook, |tree| {
        remove(&mut object(tree, "Job", "chat-backend-migrate")["metadata"], "annotations");
    };
    a_hook_that_may_hang: PROD, HookHangs, |tree| {
        remove(spec(tree, "Job", "chat-backend-migrate"), "activeDeadlineSeconds");
    };
    a_hook_that_needs_what_the_sync_makes: PROD, HookNeedsSync, |tree| {
        let job = spec(tree, "Job", "chat-backend-migrate");
        job["template"]["spec"]["serviceAccountName"] = json!("chat-backend");
    };
}

/// The back end behind the Gateway.
fn behind_gateway() -> Tree {
    let copy = Copy::make();
    copy.edit(
        &format!("{PROD}/kustomization.yaml"),
        "  - release",
        "  - ../../components/gateway\n  - ../../components/gateway-only\n  - release",
    );
    copy.manifests.render(PROD).unwrap()
}

fn rules_of(tree: &Tree) -> Vec<Rule> {
    let faults = rules::faults_of(tree, &Known::read().unwrap());
    faults.into_iter().map(|fault| fault.rule).collect()
}

#[test]
fn a_gateway_that_cuts_sockets_after_the_default_of_thirty_seconds() {
    let mut tree = behind_gateway();
    assert_eq!(rules_of(&tree), []);
    remove(
        &mut spec(&mut tree, "GCPBackendPolicy", "chat-backend")["default"],
        "timeoutSec",
    );
    assert_eq!(rules_of(&tree), [Rule::GatewayCutsSockets]);
}

#[test]
fn a_server_that_ends_connections_before_the_gateway_does() {
    let mut tree = behind_gateway();
    config(&mut tree)["CHAT_HEADERS_MS"] = json!("600000");
    assert_eq!(rules_of(&tree), [Rule::KeepAliveTooShort]);
    remove(config(&mut tree), "CHAT_HEADERS_MS");
    assert_eq!(rules_of(&tree), [Rule::KeepAliveTooShort]);
}

#[test]
fn a_route_to_a_port_that_the_service_does_not_have() {
    let mut tree = behind_gateway();
    spec(&mut tree, "HTTPRoute", "chat-backend")["rules"][0]["backendRefs"][0]["port"] =
        json!(8080);
    assert_eq!(rules_of(&tree), [Rule::RouteLeadsNowhere]);
}

#[test]
fn a_policy_of_a_service_that_is_not_there() {
    let mut tree = behind_gateway();
    spec(&mut tree, "HealthCheckPolicy", "chat-backend")["targetRef"]["name"] = json!("chat");
    assert_eq!(rules_of(&tree), [Rule::RouteLeadsNowhere]);
}

/// Makes a mistake in a file and says which rules the overlay breaks then.
fn edited(overlay: &str, file: &str, from: &str, to: &str) -> BTreeSet<Rule> {
    let copy = Copy::make();
    assert_eq!(copy.faults(overlay), [], "before");
    copy.edit(file, from, to);
    copy.faults(overlay)
        .into_iter()
        .map(|fault| fault.rule)
        .collect()
}

#[test]
fn an_images_entry_that_replaces_nothing() {
    let file = format!("{PROD}/release/kustomization.yaml");
    let found = edited(PROD, &file, "name: chat-backend\n", "name: chat-bakend\n");
    assert!(found.contains(&Rule::ImageReplacesNothing), "{found:?}");
    assert!(found.contains(&Rule::ImageNotPinned), "{found:?}");
}

#[test]
fn a_tag_in_production_that_is_no_full_commit() {
    let file = format!("{PROD}/release/kustomization.yaml");
    let text = fs::read_to_string(paths::root().join(&file)).unwrap();
    let (_, tag) = text.split_once("newTag: \"").unwrap();
    let (tag, _) = tag.split_once('"').unwrap();
    for wrong in ["latest", "v1.2.3", "0000000", "main"] {
        let found = edited(PROD, &file, tag, wrong);
        assert!(found.contains(&Rule::ImageNotPinned), "{wrong}: {found:?}");
    }
}

#[test]
fn an_image_without_a_version() {
    let file = "k8s/backend/components/nats/stateful-set.yaml";
    for tag in ["", ":latest", ":2.11", ":2.11-alpine", ":2.11.x"] {
        let image = &format!("docker.io/library/nats{tag}");
        let found = edited(PROD, file, "docker.io/library/nats:2.11.16", image);
        assert!(found.contains(&Rule::ImageNotPinned), "{image}: {found:?}");
    }
}

#[test]
fn a_generator_of_secrets() {
    let file = format!("{PROD}/kustomization.yaml");
    let with = "secretGenerator:\n  - name: a\n    literals:\n      - A=b\nconfigMapGenerator:";
    let found = edited(PROD, &file, "configMapGenerator:", with);
    assert!(found.contains(&Rule::SecretInGit), "{found:?}");
}

#[test]
fn a_component_that_opens_what_another_relies_on() {
    let file = "k8s/backend/components/tls/service.yaml";
    let found = edited(PROD, file, "targetPort: http", "targetPort: https");
    assert!(found.contains(&Rule::ServicePortUnknown), "{found:?}");
}

fn between(backend: &Tree, frontend: &Tree) -> Vec<Rule> {
    let faults = settings::faults_between(backend, frontend);
    faults.into_iter().map(|fault| fault.rule).collect()
}

#[test]
fn sides_that_name_each_other_wrongly() {
    let (backend, frontend) = (overlay(PROD), overlay(PAGE));
    assert_eq!(between(&backend, &frontend), []);
    for (variable, wrong) in [
        ("ALLOWED_HOSTS", "chat.example.com"),
        ("ALLOWED_ORIGINS", "http://chat.example.com"),
    ] {
        let mut backend = backend.clone();
        config(&mut backend)[variable] = json!(wrong);
        assert_eq!(
            between(&backend, &frontend),
            [Rule::SidesDisagree],
            "{variable}"
        );
    }
    let mut plain = backend.clone();
    remove(config(&mut plain), "TLS_CERT_FILE");
    assert_eq!(between(&plain, &frontend), [Rule::SidesDisagree]);
}

#[test]
fn a_gateway_makes_a_side_as_secure_as_its_own_certificate() {
    assert_eq!(between(&behind_gateway(), &overlay(PAGE)), []);
}

#[test]
fn a_front_end_that_may_not_reach_the_api() {
    let (backend, mut frontend) = (overlay(PROD), overlay(PAGE));
    let peer = &mut spec(&mut frontend, "NetworkPolicy", "chat-frontend-api")["egress"][0]["to"][0];
    peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] = json!("api");
    assert_eq!(
        between(&backend, &frontend),
        [Rule::PolicyPeerSelectsNothing]
    );
}

/// The back end's alerts and tests, with a mistake in them.
fn watched(make: impl FnOnce(&mut Watched)) -> Watched {
    let mut watched = Watched::read(paths::root(), "backend").unwrap();
    assert_eq!(watched.faults(), []);
    make(&mut watched);
    watched
}

#[test]
fn an_alert_without_a_test_in_which_it_fires_or_without_one_in_which_it_does_not() {
    for fires in [true, false] {
        let untested = watched(|it| {
            let tests = it.tests["tests"].as_array_mut().unwrap();
            let is_other = |test: &Value| {
                let test = &test["alert_rule_test"][0];
                let is_firing = !test["exp_alerts"].as_array().unwrap().is_empty();
                test["alertname"] != "ChatBusDown" || is_firing != fires
            };
            tests.retain(is_other);
        });
        let faults = untested.faults();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!(faults[0].rule, Rule::AlertUntested);
    }
}

#[test]
fn tests_of_an_alert_that_is_gone() {
    let faults = watched(|it| {
        it.tests["tests"][0]["alert_rule_test"][0]["alertname"] = json!("ChatGone");
    })
    .faults();
    let rules: BTreeSet<_> = faults.iter().map(|fault| fault.rule).collect();
    assert_eq!(rules, BTreeSet::from([Rule::AlertUntested]));
}

#[test]
fn what_promtool_finds() {
    let folder = tempfile::tempdir().unwrap();
    let check = |make: fn(&mut Watched)| watched(make).check(folder.path());
    check(|_| {}).unwrap();
    let no_query = check(|it| it.groups[1]["rules"][0]["expr"] = json!("absent(chat_connections"));
    assert!(no_query.is_err());
    let quiet =
        check(|it| it.groups[1]["rules"][0]["expr"] = json!("absent(chat_users_online) == 2"));
    assert!(quiet.is_err(), "the test in which it fires fails");
    let queries = ["sum(rate(a[5m]))", "sum(rate(a))"];
    let check =
        |count: usize| promtool::check_queries(queries[..count].iter().copied(), folder.path());
    check(1).unwrap();
    assert!(check(2).is_err(), "a range is missing");
    let file = folder.path().join("exported.prom");
    for (exported, is_good) in [
        (
            "# HELP a_seconds Of a.\n# TYPE a_seconds gauge\na_seconds 0\n",
            true,
        ),
        ("# TYPE a_seconds gauge\na_seconds 0\n", false),
        ("# HELP a_ms Of a.\n# TYPE a_ms gauge\na_ms 0\n", false),
        (
            "# HELP a_count_of Of a.\n# TYPE a_count_of counter\na_count_of 0\n",
            false,
        ),
    ] {
        fs::write(&file, exported).unwrap();
        assert_eq!(
            promtool::check_metrics(&file).is_ok(),
            is_good,
            "{exported}"
        );
    }
}

#[test]
fn alerts_that_are_others_for_the_operator_than_for_gke() {
    let copy = Copy::make();
    let gke = copy.manifests.render(PROD).unwrap();
    let file = format!("{PROD}/kustomization.yaml");
    copy.edit(
        &file,
        "components/monitoring-gke",
        "components/monitoring-operator",
    );
    let mut operator = copy.manifests.render(PROD).unwrap();
    let faults = |operator: &Tree| watching::difference_faults([&gke, operator].into_iter());
    assert_eq!(faults(&operator), []);
    let groups = &mut spec(&mut operator, "PrometheusRule", "chat-backend")["groups"];
    groups[0]["rules"].as_array_mut().unwrap().pop();
    assert_eq!(faults(&operator)[0].rule, Rule::RulesDiffer);
}

/// Makes a mistake in Argo CD's objects and says what is found.
fn misled(make: fn(&mut Tree)) -> BTreeSet<Rule> {
    let mut argocd = overlay("k8s/argocd");
    let overlays = [overlay(PROD), overlay(PAGE)];
    let found = |argocd: &Tree| {
        let mut faults = release::application_faults(argocd, &overlays);
        faults.extend(release::kind_faults(argocd, &overlays.each_ref()));
        faults
    };
    assert_eq!(found(&argocd), [], "before");
    make(&mut argocd);
    found(&argocd).into_iter().map(|fault| fault.rule).collect()
}

#[test]
fn an_application_that_follows_what_was_not_tested() {
    let found = misled(|tree| {
        spec(tree, "Application", "sarangbang-frontend")["source"]["targetRevision"] =
            json!("main");
    });
    assert_eq!(found, BTreeSet::from([Rule::ApplicationUntested]));
}

#[test]
fn an_application_that_goes_on_with_what_failed() {
    let found = misled(|tree| {
        let policy = &mut spec(tree, "Application", "sarangbang-backend")["syncPolicy"];
        remove(&mut policy["retry"], "refresh");
    });
    assert_eq!(found, BTreeSet::from([Rule::RetryWithoutRefresh]));
}

#[test]
fn an_application_of_a_folder_or_a_namespace_that_is_another() {
    for make in [
        (|tree| {
            spec(tree, "Application", "sarangbang-backend")["source"]["path"] =
                json!("k8s/backend/prod");
        }) as fn(&mut Tree),
        |tree| {
            let application = spec(tree, "Application", "sarangbang-backend");
            application["destination"]["namespace"] = json!("sarangbang-frontend");
        },
        |tree| spec(tree, "Application", "sarangbang-frontend")["project"] = json!("default"),
        |tree| spec(tree, "AppProject", "sarangbang")["sourceRepos"] = json!([]),
        |tree| {
            spec(tree, "AppProject", "sarangbang")["destinations"]
                .as_array_mut()
                .unwrap()
                .remove(0);
        },
    ] {
        assert_eq!(misled(make), BTreeSet::from([Rule::ApplicationMisled]));
    }
}

#[test]
fn a_kind_that_the_project_does_not_let_through() {
    let found = misled(|tree| {
        let kinds = &mut spec(tree, "AppProject", "sarangbang")["namespaceResourceWhitelist"];
        kinds
            .as_array_mut()
            .unwrap()
            .retain(|kind| kind["kind"] != "PodDisruptionBudget");
    });
    assert_eq!(found, BTreeSet::from([Rule::KindNotAllowed]));
}

#[test]
fn an_action_that_is_not_pinned() {
    let faults = |line: &str| release::action_faults("ci.yml", line).len();
    let commit = "3d3c42e5aac5ba805825da76410c181273ba90b1";
    assert_eq!(
        faults(&format!("      - uses: actions/checkout@{commit} # v7.0.1")),
        0
    );
    for unpinned in [
        "actions/checkout@v7".to_owned(),
        format!("actions/checkout@{commit}"),
        format!("actions/checkout@{} # v7.0.1", &commit[..7]),
    ] {
        assert_eq!(
            faults(&format!("        uses: {unpinned}")),
            1,
            "{unpinned}"
        );
    }
}

/// Makes a mistake in today's workflow and says what is found.
fn in_workflow(make: fn(&mut Value)) -> Vec<Rule> {
    let file = paths::root().join(".github/workflows/ci.yml");
    let mut ci = serde_saphyr::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(workflow::faults("ci.yml", &ci), [], "before");
    make(&mut ci);
    let faults = workflow::faults("ci.yml", &ci);
    faults.into_iter().map(|fault| fault.rule).collect()
}

fn step<'a>(ci: &'a mut Value, job: &str, named: &str) -> &'a mut Value {
    let mut steps = ci["jobs"][job]["steps"].as_array_mut().unwrap().iter_mut();
    let found = steps.find(|step| {
        step["name"]
            .as_str()
            .is_some_and(|name| name.contains(named))
    });
    found.unwrap_or_else(|| panic!("{job} has no step {named}"))
}

#[test]
fn a_workflow_that_starts_itself() {
    for make in [
        (|ci| ci["on"]["push"]["branches"] = json!(["main", "release"])) as fn(&mut Value),
        |ci| ci["on"]["push"]["branches"] = json!(["**"]),
        |ci| remove(&mut ci["on"]["push"], "branches"),
    ] {
        assert_eq!(in_workflow(make), [Rule::WorkflowStartsItself]);
    }
}

#[test]
fn a_second_job_that_may_write() {
    let found = in_workflow(|ci| ci["jobs"]["test"]["permissions"]["contents"] = json!("write"));
    assert_eq!(found, [Rule::SecondWriter]);
}

#[test]
fn a_token_for_every_step() {
    for make in [
        (|ci| ci["jobs"]["bump"]["env"] = json!({ "GH_TOKEN": "${{ github.token }}" }))
            as fn(&mut Value),
        |ci| ci["env"]["TOKEN"] = json!("${{ secrets.TOKEN }}"),
    ] {
        assert_eq!(in_workflow(make), [Rule::TokenForEveryStep]);
    }
}

#[test]
fn a_tag_before_the_attestation() {
    for make in [
        (|ci| {
            let build = &mut step(ci, "images", "Build")["with"];
            remove(build, "outputs");
            build["push"] = json!(true);
        }) as fn(&mut Value),
        |ci| remove(step(ci, "images", "Name it by its commit"), "run"),
        |ci| {
            let steps = &mut ci["jobs"]["images"]["steps"];
            steps.as_array_mut().unwrap().reverse();
        },
    ] {
        assert_eq!(in_workflow(make), [Rule::TagBeforeAttestation]);
    }
}

#[test]
fn an_image_of_a_compose_file_without_a_whole_version() {
    for wrong in ["caddy", "caddy:2.10", "postgres:17-trixie", "postgres:17"] {
        let compose = format!("    image: docker.io/library/{wrong}\n");
        let faults = release::compose_faults("compose.yaml", &compose);
        assert_eq!(faults.len(), 1, "{wrong}");
    }
    let right = "    image: docker.io/library/postgres:17.10-trixie\n    image: ${IMAGE}\n";
    assert_eq!(release::compose_faults("compose.yaml", right), []);
}

#[test]
fn a_base_of_an_image_without_its_digest() {
    let whole = format!("docker.io/library/rust:1.95@sha256:{}", "ab".repeat(32));
    for wrong in ["docker.io/library/rust:1.95", &whole[..whole.len() - 1]] {
        let dockerfile = format!("FROM {wrong} AS chef\n");
        let faults = release::base_faults("Dockerfile.backend", &dockerfile);
        assert_eq!(faults.len(), 1, "{wrong}");
    }
    let right = format!("FROM {whole} AS chef\nFROM chef AS builder\n");
    assert_eq!(release::base_faults("Dockerfile.backend", &right), []);
}

#[test]
fn images_that_nothing_renews() {
    let root = paths::root();
    let places = super::image_places(root).unwrap();
    let text = fs::read_to_string(root.join(".github/dependabot.yml")).unwrap();
    for part in ["docker-compose", "/k8s/backend/components/nats"] {
        let config = serde_saphyr::from_str(&text.replace(part, "none")).unwrap();
        let faults = release::dependabot_faults(&config, &places);
        assert_eq!(faults.len(), 1, "{part}: {faults:?}");
        assert_eq!(faults[0].rule, Rule::ImagesForgotten);
    }
}

#[test]
fn a_crate_of_an_image_that_would_not_move_its_tag() {
    let crates = super::crates_of("chat-backend").unwrap();
    assert!(crates.contains("crates/chat-types"), "{crates:?}");
    let paths = fs::read_to_string(paths::root().join(".ci/paths/backend")).unwrap();
    assert_eq!(release::path_faults("backend", &paths, &crates), []);
    for part in ["crates/chat-listener\n", "k8s/backend\n"] {
        let short = paths.replace(part, "");
        let faults = release::path_faults("backend", &short, &crates);
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].rule, Rule::PathsIncomplete);
    }
}

#[test]
fn what_is_delivered_has_none_of_these() {
    let copy = Copy::make();
    for name in [PROD, PAGE, DEV, "k8s/frontend/overlays/dev"] {
        assert_eq!(copy.faults(name), [], "{name}");
    }
    assert_eq!(
        super::repository_faults(Path::new(paths::root())).unwrap(),
        []
    );
}
