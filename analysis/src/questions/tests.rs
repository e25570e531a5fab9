//! What is asked, and what is made of the answers.

mod control;
mod native;
mod populations;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::data::{FaultCode, MetricData};
use crate::matchers::Matcher;
use crate::pipeline::{
    AnalysisSettings, Better, Check, Comparison, Condition, Dimension, Exposure, Metric,
    SourceNames, Subject, WrittenCheck,
};
use crate::series::{DataQuality, TargetLabels};

const START_MS: i64 = 1_700_000_010_000;
const STEP_MS: i64 = 10_000;

/// Sums of targets, as a past is read.
const SUMS: Form = Form::Sums { step_ms: STEP_MS };

fn metric(name: &str, kind: MetricKind) -> (String, Metric) {
    let metric = Metric {
        name: name.to_owned(),
        kind,
        better: Better::Lower,
        dimension: Dimension::Number,
        events_may_be_absent: false,
        own: Populations::default(),
    };
    (name.to_owned(), metric)
}

/// `metric < 1`, of one of the metrics here.
fn check(name: &str) -> Check {
    let known = |name: &str| Arc::new(metrics().remove(name).unwrap());
    let subject = match name {
        "business_impact" => Subject::ImpactOf(known("orders")),
        _ => Subject::Itself(known(name)),
    };
    below(name, 1.0, subject)
}

/// `metric < limit`.
fn below(name: &str, limit: f64, subject: Subject) -> Check {
    let condition = Condition::Absolute {
        comparison: Comparison::Less,
        limit,
    };
    WrittenCheck::new(name, &format!("{name} < {limit}"), condition)
        .resolved(subject, &AnalysisSettings::default())
}

/// The stage's only check is `metric < limit`, of a metric that is not among those here.
fn stage_of(name: &str, kind: MetricKind, limit: f64) -> Stage {
    let (_, metric) = metric(name, kind);
    let subject = Subject::Itself(Arc::new(metric));
    Stage {
        checks: vec![below(name, limit, subject)],
        ..stage(&[])
    }
}

fn counter_share(events: &str) -> MetricKind {
    MetricKind::Proportion {
        events: events.into(),
        total: "http_requests_total".into(),
        strata: None,
    }
}

fn event_rate(events: &str) -> MetricKind {
    MetricKind::EventRate {
        events: events.into(),
        per: Exposure::TrafficShare,
    }
}

fn metrics() -> BTreeMap<String, Metric> {
    BTreeMap::from([
        metric("error_rate", counter_share("http_errors_total")),
        metric("retry_rate", counter_share("http_retries_total")),
        metric(
            "latency_p99",
            MetricKind::Quantile {
                quantile: 0.99,
                histogram: "http_seconds".into(),
                is_native: false,
                scale: Populations::same(1.0),
            },
        ),
        metric(
            "cpu",
            MetricKind::Gauge {
                expression: "cpu_ratio".into(),
                load: None,
                pod_label: None,
            },
        ),
        metric("orders", event_rate("orders_total")),
    ])
}

fn pipeline() -> Pipeline {
    Pipeline {
        name: "shop".to_owned(),
        sources: SourceNames::default(),
        control: Matchers::from([Matcher::equal("version", "1")]),
        canary: Matchers::from([Matcher::equal("version", "2")]),
        written: Populations::default(),
        region_label: "region".to_owned(),
        target_labels: TargetLabels::default(),
        metrics: metrics(),
        analysis: AnalysisSettings::default(),
        kill_switch: Vec::new(),
        error_budget: None,
        dry_run: false,
        stages: Vec::new(),
    }
}

fn stage(metrics: &[&str]) -> Stage {
    Stage {
        id: "stage_1".to_owned(),
        name: "one".to_owned(),
        traffic_percent: 10.0,
        duration_minutes: 10.0,
        max_duration_minutes: 20.0,
        promote_early: false,
        regions: Vec::new(),
        rollback_point: false,
        shadow: false,
        warm_up_seconds: None,
        cold_start_seconds: None,
        checks: metrics.iter().map(|name| check(name)).collect(),
        inherits_checks: false,
    }
}

fn grid(intervals: i64) -> Grid {
    Grid::covering(START_MS, START_MS + intervals * 30_000, 30_000)
}

