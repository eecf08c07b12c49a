//! What can be wrong with the delivery, each kind with a name of its own.

use std::fmt;

/// A kind of mistake that no tool from elsewhere finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// A Service whose selector matches no pod.
    ServiceSelectsNothing,
    /// A Service that leads to a port which its pods do not have.
    ServicePortUnknown,
    /// A Service through which the admin port is reached.
    AdminPortOnService,
    /// A public Service that hides visitors' addresses.
    VisitorsAddressLost,
    /// A workload whose selector does not match its own pods.
    SelectorMatchesNotItsPods,
    /// `replicas` beside an autoscaler, which take turns in undoing each other.
    ReplicasBesideAutoscaler,
    /// An autoscaler of a workload that is not there.
    AutoscalerTargetMissing,
    /// An autoscaler by a metric that the server does not export.
    AutoscalerMetricUnknown,
    /// An autoscaler that takes pods away, and their sockets, within minutes.
    AutoscalerShrinksFast,
    /// A server without autoscaler or without disruption budget.
    ServerUnguarded,
    /// A disruption budget whose selector matches no pod.
    BudgetSelectsNothing,
    /// A disruption budget that lets no node be drained.
    BudgetBlocksDrains,
    /// Spreading by a selector that matches not the workload's own pods, or no spreading at all.
    SpreadMissing,
    /// A rollout that takes working pods away first.
    RolloutDropsPods,
    /// A pod is killed before its drain can end.
    GraceTooShort,
    /// The manifest does not say how long the drain takes.
    DrainNotSet,
    /// A container without one of its three probes.
    ProbeMissing,
    /// A probe of a port that the container does not have.
    ProbePortUnknown,
    /// Liveness that asks what readiness asks: a database that is away restarts everything.
    LivenessAsksReadiness,
    /// Requests or the limit of memory are missing, or there is a limit of the CPU.
    ResourcesWrong,
    /// Requests that GKE Autopilot raises, which Argo CD takes for a difference.
    RequestsRaised,
    /// Less than the restricted level of pod security, or a writable root.
    SecurityContextWeak,
    /// The service links of Kubernetes, which look like variables of the server.
    ServiceLinksOn,
    /// A token for the cluster's API, which nothing here uses.
    TokenMounted,
    /// A `ServiceAccount` that is not there.
    ServiceAccountMissing,
    /// A mount of a volume that is not there.
    VolumeMissing,
    /// A `ConfigMap`, or a key of one, that is not there.
    ConfigMissing,
    /// A `ConfigMap` whose change rolls no pod.
    ConfigNotGenerated,
    /// A Secret, or a key of one, that docs/operations.md does not tell how to make.
    SecretUndocumented,
    /// A Secret's value in the repository.
    SecretInGit,
    /// A variable that the server does not know.
    VariableUnknown,
    /// TLS files that no volume provides.
    TlsFileNotMounted,
    /// More than one replica, and nothing through which they hear each other.
    ReplicasWithoutBus,
    /// The two sides are told different addresses of each other.
    SidesDisagree,
    /// A canary that does not reach the API as users do.
    CanaryMisled,
    /// A namespace in which what is not allowed is not denied.
    NoDefaultDeny,
    /// A `NetworkPolicy` whose selector matches no pod.
    PolicySelectsNothing,
    /// A peer of a `NetworkPolicy` that matches no pod.
    PolicyPeerSelectsNothing,
    /// A `NetworkPolicy` about a port that the pods do not have.
    PolicyPortUnknown,
    /// Pods that may not ask for names where some cluster answers them.
    DnsIncomplete,
    /// In production a way out to more than some addresses.
    PolicyTooWide,
    /// A `NetworkPolicy` that opens the admin port to everybody.
    AdminPortOpen,
    /// A scraper that matches no pod, or a port that they do not have.
    MonitorScrapesNothing,
    /// An alert without severity, summary or description.
    AlertIncomplete,
    /// An alert that leads to no page of docs/runbooks.
    AlertWithoutRunbook,
    /// An alert without a test in which it fires, or without one in which it does not.
    AlertUntested,
    /// A rule or a panel that asks for a metric, or a label of one, that no server exports.
    MetricUnknown,
    /// A dashboard that would not be shown as it is meant.
    DashboardWrong,
    /// Alerts of one monitoring component that are not those of the other.
    RulesDiffer,
    /// A Gateway's route or policy that leads to no Service.
    RouteLeadsNowhere,
    /// A Gateway that cuts sockets before they are renewed.
    GatewayCutsSockets,
    /// A server that ends idle connections which the Gateway still takes for open.
    KeepAliveTooShort,
    /// A Job that Argo CD would have to change, which cannot be.
    JobIsNoHook,
    /// A hook before the sync that needs what the sync makes.
    HookNeedsSync,
    /// A hook that may hang for long, and keeps what mends it from being synced.
    HookHangs,
    /// An `images:` entry that replaces nothing.
    ImageReplacesNothing,
    /// In production an image of ours that is not that of one commit, or one of others without a whole version.
    ImageNotPinned,
    /// Images that Dependabot does not renew.
    ImagesForgotten,
    /// An Argo CD application of a folder or a namespace that is another.
    ApplicationMisled,
    /// An Argo CD application that follows something else than the branch of tested releases.
    ApplicationUntested,
    /// An Argo CD application that goes on with a commit that failed while its mend waits.
    RetryWithoutRefresh,
    /// A kind of object that Argo CD's project does not let through.
    KindNotAllowed,
    /// An action that is not pinned to a commit.
    ActionNotPinned,
    /// A workflow that what it writes would start again.
    WorkflowStartsItself,
    /// A job besides the one that releases which may write to the repository.
    SecondWriter,
    /// A token in the environment of steps that do not need it.
    TokenForEveryStep,
    /// An image whose tag is there before its attestation, so that a failed run cannot be repeated.
    TagBeforeAttestation,
    /// A part of a release whose change would not be released.
    PathsIncomplete,
}

/// A mistake, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fault {
    /// Its kind.
    pub(crate) rule: Rule,
    /// The object or the file.
    pub(crate) place: String,
    /// What is wrong there.
    pub(crate) says: String,
}

impl Fault {
    pub(crate) fn new(rule: Rule, place: impl Into<String>, says: impl Into<String>) -> Self {
        let (place, says) = (place.into(), says.into());
        Self { rule, place, says }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}: {:?}: {}", self.place, self.rule, self.says)
    }
}
