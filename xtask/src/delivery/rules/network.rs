//! Services, policies, scrapers and gateways: who reaches which port of which pods.

use serde_json::{Value, json};

use crate::delivery::fault::{Fault, Rule};
use crate::delivery::tree::{Pods, Tree, list, match_labels, text};

/// How long a socket may live at a Gateway at least: its greatest age by default, 6 h and 20 %.
const SOCKET_AGE_S: u64 = 25_920;

/// The narrowest range that a way out of production may not have any more: 256 addresses.
const PREFIX: u8 = 24;

/// Mistakes of everything that names pods by their labels or a port by its name.
pub(crate) fn faults(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    faults.extend(
        tree.of_kind("Service")
            .flat_map(|service| service_faults(tree, service)),
    );
    faults.extend(
        tree.of_kind("NetworkPolicy")
            .flat_map(|policy| policy_faults(tree, policy)),
    );
    for (kind, endpoints) in [
        ("PodMonitor", "podMetricsEndpoints"),
        ("PodMonitoring", "endpoints"),
    ] {
        faults.extend(
            tree.of_kind(kind)
                .flat_map(|monitor| monitor_faults(tree, monitor, endpoints)),
        );
    }
    faults.extend(
        tree.of_kind("HTTPRoute")
            .flat_map(|route| route_faults(tree, route)),
    );
    for kind in ["GCPBackendPolicy", "HealthCheckPolicy"] {
        faults.extend(
            tree.of_kind(kind)
                .flat_map(|policy| target_faults(tree, policy)),
        );
    }
    faults.extend(deny_fault(tree));
    faults.extend(dns_fault(tree));
    faults
}

fn service_faults(tree: &Tree, service: &Value) -> Vec<Fault> {
    let place = tree.place(service);
    let spec = &service["spec"];
    let pods = match spec["selector"].as_object() {
        Some(terms) if !terms.is_empty() => tree.selected(&match_labels(&spec["selector"])),
        _ => Vec::new(),
    };
    let long_lived: Vec<_> = pods.into_iter().filter(Pods::are_long_lived).collect();
    if long_lived.is_empty() {
        return vec![Fault::new(
            Rule::ServiceSelectsNothing,
            place,
            "its selector matches no pod",
        )];
    }
    let mut faults = Vec::new();
    let mut fault = |rule, says: String| faults.push(Fault::new(rule, &place, says));
    for port in list(&spec["ports"]) {
        let to = port.get("targetPort").unwrap_or(&port["port"]);
        if !long_lived.iter().all(|pods| pods.have_port(to)) {
            fault(
                Rule::ServicePortUnknown,
                format!("its pods have no port {to}"),
            );
        }
        if long_lived.iter().any(|pods| is_admin(pods, to)) {
            fault(
                Rule::AdminPortOnService,
                "it leads to the admin port".to_owned(),
            );
        }
    }
    if spec["type"] == "LoadBalancer" && spec["externalTrafficPolicy"] != "Local" {
        fault(
            Rule::VisitorsAddressLost,
            "externalTrafficPolicy is not Local".to_owned(),
        );
    }
    faults
}

fn is_admin(pods: &Pods<'_>, port: &Value) -> bool {
    *port == "admin" || pods.admin_port().is_some_and(|admin| admin == port)
}

