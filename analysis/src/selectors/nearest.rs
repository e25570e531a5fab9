//! Names and bounds that exist, the likeliest to be meant first.

/// Labels that programs and conventions give to the same thing.
///
/// Sources: the labels of the presets (`analysis/src/pipeline/presets/mod.rs`);
/// <https://prometheus.io/docs/practices/naming/>; `prometheus_client` and Micrometer (`status`), ASP.NET
/// Core and OpenTelemetry (`http_response_status_code`).
const SYNONYMS: &[&[&str]] = &[
    &[
        "code",
        "status",
        "status_code",
        "http_status",
        "http_status_code",
        "http_code",
        "response_code",
        "http_response_status_code",
        "classification",
        "outcome",
    ],
    &[
        "grpc_code",
        "grpc_status",
        "grpc_response_status",
        "rpc_grpc_status_code",
    ],
    &[
        "track",
        "version",
        "role",
        "slot",
        "release_track",
        "app_version",
    ],
    &[
        "pod",
        "pod_name",
        "k8s_pod_name",
        "kubernetes_pod_name",
        "exported_pod",
    ],
    &[
        "job",
        "app",
        "service",
        "service_name",
        "exported_job",
        "app_kubernetes_io_name",
    ],
];

/// The label that holds a metric's name, which is no label to its user.
const METRIC_NAME: &str = "__name__";

/// Most names that are kept: who reads them looks at the first.
const MOST_KEPT: usize = 8;

/// The labels that exist, those that mean the same first, then by their letters.
pub(super) fn labels(wanted: &str, known: &[String]) -> Vec<String> {
    let group = SYNONYMS.iter().find(|group| group.contains(&wanted));
    let is_synonym = |name: &str| group.is_some_and(|group| group.contains(&name));
    ordered(wanted, known, |name| !is_synonym(name))
}

/// The values that exist, the likest first.
pub(super) fn values(wanted: &str, known: &[String]) -> Vec<String> {
    ordered(wanted, known, |_| false)
}

/// The names of metrics that are like a name: at most half of their letters differ.
pub(super) fn metrics(wanted: &str, known: &[String]) -> Vec<String> {
    let is_like = |name: &String| {
        let longer = wanted.chars().count().max(name.chars().count());
        strsim::osa_distance(wanted, name) * 2 <= longer
    };
    let like: Vec<String> = known.iter().filter(|name| is_like(name)).cloned().collect();
    ordered(wanted, &like, |_| false)
}

fn ordered(wanted: &str, known: &[String], comes_later: impl Fn(&str) -> bool) -> Vec<String> {
    let rank = |name: &&String| {
        let distance = strsim::osa_distance(wanted, name);
        (comes_later(name.as_str()), distance, (*name).clone())
    };
    let mut names: Vec<&String> = known.iter().filter(|name| *name != METRIC_NAME).collect();
    names.sort_by_cached_key(rank);
    names.into_iter().take(MOST_KEPT).cloned().collect()
}

/// The bounds that exist, the nearest number first, and whether that is the very number that is asked
/// for.
pub(super) fn bounds(wanted: Option<&str>, known: &[String]) -> (bool, Vec<String>) {
    let number = |text: &str| text.parse::<f64>().ok().filter(|bound| !bound.is_nan());
    let wanted = wanted.and_then(number);
    let distance = |text: &str| match (wanted, number(text)) {
        (Some(wanted), Some(bound)) if wanted.total_cmp(&bound).is_eq() => 0.0,
        (Some(wanted), Some(bound)) => (wanted - bound).abs(),
        (None, Some(bound)) => bound,
        (_, None) => f64::INFINITY,
    };
    let mut bounds: Vec<&String> = known.iter().collect();
    bounds.sort_by(|one, other| distance(one).total_cmp(&distance(other)));
    let is_same = wanted.is_some() && bounds.first().is_some_and(|one| distance(one) <= 0.0);
    let kept = bounds.into_iter().take(MOST_KEPT).cloned();
    (is_same, kept.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_label_that_means_the_same_comes_before_one_that_is_spelt_alike() {
        let known = texts(&["__name__", "cade", "instance", "status"]);
        assert_eq!(labels("code", &known), ["status", "cade", "instance"]);
        assert_eq!(labels("instanse", &known)[0], "instance");
    }

    #[test]
    fn only_names_of_metrics_that_are_alike_are_told() {
        let known = texts(&[
            "http_requests_total",
            "up",
            "go_goroutines",
            "http_request_total",
        ]);
        assert_eq!(
            metrics("http_requets_total", &known),
            ["http_request_total", "http_requests_total"]
        );
        assert!(metrics("orders_total", &texts(&["up", "go_goroutines"])).is_empty());
    }

    #[test]
    fn the_same_number_written_otherwise_is_told_first() {
        let known = texts(&["+Inf", "0.5", "1.0", "2.5"]);
        assert!(bounds(Some("1"), &known).0);
        assert_eq!(bounds(Some("1"), &known).1[0], "1.0");
        let (is_same, near) = bounds(Some("0.4"), &known);
        assert!(!is_same);
        assert_eq!(near[0], "0.5");
        assert_eq!(bounds(Some("Inf"), &known).1[0], "+Inf");
        assert_eq!(
            bounds(Some("+Inf"), &texts(&["1", "inf"])),
            (true, texts(&["inf", "1"]))
        );
        assert!(!bounds(Some("fast"), &known).0);
    }
}
