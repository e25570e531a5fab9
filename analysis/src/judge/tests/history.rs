//! What the time before the rollout changes, and what it must not.

use std::sync::Arc;

use ndarray::Array2;

use super::*;
use crate::data::{ControlSplit, HistoryData};
use crate::judge::{NoiseSource, WarningCode, measure_noise};
use crate::proof::{Counted, Input, Interval, Line, Member, PastNoise, Rollout, Settings, Stream};
use crate::sequential::{
    AbsoluteLimit, CountLaw, IntervalCounts, RelativeLimit, Side, on_every_interval,
};

/// Four hours.
const ENOUGH: usize = 480;

fn split() -> ControlSplit {
    ControlSplit {
        canary_targets: 1,
        control_targets: 9,
        canary_share: 0.1,
    }
}

/// A failure rate of the group that plays the canary that jumps for two of every sixteen intervals.
fn noisy(intervals: usize) -> MetricData {
    let interval = |first: usize| {
        let factor = if first % 16 < 2 { 6.0 } else { 1.0 };
        PairedInterval {
            first,
            length: 1,
            control: ArmCount {
                events: 27.0 + (first % 3) as f64,
                exposure: 9_000.0,
            },
            canary: ArmCount {
                events: factor * (3.0 + (first % 2) as f64),
                exposure: 1_000.0,
            },
        }
    };
    MetricData::Counts(PairedCounts {
        intervals: (0..intervals).map(interval).collect(),
        ..PairedCounts::default()
    })
}

/// As the second stage of a pipeline would know it.
fn seen(pipeline: &Pipeline, intervals: usize, metrics: Vec<(&str, MetricData)>) -> History {
    let found = HistoryData::new(data(intervals, metrics), split()).unwrap();
    History::Seen(Arc::new(measure_noise(&found, &pipeline.stages[1])))
}

fn sequential(checks: Vec<Check>) -> Pipeline {
    let mut pipeline = pipeline(checks);
    decided_by(&mut pipeline, Method::Sequential);
    pipeline
}

fn dense(metric: &MetricData, intervals: usize) -> Vec<IntervalCounts> {
    match metric {
        MetricData::Counts(counts) => on_every_interval(&counts.intervals, intervals),
        other => panic!("no counts but {other:?}"),
    }
}

fn assert_close(told: f64, log_evidence: f64) {
    let wanted = libm::exp(log_evidence.min(690.0));
    assert!((told - wanted).abs() <= 1e-9 * wanted, "{told} {wanted}");
}

/// What a stream proves of the same counts by itself.
fn proven(line: Line, past: PastNoise, longest: usize) -> (f64, f64) {
    let settings = Settings {
        line,
        interval_seconds: 30.0,
        counted: Counted::Events,
        past: Some(Arc::new(past)),
    };
    let mut rollout = Rollout::new(
        vec![longest],
        vec![Member::new(Stream::new(settings, 1), 1.0, None)],
    );
    rollout.ask(|_| true);
    for counts in dense(&noisy(40), 40) {
        let lanes = [Interval::from(counts)];
        rollout.push(&[Input {
            lanes: &lanes,
            ..Input::default()
        }]);
    }
    let stream = &rollout.members()[0].stream;
    (
        stream.log_evidence(None),
        stream.dispersion(None).unwrap().value,
    )
}

#[test]
fn a_relative_limit_is_judged_with_the_noise_between_both_groups() {
    let pipeline = sequential(error_rate_checks());
    let mut data = data(40, vec![("error_rate", noisy(40))]);
    data.history = seen(&pipeline, ENOUGH, vec![("error_rate", noisy(ENOUGH))]);
    let told = second_stage(&pipeline, &data).checks[0]
        .evidence
        .clone()
        .unwrap();
    let past = PastNoise::measure(&dense(&noisy(ENOUGH), ENOUGH), 1.1).unwrap();
    let line = Line::Relative(RelativeLimit::new(1.1, 0.0, Side::Above).unwrap());
    let (log_evidence, dispersion) = proven(line, past, 240);
    assert_close(told.rollback, log_evidence);
    assert_eq!(told.dispersion, Some(dispersion));
    assert_eq!(told.dispersion_from, Some(NoiseSource::History));
}

