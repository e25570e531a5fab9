//! Buckets of classic histograms.

use ndarray::array;
use serinus_analysis::series::{
    Grid, Heartbeats, PairedHistogram, Populations, Sampling, Series, histogram,
};

use crate::prometheus::{at, grid, labels};

const INSTANTS: Sampling = Sampling::Instants { step_ms: 10_000 };

/// One bucket of one pod, read at these seconds.
fn bucket(pod: &str, le: &str, samples: &[(i64, f64)]) -> Series {
    Series {
        labels: labels(pod, &[("le", le)]),
        timestamps_ms: samples.iter().map(|(time, _)| at(*time)).collect(),
        values: samples.iter().map(|(_, value)| *value).collect(),
    }
}

/// Buckets `100`, `250` and `+Inf` of one pod: rows of a time and three counts.
fn pod(name: &str, rows: &[(i64, [f64; 3])]) -> Vec<Series> {
    ["100", "250", "+Inf"]
        .iter()
        .enumerate()
        .map(|(column, le)| {
            let samples: Vec<_> = rows
                .iter()
                .map(|(time, counts)| (*time, counts[column]))
                .collect();
            bucket(name, le, &samples)
        })
        .collect()
}

fn counted(grid: &Grid, control: &[Series], canary: &[Series]) -> PairedHistogram {
    let none = Heartbeats::default();
    let heartbeats = Populations {
        control: &none,
        canary: &none,
    };
    let populations = Populations { control, canary };
    histogram(
        grid,
        INSTANTS,
        populations,
        heartbeats,
        Populations::same(0.001),
        &[],
    )
}

/// The ranges of one pod, of seconds.
fn ranges(pod: &str, of: &[(&str, &[(i64, f64)])]) -> Vec<Series> {
    of.iter()
        .map(|(range, samples)| Series {
            labels: labels(pod, &[("vmrange", range)]),
            ..bucket(pod, "", samples)
        })
        .collect()
}

fn counted_in_seconds(control: &[Series], canary: &[Series], limits: &[f64]) -> PairedHistogram {
    let none = Heartbeats::default();
    let heartbeats = Populations {
        control: &none,
        canary: &none,
    };
    let populations = Populations { control, canary };
    histogram(
        &grid(1),
        INSTANTS,
        populations,
        heartbeats,
        Populations::same(1.0),
        limits,
    )
}

fn quiet() -> Vec<Series> {
    let rows: Vec<_> = (0..=9).map(|k| (k * 10, [7.0, 8.0, 9.0])).collect();
    pod("quiet", &rows)
}