fn plan_of(pipeline: &Pipeline, stage: &Stage) -> StageQuestions {
    let populations = Populations {
        control: &pipeline.control,
        canary: &pipeline.canary,
    };
    StageQuestions::new(pipeline, stage, populations, grid(1), SUMS).unwrap()
}

fn plan(metrics: &[&str]) -> StageQuestions {
    plan_of(&pipeline(), &stage(metrics))
}

/// Populations that only two queries can tell apart.
fn apart() -> Pipeline {
    Pipeline {
        canary: Matchers::from([Matcher::regex("pod", "canary-.*")]),
        control: Matchers::from([Matcher::regex("pod", "shop-.*")]),
        ..pipeline()
    }
}

fn texts(plan: &StageQuestions) -> Vec<&str> {
    plan.questions()
        .iter()
        .map(|question| question.promql.as_str())
        .collect()
}

/// A counter of one pod at 0, 10, 20 and 30 s.
fn counter(version: &str, more: &[(&str, &str)], values: [f64; 4]) -> Series {
    let labels = [("instance", "i"), ("pod", version), ("version", version)];
    Series {
        labels: labels
            .iter()
            .chain(more)
            .map(|(label, value)| ((*label).to_owned(), (*value).to_owned()))
            .collect(),
        timestamps_ms: [0, 10_000, 20_000, 30_000].map(|at| START_MS + at).to_vec(),
        values: values.to_vec(),
    }
}

/// Answers each question by what its text contains; nothing for the others.
fn answers(plan: &StageQuestions, by_text: &[(&str, Answered)]) -> Vec<Answered> {
    plan.questions()
        .iter()
        .map(|question| {
            by_text
                .iter()
                .find(|(text, _)| question.promql.contains(text))
                .map_or_else(
                    || Ok((Vec::new(), Vec::new())),
                    |(_, answer)| answer.clone(),
                )
        })
        .collect()
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "an answer that is no fault, where either may stand"
)]
fn ok(series: Vec<Series>) -> Answered {
    Ok((series, Vec::new()))
}

fn requests() -> Answered {
    ok(vec![
        counter("1", &[], [0.0, 10.0, 20.0, 90.0]),
        counter("2", &[], [0.0, 1.0, 2.0, 10.0]),
    ])
}

fn fault(data: &StageData, metric: &str) -> DataFault {
    match data.metrics.get(metric) {
        Some(MetricData::Fault(fault)) => fault.clone(),
        other => panic!("no fault but {other:?}"),
    }
}

/// Canary and control, events of total.
fn counts(data: &StageData, metric: &str) -> [(f64, f64); 2] {
    match data.metrics.get(metric) {
        Some(MetricData::Counts(counts)) => {
            let sums = counts.totals();
            [sums.canary, sums.control].map(|arm| (arm.events, arm.exposure))
        }
        other => panic!("no counts but {other:?}"),
    }
}

/// The sum of a selector for each target.
fn sum(more_labels: &str, selector: &str) -> String {
    let labels = TargetLabels::default()
        .iter()
        .collect::<Vec<_>>()
        .join(", ");
    format!("sum by ({labels}{more_labels}) ({selector})")
}

fn quality(data: &StageData, metric: &str) -> DataQuality {
    match data.metrics.get(metric) {
        Some(MetricData::Counts(counts)) => counts.quality,
        Some(MetricData::Histogram(histogram)) => histogram.quality,
        other => panic!("no counts but {other:?}"),
    }
}

#[test]
fn one_query_answers_for_both_populations_where_a_label_tells_them_apart() {
    let plan = plan(&["error_rate"]);
    assert_eq!(
        texts(&plan),
        [
            sum(", version", "http_requests_total{version=~\"1|2\"}").as_str(),
            sum(", version", "http_errors_total{version=~\"1|2\"}").as_str(),
            "process_start_time_seconds{version=~\"1|2\"}[5m30s]",
        ]
    );
    let range = QuestionTime::Range {
        start_ms: START_MS,
        end_ms: START_MS + 30_000,
        step_ms: STEP_MS,
    };
    let instant = QuestionTime::Instant {
        at_ms: START_MS + 30_000,
    };
    let times: Vec<_> = plan
        .questions()
        .iter()
        .map(|question| question.time)
        .collect();
    assert_eq!(times, [range, range, instant]);
}

