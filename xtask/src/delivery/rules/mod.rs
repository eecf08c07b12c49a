//! The checks of our own: what renders and validates, and would still not work.

pub(crate) mod network;
pub(crate) mod references;
pub(crate) mod release;
pub(crate) mod settings;
pub(crate) mod watching;
pub(crate) mod workflow;
pub(crate) mod workloads;

use super::fault::Fault;
use super::known::Known;
use super::tree::Tree;

/// Every mistake within one rendered tree.
pub(crate) fn faults_of(tree: &Tree, known: &Known) -> Vec<Fault> {
    let mut faults = Vec::new();
    faults.extend(workloads::faults(tree));
    faults.extend(workloads::autoscaler_faults(tree, known));
    faults.extend(network::faults(tree));
    faults.extend(references::faults(tree, known));
    faults.extend(settings::faults(tree, known));
    faults.extend(watching::faults(tree, known));
    faults.sort();
    faults.dedup();
    faults
}