/// The control's part of the noise counts as often as the limit allows the control's failures.
#[test]
fn the_noise_is_measured_for_the_ratio_of_each_limit() {
    let ratios = [1.1, 1.25];
    let checks = ratios.map(|ratio| {
        let text = format!("error_rate < baseline * {ratio}");
        check("error_rate", &text, below_baseline(ratio))
    });
    let pipeline = sequential(checks.to_vec());
    let History::Seen(found) = seen(&pipeline, ENOUGH, vec![("error_rate", noisy(ENOUGH))]) else {
        panic!("nothing was measured");
    };
    let rows = dense(&noisy(ENOUGH), ENOUGH);
    for ratio in ratios {
        let past = found.past_noise("error_rate", None, ratio);
        assert_eq!(past, PastNoise::measure(&rows, ratio).as_ref(), "{ratio}");
        assert!(past.is_some());
    }
    assert_eq!(found.past_noise("error_rate", None, 1.5), None);
}

#[test]
fn an_absolute_limit_is_judged_with_the_noise_of_the_group_that_plays_the_canary() {
    let checks = vec![check("error_rate", "error_rate < 0.4%", below(0.004))];
    let pipeline = sequential(checks);
    let mut data = data(40, vec![("error_rate", noisy(40))]);
    data.history = seen(&pipeline, ENOUGH, vec![("error_rate", noisy(ENOUGH))]);
    let told = second_stage(&pipeline, &data).checks[0]
        .evidence
        .clone()
        .unwrap();
    let past = PastNoise::measure_alone(&dense(&noisy(ENOUGH), ENOUGH)).unwrap();
    let line = Line::Absolute {
        limit: AbsoluteLimit::new(0.004, Side::Above, CountLaw::Bernoulli).unwrap(),
        has_control: true,
    };
    let (log_evidence, dispersion) = proven(line, past, 240);
    assert_close(told.rollback, log_evidence);
    assert_eq!(told.dispersion, Some(dispersion));
    assert_eq!(told.dispersion_from, Some(NoiseSource::History));
}

#[test]
fn waves_that_the_control_had_before_move_the_evidence_less() {
    let pipeline = sequential(error_rate_checks());
    let judged = |history| {
        let mut data = data(34, vec![("error_rate", noisy(34))]);
        data.history = history;
        second_stage(&pipeline, &data).checks[0]
            .evidence
            .clone()
            .unwrap()
    };
    let calm = seen(
        &pipeline,
        ENOUGH,
        vec![("error_rate", counts(ENOUGH, GOOD.0, GOOD.1))],
    );
    let with_waves = judged(seen(&pipeline, ENOUGH, vec![("error_rate", noisy(ENOUGH))]));
    let with_calm = judged(calm);
    assert!(with_waves.dispersion > with_calm.dispersion);
    assert!(with_waves.rollback < with_calm.rollback);
}

#[test]
fn without_a_history_the_noise_is_assumed() {
    let pipeline = sequential(error_rate_checks());
    let judged = |history| {
        let mut data = errors(40, GOOD);
        data.history = history;
        second_stage(&pipeline, &data)
    };
    let absent = judged(History::Absent("it is off".to_owned()));
    let told = absent.checks[0].evidence.clone().unwrap();
    assert_eq!(told.dispersion_from, Some(NoiseSource::Assumed));
    assert!(
        absent
            .warnings
            .iter()
            .all(|warning| warning.code != WarningCode::NoHistory)
    );
    // Another metric's history is none of this one.
    let other = judged(seen(&pipeline, ENOUGH, vec![("conversion", noisy(ENOUGH))]));
    assert_eq!(other.checks, absent.checks);

    let refused = judged(History::Refused(DataFault {
        code: FaultCode::TooManySeries,
        message: "more than 1000 series".to_owned(),
    }));
    assert_eq!(refused.checks, absent.checks);
    let warned = refused
        .warnings
        .iter()
        .find(|warning| warning.code == WarningCode::NoHistory);
    assert!(warned.unwrap().message.contains("more than 1000 series"));
}

#[test]
fn a_history_that_is_late_holds_the_sequential_checks_alone() {
    let mut checks = error_rate_checks();
    checks.push(check("conversion", "conversion < 90%", below(0.9)));
    let mut pipeline = sequential(checks);
    pipeline.stages[1].checks[1].method = Method::Wilson;
    let mut data = data(
        STAGE_INTERVALS,
        vec![
            ("error_rate", counts(STAGE_INTERVALS, BAD.0, BAD.1)),
            ("conversion", counts(STAGE_INTERVALS, GOOD.0, GOOD.1)),
        ],
    );
    data.history = History::Late(DataFault {
        code: FaultCode::SourceSlow,
        message: "the source is slow".to_owned(),
    });
    let held = second_stage(&pipeline, &data);
    assert_eq!(held.verdict, Verdict::Hold);
    assert_eq!(held.reason_code, ReasonCode::SourceSlow);
    assert_eq!(held.checks[0].outcome, Outcome::NoData);
    assert_eq!(held.checks[1].outcome, Outcome::Pass);

    data.history = History::default();
    assert_eq!(second_stage(&pipeline, &data).verdict, Verdict::Rollback);
}

