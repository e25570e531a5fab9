//! What must hold of every verdict, whatever the data.

use proptest::prelude::*;

use super::*;

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => 0.0..1e5_f64,
        1 => Just(0.0),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(-1.0),
        1 => Just(1e300),
    ]
}

fn any_counts() -> impl Strategy<Value = MetricData> {
    let arm = || {
        (any_number(), any_number()).prop_map(|(events, exposure)| ArmCount { events, exposure })
    };
    let pairs = proptest::collection::vec((arm(), arm()), 1..40);
    pairs.prop_map(|pairs| {
        let interval = |(first, (control, canary))| PairedInterval {
            first,
            length: 1,
            control,
            canary,
        };
        MetricData::Counts(PairedCounts {
            intervals: pairs.into_iter().enumerate().map(interval).collect(),
            ..PairedCounts::default()
        })
    })
}

fn any_method() -> impl Strategy<Value = Method> {
    prop_oneof![
        Just(Method::Wilson),
        Just(Method::Sequential),
        Just(Method::Kayenta)
    ]
}

fn all_checks() -> Vec<Check> {
    vec![
        check(
            "error_rate",
            "error_rate < baseline * 1.1",
            below_baseline(1.1),
        ),
        check("error_rate", "error_rate < 1%", below(0.01)),
        check(
            "error_rate",
            "error_rate within 5% of baseline",
            Condition::Within { tolerance: 0.05 },
        ),
        check("kpi_impact", "kpi_impact < 1%", below(0.01)),
    ]
}

fn with_method(method: Method) -> Pipeline {
    let mut pipeline = pipeline(all_checks());
    decided_by(&mut pipeline, method);
    pipeline.kill_switch = vec![switch(
        "error_rate",
        "error_rate > 50%",
        Condition::Absolute {
            comparison: Comparison::Greater,
            limit: 0.5,
        },
    )];
    pipeline
}

/// The first intervals of some data: what was known at their end.
fn first_intervals(whole: &StageData, count: usize) -> StageData {
    let cut = |metric: &MetricData| match metric.clone() {
        MetricData::Counts(mut counts) => {
            counts
                .intervals
                .retain(|one| one.first + one.length <= count);
            MetricData::Counts(counts)
        }
        MetricData::Gauge(mut gauge) => {
            gauge.intervals.truncate(count);
            MetricData::Gauge(gauge)
        }
        MetricData::Histogram(mut histogram) => {
            let rows = |counts: &ndarray::Array2<f64>| {
                let kept: Vec<usize> = (0..count).collect();
                counts.select(ndarray::Axis(0), &kept)
            };
            histogram.spans.truncate(count);
            histogram.control = rows(&histogram.control);
            histogram.canary = rows(&histogram.canary);
            MetricData::Histogram(histogram)
        }
        fault @ MetricData::Fault(_) => fault,
    };
    StageData {
        grid: grid(count),
        metrics: whole
            .metrics
            .iter()
            .map(|(name, metric)| (name.clone(), cut(metric)))
            .collect(),
        ..whole.clone()
    }
}

/// Eight intervals of a canary: how often it fails, how slow it is, how busy, and whether seen.
type Spell = (f64, f64, f64, bool);

fn any_spells() -> impl Strategy<Value = Vec<Spell>> {
    let spell = (
        prop_oneof![2 => Just(1.0), 1 => 0.0..4.0_f64],
        prop_oneof![2 => Just(1.0), 1 => 0.0..4.0_f64],
        prop_oneof![2 => 0.9..1.1_f64, 1 => 0.5..2.5_f64],
        prop_oneof![9 => Just(true), 1 => Just(false)],
    );
    proptest::collection::vec(spell, 8..14)
}