#[test]
fn populations_that_no_label_tells_apart_are_asked_for_one_by_one() {
    let pipeline = apart();
    let plan = plan_of(&pipeline, &stage(&["error_rate"]));
    assert_eq!(plan.questions().len(), 6);
    let sum = sum("", "http_errors_total{pod=~\"shop-.*\"}");
    assert!(texts(&plan).contains(&sum.as_str()));
}

#[test]
fn metrics_with_a_query_in_common_share_it() {
    let plan = plan(&["error_rate", "retry_rate", "error_rate"]);
    assert_eq!(plan.questions().len(), 4);
    let total = plan
        .questions()
        .iter()
        .find(|question| question.promql.contains("http_requests_total"))
        .unwrap();
    assert_eq!(
        total.metrics,
        BTreeSet::from(["error_rate".to_owned(), "retry_rate".to_owned()])
    );
}

#[test]
fn kill_switches_and_the_metric_of_an_impact_are_asked_for() {
    let mut pipeline = pipeline();
    pipeline.kill_switch = vec![check("error_rate")];
    let plan = plan_of(&pipeline, &stage(&["business_impact"]));
    let data = plan.assemble(&[]);
    let names: Vec<_> = data.metrics.keys().map(String::as_str).collect();
    assert_eq!(names, ["error_rate", "orders"]);
}

#[test]
fn gauges_are_read_series_by_series_at_the_end_of_each_interval() {
    let plan = plan(&["cpu"]);
    assert_eq!(
        texts(&plan),
        [
            "cpu_ratio{version=\"1\"}",
            "cpu_ratio{version=\"2\"}",
            "process_start_time_seconds{version=~\"1|2\"}[5m30s]",
        ]
    );
    let end_ms = START_MS + 30_000;
    let time = QuestionTime::Range {
        start_ms: end_ms,
        end_ms,
        step_ms: 30_000,
    };
    let values = || {
        let all = plan.questions().iter();
        all.filter(|one| !one.promql.contains("start_time"))
    };
    assert!(values().count() == 2 && values().all(|question| question.time == time));
    let value = |pod: &str, value: f64| Series {
        labels: [("pod".to_owned(), pod.to_owned())].into(),
        timestamps_ms: vec![end_ms],
        values: vec![value],
    };
    let idle = value("c", f64::NAN);
    let canary = vec![value("a", 0.5), value("b", 1.0), idle];
    let data = plan.assemble(&[ok(vec![value("a", 0.5)]), ok(canary)]);
    let Some(MetricData::Gauge(gauge)) = data.metrics.get("cpu") else {
        panic!("no gauge");
    };
    let expected = Populations {
        control: Some(0.5),
        canary: Some(0.75),
    };
    assert_eq!(gauge.intervals, [expected]);
}

#[test]
fn regions_are_added_to_both_populations() {
    let regional = Stage {
        regions: vec!["us-west-2".to_owned()],
        ..stage(&["error_rate", "cpu"])
    };
    let plan = plan_of(&pipeline(), &regional);
    assert!(
        texts(&plan)
            .iter()
            .all(|text| text.contains("region=\"us-west-2\""))
    );
    assert!(texts(&plan)[0].contains("version"));
}

#[test]
fn at_all_of_the_traffic_the_control_is_not_asked_for() {
    for pipeline in [pipeline(), apart()] {
        let last = Stage {
            traffic_percent: 100.0,
            ..stage(&["error_rate", "cpu"])
        };
        let plan = plan_of(&pipeline, &last);
        assert_eq!(plan.questions().len(), 4, "{:?}", texts(&plan));
        assert!(
            !texts(&plan)
                .iter()
                .any(|text| text.contains("shop-") || text.contains("\"1"))
        );
    }
}

#[test]
fn a_long_window_is_asked_for_in_pieces_and_joined() {
    let pipeline = pipeline();
    let populations = Populations {
        control: &pipeline.control,
        canary: &pipeline.canary,
    };
    let stage = stage(&["error_rate"]);
    let plan = StageQuestions::new(
        &pipeline,
        &stage,
        populations,
        grid(500),
        Form::Sums { step_ms: 1_000 },
    )
    .unwrap();
    let totals: Vec<_> = plan
        .questions()
        .iter()
        .filter(|question| question.promql.contains("http_requests_total"))
        .collect();
    assert_eq!(totals.len(), 2);
    let answered: Vec<Answered> = plan
        .questions()
        .iter()
        .map(|question| {
            let QuestionTime::Range {
                start_ms,
                end_ms,
                step_ms,
            } = question.time
            else {
                return ok(Vec::new());
            };
            let is_total = question.promql.contains("http_requests_total");
            let times: Vec<i64> = (start_ms..=end_ms)
                .step_by(usize::try_from(step_ms).unwrap())
                .collect();
            let values = times
                .iter()
                .map(|at| (at - START_MS) as f64 / 1_000.0)
                .collect();
            let series = Series {
                timestamps_ms: times,
                values,
                ..counter("2", &[], [0.0; 4])
            };
            ok(if is_total { vec![series] } else { Vec::new() })
        })
        .collect();
    assert_eq!(
        counts(&plan.assemble(&answered), "error_rate")[0],
        (0.0, 15_000.0)
    );
}

