//! Control and canary in one query, and regions.

use serinus_analysis::matchers::{Matcher, Matchers};
use serinus_analysis::query::{combine, counter_per_target, regex_escape, region_matcher};
use serinus_analysis::series::TargetLabels;

fn population(version: &str) -> Matchers {
    Matchers::from([
        Matcher::equal("job", "api"),
        Matcher::equal("version", version),
    ])
}

#[test]
fn combine_populations_that_one_label_tells_apart() {
    let combined = combine(
        &population("v1.0"),
        &population("v2+b|\"c"),
        &TargetLabels::default(),
    )
    .unwrap();
    assert_eq!(combined.label, "version");
    assert_eq!(combined.control_value, "v1.0");
    assert_eq!(combined.canary_value, "v2+b|\"c");
    assert_eq!(
        combined.matchers,
        Matchers::from([
            Matcher::equal("job", "api"),
            Matcher::regex("version", "v1\\.0|v2\\+b\\|\"c"),
        ])
    );
    insta::assert_snapshot!(
        counter_per_target("up", &combined.matchers, &TargetLabels::default(), &[&combined.label]).unwrap(),
        @r#"sum by (instance, pod, k8s_pod_name, service_instance_id, exported_instance, exported_pod, container, host_name, version) (up{job="api",version=~"v1\\.0|v2\\+b\\|\"c"})"#
    );
}

#[test]
fn do_not_combine_populations_that_differ_otherwise() {
    let pinned = |label: &str, value: &str| Matchers::from([Matcher::equal(label, value)]);
    let with = |mut matchers: Matchers, matcher: Matcher| {
        matchers.insert(matcher);
        matchers
    };
    let pairs = [
        (population("v1"), population("v1")),
        (
            population("v1"),
            with(population("v2"), Matcher::equal("zone", "a")),
        ),
        (pinned("track", "stable"), pinned("version", "v2")),
        (
            population("v1"),
            Matchers::from([Matcher::equal("version", "v2")]),
        ),
        (
            population("v1"),
            Matchers::from([
                Matcher::equal("job", "api"),
                Matcher::regex("version", "v2"),
            ]),
        ),
        (pinned("version", ""), pinned("version", "v2")),
        (pinned("instance", "a"), pinned("instance", "b")),
        (pinned("pod", "a"), pinned("pod", "b")),
        (pinned("le", "1"), pinned("le", "2")),
        (
            with(population("v1"), Matcher::regex("version", "v.*")),
            with(population("v2"), Matcher::regex("version", "v.*")),
        ),
        (Matchers::new(), Matchers::new()),
    ];
    for (control, canary) in pairs {
        assert_eq!(
            combine(&control, &canary, &TargetLabels::default()),
            None,
            "{control:?} {canary:?}"
        );
        assert_eq!(
            combine(&canary, &control, &TargetLabels::default()),
            None,
            "{control:?} {canary:?}"
        );
    }
}

#[test]
fn select_regions() {
    let regions = |names: &[&str]| {
        let names = names.iter().map(ToString::to_string).collect::<Vec<_>>();
        region_matcher("region", &names)
    };
    assert_eq!(regions(&[]), None);
    assert_eq!(regions(&["eu.1"]), Some(Matcher::equal("region", "eu.1")));
    assert_eq!(
        regions(&["eu.1", "eu.1"]),
        Some(Matcher::equal("region", "eu.1"))
    );
    assert_eq!(
        regions(&["us-1", "eu.1"]),
        Some(Matcher::regex("region", "eu\\.1|us-1"))
    );
}

#[test]
fn escape_what_has_a_meaning_in_patterns_only() {
    assert_eq!(regex_escape("a.b*c"), "a\\.b\\*c");
    assert_eq!(
        regex_escape("\\.+*?()|[]{}^$"),
        "\\\\\\.\\+\\*\\?\\(\\)\\|\\[\\]\\{\\}\\^\\$"
    );
    assert_eq!(regex_escape("a-b_c d#e&f~g\"é"), "a-b_c d#e&f~g\"é");
}
