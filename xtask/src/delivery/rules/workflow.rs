//! Workflows: who may write, who has a token, what starts a run, and when an image gets its tag.

use serde_json::Value;

use super::release::BRANCH;
use crate::delivery::fault::{Fault, Rule};
use crate::delivery::tree::{list, text};

/// The job that may write to the repository.
const WRITER: &str = "bump";

/// Mistakes of a workflow that its linters let through.
pub(crate) fn faults(file: &str, workflow: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |rule, says: String| faults.push(Fault::new(rule, file, says));
    if starts_itself(&workflow["on"]) {
        let says = format!("a push to {BRANCH}, which it makes itself, would start it");
        fault(Rule::WorkflowStartsItself, says);
    }
    let jobs = workflow["jobs"].as_object();
    for (name, job) in jobs.into_iter().flatten() {
        if job["permissions"]["contents"] == "write" && name != WRITER {
            fault(Rule::SecondWriter, format!("{name} may write as well"));
        }
        if has_token(&job["env"]) {
            let says = format!("every step of {name} has a token");
            fault(Rule::TokenForEveryStep, says);
        }
        if tags_too_early(list(&job["steps"])) {
            let says = format!("{name} may leave a tag on an image that is not attested");
            fault(Rule::TagBeforeAttestation, says);
        }
    }
    if has_token(&workflow["env"]) {
        fault(Rule::TokenForEveryStep, "every job has a token".to_owned());
    }
    faults
}

fn starts_itself(on: &Value) -> bool {
    let Some(push) = on.get("push") else {
        return false;
    };
    let branches = list(&push["branches"]);
    let is_meant = |branch: &Value| branch == BRANCH || text(branch).contains('*');
    branches.is_empty() || branches.iter().any(is_meant)
}

fn has_token(env: &Value) -> bool {
    let values = env.as_object().into_iter().flat_map(|env| env.values());
    let is_token = |value: &str| value.contains("github.token") || value.contains("secrets.");
    values.map(text).any(is_token)
}

/// Whether a job that attests pushes with a tag, or tags before it attests: tags never change, so what failed
/// in between could not be done again.
fn tags_too_early(steps: &[Value]) -> bool {
    let place = |is: fn(&Value) -> bool| steps.iter().position(is);
    let Some(attests) = place(|step| text(&step["uses"]).starts_with("actions/attest@")) else {
        return false;
    };
    let pushes = place(|step| {
        let outputs = text(&step["with"]["outputs"]);
        outputs.contains("push-by-digest=true") && step["with"].get("push").is_none()
    });
    let tags = place(|step| text(&step["run"]).contains("imagetools create"));
    !(pushes.is_some_and(|pushes| pushes < attests) && tags.is_some_and(|tags| attests < tags))
}
