//! Envoy, and what is built on it and shows its metrics: the same names, other names of clusters.

use super::resources::CONTAINER;
use super::{Durations, Preset, Requests};

/// Envoy's statistics of upstream clusters. Completed requests, because `upstream_rq_total` also counts
/// those under way, which have no code yet. `source/common/config/well_known_names.cc` of
/// `envoyproxy/envoy` makes the class a label.
const UPSTREAM: Requests = Requests {
    errors: r#"envoy_cluster_upstream_rq_xx{envoy_response_code_class="5"}"#,
    total: "envoy_cluster_upstream_rq_completed",
    durations: Some(Durations {
        histogram: "envoy_cluster_upstream_rq_time",
        scale: 0.001,
    }),
};

/// Envoy by itself.
pub(super) const ENVOY: Preset = Preset {
    name: "envoy",
    project: "Envoy",
    version: "1.39",
    read_in: &[
        "<https://www.envoyproxy.io/docs/envoy/v1.39.0/configuration/upstream/cluster_manager/cluster_stats>",
        "`source/common/config/well_known_names.cc` of `envoyproxy/envoy`",
    ],
    requests: UPSTREAM,
    resources: CONTAINER,
    control: "{envoy_cluster_name: checkout_v1}",
    canary: "{envoy_cluster_name: checkout_v2}",
    about: "The upstream cluster.",
};
