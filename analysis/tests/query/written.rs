//! The texts that are written.

use serinus_analysis::matchers::{MatchOperator, Matcher, Matchers};
use serinus_analysis::query::{
    check_counter_selector, check_gauge_expression, counter_increase, counter_per_target,
    gauge_values, histogram_per_target, process_starts,
};
use serinus_analysis::series::TargetLabels;

fn canary() -> Matchers {
    Matchers::from([Matcher::equal("version", "v2")])
}

#[test]
fn sum_a_counter_for_each_target() {
    let lines = [
        counter_per_target(
            "http_requests_total",
            &Matchers::new(),
            &TargetLabels::default(),
            &[],
        ),
        counter_per_target(
            "http_requests_total",
            &canary(),
            &TargetLabels::default(),
            &[],
        ),
        counter_per_target(
            "(( http_requests_total{} ))",
            &canary(),
            &TargetLabels::default(),
            &["version"],
        ),
        // Matchers and labels are sorted, each once; a matcher that is there already stays one.
        counter_per_target(
            "http_requests_total{version=\"v2\", code=~'5..'}",
            &canary(),
            &TargetLabels::default(),
            &["version", "code", "pod", "code"],
        ),
        counter_per_target(
            "job:errors:inf5m # a comment\n",
            &canary(),
            &TargetLabels::default(),
            &[],
        ),
        counter_per_target(
            "{__name__=\"http_requests_total\"}",
            &canary(),
            &TargetLabels::default(),
            &[],
        ),
        counter_per_target(
            "{\"http.requests\", \"service.name\"=\"a\"}",
            &canary(),
            &TargetLabels::default(),
            &[],
        ),
    ];
    insta::assert_snapshot!(joined(lines), @r#"
    sum by (instance, pod, k8s_pod_name, service_instance_id, exported_instance, exported_pod, container, host_name) (http_requests_total)
    sum by (instance, pod, k8s_pod_name, service_instance_id, exported_instance, exported_pod, container, host_name) (http_requests_total{version="v2"})
    sum by (instance, pod, k8s_pod_name, service_instance_id, exported_instance, exported_pod, container, host_name, version) (http_requests_total{version="v2"})
    sum by (instance, pod, k8s_pod_name, service_instance_id, exported_instance, exported_pod, container, host_name, code, version) (http_requests_total{code=~"5..",version="v2"})
    sum by (instance, pod, k8s_pod_name, service_instance_id, exported_instance, exported_pod, container, host_name) (job:errors:inf5m{version="v2"})
    sum by (instance, pod, k8s_pod_name, service_instance_id, exported_instance, exported_pod, container, host_name) ({__name__="http_requests_total",version="v2"})
    sum by (instance, pod, k8s_pod_name, service_instance_id, exported_instance, exported_pod, container, host_name) ({"service.name"="a",__name__="http.requests",version="v2"})
    "#);
}

#[test]
fn sum_a_histogram_for_each_target_and_bucket() {
    let lines = [
        histogram_per_target(
            "request_seconds",
            &canary(),
            &TargetLabels::default(),
            &["version"],
        ),
        histogram_per_target(
            "request_seconds_bucket{job=\"api\"}",
            &canary(),
            &TargetLabels::default(),
            &["le", "zone"],
        ),
        histogram_per_target(
            "{\"request.seconds\"}",
            &canary(),
            &TargetLabels::default(),
            &[],
        ),
    ];
    insta::assert_snapshot!(joined(lines), @r#"
    sum by (instance, pod, k8s_pod_name, service_instance_id, exported_instance, exported_pod, container, host_name, le, vmrange, version) (request_seconds_bucket{version="v2"})
    sum by (instance, pod, k8s_pod_name, service_instance_id, exported_instance, exported_pod, container, host_name, le, vmrange, zone) (request_seconds_bucket{job="api",version="v2"})
    sum by (instance, pod, k8s_pod_name, service_instance_id, exported_instance, exported_pod, container, host_name, le, vmrange) ({__name__="request.seconds_bucket",version="v2"})
    "#);
}

#[test]
fn add_matchers_to_every_selector_of_a_gauge() {
    let lines = [
        gauge_values("memory_bytes", &canary()),
        gauge_values(
            "sum by (pod) (rate(cpu_seconds_total[5m])) / on (pod) limit",
            &canary(),
        ),
        gauge_values("max_over_time((a - b)[10m:30s] offset 1h)", &canary()),
        gauge_values(
            "topk(scalar(count(up)), memory_bytes{job=\"api\"} @ 1700000000)",
            &canary(),
        ),
        gauge_values("-a + bool_metric unless ignoring (x) (b and c)", &canary()),
        gauge_values(
            "label_replace(a, \"to\", \"$1\", \"from\", \"(.*)\")",
            &canary(),
        ),
        gauge_values(
            "quantile_over_time(scalar(q), a[5m]) > bool 2 * 1e3",
            &canary(),
        ),
        gauge_values("sum by () (a) + ignoring () b", &canary()),
    ];
    insta::assert_snapshot!(joined(lines), @r#"
    memory_bytes{version="v2"}
    sum by (pod) (rate(cpu_seconds_total{version="v2"}[5m])) / on (pod) limit{version="v2"}
    max_over_time((a{version="v2"} - b{version="v2"})[10m:30s] offset 1h)
    topk(scalar(count(up{version="v2"})), memory_bytes{job="api",version="v2"} @ 1700000000.000)
    -a{version="v2"} + bool_metric{version="v2"} unless ignoring (x) (b{version="v2"} and c{version="v2"})
    label_replace(a{version="v2"}, "to", "$1", "from", "(.*)")
    quantile_over_time(scalar(q{version="v2"}), a{version="v2"}[5m]) > bool 2 * 1000
    sum(a{version="v2"}) + b{version="v2"}
    "#);
}

#[test]
fn read_the_raw_samples_of_process_starts() {
    let lines = [
        process_starts(&canary(), 300),
        process_starts(&Matchers::new(), 86_461),
    ];
    insta::assert_snapshot!(joined(lines), @r#"
    process_start_time_seconds{version="v2"}[5m]
    process_start_time_seconds[1d1m1s]
    "#);
}

#[test]
fn sum_what_a_counter_gained() {
    let lines = [
        counter_increase("errors_total{job=\"a\"}", &canary(), 28 * 86_400),
        counter_increase("(errors_total)", &Matchers::new(), 5_400),
    ];
    insta::assert_snapshot!(joined(lines), @r#"
    sum(increase(errors_total{job="a",version="v2"}[4w]))
    sum(increase(errors_total[1h30m]))
    "#);
    for seconds in [0, -5, i64::MAX] {
        assert!(counter_increase("errors_total", &Matchers::new(), seconds).is_err());
    }
    assert!(counter_increase("rate(errors_total[5m])", &Matchers::new(), 60).is_err());
}

#[test]
fn write_every_operator() {
    let matchers = Matchers::from([
        Matcher::equal("a", "1"),
        Matcher {
            label: "b".into(),
            operator: MatchOperator::NotEqual,
            value: "2".into(),
        },
        Matcher::regex("c", "3|4"),
        Matcher {
            label: "d".into(),
            operator: MatchOperator::NotRegex,
            value: "5.*".into(),
        },
    ]);
    insta::assert_snapshot!(joined([counter_per_target("up", &matchers, &TargetLabels::default(), &[])]), @r#"sum by (instance, pod, k8s_pod_name, service_instance_id, exported_instance, exported_pod, container, host_name) (up{a="1",b!="2",c=~"3|4",d!~"5.*"})"#);
}

#[test]
fn write_hostile_values_as_values() {
    let hostile = "v2\"} or vector(1) # \\ ' ` {,} é";
    let matchers = Matchers::from([Matcher::equal("version", hostile)]);
    insta::assert_snapshot!(joined([counter_per_target("up", &matchers, &TargetLabels::default(), &[])]), @r#"sum by (instance, pod, k8s_pod_name, service_instance_id, exported_instance, exported_pod, container, host_name) (up{version="v2\"} or vector(1) # \\ ' ` {,} é"})"#);
}

#[test]
fn keep_both_matchers_where_values_can_satisfy_both() {
    let region = Matchers::from([Matcher::regex("region", "eu-1|us-1")]);
    let lines = [
        counter_per_target(
            "up{region=~\"(eu|us)-.*\"}",
            &region,
            &TargetLabels::default(),
            &[],
        ),
        counter_per_target(
            "up{version=~\"v.*\"}",
            &canary(),
            &TargetLabels::default(),
            &[],
        ),
        counter_per_target(
            "up{version!=\"v1\"}",
            &canary(),
            &TargetLabels::default(),
            &[],
        ),
        counter_per_target(
            "up{version=\"v2\"}",
            &Matchers::from([Matcher::regex("version", "v[23]")]),
            &TargetLabels::default(),
            &[],
        ),
    ];
    insta::assert_snapshot!(joined(lines), @r#"
    sum by (instance, pod, k8s_pod_name, service_instance_id, exported_instance, exported_pod, container, host_name) (up{region=~"(eu|us)-.*",region=~"eu-1|us-1"})
    sum by (instance, pod, k8s_pod_name, service_instance_id, exported_instance, exported_pod, container, host_name) (up{version="v2",version=~"v.*"})
    sum by (instance, pod, k8s_pod_name, service_instance_id, exported_instance, exported_pod, container, host_name) (up{version!="v1",version="v2"})
    sum by (instance, pod, k8s_pod_name, service_instance_id, exported_instance, exported_pod, container, host_name) (up{version="v2",version=~"v[23]"})
    "#);
}

#[test]
fn accept_what_pipelines_ask() {
    for selector in [
        "http_requests_total",
        "istio_requests_total{reporter=\"destination\"}",
    ] {
        check_counter_selector(selector).unwrap();
        check_gauge_expression(selector).unwrap();
    }
    check_gauge_expression("sum by (pod) (rate(cpu_seconds_total[5m]))").unwrap();
}

fn joined<const N: usize, E: std::fmt::Display>(lines: [Result<String, E>; N]) -> String {
    lines
        .into_iter()
        .map(|line| line.unwrap_or_else(|error| format!("error: {error}")))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_matchers_stand_where_the_text_asks_for_them_and_the_mark_goes_nowhere() {
    let lines = [
        gauge_values(
            "rate(cpu[2m]) * on (pod) group_left () kube_pod_labels{__population__=\"\"}",
            &canary(),
        ),
        gauge_values(
            "a{__population__=\"\",b=\"c\"} / on () group_left () sum(a)",
            &canary(),
        ),
        counter_per_target(
            "a_total{__population__=\"\"}",
            &canary(),
            &TargetLabels::default(),
            &[],
        ),
    ];
    insta::assert_snapshot!(lines.map(Result::unwrap).join("\n"), @r#"
    rate(cpu[2m]) * on (pod) group_left () kube_pod_labels{version="v2"}
    a{b="c",version="v2"} / on () group_left () sum(a)
    sum by (instance, pod, k8s_pod_name, service_instance_id, exported_instance, exported_pod, container, host_name) (a_total{version="v2"})
    "#);
}
