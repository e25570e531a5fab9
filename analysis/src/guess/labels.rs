//! What the labels of a counter are for: which name the service, which tell its versions apart.

use crate::matchers::{Matcher, Matchers};
use crate::pipeline::{self, Preset};
use crate::series::Populations;

use super::Counter;

/// Labels that name a service, the likeliest first. `job` is last: where pods are discovered it is
/// often the same for all of them.
const SERVICES: &[&str] = &[
    "service",
    "service_name",
    "app",
    "app_kubernetes_io_name",
    "application",
    "grpc_service",
    "exported_service",
    "job",
];

/// Labels that tell the versions of a service apart, the likeliest first: those whose values stay from
/// rollout to rollout, then those that change.
const VERSIONS: &[&str] = &[
    "track",
    "release_track",
    "canary",
    "variant",
    "slot",
    "color",
    "role",
    "version",
    "app_version",
    "app_kubernetes_io_version",
    "service_version",
    "destination_version",
    "revision",
    "revision_name",
    "release",
    "image_tag",
    "git_commit",
    "rollouts_pod_template_hash",
    "pod_template_hash",
    "label_pod_template_hash",
];

/// Labels that tell several of one name apart.
const SCOPES: &[&str] = &["namespace", "kubernetes_namespace", "environment", "env"];

/// Labels that hold the name of a pod.
const PODS: &[&str] = &["pod", "kubernetes_pod_name", "k8s_pod_name", "pod_name"];

/// The label of services that says least: a name of what is scraped.
const JOB: &str = "job";

/// What the labels of a counter are for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Roles {
    /// Those that may name the service, the likeliest first.
    pub services: Vec<String>,
    /// Those that may tell versions apart, the likeliest first.
    pub versions: Vec<String>,
    /// Those that tell several of one name apart.
    pub scopes: Vec<String>,
}

/// The populations by which users of a preset tell two versions apart; empty where it has none that can
/// be read, which a test of the presets excludes.
fn pair(preset: &Preset) -> Populations<Matchers> {
    let Preset {
        control, canary, ..
    } = preset;
    let stage = "canary_pipeline: {a: {traffic_percent: 1, duration_minutes: 60, metrics: [error_rate < 1%]}}";
    let file = format!("control: {control}\ncanary: {canary}\n{stage}\n");
    pipeline::parse(&file, "pair").map_or_else(
        |_mistakes| Populations::default(),
        |parsed| Populations {
            control: parsed.control,
            canary: parsed.canary,
        },
    )
}

/// Whether all labels of a counter's preset's pair are there.
pub fn has_pair(counter: &Counter) -> bool {
    counter.preset.is_some_and(|preset| {
        let pair = pair(preset);
        let mut wanted = pair.control.iter().chain(&pair.canary);
        wanted.all(|one| counter.labels.contains(&one.label))
    })
}

/// The label that holds the name of the pod, if there is one.
pub(super) fn pod_label(counter: &Counter) -> Option<&'static str> {
    let is_there = |label: &&&str| counter.labels.iter().any(|known| known == **label);
    PODS.iter().find(is_there).copied()
}

impl Roles {
    /// What the labels of a counter are for. Those of its preset's pair come first; of a pair that one
    /// label tells apart (`upstream: checkout_stable`) that label names the service as well.
    pub(super) fn of(counter: &Counter) -> Self {
        let there = |all: &[&str]| -> Vec<String> {
            let known = all
                .iter()
                .filter(|label| counter.labels.iter().any(|one| one == **label));
            known.map(|label| (*label).to_owned()).collect()
        };
        let mut roles = Self {
            services: there(SERVICES),
            versions: there(VERSIONS),
            scopes: there(SCOPES),
        };
        let Some(pair) = counter.preset.map(pair) else {
            return roles;
        };
        let is_own = |one: &&Matcher| {
            let label = one.label.as_str();
            counter.labels.contains(&one.label)
                && !SCOPES.contains(&label)
                && !PODS.contains(&label)
        };
        let same = pair.control.iter().filter(|one| pair.canary.contains(one));
        let other = pair.control.iter().filter(|one| !pair.canary.contains(one));
        let same: Vec<String> = same.filter(is_own).map(|one| one.label.clone()).collect();
        let other: Vec<String> = other.filter(is_own).map(|one| one.label.clone()).collect();
        let is_told_by_one = pair
            .control
            .iter()
            .all(|one| SCOPES.contains(&one.label.as_str()) || !pair.canary.contains(one));
        if is_told_by_one && !other.is_empty() {
            roles.services = other;
        } else {
            if same.iter().any(|label| label != JOB) {
                roles.services = same;
            }
            roles.versions.retain(|label| !other.contains(label));
            roles.versions.splice(0..0, other);
        }
        roles
    }

    /// All of them, each once: requests are told apart by these.
    pub(super) fn all(&self) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        for label in self
            .services
            .iter()
            .chain(&self.versions)
            .chain(&self.scopes)
        {
            if !all.contains(&label.as_str()) {
                all.push(label);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::PRESETS;

    fn roles(preset: Option<&str>, labels: &[&str]) -> Roles {
        Roles::of(&Counter {
            preset: preset.and_then(|name| PRESETS.iter().find(|one| one.name == name)),
            total: "requests_total".to_owned(),
            errors: None,
            histogram: None,
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        })
    }

    #[test]
    fn every_preset_has_a_pair_that_can_be_read() {
        for preset in PRESETS {
            let pair = pair(preset);
            assert_ne!(pair.control, pair.canary, "{}", preset.name);
        }
    }

    #[test]
    fn labels_are_known_by_their_names_the_likeliest_first() {
        let roles = roles(
            None,
            &["app", "job", "method", "namespace", "track", "version"],
        );
        assert_eq!(roles.services, ["app", "job"]);
        assert_eq!(roles.versions, ["track", "version"]);
        assert_eq!(roles.scopes, ["namespace"]);
    }

    #[test]
    fn the_label_of_a_presets_pair_names_the_service() {
        let roles = roles(
            Some("istio"),
            &[
                "app",
                "destination_canonical_service",
                "destination_version",
                "version",
            ],
        );
        assert_eq!(roles.services, ["destination_canonical_service"]);
        assert_eq!(roles.versions, ["destination_version", "version"]);
    }

    #[test]
    fn a_job_says_less_than_other_names() {
        let roles = roles(Some("prometheus"), &["app", "job", "track"]);
        assert_eq!(roles.services, ["app", "job"]);
    }

    #[test]
    fn one_label_of_a_pair_names_service_and_version() {
        let roles = roles(Some("linkerd"), &["deployment", "namespace", "job"]);
        assert_eq!(roles.services, ["deployment"]);
        assert_eq!(roles.scopes, ["namespace"]);
    }
}