#[test]
fn less_than_four_hours_with_both_groups_is_no_history() {
    let short = HistoryData::new(
        data(ENOUGH, vec![("error_rate", noisy(ENOUGH - 1))]),
        split(),
    );
    assert!(short.unwrap_err().message.contains("it takes 4 h"));
    // Idle intervals tell nothing, joined ones count for all that they cover.
    let idle = counts(ENOUGH, (10.0, 1_000.0), (0.0, 0.0));
    assert!(HistoryData::new(data(ENOUGH, vec![("error_rate", idle)]), split()).is_err());
    let MetricData::Counts(mut joined) = noisy(ENOUGH / 2) else {
        panic!("counts");
    };
    for interval in &mut joined.intervals {
        interval.first *= 2;
        interval.length = 2;
    }
    let joined = data(ENOUGH, vec![("error_rate", MetricData::Counts(joined))]);
    assert_eq!(
        HistoryData::new(joined, split())
            .unwrap()
            .intervals_with_data(),
        ENOUGH
    );
}

/// Cumulative counts at 0.1 s, 0.2 s, 0.4 s and above, in every interval.
fn latencies(intervals: usize, bounds: &[f64]) -> MetricData {
    let rows = |requests: f64| {
        Array2::from_shape_fn((intervals, bounds.len()), |(row, column)| {
            let shares = [0.95, 0.99 - 0.002 * (row % 5) as f64, 0.999, 1.0];
            requests * shares[column]
        })
    };
    MetricData::Histogram(PairedHistogram {
        upper_bounds: bounds.to_vec(),
        spans: (0..intervals).map(|row| (row, 1)).collect(),
        control: rows(9_000.0),
        canary: rows(1_000.0),
        ..PairedHistogram::default()
    })
}

#[test]
fn a_history_of_other_buckets_tells_the_noise_as_well() {
    const NOW: [f64; 4] = [0.1, 0.2, 0.4, f64::INFINITY];
    const OTHER: [f64; 4] = [0.15, 0.25, 0.5, f64::INFINITY];
    for (text, condition) in [
        ("latency_p99 < 200ms", below(0.2)),
        ("latency_p99 < baseline * 1.2", below_baseline(1.2)),
    ] {
        let checks = vec![check("latency_p99", text, condition)];
        let pipeline = sequential(checks);
        let source = |bounds: &[f64]| {
            let mut data = data(40, vec![("latency_p99", latencies(40, &NOW))]);
            data.history = seen(
                &pipeline,
                ENOUGH,
                vec![("latency_p99", latencies(ENOUGH, bounds))],
            );
            let report = &second_stage(&pipeline, &data).checks[0];
            report.evidence.clone().unwrap().dispersion_from
        };
        assert_eq!(source(&NOW), Some(NoiseSource::History), "{text}");
        assert_eq!(source(&OTHER), Some(NoiseSource::History), "{text}");
    }
}

#[test]
fn each_noise_is_measured_once_and_none_for_a_single_look() {
    const BOUNDS: [f64; 4] = [0.1, 0.2, 0.4, f64::INFINITY];
    let mut checks = error_rate_checks();
    checks.extend([
        check(
            "error_rate",
            "error_rate < baseline * 2",
            below_baseline(2.0),
        ),
        check("error_rate", "error_rate < 0.4%", below(0.004)),
        check("error_rate", "error_rate < 1%", below(0.01)),
        check("latency_p99", "latency_p99 < 200ms", below(0.2)),
        check("conversion", "conversion < 90%", below(0.9)),
    ]);
    let mut pipeline = sequential(checks);
    pipeline.stages[1].checks[5].method = Method::Wilson;
    let History::Seen(history) = seen(
        &pipeline,
        ENOUGH,
        vec![
            ("error_rate", noisy(ENOUGH)),
            ("latency_p99", latencies(ENOUGH, &BOUNDS)),
            ("conversion", noisy(ENOUGH)),
        ],
    ) else {
        panic!("a history");
    };
    let told: Vec<_> = history
        .noise()
        .iter()
        .map(|noise| (noise.metric.as_str(), noise.limit))
        .collect();
    assert_eq!(
        told,
        [
            ("error_rate", None),
            ("error_rate", Some(0.004)),
            ("error_rate", Some(0.01)),
            ("latency_p99", Some(0.2)),
        ]
    );
}
