//! Presets: how the usual exporters measure the usual metrics.
//!
//! A preset says where requests come from; the rest is common. Resources are those of the
//! process where the exporter is the process itself, and those of its container everywhere else.
//! The names are those that the projects really use; each stands with where it was read, and with one
//! pair of matchers as its users tell two versions apart.

mod definitions;
mod envoy;
mod found;
mod libraries;
mod meshes;
mod platforms;
mod proxies;
mod resources;

use std::collections::BTreeMap;

pub use found::presets_of;

use super::definition::{Definition, measured};
use super::model::Metric;

/// One row of the table: how an exporter measures the usual metrics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preset {
    /// The name that a pipeline file gives.
    pub name: &'static str,
    /// Whose metrics these are, as the project writes itself.
    pub project: &'static str,
    /// The version of the project that the names were read in.
    pub version: &'static str,
    /// Where in the project they were read: files (`path` of `owner/name`) and pages.
    pub read_in: &'static [&'static str],
    /// How requests are counted.
    pub requests: Requests,
    /// What the process or its container uses.
    pub resources: Resources,
    /// What selects the control, as a pipeline file writes it: the way in which users of the project
    /// tell two versions apart.
    pub control: &'static str,
    /// What selects the canary beside that control.
    pub canary: &'static str,
    /// What tells the versions apart and what has to be switched on, for people: sentences.
    pub about: &'static str,
}

/// How an exporter counts requests. Texts are selectors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Requests {
    /// Counter of the requests that failed by the server's fault.
    pub errors: &'static str,
    /// Counter of all requests.
    pub total: &'static str,
    /// How long they took; nothing where the exporter has no histogram.
    pub durations: Option<Durations>,
}

/// A classic histogram of durations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Durations {
    /// Its selector, without `_bucket`.
    pub histogram: &'static str,
    /// Seconds in one unit of its bounds.
    pub scale: f64,
}

/// What the process or its container uses. Texts are expressions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resources {
    /// Cores in use.
    pub cpu: &'static str,
    /// Selector of the counter of the seconds of the CPU.
    pub cpu_seconds: &'static str,
    /// Bytes in use.
    pub memory: &'static str,
}

/// The table: every preset that a pipeline file may name. Where several have the same metrics, the
/// most general one is first.
pub const PRESETS: &[Preset] = &[
    libraries::PROMETHEUS,
    libraries::OTEL_HTTP,
    libraries::MICROMETER,
    libraries::DOTNET,
    libraries::NODE,
    libraries::GRPC,
    platforms::KUBERNETES,
    platforms::KNATIVE,
    platforms::KNATIVE_OPENCENSUS,
    meshes::ISTIO,
    meshes::LINKERD,
    envoy::ENVOY,
    envoy::CONTOUR,
    envoy::GLOO,
    envoy::KUMA,
    proxies::NGINX_INGRESS,
    proxies::NGINX_PLUS,
    proxies::NGINX_VTS,
    proxies::HAPROXY,
    proxies::TRAEFIK,
    proxies::APISIX,
    proxies::SKIPPER,
];

/// The names of the presets, in the order of the table.
pub const PRESET_NAMES: &[&str] = &NAMES;

#[expect(
    clippy::indexing_slicing,
    reason = "computed by the compiler, which refuses an index that is out of range"
)]
const NAMES: [&str; PRESETS.len()] = {
    let mut names = [""; PRESETS.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = PRESETS[index].name;
        index += 1;
    }
    names
};

/// The preset of a file that names none.
pub const DEFAULT_PRESET: &str = "prometheus";

/// Returns what a preset measures by name, or nothing when there is no such preset. Impacts, which
/// are measured as another metric, are not among it.
///
/// ```
/// use serinus_analysis::pipeline::preset_metrics;
///
/// assert!(preset_metrics("istio").unwrap().contains_key("latency_p99"));
/// assert!(preset_metrics("statsd").is_none());
/// ```
pub fn preset_metrics(preset: &str) -> Option<BTreeMap<String, Metric>> {
    preset_definitions(preset).map(|definitions| measured(&definitions))
}

/// What a preset is about, where a file names several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum About {
    /// Requests: how many, how long, and what they bring.
    Requests,
    /// What containers use.
    Resources,
}

impl About {
    /// What a preset is about. All others measure the resources of the process or its container beside.
    pub(super) fn of_preset(name: &str) -> Self {
        if name == platforms::KUBERNETES.name {
            Self::Resources
        } else {
            Self::Requests
        }
    }

    /// What a name of a preset is about.
    pub(super) fn of_metric(name: &str) -> Self {
        if definitions::OF_CONTAINERS.contains(&name) {
            Self::Resources
        } else {
            Self::Requests
        }
    }
}

/// Returns what the names of a preset stand for, or nothing when there is no such preset.
pub(super) fn preset_definitions(preset: &str) -> Option<BTreeMap<String, Definition>> {
    let known = PRESETS.iter().find(|known| known.name == preset)?;
    Some(definitions::definitions(known))
}