#[test]
fn buckets_are_counted_interval_by_interval_in_base_units() {
    let canary = pod(
        "a",
        &[
            (0, [10.0, 20.0, 30.0]),
            (20, [11.0, 22.0, 33.0]),
            (30, [12.0, 24.0, 36.0]),
            (60, [12.0, 25.0, 40.0]),
        ],
    );
    let counts = counted(&grid(2), &quiet(), &canary);
    assert_eq!(counts.upper_bounds, [0.1, 0.25, f64::INFINITY]);
    assert_eq!(counts.spans, [(0, 1), (1, 1)]);
    assert_eq!(counts.canary, array![[2.0, 4.0, 6.0], [0.0, 1.0, 4.0]]);
    assert_eq!(counts.control, array![[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]);
}

#[test]
fn a_reset_is_one_of_all_buckets_of_the_target() {
    // Only the first bucket fell: the others have overtaken their old values.
    let canary = pod("a", &[(0, [10.0, 11.0, 12.0]), (30, [3.0, 40.0, 50.0])]);
    let counts = counted(&grid(1), &quiet(), &canary);
    assert_eq!(counts.canary, array![[3.0, 40.0, 50.0]]);
    assert_eq!(counts.quality.resets, 1);
}

#[test]
fn a_missed_scrape_joins_the_rows_of_both_populations() {
    let canary = pod(
        "a",
        &[
            (0, [1.0, 1.0, 1.0]),
            (20, [2.0, 2.0, 2.0]),
            (40, [3.0, 3.0, 3.0]),
            (60, [4.0, 4.0, 4.0]),
        ],
    );
    let control: Vec<_> = (0..=6).map(|k| (k * 10, [k as f64; 3])).collect();
    let counts = counted(&grid(2), &pod("b", &control), &canary);
    assert_eq!(counts.spans, [(0, 2)]);
    assert_eq!(counts.control, array![[6.0, 6.0, 6.0]]);
    assert_eq!(counts.canary, array![[3.0, 3.0, 3.0]]);
}

#[test]
fn only_bounds_that_all_targets_have_are_counted() {
    let mut canary = pod("a", &[(0, [1.0, 2.0, 3.0]), (30, [2.0, 4.0, 6.0])]);
    canary.push(bucket("a", "175", &[(0, 1.0), (30, 3.0)]));
    let mut control = pod("b", &[(0, [0.0, 0.0, 0.0]), (30, [1.0, 1.0, 1.0])]);
    control.remove(0);
    let counts = counted(&grid(1), &control, &canary);
    assert_eq!(counts.upper_bounds, [0.25, f64::INFINITY]);
    assert_eq!(counts.canary, array![[2.0, 3.0]]);
    assert_eq!(counts.control, array![[1.0, 1.0]]);
}

#[test]
fn a_bound_that_a_target_has_only_for_a_time_is_left_out() {
    let mut canary = pod(
        "a",
        &[
            (0, [1.0, 2.0, 3.0]),
            (20, [1.0, 2.0, 3.0]),
            (30, [2.0, 4.0, 6.0]),
        ],
    );
    canary[0] = bucket("a", "100", &[(30, 2.0)]);
    let counts = counted(&grid(1), &quiet(), &canary);
    assert_eq!(counts.upper_bounds, [0.25, f64::INFINITY]);
    assert_eq!(counts.canary, array![[2.0, 3.0]]);
}

#[test]
fn a_bound_is_a_number_however_it_is_written() {
    let canary = [
        bucket("a", "1", &[(0, 1.0)]),
        bucket("a", "1.0", &[(20, 2.0), (30, 5.0)]),
        bucket("a", "+Inf", &[(0, 1.0), (20, 2.0), (30, 8.0)]),
    ];
    let counts = counted(&grid(1), &[], &canary);
    assert_eq!(counts.upper_bounds, [0.001, f64::INFINITY]);
    assert_eq!(counts.canary, array![[4.0, 7.0]]);
}

#[test]
fn without_the_last_bucket_nothing_is_counted() {
    let mut canary = pod("a", &[(0, [1.0, 2.0, 3.0]), (30, [2.0, 4.0, 6.0])]);
    canary.pop();
    canary.push(bucket("a", "wide", &[(0, 1.0)]));
    let counts = counted(&grid(1), &[], &canary);
    assert_eq!(counts.upper_bounds, [f64::INFINITY]);
    assert!(counts.spans.is_empty());
    assert_eq!(counts.quality.rejected_samples, 5);
}

#[test]
fn counts_that_descend_with_the_bounds_are_lowered_and_told() {
    let canary = pod("a", &[(0, [0.0, 0.0, 0.0]), (30, [5.0, 4.0, 4.0])]);
    let counts = counted(&grid(1), &quiet(), &canary);
    assert_eq!(counts.canary, array![[4.0, 4.0, 4.0]]);
    assert_eq!(counts.quality.repaired_buckets, 1);
}

#[test]
fn an_instant_with_a_bad_bucket_is_missing() {
    let canary = pod(
        "a",
        &[
            (0, [1.0, 2.0, 3.0]),
            (30, [2.0, f64::NAN, 6.0]),
            (60, [3.0, 5.0, 7.0]),
        ],
    );
    let counts = counted(&grid(2), &quiet(), &canary);
    assert_eq!(counts.spans, [(0, 2)]);
    assert_eq!(counts.canary, array![[2.0, 3.0, 4.0]]);
    assert_eq!(counts.quality.rejected_samples, 1);
}

#[test]
fn a_tail_is_what_lies_above_a_bound() {
    let canary = pod("a", &[(0, [0.0, 0.0, 0.0]), (30, [5.0, 7.0, 10.0])]);
    let counts = counted(&grid(1), &quiet(), &canary);
    let tail = |bound| {
        let row = counts.tail(bound).unwrap().intervals[0].canary;
        (row.events, row.exposure)
    };
    assert_eq!(tail(0.1), (5.0, 10.0));
    assert_eq!(tail(0.25), (3.0, 10.0));
    assert_eq!(tail(f64::INFINITY), (0.0, 10.0));
    assert_eq!(counts.tail(0.2), None);
    assert_eq!(counts.tail(f64::NAN), None);
}

#[test]
fn ranges_are_counted_as_they_are_and_one_that_is_new_began_at_nothing() {
    let canary = ranges(
        "a",
        &[
            (
                "1.000e-01...1.136e-01",
                &[(0, 10.0), (15, 12.0), (30, 16.0)],
            ),
            ("0...1.000e-09", &[(0, 1.0), (15, 1.0), (30, 2.0)]),
            ("1.292e-01...1.468e-01", &[(15, 1.0), (30, 3.0)]),
            ("1.000e+18...+Inf", &[(30, 1.0)]),
        ],
    );
    let control = ranges("b", &[("1.136e-01...1.292e-01", &[(0, 5.0), (30, 25.0)])]);
    let counts = counted_in_seconds(&control, &canary, &[]);
    let tail = |bound: f64| {
        let counts = counts.tail(bound).unwrap().totals();
        [counts.control, counts.canary].map(|arm| (arm.events, arm.exposure))
    };
    assert_eq!(tail(1e-9), [(20.0, 20.0), (10.0, 11.0)]);
    assert_eq!(tail(0.1136), [(20.0, 20.0), (4.0, 11.0)]);
    assert_eq!(tail(0.1292), [(0.0, 20.0), (4.0, 11.0)]);
    assert_eq!(tail(0.1468), [(0.0, 20.0), (1.0, 11.0)]);
}

#[test]
fn ranges_have_bounds_around_a_limit_beyond_all_of_them() {
    let pods = |name| ranges(name, &[("1.000e-01...1.136e-01", &[(0, 10.0), (30, 16.0)])]);
    let counts = counted_in_seconds(&pods("a"), &pods("b"), &[2.0]);
    let beyond = counts.upper_bounds.iter().find(|bound| **bound >= 2.0);
    assert!(beyond.unwrap().is_finite());
    // Limits have no bounds of their own where the buckets are fixed.
    let fixed = pod("a", &[(0, [1.0, 2.0, 3.0]), (30, [2.0, 4.0, 6.0])]);
    let counts = counted_in_seconds(&fixed, &fixed, &[2.0]);
    assert_eq!(counts.upper_bounds, [100.0, 250.0, f64::INFINITY]);
}

#[test]
fn a_range_that_is_not_there_for_a_scrape_has_lost_nothing() {
    let canary = ranges(
        "a",
        &[
            (
                "1.000e-01...1.136e-01",
                &[(0, 10.0), (20, 11.0), (30, 12.0)],
            ),
            ("1.136e-01...1.292e-01", &[(0, 100.0), (30, 101.0)]),
        ],
    );
    let counts = counted_in_seconds(&[], &canary, &[]);
    let all = counts.upper_bounds.len() - 1;
    assert_eq!(counts.canary.column(all).sum(), 3.0);
    assert_eq!(counts.quality.resets, 0);
}

#[test]
fn a_target_that_lacks_a_bound_is_left_out_where_it_has_few_requests() {
    let busy = pod("busy", &[(0, [0.0, 0.0, 0.0]), (30, [95.0, 96.0, 100.0])]);
    let odd = |requests: f64| {
        let mut odd = pod("odd", &[(0, [0.0; 3]), (30, [requests; 3])]);
        odd.remove(0);
        [busy.clone(), odd].concat()
    };
    let few = counted(&grid(1), &quiet(), &odd(9.0));
    assert_eq!(few.upper_bounds, [0.1, 0.25, f64::INFINITY]);
    assert_eq!(few.canary, array![[95.0, 96.0, 100.0]]);
    assert_eq!(few.buckets.other_targets.canary.len(), 1);
    assert!(few.buckets.other_targets.canary[0].is_left_out);
    assert!(few.buckets.other_targets.canary[0].labels.contains("odd"));
    let many = counted(&grid(1), &quiet(), &odd(20.0));
    assert_eq!(many.upper_bounds, [0.25, f64::INFINITY]);
    assert_eq!(many.canary, array![[116.0, 120.0]]);
    assert!(!many.buckets.other_targets.canary[0].is_left_out);
}

#[test]
fn a_target_with_more_bounds_than_the_others_changes_nothing() {
    let mut fine = pod("fine", &[(0, [0.0; 3]), (30, [1.0, 1.0, 2.0])]);
    fine.push(bucket("fine", "175", &[(0, 0.0), (30, 1.0)]));
    let busy = pod("busy", &[(0, [0.0; 3]), (30, [95.0, 96.0, 100.0])]);
    let counts = counted(&grid(1), &quiet(), &[busy, fine].concat());
    assert_eq!(counts.canary, array![[96.0, 97.0, 102.0]]);
    assert_eq!(counts.buckets.other_targets.canary, []);
}

#[test]
fn what_each_version_has_is_known_where_nothing_is_common() {
    let other = vec![
        bucket("a", "30", &[(0, 0.0), (30, 1.0)]),
        bucket("a", "+Inf", &[(0, 0.0), (30, 2.0)]),
    ];
    let counts = counted(&grid(1), &quiet(), &other);
    assert_eq!(counts.upper_bounds, [f64::INFINITY]);
    assert_eq!(counts.buckets.own_bounds.control, [0.1, 0.25]);
    assert_eq!(counts.buckets.own_bounds.canary, [0.03]);
}
