//! Native histograms: merged counts are those of the observations themselves.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serinus_analysis::series::{
    Grid, Heartbeats, NativeColumn, PairedHistogram, Populations, Sampling, Series,
    native_histogram,
};

use crate::prometheus::{at, grid, labels};

/// Distance of two scrapes, each of which is seen, in seconds.
const SCRAPE_SECONDS: i64 = 10;

/// Length of the grid's intervals in scrapes.
const SCRAPES_PER_INTERVAL: usize = 3;

/// What one target observed, scrape by scrape.
struct Target {
    pod: String,
    /// The scrapes before which its process was replaced.
    restarts: Vec<usize>,
    /// The observations new at each scrape; those of the first are older than the window.
    observed: Vec<Vec<f64>>,
    /// Its schema and its zero threshold at each scrape.
    resolution: Vec<(i32, f64)>,
}

impl Target {
    /// The columns of the answer to a range query, and the heartbeats.
    fn answer(&self) -> (Vec<Series>, Series) {
        let mut columns = BTreeMap::<String, Series>::new();
        let mut put = |column: NativeColumn, at_ms: i64, value: f64| {
            let mut labels = labels(&self.pod, &[]);
            column.label(&mut labels);
            let key = format!("{column:?}");
            let series = columns.entry(key).or_insert_with(|| Series {
                labels,
                ..Series::default()
            });
            series.timestamps_ms.push(at_ms);
            series.values.push(value);
        };
        let mut beats = Series {
            labels: labels(&self.pod, &[]),
            ..Series::default()
        };
        let mut alive: Vec<f64> = Vec::new();
        let mut start_seconds = -10_000.0;
        for (scrape, new) in self.observed.iter().enumerate() {
            let at_ms = at(SCRAPE_SECONDS * i64::try_from(scrape).unwrap());
            if self.restarts.contains(&scrape) {
                alive.clear();
                start_seconds = (at_ms - 1_000) as f64 / 1_000.0;
            } else if start_seconds < 0.0 {
                start_seconds = (at(0) - 100_000_000) as f64 / 1_000.0;
            }
            alive.extend(new);
            let mut buckets = BTreeMap::<(u64, u64), f64>::new();
            let (schema, threshold) = self.resolution[scrape];
            for &value in &alive {
                if let Some((lower, upper)) = bucket(value, schema, threshold) {
                    *buckets
                        .entry((lower.to_bits(), upper.to_bits()))
                        .or_default() += 1.0;
                }
            }
            put(NativeColumn::Count, at_ms, alive.len() as f64);
            for ((lower, upper), count) in buckets {
                let (lower, upper) = (f64::from_bits(lower), f64::from_bits(upper));
                put(NativeColumn::Bucket { lower, upper }, at_ms, count);
            }
            beats.timestamps_ms.push(at_ms);
            beats.values.push(start_seconds);
        }
        (columns.into_values().collect(), beats)
    }

    fn count(&self, intervals: std::ops::Range<usize>, is_counted: impl Fn(f64) -> bool) -> f64 {
        let scrapes =
            intervals.start * SCRAPES_PER_INTERVAL + 1..=intervals.end * SCRAPES_PER_INTERVAL;
        let observed = scrapes.flat_map(|scrape| &self.observed[scrape]);
        observed.filter(|value| is_counted(**value)).count() as f64
    }
}

/// The bucket of a value, as Prometheus writes it; none for NaN.
fn bucket(value: f64, schema: i32, threshold: f64) -> Option<(f64, f64)> {
    if value.is_nan() {
        return None;
    }
    if value.abs() <= threshold {
        return Some((-threshold, threshold));
    }
    let per_octave = f64::from(schema).exp2();
    let index = (value.abs().log2() * per_octave).ceil();
    let bound = |index: f64| (index / per_octave).exp2();
    // Cut where it reaches into the zero bucket.
    let (lower, upper) = (bound(index - 1.0).max(threshold), bound(index));
    Some(if value > 0.0 {
        (lower, upper)
    } else {
        (-upper, -lower)
    })
}

