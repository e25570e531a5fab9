//! The sequential method: evidence on the grid, whoever asks when.

use super::*;
use crate::series::Grid;

fn sequential(checks: Vec<Check>) -> Pipeline {
    let mut pipeline = pipeline(checks);
    decided_by(&mut pipeline, Method::Sequential);
    pipeline
}

/// Counts that wobble around their rates, without a random number.
fn wobbling(intervals: usize, control_rate: f64, canary_rate: f64) -> MetricData {
    let interval = |first: usize| {
        let wave = |phase: f64| 1.0 + 0.3 * libm::sin(first as f64 * 1.7 + phase);
        PairedInterval {
            first,
            length: 1,
            control: ArmCount {
                events: (9_000.0 * control_rate * wave(0.0)).round(),
                exposure: 9_000.0,
            },
            canary: ArmCount {
                events: (1_000.0 * canary_rate * wave(2.0)).round(),
                exposure: 1_000.0,
            },
        }
    };
    MetricData::Counts(PairedCounts {
        intervals: (0..intervals).map(interval).collect(),
        ..PairedCounts::default()
    })
}

fn at(intervals: usize, canary_rate: f64) -> StageData {
    data(
        intervals,
        vec![("error_rate", wobbling(intervals, 0.01, canary_rate))],
    )
}

#[test]
fn a_good_canary_is_promoted_and_shows_its_evidence() {
    let pipeline = sequential(error_rate_checks());
    let verdict = second_stage(&pipeline, &at(STAGE_INTERVALS, 0.01));
    assert_eq!(verdict.verdict, Verdict::Promote, "{}", verdict.reason);
    let evidence = verdict.checks[0].evidence.as_ref().unwrap();
    assert!(evidence.promote.unwrap() >= evidence.promote_at);
    assert!(evidence.rollback < evidence.rollback_at);
    assert!(evidence.dispersion.unwrap() >= 1.0);
    assert!(
        verdict.warnings.is_empty(),
        "polling cannot hurt: {:?}",
        verdict.warnings
    );
}

#[test]
fn a_bad_canary_is_rolled_back_within_minutes_and_blamed() {
    let pipeline = sequential(error_rate_checks());
    let verdict = second_stage(&pipeline, &at(20, 0.05));
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Rollback, ReasonCode::CheckFailed)
    );
    let evidence = verdict.checks[0].evidence.as_ref().unwrap();
    assert!(evidence.rollback >= evidence.rollback_at);
}

#[test]
fn a_rollback_once_reached_stays_whatever_comes_later() {
    let pipeline = sequential(error_rate_checks());
    let crossing = (1..=60)
        .find(|intervals| {
            second_stage(&pipeline, &at(*intervals, 0.03)).verdict == Verdict::Rollback
        })
        .unwrap();
    let MetricData::Counts(mut counts) = wobbling(STAGE_INTERVALS, 0.01, 0.03) else {
        unreachable!()
    };
    for interval in counts.intervals.iter_mut().skip(crossing) {
        interval.canary.events = 0.0;
    }
    let recovered = data(
        STAGE_INTERVALS,
        vec![("error_rate", MetricData::Counts(counts))],
    );
    let verdict = second_stage(&pipeline, &recovered);
    assert_eq!(verdict.verdict, Verdict::Rollback, "asked only at the end");
}

#[test]
fn many_checks_share_one_budget() {
    // What rolls back alone holds among twenty that are fine.
    let alone = sequential(error_rate_checks());
    let mut many = error_rate_checks();
    for _ in 0..19 {
        many.push(check(
            "conversion",
            "conversion < baseline * 1.1",
            below_baseline(1.1),
        ));
    }
    let many = sequential(many);
    let first = |pipeline: &Pipeline| {
        (1..=STAGE_INTERVALS)
            .find(|intervals| {
                let mut both = at(*intervals, 0.03);
                both.metrics
                    .insert("conversion".to_owned(), wobbling(*intervals, 0.01, 0.01));
                second_stage(pipeline, &both).verdict == Verdict::Rollback
            })
            .unwrap()
    };
    let (single, shared) = (first(&alone), first(&many));
    assert!(shared > single, "{shared} intervals against {single}");
    assert!(shared <= 2 * single, "{shared} intervals against {single}");
}