#[test]
fn an_empty_grid_asks_nothing_and_has_no_data() {
    let pipeline = pipeline();
    let populations = Populations {
        control: &pipeline.control,
        canary: &pipeline.canary,
    };
    let stage = stage(&["error_rate", "cpu"]);
    let plan = StageQuestions::new(&pipeline, &stage, populations, grid(0), SUMS).unwrap();
    assert!(plan.questions().is_empty());
    let data = plan.assemble(&[]);
    assert_eq!(fault(&data, "error_rate").code, FaultCode::NoData);
    assert_eq!(fault(&data, "cpu").code, FaultCode::NoData);
}

#[test]
fn a_step_that_does_not_divide_the_interval_is_replaced() {
    let pipeline = pipeline();
    let populations = Populations {
        control: &pipeline.control,
        canary: &pipeline.canary,
    };
    for step_ms in [0, -1, 7_000, 60_000] {
        let plan = StageQuestions::new(
            &pipeline,
            &stage(&["error_rate"]),
            populations,
            grid(1),
            Form::Sums { step_ms },
        )
        .unwrap();
        let QuestionTime::Range { step_ms, .. } = plan.questions()[0].time else {
            panic!("no range");
        };
        assert_eq!(step_ms, 10_000);
    }
}

#[test]
fn everything_that_cannot_be_asked_is_told_at_once() {
    let pipeline = pipeline();
    let populations = Populations {
        control: &pipeline.control,
        canary: &pipeline.canary,
    };
    let errors = |stage: &Stage, populations| {
        StageQuestions::new(&pipeline, stage, populations, grid(1), SUMS).unwrap_err()
    };
    let mut both = stage_of("pinned", counter_share("errors_total{version=\"3\"}"), 1.0);
    both.checks.push(check("error_rate"));
    let refused = errors(&both, populations);
    assert!(
        matches!(&refused[..], [QuestionError::Metric { metric, .. }] if metric == "pinned"),
        "{refused:?}"
    );
    let broken = Matchers::from([Matcher::regex("version", "(")]);
    let control = Populations {
        control: &broken,
        ..populations
    };
    let wrong = errors(&stage(&["error_rate", "retry_rate"]), control);
    assert!(
        matches!(
            &wrong[..],
            [QuestionError::Matchers {
                population: "control",
                ..
            }]
        ),
        "{wrong:?}"
    );
}

#[test]
fn combined_answers_are_split_by_the_label() {
    let plan = plan(&["error_rate"]);
    let errors = ok(vec![
        counter("1", &[], [0.0, 0.0, 3.0, 3.0]),
        counter("2", &[], [0.0, 0.0, 0.0, 1.0]),
        counter("3", &[], [0.0, 50.0, 60.0, 70.0]),
    ]);
    let given = answers(
        &plan,
        &[("http_errors", errors), ("http_requests", requests())],
    );
    assert_eq!(
        counts(&plan.assemble(&given), "error_rate"),
        [(1.0, 10.0), (3.0, 90.0)]
    );
}

#[test]
fn a_service_without_a_series_of_errors_has_none() {
    let plan = plan(&["error_rate"]);
    let data = plan.assemble(&answers(&plan, &[("http_requests", requests())]));
    assert_eq!(counts(&data, "error_rate"), [(0.0, 10.0), (0.0, 90.0)]);
    assert!(data.source_warnings.is_empty());
}