fn policy_faults(tree: &Tree, policy: &Value) -> Vec<Fault> {
    let place = tree.place(policy);
    let spec = &policy["spec"];
    let own = tree.selected(&spec["podSelector"]);
    if own.is_empty() {
        return vec![Fault::new(
            Rule::PolicySelectsNothing,
            place,
            "its selector matches no pod",
        )];
    }
    let mut faults = Vec::new();
    for rule in list(&spec["ingress"]) {
        faults.extend(port_faults(&place, rule, &own));
        faults.extend(peer_faults(tree, &place, rule, "from"));
        let opens_admin = |port: &Value| own.iter().any(|pods| is_admin(pods, port));
        let ports = list(&rule["ports"]);
        let is_any_port = ports.is_empty() || ports.iter().any(|port| opens_admin(&port["port"]));
        if list(&rule["from"]).is_empty() && is_any_port {
            let says = "everybody may reach the admin port";
            faults.push(Fault::new(Rule::AdminPortOpen, &place, says));
        }
    }
    for rule in list(&spec["egress"]) {
        faults.extend(range_faults(tree, &place, rule));
        faults.extend(peer_faults(tree, &place, rule, "to"));
        // A named port is a port of the pods that are reached.
        let reached = list(&rule["to"]).iter().filter(|peer| is_near(peer));
        let reached: Vec<_> = reached
            .flat_map(|peer| tree.selected(&peer["podSelector"]))
            .collect();
        if !reached.is_empty() {
            faults.extend(port_faults(&place, rule, &reached));
        }
    }
    faults
}

/// Whether a peer is pods of the same namespace.
fn is_near(peer: &Value) -> bool {
    peer.get("podSelector").is_some() && peer.get("namespaceSelector").is_none()
}

fn peer_faults(tree: &Tree, place: &str, rule: &Value, peers: &str) -> Vec<Fault> {
    let near = list(&rule[peers]).iter().filter(|peer| is_near(peer));
    let unmatched = near.filter(|peer| tree.selected(&peer["podSelector"]).is_empty());
    let says = |peer: &Value| format!("{peers} {} matches no pod", peer["podSelector"]);
    unmatched
        .map(|peer| Fault::new(Rule::PolicyPeerSelectsNothing, place, says(peer)))
        .collect()
}

fn range_faults(tree: &Tree, place: &str, rule: &Value) -> Vec<Fault> {
    let ranges = list(&rule["to"]).iter();
    let ranges = ranges.filter_map(|peer| peer["ipBlock"]["cidr"].as_str());
    let is_narrow = |range: &str| {
        let prefix = range
            .rsplit_once('/')
            .map(|(_, prefix)| prefix.parse::<u8>());
        matches!(prefix, Some(Ok(bits)) if bits >= PREFIX)
    };
    let is_production = tree.name.contains("/prod");
    let wide = ranges.filter(|range| is_production && !is_narrow(range));
    let says = |range| format!("{range} is more than /{PREFIX}; an overlay says the addresses");
    wide.map(|range| Fault::new(Rule::PolicyTooWide, place, says(range)))
        .collect()
}

