//! What is watched: alerts, their tests and runbooks, dashboards, and the metrics that they ask for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::delivery::fault::{Fault, Rule};
use crate::delivery::known::Known;
use crate::delivery::promql::selectors;
use crate::delivery::tree::{Tree, list, name_of, text};

/// Kinds of objects that hold groups of rules.
const RULES: [&str; 2] = ["PrometheusRule", "Rules"];
/// What an alert can be.
const SEVERITIES: [&str; 2] = ["page", "ticket"];
/// Where runbooks are, in the repository.
const RUNBOOKS: &str = "docs/runbooks/";
/// Metrics of others: of Prometheus itself, of kube-state-metrics, of Argo CD.
const FOREIGN: [&str; 6] = [
    "up",
    "kube_horizontalpodautoscaler_spec_max_replicas",
    "kube_horizontalpodautoscaler_status_current_replicas",
    "kube_job_status_failed",
    "kube_pod_container_status_waiting_reason",
    "argocd_app_info",
];
/// Labels that the scraping adds.
const OF_TARGETS: [&str; 4] = ["namespace", "pod", "job", "instance"];
/// The width of a dashboard.
const COLUMNS: u64 = 24;

/// Mistakes of the alerts and dashboards in a tree.
pub(crate) fn faults(tree: &Tree, known: &Known) -> Vec<Fault> {
    let mut faults = Vec::new();
    for object in rule_objects(tree) {
        let place = tree.place(object);
        for rule in rules(&object["spec"]["groups"]) {
            faults.extend(alert_faults(&place, rule, known));
        }
        let recorded = recorded(&object["spec"]["groups"]);
        for rule in rules(&object["spec"]["groups"]) {
            let query = text(&rule["expr"]);
            faults.extend(query_faults(&place, query, known, &recorded));
        }
    }
    for dashboard in dashboards(tree) {
        faults.extend(dashboard_faults(&tree.name, &dashboard, known));
    }
    faults
}

/// The objects with rules.
pub(crate) fn rule_objects(tree: &Tree) -> impl Iterator<Item = &Value> {
    RULES.into_iter().flat_map(move |kind| tree.of_kind(kind))
}

fn rules(groups: &Value) -> impl Iterator<Item = &Value> {
    list(groups).iter().flat_map(|group| list(&group["rules"]))
}

fn recorded(groups: &Value) -> BTreeSet<&str> {
    rules(groups)
        .filter_map(|rule| rule["record"].as_str())
        .collect()
}

fn alert_faults(place: &str, rule: &Value, known: &Known) -> Vec<Fault> {
    let Some(alert) = rule["alert"].as_str() else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    let mut fault = |rule, says: String| faults.push(Fault::new(rule, place, says));
    if !SEVERITIES.contains(&text(&rule["labels"]["severity"])) {
        fault(
            Rule::AlertIncomplete,
            format!("{alert} has no severity of {SEVERITIES:?}"),
        );
    }
    for field in ["summary", "description"] {
        if text(&rule["annotations"][field]).is_empty() {
            fault(Rule::AlertIncomplete, format!("{alert} has no {field}"));
        }
    }
    let page = text(&rule["annotations"]["runbook_url"]).split_once(RUNBOOKS);
    if !page.is_some_and(|(_, page)| known.runbooks.contains(page)) {
        fault(
            Rule::AlertWithoutRunbook,
            format!("{alert} names no page of {RUNBOOKS}"),
        );
    }
    faults
}

/// Series and labels that nobody exports.
fn query_faults(place: &str, query: &str, known: &Known, recorded: &BTreeSet<&str>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for selector in selectors(query) {
        let name = selector.name.as_str();
        if recorded.contains(name) || FOREIGN.contains(&name) {
            continue;
        }
        let Some(labels) = known.metrics.get(name) else {
            let says = format!("{name} is exported by no server");
            faults.push(Fault::new(Rule::MetricUnknown, place, says));
            continue;
        };
        for label in &selector.labels {
            if !labels.contains(label) && !OF_TARGETS.contains(&label.as_str()) {
                let says = format!("{name} has no label {label}");
                faults.push(Fault::new(Rule::MetricUnknown, place, says));
            }
        }
    }
    faults
}

/// The dashboards of a tree, which are JSON in `ConfigMap`s.
fn dashboards(tree: &Tree) -> Vec<Value> {
    let labelled = tree
        .of_kind("ConfigMap")
        .filter(|map| map["metadata"]["labels"]["grafana_dashboard"] == "1");
    let files = labelled.filter_map(|map| map["data"].as_object());
    let texts = files.flat_map(|files| files.values());
    texts
        .map(|json| serde_json::from_str(text(json)).unwrap_or_default())
        .collect()
}

/// The queries of a dashboard, with values in place of its variables.
pub(crate) fn queries(tree: &Tree) -> Vec<String> {
    let dashboards = dashboards(tree);
    let panels = dashboards
        .iter()
        .flat_map(|dashboard| list(&dashboard["panels"]));
    let targets = panels.flat_map(|panel| list(&panel["targets"]));
    targets
        .map(|target| text(&target["expr"]).replace("$__rate_interval", "5m"))
        .collect()
}