/// A selector that is wrong looks the same as a service that never fails: it is noted.
#[test]
fn events_of_which_neither_population_has_a_series_are_noted() {
    let is_noted = |plan: &StageQuestions, events: Vec<Series>| {
        let given = [("http_errors", ok(events)), ("http_requests", requests())];
        quality(&plan.assemble(&answers(plan, &given)), "error_rate").no_event_series
    };
    for pipeline in [pipeline(), apart()] {
        assert!(is_noted(
            &plan_of(&pipeline, &stage(&["error_rate"])),
            Vec::new()
        ));
    }
    let plan = plan(&["error_rate"]);
    assert!(is_noted(&plan, vec![counter("3", &[], [1.0; 4])]));
    for version in ["1", "2"] {
        assert!(!is_noted(&plan, vec![counter(version, &[], [1.0; 4])]));
    }
}

/// Raw samples of the start of one process, scraped every so often by two Prometheus servers.
fn scraped_twice(period_ms: i64, apart_ms: i64) -> Vec<Series> {
    let scraped = |replica: &str, first_ms: i64| {
        let times: Vec<i64> = (0..20).map(|n| first_ms + n * period_ms).collect();
        Series {
            values: vec![(START_MS - 900_000) as f64 / 1_000.0; times.len()],
            timestamps_ms: times,
            ..counter("2", &[("replica", replica)], [0.0; 4])
        }
    };
    vec![scraped("a", START_MS), scraped("b", START_MS + apart_ms)]
}

#[test]
fn a_target_that_two_servers_scrape_is_scraped_as_often_as_by_one() {
    let plan = plan(&["error_rate"]);
    let given = answers(
        &plan,
        &[
            ("process_start", ok(scraped_twice(15_000, 40))),
            ("http_requests", requests()),
        ],
    );
    assert_eq!(plan.scrape_period_ms(&given), Some(15_000));
    assert!(!quality(&plan.assemble(&given), "error_rate").missed_scrapes);
}

#[test]
fn scrapes_between_the_instants_are_noted() {
    let plan = plan(&["error_rate", "latency_p99", "orders"]);
    let mut buckets = counter("2", &[("le", "+Inf")], [0.0, 1.0, 2.0, 3.0]);
    buckets.labels.remove("pod");
    let given = answers(
        &plan,
        &[
            ("process_start", ok(scraped_twice(1_000, 40))),
            ("http_requests", requests()),
            ("http_seconds", ok(vec![buckets])),
            ("orders", requests()),
        ],
    );
    let data = plan.assemble(&given);
    for metric in ["error_rate", "latency_p99", "orders"] {
        assert!(quality(&data, metric).missed_scrapes, "{metric}");
    }
}

#[test]
fn a_step_that_is_too_fine_for_a_long_window_is_coarsened() {
    let pipeline = pipeline();
    let populations = Populations {
        control: &pipeline.control,
        canary: &pipeline.canary,
    };
    let stage = stage(&["error_rate"]);
    let plan = |intervals| {
        StageQuestions::new(
            &pipeline,
            &stage,
            populations,
            grid(intervals),
            Form::Sums { step_ms: 250 },
        )
        .unwrap()
    };
    assert_eq!(plan(1_000).form(), Form::Sums { step_ms: 250 });
    assert_eq!(plan(20_160).form(), Form::Sums { step_ms: 3_750 });
    let instants: i64 = plan(20_160)
        .questions()
        .iter()
        .filter(|question| question.promql.contains("http_requests"))
        .map(|question| match question.time {
            QuestionTime::Range {
                start_ms,
                end_ms,
                step_ms,
            } => (end_ms - start_ms) / step_ms + 1,
            QuestionTime::Instant { .. } => 1,
        })
        .sum();
    assert_eq!(instants, 20_160 * 8 + 1);
}

#[test]
fn the_last_chunk_takes_the_samples_and_gets_the_same() {
    let pipeline = pipeline();
    let stage = stage(&["error_rate", "latency_p99", "retry_rate", "cpu"]);
    let partial = || Annotation::Partial("partial".to_owned());
    let told = |series| Ok((series, vec![partial(), partial()]));
    let slow = DataFault {
        code: FaultCode::SourceSlow,
        message: "no answer within 10 s".to_owned(),
    };
    for pipeline in [pipeline, apart()] {
        let populations = Populations {
            control: &pipeline.control,
            canary: &pipeline.canary,
        };
        let plan = |grid| StageQuestions::new(&pipeline, &stage, populations, grid, SUMS).unwrap();
        let whole = plan(Grid::covering(START_MS, START_MS + 30_000, 10_000));
        let series = vec![
            counter("1", &[], [0.0, 1.0, 2.0, 3.0]),
            counter("2", &[], [0.0, 1.0, 2.0, 4.0]),
        ];
        let given = answers(
            &whole,
            &[
                ("http_requests", told(series.clone())),
                ("http_seconds_bucket", Err(slow.clone())),
                ("", ok(series)),
            ],
        );
        for (from, until) in [(0, 30), (10, 30), (10, 20), (0, 10), (60, 70)] {
            let at = |seconds: i64| START_MS + seconds * 1_000;
            let shorter = plan(Grid::covering(at(from), at(until), 10_000));
            let cut = whole.cut(&given, &shorter);
            assert_eq!(
                whole.cut_last(given.clone(), &shorter),
                cut,
                "{from} {until}"
            );
        }
    }
}

