//! Rendered manifests, and what their parts say of each other.

use anyhow::Context as _;
use serde_json::{Map, Value};

/// The objects of one rendered kustomization, all in one namespace.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    /// What was rendered, for messages.
    pub(crate) name: String,
    /// As kustomize printed it.
    pub(crate) text: String,
    /// Every object.
    pub(crate) objects: Vec<Value>,
}

/// The pods that a workload makes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pods<'a> {
    /// The workload: a Deployment, a `StatefulSet` or a Job.
    pub(crate) workload: &'a Value,
    /// The pods' `metadata.labels`.
    pub(crate) labels: &'a Value,
    /// The pods' `spec`.
    pub(crate) spec: &'a Value,
}

impl Tree {
    /// Reads what kustomize printed.
    pub(crate) fn parse(name: &str, text: &str) -> anyhow::Result<Self> {
        let objects = serde_saphyr::from_multiple(text)
            .with_context(|| format!("{name} is rendered to something that is no YAML"))?;
        let (name, text) = (name.to_owned(), text.to_owned());
        Ok(Self {
            name,
            text,
            objects,
        })
    }

    /// The objects of a kind.
    pub(crate) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.objects
            .iter()
            .filter(move |object| object["kind"] == kind)
    }

    /// The object of a kind and name.
    pub(crate) fn find(&self, kind: &str, name: &str) -> Option<&Value> {
        let mut objects = self.objects.iter();
        objects.find(|object| object["kind"] == kind && name_of(object) == name)
    }

    /// The pods of every workload.
    pub(crate) fn pods(&self) -> impl Iterator<Item = Pods<'_>> {
        self.objects.iter().filter_map(Pods::of)
    }

    /// The pods that a label selector matches.
    pub(crate) fn selected<'a>(&'a self, selector: &Value) -> Vec<Pods<'a>> {
        self.pods()
            .filter(|pods| selects(selector, pods.labels))
            .collect()
    }

    /// An object's place in messages.
    pub(crate) fn place(&self, object: &Value) -> String {
        format!(
            "{}: {} {}",
            self.name,
            text(&object["kind"]),
            name_of(object)
        )
    }
}

impl<'a> Pods<'a> {
    fn of(workload: &'a Value) -> Option<Self> {
        let template = workload["spec"]["template"].as_object()?;
        let labels = workload
            .pointer("/spec/template/metadata/labels")
            .unwrap_or(&Value::Null);
        let spec = template.get("spec")?;
        Some(Self {
            workload,
            labels,
            spec,
        })
    }

    /// Whether they serve, other than those of a Job.
    pub(crate) fn are_long_lived(&self) -> bool {
        self.workload["kind"] != "Job"
    }

    /// Whether they are one of the two servers, and not the canary.
    pub(crate) fn are_ours(&self) -> bool {
        self.workload["kind"] == "Deployment" && name_of(self.workload) != "chat-canary"
    }

    /// Their containers, those that run before included.
    pub(crate) fn containers(&self) -> impl Iterator<Item = &'a Value> {
        let of = |field| list(&self.spec[field]).iter();
        of("initContainers").chain(of("containers"))
    }

    /// Whether a container has this port, by its name or its number.
    pub(crate) fn have_port(&self, port: &Value) -> bool {
        self.ports()
            .any(|own| own["name"] == *port || own["containerPort"] == *port)
    }

    /// The number of the port named `admin`.
    pub(crate) fn admin_port(&self) -> Option<&'a Value> {
        let admin = self.ports().find(|port| port["name"] == "admin");
        admin.map(|port| &port["containerPort"])
    }

    fn ports(&self) -> impl Iterator<Item = &'a Value> {
        self.containers()
            .flat_map(|container| list(&container["ports"]))
    }
}

/// Whether a selector matches labels; one without terms matches all. `matchExpressions` are used
/// nowhere here, and match nothing, so that whoever begins to use them hears of it.
pub(crate) fn selects(selector: &Value, labels: &Value) -> bool {
    if selector.get("matchExpressions").is_some() {
        return false;
    }
    let terms = selector.get("matchLabels").and_then(Value::as_object);
    terms.is_none_or(|terms| terms.iter().all(|(key, value)| labels[key] == *value))
}

/// A Service's selector in the form of the others.
pub(crate) fn match_labels(selector: &Value) -> Value {
    Value::Object(Map::from_iter([(
        "matchLabels".to_owned(),
        selector.clone(),
    )]))
}

/// `metadata.name`.
pub(crate) fn name_of(object: &Value) -> &str {
    text(&object["metadata"]["name"])
}

/// A text, or nothing where there is none.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A list, or nothing where there is none.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