fn dashboard_faults(place: &str, dashboard: &Value, known: &Known) -> Vec<Fault> {
    let title = text(&dashboard["title"]);
    let place = format!("{place}: dashboard {title}");
    let panels = list(&dashboard["panels"]);
    let mut faults = Vec::new();
    let mut fault = |says: String| faults.push(Fault::new(Rule::DashboardWrong, &place, says));
    if panels.is_empty() || text(&dashboard["uid"]).is_empty() || title.is_empty() {
        fault("it has no panels, no uid or no title".to_owned());
    }
    let variables = list(&dashboard["templating"]["list"]);
    if !variables
        .iter()
        .any(|variable| variable["type"] == "datasource")
    {
        fault("nobody can choose its source".to_owned());
    }
    let mut ids = BTreeSet::new();
    for (at, panel) in panels.iter().enumerate() {
        let name = text(&panel["title"]);
        if !panel["id"].as_u64().is_some_and(|id| ids.insert(id)) {
            fault(format!("{name} has the id of another panel, or none"));
        }
        let Some(area) = Area::of(panel) else {
            fault(format!("{name} has no place within {COLUMNS} columns"));
            continue;
        };
        let mut others = panels[..at].iter().filter_map(Area::of);
        if others.any(|other| other.overlaps(&area)) {
            fault(format!("{name} lies upon another panel"));
        }
        let is_row = panel["type"] == "row";
        let targets = list(&panel["targets"]);
        let is_chosen = |source: &Value| source["uid"] == "${datasource}";
        let mut all = std::iter::once(panel).chain(targets);
        if !is_row && !all.all(|it| is_chosen(&it["datasource"])) {
            fault(format!("{name} asks another source than the chosen one"));
        }
        if !is_row && targets.is_empty() {
            fault(format!("{name} shows nothing"));
        }
    }
    let targets = panels.iter().flat_map(|panel| list(&panel["targets"]));
    for target in targets {
        let none = BTreeSet::new();
        faults.extend(query_faults(&place, text(&target["expr"]), known, &none));
    }
    faults
}

/// Where a panel lies.
struct Area {
    x: u64,
    y: u64,
    w: u64,
    h: u64,
}

impl Area {
    /// The place of a panel, if it has one within the columns.
    fn of(panel: &Value) -> Option<Self> {
        let field = |name| panel["gridPos"][name].as_u64();
        let (x, y, w, h) = (field("x")?, field("y")?, field("w")?, field("h")?);
        (w > 0 && h > 0 && x + w <= COLUMNS).then_some(Self { x, y, w, h })
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.x < other.x + other.w
            && other.x < self.x + self.w
            && self.y < other.y + other.h
            && other.y < self.y + self.h
    }
}

/// Alerts without a test in which they fire and one in which they do not, and tests of other alerts.
pub(crate) fn test_faults(place: &str, groups: &Value, tests: &Value) -> Vec<Fault> {
    let alerts: BTreeSet<_> = rules(groups)
        .filter_map(|rule| rule["alert"].as_str())
        .collect();
    let (mut firing, mut quiet) = (BTreeSet::new(), BTreeSet::new());
    for test in list(&tests["tests"])
        .iter()
        .flat_map(|it| list(&it["alert_rule_test"]))
    {
        let fires = test["exp_alerts"]
            .as_array()
            .is_some_and(|it| !it.is_empty());
        let to = if fires { &mut firing } else { &mut quiet };
        to.insert(text(&test["alertname"]));
    }
    let mut faults = Vec::new();
    let mut fault = |says: String| faults.push(Fault::new(Rule::AlertUntested, place, says));
    for alert in &alerts {
        for (found, what) in [(&firing, "fires"), (&quiet, "does not fire")] {
            if !found.contains(alert) {
                fault(format!("there is no test in which {alert} {what}"));
            }
        }
    }
    for stranger in firing.union(&quiet).filter(|it| !alerts.contains(*it)) {
        fault(format!("{stranger} is tested, and there is no such alert"));
    }
    if tests["rule_files"] != json!(["rules.yaml"]) {
        fault("the tests are not of rules.yaml".to_owned());
    }
    faults
}

/// Trees in which the groups of the same name are others than in the first one that has them.
pub(crate) fn difference_faults<'a>(trees: impl Iterator<Item = &'a Tree>) -> Vec<Fault> {
    let mut first: BTreeMap<&str, &Value> = BTreeMap::new();
    let mut faults = Vec::new();
    for tree in trees {
        for object in rule_objects(tree) {
            let groups = &object["spec"]["groups"];
            if *first.entry(name_of(object)).or_insert(groups) != groups {
                let says = "its alerts are not those of the other trees";
                faults.push(Fault::new(Rule::RulesDiffer, tree.place(object), says));
            }
        }
    }
    faults
}