#[test]
fn a_canary_without_any_series_has_no_data_and_the_query_is_told() {
    let plan = plan(&["error_rate", "latency_p99", "cpu"]);
    let only_control = ok(vec![counter("1", &[], [0.0, 1.0, 2.0, 3.0])]);
    let data = plan.assemble(&answers(&plan, &[("http_requests", only_control)]));
    assert_eq!(fault(&data, "error_rate").code, FaultCode::NoData);
    assert_eq!(
        fault(&data, "error_rate").message,
        "no series of the canary answers http_requests_total{version=~\"1|2\"}; the control has some"
    );
    assert!(
        fault(&data, "latency_p99")
            .message
            .contains("http_seconds_bucket")
    );
    assert!(
        fault(&data, "cpu")
            .message
            .contains("cpu_ratio{version=\"2\"}")
    );
}

#[test]
fn a_control_without_any_series_is_no_fault() {
    let plan = plan(&["error_rate"]);
    let only_canary = ok(vec![counter("2", &[], [0.0, 1.0, 2.0, 3.0])]);
    let data = plan.assemble(&answers(&plan, &[("http_requests", only_canary)]));
    assert_eq!(counts(&data, "error_rate"), [(0.0, 3.0), (0.0, 0.0)]);
}

#[test]
fn a_fault_is_one_of_every_metric_that_needs_the_answer() {
    let plan = plan(&["error_rate", "retry_rate", "cpu"]);
    let slow = DataFault {
        code: FaultCode::SourceSlow,
        message: "no answer within 10 s".to_owned(),
    };
    let given = answers(&plan, &[("http_requests", Err(slow.clone()))]);
    let data = plan.assemble(&given);
    assert_eq!(fault(&data, "error_rate"), slow);
    assert_eq!(fault(&data, "retry_rate"), slow);
    assert_eq!(fault(&data, "cpu").code, FaultCode::NoData);
}

#[test]
fn an_answer_that_is_not_there_yet_is_still_collected() {
    let data = plan(&["error_rate"]).assemble(&[]);
    assert_eq!(fault(&data, "error_rate").code, FaultCode::StillCollecting);
}

#[test]
fn heartbeats_that_cannot_be_read_are_absent_with_a_warning() {
    let plan = plan(&["error_rate", "cpu"]);
    let failed = DataFault {
        code: FaultCode::SourceFailed,
        message: "the source answered 503".to_owned(),
    };
    let given = answers(
        &plan,
        &[
            ("process_start", Err(failed)),
            ("http_requests", requests()),
        ],
    );
    let data = plan.assemble(&given);
    assert_eq!(counts(&data, "error_rate"), [(0.0, 10.0), (0.0, 90.0)]);
    assert_eq!(
        data.source_warnings.get("error_rate").map(String::as_str),
        Some("the times of the scrapes are not known: the source answered 503")
    );
    assert!(!data.source_warnings.contains_key("cpu"));
}

#[test]
fn heartbeats_tell_of_births_and_of_the_scrape_period() {
    let plan = plan(&["error_rate"]);
    let born_ms = START_MS + 5_000;
    let mut born = counter("2", &[], [0.0; 4]);
    born.timestamps_ms = vec![born_ms + 3_000, born_ms + 18_000];
    born.values = vec![born_ms as f64 / 1_000.0; 2];
    let mut total = counter("2", &[], [0.0; 4]);
    total.timestamps_ms = vec![START_MS + 10_000, START_MS + 20_000, START_MS + 30_000];
    total.values = vec![4.0, 4.0, 9.0];
    let given = answers(
        &plan,
        &[
            ("process_start", ok(vec![born])),
            ("http_requests", ok(vec![total])),
        ],
    );
    assert_eq!(counts(&plan.assemble(&given), "error_rate")[0], (0.0, 9.0));
    assert_eq!(plan.scrape_period_ms(&given), Some(15_000));
}