fn port_faults(place: &str, rule: &Value, pods: &[Pods<'_>]) -> Vec<Fault> {
    let ports = list(&rule["ports"]).iter().map(|port| &port["port"]);
    let missing = ports.filter(|port| !pods.iter().any(|pods| pods.have_port(port)));
    missing
        .map(|port| {
            Fault::new(
                Rule::PolicyPortUnknown,
                place,
                format!("the pods have no port {port}"),
            )
        })
        .collect()
}

fn monitor_faults(tree: &Tree, monitor: &Value, endpoints: &str) -> Vec<Fault> {
    let pods = tree.selected(&monitor["spec"]["selector"]);
    let ports = list(&monitor["spec"][endpoints])
        .iter()
        .map(|endpoint| &endpoint["port"]);
    let mut is_served = ports
        .map(|port| pods.iter().any(|pods| pods.have_port(port)))
        .peekable();
    if is_served.peek().is_some() && is_served.all(|served| served) {
        return Vec::new();
    }
    let says = "no pod has its labels and ports";
    vec![Fault::new(
        Rule::MonitorScrapesNothing,
        tree.place(monitor),
        says,
    )]
}

fn route_faults(tree: &Tree, route: &Value) -> Vec<Fault> {
    let spec = &route["spec"];
    let parents = list(&spec["parentRefs"]).iter();
    let lost = parents.filter(|parent| tree.find("Gateway", text(&parent["name"])).is_none());
    let mut lost: Vec<_> = lost
        .map(|parent| format!("there is no Gateway {}", parent["name"]))
        .collect();
    let backends = list(&spec["rules"])
        .iter()
        .flat_map(|rule| list(&rule["backendRefs"]));
    for backend in backends {
        let service = tree.find("Service", text(&backend["name"]));
        let ports = service.map_or(&[][..], |service| list(&service["spec"]["ports"]));
        if !ports.iter().any(|port| port["port"] == backend["port"]) {
            lost.push(format!(
                "no Service {} has the port {}",
                backend["name"], backend["port"]
            ));
        }
    }
    let place = tree.place(route);
    lost.into_iter()
        .map(|says| Fault::new(Rule::RouteLeadsNowhere, &place, says))
        .collect()
}

fn target_faults(tree: &Tree, policy: &Value) -> Vec<Fault> {
    let place = tree.place(policy);
    let spec = &policy["spec"];
    let service = text(&spec["targetRef"]["name"]);
    let mut faults = Vec::new();
    if tree.find("Service", service).is_none() {
        let says = format!("there is no Service {service}");
        faults.push(Fault::new(Rule::RouteLeadsNowhere, &place, says));
    }
    let life = spec["default"]["timeoutSec"].as_u64();
    let is_of_sockets = policy["kind"] == "GCPBackendPolicy" && service.starts_with("chat-backend");
    if is_of_sockets && life.is_none_or(|life| life < SOCKET_AGE_S) {
        let says =
            format!("timeoutSec is below {SOCKET_AGE_S}, the age at which sockets are renewed");
        faults.push(Fault::new(Rule::GatewayCutsSockets, &place, says));
    }
    faults
}

/// Where clusters answer names: their own DNS, the cache on the node by its pods and by its address, and Cloud
/// DNS. Each is a peer of the policy that lets every pod ask.
fn dns_fault(tree: &Tree) -> Option<Fault> {
    let pods = |name: &str| {
        let system = json!({ "matchLabels": { "kubernetes.io/metadata.name": "kube-system" } });
        let pods = json!({ "matchLabels": { "k8s-app": name } });
        json!({ "namespaceSelector": system, "podSelector": pods })
    };
    let address = |address: &str| json!({ "ipBlock": { "cidr": address } });
    let places = [
        pods("kube-dns"),
        pods("node-local-dns"),
        address("169.254.20.10/32"),
        address("169.254.169.254/32"),
    ];
    let policies = tree.of_kind("NetworkPolicy").map(|policy| &policy["spec"]);
    let of_all = policies.filter(|spec| spec["podSelector"] == json!({}));
    let rules = of_all.flat_map(|spec| list(&spec["egress"]));
    let is_asking = |port: &Value| port["port"] == 53;
    let asking = rules.filter(|rule| list(&rule["ports"]).iter().any(is_asking));
    let allowed: Vec<_> = asking.flat_map(|rule| list(&rule["to"])).collect();
    let is_missing = |place: &Value| !allowed.contains(&place);
    let has_pods = tree.pods().next().is_some();
    let says = "pods may not ask for names at each of the four places where clusters answer";
    let missing = has_pods && places.iter().any(is_missing);
    missing.then(|| Fault::new(Rule::DnsIncomplete, &tree.name, says))
}

fn deny_fault(tree: &Tree) -> Option<Fault> {
    let denies = |policy: &Value| {
        let spec = &policy["spec"];
        spec["podSelector"] == json!({})
            && spec["policyTypes"] == json!(["Ingress", "Egress"])
            && ["ingress", "egress"]
                .iter()
                .all(|rules| spec.get(rules).is_none())
    };
    let has_pods = tree.pods().next().is_some();
    let is_denied = tree.of_kind("NetworkPolicy").any(denies);
    let says = "no policy denies everything to every pod";
    (has_pods && !is_denied).then(|| Fault::new(Rule::NoDefaultDeny, &tree.name, says))
}