#[test]
fn an_open_check_is_told_how_long_it_takes() {
    let pipeline = sequential(error_rate_checks());
    let verdict = second_stage(&pipeline, &at(5, 0.01));
    assert_eq!(
        verdict.reason_code,
        ReasonCode::Undecided,
        "{}",
        verdict.reason
    );
    let needs = verdict.checks[0].needs.as_ref().unwrap();
    assert!(needs.canary_total > 5_000.0);
    assert!(needs.projected_at_ms.unwrap() > grid(5).end_ms());
}

#[test]
fn absolute_limits_gauges_and_latency_are_decided_over_time_too() {
    let checks = vec![
        check("error_rate", "error_rate < 2%", below(0.02)),
        check("cpu_usage", "cpu_usage < 0.7", below(0.7)),
        check("latency_p99", "latency_p99 < 200ms", below(0.2)),
        check(
            "latency_p99",
            "latency_p99 < baseline * 1.2",
            below_baseline(1.2),
        ),
    ];
    let pipeline = sequential(checks);
    let judged = |error_rate: f64, cpu: f64, tail: [f64; 3]| {
        let mut all = at(STAGE_INTERVALS, error_rate);
        let gauge = (0..STAGE_INTERVALS)
            .map(|interval| {
                let wave = 0.05 * libm::sin(interval as f64);
                Populations {
                    control: Some(0.3 + wave),
                    canary: Some(cpu + wave),
                }
            })
            .collect();
        let gauge = PairedGauge {
            intervals: gauge,
            ..PairedGauge::default()
        };
        all.metrics
            .insert("cpu_usage".to_owned(), MetricData::Gauge(gauge));
        let control = [0.3, 0.005, 0.000_1];
        let histogram = latency::histogram(STAGE_INTERVALS, control, tail, 10_000.0);
        all.metrics.insert("latency_p99".to_owned(), histogram);
        let verdict = second_stage(&pipeline, &all);
        let outcomes: Vec<Outcome> = verdict.checks.iter().map(|check| check.outcome).collect();
        (verdict.verdict, outcomes)
    };
    let good = [0.3, 0.005, 0.000_1];
    assert_eq!(
        judged(0.01, 0.35, good),
        (Verdict::Promote, vec![Outcome::Pass; 4])
    );
    assert_eq!(judged(0.06, 0.35, good).1[0], Outcome::Fail);
    assert_eq!(judged(0.01, 0.95, good).1[1], Outcome::Fail);
    let slow = judged(0.01, 0.35, [0.6, 0.1, 0.02]);
    assert_eq!(slow.0, Verdict::Rollback);
    assert_eq!(slow.1.get(2..), Some([Outcome::Fail; 2].as_slice()));
    assert_eq!(slow.1.first(), Some(&Outcome::Pass));
}

#[test]
fn the_environment_is_to_blame_over_time_too() {
    let pipeline = sequential(vec![check("error_rate", "error_rate < 0.2%", below(0.002))]);
    let verdict = second_stage(&pipeline, &at(STAGE_INTERVALS, 0.01));
    assert_eq!(
        (verdict.verdict, verdict.reason_code),
        (Verdict::Hold, ReasonCode::Environment)
    );
}

#[test]
fn the_evidence_of_an_interval_does_not_depend_on_what_was_asked_later() {
    let pipeline = sequential(error_rate_checks());
    let short = second_stage(&pipeline, &at(30, 0.012));
    let again = second_stage(&pipeline, &at(30, 0.012));
    assert_eq!(short, again);
    let whole: Grid = grid(30);
    assert_eq!(short.intervals, whole.intervals());
}