#[test]
fn samples_that_are_all_no_numbers_are_a_fault_of_either_population() {
    let plan = plan(&["error_rate"]);
    let bad = [f64::NAN, f64::INFINITY, f64::NAN, -1.0];
    for version in ["1", "2"] {
        let errors = ok(vec![counter(version, &[], bad)]);
        let given = answers(
            &plan,
            &[("http_errors", errors), ("http_requests", requests())],
        );
        let fault = fault(&plan.assemble(&given), "error_rate");
        assert_eq!(fault.code, FaultCode::NotFinite);
    }
}

#[test]
fn events_that_nobody_ever_had_are_no_data() {
    let plan = plan(&["orders"]);
    let beats = || {
        let start = (START_MS - 900_000) as f64 / 1_000.0;
        ok(vec![
            counter("1", &[], [start; 4]),
            counter("2", &[], [start; 4]),
        ])
    };
    let nobody = plan.assemble(&answers(&plan, &[("process_start", beats())]));
    assert_eq!(fault(&nobody, "orders").code, FaultCode::NoData);
    let control = ok(vec![counter("1", &[], [0.0, 5.0, 6.0, 7.0])]);
    let given = answers(&plan, &[("process_start", beats()), ("orders", control)]);
    assert_eq!(
        counts(&plan.assemble(&given), "orders"),
        [(0.0, 3.0), (7.0, 27.0)]
    );
}

#[test]
fn what_the_source_said_is_told_with_the_metric_it_concerns() {
    let plan = plan(&["error_rate", "retry_rate"]);
    let said = || "one store is down".to_owned();
    let partial = (Vec::new(), vec![Annotation::Partial(said()); 2]);
    let given = answers(
        &plan,
        &[("http_retries", Ok(partial)), ("http_requests", requests())],
    );
    let data = plan.assemble(&given);
    let told: Vec<_> = data.source_warnings.into_iter().collect();
    assert_eq!(
        told,
        [("retry_rate".to_owned(), "one store is down".to_owned())]
    );
}

#[test]
fn a_remark_of_the_source_is_no_reason_to_distrust_its_answer() {
    let plan = plan(&["error_rate"]);
    let Ok((series, _)) = requests() else {
        panic!("no answer")
    };
    let remark = Annotation::Remark("it might not be a counter".to_owned());
    let given = answers(&plan, &[("http_requests", Ok((series, vec![remark])))]);
    let data = plan.assemble(&given);
    assert!(data.source_warnings.is_empty());
    assert_eq!(
        data.source_remarks["error_rate"],
        "it might not be a counter"
    );
    assert_eq!(counts(&data, "error_rate"), [(0.0, 10.0), (0.0, 90.0)]);
}

#[test]
fn a_message_about_a_population_shows_the_query_of_that_population() {
    let plan = plan_of(&apart(), &stage(&["error_rate"]));
    let nan = || ok(vec![counter("1", &[], [f64::NAN; 4])]);
    let given: Vec<Answered> = plan
        .questions()
        .iter()
        .map(|question| {
            if question.promql.contains("errors") && !question.promql.contains("canary") {
                nan()
            } else {
                ok(vec![counter("1", &[], [0.0, 1.0, 2.0, 3.0])])
            }
        })
        .collect();
    let message = fault(&plan.assemble(&given), "error_rate").message;
    assert!(
        message.ends_with("http_errors_total{pod=~\"shop-.*\"}"),
        "{message}"
    );
}

#[test]
fn what_answers_for_a_histogram_without_bounds_is_told_as_such() {
    let plan = plan(&["latency_p99"]);
    let plain = ok(vec![counter("2", &[], [0.0, 1.0, 2.0, 3.0])]);
    let data = plan.assemble(&answers(&plan, &[("http_seconds", plain)]));
    let fault = fault(&data, "latency_p99");
    assert_eq!(fault.code, FaultCode::LabelMissing);
    assert!(fault.message.contains("le or vmrange"), "{}", fault.message);
}

