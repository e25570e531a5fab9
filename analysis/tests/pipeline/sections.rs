//! The sections beside the stages: metrics, populations, settings.

use serinus_analysis::matchers::{MatchOperator, Matcher, Matchers};
use serinus_analysis::pipeline::{
    AnalysisSettings, Better, Dimension, ErrorBudget, Exposure, KayentaSettings, Method,
    MetricKind, OnInconclusive, PopulationCheck, Selection, SplitCheck, parse, preset_metrics,
};
use serinus_analysis::series::{Populations, TargetLabels};

use crate::support::{Comparison, SEED, absolute, must_hold, read};

#[test]
fn every_kind_of_metric_can_be_defined() {
    let pipeline = read(
        r#"
metrics:
  error_rate: {errors: 'errors_total{job="a"}', total: all_total}
  hits: {events: hits_total, total: all_total, better: higher}
  crashes: {events: crashes_total, per: pod_hours}
  sent: {events: sent_total, per: traffic_share, better: higher}
  wait_p90: {quantile: 90%, histogram: 'wait_ms_bucket{job="a"}', scale: 0.001}
  size_p50: {quantile: 0.5, histogram: response_size, unit: bytes}
  heap: {gauge: "heap_used_bytes
  / heap_limit_bytes", unit: fraction}
  depth: {gauge: depth}
  lost_hits: {impact_of: hits}
canary_pipeline:
  stage: {traffic_percent: 5, duration_minutes: 60, metrics: [lost_hits < 1%, heap < 80%, size_p50 < 10KiB, depth < 5min]}
"#,
    );
    let metric = |name: &str| pipeline.metrics[name].clone();
    assert_eq!(
        metric("error_rate").kind,
        MetricKind::Proportion {
            events: "errors_total{job=\"a\"}".into(),
            total: "all_total".into(),
            strata: None
        }
    );
    assert_eq!(metric("error_rate").better, Better::Lower);
    assert_eq!(metric("hits").better, Better::Higher);
    assert_eq!(metric("hits").dimension, Dimension::Fraction);
    assert_eq!(
        metric("crashes").kind,
        MetricKind::EventRate {
            events: "crashes_total".into(),
            per: Exposure::PodHours
        }
    );
    assert!(matches!(
        metric("sent").kind,
        MetricKind::EventRate {
            per: Exposure::TrafficShare,
            ..
        }
    ));
    assert_eq!(
        metric("wait_p90").kind,
        MetricKind::Quantile {
            quantile: 0.9,
            histogram: "wait_ms{job=\"a\"}".into(),
            is_native: false,
            scale: Populations::same(0.001)
        }
    );
    assert_eq!(metric("wait_p90").dimension, Dimension::Seconds);
    assert_eq!(metric("size_p50").dimension, Dimension::Bytes);
    assert_eq!(metric("heap").dimension, Dimension::Fraction);
    assert_eq!(metric("depth").dimension, Dimension::Number);
    // An impact is measured as the metric that it is of.
    assert_eq!(pipeline.metrics.get("lost_hits"), None);
    let check = &pipeline.stages[0].checks[0];
    assert_eq!(
        (check.metric.as_str(), &*check.measured),
        ("lost_hits", &metric("hits"))
    );
    // What the file does not define stays the preset's.
    assert_eq!(
        metric("latency_p99"),
        preset_metrics("prometheus").unwrap()["latency_p99"]
    );
}

#[test]
fn populations_are_label_matchers() {
    let pipeline = read(SEED);
    assert_eq!(
        pipeline.control,
        Matchers::from([Matcher::equal("track", "stable")])
    );
    assert_eq!(
        pipeline.canary,
        Matchers::from([Matcher::equal("track", "canary")])
    );
    assert_eq!(pipeline.region_label, "region");
    assert_eq!(pipeline.target_labels, TargetLabels::default());
    let text = format!(
        "control: {{canary: \"\", pod: {{\"!~\": \"a-6d4.*\", \"!=\": b}}}}\n\
         canary: {{pod: {{\"=~\": \"a-6d4.*\"}}, zone: \" a \"}}\n\
         region_label: zone\ntarget_labels: [instance, worker]\n{SEED}"
    );
    let pipeline = read(&text);
    let matcher = |label: &str, operator: MatchOperator, value: &str| Matcher {
        label: label.to_owned(),
        operator,
        value: value.to_owned(),
    };
    assert_eq!(
        pipeline.control,
        Matchers::from([
            Matcher::equal("canary", ""),
            matcher("pod", MatchOperator::NotRegex, "a-6d4.*"),
            matcher("pod", MatchOperator::NotEqual, "b"),
        ])
    );
    assert_eq!(
        pipeline.canary,
        Matchers::from([
            Matcher::regex("pod", "a-6d4.*"),
            Matcher::equal("zone", " a ")
        ])
    );
    assert_eq!(pipeline.region_label, "zone");
    let labels: Vec<&str> = pipeline.target_labels.iter().collect();
    assert_eq!(labels, ["instance", "worker"]);
}

#[test]
fn settings_have_defaults_and_can_be_given() {
    assert_eq!(read(SEED).analysis, AnalysisSettings::default());
    let pipeline = read(&format!(
        "analysis: {{method: kayenta, false_rollback: 5%, false_promote: 0.1, confidence: 95%, \
         interval: 1min, lag: 0, history: 168h, on_inconclusive: rollback, promote_ratio: 2, \
         split_check: warn, population_check: off, cold_start: 45m, \
         kayenta: {{pass: 90, marginal: 50, groups: {{errors: 60, own: 40}}, effect: {{critical_increase: 1.5, \
         critical_decrease: 0.5}}}}}}\n\
         name: own-name\nsource: thanos\ndry_run: true\nkill_switch: [error_rate > 5%]\n{SEED}"
    ));
    assert_eq!(
        pipeline.analysis,
        AnalysisSettings {
            method: Method::Kayenta,
            false_rollback: 0.05,
            false_promote: 0.1,
            confidence: 0.95,
            interval_seconds: 60,
            lag_seconds: 0,
            history_seconds: Some(604_800),
            on_inconclusive: OnInconclusive::Rollback,
            promote_ratio: Some(2.0),
            split_check: SplitCheck::Warn,
            population_check: PopulationCheck::Off,
            promote_offset: 0.001,
            warm_up_seconds: None,
            cold_start_seconds: Some(2_700),
            pod_spread: true,
            kayenta: KayentaSettings {
                pass: 90.0,
                marginal: 50.0,
                groups: [("errors".to_owned(), 60.0), ("own".to_owned(), 40.0)].into(),
                critical_increase: 1.5,
                critical_decrease: 0.5,
            },
            is_interval_given: true,
        }
    );
    for (text, seconds) in [
        ("off", None),
        ("\"off\"", None),
        ("4h", Some(14_400)),
        ("1440min", Some(86_400)),
    ] {
        let given = read(&format!("analysis: {{history: {text}}}\n{SEED}"));
        assert_eq!(given.analysis.history_seconds, seconds, "{text}");
    }
    assert_eq!(pipeline.name, "own-name");
    assert_eq!(pipeline.sources.default.as_deref(), Some("thanos"));
    assert!(pipeline.dry_run);
    assert_eq!(
        must_hold(&pipeline.kill_switch[0]),
        absolute(Comparison::LessOrEqual, 0.05),
        "what must not be is told as what must"
    );
}

#[test]
fn a_metric_may_say_that_its_events_may_be_absent() {
    let metrics = "metrics: {a: {errors: e_total, total: t_total, events_may_be_absent: true}, b: \
                   {errors: e_total, per: pod_hours}}";
    let read = read(&format!("{metrics}\n{SEED}"));
    assert!(read.metrics["a"].events_may_be_absent);
    assert!(!read.metrics["b"].events_may_be_absent);
    assert!(!read.metrics["error_rate"].events_may_be_absent);
    let meaningless = "metrics: {c: {gauge: up, events_may_be_absent: true}}";
    assert!(parse(&format!("{meaningless}\n{SEED}"), "test").is_err());
}

#[test]
fn an_error_budget_has_the_defaults_of_the_seed_and_can_be_given() {
    assert_eq!(read(SEED).error_budget, None);
    let given = read(&format!(
        "error_budget: {{metric: error_rate, objective: 99.9%}}\n{SEED}"
    ));
    let budget = given.error_budget.unwrap();
    assert_eq!(budget.metric, "error_rate");
    assert_eq!((budget.objective, budget.minimum_remaining), (0.999, 0.001));
    assert_eq!(budget.window_seconds, 28 * 86_400);
    assert!(budget.selector.is_empty());
    let given = read(&format!(
        "error_budget: {{metric: error_rate, objective: 0.95, window: 720h, \
         minimum_remaining: 5%, selector: {{service: checkout}}}}\n{SEED}"
    ));
    let expected = ErrorBudget {
        metric: "error_rate".to_owned(),
        objective: 0.95,
        window_seconds: 720 * 3_600,
        minimum_remaining: 0.05,
        selector: Matchers::from([Matcher::equal("service", "checkout")]),
    };
    assert_eq!(given.error_budget, Some(expected));
}

#[test]
fn what_is_read_may_be_said_of_a_population_alone() {
    let pipeline = read(&format!(
        r"
metrics:
  error_rate:
    total: [calls_total, sessions_total]
    control: {{errors: old_failures_total, system: old}}
    canary: {{errors: new_failures_total, source: east}}
  wait_p90: {{quantile: 0.9, control: {{histogram: wait_ms}}, canary: {{histogram: wait_seconds}}}}
{SEED}"
    ));
    let metric = &pipeline.metrics["error_rate"];
    let list = |texts: &[&str]| {
        texts
            .iter()
            .map(|&text| text.to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        metric.kind,
        MetricKind::Proportion {
            events: Selection::new(Populations {
                control: list(&["old_failures_total"]),
                canary: list(&["new_failures_total"]),
            }),
            total: Selection::all_of(list(&["calls_total", "sessions_total"])),
            strata: None,
        }
    );
    assert!(metric.own.control.matchers.is_some());
    assert!(metric.own.canary.matchers.is_none());
    assert_eq!(metric.own.canary.source.as_deref(), Some("east"));
    let MetricKind::Quantile { scale, .. } = &pipeline.metrics["wait_p90"].kind else {
        panic!("no quantile");
    };
    assert_eq!((scale.control, scale.canary), (0.001, 1.0));
}

#[test]
fn of_several_presets_each_is_taken_for_what_it_is_about() {
    let pipeline = read(&format!(
        "presets:\n  - {{preset: istio, canary: {{destination_version: v2}}}}\n  - {{preset: kubernetes, \
         canary: {{pod: {{\"=~\": \"v2-.*\"}}}}}}\n{SEED}"
    ));
    let label_of = |metric: &str| {
        let own = &pipeline.metrics[metric].own.canary;
        let text = format!("{:?}", own.matchers);
        ["destination_version", "pod"]
            .into_iter()
            .find(|label| text.contains(label))
    };
    assert_eq!(label_of("error_rate"), Some("destination_version"));
    assert_eq!(label_of("latency_p99"), Some("destination_version"));
    assert_eq!(label_of("cpu_usage"), Some("pod"));
    let istio = preset_metrics("istio").unwrap();
    assert_eq!(
        pipeline.metrics["error_rate"].kind,
        istio["error_rate"].kind
    );
}

#[test]
fn populations_and_regions_may_be_on_servers_of_their_own() {
    let stage = "canary_pipeline:\n  a: {traffic_percent: 5, duration_minutes: 60, regions: [eu, ap], \
                 metrics: [error_rate < 1%]}\n";
    let pipeline = read(&format!(
        "source: {{eu: prometheus-eu, us: prometheus-us}}\ncontrol: {{track: stable, source: \
         old}}\ncanary: {{track: canary, zone: {{\"=\": a}}}}\n{}",
        stage.replace(", ap", "")
    ));
    let sources = &pipeline.sources;
    assert_eq!(sources.regions["us"], "prometheus-us");
    assert_eq!(sources.populations.control.as_deref(), Some("old"));
    assert_eq!(sources.populations.canary, None);
    // A label of that name is written with its operator.
    let labelled = read(&format!("control: {{source: {{\"=\": east}}}}\n{SEED}"));
    assert_eq!(
        labelled.control,
        Matchers::from([Matcher::equal("source", "east")])
    );

    let told = parse(&format!("source: {{eu: prometheus-eu}}\n{stage}"), "test").unwrap_err();
    assert_eq!(
        told[0].message,
        "the region \"ap\" has no source: add it under \"source\", beside eu"
    );
}