fn of_spells(spells: &[Spell], requests: f64) -> StageData {
    let spells: Vec<Spell> = spells.iter().flat_map(|spell| [*spell; 8]).collect();
    let intervals = spells.len();
    let arm = |failing: f64| ArmCount {
        events: 0.01 * failing * requests,
        exposure: requests,
    };
    let errors = spells
        .iter()
        .enumerate()
        .map(|(first, (failing, ..))| PairedInterval {
            first,
            length: 1,
            control: arm(1.0),
            canary: arm(*failing),
        });
    let errors = PairedCounts {
        intervals: errors.collect(),
        ..PairedCounts::default()
    };
    let cpu = spells
        .iter()
        .enumerate()
        .map(|(at, (_, _, busy, is_seen))| Populations {
            control: Some(0.4 + 0.01 * (at % 3) as f64),
            canary: is_seen.then_some(0.4 * busy),
        });
    let cpu = PairedGauge {
        intervals: cpu.collect(),
        ..PairedGauge::default()
    };
    let tails = [0.2, 0.012, 0.002];
    let mut durations = latency::histogram(intervals, tails, tails, requests);
    if let MetricData::Histogram(durations) = &mut durations {
        for (interval, (_, slow, ..)) in spells.iter().enumerate() {
            for (bound, tail) in tails.iter().enumerate() {
                durations.canary[(interval, bound)] = requests * (1.0 - (tail * slow).min(1.0));
            }
        }
    }
    data(
        intervals,
        vec![
            ("error_rate", MetricData::Counts(errors)),
            ("cpu_usage", MetricData::Gauge(cpu)),
            ("latency_p99", durations),
        ],
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Issue 3: who asks at every interval and who asks once act on the same verdict.
    #[test]
    fn a_rollback_stays_whatever_comes_later(
        spells in any_spells(), requests in prop_oneof![Just(40.0), Just(600.0), Just(9_000.0)],
    ) {
        let mut pipeline = with_method(Method::Sequential);
        let checks = vec![
            check("error_rate", "error_rate < baseline * 1.1", below_baseline(1.1)),
            check("error_rate", "error_rate < 2%", below(0.02)),
            check("cpu_usage", "cpu_usage < baseline * 1.3", below_baseline(1.3)),
            check("latency_p99", "latency_p99 < baseline * 1.2", below_baseline(1.2)),
        ];
        pipeline.stages = vec![stage("1", 10.0, checks.clone()), stage("2", 50.0, checks)];
        decided_by(&mut pipeline, Method::Sequential);
        pipeline.analysis.false_rollback = 0.1;
        let whole = of_spells(&spells, requests);
        let mut reached = None;
        for count in (4..=whole.grid.intervals()).step_by(4) {
            let verdict = second_stage(&pipeline, &first_intervals(&whole, count));
            if verdict.verdict == Verdict::Rollback {
                reached = reached.or(Some(count));
            }
            if let Some(reached) = reached {
                prop_assert_eq!(
                    verdict.verdict, Verdict::Rollback,
                    "reached after {} and not after {}: {}", reached, count, verdict.reason
                );
            }
        }
    }
}

proptest! {
    #[test]
    fn no_data_panics_and_no_reported_number_is_nan(
        errors in any_counts(), conversions in any_counts(), method in any_method(),
    ) {
        let pipeline = with_method(method);
        let data = data(40, vec![("error_rate", errors), ("conversion", conversions)]);
        let verdict = second_stage(&pipeline, &data);
        for check in &verdict.checks {
            if let Some(evidence) = &check.evidence {
                prop_assert!(evidence.rollback.is_finite());
            }
            prop_assert!(check.reason.chars().count() <= 300);
        }
    }

    #[test]
    fn populations_that_do_the_same_are_never_rolled_back(
        rows in proptest::collection::vec((0_u32..50, 1_000_u32..2_000), 10..120),
        method in any_method(),
    ) {
        let pipeline = with_method(method);
        let same = |(first, (events, exposure)): (usize, (u32, u32))| {
            let arm = ArmCount { events: f64::from(events), exposure: f64::from(exposure) };
            PairedInterval { first, length: 1, control: arm, canary: arm }
        };
        let intervals: Vec<_> = rows.into_iter().enumerate().map(same).collect();
        let length = intervals.len();
        let counts = MetricData::Counts(PairedCounts { intervals, ..PairedCounts::default() });
        let data = data(length, vec![("error_rate", counts.clone()), ("conversion", counts)]);
        prop_assert_ne!(second_stage(&pipeline, &data).verdict, Verdict::Rollback);
    }

    /// From the control's rate on: one of the checks is `within 5% of baseline`, which breaks for too few
    /// failures as well, and more of them are what mends it.
    #[test]
    fn more_failures_never_turn_a_rollback_into_a_promotion(
        control in 0_u32..500, beyond in 0_u32..500, more in 1_u32..500, method in any_method(),
    ) {
        let pipeline = with_method(method);
        let verdict = |failures: u32| {
            let of = ((f64::from(control), 90_000.0), (f64::from(failures), 10_000.0));
            let mut data = errors(STAGE_INTERVALS, of);
            let fine = counts(STAGE_INTERVALS, (27_000.0, 900_000.0), (3_000.0, 100_000.0));
            data.metrics.insert("conversion".to_owned(), fine);
            second_stage(&pipeline, &data).verdict
        };
        let canary = control.div_ceil(9) + beyond;
        if verdict(canary) == Verdict::Rollback {
            prop_assert_ne!(verdict(canary + more), Verdict::Promote);
        }
    }

    #[test]
    fn what_the_source_calls_partial_never_decides(
        control in 0_u32..500, canary in 0_u32..500, method in any_method(),
    ) {
        let pipeline = with_method(method);
        let of = ((f64::from(control), 90_000.0), (f64::from(canary), 10_000.0));
        let mut data = errors(STAGE_INTERVALS, of);
        let fine = counts(STAGE_INTERVALS, (27_000.0, 900_000.0), (3_000.0, 100_000.0));
        data.metrics.insert("conversion".to_owned(), fine);
        data.source_warnings.insert("error_rate".to_owned(), "partial".to_owned());
        prop_assert_eq!(second_stage(&pipeline, &data).verdict, Verdict::Hold);
    }
}