#[test]
fn a_canary_that_is_not_seen_to_be_scraped_is_not_taken_for_one_without_events() {
    let plan = plan(&["orders"]);
    let of_control = ok(vec![counter("1", &[], [0.0, 1.0, 2.0, 3.0])]);
    let data = plan.assemble(&answers(&plan, &[("orders_total", of_control)]));
    assert_eq!(
        fault(&data, "orders").message,
        "no series of the canary answers orders_total{version=~\"1|2\"}; the control has some; nor \
         does its process_start_time_seconds, which would show that it is scraped and has had none"
    );
}

#[test]
fn a_long_query_is_shortened_in_a_message() {
    let long = counter_share(&format!("errors_total{{path=\"{}\"}}", "ü".repeat(400)));
    let MetricKind::Proportion { events, .. } = &long else {
        panic!("no share");
    };
    let kind = event_rate(events.one());
    let plan = plan_of(&pipeline(), &stage_of("long", kind, 1.0));
    let given = answers(&plan, &[]);
    let message = fault(&plan.assemble(&given), "long").message;
    assert!(
        message.chars().count() < 250 && message.ends_with(".., nor does one of the control"),
        "{message}"
    );
}

/// Every sample of every series, as a stage is read.
fn samples_plan(stage: &Stage, grid: Grid) -> StageQuestions {
    let pipeline = pipeline();
    let populations = Populations {
        control: &pipeline.control,
        canary: &pipeline.canary,
    };
    StageQuestions::new(&pipeline, stage, populations, grid, Form::Samples).unwrap()
}

#[test]
fn samples_are_asked_for_by_an_instant_query_that_begins_before_the_grid() {
    let plan = samples_plan(&stage(&["error_rate"]), grid(20));
    assert_eq!(
        texts(&plan),
        [
            "http_requests_total{version=~\"1|2\"}[11m30s]",
            "http_requests_created{version=~\"1|2\"}[11m30s]",
            "http_errors_total{version=~\"1|2\"}[11m30s]",
            "http_errors_created{version=~\"1|2\"}[11m30s]",
            "process_start_time_seconds{version=~\"1|2\"}[11m30s]",
        ]
    );
    for question in plan.questions() {
        let at_ms = plan.grid.end_ms();
        assert_eq!(question.time, QuestionTime::Instant { at_ms });
    }
}

#[test]
fn an_evaluation_of_a_chunk_reads_less_than_sixteen_minutes() {
    let window = Grid::covering(START_MS - 6 * 3_600_000, START_MS + 15_000_000, 30_000);
    for chunk in Chunk::of_window(&window) {
        let counted = chunk.counted();
        let read_ms = counted.end_ms() - samples_from_ms(&counted);
        assert!(read_ms <= 930_000, "{read_ms}");
    }
}

#[test]
fn a_long_stretch_is_asked_for_in_pieces_of_equal_length_that_meet() {
    let plan = samples_plan(&stage(&["error_rate"]), grid(119));
    let requests: Vec<_> = plan.questions().iter().take(3).collect();
    let at: Vec<i64> = requests.iter().map(|one| one.time.end_ms()).collect();
    let end_ms = plan.grid.end_ms();
    assert_eq!(at, [end_ms - 2_440_000, end_ms - 1_220_000, end_ms]);
    assert!(requests.iter().all(|one| one.promql.ends_with("[20m20s]")));
}

#[test]
fn events_that_are_some_of_the_total_are_taken_from_its_answer() {
    let failed = counter_share("http_requests_total{code=~\"5..\"}");
    let plan = samples_plan(&stage_of("failed", failed, 0.01), grid(1));
    let requests = texts(&plan)
        .iter()
        .filter(|text| text.starts_with("http_requests_total"))
        .count();
    assert_eq!(requests, 1);
    let of = |code: &str, values: [f64; 3]| Series {
        labels: [("pod", "a"), ("version", "2"), ("code", code)]
            .map(|(label, value)| (label.to_owned(), value.to_owned()))
            .into(),
        timestamps_ms: vec![START_MS - 1_000, START_MS + 14_000, START_MS + 29_000],
        values: values.to_vec(),
    };
    let given = ok(vec![
        of("200", [5.0, 50.0, 95.0]),
        of("503", [1.0, 2.0, 4.0]),
    ]);
    let data = plan.assemble(&answers(&plan, &[("http_requests", given)]));
    let [canary, _] = counts(&data, "failed");
    assert_eq!(canary, (3.0, 93.0));
}
