//! The control alone, over a past, split into two groups.

use super::*;

const HOUR_MS: i64 = 3_600_000;
const INTERVAL_MS: i64 = 30_000;
/// A whole hour.
const END_MS: i64 = 1_700_006_400_000;

fn past(hours: i64) -> Grid {
    Grid::covering(END_MS - hours * HOUR_MS, END_MS, INTERVAL_MS)
}

fn plan_over(hours: i64, metrics: &[&str]) -> StageQuestions {
    let checks: Vec<Check> = metrics.iter().map(|name| check(name)).collect();
    let pipeline = pipeline();
    let mut texts = QueryTexts::default();
    StageQuestions::of_control(
        &pipeline,
        &checks,
        &pipeline.control,
        &["eu".to_owned()],
        past(hours),
        STEP_MS,
        &mut texts,
    )
    .unwrap()
}

/// What a question of a plan gets of samples that are there all the time.
fn cut_for(question: &MetricQuestion, whole: &[Series]) -> Vec<Series> {
    let (from_ms, until_ms) = match question.time {
        QuestionTime::Range {
            start_ms, end_ms, ..
        } => (start_ms, end_ms),
        QuestionTime::Instant { at_ms } => (at_ms - 7_500_000, at_ms),
    };
    whole
        .iter()
        .map(|one| {
            let kept = one
                .timestamps_ms
                .iter()
                .zip(&one.values)
                .filter(|(at_ms, _)| (from_ms..=until_ms).contains(at_ms));
            let (timestamps_ms, values) = kept.map(|(at_ms, value)| (*at_ms, *value)).unzip();
            Series {
                labels: one.labels.clone(),
                timestamps_ms,
                values,
            }
        })
        .filter(|one| !one.timestamps_ms.is_empty())
        .collect()
}

/// A series of a pod from a time on, growing at each step by what the function gives for it.
fn grown(pod: &str, from_ms: i64, at_step: impl Fn(i64) -> f64) -> Series {
    let labels = [("instance", pod), ("pod", pod)];
    let timestamps_ms: Vec<i64> = (0..=(END_MS - from_ms) / STEP_MS)
        .map(|step| from_ms + step * STEP_MS)
        .collect();
    Series {
        labels: labels
            .into_iter()
            .map(|(label, value)| (label.to_owned(), value.to_owned()))
            .collect(),
        values: timestamps_ms.iter().map(|at_ms| at_step(*at_ms)).collect(),
        timestamps_ms,
    }
}

/// Every pod serves ten requests a step, of which one fails in each step.
fn answered(plan: &StageQuestions, pods: &[&str]) -> Vec<Answered> {
    let from_ms = plan.grid.start_ms();
    let counter = |by: f64| -> Vec<Series> {
        pods.iter()
            .map(|pod| {
                grown(pod, from_ms, |at_ms| {
                    by * ((at_ms - from_ms) / STEP_MS) as f64
                })
            })
            .collect()
    };
    let beats: Vec<Series> = pods
        .iter()
        .map(|pod| grown(pod, from_ms - STEP_MS, |_| 1_600_000_000.0))
        .collect();
    plan.questions()
        .iter()
        .map(|question| {
            let text = &question.promql;
            let whole = if text.contains("requests") {
                counter(10.0)
            } else if text.contains("errors") {
                counter(1.0)
            } else {
                beats.clone()
            };
            ok(cut_for(question, &whole))
        })
        .collect()
}

#[test]
fn only_the_control_is_asked_for_in_pieces_of_two_hours() {
    let plan = plan_over(5, &["error_rate", "cpu"]);
    let texts: BTreeSet<&str> = texts(&plan).into_iter().collect();
    assert_eq!(
        texts.into_iter().collect::<Vec<_>>(),
        [
            "process_start_time_seconds{region=\"eu\",version=\"1\"}[2h5m]",
            sum("", "http_errors_total{region=\"eu\",version=\"1\"}").as_str(),
            sum("", "http_requests_total{region=\"eu\",version=\"1\"}").as_str(),
        ],
        "and no gauge"
    );
    let ends: BTreeSet<i64> = plan
        .questions()
        .iter()
        .map(|question| (END_MS - question.time.end_ms()) / HOUR_MS)
        .collect();
    assert_eq!(ends, BTreeSet::from([0, 2, 4]));
}

#[test]
fn a_shorter_past_has_the_same_newest_questions() {
    let (long, short) = (
        plan_over(24, &["error_rate"]),
        plan_over(4, &["error_rate"]),
    );
    assert_eq!(long.questions().len(), 3 * 12);
    assert_eq!(short.questions().len(), 3 * 2);
    for question in short.questions() {
        assert!(long.questions().contains(question), "{question:?}");
    }
}

