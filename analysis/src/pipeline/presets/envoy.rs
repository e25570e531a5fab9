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

/// Contour: clusters are named after namespace, service and port.
pub(super) const CONTOUR: Preset = Preset {
    name: "contour",
    project: "Contour",
    version: "1.23",
    read_in: &["`internal/envoy/cluster.go` of `projectcontour/contour`"],
    requests: UPSTREAM,
    resources: CONTAINER,
    control: "{envoy_cluster_name: shop_checkout_80}",
    canary: "{envoy_cluster_name: shop_checkout-canary_80}",
    about: "The service behind a weight of the HTTPProxy: namespace, service and port.",
};

/// Gloo: clusters are named after upstream and namespace, without dots.
pub(super) const GLOO: Preset = Preset {
    name: "gloo",
    project: "Gloo Gateway",
    version: "1.15",
    read_in: &[
        "`projects/gloo/pkg/translator/utils.go` of `solo-io/gloo`",
        "`pkg/metrics/observers/gloo.go` of `fluxcd/flagger`",
    ],
    requests: UPSTREAM,
    resources: CONTAINER,
    control: "{envoy_cluster_name: shop-checkout-primary-80_gloo-system}",
    canary: "{envoy_cluster_name: shop-checkout-canary-80_gloo-system}",
    about: "The upstream and its namespace; these are Flagger's.",
};

/// Kuma: `localhost_<port>` is the cluster of the program behind a sidecar, so what it counts is what
/// that version answered. The labels are those of the tags of its data plane.
pub(super) const KUMA: Preset = Preset {
    name: "kuma",
    project: "Kuma, Kong Mesh",
    version: "2.7",
    read_in: &["`app/kuma-dp/pkg/dataplane/metrics/merge.go` and \
         `app/kuma-dp/pkg/dataplane/metrics/testdata/counter.in` of `kumahq/kuma`"],
    requests: Requests {
        errors: r#"envoy_cluster_upstream_rq_xx{envoy_cluster_name=~"localhost_.*",envoy_response_code_class="5"}"#,
        total: r#"envoy_cluster_upstream_rq_completed{envoy_cluster_name=~"localhost_.*"}"#,
        durations: Some(Durations {
            histogram: r#"envoy_cluster_upstream_rq_time{envoy_cluster_name=~"localhost_.*"}"#,
            scale: 0.001,
        }),
    },
    resources: CONTAINER,
    control: "{kuma_io_service: checkout_shop_svc_8080, version: v1}",
    canary: "{kuma_io_service: checkout_shop_svc_8080, version: v2}",
    about: "The tag `version` of the data planes: Prometheus' discovery for Kuma makes tags labels.",
};