/// A fleet whose targets lower their schemas and raise their thresholds while they run.
fn simulate(seed: u64, population: &str, intervals: usize) -> Vec<Target> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut below = move |limit: u32| random.next_u32() % limit;
    let targets = 1 + below(3);
    (0..targets)
        .map(|number| {
            let mut schema = below(8).cast_signed() - 2;
            // Half of them on the grid of some schema.
            let mut threshold = f64::from(below(9)) * 0.001;
            if below(2) == 0 {
                threshold = (-9.0 - f64::from(below(512)) / 256.0).exp2();
            }
            let mut target = Target {
                pod: format!("{population}-{number}"),
                restarts: Vec::new(),
                observed: Vec::new(),
                resolution: Vec::new(),
            };
            for scrape in 0..=intervals * SCRAPES_PER_INTERVAL {
                if scrape > 0 && below(8) == 0 {
                    target.restarts.push(scrape);
                }
                if below(10) == 0 {
                    schema = (schema - 1).max(-3);
                }
                if below(20) == 0 {
                    threshold *= 1.5;
                }
                target.resolution.push((schema, threshold));
                let new = (0..below(12))
                    .map(|_| {
                        // Halfway between two bounds of the finest schema: never at a bound.
                        let position = (f64::from(below(10 * 256)) + 0.5) / 256.0 - 9.0;
                        match below(20) {
                            0 => 0.0,
                            1 => -position.exp2(),
                            2 => f64::NAN,
                            _ => position.exp2(),
                        }
                    })
                    .collect();
                target.observed.push(new);
            }
            target
        })
        .collect()
}

fn counted(grid: &Grid, control: &[Target], canary: &[Target], limits: &[f64]) -> PairedHistogram {
    let read = |targets: &[Target]| {
        let mut columns = Vec::new();
        let mut beats = Vec::new();
        for target in targets {
            let (found, beat) = target.answer();
            columns.extend(found);
            beats.push(beat);
        }
        (columns, Heartbeats::from_series(&beats))
    };
    let (control, control_beats) = read(control);
    let (canary, canary_beats) = read(canary);
    native_histogram(
        grid,
        Sampling::Instants {
            step_ms: SCRAPE_SECONDS * 1_000,
        },
        Populations {
            control: &control,
            canary: &canary,
        },
        Populations {
            control: &control_beats,
            canary: &canary_beats,
        },
        1.0,
        limits,
    )
}

/// The bounds of the coarsest bucket that is populated, above every threshold.
fn wanted_bounds(targets: &[&Target]) -> Vec<f64> {
    let (mut schema, mut threshold) = (8, 0.0_f64);
    let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
    for target in targets {
        let mut alive: Vec<f64> = Vec::new();
        for (scrape, new) in target.observed.iter().enumerate() {
            if target.restarts.contains(&scrape) {
                alive.clear();
            }
            alive.extend(new);
            let (its_schema, its_threshold) = target.resolution[scrape];
            if alive.iter().any(|value| value.abs() <= its_threshold) {
                threshold = threshold.max(its_threshold);
            }
            for value in &alive {
                if let Some((lower, upper)) = bucket(*value, its_schema, its_threshold)
                    && lower > 0.0
                {
                    schema = schema.min(its_schema);
                    (least, most) = (least.min(lower), most.max(upper));
                }
            }
        }
    }
    let per_octave = f64::from(schema).exp2();
    let mut bounds = Vec::new();
    // The tolerance is for bounds that are rounded.
    let mut index = (least.log2() * per_octave - 1e-9).ceil();
    while index <= most.log2() * per_octave + 1e-9 {
        let bound = (index / per_octave).exp2();
        if bound >= threshold * (1.0 - 1e-9) {
            bounds.push(bound);
        }
        index += 1.0;
    }
    bounds
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn merged_counts_are_those_of_the_observations(seed: u64, intervals in 1_usize..6) {
        let grid = grid(i64::try_from(intervals).unwrap());
        let control = simulate(seed, "control", intervals);
        let canary = simulate(!seed, "canary", intervals);
        let found = counted(&grid, &control, &canary, &[]);
        let bounds = &found.upper_bounds;
        prop_assert!(bounds.is_sorted() && bounds.last() == Some(&f64::INFINITY));
        prop_assert_eq!(found.spans.len(), intervals, "{:?}", found.spans);
        for (row, &(first, length)) in found.spans.iter().enumerate() {
            let span = first..first + length;
            for (targets, counts) in [(&control, &found.control), (&canary, &found.canary)] {
                for (column, &bound) in bounds.iter().enumerate() {
                    let truth: f64 = targets
                        .iter()
                        .map(|target| target.count(span.clone(), |value| value <= bound || bound.is_infinite()))
                        .sum();
                    prop_assert_eq!(counts[(row, column)], truth, "<= {} in {:?}", bound, span);
                }
            }
        }
        // And no bound is given away that all of them have.
        let both: Vec<_> = control.iter().chain(&canary).collect();
        for wanted in wanted_bounds(&both) {
            prop_assert!(
                bounds.iter().any(|bound| (bound / wanted - 1.0).abs() < 1e-12),
                "{} is not in {:?}", wanted, bounds
            );
        }
        prop_assert_eq!(found.quality.repaired_buckets, 0);
        prop_assert_eq!(found.quality.control_series, control.len());
    }
}

