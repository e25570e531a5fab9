//! Buckets of classic histograms.

use ndarray::array;
use serinus_analysis::series::{
    Grid, Heartbeats, PairedHistogram, Populations, Sampling, Series, histogram,
};

use crate::prometheus::{at, grid, labels};

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
    histogram(
        grid,
        Sampling::Instants { step_ms: 10_000 },
        Populations { control, canary },
        heartbeats,
        0.001,
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
