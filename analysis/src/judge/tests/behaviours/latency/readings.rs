//! New processes, other buckets, and since when.

use super::*;
use crate::series::{Heartbeats, Sampling, Series, histogram};
use crate::text;

/// D13: three times as slow for the first four minutes, and then as the control.
#[test]
fn d13_a_slow_start_is_not_judged_unless_the_file_says_that_it_is() {
    let description = LatencyFleetDescription {
        fault: Fault::Until(8, 3.0),
        ..slower(500.0, LN_8, 1.0)
    };
    let told = |warm_up: &str| {
        let pipeline = stage_of(RELATIVE, &format!("duration_minutes: 30{warm_up}"), "");
        answers_about(&pipeline, &description, 2, HALF_HOUR)
    };
    for warm_up in ["", ", warm_up: 5m"] {
        let told = told(warm_up);
        assert_eq!(told.last().verdict, Verdict::Promote, "{}", told.reasons());
    }
    let seen = told(", warm_up: 2m");
    assert!(
        seen.first(Verdict::Rollback).is_some(),
        "{}",
        seen.reasons()
    );
}

/// D14: bounds of the client libraries, and those of a native histogram of schema 3.
#[test]
fn d14_native_and_classic_histograms_of_one_law_answer_alike() {
    for (times, expected) in [
        (1.0, Verdict::Promote),
        (1.2, Verdict::Promote),
        (1.5, Verdict::Rollback),
        (2.0, Verdict::Rollback),
    ] {
        for buckets in [Buckets::Default, Buckets::NativeSchema3] {
            let description = LatencyFleetDescription {
                buckets,
                ..slower(100.0, LN_8, times)
            };
            let told = answers_about(&half_an_hour(RELATIVE), &description, 1, 2 * HALF_HOUR);
            let found = [Verdict::Rollback, Verdict::Promote].map(|one| told.first(one).is_some());
            let wanted = [Verdict::Rollback, Verdict::Promote].map(|one| one == expected);
            assert_eq!(found, wanted, "{times} {buckets:?}: {}", told.reasons());
        }
    }
}

/// D15: three times as slow from minute 15 on.
#[test]
fn d15_what_broke_later_is_told_with_its_time_and_its_ratio() {
    let description = LatencyFleetDescription {
        fault: Fault::From(30, 3.0),
        ..slower(500.0, LN_8, 1.0)
    };
    for seed in 0..4 {
        let whole = histogram_of(&description, seed, 2 * HALF_HOUR);
        let whole = read(&["latency_p99"], &whole);
        let told = asked(&half_an_hour(RELATIVE), &whole, 20..=2 * HALF_HOUR);
        let place = told
            .answers
            .iter()
            .position(|one| one.verdict == Verdict::Rollback);
        let broken = &told.answers[place.unwrap_or_else(|| panic!("{}", told.reasons()))].checks[0];
        let times: Vec<String> = (22..=38)
            .map(|at| text::time_of_day(whole.grid.boundary_ms(at)))
            .collect();
        let is_told = |time: &String| broken.reason.contains(&format!("broken since {time}, "));
        assert!(times.iter().any(is_told), "{} of {times:?}", broken.reason);
        let ratio = broken.ratio.as_ref().unwrap().estimate;
        assert!((2.3..4.0).contains(&ratio), "{ratio}");
    }
}

/// D16: a bound that one pod of the control has more than all others.
#[test]
fn d16_a_bound_that_only_some_targets_have_is_left_out() {
    let description = LatencyFleetDescription {
        servers: Servers {
            control: 2,
            ..Servers::ONE
        },
        ..slower(100.0, LN_8, 1.5)
    };
    let plain = scraped(&description, false);
    let with_another = scraped(&description, true);
    assert!(
        with_another
            .upper_bounds
            .iter()
            .all(|bound| (bound - 0.075).abs() > 1e-9)
    );
    assert_eq!(plain.upper_bounds, with_another.upper_bounds);
    let told = |histogram: &PairedHistogram| {
        let pipeline = half_an_hour(RELATIVE);
        let looks = (10..=2 * HALF_HOUR).step_by(10);
        let told = asked(&pipeline, &read(&["latency_p99"], histogram), looks);
        let answers = told.answers.iter();
        let each = answers.map(|one| (one.verdict, one.reason.clone(), one.checks.clone()));
        each.collect::<Vec<_>>()
    };
    let (plain, with_another) = (told(&plain), told(&with_another));
    assert!(
        plain
            .iter()
            .any(|(verdict, ..)| *verdict == Verdict::Rollback)
    );
    assert_eq!(plain, with_another);
}

/// The same fleet as a Prometheus has it: a counter for each bucket of each pod.
fn scraped(description: &LatencyFleetDescription, has_another: bool) -> PairedHistogram {
    let intervals = 2 * HALF_HOUR;
    let start_ms = grid(0).start_ms();
    let known = histogram_of(description, 0, intervals);
    let series_of = |apart: &Apart<PodBuckets>| {
        let mut all = Vec::new();
        for (place, pod) in (0..).zip(&apart.names) {
            let mut columns: Vec<(f64, Vec<f64>)> = known
                .upper_bounds
                .iter()
                .map(|bound| (*bound, Vec::new()))
                .collect();
            for row in &apart.rows {
                let mut counts = vec![0.0; columns.len()];
                for (_, buckets) in row.iter().filter(|(pod, _)| *pod == place) {
                    buckets.add_to_cumulative(counts.iter_mut(), 1.0);
                }
                for ((_, column), count) in columns.iter_mut().zip(counts) {
                    column.push(column.last().copied().unwrap_or(0.0) + count);
                }
            }
            if has_another && pod == "control-0" {
                let (below, above) = (columns[3].1.clone(), columns[4].1.clone());
                let between = below
                    .iter()
                    .zip(&above)
                    .map(|(one, other)| libm::floor((one + other) / 2.0));
                columns.push((0.075, between.collect()));
            }
            all.extend(
                columns
                    .into_iter()
                    .map(|(bound, column)| bucket(pod, bound, column)),
            );
        }
        all
    };
    let (control, canary) = (
        series_of(&known.pods.control),
        series_of(&known.pods.canary),
    );
    let grid = played::grid_of(intervals, STEP_MS);
    assert_eq!(grid.start_ms(), start_ms);
    let none = Heartbeats::default();
    histogram(
        &grid,
        Sampling::Instants { step_ms: STEP_MS },
        Populations {
            control: &control,
            canary: &canary,
        },
        Populations::same(&none),
        Populations::same(1.0),
        &[],
    )
}

/// A bucket of a pod that is as old as the grid and was 0 at its start.
fn bucket(pod: &str, bound: f64, counts: Vec<f64>) -> Series {
    let start_ms = grid(0).start_ms();
    let bound = if bound.is_finite() {
        format!("{bound}")
    } else {
        "+Inf".to_owned()
    };
    let labels = [("pod", pod), ("le", &bound)];
    Series {
        labels: labels
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        timestamps_ms: (0_i64..)
            .map(|at| start_ms + at * STEP_MS)
            .take(counts.len() + 1)
            .collect(),
        values: std::iter::once(0.0).chain(counts).collect(),
    }
}