/// One pod, by rows of a time in seconds and counts in `(1, 2]`, `(2, 4]`, and of all.
fn pod(rows: &[(i64, [f64; 3])]) -> Vec<Series> {
    let columns = [
        NativeColumn::Bucket {
            lower: 1.0,
            upper: 2.0,
        },
        NativeColumn::Bucket {
            lower: 2.0,
            upper: 4.0,
        },
        NativeColumn::Count,
    ];
    let of = |(index, column): (usize, NativeColumn)| {
        let populated: Vec<_> = rows
            .iter()
            .filter(|(_, counts)| index == 2 || counts[index] != 0.0)
            .collect();
        let mut labels = labels("a", &[]);
        column.label(&mut labels);
        Series {
            labels,
            timestamps_ms: populated.iter().map(|(time, _)| at(*time)).collect(),
            values: populated.iter().map(|(_, counts)| counts[index]).collect(),
        }
    };
    columns.into_iter().enumerate().map(of).collect()
}

fn canary_alone(grid: &Grid, canary: &[Series], scale: f64) -> PairedHistogram {
    let none = Heartbeats::default();
    native_histogram(
        grid,
        Sampling::Instants {
            step_ms: SCRAPE_SECONDS * 1_000,
        },
        Populations {
            control: &[],
            canary,
        },
        Populations {
            control: &none,
            canary: &none,
        },
        scale,
        &[],
    )
}

#[test]
fn a_fall_between_two_bounds_is_a_reset_though_all_cumulative_counts_grow() {
    let canary = pod(&[(0, [1.0, 10.0, 11.0]), (30, [20.0, 2.0, 22.0])]);
    let counts = canary_alone(&grid(1), &canary, 1.0);
    assert_eq!(counts.upper_bounds, [1.0, 2.0, 4.0, f64::INFINITY]);
    assert_eq!(counts.canary, ndarray::array![[0.0, 20.0, 22.0, 22.0]]);
    assert_eq!(counts.quality.resets, 1);
}

#[test]
fn a_bucket_that_is_not_sent_any_more_fell_to_zero() {
    let canary = pod(&[(0, [0.0, 3.0, 3.0]), (30, [7.0, 0.0, 7.0])]);
    let counts = canary_alone(&grid(1), &canary, 1.0);
    assert_eq!(counts.canary, ndarray::array![[0.0, 7.0, 7.0, 7.0]]);
    assert_eq!(counts.quality.resets, 1);
}

#[test]
fn observations_that_are_not_numbers_are_beyond_all_bounds() {
    let canary = pod(&[(0, [0.0, 0.0, 0.0]), (30, [3.0, 0.0, 5.0])]);
    let counts = canary_alone(&grid(1), &canary, 1.0);
    assert_eq!(counts.canary, ndarray::array![[0.0, 3.0, 5.0]]);
}

#[test]
fn an_instant_with_a_count_that_is_no_number_is_left_out() {
    for bad in [f64::NAN, f64::INFINITY, -1.0] {
        let rows = [
            (0, [1.0, 0.0, 1.0]),
            (20, [bad, 0.0, 2.0]),
            (30, [3.0, 1.0, 4.0]),
        ];
        let counts = canary_alone(&grid(1), &pod(&rows), 1.0);
        assert_eq!(
            counts.canary,
            ndarray::array![[0.0, 2.0, 3.0, 3.0]],
            "{bad}"
        );
        assert_eq!(counts.quality.rejected_samples, 1);
        assert_eq!(counts.quality.resets, 0);
    }
}

#[test]
fn bounds_are_scaled_into_base_units() {
    let canary = pod(&[(0, [0.0; 3]), (30, [1.0, 1.0, 2.0])]);
    let counts = canary_alone(&grid(1), &canary, 0.001);
    assert_eq!(counts.upper_bounds, [0.001, 0.002, 0.004, f64::INFINITY]);
}

#[test]
fn series_that_are_no_columns_are_rejected() {
    let mut canary = pod(&[(0, [1.0, 0.0, 1.0]), (30, [2.0, 0.0, 2.0])]);
    canary.push(Series {
        labels: labels("b", &[("__native_column__", "2 1")]),
        timestamps_ms: vec![at(0), at(30)],
        values: vec![1.0, 2.0],
    });
    canary.push(Series {
        labels: labels("a", &[]),
        timestamps_ms: vec![at(0)],
        values: vec![1.0],
    });
    let counts = canary_alone(&grid(1), &canary, 1.0);
    assert_eq!(counts.canary, ndarray::array![[0.0, 1.0, 1.0]]);
    assert_eq!(counts.quality.rejected_samples, 3);
}