#[test]
fn two_groups_of_the_control_have_all_that_it_did_once() {
    let plan = plan_over(5, &["error_rate"]);
    let pods = ["shop-1", "shop-2", "shop-3", "shop-4"];
    let (data, split) = plan.assemble_split(&answered(&plan, &pods), 0.25).unwrap();
    assert_eq!((split.canary_targets, split.control_targets), (1, 3));
    assert!((split.canary_share - 0.25).abs() < 1e-12);
    // Each of 1,800 steps: ten requests and one failure of every pod.
    assert_eq!(
        counts(&data, "error_rate"),
        [(1_800.0, 18_000.0), (5_400.0, 54_000.0)]
    );
    assert_eq!(data.grid, past(5));
    let quality = quality(&data, "error_rate");
    assert_eq!(
        (quality.missing_intervals, quality.joined_intervals),
        (0, 0)
    );
    assert_eq!(
        plan.scrape_period_ms(&answered(&plan, &pods)),
        Some(STEP_MS)
    );
}

#[test]
fn a_past_can_be_cut_into_windows() {
    let plan = plan_over(4, &["error_rate"]);
    let (data, _) = plan
        .assemble_split(&answered(&plan, &["shop-1", "shop-2"]), 0.5)
        .unwrap();
    let part = data.slice(120, 60);
    assert_eq!(part.grid.start_ms(), END_MS - 3 * HOUR_MS);
    assert_eq!(part.grid.intervals(), 60);
    assert!(!part.starts_with_stage);
    assert_eq!(counts(&part, "error_rate"), [(180.0, 1_800.0); 2]);
    assert_eq!(data.slice(0, 480), data);
}

#[test]
fn a_pod_that_restarts_keeps_its_group_and_one_that_is_born_counts_in_its_own() {
    let plan = plan_over(4, &["error_rate"]);
    let start_ms = plan.grid.start_ms();
    let middle_ms = start_ms + 2 * HOUR_MS;
    let pods = ["shop-1", "shop-2", "shop-3", "shop-4"];
    let mut requests: Vec<Series> = pods
        .iter()
        .map(|pod| {
            grown(pod, start_ms, |at_ms| {
                // All restart in the middle.
                let since_ms = if at_ms > middle_ms {
                    middle_ms
                } else {
                    start_ms
                };
                ((at_ms - since_ms) / STEP_MS) as f64
            })
        })
        .collect();
    requests.push(grown("shop-5", middle_ms, |at_ms| {
        ((at_ms - middle_ms) / STEP_MS) as f64
    }));
    let given: Vec<Answered> = plan
        .questions()
        .iter()
        .map(|question| {
            let is_total = question.promql.contains("requests");
            ok(if is_total {
                cut_for(question, &requests)
            } else {
                Vec::new()
            })
        })
        .collect();
    let (data, split) = plan.assemble_split(&given, 0.3).unwrap();
    assert_eq!(split.canary_targets + split.control_targets, 5);
    let [(_, canary), (_, control)] = counts(&data, "error_rate");
    // Four pods through 1,440 steps and one through 720: no request is lost or counted twice.
    assert!((canary + control - 4.5 * 1_440.0).abs() < 1e-9);
    assert!((canary / (canary + control) - split.canary_share).abs() < 1e-9);
}

#[test]
fn a_control_with_one_target_cannot_be_split() {
    let plan = plan_over(4, &["error_rate"]);
    let one = plan
        .assemble_split(&answered(&plan, &["shop-1"]), 0.1)
        .unwrap_err();
    assert_eq!(one.code, FaultCode::NoControl);
    assert!(one.message.contains("one target"), "{}", one.message);
    let none = plan.assemble_split(&answered(&plan, &[]), 0.1).unwrap_err();
    assert!(none.message.contains("no traffic"), "{}", none.message);
}

#[test]
fn a_metric_without_a_counter_of_all_is_split_by_scrapes() {
    let plan = plan_over(4, &["orders"]);
    let start_ms = plan.grid.start_ms();
    let pods = ["shop-1", "shop-2", "shop-3", "shop-4", "shop-5"];
    let given: Vec<Answered> = plan
        .questions()
        .iter()
        .map(|question| {
            let is_beat = question.promql.contains("process_start");
            let whole: Vec<Series> = pods
                .iter()
                .map(|pod| {
                    if is_beat {
                        grown(pod, start_ms - STEP_MS, |_| 1_600_000_000.0)
                    } else {
                        grown(pod, start_ms, |at_ms| ((at_ms - start_ms) / STEP_MS) as f64)
                    }
                })
                .collect();
            ok(cut_for(question, &whole))
        })
        .collect();
    let (data, split) = plan.assemble_split(&given, 0.4).unwrap();
    assert_eq!((split.canary_targets, split.control_targets), (2, 3));
    let [(canary, canary_exposure), (control, control_exposure)] = counts(&data, "orders");
    assert_eq!((canary, control), (2.0 * 1_440.0, 3.0 * 1_440.0));
    // The exposure is the share of the traffic that the groups had, times seconds.
    assert!((canary_exposure - 0.4 * 14_400.0).abs() < 1e-6);
    assert!((control_exposure - 0.6 * 14_400.0).abs() < 1e-6);
}

#[test]
fn a_fault_of_the_requests_leaves_no_split() {
    let plan = plan_over(4, &["error_rate"]);
    let refused = DataFault {
        code: FaultCode::TooManySeries,
        message: "too many".to_owned(),
    };
    let given: Vec<Answered> = plan
        .questions()
        .iter()
        .map(|_| Err(refused.clone()))
        .collect();
    assert_eq!(plan.assemble_split(&given, 0.1), Err(refused));
}
